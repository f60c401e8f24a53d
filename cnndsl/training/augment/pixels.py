"""Transforms of floats in 0..1."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cnndsl.training.augment.base import Dice, Transform, moved
from cnndsl.training.augment.geometry import areas, first


@dataclass(frozen=True)
class Normalize(Transform):
    """``(x - mean) / std``, channel by channel."""

    floats = True
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def apply(self, images: Tensor, *drawn: Tensor) -> Tensor:
        return images.sub(self._beside(self.mean, images)).div_(self._beside(self.std, images))

    def undone(self, images: Tensor) -> Tensor:
        if len(self.mean) not in (1, images.shape[1]):  # the channels were mixed later
            return images
        return images.mul(self._beside(self.std, images)).add_(self._beside(self.mean, images))

    def _beside(self, values: tuple[float, ...], images: Tensor) -> Tensor:
        return moved(torch.tensor(values), images.device)[:, None, None]


@dataclass(frozen=True)
class GaussianNoise(Transform):
    """Adds normal noise, and clips to 0..1."""

    random = floats = True
    mean: float = 0.0
    sigma: float = 0.1

    def draw(self, dice: Dice, images: Tensor) -> tuple[Tensor, ...]:
        return (dice.normal(*images.shape),)

    def apply(self, images: Tensor, *drawn: Tensor) -> Tensor:
        return (images + (self.mean + drawn[0] * self.sigma)).clamp_(0, 1)


@dataclass(frozen=True)
class RandomErasing(Transform):
    """Fills a rectangle with ``value``. Zhong et al., 2017."""

    random = floats = True
    p: float = 0.5
    scale: tuple[float, float] = (0.02, 0.33)
    ratio: tuple[float, float] = (0.3, 3.3)
    value: float = 0.0

    def draw(self, dice: Dice, images: Tensor) -> tuple[Tensor, ...]:
        """Boxes (N, 4): top, left, height and width. The latter are 0 if nothing is erased."""
        n, height, width = len(images), images.shape[-2], images.shape[-1]
        chosen = dice.chance(self.p, n)
        rows, columns = areas(dice, n, height * width, self.scale, self.ratio)
        fits = (rows < height) & (columns < width)
        size = torch.stack((first(fits, rows), first(fits, columns)), 1)
        size *= (chosen & fits.any(1))[:, None]
        return (torch.cat((dice.up_to(torch.tensor([height, width]) - size), size), 1),)

    def apply(self, images: Tensor, *drawn: Tensor) -> Tensor:
        top, left, high, wide = moved(drawn[0], images.device)[:, :, None, None].unbind(1)
        rows = torch.arange(images.shape[-2], device=images.device)[:, None] - top
        columns = torch.arange(images.shape[-1], device=images.device) - left
        erased = (rows >= 0) & (rows < high) & (columns >= 0) & (columns < wide)
        return images.masked_fill(erased[:, None], self.value)
