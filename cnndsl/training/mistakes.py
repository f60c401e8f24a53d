"""The worst mistakes of a network: the pictures of which it was most certain, and wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from cnndsl.recipe import Recipe
from cnndsl.training.data import Batch, Split
from cnndsl.training.data.folder import FolderSplit
from cnndsl.training.prepare import as_seen


@dataclass(frozen=True)
class Mistake:
    """The test sample ``index``, counted from 0, with the class ``label``, was taken for ``found`` with
    ``probability``; its own class got ``own``. ``file`` is its file, if it has one, ``picture`` what the network saw:
    uint8, ``(C, H, W)``."""

    index: int
    label: int
    found: int
    true: str
    predicted: str
    probability: float
    own: float
    file: str | None
    picture: Tensor = field(repr=False)


class Worst:
    """The ``most`` mistakes with the highest probability, in a test whose samples come in order. Of equal ones the
    first samples are kept."""

    def __init__(self, most: int) -> None:
        self.most, self.seen = most, 0
        #: Index, label, class found, and the probabilities of the class found and of the label's.
        self.rows = torch.empty(0, 5, dtype=torch.float64)

    def add(self, scores: Tensor, labels: Tensor, counted: Tensor) -> None:
        """``scores`` (N, classes), ``labels`` and ``counted`` (N,)."""
        shares, found = scores.softmax(1), scores.argmax(1)
        index = torch.arange(self.seen, self.seen + len(labels), device=labels.device)
        places = [index, labels, found, *(shares.gather(1, each[:, None])[:, 0] for each in (found, labels))]
        rows = torch.stack([place.cpu().double() for place in places], 1)[(counted & (found != labels)).cpu()]
        self.seen += len(labels)
        self.rows = torch.cat([self.rows, rows])
        order = self.rows[:, 3].argsort(descending=True, stable=True)
        self.rows = self.rows[order[: self.most]]


def mistakes(rows: Tensor, split: Split, names: Sequence[str], recipe: Recipe) -> tuple[Mistake, ...]:
    """The rows of :class:`Worst` with their pictures from the test set."""
    batches = split.batches([Batch(rows[:, 0].long(), 0)]) if len(rows) else ()
    pictures = [picture for images, _ in batches for picture in as_seen(images, recipe)]
    files = split.pictures.files if isinstance(split, FolderSplit) else None
    found = []
    for (*places, probability, own), picture in zip(rows.tolist(), pictures):
        index, label, guess = map(int, places)
        file = files[index] if files else None
        found.append(Mistake(index, label, guess, names[label], names[guess], probability, own, file, picture))
    return tuple(found)
