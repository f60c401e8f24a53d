"""A loss that is not finite: the step is not taken, and the batch is named."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor, optim

from cnndsl.diagnostics import Code, RunError
from cnndsl.training.ranks import Ranks


class Guard:
    """Watches the losses of an epoch.

    On the CPU, or where the optimizer has no fused kernel, each loss is looked at. Elsewhere looking would
    make the device wait, so the device itself calls the step off, and all steps after it, by the flag that
    torch's gradient scaler uses; :meth:`check` tells of it when it is called.
    """

    def __init__(self, epoch: int, device: torch.device, optimizer: optim.Optimizer, ranks: Ranks, wait: bool) -> None:
        self.epoch = epoch
        self.optimizer = optimizer
        self.ranks = ranks
        self.wait = wait
        self.bad = torch.zeros((), device=device)
        self.first = torch.full((), -1, device=device, dtype=torch.int64)

    def watch(self, loss: Tensor, number: int) -> None:
        """Looks at the loss of batch ``number``, counted from 0, before its gradient is taken."""
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
        """Has the optimizer's next step called off if a loss was not finite."""
        if not self.wait:
            self.optimizer.found_inf = self.bad  # type: ignore[attr-defined]

    def check(self) -> None:
        """Raises :class:`RunError` where a loss was not finite. Waits for the device."""
        if not self.wait and (number := int(self.first.item())) >= 0:
            self._fail(number)

    def _fail(self, number: int) -> None:
        message = f"the loss is not finite in epoch {self.epoch + 1}, batch {number + 1}; its step was not taken"
        help = (
            "a smaller `lr`, `clip_grad_norm: 1.0`, or `precision: fp32` if it is lower; the last checkpoint is intact"
        )
        raise RunError(Code.LOSS, message, help)
