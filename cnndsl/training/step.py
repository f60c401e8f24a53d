"""One step of the optimizer, as the device computes it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from cnndsl.recipe import Recipe
from cnndsl.training.devices import memory_format
from cnndsl.training.forward import Forward, as_vector, forward_pass
from cnndsl.training.graphs import Compute, Loaded, Replayed, obstacle
from cnndsl.training.guard import Guard
from cnndsl.training.learner import Learner, can_skip
from cnndsl.training.progress import Sums
from cnndsl.training.ranks import Ranks


class Step:
    """A step of the optimizer, as a function of its batches.

    What it leaves is on the device: new weights, the ``sums`` of the epoch (loss, mass, correct, counted), and what
    ``guard`` has seen. ``uncaptured`` is why steps are not captured in a CUDA graph although the recipe asks for it.
    """

    def __init__(self, learner: Learner, recipe: Recipe, device: torch.device, ranks: Ranks) -> None:
        self.learner, self.recipe, self.ranks = learner, recipe, ranks
        self.sums = as_vector(Sums(), device)
        wait = device.type == "cpu" or not can_skip(learner.optimizer)
        self.guard = Guard(device, learner.optimizer, ranks, wait)
        self.parallel = _parallel(learner.module, device, ranks)
        shape = memory_format(learner.module, device, recipe.precision)
        forward = forward_pass(self.parallel, learner.criterion, device, recipe.precision, shape)
        compiled = torch.compile(forward, dynamic=False) if recipe.compile else forward
        self.uncaptured = obstacle(recipe, device, ranks.size, learner) if recipe.cuda_graph else ""
        self._any: Compute = partial(self._compute, forward)
        self._whole: Compute = partial(self._compute, compiled)
        if recipe.cuda_graph and not self.uncaptured:
            self._whole = Replayed(self._whole, learner.optimizer)

    def begin(self, epoch: int, sums: Sums, batches: int) -> None:
        """Begins an epoch, counted from 0, or continues it after ``batches`` with these ``sums``."""
        self.sums.copy_(as_vector(sums, self.sums.device))
        self.guard.begin(epoch, batches)

    def __call__(self, batches: Sequence[Loaded], whole: bool) -> None:
        """Takes a step. Only ``whole`` ones, with as many batches and samples as the recipe has, are compiled and
        captured: they are for one shape."""
        (self._whole if whole else self._any)(batches)

    def _compute(self, forward: Forward, batches: Sequence[Loaded]) -> None:
        """The step, without waiting for an accelerator. The batches share it over all processes, by their masses."""
        criterion = self.learner.criterion
        masses = [criterion.mass(labels) for _, labels in batches]
        total = self.ranks.add(torch.stack(masses).sum())
        for left, (batch, mass) in enumerate(zip(batches, masses), start=1 - len(batches)):
            with self._without_exchange(left < 0):
                loss, sums = forward(*batch, mass)
                self.guard.watch(loss)
                self._backward(loss, criterion.share(mass, total))
            self.sums += sums
        self._update()

    def _backward(self, loss: Tensor, share: Tensor) -> None:
        """Adds the gradient of a batch."""
        # DDP takes the mean over the processes.
        part = loss * (share * self.ranks.size).to(loss.dtype)
        self.learner.scaler.scale(part).backward()  # type: ignore[no-untyped-call]

    def _update(self) -> None:
        """Changes the weights by the gradient."""
        learner = self.learner
        if self.recipe.clip_grad_norm is not None:
            learner.scaler.unscale_(learner.optimizer)
            nn.utils.clip_grad_norm_(learner.module.parameters(), self.recipe.clip_grad_norm)
        self.guard.before_step()
        learner.scaler.step(learner.optimizer)
        learner.scaler.update()
        learner.optimizer.zero_grad()

    def _without_exchange(self, more: bool) -> AbstractContextManager[Any]:
        """Without sending gradients to the other processes, if ``more`` batches are added to them first."""
        if isinstance(self.parallel, DistributedDataParallel) and more:
            return self.parallel.no_sync()
        return nullcontext()


def _parallel(module: nn.Module, device: torch.device, ranks: Ranks) -> nn.Module:
    if ranks.size == 1:
        return module
    return DistributedDataParallel(module, device_ids=None if device.type == "cpu" else [device])
