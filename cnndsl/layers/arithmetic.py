"""Layers that add or multiply one number."""

from __future__ import annotations

from cnndsl.layers.kinds import NUMBER
from cnndsl.layers.table import Layer, argument, layer


def _definition(name: str, what: str, sign: str) -> str:
    return f'''\
class {name}(nn.Module):
    """{what}"""

    def __init__(self, other: float) -> None:
        super().__init__()
        self.other = other

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x {sign} self.other
'''


class _Arithmetic(Layer):
    family = "linear"

    other = argument(NUMBER)


@layer
class Add(_Arithmetic):
    """Adds one number to every value: ``x + other``. ``merge: add`` adds tensors."""

    definition = _definition("Add", "Adds one number to every value.", "+")
    example = {"other": 1.0}
    short_name = "offset"  # the merge `add` counts its own


@layer
class Multiply(_Arithmetic):
    """Multiplies every value by one number: ``x * other``. ``merge: multiply`` multiplies tensors."""

    definition = _definition("Multiply", "Multiplies every value by one number.", "*")
    example = {"other": 0.17}
    short_name = "factor"
