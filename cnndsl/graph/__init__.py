"""Turns typed steps into a graph with every shape known. No YAML, no torch."""
