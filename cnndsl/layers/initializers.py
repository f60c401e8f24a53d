"""Initial weights: the functions of ``torch.nn.init``, without their underscore."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod, sqrt
from typing import Any

from cnndsl.layers.function import Function, by_name
from cnndsl.layers.kinds import ABOVE_ZERO, MAX_NUMBER, NOT_NEGATIVE, NUMBER, POSITIVE, PROBABILITY, Choice
from cnndsl.layers.shape import Refused
from cnndsl.layers.table import Argument, argument

Values = Mapping[str, Any]
Rule = Callable[[Values, tuple[int, ...]], None]


class Initializer(Function):
    """A function that fills a tensor: ``ranks`` are the numbers of dimensions that the tensor may have."""

    def __init__(
        self,
        name: str,
        documentation: str,
        arguments: Mapping[str, Argument[Any]] = {},
        *,
        ranks: range = range(64),
        rule: Rule | None = None,
    ) -> None:
        super().__init__(name, documentation, arguments, path=f"torch.nn.init.{name}_")
        self.ranks = ranks
        self.rule = rule

    def admit(self, values: Values, shape: tuple[int, ...]) -> None:
        """Raises :class:`Refused` for a tensor that cannot be filled with these arguments."""
        if len(shape) not in self.ranks:
            raise Refused(f"`{self.name}` cannot fill a tensor of shape {list(shape)}: it needs {self.needs}")
        if self.rule:
            self.rule(values, shape)

    @property
    def needs(self) -> str:
        """The number of dimensions that a tensor must have, in words."""
        low, high = self.ranks.start, self.ranks.stop - 1
        if low == high:
            return f"{low} dimensions"
        return f"{low} dimensions or more" if high == 63 else f"{low} to {high} dimensions"


def _ordered(values: Values, shape: tuple[int, ...]) -> None:
    if values["a"] > values["b"]:
        raise Refused(f"the range from {values['a']} to {values['b']} is empty", "a")


def _range(values: Values, shape: tuple[int, ...]) -> None:
    _ordered(values, shape)
    _within_float32(values["a"], values["b"], "a")


def _around_zero(values: Values, shape: tuple[int, ...]) -> None:
    """Glorot's uniform range, which is symmetric around 0."""
    fans = (shape[0] + shape[1]) * prod(shape[2:])
    bound = values["gain"] * sqrt(6 / fans)
    _within_float32(-bound, bound, "gain")


def _within_float32(low: float, high: float, argument: str) -> None:
    if high - low > MAX_NUMBER:
        raise Refused(f"the range from {low:.3g} to {high:.3g} is wider than float32's largest number", argument)


def _whole_groups(values: Values, shape: tuple[int, ...]) -> None:
    if shape[0] % values["groups"]:
        raise Refused(f"{shape[0]} output channels are not divisible by {values['groups']} groups", "groups")


def _kaiming() -> dict[str, Argument[Any]]:
    convolutions = [f"{name}{dims}d" for name in ("conv", "conv_transpose") for dims in (1, 2, 3)]
    return {
        "a": argument(NUMBER, 0),
        "mode": argument(Choice("fan_in", "fan_out"), "fan_in"),
        "nonlinearity": argument(
            Choice("linear", *convolutions, "sigmoid", "tanh", "relu", "leaky_relu", "selu"), "leaky_relu"
        ),
    }


_AT_LEAST_2 = range(2, 64)

INITIALIZERS = by_name(
    (
        Initializer(
            "uniform",
            "Draws from the uniform distribution from ``a`` to ``b``.",
            {"a": argument(NUMBER, 0.0), "b": argument(NUMBER, 1.0)},
            rule=_range,
        ),
        Initializer(
            "normal",
            "Draws from the normal distribution with this mean and standard deviation.",
            {"mean": argument(NUMBER, 0.0), "std": argument(NOT_NEGATIVE, 1.0)},
        ),
        Initializer(
            "trunc_normal",
            "Draws as ``normal`` does, and redraws values outside the range from ``a`` to ``b``.",
            {
                "mean": argument(NUMBER, 0.0),
                "std": argument(ABOVE_ZERO, 1.0),
                "a": argument(NUMBER, -2.0),
                "b": argument(NUMBER, 2.0),
            },
            rule=_ordered,
        ),
        Initializer("constant", "Fills with ``val``.", {"val": argument(NUMBER)}),
        Initializer("ones", "Fills with 1."),
        Initializer("zeros", "Fills with 0."),
        Initializer(
            "eye",
            "The identity matrix: a linear layer passes on its inputs, up to its number of outputs.",
            ranks=range(2, 3),
        ),
        Initializer(
            "dirac",
            "The identity for convolutions: each group passes on its input channels, up to its number of outputs.",
            {"groups": argument(POSITIVE, 1)},
            ranks=range(3, 6),
            rule=_whole_groups,
        ),
        Initializer(
            "xavier_uniform",
            "``uniform`` from -a to a, ``a = gain * sqrt(6 / (fan_in + fan_out))``. Glorot and Bengio, 2010.",
            {"gain": argument(NOT_NEGATIVE, 1.0)},
            ranks=_AT_LEAST_2,
            rule=_around_zero,
        ),
        Initializer(
            "xavier_normal",
            "``normal`` with ``std = gain * sqrt(2 / (fan_in + fan_out))``. Glorot and Bengio, 2010.",
            {"gain": argument(NOT_NEGATIVE, 1.0)},
            ranks=_AT_LEAST_2,
        ),
        Initializer(
            "kaiming_uniform",
            "``uniform`` from -b to b, ``b = gain * sqrt(3 / fan)``: ``mode`` chooses the fan, ``nonlinearity`` "
            "the gain, which for ``leaky_relu`` depends on the slope ``a``. He et al., 2015.",
            _kaiming(),
            ranks=_AT_LEAST_2,
        ),
        Initializer(
            "kaiming_normal",
            "``normal`` with ``std = gain / sqrt(fan)``. Arguments as in ``kaiming_uniform``. He et al., 2015.",
            _kaiming(),
            ranks=_AT_LEAST_2,
        ),
        Initializer(
            "orthogonal",
            "A matrix with orthonormal rows or columns, times ``gain``; the dimensions after the first are flattened "
            "into one. Saxe, McClelland and Ganguli, 2013.",
            {"gain": argument(NUMBER, 1)},
            ranks=_AT_LEAST_2,
        ),
        Initializer(
            "sparse",
            "``normal``, but a fraction ``sparsity`` of each column is 0. Martens, 2010.",
            {"sparsity": argument(PROBABILITY), "std": argument(NOT_NEGATIVE, 0.01)},
            ranks=range(2, 3),
        ),
    )
)
