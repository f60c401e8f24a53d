"""Turns text into typed steps with places. Knows nothing about tensors."""
