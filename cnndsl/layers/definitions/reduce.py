"""Layers that reduce dimensions of a sample to one value each."""

# What `torch.linalg` returns has no type:
# mypy: disable-error-code="no-any-return"

import torch
from torch import nn


class Mean(nn.Module):
    """The mean over some dimensions."""

    def __init__(self, dim: int | tuple[int, ...], keepdim: bool = False) -> None:
        super().__init__()
        self.dim: list[int] = [dim] if isinstance(dim, int) else list(dim)
        self.keepdim = keepdim

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(self.dim, self.keepdim)


class Sum(nn.Module):
    """The sum over some dimensions."""

    def __init__(self, dim: int | tuple[int, ...], keepdim: bool = False) -> None:
        super().__init__()
        self.dim: list[int] = [dim] if isinstance(dim, int) else list(dim)
        self.keepdim = keepdim

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(self.dim, self.keepdim)


class Amax(nn.Module):
    """The largest value over some dimensions."""

    def __init__(self, dim: int | tuple[int, ...], keepdim: bool = False) -> None:
        super().__init__()
        self.dim: list[int] = [dim] if isinstance(dim, int) else list(dim)
        self.keepdim = keepdim

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.amax(self.dim, self.keepdim)


class Norm(nn.Module):
    """The norm over some dimensions."""

    def __init__(
        self,
        ord: float = 2.0,
        dim: int | tuple[int, ...] | None = None,
        keepdim: bool = False,
    ) -> None:
        super().__init__()
        self.ord = ord
        self.dim: list[int] = [dim] if isinstance(dim, int) else list(dim or ())
        self.keepdim = keepdim

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.vector_norm(x, self.ord, self.dim, self.keepdim)
