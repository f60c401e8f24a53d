"""The arguments of a layer or block by name, evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Any, Generic, TypeVar

from msgspec.structs import replace

from cnndsl.diagnostics import Code
from cnndsl.graph.site import Site
from cnndsl.layers import Layer
from cnndsl.record import Record
from cnndsl.spec.arguments import Callee, by_name
from cnndsl.spec.document import Block
from cnndsl.spec.tree import UNKNOWN
from cnndsl.spec.values import Arguments, Value, dealt

LayerOrBlock = TypeVar("LayerOrBlock", bound=type[Layer] | Block)


class Called(Record, Generic[LayerOrBlock], frozen=True, dict=True):
    """The layer or block that a step calls, with all of its arguments: those of the step may follow others."""

    of: LayerOrBlock
    arguments: Arguments

    @cached_property
    def _callee(self) -> Callee:
        if isinstance(self.of, Block):
            names = tuple(parameter.name for parameter in self.of.parameters)
            return Callee(self.of.name, names, names, partial(usage, self.of))
        return Callee(self.of.__name__, self.of.positional(), self.of.arguments, partial(usage, self.of))

    @cached_property
    def _given(self) -> Arguments:
        """The arguments, where a list is one of them if it is the layer's only one."""
        given = self.arguments
        if given.whole is None or isinstance(self.of, Block) or not self.of.takes_list():
            return given
        return replace(given, positional=(given.whole,))

    @cached_property
    def _written(self) -> Mapping[str, Value] | None:
        """The arguments by name; None if they have a fault, or if their number depends on a value."""
        given, callee = self._given, self._callee
        names = [*callee.positional[: len(given.positional)], *(keyword.name for keyword in given.keywords)]
        spreads = given.alone is not None and len(callee.positional) > 1
        too_many = len(given.positional) > len(callee.positional)
        if spreads or too_many or len({*names}) < len(names) or not all(name in callee.known for name in names):
            return None
        return dict(zip(names, given.values))

    def evaluated(self, site: Site) -> Given | None:
        """The arguments by name; None if that fails."""
        if self._written is not None:
            return Given({name: site.value(value) for name, value in self._written.items()}, self._written)
        callee, keywords = self._callee, self._given.keywords
        positional = _positional(self._given, callee.positional, site)
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
