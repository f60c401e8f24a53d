"""Layers that pad and crop."""

import torch
from torch import nn


class CenterCrop(nn.Module):
    """Crops the middle of an image to a size, or pads it with zeros."""

    def __init__(
        self,
        size: int | tuple[int, ...] | None = None,
        *,
        rounding_mode: str | None = None,
    ) -> None:
        super().__init__()
        self.size: list[int] = [size] if isinstance(size, int) else list(size or [-1])
        self.rounding = [None, "floor", "ceil"].index(rounding_mode)

    def forward(
        self, x: torch.Tensor, like: torch.Tensor | None = None
    ) -> torch.Tensor:
        size = self.size if like is None else like.shape[2:]
        if len(size) not in (1, x.dim() - 2):
            raise ValueError("a size for each axis is needed")
        sides: list[int] = []
        for dim in range(x.dim() - 1, 1, -1):
            wanted = size[dim - 2] if len(size) > 1 else size[0]
            cut = x.shape[dim] - wanted
            start = cut // 2
            if cut < 0 or self.rounding == 2:
                start = -(-cut // 2)
            elif self.rounding == 0:
                start += cut % 2 * (start % 2)  # half of an odd number, to even
            sides += [-start, start - cut]
        return nn.functional.pad(x, sides)
