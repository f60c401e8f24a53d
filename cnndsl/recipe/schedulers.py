"""The schedules of learning rates of ``torch.optim.lr_scheduler``.

The optimizer is not an argument here, nor is ``last_epoch``, nor are arguments that are Python functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Literal

from cnndsl.layers.function import Calls, by_name
from cnndsl.layers.kinds import (
    ABOVE_ZERO,
    BOOLEAN,
    NATURAL,
    NOT_NEGATIVE,
    NULL,
    POSITIVE,
    PROBABILITY,
    Choice,
    Listing,
)
from cnndsl.layers.shape import Refused
from cnndsl.layers.table import Argument, argument
from cnndsl.recipe.table import ABOVE_0_TO_1, BELOW_1, INSIDE_0_AND_1, Rule, Ruled

Values = Mapping[str, Any]


class Scheduler(Ruled):
    """A schedule: its arguments, and whether it moves on ``per`` epoch or per step of the optimizer."""

    def __init__(
        self,
        name: str,
        documentation: str,
        arguments: Mapping[str, Argument[Any]],
        *,
        per: Literal["epoch", "step"] = "epoch",
        rule: Rule | None = None,
    ) -> None:
        super().__init__(name, documentation, arguments, path=f"torch.optim.lr_scheduler.{name}", rule=rule)
        self.per = per


def _increasing(values: Values) -> None:
    milestones = values["milestones"]
    if any(later <= earlier for earlier, later in pairwise(milestones)):
        raise Refused(f"`milestones` do not increase: {[*milestones]}", "milestones")


def _one_milestone_between(values: Values) -> None:
    between, given = len(values["schedulers"]) - 1, len(values["milestones"])
    if given != between:
        message = f"{between + 1} schedulers need {between} milestones, one for each change, not {given}"
        raise Refused(message, "milestones")
    _increasing(values)


def _rising(values: Values) -> None:
    for low, high in (("base_lr", "max_lr"), ("base_momentum", "max_momentum")):
        if low in values and values[low] > values[high]:
            raise Refused(f"`{low}` is {values[low]}, above `{high}`, which is {values[high]}", low)


def _one_cycle(values: Values) -> None:
    _rising(values)
    total = values["total_steps"]
    if total is None:
        given = [name for name in ("epochs", "steps_per_epoch") if values[name] is not None]
        if len(given) == 1:
            help = "or leave them out: the schedule then lasts as long as the training"
            raise Refused("`epochs` and `steps_per_epoch` are given together", given[0], help)
        total = values["epochs"] * values["steps_per_epoch"] if given else None
    if total is not None and total * values["pct_start"] == 1:
        # torch divides by the steps from the first one to the end of the rise, which are none
        message = f"the rise, {values['pct_start']} of {total} steps, is one step"
        raise Refused(message, "pct_start", "make it larger, or smaller")


def _momentum(base: float, top: float, *, keyword: bool) -> dict[str, Argument[Any]]:
    return {
        "cycle_momentum": argument(BOOLEAN, True, keyword=keyword),
        "base_momentum": argument(BELOW_1, base, keyword=keyword),
        "max_momentum": argument(BELOW_1, top, keyword=keyword),
    }


#: What moves on by itself, epoch by epoch, so that others can be put after it or on top of it.
_CHAINABLE = by_name(
    (
        Scheduler(
            "StepLR",
            "Times ``gamma`` every ``step_size`` epochs.",
            {"step_size": argument(POSITIVE), "gamma": argument(NOT_NEGATIVE, 0.1)},
        ),
        Scheduler(
            "MultiStepLR",
            "Times ``gamma`` at each of the epochs ``milestones``.",
            {"milestones": argument(Listing(POSITIVE)), "gamma": argument(NOT_NEGATIVE, 0.1)},
            rule=_increasing,
        ),
        Scheduler(
            "ConstantLR",
            "Times ``factor`` for the first ``total_iters`` epochs.",  # of 0, torch divides by it afterwards
            {"factor": argument(ABOVE_0_TO_1, 1 / 3), "total_iters": argument(POSITIVE, 5)},
        ),
        Scheduler(
            "LinearLR",
            "Times a factor that goes from ``start_factor`` to ``end_factor`` in ``total_iters`` epochs.",
            {
                "start_factor": argument(ABOVE_0_TO_1, 1 / 3),
                "end_factor": argument(PROBABILITY, 1.0),
                "total_iters": argument(POSITIVE, 5),
            },
        ),
        Scheduler("ExponentialLR", "Times ``gamma`` every epoch.", {"gamma": argument(NOT_NEGATIVE)}),
        Scheduler(
            "PolynomialLR",
            "Down to 0 in ``total_iters`` epochs, by a polynomial of degree ``power``.",
            {"total_iters": argument(POSITIVE, 5), "power": argument(NOT_NEGATIVE, 1.0)},
        ),
        Scheduler(
            "CosineAnnealingLR",
            "Down to ``eta_min`` in ``T_max`` epochs, by half a cosine. Loshchilov and Hutter, 2016.",
            {"T_max": argument(POSITIVE), "eta_min": argument(NOT_NEGATIVE, 0.0)},
        ),
        Scheduler(
            "CosineAnnealingWarmRestarts",
            "``CosineAnnealingLR`` again and again, first in ``T_0`` epochs, then each time in ``T_mult`` times as "
            "many. Loshchilov and Hutter, 2016.",
            {"T_0": argument(POSITIVE), "T_mult": argument(POSITIVE, 1), "eta_min": argument(NOT_NEGATIVE, 0.0)},
        ),
    )
)

_PARTS = Calls(_CHAINABLE, "chainable schedulers")

SCHEDULERS = _CHAINABLE | by_name(
    (
        Scheduler(
            "CyclicLR",
            "Up from ``base_lr`` to ``max_lr`` in ``step_size_up`` steps, down in ``step_size_down`` or as many, "
            "over and over. Smith, 2015.",
            {
                "base_lr": argument(NOT_NEGATIVE),
                "max_lr": argument(NOT_NEGATIVE),
                "step_size_up": argument(POSITIVE, 2000),
                "step_size_down": argument(POSITIVE | NULL, None),
                "mode": argument(Choice("triangular", "triangular2", "exp_range"), "triangular"),
                "gamma": argument(NOT_NEGATIVE, 1.0),
                **_momentum(0.8, 0.9, keyword=True),
            },
            per="step",
            rule=_rising,
        ),
        Scheduler(
            "OneCycleLR",
            "Up to ``max_lr`` in the share ``pct_start`` of the steps, then far down. Without ``total_steps`` or "
            "``epochs`` and ``steps_per_epoch`` it takes the whole training. Smith and Topin, 2017.",
            {
                "max_lr": argument(NOT_NEGATIVE),
                "total_steps": argument(POSITIVE | NULL, None),
                "epochs": argument(POSITIVE | NULL, None),
                "steps_per_epoch": argument(POSITIVE | NULL, None),
                "pct_start": argument(INSIDE_0_AND_1, 0.3),
                "anneal_strategy": argument(Choice("cos", "linear"), "cos"),
                **_momentum(0.85, 0.95, keyword=False),
                "div_factor": argument(ABOVE_ZERO, 25.0),
                "final_div_factor": argument(ABOVE_ZERO, 10000.0),
                "three_phase": argument(BOOLEAN, False),
            },
            per="step",
            rule=_one_cycle,
        ),
        Scheduler(
            "ReduceLROnPlateau",
            "Times ``factor`` when ``patience`` epochs brought no test loss that is lower by ``threshold``.",
            {
                "mode": argument(Choice("min"), "min"),  # of a loss
                "factor": argument(BELOW_1, 0.1),
                "patience": argument(NATURAL, 10),
                "threshold": argument(NOT_NEGATIVE, 0.0001),
                "threshold_mode": argument(Choice("rel", "abs"), "rel"),
                "cooldown": argument(NATURAL, 0),
                "min_lr": argument(NOT_NEGATIVE, 0),
                "eps": argument(NOT_NEGATIVE, 1e-08),
            },
        ),
        Scheduler(
            "SequentialLR",
            "One of the ``schedulers`` after another, the next one from each of the epochs ``milestones`` on.",
            {"schedulers": argument(_PARTS), "milestones": argument(Listing(POSITIVE, minimum=0))},
            rule=_one_milestone_between,
        ),
        Scheduler("ChainedScheduler", "All of the ``schedulers`` at once.", {"schedulers": argument(_PARTS)}),
    )
)
