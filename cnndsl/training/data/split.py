"""Data for the training loop: two splits that yield batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """The indices of samples, int64 on the CPU, ``(n,)``, and the seed of all their random numbers."""

    indices: Tensor
    seed: int


class Split(Protocol):
    """The training or the test samples."""

    def __len__(self) -> int: ...

    def batches(self, plan: Sequence[Batch]) -> Iterator[tuple[Tensor, Tensor]]:
        """The images and labels of each batch, in order. The same plan gives the same bits.

        Images are float32 on the device, ``(n, C, H, W)``, prepared as the recipe says. Labels are int64 there,
        ``(n,)``, or ``(n, H, W)`` if each pixel has one. Raises :class:`RunError` for a sample that cannot be read.
        """
        ...


@dataclass(frozen=True)
class Data:
    """An open data set: the names of its classes by label, the shape of a prepared sample, its splits.

    ``skipped`` lists the files that were left out, and why.
    """

    name: str
    classes: tuple[str, ...]
    shape: tuple[int, ...]
    train: Split
    test: Split
    skipped: tuple[str, ...] = ()
