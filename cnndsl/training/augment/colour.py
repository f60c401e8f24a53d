"""Transforms of colours, for images of uint8 or of floats in 0..1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from cnndsl.training.augment.base import Dice, Sometimes, Transform, functional, moved


@dataclass(frozen=True)
class Grayscale(Transform):
    num_output_channels: int = 1

    def apply(self, images: Tensor, *drawn: Tensor) -> Tensor:
        return _grey(images, self.num_output_channels)


@dataclass(frozen=True)
class RandomGrayscale(Sometimes):
    p: float = 0.1

    def change(self, images: Tensor) -> Tensor:
        return _grey(images, images.shape[1])


class RandomInvert(Sometimes):
    def change(self, images: Tensor) -> Tensor:
        return 1 - images if images.is_floating_point() else images.bitwise_not()


@dataclass(frozen=True)
class ColorJitter(Transform):
    """Changes brightness, contrast, saturation and hue, in random order. A number is how far a factor may be from 1, or
    the hue may shift; a pair is the range."""

    random = True
    brightness: float | tuple[float, float] | None = None
    contrast: float | tuple[float, float] | None = None
    saturation: float | tuple[float, float] | None = None
    hue: float | tuple[float, float] | None = None

    def draw(self, dice: Dice, images: Tensor) -> tuple[Tensor, ...]:
        """The order (N, k) of the k changes that were given, and their factors (N, k) in float32."""
        ranges = [self._range(name) for name in self._given()]
        n = len(images)
        factors = torch.stack([dice.uniform(n, within=each) for each in ranges], 1) if ranges else torch.empty(n, 0)
        return dice.orders(n, len(ranges)), factors.float()

    def apply(self, images: Tensor, *drawn: Tensor) -> Tensor:
        order, factors = drawn
        result = images.clone()
        changes = [_CHANGES[name] for name in self._given()]
        for turn in order.unbind(1):
            for index, change in enumerate(changes):
                rows = (turn == index).nonzero()[:, 0]  # computed on the CPU, without waiting for the device
                factor = moved(factors[rows, index], images.device)[:, None, None, None]
                chosen = moved(rows, images.device)
                result.index_copy_(0, chosen, change(result.index_select(0, chosen), factor))
        return result

    def _given(self) -> list[str]:
        return [name for name in _CHANGES if getattr(self, name) is not None]

    def _range(self, name: str) -> tuple[float, float]:
        value, center = getattr(self, name), 0 if name == "hue" else 1
        if isinstance(value, tuple):
            return value[0], value[1]
        return (-value, value) if name == "hue" else (max(center - value, 0), center + value)


def _grey(images: Tensor, channels: int) -> Tensor:
    grey: Tensor = functional().rgb_to_grayscale(images, channels)
    return grey


def _clamped(values: Tensor, like: Tensor) -> Tensor:
    """``values`` clamped to the range of the images ``like``, in their type."""
    return values.clamp_(0, 1 if like.is_floating_point() else 255).to(like.dtype)


def _brightness(images: Tensor, factor: Tensor) -> Tensor:
    return _clamped(images * factor, images)


def _contrast(images: Tensor, factor: Tensor) -> Tensor:
    grey = images if images.shape[1] == 1 else _grey(images, 1)
    mean = grey.float().mean((1, 2, 3), keepdim=True)
    return _clamped(images * factor + mean * (1 - factor), images)


def _saturation(images: Tensor, factor: Tensor) -> Tensor:
    if images.shape[1] == 1:
        return images
    return _clamped(images * factor + _grey(images, 1) * (1 - factor), images)


def _hue(images: Tensor, factor: Tensor) -> Tensor:
    """Shifts the hue in HSV, by the formula of https://en.wikipedia.org/wiki/HSL_and_HSV: a channel is the largest one
    minus chroma times a trapezium over the hue, which rises from 0 to 1, stays until 3, and falls to 4."""
    if images.shape[1] == 1:
        return images
    rgb = images if images.is_floating_point() else images.float() / 255
    value, index = rgb.max(1, keepdim=True)
    chroma = value - rgb.amin(1, keepdim=True)
    following = rgb.gather(1, (index + 1) % 3)
    before = rgb.gather(1, (index + 2) % 3)
    hue = 2 * index + (following - before) / torch.where(chroma == 0, 1, chroma)
    k = (torch.tensor([5.0, 3.0, 1.0], device=rgb.device).view(3, 1, 1) + hue + 6 * factor) % 6
    turned = value - chroma * torch.minimum(k, 4 - k).clamp_(0, 1)
    return turned if images.is_floating_point() else (turned * (256 - 1e-3)).to(images.dtype)


_CHANGES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "brightness": _brightness,
    "contrast": _contrast,
    "saturation": _saturation,
    "hue": _hue,
}
