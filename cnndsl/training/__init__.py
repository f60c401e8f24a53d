"""Training: the data, the loop, checkpoints, and what is told of a run. The part that works with tensors."""
