"""Folders of pictures, read by other processes while the network trains."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from cnndsl.training.augment import Dice, blend
from cnndsl.training.data.pictures import Unreadable, decode
from cnndsl.training.data.places import Places
from cnndsl.training.data.split import Batch
from cnndsl.training.prepare import Preparation

#: A batch for the readers: the samples and the seed.
Key = tuple[list[int], int]


@dataclass(frozen=True)
class Pictures(Dataset[tuple[Tensor, Tensor] | Unreadable]):
    """Files with their labels, ``(N,)``, read batch by batch.

    Each picture is resized here, with random numbers from the batch's seed and its place in the batch, so the result
    does not depend on the process that reads it.
    """

    files: tuple[str, ...]
    labels: Tensor
    channels: int
    preparation: Preparation

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, key: Key) -> tuple[Tensor, Tensor] | Unreadable:
        """Images, uint8 ``(n, C, H, W)``, and labels; or the first picture that cannot be read."""
        indices, seed = key
        images = []
        for place, index in enumerate(indices):
            picture = decode(self.files[index], self.channels)
            if isinstance(picture, Unreadable):
                return picture
            images.append(self.preparation.picture(picture, Dice(blend(seed, place), torch.device("cpu"))))
        return torch.stack(images), self.labels[indices]


class FolderSplit:
    """Pictures for a device, read by ``workers`` processes, which stay for the next epoch, or by this one if 0."""

    def __init__(self, pictures: Pictures, device: torch.device, workers: int) -> None:
        self.pictures = pictures
        self.device = device
        self.workers = workers
        self._keys = _Keys()

    def __len__(self) -> int:
        return len(self.pictures)

    def batches(self, plan: Sequence[Batch]) -> Iterator[tuple[Tensor, Tensor]]:
        self._keys.plan = plan
        for batch, read in zip(plan, self._loader):
            if isinstance(read, Unreadable):
                del self._loader  # ends its processes; the garbage collector would take seconds
                raise read.error()
            images, labels = (part.to(self.device, non_blocking=True) for part in read)
            yield self.pictures.preparation.finish(images, labels, Dice(batch.seed, self.device))

    @cached_property
    def _loader(self) -> DataLoader[Any]:
        return DataLoader(
            self.pictures,
            batch_size=None,  # a key is a batch already
            sampler=self._keys,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            pin_memory=self.device.type == "cuda",
            worker_init_fn=_apart,
            generator=torch.Generator(),  # otherwise each epoch would draw from torch's own, which dropout uses
        )


@dataclass(frozen=True)
class _Trial(Dataset[Unreadable | None]):
    """For each file, the reason why it cannot be read, or None."""

    files: tuple[str, ...]
    channels: int

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Unreadable | None:
        read = decode(self.files[index], self.channels)
        return read if isinstance(read, Unreadable) else None


def find_unreadable(files: Sequence[str], channels: int, places: Places) -> tuple[Unreadable, ...]:
    """The pictures that cannot be decoded, in order. Each is read once, and then ``places.watch`` is called."""
    # The training draws its weights later, so the loader must not draw its seed from torch's own generator.
    loader = DataLoader(
        _Trial(tuple(files), channels),
        batch_size=None,
        num_workers=places.processes(),
        worker_init_fn=_apart,
        generator=torch.Generator(),
    )
    found = []
    for done, unreadable in enumerate(loader, start=1):
        places.watch(done, len(files))
        if unreadable is not None:
            found.append(unreadable)
    return tuple(found)


class _Keys(Sampler[Key]):
    """The batches of the current plan."""

    plan: Sequence[Batch] = ()

    def __iter__(self) -> Iterator[Key]:
        return ((batch.indices.tolist(), batch.seed) for batch in self.plan)

    def __len__(self) -> int:
        return len(self.plan)


def _apart(worker: int) -> None:
    """Takes a reader out of the group that Ctrl-C and `timeout` send signals to: the main process still needs it
    to finish its step and save. The reader does not keep the main process's handlers; SIGTERM ends it."""
    if hasattr(os, "setpgrp"):
        os.setpgrp()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
