"""Normalizations."""

import torch
from torch import nn


class LayerNorm2d(nn.LayerNorm):
    """Normalises the channels of each pixel."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x, shape = x.permute(0, 2, 3, 1), self.normalized_shape
        x = nn.functional.layer_norm(x, shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)
