"""Activations."""

import torch
from torch import nn


class Abs(nn.Module):
    """Gives the magnitude of each value."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.abs()
