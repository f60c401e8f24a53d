"""The losses of ``torch.nn`` that compare scores with the number of the right class.

What a batch counts in its step and in the figures is the same however the samples are dealt out to batches: see
``cnndsl/training/criterion.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnndsl.layers.function import Function, by_name
from cnndsl.layers.kinds import INTEGER, NOT_NEGATIVE, NULL, NUMBER, PROBABILITY, Choice
from cnndsl.layers.table import Argument, argument
from cnndsl.recipe.table import Each, OneOf


class Loss(Function):
    """A loss; ``per_pixel``: it takes scores and classes for every pixel too, ``(N, C, H, W)`` and ``(N, H, W)``.
    ``by_weight``: torch's mean is divided by the weights of the labels, else by their number."""

    def __init__(
        self,
        name: str,
        documentation: str,
        arguments: Mapping[str, Argument[Any]],
        *,
        per_pixel: bool = True,
        by_weight: bool = True,
    ) -> None:
        super().__init__(name, documentation, arguments, path=f"torch.nn.{name}")
        self.per_pixel = per_pixel
        self.by_weight = by_weight


def _weight(*, keyword: bool = False) -> Argument[Any]:
    """A factor for each class."""
    return argument(Each(NOT_NEGATIVE) | NULL, None, keyword=keyword)


def _reduction() -> Argument[Any]:
    """Whether the step goes by the mean over its labels or by their sum."""
    return argument(Choice("mean", "sum"), "mean", keyword=True)


LOSSES = by_name(
    (
        Loss(
            "CrossEntropyLoss",
            "Cross-entropy of scores of any size, as a linear layer gives them. ``weight`` has a factor for each "
            "class; samples of class ``ignore_index`` do not count; ``label_smoothing`` gives that share of the "
            "certainty to all classes alike.",
            {
                "weight": _weight(),
                "ignore_index": argument(INTEGER, -100, keyword=True),
                "reduction": _reduction(),
                "label_smoothing": argument(PROBABILITY, 0.0, keyword=True),
            },
        ),
        Loss(
            "NLLLoss",
            "The same of log-probabilities: for networks that end with ``LogSoftmax``.",
            {
                "weight": _weight(),
                "ignore_index": argument(INTEGER, -100, keyword=True),
                "reduction": _reduction(),
            },
        ),
        Loss(
            "MultiMarginLoss",
            "How far the scores of other classes come within ``margin`` of the right one's, to the power of ``p``.",
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
