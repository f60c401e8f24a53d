"""How far a training has come: the epochs that are done, and the sums of the one that is not."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class Epoch:
    """One line of ``metrics.csv``.

    ``loss`` and ``train_acc`` are means over the epoch's training samples, as they were met;
    ``test_loss`` and ``test_acc`` are those of the test set after it. ``lr`` is the rate of the epoch's
    last step, ``examples_per_s`` and ``seconds`` are of training alone.
    """

    epoch: int
    loss: float
    train_acc: float
    test_loss: float
    test_acc: float
    lr: float
    examples_per_s: float
    seconds: float


@dataclass(frozen=True)
class Sums:
    """What has been added up in an epoch: ``loss`` over samples, ``correct`` of ``counted`` labels."""

    loss: float = 0.0
    correct: int = 0
    counted: int = 0
    samples: int = 0
    seconds: float = 0.0

    @property
    def mean_loss(self) -> float:
        return self.loss / max(self.samples, 1)

    @property
    def accuracy(self) -> float:
        return self.correct / max(self.counted, 1)

    @property
    def examples_per_s(self) -> float:
        return self.samples / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Progress:
    """``batches`` of the epoch after the ``epochs`` that are done, with their sums."""

    epochs: tuple[Epoch, ...] = ()
    batches: int = 0
    sums: Sums = field(default_factory=Sums)

    @property
    def best(self) -> Epoch | None:
        """The epoch with the highest test accuracy, the first of them."""
        return max(self.epochs, key=lambda epoch: epoch.test_acc, default=None)

    @property
    def examples_per_s(self) -> float:
        """Training samples a second, over all epochs."""
        seconds = sum(epoch.seconds for epoch in self.epochs)
        return sum(epoch.examples_per_s * epoch.seconds for epoch in self.epochs) / seconds if seconds else 0.0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Progress:
        epochs = tuple(Epoch(**epoch) for epoch in plain["epochs"])
        return cls(epochs, plain["batches"], Sums(**plain["sums"]))


def as_csv(epochs: Sequence[Epoch]) -> str:
    """``metrics.csv``: a header, and a line an epoch."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [item.name for item in fields(Epoch)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(epoch) for epoch in epochs)
    return text.getvalue()
