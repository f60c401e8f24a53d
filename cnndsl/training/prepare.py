"""The preparation of samples for a network: they are resized, augmented and converted to floats."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cnndsl.diagnostics import Code, RunError
from cnndsl.recipe import Recipe
from cnndsl.training.augment import Dice, RandomResizedCrop, Resize, Transform, called


@dataclass(frozen=True)
class Preparation:
    """Samples are resized by ``shape``, and then changed by ``transforms``.

    The two are separate because pictures of different sizes cannot be a batch before ``shape``.
    """

    shape: Resize | RandomResizedCrop | None
    transforms: tuple[Transform, ...]

    def batch(self, images: Tensor, labels: Tensor, dice: Dice) -> tuple[Tensor, Tensor]:
        """Prepares a batch, uint8 ``(N, C, H, W)``, for the network: float32, in 0..1 or normalized by `Normalize`."""
        if self.shape:
            images, labels = self.shape(images, labels, dice)
        return self.finish(images, labels, dice)

    def finish(self, images: Tensor, labels: Tensor, dice: Dice) -> tuple[Tensor, Tensor]:
        """The same for images that are resized already."""
        for transform in self.transforms:
            if transform.floats:
                images = as_float(images)
            images, labels = transform(images, labels, dice)
        return as_float(images), labels

    def picture(self, picture: Tensor, dice: Dice) -> Tensor:
        """A resized picture, uint8 ``(C, H, W)``."""
        if isinstance(self.shape, RandomResizedCrop):
            return self.shape.single(picture, dice)
        return self.shape.apply(picture[None])[0] if self.shape else picture


def as_float(images: Tensor) -> Tensor:
    """uint8 as float32 in 0..1, the same numbers as from torchvision's ``ToTensor``. Floats are returned unchanged."""
    return images if images.is_floating_point() else images.div(255)


def as_seen(images: Tensor, recipe: Recipe) -> Tensor:
    """Prepared images, float32 ``(N, C, H, W)``, as people see them: uint8, on the CPU, not normalized."""
    for call in reversed(recipe.augment):
        images = called(call).undone(images)
    return images.mul(255).round().clamp(0, 255).byte().cpu()


def preparation(
    recipe: Recipe, sample: tuple[int, ...], *, training: bool, size: int | tuple[int, int] | None = None
) -> Preparation:
    """The preparation of samples of shape ``sample`` by a recipe. They are resized to ``size`` if the recipe has no
    ``resize``. Samples that are not images, which have three dimensions, are not resized.

    If a :class:`RandomResizedCrop` is the first to change the size of training samples, it replaces ``resize``: it
    crops from the original picture, not from a smaller one.
    """
    transforms = [called(call) for call in recipe.augment]
    transforms = [transform for transform in transforms if training or not transform.random]
    size = size if recipe.resize is None else recipe.resize
    first = next((transform for transform in transforms if transform.sizes), None)
    if isinstance(first, RandomResizedCrop):
        transforms.remove(first)
        return Preparation(first, tuple(transforms))
    return Preparation(Resize(size) if size is not None and len(sample) == 3 else None, tuple(transforms))


def shape_after(preparation: Preparation, sample: tuple[int, ...], recipe: Recipe) -> tuple[int, ...]:
    """The shape of samples of shape ``sample`` after the preparation, determined with a black sample.

    Raises :class:`RunError` if a transform does not take them.
    """
    if len(sample) != 3 and recipe.augment:
        message = f"`augment` is for images, [C, H, W], but samples are {list(sample)}"
        raise RunError(Code.RECIPE, message, "remove it", span=recipe.augment[0].span.first_line)
    images, labels, dice = torch.zeros(1, *sample, dtype=torch.uint8), torch.zeros(1), Dice(0, torch.device("cpu"))
    for transform in (preparation.shape, *preparation.transforms):
        name = type(transform).__name__
        try:
            if transform and transform.floats:
                images = as_float(images)
            if transform:
                images, labels = transform(images, labels, dice)
        except (ValueError, TypeError, RuntimeError, IndexError) as error:
            span = next((call.span for call in recipe.augment if call.name == name), recipe.dataset.span)
            message = f"`{name}` does not take samples of shape {list(images.shape[1:])}: {error}"
            raise RunError(Code.RECIPE, message, span=span.first_line) from error
    return tuple(images.shape[1:])
