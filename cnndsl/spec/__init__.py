"""Text becomes typed steps with places. Knows nothing of tensors."""
