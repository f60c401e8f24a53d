"""The optimizers of ``torch.optim``.

The parameters to optimize are not an argument here, and neither are the variants of torch's implementation
(``foreach``, ``fused``, ``capturable``, ``differentiable``). ``maximize`` makes no sense for a loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnndsl.layers.function import by_name
from cnndsl.layers.kinds import (
    ABOVE_ZERO,
    BOOLEAN,
    MAX_NUMBER,
    NOT_NEGATIVE,
    NULL,
    NUMBER,
    PROBABILITY,
    Listing,
    Number,
)
from cnndsl.layers.shape import Refused
from cnndsl.layers.table import Argument, argument
from cnndsl.recipe.table import BELOW_1, Each, Interval, Rule, Ruled

Arguments = dict[str, Argument[Any]]


class Optimizer(Ruled):
    """An optimizer with its arguments, except the parameters."""

    def __init__(self, name: str, documentation: str, arguments: Arguments, *, rule: Rule | None = None) -> None:
        super().__init__(name, documentation, arguments, path=f"torch.optim.{name}", rule=rule)


def _nesterov(values: Mapping[str, Any]) -> None:
    if values["nesterov"] and (values["momentum"] == 0 or values["dampening"] != 0):
        raise Refused("Nesterov's momentum needs a `momentum` above 0 and a `dampening` of 0", "nesterov")


def _first_step(values: Mapping[str, Any]) -> None:
    """Adam divides the rate by ``1 - beta1`` in its first step, and passes the result to its kernels as float32."""
    if values["lr"] / (1 - values["betas"][0]) > MAX_NUMBER:
        raise Refused(f"`lr` {values['lr']:.3g}, divided by 1 - beta1, overflows float32", "lr")


def _etas(values: Mapping[str, Any]) -> None:
    low, high = values["etas"]
    if not 0 < low < 1 < high:
        raise Refused(f"`etas` must be a factor between 0 and 1 and one above 1, got {low} and {high}", "etas")


class _NotPositive(Number):
    def expects(self, dims: int) -> str:
        return "a number of at most 0"


class _Epsilons(Listing[Any]):
    """The two epsilons of Adafactor; the first may be null."""

    def __init__(self) -> None:
        super().__init__(NOT_NEGATIVE | NULL, 2)

    def accepts(self, value: object, dims: int) -> bool:
        return super().accepts(value, dims) and isinstance(value, tuple) and value[1] is not None

    def expects(self, dims: int) -> str:
        return "a list of 2 numbers, each of at least 0; the first may be null"


def _lr(default: float) -> Arguments:
    return {"lr": argument(NOT_NEGATIVE, default)}


def _decay(default: float = 0) -> Arguments:
    return {"weight_decay": argument(NOT_NEGATIVE, default)}


def _adam(lr: float, weight_decay: float = 0) -> Arguments:
    """The first arguments of every optimizer in Adam's family."""
    return {
        **_lr(lr),
        "betas": argument(Each(BELOW_1, 2), (0.9, 0.999)),
        "eps": argument(NOT_NEGATIVE, 1e-08),
        **_decay(weight_decay),
    }


def _switch(name: str, *, keyword: bool = False) -> Arguments:
    return {name: argument(BOOLEAN, False, keyword=keyword)}


OPTIMIZERS = by_name(
    (
        Optimizer(
            "SGD",
            "Stochastic gradient descent, optionally with momentum. Sutskever et al., 2013.",
            {
                **_lr(0.001),
                "momentum": argument(NOT_NEGATIVE, 0),
                "dampening": argument(NUMBER, 0),
                **_decay(),
                **_switch("nesterov"),
            },
            rule=_nesterov,
        ),
        Optimizer(
            "Adam",
            "Adapts each step to running means of the gradients and of their squares. Kingma and Ba, 2014.",
            {**_adam(0.001), **_switch("amsgrad"), **_switch("decoupled_weight_decay", keyword=True)},
            rule=_first_step,
        ),
        Optimizer(
            "AdamW",
            "``Adam`` with weight decay decoupled from the gradients. Loshchilov and Hutter, 2017.",
            {**_adam(0.001, 0.01), **_switch("amsgrad")},
            rule=_first_step,
        ),
        Optimizer(
            "NAdam",
            "``Adam`` with Nesterov's momentum. Dozat, 2016.",
            {**_adam(0.002), "momentum_decay": argument(NOT_NEGATIVE, 0.004), **_switch("decoupled_weight_decay")},
            rule=_first_step,
        ),
        Optimizer(
            "RAdam",
            "``Adam`` with a correction for the high variance of its first steps. Liu et al., 2019.",
            {**_adam(0.001), **_switch("decoupled_weight_decay")},
        ),
        Optimizer(
            "Adamax",
            "``Adam`` with the infinity norm: it scales by the largest recent gradient. Kingma and Ba, 2014.",
            _adam(0.002),
            rule=_first_step,
        ),
        Optimizer(
            "Adagrad",
            "Scales each step by the sum of all squared gradients so far. Duchi, Hazan and Singer, 2011.",
            {
                **_lr(0.01),
                "lr_decay": argument(NOT_NEGATIVE, 0),
                **_decay(),
                "initial_accumulator_value": argument(NOT_NEGATIVE, 0),
                "eps": argument(NOT_NEGATIVE, 1e-10),
            },
        ),
        Optimizer(
            "Adadelta",
            "Scales each step by running means of squared gradients and of squared steps. Zeiler, 2012.",
            {
                **_lr(1.0),
                "rho": argument(PROBABILITY, 0.9),
                "eps": argument(NOT_NEGATIVE, 1e-06),
                **_decay(),
            },
        ),
        Optimizer(
            "RMSprop",
            "Scales each step by a running mean of squared gradients. Hinton, 2012; ``centered``: Graves, 2013.",
            {
                **_lr(0.01),
                "alpha": argument(PROBABILITY, 0.99),
                "eps": argument(NOT_NEGATIVE, 1e-08),
                **_decay(),
                "momentum": argument(NOT_NEGATIVE, 0),
                **_switch("centered"),
            },
        ),
        Optimizer(
            "Rprop",
            "Uses only the signs of the gradients; made for batches of the whole data set. Riedmiller and Braun, 1993.",
            {
                **_lr(0.01),
                "etas": argument(Interval(ABOVE_ZERO), (0.5, 1.2)),
                "step_sizes": argument(Interval(ABOVE_ZERO), (1e-06, 50)),
            },
            rule=_etas,
        ),
        Optimizer(
            "ASGD",
            "Averaged stochastic gradient descent. Polyak and Juditsky, 1992.",
            {
                **_lr(0.01),
                "lambd": argument(NOT_NEGATIVE, 0.0001),
                "alpha": argument(PROBABILITY, 0.75),  # an exponent: with a large one, torch's rate overflows
                "t0": argument(NOT_NEGATIVE, 1000000.0),
                **_decay(),
            },
        ),
        Optimizer(
            "Adafactor",
            "``Adam`` that stores the squares per row and column, which saves memory. Shazeer and Stern, 2018.",
            {
                **_lr(0.01),
                "beta2_decay": argument(_NotPositive(maximum=0), -0.8),
                "eps": argument(_Epsilons(), (None, 0.001)),
                "d": argument(Number(1), 1.0),
                **_decay(0.0),
            },
        ),
    )
)
