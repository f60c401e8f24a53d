"""Tests of a trained network: loss, accuracy, and the results of each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cnndsl.diagnostics import Code, RunError
from cnndsl.training import devices
from cnndsl.training.criterion import Criterion
from cnndsl.training.data import Places
from cnndsl.training.data.pictures import check_pictures
from cnndsl.training.failures import check_guarded, explained
from cnndsl.training.interrupt import StopRequest
from cnndsl.training.loop import Place, evaluate
from cnndsl.training.mistakes import Mistake, Worst
from cnndsl.training.mistakes import mistakes as find_pictures
from cnndsl.training.ranks import Ranks
from cnndsl.training.trained import Trained

if TYPE_CHECKING:
    from cnndsl.picture import Picture


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
    that were left out, and why. ``mistakes`` are the worst, the most certain first, if they were asked for."""

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
    mistakes: tuple[Mistake, ...] = field(default=(), repr=False)

    def confusion_figure(self) -> Picture:
        """The confusion matrix as a picture, each row in shares of its class."""
        from cnndsl.training.figures.confusion import confusion  # matplotlib takes half a second

        counted = f"accuracy {self.accuracy:.3f}, {self.samples:,} samples of {self.dataset}"
        return confusion(self.name, counted, [each.name for each in self.classes], self.confusion)

    def mistakes_figure(self) -> Picture:
        """The ``mistakes`` with their pictures. Raises ValueError if there are none."""
        from cnndsl.training.figures.contact_sheet import contact_sheet

        if not self.mistakes:
            raise ValueError("there are no mistakes to draw: ask for some, `evaluate(mistakes=24)`")
        return contact_sheet(self.name, self.mistakes)


def evaluate_trained(
    trained: Trained,
    device_name: str | None = None,
    data_dir: Path | None = None,
    folder: str | None = None,
    workers: int | None = None,
    skip_unreadable: bool = False,
    mistakes: int = 0,
) -> Evaluation:
    """Tests a network on the test set of its data, or of the pictures in ``folder``, and finds the worst ``mistakes``.

    The computation is the same as after an epoch of training, so on the same kind of device the figures equal
    those in ``metrics.csv``. Raises :class:`RunError`.
    """
    check_guarded()
    device = devices.choose(device_name)
    devices.choose_kernels(device, trained.recipe.deterministic)
    data = trained.data(Places(data_dir, workers), device, folder, skip_unreadable)
    out = next(iter(trained.network.graph.outputs.values())).shape.sample
    if mistakes:
        _check_pictures(trained, out)
    worst = Worst(mistakes)
    tally, module = Tally(Criterion.of(trained.recipe.loss), out[0], worst).to(device), trained.module(device)
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
        find_pictures(worst.rows, data.test, names, trained.recipe),
    )


def _check_pictures(trained: Trained, out: Sequence[int]) -> None:
    """Raises :class:`RunError` if the network does not classify pictures, whose mistakes can be shown."""
    check_pictures(trained.checkpoint.sample)
    if len(out) > 1:
        message = f"mistakes are of whole pictures, but `{trained.name}` classifies their pixels"
        raise RunError(Code.RECIPE, message, "its confusion matrix counts pixels; `cnndsl predict -o` draws a mask")


class Tally(Criterion):
    """A loss that also counts which class is taken for which, ``counts``, ``(classes, classes)``, and keeps the
    ``worst`` mistakes."""

    counts: Tensor

    def __init__(self, criterion: Criterion, classes: int, worst: Worst) -> None:
        super().__init__(criterion.loss, by_weight=criterion.by_weight, summed=criterion.summed)
        self.worst = worst
        self.register_buffer("counts", torch.zeros(classes, classes, dtype=torch.int64))

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        classes = len(self.counts)
        pairs = (labels * classes + scores.argmax(1))[self.counted(labels)]
        self.counts += torch.bincount(pairs, minlength=classes * classes).view(classes, classes)
        if self.worst.most:
            self.worst.add(scores, labels, self.counted(labels))
        return super().forward(scores, labels)


def named(classes: Sequence[str], outputs: int) -> tuple[str, ...]:
    """A name for each output of a network: its class, or its number if it has no known class."""
    return (*classes, *map(str, range(len(classes), outputs)))


def _class_result(names: Sequence[str], label: int, row: Sequence[int]) -> ClassResult:
    others = {found: count for found, count in enumerate(row) if found != label and count}
    most = max(others, key=others.__getitem__, default=None)
    taken_for = None if most is None else names[most]
    return ClassResult(names[label], sum(row), row[label], taken_for, others[most] if most is not None else 0)
