"""Layers that add or multiply one number."""

import torch
from torch import nn


class Add(nn.Module):
    """Adds one number to every value."""

    def __init__(self, other: float) -> None:
        super().__init__()
        self.other = other

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.other


class Multiply(nn.Module):
    """Multiplies every value by one number."""

    def __init__(self, other: float) -> None:
        super().__init__()
        self.other = other

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.other


class Pow(nn.Module):
    """Raises every value to a power."""

    def __init__(self, exponent: float) -> None:
        super().__init__()
        self.exponent = exponent

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x**self.exponent
