"""The learning rate schedulers of ``torch.optim.lr_scheduler``.

The optimizer, ``last_epoch`` and arguments that are Python functions are not arguments here.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Literal

from cnndsl.layers.function import Calls, by_name
from cnndsl.layers.kinds import (
    ABOVE_ZERO,
    BOOLEAN,
    INSIDE_0_AND_1,
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
from cnndsl.recipe.table import ABOVE_0_TO_1, BELOW_1, Rule, Ruled

Values = Mapping[str, Any]


class Scheduler(Ruled):
    """A scheduler: its arguments, and whether it steps ``per`` epoch or per step of the optimizer."""

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
        raise Refused(f"`milestones` must increase, got {[*milestones]}", "milestones")


def _one_milestone_between(values: Values) -> None:
    between, given = len(values["schedulers"]) - 1, len(values["milestones"])
    if given != between:
        message = f"{between + 1} schedulers need {between} milestones, one for each change, got {given}"
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
            help = "or omit both: the schedule then lasts as long as the training"
            raise Refused("`epochs` and `steps_per_epoch` must be given together", given[0], help)
        total = values["epochs"] * values["steps_per_epoch"] if given else None
    if total is not None and total * values["pct_start"] == 1:
        # torch divides by the number of steps from the first one to the end of the rise, which is 0
        message = f"the rise, {values['pct_start']} of {total} steps, is only one step"
        raise Refused(message, "pct_start", "make it larger or smaller")


def _momentum(base: float, top: float, *, keyword: bool) -> dict[str, Argument[Any]]:
    return {
        "cycle_momentum": argument(BOOLEAN, True, keyword=keyword),
        "base_momentum": argument(BELOW_1, base, keyword=keyword),
        "max_momentum": argument(BELOW_1, top, keyword=keyword),
    }


#: Schedulers that step once per epoch and depend on nothing else, so they can be chained and combined.
_CHAINABLE = by_name(
    (
        Scheduler(
            "StepLR",
            "Multiplies the rate by ``gamma`` every ``step_size`` epochs.",
            {"step_size": argument(POSITIVE), "gamma": argument(NOT_NEGATIVE, 0.1)},
        ),
        Scheduler(
            "MultiStepLR",
            "Multiplies the rate by ``gamma`` at each epoch in ``milestones``.",
            {"milestones": argument(Listing(POSITIVE)), "gamma": argument(NOT_NEGATIVE, 0.1)},
            rule=_increasing,
        ),
        Scheduler(
            "ConstantLR",
            "Multiplies the rate by ``factor`` for the first ``total_iters`` epochs.",  # torch divides by it later
            {"factor": argument(ABOVE_0_TO_1, 1 / 3), "total_iters": argument(POSITIVE, 5)},
        ),
        Scheduler(
            "LinearLR",
            "Multiplies the rate by a factor from ``start_factor`` to ``end_factor``, in ``total_iters`` epochs.",
            {
                "start_factor": argument(ABOVE_0_TO_1, 1 / 3),
                "end_factor": argument(PROBABILITY, 1.0),
                "total_iters": argument(POSITIVE, 5),
            },
        ),
        Scheduler("ExponentialLR", "Multiplies the rate by ``gamma`` every epoch.", {"gamma": argument(NOT_NEGATIVE)}),
        Scheduler(
            "PolynomialLR",
            "Decays to 0 in ``total_iters`` epochs, by a polynomial of degree ``power``.",
            {"total_iters": argument(POSITIVE, 5), "power": argument(NOT_NEGATIVE, 1.0)},
        ),
        Scheduler(
            "CosineAnnealingLR",
            "Decays to ``eta_min`` in ``T_max`` epochs, along half a cosine. Loshchilov and Hutter, 2016.",
            {"T_max": argument(POSITIVE), "eta_min": argument(NOT_NEGATIVE, 0.0)},
        ),
        Scheduler(
            "CosineAnnealingWarmRestarts",
            "Repeats ``CosineAnnealingLR``: the first cycle has ``T_0`` epochs, each further one ``T_mult`` times as "
            "many as the one before. Loshchilov and Hutter, 2016.",
            {"T_0": argument(POSITIVE), "T_mult": argument(POSITIVE, 1), "eta_min": argument(NOT_NEGATIVE, 0.0)},
        ),
    )
)

_PARTS = Calls(_CHAINABLE, "chainable schedulers")

SCHEDULERS = _CHAINABLE | by_name(
    (
        Scheduler(
            "CyclicLR",
            "Rises from ``base_lr`` to ``max_lr`` in ``step_size_up`` steps, falls in ``step_size_down`` steps or as "
            "many, and repeats. Smith, 2015.",
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
            "Rises to ``max_lr`` in a fraction ``pct_start`` of the steps, then falls far below the start. It covers "
            "the whole training, unless ``total_steps``, or ``epochs`` and ``steps_per_epoch``, are given. Smith and "
            "Topin, 2017.",
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
            "Multiplies the rate by ``factor`` if ``patience`` epochs did not lower the test loss by ``threshold``.",
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
            "Runs ``schedulers`` one after another; each epoch in ``milestones`` starts the next one.",
            {"schedulers": argument(_PARTS), "milestones": argument(Listing(POSITIVE, minimum=0))},
            rule=_one_milestone_between,
        ),
        Scheduler("ChainedScheduler", "Applies all ``schedulers`` at once.", {"schedulers": argument(_PARTS)}),
    )
)
