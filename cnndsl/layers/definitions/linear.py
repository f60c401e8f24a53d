"""Layers that multiply by learned weights."""

import torch
from torch import nn


class Scale(nn.Module):
    """Multiplies each channel by a learned factor."""

    def __init__(self, num_channels: int, spatial_dims: int, init: float = 1.0) -> None:
        super().__init__()
        shape = (num_channels, *[1] * spatial_dims)
        self.weight = nn.Parameter(torch.full(shape, float(init)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.weight


class Affine(nn.Module):
    """Multiplies each channel by a learned factor and adds a learned shift."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shape = [1, -1] + [1] * (x.dim() - 2)
        return torch.addcmul(self.bias.reshape(shape), self.weight.reshape(shape), x)
