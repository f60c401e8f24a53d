"""Typed steps become a graph with every shape known. No YAML, no torch."""
