"""Data that fits in memory: kept as uint8 on the training device, and prepared there batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cnndsl.training.augment import Dice, moved
from cnndsl.training.data.split import Batch
from cnndsl.training.prepare import Preparation


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
        """``samples`` on the device."""
        return cls(Samples(samples.images.to(device), samples.labels.to(device)), preparation)

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
