"""Layers that change the resolution."""

import torch
from torch import nn


class UpsampleLike(nn.Module):
    """Interpolates to the height and width of another tensor."""

    def __init__(
        self, mode: str = "nearest", align_corners: bool | None = None
    ) -> None:
        super().__init__()
        self.mode = mode
        self.align_corners = align_corners

    def forward(self, x: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        return nn.functional.interpolate(
            x, like.shape[2:], mode=self.mode, align_corners=self.align_corners
        )
