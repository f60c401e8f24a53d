"""A loss that does not depend on how samples are divided into batches, accumulated batches and processes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cnndsl.recipe.losses import LOSSES
from cnndsl.spec.calls import FunctionCall
from cnndsl.training.devices import exact_dtype


class Criterion(nn.Module):
    """A loss of torch, and the mass of a batch in it.

    Torch divides a sum over labels by their mass: the sum of the weights of the labels that are not ignored, or the
    number of labels if the loss has no weighted mean. So a step uses the sum over all of its batches, on all
    processes, divided by their total mass. Formulas: https://docs.pytorch.org/docs/stable/nn.html#loss-functions.
    """

    def __init__(self, loss: nn.Module, *, by_weight: bool, summed: bool) -> None:
        """``loss`` returns means or sums; ``summed``: a step uses the sum, undivided."""
        super().__init__()
        self.loss = loss
        self.by_weight = by_weight
        self.summed = summed
        #: The label that does not count; None if no label of a data set can equal it.
        self.ignored = _ignored(loss)

    @classmethod
    def of(cls, call: FunctionCall) -> Criterion:
        """The loss of a recipe."""
        given = dict(call.arguments)
        summed = given.pop("reduction", "mean") == "sum"
        if given.get("weight") is not None:
            given["weight"] = torch.tensor(given["weight"], dtype=torch.float32)
        loss = getattr(nn, call.name)(**given)
        # Torch's mean of a batch without mass is 0 / 0. If no batch can lack mass, that mean is used, because it rounds
        # as in a loop written by hand.
        if summed or _ignored(loss) is not None or (loss.weight is not None and not loss.weight.all()):
            loss.reduction = "sum"
        return cls(loss, by_weight=LOSSES[call.name].by_weight, summed=summed)

    def counted(self, labels: Tensor) -> Tensor:
        """Which labels count: bool, shape of ``labels``."""
        return torch.ones_like(labels, dtype=torch.bool) if self.ignored is None else labels != self.ignored

    def mass(self, labels: Tensor) -> Tensor:
        """The total mass of ``labels``, (N,) or (N, ...): a scalar, 0 if none counts."""
        exact = exact_dtype(labels.device)
        masses = self.counted(labels).to(exact)
        weight: Tensor | None = self.loss.weight if self.by_weight else None  # type: ignore[assignment]
        return (masses if weight is None else masses * weight.to(exact)[labels]).sum()

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Torch's loss for ``scores`` (N, classes, ...) and ``labels`` (N, ...); times :meth:`scale` it is the sum."""
        value: Tensor = self.loss(scores, labels)
        return value

    def scale(self, mass: Tensor) -> Tensor:
        """The factor that turns the loss of a batch with this mass into a sum over its labels."""
        return mass if self.loss.reduction == "mean" else torch.ones_like(mass)

    def share(self, mass: Tensor, total: Tensor) -> Tensor:
        """The factor of a batch's loss in a step whose batches have the total mass ``total``."""
        if self.summed:
            return self.scale(mass)
        return (self.scale(mass) / total).masked_fill(total == 0, 0)  # `where` would copy the 0 to the device


def _ignored(loss: nn.Module) -> int | None:
    ignored = getattr(loss, "ignore_index", None)
    return ignored if isinstance(ignored, int) and ignored >= 0 else None
