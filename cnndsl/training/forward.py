"""One forward pass: scores, loss and correct labels, in the recipe's precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn

from cnndsl.training.criterion import Criterion
from cnndsl.training.devices import DTYPES, exact_dtype
from cnndsl.training.progress import Sums

#: Maps images, labels and their mass to the loss, and a vector of sums: loss, mass, correct labels, labels.
Forward: TypeAlias = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def forward_pass(
    module: nn.Module, criterion: Criterion, device: torch.device, precision: str, memory_format: torch.memory_format
) -> Forward:
    """Maps ``images`` (N, C, ...) float32 and ``labels`` (N,) or (N, ...) to the loss and the sums.

    Labels that the loss ignores (``ignore_index``) are not counted.
    """
    dtype, mixed = DTYPES[precision], precision != "fp32"

    def forward(images: Tensor, labels: Tensor, mass: Tensor) -> tuple[Tensor, Tensor]:
        if images.dim() == 4:
            images = images.contiguous(memory_format=memory_format)
        with torch.autocast(device.type, dtype, enabled=mixed):
            scores = module(images)
        # The loss is computed in full precision, as autocast itself would do.
        value = criterion(scores.float(), labels)
        with torch.no_grad():
            counted = criterion.counted(labels)
            right = counted & (scores.argmax(1) == labels)
            sums = torch.stack(
                (value * criterion.scale(mass), mass, right.sum().to(mass.dtype), counted.sum().to(mass.dtype))
            )
        return value, sums

    return forward


def as_vector(sums: Sums, device: torch.device) -> Tensor:
    """The vector of sums of a forward pass, for ``sums``."""
    figures = [sums.loss, sums.mass, sums.correct, sums.counted]
    return torch.tensor(figures, dtype=exact_dtype(device), device=device)
