"""Turns a graph into what people use: source, module, diagram, table. Pure functions."""
