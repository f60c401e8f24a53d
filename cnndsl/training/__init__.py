"""Training: data, the loop, checkpoints and reports. This is the part that works with tensors."""
