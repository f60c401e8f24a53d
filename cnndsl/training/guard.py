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

    def __init__(self, device: torch.device, optimizer: optim.Optimizer, ranks: Ranks, wait: bool) -> None:
        self.optimizer = optimizer
        self.ranks = ranks
        self.wait = wait
        self.epoch = 0
        #: Whether a loss was not finite, 0 or 1, and the number of batches before it.
        self.bad = torch.zeros((), device=device)
        self.good = torch.zeros((), device=device, dtype=torch.int64)

    def begin(self, epoch: int, batches: int) -> None:
        """Begins an epoch, counted from 0, after ``batches`` of it."""
        self.epoch = epoch
        self.bad.zero_()
        self.good.fill_(batches)

    def watch(self, loss: Tensor) -> None:
        """Checks the loss of the next batch, before its gradient is computed."""
        bad = (~loss.detach().isfinite()).float()
        if self.ranks.size > 1:
            dist.all_reduce(bad, dist.ReduceOp.MAX)
        torch.maximum(self.bad, bad, out=self.bad)
        self.good += self.bad == 0
        if self.wait:
            self.check()

    def before_step(self) -> None:
        """Makes the optimizer skip its next step if a loss was not finite."""
        if not self.wait:
            self.optimizer.found_inf = self.bad  # type: ignore[attr-defined]

    def check(self) -> None:
        """Raises :class:`RunError` if a loss was not finite. Waits for the device."""
        if self.bad.item():
            self._fail(int(self.good.item()))

    def _fail(self, number: int) -> None:
        where = f"in epoch {self.epoch + 1}, batch {number + 1}"
        raise not_finite(f"the loss is not finite {where}; its step was not taken")


def not_finite(message: str) -> RunError:
    """The error of a loss that is not finite. Its remedies change the recipe, which a resumed run cannot."""
    help = "a smaller `lr`, `clip_grad_norm: 1.0`, or `precision: fp32` if it is lower, in a new run"
    return RunError(Code.LOSS, message, help)
