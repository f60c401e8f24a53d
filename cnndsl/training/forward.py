"""One forward pass: scores, loss and how many are right, in the recipe's precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn

from cnndsl.training.devices import DTYPES

#: Images and labels to the mean loss, and a vector of three sums: loss, correct labels, labels.
Forward: TypeAlias = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def forward_pass(
    module: nn.Module, loss: nn.Module, device: torch.device, precision: str, memory_format: torch.memory_format
) -> Forward:
    """``images`` (N, C, ...) float32 and ``labels`` (N,) or (N, ...) to the loss and the sums.

    Labels that the loss ignores (``ignore_index``) are not counted.
    """
    ignored = getattr(loss, "ignore_index", None)
    if ignored is not None and ignored < 0:
        ignored = None  # no label of a data set is
    # MPS has no float64.
    exact = torch.float32 if device.type == "mps" else torch.float64
    dtype, mixed = DTYPES[precision], precision != "fp32"

    def forward(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        if images.dim() == 4:
            images = images.contiguous(memory_format=memory_format)
        with torch.autocast(device.type, dtype, enabled=mixed):
            scores = module(images)
        # The loss is taken in full precision, as autocast would have it on its own.
        value = loss(scores.float(), labels)
        with torch.no_grad():
            right = scores.argmax(1) == labels
            total = value.to(exact) * images.shape[0]
            if ignored is None:
                counted = torch.full_like(total, labels.numel())
            else:
                right = right & (labels != ignored)
                counted = (labels != ignored).sum()
            sums = torch.stack((total, right.sum().to(exact), counted.to(exact)))
        return value, sums

    return forward
