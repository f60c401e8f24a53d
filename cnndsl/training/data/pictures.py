"""Picture files as tensors."""

from __future__ import annotations

import warnings
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from cnndsl.diagnostics import Code, RunError
from cnndsl.recipe import Recipe
from cnndsl.recipe.datasets import DATASETS
from cnndsl.training.augment import Dice, Resize
from cnndsl.training.prepare import preparation
from cnndsl.writing import read_file

if TYPE_CHECKING:
    from PIL.Image import Image

#: Pillow's modes by the number of channels.
MODES = {1: "L", 3: "RGB"}
#: What to do about a picture in a folder that cannot be read.
IN_A_FOLDER = "replace it or remove it; `skip_unreadable: true` of `ImageFolder` leaves out such pictures"


@dataclass(frozen=True)
class Unreadable:
    """A picture that could not be read. It is a value and not an exception, since it comes from another process, whose
    traceback would not help the user."""

    path: str
    why: str

    def error(self, help: str = IN_A_FOLDER) -> RunError:
        return RunError(Code.SAMPLE, str(self), help)

    def __str__(self) -> str:
        return f"{self.path} cannot be read as a picture: {self.why}"


def decode(path: str, channels: int) -> Tensor | Unreadable:
    """A picture in grey or RGB as a viewer shows it, uint8, ``(channels, H, W)``: rotated by its EXIF data, with
    16 bits per channel scaled to 8. Transparency is ignored, as in torchvision's ``default_loader``."""
    from PIL import Image, UnidentifiedImageError
    from torchvision.transforms.v2 import functional

    try:
        data = BytesIO(read_file(Path(path)))  # never waits for a pipe
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        return Unreadable(path, "it does not exist" if missing else error.strerror or str(error))
    try:
        # Only errors matter; a warning, such as for damaged EXIF data, would appear in each process.
        with warnings.catch_warnings(action="ignore"), Image.open(data) as image:
            _turn_upright(image)
            pixels: Tensor = functional.pil_to_tensor(_in_8_bits(image).convert(MODES[channels]))
    except UnidentifiedImageError:
        return Unreadable(path, "cannot identify the format of the file")
    except Exception as error:  # Pillow's decoders raise almost anything for what they do not understand
        return Unreadable(path, str(error) or type(error).__name__)
    return pixels


def _turn_upright(image: Image) -> None:
    """Rotates a picture by its EXIF orientation. Like viewers, it ignores damaged EXIF data."""
    from PIL.ImageOps import exif_transpose

    image.load()  # a damaged picture must not pass for one with damaged EXIF data
    with suppress(Exception):  # Pillow's reader of EXIF data raises almost anything too
        exif_transpose(image, in_place=True)


def _in_8_bits(image: Image) -> Image:
    """The high byte of 16-bit grey, as in Pillow for 16-bit colour, and in torchvision's ``to_dtype`` for any integers.
    Pillow itself clips grey to 255. Raises ValueError for 32-bit pixels, whose white is not known."""
    from PIL import Image as images

    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        return images.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(
            "its pixels are 32-bit numbers, whose white is not known: save it with 8 or 16 bits per channel"
        )
    return image


def natural_size(shape: tuple[int, ...]) -> int | tuple[int, int]:
    """The size for samples of ``shape``, (C, H, W), as in ``resize``: pictures are cropped to a square, or stretched to
    any other shape."""
    return shape[1] if shape[1] == shape[2] else (shape[1], shape[2])


def prepare_image(path: Path, recipe: Recipe, input_shape: tuple[int, ...]) -> Tensor:
    """A picture file, prepared like the recipe's test samples: float32, ``(1, C, H, W)``, on the CPU.

    If all samples of the data set have the same size, the picture is first resized to it. ``input_shape`` is the
    network's, without the batch. Raises :class:`RunError` for a file that is not a picture.
    """
    native = DATASETS[recipe.dataset.name].shape
    shape = native or input_shape
    check_pictures(shape)
    picture = decode(str(path), shape[0])
    if isinstance(picture, Unreadable):
        raise picture.error("name the file of a picture, such as a PNG or a JPEG")
    if native:
        picture = Resize(natural_size(native)).apply(picture[None])[0]
    prepare = preparation(recipe, shape, training=False, size=natural_size(shape))
    dice = Dice(0, torch.device("cpu"))
    return prepare.finish(prepare.picture(picture, dice)[None], torch.zeros(1), dice)[0]


def check_pictures(shape: tuple[int, ...]) -> None:
    """Raises :class:`RunError` if the network's input is not a picture in grey or RGB."""
    if len(shape) != 3 or shape[0] not in MODES:
        message = f"pictures are [1, H, W] or [3, H, W], but the network takes {list(shape)}"
        raise RunError(Code.RECIPE, message)
