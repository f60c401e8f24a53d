"""Layers that rearrange a sample's values, or take a part of them."""

import torch
from torch import nn


class Reshape(nn.Module):
    """Gives each sample another shape."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape: list[int] = list(shape)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape([x.shape[0]] + self.shape)


class Slice(nn.Module):
    """Takes a part of a tensor along one dimension."""

    def __init__(
        self, start: int = 0, stop: int | None = None, dim: int = 1, step: int = 1
    ) -> None:
        super().__init__()
        self.start = start
        self.stop = stop
        self.dim = dim
        self.step = step

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.step != 1:
            part = x.transpose(self.dim, -1)[..., self.start : self.stop : self.step]
            return part.transpose(self.dim, -1)
        size = x.shape[self.dim]
        start = self.start if self.start >= 0 else size + self.start
        stop = size if self.stop is None else self.stop
        stop = stop if stop >= 0 else size + stop
        return x.narrow(self.dim, start, stop - start)
