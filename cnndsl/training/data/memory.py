"""Data that fits in memory: kept as uint8 on the training device, and prepared there batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import Tensor

from cnndsl.recipe.transforms import both
from cnndsl.training.augment import Dice, Resize, moved
from cnndsl.training.data.split import Batch
from cnndsl.training.prepare import Preparation

#: The share of a GPU's free memory that resized samples may take. Larger sets are resized batch by batch.
ROOM = 1 / 8
#: The samples that are resized together.
CHUNK = 1024


@dataclass(frozen=True)
class Samples:
    """Images, uint8 ``(N, C, H, W)`` or of other dimensions, and their labels: int64 ``(N,)``, or ``(N, H, W)`` of an
    integer type if each pixel has one."""

    images: Tensor
    labels: Tensor


@dataclass(frozen=True)
class MemorySplit:
    samples: Samples
    preparation: Preparation

    @classmethod
    def on(cls, device: torch.device, samples: Samples, preparation: Preparation) -> MemorySplit:
        """``samples`` on the device, where a GPU resizes them only once if they have room."""
        there = Samples(samples.images.to(device), samples.labels.to(device))
        shape = preparation.shape
        if isinstance(shape, Resize) and device.type == "cuda" and _size(there, shape) < ROOM * _free(device):
            return cls(resized(there, shape), replace(preparation, shape=None))
        return cls(there, preparation)

    def __len__(self) -> int:
        return len(self.samples.labels)

    def batches(self, plan: Sequence[Batch]) -> Iterator[tuple[Tensor, Tensor]]:
        if not plan:
            return
        images, labels = self.samples.images, self.samples.labels
        order = moved(torch.cat([batch.indices for batch in plan]), images.device)
        for batch, indices in zip(plan, torch.split(order, [len(batch.indices) for batch in plan])):
            chosen = images.index_select(0, indices), labels.index_select(0, indices).long()
            yield self.preparation.batch(*chosen, Dice(batch.seed, images.device))


def resized(samples: Samples, shape: Resize) -> Samples:
    """All samples resized, as each batch of them would be."""
    dice = Dice(0, samples.images.device)  # nothing is drawn
    parts = zip(samples.images.split(CHUNK), samples.labels.split(CHUNK))  # type: ignore[no-untyped-call]
    images, labels = zip(*(shape(*part, dice) for part in parts))
    return Samples(torch.cat(images), torch.cat(labels))


def _size(samples: Samples, shape: Resize) -> int:
    """The bytes of resized images."""
    return len(samples.images) * samples.images.shape[1] * prod(both(shape.size))


def _free(device: torch.device) -> int:
    return torch.cuda.mem_get_info(device)[0]
