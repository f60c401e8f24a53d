"""A trained network held against the test set: loss, accuracy, and how it does on each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from cnndsl.training import devices
from cnndsl.training.data import Places
from cnndsl.training.interrupt import StopRequest
from cnndsl.training.learner import Learner
from cnndsl.training.loop import Place, evaluate
from cnndsl.training.ranks import Ranks
from cnndsl.training.trained import Trained


@dataclass(frozen=True)
class ClassResult:
    """``correct`` of the ``count`` test samples of a class. ``taken_for`` is the class that the others were
    taken for most often, None where all are right, ``taken`` how many of them were."""

    name: str
    count: int
    correct: int
    taken_for: str | None
    taken: int

    @property
    def accuracy(self) -> float | None:
        """None for a class without samples."""
        return self.correct / self.count if self.count else None


@dataclass(frozen=True)
class Evaluation:
    """``loss`` is the mean over the ``samples`` of the test set, ``accuracy`` that over its labels, of which there
    are more where each pixel has one. ``confusion`` counts labels: a row for each true class, a column for each
    that the network found."""

    name: str
    epoch: int
    dataset: str
    device: str
    samples: int
    loss: float
    accuracy: float
    classes: tuple[ClassResult, ...] = field(repr=False)
    confusion: tuple[tuple[int, ...], ...] = field(repr=False)


def evaluate_trained(
    trained: Trained,
    device_name: str | None = None,
    data_dir: Path | None = None,
    folder: str | None = None,
    workers: int | None = None,
) -> Evaluation:
    """The test set of the data that a network was trained on, or of the pictures in ``folder``.

    The same computation as after an epoch of training, so on the same kind of device the figures are equal
    to those in ``metrics.csv``. Raises :class:`RunError`.
    """
    device = devices.choose(device_name)
    devices.make_repeatable(device)
    data = trained.data(Places(data_dir, workers), device, folder)
    # Of a learner only module and loss are asked here: no schedule is begun.
    learner = Learner.of(trained.module(device), replace(trained.recipe, scheduler=None), device, steps=0)
    out = next(iter(trained.network.graph.outputs.values())).shape.sample
    tally = Tally(learner.loss, out[0]).to(device)
    sums = evaluate(replace(learner, loss=tally), data, trained.recipe, Place(device, Ranks(), StopRequest()))
    confusion = tally.counts.tolist()
    names = named(trained.checkpoint.classes, out[0])
    return Evaluation(
        trained.name,
        trained.epoch,
        data.name,
        str(device),
        sums.samples,
        sums.mean_loss,
        sums.accuracy,
        tuple(_class_result(names, label, row) for label, row in enumerate(confusion)),
        tuple(map(tuple, confusion)),
    )


class Tally(nn.Module):
    """A loss that counts, on its way, which class is taken for which: ``counts``, ``(classes, classes)``."""

    counts: Tensor

    def __init__(self, loss: nn.Module, classes: int) -> None:
        super().__init__()
        self.loss = loss
        #: As the loss has it: labels that do not count.
        self.ignore_index = getattr(loss, "ignore_index", None)
        self.register_buffer("counts", torch.zeros(classes, classes, dtype=torch.int64))

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """``scores`` (N, classes, ...) and ``labels`` (N, ...) to the loss."""
        classes = len(self.counts)
        pairs = labels * classes + scores.argmax(1)
        if self.ignore_index is not None:
            pairs = pairs[labels != self.ignore_index]
        self.counts += torch.bincount(pairs.flatten(), minlength=classes * classes).view(classes, classes)
        value: Tensor = self.loss(scores, labels)
        return value


def named(classes: Sequence[str], outputs: int) -> tuple[str, ...]:
    """A name for each output of a network: that of its class, or its number where no class is known for it."""
    return (*classes, *map(str, range(len(classes), outputs)))


def _class_result(names: Sequence[str], label: int, row: Sequence[int]) -> ClassResult:
    others = {found: count for found, count in enumerate(row) if found != label and count}
    most = max(others, key=others.__getitem__, default=None)
    taken_for = None if most is None else names[most]
    return ClassResult(names[label], sum(row), row[label], taken_for, others[most] if most is not None else 0)
