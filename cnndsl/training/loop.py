"""The training loop: epochs of batches, each followed by the test set."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import isfinite

import torch
from torch import nn

from cnndsl.recipe import Recipe
from cnndsl.training.criterion import Criterion
from cnndsl.training.data import Data
from cnndsl.training.devices import memory_format
from cnndsl.training.failures import explained
from cnndsl.training.forward import as_vector, forward_pass
from cnndsl.training.graphs import Loaded
from cnndsl.training.guard import not_finite
from cnndsl.training.interrupt import Stopped, StopRequest
from cnndsl.training.learner import Learner
from cnndsl.training.plan import Planned, epoch_plan, evaluation_plan, in_steps
from cnndsl.training.progress import Epoch, Progress, Sums, early_end
from cnndsl.training.ranks import Ranks
from cnndsl.training.report import Report
from cnndsl.training.step import Step

#: How often per epoch the sums are read from an accelerator; each time, the loop waits for it.
READS = 4


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
        self.step = Step(learner, recipe, place.device, place.ranks)

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
        ranks, step = self.place.ranks, self.step
        epoch, done = len(progress.epochs), progress.batches
        plan = epoch_plan(len(self.data.train), self.recipe, epoch, ranks.rank, ranks.size)
        clock = _Clock(self.place.device, progress.sums.seconds)
        step.begin(epoch, progress.sums if ranks.first else Sums(), done)
        left = plan[done:]
        every = 1 if self.place.device.type == "cpu" else max(len(plan) // READS, 1)

        def so_far(everywhere: bool = False) -> Sums:
            return self._so_far(plan[:done], clock, everywhere)

        self.learner.module.train()
        self.report.begin(epoch, len(plan), done)
        batches = self.data.train.batches([item.batch for item in left])
        for planned in in_steps(left):
            self._step(planned, list(islice(batches, len(planned))))
            before, done = done, done + len(planned)
            self.report.batch(done, so_far if before // every < done // every else None)
            if done == len(plan):
                continue
            asked = ranks.any(bool(self.place.stop.number))
            if asked or (self.checkpoint_every and before // self.checkpoint_every < done // self.checkpoint_every):
                step.guard.check()
                self.save(replace(progress, batches=done, sums=so_far(everywhere=True)))
                self._stop(asked)
        step.guard.check()
        return replace(progress, batches=len(plan), sums=so_far(everywhere=True))

    def _step(self, planned: Sequence[Planned], batches: Sequence[Loaded]) -> None:
        """A step of the optimizer, and what follows each one."""
        self.lr = self.learner.lr
        torch.manual_seed(planned[0].batch.seed)  # for the network's own random numbers, such as dropout
        whole = len(planned) == self.recipe.accumulate and all(item.whole for item in planned)
        self.step(batches, whole)
        self.learner.stepped()

    def finish(self, progress: Progress) -> Progress:
        """Tests after an epoch, and adds the epoch's line. Raises :class:`RunError` if the test loss is not finite: the
        last steps spoiled the weights, and no loss of the training came after them."""
        sums, epoch = progress.sums, len(progress.epochs) + 1
        test = self.evaluate()
        if not isfinite(test.mean_loss):
            raise not_finite(f"the test loss after epoch {epoch} is not finite, although each loss in training was")
        self.learner.schedule_epoch(test.mean_loss)
        line = Epoch(
            epoch=epoch,
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

    def _so_far(self, plan: list[Planned], clock: _Clock, everywhere: bool = False) -> Sums:
        """The sums of this process, or of all, as numbers. Waits for the device."""
        ranks, sums = self.place.ranks, self.step.sums
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
    total = as_vector(Sums(), place.device)
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


def _share_buffers(module: nn.Module) -> None:
    """Gives all processes the running statistics of the first: they differ after the last step."""
    for buffer in module.buffers():
        torch.distributed.broadcast(buffer, 0)
