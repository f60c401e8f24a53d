"""The transforms of a recipe, applied to batches on the training device.

Each has the name and the arguments of a class in ``torchvision.transforms.v2``, which would draw once for all samples
of a batch. Here each sample gets its own random numbers, all from the batch's seed.
"""

from cnndsl.spec.calls import FunctionCall
from cnndsl.training.augment.base import Dice, Transform, blend, moved
from cnndsl.training.augment.colour import ColorJitter, Grayscale, RandomGrayscale, RandomInvert
from cnndsl.training.augment.geometry import (
    CenterCrop,
    Pad,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomVerticalFlip,
    Resize,
)
from cnndsl.training.augment.pixels import GaussianNoise, Normalize, RandomErasing
from cnndsl.training.augment.warp import RandomAffine, RandomRotation

__all__ = ["TRANSFORMS", "Dice", "RandomResizedCrop", "Resize", "Transform", "blend", "called", "moved"]

TRANSFORMS: dict[str, type[Transform]] = {
    transform.__name__: transform
    for transform in (
        *(RandomHorizontalFlip, RandomVerticalFlip, RandomCrop, RandomResizedCrop, CenterCrop, Pad),
        *(RandomRotation, RandomAffine),
        *(ColorJitter, Grayscale, RandomGrayscale, RandomInvert),
        *(Normalize, GaussianNoise, RandomErasing),
    )
}


def called(call: FunctionCall) -> Transform:
    """The transform of a recipe, with its arguments."""
    return TRANSFORMS[call.name](**call.arguments)
