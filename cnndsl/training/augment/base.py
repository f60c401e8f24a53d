"""The base of all transforms, and their random numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor

#: One number for both axes, or ``(height, width)``; torchvision also takes a list of one.
Size = int | tuple[int, ...]


def blend(*numbers: int) -> int:
    """A seed of 64 bits made of several numbers. Each of its bits depends on all of theirs.

    torch's generator on the CPU uses only the lower 32 bits of its seed, and neighbouring seeds are common here.
    """
    text = "/".join(map(str, numbers)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def moved(values: Tensor, device: torch.device) -> Tensor:
    """``values`` on ``device``, without waiting for the device's queue."""
    if device.type == "cuda" and values.device.type == "cpu":
        values = values.pin_memory()
    return values.to(device, non_blocking=True)


def functional() -> Any:
    """``torchvision.transforms.v2.functional``. Importing it takes a second, and most runs do not need it."""
    from torchvision.transforms.v2 import functional

    return functional


class Dice:
    """The random numbers of one batch: the same seed gives the same ones.

    Parameters are drawn on the CPU, in float64, so that they can be read without waiting for the device. Numbers for
    each pixel are drawn on ``device``.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self.seed = seed
        self.device = device

    @cached_property
    def _cpu(self) -> torch.Generator:
        return torch.Generator().manual_seed(blend(self.seed))

    @cached_property
    def _pixels(self) -> torch.Generator:
        return self._cpu if self.device.type == "cpu" else torch.Generator(self.device).manual_seed(blend(self.seed))

    def uniform(self, *shape: int, within: Sequence[float] = (0, 1)) -> Tensor:
        """Uniform numbers between the two of ``within``."""
        low, high = within
        return torch.rand(shape, generator=self._cpu, dtype=torch.float64).mul_(high - low).add_(low)

    def chance(self, p: float, n: int) -> Tensor:
        """``n`` booleans, each true with probability ``p``."""
        return self.uniform(n) < p

    def up_to(self, most: Tensor) -> Tensor:
        """An integer from 0 to ``most`` for each element of it."""
        return (self.uniform(*most.shape) * (most + 1)).long()

    def orders(self, n: int, k: int) -> Tensor:
        """``n`` permutations of ``k`` elements, ``(n, k)``."""
        return self.uniform(n, k).argsort(1)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers in float32, on the device."""
        return torch.randn(shape, generator=self._pixels, device=self.device)


class Transform:
    """A change to a batch of images ``(N, C, H, W)``, with its own random numbers for each sample.

    Subclasses are frozen dataclasses. They take the arguments that a recipe may give, which are arguments of the
    class of the same name in ``torchvision.transforms.v2``, with its defaults. Images are uint8
    until the first transform that works on ``floats``, and float32 in 0..1 after it, as in pipelines with
    torchvision's ``ToDtype(torch.float32, scale=True)``.
    """

    #: Whether it draws random numbers; if so, it applies only to training samples.
    random: ClassVar[bool] = False
    #: Whether it needs floats.
    floats: ClassVar[bool] = False
    #: Whether it moves pixels. If each pixel has a label, the labels move too.
    moves: ClassVar[bool] = False
    #: Whether it may change the size of images.
    sizes: ClassVar[bool] = False

    def __init__(self, **arguments: Any) -> None:
        """Dataclasses define their own."""

    def draw(self, dice: Dice, images: Tensor) -> tuple[Tensor, ...]:
        """The random numbers that ``apply`` needs, with the samples along the first dimension."""
        return ()

    def apply(self, images: Tensor, *drawn: Tensor) -> Tensor:
        """New images, given what was drawn. ``images`` are not changed."""
        raise NotImplementedError

    def undone(self, images: Tensor) -> Tensor:
        """The images before it, for people, if it changes the range of their values."""
        return images

    def for_labels(self) -> Transform:
        """The transform for labels of pixels: it mixes none, and new pixels get class 0. Torchvision does the same to
        masks."""
        return self

    def __call__(self, images: Tensor, labels: Tensor, dice: Dice) -> tuple[Tensor, Tensor]:
        """Draws and applies; ``labels`` are ``(N,)`` or ``(N, H, W)``."""
        drawn = self.draw(dice, images)
        if self.moves and labels.dim() > 1:
            labels = self.for_labels().apply(labels.unsqueeze(1), *drawn).squeeze(1)
        return self.apply(images, *drawn), labels


@dataclass(frozen=True)
class Sometimes(Transform):
    """A transform that is applied to each sample with probability ``p``."""

    random = True
    p: float = 0.5

    def draw(self, dice: Dice, images: Tensor) -> tuple[Tensor, ...]:
        return (dice.chance(self.p, len(images)),)

    def apply(self, images: Tensor, *drawn: Tensor) -> Tensor:
        chosen = moved(drawn[0], images.device)[:, None, None, None]
        return torch.where(chosen, self.change(images), images)

    def change(self, images: Tensor) -> Tensor:
        """All images changed, including those that are not chosen."""
        raise NotImplementedError
