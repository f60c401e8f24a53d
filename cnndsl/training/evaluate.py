"""Tests of a trained network: loss, accuracy, and the results of each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from cnndsl.training import devices
from cnndsl.training.criterion import Criterion
from cnndsl.training.data import Places
from cnndsl.training.failures import check_guarded, explained
from cnndsl.training.interrupt import StopRequest
from cnndsl.training.loop import Place, evaluate
from cnndsl.training.ranks import Ranks
from cnndsl.training.trained import Trained


@dataclass(frozen=True)
class ClassResult:
    """``correct`` of the ``count`` test samples of a class. ``taken_for`` is the class that the others were
    taken for most often, None if all are correct, and ``taken`` how many of them were."""

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
    """``loss`` is the mean over the labels of the ``samples`` of the test set, weighted as in the recipe's loss, and
    ``accuracy`` the share of correct labels; there are more labels than samples if each pixel has one. ``confusion``
    counts labels, with a row for each true class and a column for each predicted one. ``skipped`` lists the pictures
    that were left out, and why."""

    name: str
    epoch: int
    dataset: str
    device: str
    samples: int
    loss: float
    accuracy: float
    classes: tuple[ClassResult, ...] = field(repr=False)
    confusion: tuple[tuple[int, ...], ...] = field(repr=False)
    skipped: tuple[str, ...] = field(default=(), repr=False)


def evaluate_trained(
    trained: Trained,
    device_name: str | None = None,
    data_dir: Path | None = None,
    folder: str | None = None,
    workers: int | None = None,
    skip_unreadable: bool = False,
) -> Evaluation:
    """Tests a network on the test set of its data, or of the pictures in ``folder``.

    The computation is the same as after an epoch of training, so on the same kind of device the figures equal
    those in ``metrics.csv``. Raises :class:`RunError`.
    """
    check_guarded()
    device = devices.choose(device_name)
    devices.choose_kernels(device, trained.recipe.deterministic)
    data = trained.data(Places(data_dir, workers), device, folder, skip_unreadable)
    out = next(iter(trained.network.graph.outputs.values())).shape.sample
    tally, module = Tally(Criterion.of(trained.recipe.loss), out[0]).to(device), trained.module(device)
    with explained(device, module):
        sums = evaluate(module, tally, data, trained.recipe, Place(device, Ranks(), StopRequest()))
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
        data.skipped,
    )


class Tally(Criterion):
    """A loss that also counts which class is taken for which: ``counts``, ``(classes, classes)``."""

    counts: Tensor

    def __init__(self, criterion: Criterion, classes: int) -> None:
        super().__init__(criterion.loss, by_weight=criterion.by_weight, summed=criterion.summed)
        self.register_buffer("counts", torch.zeros(classes, classes, dtype=torch.int64))

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        classes = len(self.counts)
        pairs = (labels * classes + scores.argmax(1))[self.counted(labels)]
        self.counts += torch.bincount(pairs, minlength=classes * classes).view(classes, classes)
        return super().forward(scores, labels)


def named(classes: Sequence[str], outputs: int) -> tuple[str, ...]:
    """A name for each output of a network: its class, or its number if it has no known class."""
    return (*classes, *map(str, range(len(classes), outputs)))


def _class_result(names: Sequence[str], label: int, row: Sequence[int]) -> ClassResult:
    others = {found: count for found, count in enumerate(row) if found != label and count}
    most = max(others, key=others.__getitem__, default=None)
    taken_for = None if most is None else names[most]
    return ClassResult(names[label], sum(row), row[label], taken_for, others[most] if most is not None else 0)
