"""Transforms that move pixels along the axes: flips, crops, padding and resizing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log

import torch
from torch import Tensor
from torch.nn.functional import pad

from cnndsl.recipe.transforms import both, sides
from cnndsl.training.augment.base import Dice, Size, Sometimes, Transform, functional, moved


class RandomHorizontalFlip(Sometimes):
    moves = True

    def change(self, images: Tensor) -> Tensor:
        return images.flip(-1)


class RandomVerticalFlip(Sometimes):
    moves = True

    def change(self, images: Tensor) -> Tensor:
        return images.flip(-2)


@dataclass(frozen=True)
class Resize(Transform):
    """Resizes images. One number is the shorter side, and the middle square is kept; two are height and width. Bilinear
    with antialiasing, like ``v2.Resize``."""

    moves = sizes = True
    size: int | tuple[int, int]
    interpolation: str = "bilinear"

    def apply(self, images: Tensor, *drawn: Tensor) -> Tensor:
        if images.shape[-2:] == both(self.size):
            return images
        from torchvision.transforms import InterpolationMode  # torchvision 0.26 takes no plain names

        size = [self.size] if isinstance(self.size, int) else [*self.size]
        mode = InterpolationMode(self.interpolation)
        resized: Tensor = functional().resize(images, size, interpolation=mode, antialias=True)
        if resized.shape[-2:] != both(self.size):
            resized = functional().center_crop(resized, [*both(self.size)])
        return resized

    def for_labels(self) -> Transform:
        return replace(self, interpolation="nearest")


@dataclass(frozen=True)
class CenterCrop(Transform):
    moves = sizes = True
    size: Size

    def apply(self, images: Tensor, *drawn: Tensor) -> Tensor:
        cropped: Tensor = functional().center_crop(images, [*both(self.size)])
        return cropped


@dataclass(frozen=True)
class Pad(Transform):
    moves = sizes = True
    padding: Size
    fill: float = 0
    padding_mode: str = "constant"

    def apply(self, images: Tensor, *drawn: Tensor) -> Tensor:
        return _padded(images, sides(self.padding), self.fill, self.padding_mode)

    def for_labels(self) -> Transform:
        return replace(self, fill=0)


@dataclass(frozen=True)
class RandomCrop(Transform):
    random = moves = sizes = True
    size: Size
    padding: Size | None = None
    fill: float = 0
    padding_mode: str = "constant"

    def draw(self, dice: Dice, images: Tensor) -> tuple[Tensor, ...]:
        left, top, right, bottom = sides(self.padding or 0)
        height, width = images.shape[-2] + top + bottom, images.shape[-1] + left + right
        rows, columns = both(self.size)
        if height < rows or width < columns:
            raise ValueError(f"a crop of [{rows}, {columns}] is larger than the image, [{height}, {width}]")
        room = torch.tensor([height - rows, width - columns]).expand(len(images), 2)
        return (dice.up_to(room),)

    def apply(self, images: Tensor, *drawn: Tensor) -> Tensor:
        rows, columns = both(self.size)
        padded = _padded(images, sides(self.padding or 0), self.fill, self.padding_mode)
        windows = padded.unfold(-2, rows, 1).unfold(-2, columns, 1)  # (N, C, top, left, rows, columns), a view
        top, left = moved(drawn[0], images.device).unbind(1)
        return windows[torch.arange(len(images), device=images.device), :, top, left]

    def for_labels(self) -> Transform:
        return replace(self, fill=0)


@dataclass(frozen=True)
class RandomResizedCrop(Transform):
    """Crops of a random area and shape, resized. Szegedy et al., 2014.

    A batch is resampled by two matrices for each sample, with a few operations for the whole batch. Torchvision's
    function would be called once per sample.
    """

    random = moves = sizes = True
    size: Size
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    interpolation: str = "bilinear"

    def draw(self, dice: Dice, images: Tensor) -> tuple[Tensor, ...]:
        n, height, width = len(images), images.shape[-2], images.shape[-1]
        columns, rows = areas(dice, n, height * width, self.scale, self.ratio)
        fits = (columns > 0) & (columns <= width) & (rows > 0) & (rows <= height)
        row, column = first(fits, rows), first(fits, columns)
        corner = dice.up_to(torch.stack((height - row, width - column), 1))
        boxes = torch.cat((corner, row[:, None], column[:, None]), 1)
        return (torch.where(fits.any(1)[:, None], boxes, torch.tensor(self._middle(height, width))),)

    def apply(self, images: Tensor, *drawn: Tensor) -> Tensor:
        top, left, rows, columns = moved(drawn[0], images.device).unbind(1)
        height, width = both(self.size)
        vertical = self._weights(top, rows, height, images.shape[-2])
        horizontal = self._weights(left, columns, width, images.shape[-1])
        cropped = vertical @ images.float() @ horizontal.transpose(-1, -2)
        return cropped if images.is_floating_point() else cropped.round_().to(images.dtype)

    def for_labels(self) -> Transform:
        return replace(self, interpolation="nearest")

    def single(self, picture: Tensor, dice: Dice) -> Tensor:
        """A crop of one picture ``(C, H, W)`` of any size, by torchvision's function."""
        top, left, rows, columns = self.draw(dice, picture[None])[0][0].tolist()
        cropped: Tensor = functional().resized_crop(picture, top, left, rows, columns, [*both(self.size)])
        return cropped

    def _middle(self, height: int, width: int) -> list[int]:
        """The box if none of ten draws fits: the largest one in the middle with an allowed aspect ratio."""
        shape = min(max(width / height, min(self.ratio)), max(self.ratio))
        rows, columns = min(height, round(width / shape)), min(width, round(height * shape))
        return [(height - rows) // 2, (width - columns) // 2, rows, columns]

    def _weights(self, start: Tensor, length: Tensor, size: int, whole: int) -> Tensor:
        """The weight of each of ``whole`` input pixels in each of ``size`` output pixels, ``(N, 1, size, whole)``: a
        triangle around the output pixel's place in the crop, as wide as an output pixel, but at least as an input
        one."""
        pixels = torch.arange(whole, device=start.device) - start[:, None, None, None]
        step = (length / size)[:, None, None, None]
        place = torch.arange(size, device=start.device)[:, None]
        if self.interpolation == "nearest":
            return (pixels == (place * step).long()).float()
        weights = (1 - (pixels + 0.5 - (place + 0.5) * step).abs() / step.clamp(min=1)).clamp_(min=0)
        weights *= (pixels >= 0) & (pixels < length[:, None, None, None])
        return weights / weights.sum(-1, keepdim=True)


def areas(dice: Dice, n: int, area: int, scale: tuple[float, float], ratio: tuple[float, float]) -> tuple[Tensor, ...]:
    """Ten tries for each of ``n`` rectangles, as two sides ``(n, 10)``. Their share of ``area`` is uniform in
    ``scale``. The logarithm of the first side over the second is uniform between those of ``ratio``."""
    target = area * dice.uniform(n, 10, within=scale)
    aspect = dice.uniform(n, 10, within=(log(ratio[0]), log(ratio[1]))).exp()
    return (target * aspect).sqrt().round().long(), (target / aspect).sqrt().round().long()


def first(good: Tensor, tries: Tensor) -> Tensor:
    """The first of the ``tries`` in each row that is ``good``, or the first of all if none is."""
    return tries.gather(1, good.int().argmax(1, keepdim=True))[:, 0]


def _padded(images: Tensor, sides: tuple[int, int, int, int], fill: float, mode: str) -> Tensor:
    if not any(sides):
        return images
    if mode == "constant":
        left, top, right, bottom = sides
        return pad(images, (left, right, top, bottom), value=fill)
    padded: Tensor = functional().pad(images, [*sides], fill=fill, padding_mode=mode)
    return padded
