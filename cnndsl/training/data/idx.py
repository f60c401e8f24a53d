"""The idx files of MNIST and its successors, http://yann.lecun.com/exdb/mnist/, plain or gzipped."""

from __future__ import annotations

import gzip
import zlib
from math import prod
from pathlib import Path
from typing import IO, cast

import torch
from torch import Tensor

from cnndsl.diagnostics import Code, RunError
from cnndsl.training.data.memory import Samples

#: The third byte of a file, for elements that are unsigned bytes.
_BYTES = 8


def read_samples(images: Path, labels: Path) -> Samples:
    """Grey images, ``(N, 1, H, W)``, and their labels. Raises :class:`RunError` if a file is damaged, or if the numbers
    of images and labels differ."""
    pictures, classes = read_idx(images, 3), read_idx(labels, 1)
    if len(pictures) != len(classes):
        notes = (f"{images} has {len(pictures)} images", f"{labels} has {len(classes)} labels")
        raise RunError(Code.SAMPLE, "the numbers of images and labels differ", notes=notes)
    return Samples(pictures.unsqueeze(1), classes.long())


def read_idx(path: Path, dimensions: int) -> Tensor:
    """The elements of a file, uint8. Its header: two bytes of 0, the type of the elements, the number of dimensions,
    then each dimension in four bytes, big-endian."""
    try:
        with cast(IO[bytes], gzip.open(path) if path.suffix == ".gz" else path.open("rb")) as file:
            header = file.read(4 + 4 * dimensions)
            if header[:4] != bytes((0, 0, _BYTES, dimensions)) or len(header) < 4 + 4 * dimensions:
                raise _damaged(path, f"it is not an idx file of bytes in {dimensions} dimensions")
            shape = [int.from_bytes(header[at : at + 4], "big") for at in range(4, len(header), 4)]
            elements = bytearray(file.read())
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, str(error)) from error
    if len(elements) != prod(shape):
        raise _damaged(path, f"its header gives {prod(shape):,} bytes, but there are {len(elements):,}")
    return torch.frombuffer(elements, dtype=torch.uint8).view(shape) if elements else torch.empty(shape).byte()


def _damaged(path: Path, why: str) -> RunError:
    return RunError(Code.SAMPLE, f"{path} cannot be read: {why}", "replace it with a complete copy")
