"""Layers that add or multiply one number."""

from __future__ import annotations

from cnndsl.layers.kinds import NUMBER
from cnndsl.layers.shape import Shape
from cnndsl.layers.table import INPUT, NOTHING, Layer, Saved, argument, layer


class _Arithmetic(Layer):
    family = "linear"
    defined_in = "arithmetic"

    other = argument(NUMBER)


@layer
class Add(_Arithmetic):
    """Adds one number to every value: ``x + other``. ``merge: add`` adds tensors."""

    example = {"other": 1.0}
    short_name = "offset"  # the merge `add` counts its own


@layer
class Multiply(_Arithmetic):
    """Multiplies every value by one number: ``x * other``. ``merge: multiply`` multiplies tensors."""

    example = {"other": 0.17}
    short_name = "factor"


@layer
class Pow(Layer):
    """Raises every value to a power, ``x ** exponent``, as ``torch.pow``: ``Pow: 0.5`` is the square root, ``Pow: -1``
    the reciprocal.
    """

    family = "linear"
    defined_in = "arithmetic"
    short_name = "power"
    example = {"exponent": 2.0}

    exponent = argument(NUMBER)

    def saves(self, x: Shape, out: Shape) -> Saved:
        return INPUT if self.exponent else NOTHING
