"""A loss that means the same however its samples are dealt out: to batches, to accumulated ones, to processes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cnndsl.recipe.losses import LOSSES
from cnndsl.spec.calls import FunctionCall
from cnndsl.training.devices import exact_dtype


class Criterion(nn.Module):
    """A loss of torch's, and the mass that a batch has in it.

    Torch divides a sum over labels by their mass: the sum of the weights of the labels that are not ignored, or the
    number of labels where the loss has no weighted mean. So a step is the sum over all of its batches, on all
    processes, divided by the mass of them all. Formulas: https://docs.pytorch.org/docs/stable/nn.html#loss-functions.
    """

    def __init__(self, loss: nn.Module, *, by_weight: bool, summed: bool) -> None:
        """``loss`` gives means or sums; ``summed``: a step is a sum, and not divided."""
        super().__init__()
        self.loss = loss
        self.by_weight = by_weight
        self.summed = summed
        #: The label that does not count; None where no label of a data set is it.
        self.ignored = _ignored(loss)

    @classmethod
    def of(cls, call: FunctionCall) -> Criterion:
        """The loss that a recipe calls."""
        given = dict(call.arguments)
        summed = given.pop("reduction", "mean") == "sum"
        if given.get("weight") is not None:
            given["weight"] = torch.tensor(given["weight"], dtype=torch.float32)
        loss = getattr(nn, call.name)(**given)
        # Torch's mean of a batch without mass is 0 / 0. Where no batch can be without, it is taken, because it rounds
        # as in a loop written by hand.
        if summed or _ignored(loss) is not None or (loss.weight is not None and not loss.weight.all()):
            loss.reduction = "sum"
        return cls(loss, by_weight=LOSSES[call.name].by_weight, summed=summed)

    def counted(self, labels: Tensor) -> Tensor:
        """Which labels count, bool, of the shape of ``labels``."""
        return torch.ones_like(labels, dtype=torch.bool) if self.ignored is None else labels != self.ignored

    def mass(self, labels: Tensor) -> Tensor:
        """What ``labels``, (N,) or (N, ...), count together: a scalar, 0 where none does."""
        exact = exact_dtype(labels.device)
        masses = self.counted(labels).to(exact)
        weight: Tensor | None = self.loss.weight if self.by_weight else None  # type: ignore[assignment]
        return (masses if weight is None else masses * weight.to(exact)[labels]).sum()

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """``scores`` (N, classes, ...) and ``labels`` (N, ...) to torch's loss; times :meth:`scale` it is the sum."""
        value: Tensor = self.loss(scores, labels)
        return value

    def scale(self, mass: Tensor) -> Tensor:
        """What makes a sum over labels of this mass of the loss of a batch."""
        return mass if self.loss.reduction == "mean" else torch.ones_like(mass)

    def share(self, mass: Tensor, total: Tensor) -> Tensor:
        """What the loss of a batch counts in a step whose batches have the mass ``total`` together."""
        return self.scale(mass) if self.summed else torch.where(total > 0, self.scale(mass) / total, 0)


def _ignored(loss: nn.Module) -> int | None:
    ignored = getattr(loss, "ignore_index", None)
    return ignored if isinstance(ignored, int) and ignored >= 0 else None
