"""Losses that are not finite: the step is skipped, and the error names the batch."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor, optim

from cnndsl.diagnostics import Code, RunError
from cnndsl.training.ranks import Ranks


class Guard:
    """Watches the losses of an epoch.

    On the CPU, or if the optimizer has no fused kernel, each loss is read. Otherwise reading would stall the device, so
    the device itself skips the step, and all steps after it, by the flag that torch's gradient scaler uses.
    :meth:`check` then raises the error.
    """

    def __init__(self, epoch: int, device: torch.device, optimizer: optim.Optimizer, ranks: Ranks, wait: bool) -> None:
        self.epoch = epoch
        self.optimizer = optimizer
        self.ranks = ranks
        self.wait = wait
        self.bad = torch.zeros((), device=device)
        self.first = torch.full((), -1, device=device, dtype=torch.int64)

    def watch(self, loss: Tensor, number: int) -> None:
        """Checks the loss of batch ``number``, counted from 0, before its gradient is computed."""
        bad = (~loss.detach().isfinite()).float()
        if self.ranks.size > 1:
            dist.all_reduce(bad, dist.ReduceOp.MAX)
        if self.wait:
            if bad.item():
                self._fail(number)
            return
        self.first = torch.where((self.first < 0) & (bad > 0), number, self.first)
        self.bad = torch.maximum(self.bad, bad)

    def before_step(self) -> None:
        """Makes the optimizer skip its next step if a loss was not finite."""
        if not self.wait:
            self.optimizer.found_inf = self.bad  # type: ignore[attr-defined]

    def check(self) -> None:
        """Raises :class:`RunError` if a loss was not finite. Waits for the device."""
        if not self.wait and (number := int(self.first.item())) >= 0:
            self._fail(number)

    def _fail(self, number: int) -> None:
        message = f"the loss is not finite in epoch {self.epoch + 1}, batch {number + 1}; its step was not taken"
        help = (
            "a smaller `lr`, `clip_grad_norm: 1.0`, or `precision: fp32` if it is lower; the last checkpoint is intact"
        )
        raise RunError(Code.LOSS, message, help)
