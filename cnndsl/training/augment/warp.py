"""Transforms that rotate, scale, shift and shear images."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from cnndsl.training.augment.base import Dice, Transform, moved


@dataclass(frozen=True)
class RandomRotation(Transform):
    """Rotates about the middle, counter-clockwise."""

    random = moves = True
    degrees: float | tuple[float, float]
    fill: float = 0

    def draw(self, dice: Dice, images: Tensor) -> tuple[Tensor, ...]:
        return (dice.uniform(len(images), within=_around(self.degrees)),)

    def apply(self, images: Tensor, *drawn: Tensor) -> Tensor:
        angle = drawn[0]
        none = angle.new_zeros(len(angle), 2)
        return warped(images, inverses(-angle, none, angle.new_ones(len(angle)), none), self.fill)

    def for_labels(self) -> Transform:
        return replace(self, fill=0)


@dataclass(frozen=True)
class RandomAffine(Transform):
    """Rotates about the middle, clockwise, shifts by shares of width and height, scales and shears."""

    random = moves = True
    degrees: float | tuple[float, float]
    translate: tuple[float, float] | None = None
    scale: tuple[float, float] | None = None
    shear: float | tuple[float, ...] | None = None
    fill: float = 0

    def draw(self, dice: Dice, images: Tensor) -> tuple[Tensor, ...]:
        """The angle (N,) in degrees, shift (N, 2) in pixels, scale (N,), and shear along x and y (N, 2) in degrees."""
        n, height, width = len(images), images.shape[-2], images.shape[-1]
        angle = dice.uniform(n, within=_around(self.degrees))
        right, down = self.translate or (0, 0)
        shift = dice.uniform(n, 2, within=(-1, 1)) * torch.tensor([right * width, down * height])
        scale = dice.uniform(n, within=self.scale or (1, 1))
        across = _around(0 if self.shear is None else self.shear)
        along_x, along_y = across[:2], across[2:] or (0, 0)
        shear = torch.stack((dice.uniform(n, within=along_x), dice.uniform(n, within=along_y)), 1)
        return angle, shift.round(), scale, shear

    def apply(self, images: Tensor, *drawn: Tensor) -> Tensor:
        return warped(images, inverses(*drawn), self.fill)

    def for_labels(self) -> Transform:
        return replace(self, fill=0)


def inverses(angle: Tensor, shift: Tensor, scale: Tensor, shear: Tensor) -> Tensor:
    """Matrices (N, 2, 3) that map a point of the new image to the point of the old image that it shows, in pixels
    from the middle. Angles are in degrees. Like ``_get_inverse_affine_matrix`` of torchvision: the inverse of
    ``T R S H``, where T shifts, R rotates, S scales and H shears along y and then along x."""
    turn, (along_x, along_y) = angle.deg2rad(), shear.deg2rad().unbind(1)
    a = (turn - along_y).cos() / along_y.cos()
    b = -(a * along_x.tan() + turn.sin())
    c = (turn - along_y).sin() / along_y.cos()
    d = turn.cos() - c * along_x.tan()
    linear = torch.stack((torch.stack((d, -b), 1), torch.stack((-c, a), 1)), 1) / scale[:, None, None]
    return torch.cat((linear, -linear @ shift[:, :, None]), 2)


def warped(images: Tensor, matrices: Tensor, fill: float) -> Tensor:
    """Images whose pixels are the nearest ones to where ``matrices`` (N, 2, 3) map them, and ``fill`` outside.
    Torchvision also uses the nearest pixel by default."""
    height, width = images.shape[-2:]
    half = torch.tensor([[width / 2], [height / 2]])  # `grid_sample` has coordinates from -1 to 1
    x, y, shift = moved(matrices.float() / half, images.device)[:, None, None].unbind(-1)
    rows = torch.linspace((1 - height) / 2, (height - 1) / 2, height, device=images.device)[:, None, None]
    columns = torch.linspace((1 - width) / 2, (width - 1) / 2, width, device=images.device)[:, None]
    grid = x * columns + y * rows + shift
    sampled = grid_sample(images.float() - fill, grid, "nearest", "zeros", align_corners=False) + fill
    return sampled if images.is_floating_point() else sampled.round_().to(images.dtype)


def _around(value: float | tuple[float, ...]) -> tuple[float, ...]:
    """A range: one number ``x`` is ``(-x, x)``."""
    return (-value, value) if isinstance(value, (int, float)) else value
