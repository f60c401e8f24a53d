"""The figures of trainings and trained networks, one module for each."""
