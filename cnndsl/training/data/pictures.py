"""Picture files as tensors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from cnndsl.diagnostics import Code, RunError
from cnndsl.recipe import Recipe
from cnndsl.recipe.datasets import DATASETS
from cnndsl.training.augment import Dice, Resize
from cnndsl.training.prepare import preparation

#: What Pillow calls pictures of so many channels.
MODES = {1: "L", 3: "RGB"}


@dataclass(frozen=True)
class Unreadable:
    """A picture that could not be read. A value, as it comes out of another process, where the trace of an
    exception would say nothing to the user."""

    path: str
    why: str

    def error(self) -> RunError:
        return RunError(Code.SAMPLE, f"{self.path} cannot be read as a picture: {self.why}", "replace it, or remove it")


def decode(path: str, channels: int) -> Tensor | Unreadable:
    """A picture in grey or RGB, uint8, ``(channels, H, W)``."""
    from PIL import Image
    from torchvision.transforms.v2 import functional

    try:
        with Image.open(path) as image:
            pixels: Tensor = functional.pil_to_tensor(image.convert(MODES[channels]))
    except Exception as error:  # Pillow's decoders raise about anything of what they do not understand
        return Unreadable(path, str(error) or type(error).__name__)
    return pixels


def natural_size(shape: tuple[int, ...]) -> int | tuple[int, int]:
    """What pictures are brought to for samples of ``shape``, (C, H, W): a square is cut out of the middle, for
    anything else they are stretched."""
    return shape[1] if shape[1] == shape[2] else (shape[1], shape[2])


def prepare_image(path: Path, recipe: Recipe, input_shape: tuple[int, ...]) -> Tensor:
    """A picture file as the recipe's test samples are given to the network: float32, ``(1, C, H, W)``, on the CPU.

    Where the samples of the data set have one size, the picture is first brought to that. ``input_shape`` is the
    network's, without the batch. Raises :class:`RunError` for a file that is no picture.
    """
    native = DATASETS[recipe.dataset.name].shape
    shape = native or input_shape
    check_pictures(shape)
    picture = decode(str(path), shape[0])
    if isinstance(picture, Unreadable):
        raise picture.error()
    if native:
        picture = Resize(natural_size(native)).apply(picture[None])[0]
    prepare = preparation(recipe, shape, training=False, size=natural_size(shape))
    dice = Dice(0, torch.device("cpu"))
    return prepare.finish(prepare.picture(picture, dice)[None], torch.zeros(1), dice)[0]


def check_pictures(shape: tuple[int, ...]) -> None:
    """Raises :class:`RunError` for a network whose input is not a picture in grey or RGB."""
    if len(shape) != 3 or shape[0] not in MODES:
        message = f"pictures are [1, H, W] or [3, H, W], and the network takes {list(shape)}"
        raise RunError(Code.RECIPE, message)
