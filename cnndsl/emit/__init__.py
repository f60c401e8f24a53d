"""A graph becomes what people use: source, module, diagram, table. Pure functions."""
