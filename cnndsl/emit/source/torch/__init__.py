"""The program as a file of PyTorch."""
