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
    number of labels where the loss has no weighted mean. So means of several batches, each times its share of the
    mass, add up to the mean of all of them as one batch. Formulas: https://docs.pytorch.org/docs/stable/nn.html#loss-functions.
    """

    def __init__(self, loss: nn.Module, *, by_weight: bool, summed: bool) -> None:
        """``loss`` gives means; ``summed``: a step goes by their sum all the same."""
        super().__init__()
        self.loss = loss
        self.by_weight = by_weight
        self.summed = summed
        ignored = getattr(loss, "ignore_index", None)
        #: The label that does not count; None where no label of a data set is it.
        self.ignored: int | None = None if ignored is None or ignored < 0 else ignored

    @classmethod
    def of(cls, call: FunctionCall) -> Criterion:
        """The loss that a recipe calls."""
        given = dict(call.arguments)
        summed = given.pop("reduction", "mean") == "sum"
        if given.get("weight") is not None:
            given["weight"] = torch.tensor(given["weight"], dtype=torch.float32)
        return cls(getattr(nn, call.name)(**given), by_weight=LOSSES[call.name].by_weight, summed=summed)

    def counted(self, labels: Tensor) -> Tensor:
        """Which labels count, bool, of the shape of ``labels``."""
        return torch.ones_like(labels, dtype=torch.bool) if self.ignored is None else labels != self.ignored

    def mass(self, labels: Tensor) -> Tensor:
        """What ``labels``, (N,) or (N, ...), count together: a scalar, 0 where none does."""
        exact = exact_dtype(labels.device)
        weight = getattr(self.loss, "weight", None) if self.by_weight else None
        masses = self.counted(labels).to(exact)
        return (masses if weight is None else masses * weight.to(exact)[labels]).sum()

    def forward(self, scores: Tensor, labels: Tensor, mass: Tensor) -> Tensor:
        """``scores`` (N, classes, ...) and ``labels`` (N, ...) of a certain mass to their mean loss.

        Without mass torch's mean is 0 / 0. It is 0 here, and has no gradient, not even one of NaN.
        """
        counts = mass > 0
        scores = torch.where(counts, scores, scores.detach())
        return torch.where(counts, self.loss(scores, labels), 0.0)

    def share(self, mass: Tensor, total: Tensor) -> Tensor:
        """What the mean over a batch counts in a step whose batches have the mass ``total`` together."""
        return mass if self.summed else mass / torch.where(total > 0, total, 1)
