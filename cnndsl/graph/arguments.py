"""The arguments of a layer or block by name, evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from cnndsl.diagnostics import Code
from cnndsl.graph.site import Site
from cnndsl.layers import Layer
from cnndsl.record import Record
from cnndsl.spec.arguments import Callee, by_name
from cnndsl.spec.document import Block
from cnndsl.spec.tree import UNKNOWN
from cnndsl.spec.values import Arguments, Value, dealt

LayerOrBlock = TypeVar("LayerOrBlock", type[Layer], Block)


class Called(Record, Generic[LayerOrBlock], frozen=True):
    """The layer or block that a step calls, with all of its arguments: those of the step may follow others."""

    of: LayerOrBlock
    arguments: Arguments

    def evaluated(self, site: Site) -> Given | None:
        """The arguments by name; None if that fails."""
        callee, keywords = _callee(self.of), self.arguments.keywords
        positional = _positional(self.arguments, callee.positional, site)
        written, sound = by_name(callee, [value for value, _ in positional], keywords, site.fault)
        values = {name: worth for name, (_, worth) in zip(callee.positional, positional)}
        for keyword in keywords:
            values[keyword.name] = site.value(keyword.value)
        return Given(values, written) if sound else None


class Given(Record, frozen=True):
    """The arguments of a call by name: their ``values``, and as ``written``."""

    values: Mapping[str, Any]
    written: Mapping[str, Value]


def usage(of: type[Layer] | Block) -> str:
    """How a layer or block is called."""
    return f"`{of.signature}`" if isinstance(of, Block) else f"`{of.__name__}({of.signature()})`"


def refuse_inputs(layer: str, inputs: Value, site: Site) -> None:
    """Reports ``inputs`` beside a layer."""
    help = "put `- from: NAME` before it; blocks may name several `inputs`"
    site.fault(Code.KEY, f"`{layer}` is a layer, which takes the current tensor", inputs.span, help)


def _callee(of: type[Layer] | Block) -> Callee:
    if isinstance(of, Block):
        names = tuple(parameter.name for parameter in of.parameters)
        return Callee(of.name, names, names, partial(usage, of))
    return Callee(of.__name__, of.positional(), of.arguments, partial(usage, of))


def _positional(given: Arguments, names: Sequence[str], site: Site) -> list[tuple[Value, Any]]:
    """Positional arguments, as written and evaluated. If there are several parameters, an evaluated list spreads
    over them, as a written one does."""
    values, worths = given.positional, [site.value(value) for value in given.positional]
    if len(names) > 1 and given.alone:
        if isinstance(worths[0], tuple):
            values, worths = dealt(given.alone, worths[0], len(names)), [*worths[0]]
        elif worths[0] is UNKNOWN:  # it may be a list
            values, worths = values * len(names), worths * len(names)
    return [*zip(values, worths)]
