"""The losses of ``torch.nn`` that compare scores with the number of the right class.

The weight of a sample in its step and in the figures does not depend on how the samples are divided into batches:
see ``cnndsl/training/criterion.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnndsl.layers.activation import LogSoftmax
from cnndsl.layers.function import Function, by_name
from cnndsl.layers.kinds import INTEGER, NOT_NEGATIVE, NULL, NUMBER, PROBABILITY, Choice
from cnndsl.layers.table import Argument, Layer, argument
from cnndsl.recipe.table import Each, OneOf


class Loss(Function):
    """A loss. ``per_pixel``: it also takes scores and classes for each pixel, ``(N, C, H, W)`` and ``(N, H, W)``.
    ``by_weight``: torch's mean divides by the weights of the labels, else by their number. ``after``: the layer whose
    log-probabilities it takes in place of unbounded scores."""

    def __init__(
        self,
        name: str,
        documentation: str,
        arguments: Mapping[str, Argument[Any]],
        *,
        per_pixel: bool = True,
        by_weight: bool = True,
        after: type[Layer] | None = None,
    ) -> None:
        super().__init__(name, documentation, arguments, path=f"torch.nn.{name}")
        self.per_pixel = per_pixel
        self.by_weight = by_weight
        self.after = after


def _weight(*, keyword: bool = False) -> Argument[Any]:
    """A factor for each class."""
    return argument(Each(NOT_NEGATIVE) | NULL, None, keyword=keyword)


def _reduction() -> Argument[Any]:
    """Whether the step uses the mean over its labels or the sum."""
    return argument(Choice("mean", "sum"), "mean", keyword=True)


LOSSES = by_name(
    (
        Loss(
            "CrossEntropyLoss",
            "Cross-entropy of unbounded scores, such as a linear layer's. ``weight`` has a factor for each class. "
            "Samples of class ``ignore_index`` do not count. ``label_smoothing`` is the share of the target "
            "probability that is spread evenly over all classes.",
            {
                "weight": _weight(),
                "ignore_index": argument(INTEGER, -100, keyword=True),
                "reduction": _reduction(),
                "label_smoothing": argument(PROBABILITY, 0.0, keyword=True),
            },
        ),
        Loss(
            "NLLLoss",
            "Cross-entropy of log-probabilities, for networks that end with ``LogSoftmax``.",
            {
                "weight": _weight(),
                "ignore_index": argument(INTEGER, -100, keyword=True),
                "reduction": _reduction(),
            },
            after=LogSoftmax,
        ),
        Loss(
            "MultiMarginLoss",
            "By how much other scores come within ``margin`` of the right class's, to the power of ``p``.",
            {
                "p": argument(OneOf(1, 2), 1),
                "margin": argument(NUMBER, 1.0),
                "weight": _weight(),
                "reduction": _reduction(),
            },
            per_pixel=False,
            by_weight=False,
        ),
    )
)
