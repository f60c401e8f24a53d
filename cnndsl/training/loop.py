"""The training loop: epochs of batches, each followed by the test set."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from cnndsl.recipe import Recipe
from cnndsl.training.criterion import Criterion
from cnndsl.training.data import Data
from cnndsl.training.devices import exact_dtype, memory_format
from cnndsl.training.failures import explained
from cnndsl.training.forward import Forward, forward_pass
from cnndsl.training.guard import Guard
from cnndsl.training.interrupt import Stopped, StopRequest
from cnndsl.training.learner import Learner, can_skip
from cnndsl.training.plan import Planned, epoch_plan, evaluation_plan, in_steps
from cnndsl.training.progress import Epoch, Progress, Sums, early_end
from cnndsl.training.ranks import Ranks
from cnndsl.training.report import Report

#: How often per epoch the sums are read from an accelerator; each time, the loop waits for it.
READS = 4
#: Images and labels; and the same with the mass of the labels.
Loaded: TypeAlias = tuple[Tensor, Tensor]
Weighed: TypeAlias = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Place:
    """The device and the processes of a training."""

    device: torch.device
    ranks: Ranks
    stop: StopRequest


class Loop:
    """Trains ``learner`` on ``data``. ``save`` writes a checkpoint. It is called after every epoch, every
    ``checkpoint_every`` batches (0: never within an epoch), and before a stop."""

    def __init__(
        self,
        learner: Learner,
        data: Data,
        recipe: Recipe,
        place: Place,
        report: Report,
        save: Callable[[Progress], None],
        checkpoint_every: int = 0,
    ) -> None:
        self.learner, self.data, self.recipe, self.place = learner, data, recipe, place
        self.report, self.save, self.checkpoint_every = report, save, checkpoint_every
        #: The rate of the last step.
        self.lr = learner.lr
        self.parallel = _parallel(learner.module, place)
        shape = memory_format(learner.module, place.device, recipe.precision)
        forward = forward_pass(self.parallel, learner.criterion, place.device, recipe.precision, shape)
        self.eager = forward
        # Compiled for one shape: a smaller batch, the last of an epoch, runs uncompiled.
        self.forward: Forward = torch.compile(forward, dynamic=False) if recipe.compile else forward

    def run(self, progress: Progress) -> Progress:
        """Runs the remaining epochs. Raises :class:`Stopped` after a signal."""
        while not self.is_over(progress):
            with explained(self.place.device, self.learner.module):
                progress = self.train(progress)
                progress = self.finish(progress)
            self.save(progress)
            self.report.epoch(progress)
            asked = self.place.ranks.any(bool(self.place.stop.number))
            self._stop(asked and not self.is_over(progress))
        return progress

    def is_over(self, progress: Progress) -> bool:
        """Whether no epoch remains, or one process decides to stop early: all processes end together."""
        early = bool(early_end(self.recipe.early_stopping, progress.epochs))
        return len(progress.epochs) >= self.recipe.epochs or self.place.ranks.any(early)

    # --- an epoch --------------------------------------------------------------------------------

    def train(self, progress: Progress) -> Progress:
        """Runs the remaining batches of an epoch."""
        ranks = self.place.ranks
        epoch = len(progress.epochs)
        plan = epoch_plan(len(self.data.train), self.recipe, epoch, ranks.rank, ranks.size)
        wait = self.place.device.type == "cpu" or not can_skip(self.learner.optimizer)
        guard = Guard(epoch, self.place.device, self.learner.optimizer, ranks, wait)
        clock = _Clock(self.place.device, progress.sums.seconds)
        sums = _tensor(progress.sums if ranks.first else Sums(), self.place.device)
        left = plan[progress.batches :]
        every = 1 if self.place.device.type == "cpu" else max(len(plan) // READS, 1)
        done = progress.batches

        def so_far(everywhere: bool = False) -> Sums:
            return self._so_far(sums, plan[:done], clock, everywhere)

        self.learner.module.train()
        self.report.begin(epoch, len(plan), done)
        batches = self.data.train.batches([item.batch for item in left])
        for step in in_steps(left):
            for item, loaded, share in self._shared(zip(step, batches)):
                sums += self._batch(item, loaded, share, done, guard)
                done += 1
                self.report.batch(done, so_far if done % every == 0 else None)
            self._step(guard)
            if done == len(plan):
                continue
            asked = ranks.any(bool(self.place.stop.number))
            if asked or (self.checkpoint_every and done % self.checkpoint_every == 0):
                guard.check()
                self.save(replace(progress, batches=done, sums=so_far(everywhere=True)))
                self._stop(asked)
        guard.check()
        return replace(progress, batches=len(plan), sums=so_far(everywhere=True))

    def _shared(self, step: Iterable[tuple[Planned, Loaded]]) -> Iterator[tuple[Planned, Weighed, Tensor]]:
        """The batches of a step, each with its mass and its share of the step, over all processes. All are loaded
        before the first one runs, since the shares need the mass of the whole step."""
        criterion = self.learner.criterion
        weighed = [(item, (images, labels, criterion.mass(labels))) for item, (images, labels) in step]
        total = self.place.ranks.add(torch.stack([mass for _, (_, _, mass) in weighed]).sum())
        for item, loaded in weighed:
            yield item, loaded, criterion.share(loaded[2], total)

    def _batch(self, item: Planned, loaded: Weighed, share: Tensor, number: int, guard: Guard) -> Tensor:
        """Computes the gradient of one batch. Returns its sums: loss, mass, correct, counted."""
        torch.manual_seed(item.batch.seed)  # for the network's own random numbers, such as dropout
        with self._without_exchange(item):
            loss, sums = (self.forward if item.whole else self.eager)(*loaded)
            guard.watch(loss, number)
            # DDP takes the mean over the processes.
            part = loss * (share * self.place.ranks.size).to(loss.dtype)
            self.learner.scaler.scale(part).backward()  # type: ignore[no-untyped-call]
        return sums

    def _step(self, guard: Guard) -> None:
        """The optimizer's step with the gradients of its batches."""
        learner = self.learner
        self.lr = learner.lr
        if self.recipe.clip_grad_norm is not None:
            learner.scaler.unscale_(learner.optimizer)
            nn.utils.clip_grad_norm_(learner.module.parameters(), self.recipe.clip_grad_norm)
        guard.before_step()
        learner.scaler.step(learner.optimizer)
        learner.scaler.update()
        learner.optimizer.zero_grad()
        learner.schedule_step()
        if learner.average:
            learner.average.update_parameters(learner.module)

    def _without_exchange(self, item: Planned) -> AbstractContextManager[Any]:
        """Without sending gradients to the other processes, if more batches are added to them first."""
        if isinstance(self.parallel, DistributedDataParallel) and not item.steps:
            return self.parallel.no_sync()
        return nullcontext()

    def finish(self, progress: Progress) -> Progress:
        """Tests after an epoch, and adds the epoch's line."""
        sums = progress.sums
        test = self.evaluate()
        self.learner.schedule_epoch(test.mean_loss)
        line = Epoch(
            epoch=len(progress.epochs) + 1,
            loss=sums.mean_loss,
            train_acc=sums.accuracy,
            test_loss=test.mean_loss,
            test_acc=test.accuracy,
            lr=self.lr,
            examples_per_s=sums.examples_per_s,
            seconds=sums.seconds,
        )
        return Progress((*progress.epochs, line))

    def evaluate(self) -> Sums:
        """Tests on every test sample once, over all processes."""
        if self.place.ranks.size > 1:
            _share_buffers(self.learner.result)
        return evaluate(self.learner.result, self.learner.criterion, self.data, self.recipe, self.place)

    # --- for the outside --------------------------------------------------------------------------

    def _so_far(self, sums: Tensor, plan: list[Planned], clock: _Clock, everywhere: bool = False) -> Sums:
        """The sums of this process, or of all, as numbers. Waits for the device."""
        ranks = self.place.ranks
        total = ranks.add(sums.clone()) if everywhere else sums
        loss, mass, correct, counted = total.tolist()
        samples = sum(len(item.batch.indices) for item in plan)
        if everywhere and ranks.size > 1:
            samples = int(ranks.add(torch.tensor(samples, device=sums.device)).item())
        return Sums(loss, mass, int(correct), int(counted), samples, clock.seconds())

    def _stop(self, asked: bool) -> None:
        """Stops after a save. Another process may have received the signal."""
        if asked:
            raise Stopped(self.place.stop.number or signal.SIGTERM)


def evaluate(module: nn.Module, criterion: Criterion, data: Data, recipe: Recipe, place: Place) -> Sums:
    """Loss and accuracy of a module over the test set of its data."""
    ranks = place.ranks
    shape = memory_format(module, place.device, recipe.precision)
    forward = forward_pass(module, criterion, place.device, recipe.precision, shape)
    plan = evaluation_plan(len(data.test), recipe.batch_size, ranks.rank, ranks.size)
    total = _tensor(Sums(), place.device)
    began = time.perf_counter()
    module.eval()
    with torch.inference_mode():
        for images, labels in data.test.batches(plan):
            total += forward(images, labels, criterion.mass(labels))[1]
    loss, mass, correct, counted = ranks.add(total).tolist()
    return Sums(loss, mass, int(correct), int(counted), len(data.test), time.perf_counter() - began)


class _Clock:
    """Seconds of training, including those before a resumption."""

    def __init__(self, device: torch.device, before: float) -> None:
        self.device, self.before = device, before
        self.began = time.perf_counter()

    def seconds(self) -> float:
        if self.device.type != "cpu":
            torch.accelerator.synchronize(self.device)
        return self.before + time.perf_counter() - self.began


def _tensor(sums: Sums, device: torch.device) -> Tensor:
    figures = [sums.loss, sums.mass, sums.correct, sums.counted]
    return torch.tensor(figures, dtype=exact_dtype(device), device=device)


def _parallel(module: nn.Module, place: Place) -> nn.Module:
    if place.ranks.size == 1:
        return module
    devices = None if place.device.type == "cpu" else [place.device]
    return DistributedDataParallel(module, device_ids=devices)


def _share_buffers(module: nn.Module) -> None:
    """Gives all processes the running statistics of the first: they differ after the last step."""
    for buffer in module.buffers():
        torch.distributed.broadcast(buffer, 0)
