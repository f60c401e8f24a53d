"""The progress of a training: the finished epochs, and the sums of the current one."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from math import inf, nan
from typing import Any

from cnndsl.recipe import EarlyStopping


@dataclass(frozen=True)
class Epoch:
    """One line of ``metrics.csv``.

    ``loss`` and ``train_acc`` are means over the epoch's training samples, while the weights changed;
    ``test_loss`` and ``test_acc`` are measured on the test set after it. ``lr`` is the rate of the epoch's
    last step, ``examples_per_s`` and ``seconds`` count training only.
    """

    epoch: int
    loss: float
    train_acc: float
    test_loss: float
    test_acc: float
    lr: float
    examples_per_s: float
    seconds: float


def early_end(rule: EarlyStopping | None, epochs: Sequence[Epoch]) -> str:
    """Why early stopping ends the training after ``epochs``; empty if it does not. It depends only on the figures,
    so a resumed training stops after the same epoch."""
    if rule is None or not epochs:
        return ""
    best, since = -inf if rule.rising else inf, 0
    for epoch in epochs:
        value = getattr(epoch, rule.monitor)
        better = rule.improves(value, best)
        best, since = (value, 0) if better else (best, since + 1)
    if since < max(rule.patience, 1):
        return ""
    if since == len(epochs):
        return f"`{rule.monitor}` was never a number"
    return f"`{rule.monitor}` has not improved since epoch {len(epochs) - since}, when it was {best:.4g}"


def best_of(epochs: Sequence[Epoch]) -> Epoch:
    """The first epoch with the highest test accuracy."""
    return max(epochs, key=lambda epoch: epoch.test_acc)


@dataclass(frozen=True)
class Sums:
    """Sums of an epoch: ``loss`` over labels of this ``mass``, ``correct`` of ``counted`` labels."""

    loss: float = 0.0
    mass: float = 0.0
    correct: int = 0
    counted: int = 0
    samples: int = 0
    seconds: float = 0.0

    @property
    def mean_loss(self) -> float:
        return self.loss / self.mass if self.mass else 0.0

    @property
    def accuracy(self) -> float:
        return self.correct / max(self.counted, 1)

    @property
    def examples_per_s(self) -> float:
        return self.samples / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Progress:
    """The finished ``epochs``, and the number of finished ``batches`` of the next one, with their sums."""

    epochs: tuple[Epoch, ...] = ()
    batches: int = 0
    sums: Sums = field(default_factory=Sums)

    @property
    def best(self) -> Epoch | None:
        """The epoch whose checkpoint is kept as the best."""
        return best_of(self.epochs) if self.epochs else None

    @property
    def examples_per_s(self) -> float:
        """Training samples per second, over all epochs."""
        seconds = sum(epoch.seconds for epoch in self.epochs)
        return sum(epoch.examples_per_s * epoch.seconds for epoch in self.epochs) / seconds if seconds else 0.0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Progress:
        epochs = tuple(Epoch(**epoch) for epoch in plain["epochs"])
        sums = plain["sums"]
        return cls(
            epochs, plain["batches"], Sums(**{"mass": sums["samples"], **sums})
        )  # in old checkpoints, the loss was over samples


def as_csv(epochs: Sequence[Epoch]) -> str:
    """``metrics.csv``: a header, and a line per epoch."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [item.name for item in fields(Epoch)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(epoch) for epoch in epochs)
    return text.getvalue()


def from_csv(text: str) -> list[Epoch]:
    """The epochs of a ``metrics.csv``. A figure that an older version did not write is NaN. Raises ValueError for
    another table."""
    rows = csv.DictReader(io.StringIO(text))
    return [_epoch(row) for row in rows]


def _epoch(row: Mapping[str, str | None]) -> Epoch:
    """Raises ValueError for a row that is not of an epoch."""
    number, *names = (item.name for item in fields(Epoch))
    figures = {name: float(row.get(name) or nan) for name in names}
    return Epoch(epoch=int(row.get(number) or ""), **figures)
