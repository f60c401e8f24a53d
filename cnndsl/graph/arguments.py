"""The arguments of a layer or block by name, evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from msgspec.structs import replace

from cnndsl.diagnostics import Code
from cnndsl.graph.site import Site
from cnndsl.layers import LAYERS, Layer
from cnndsl.record import Record
from cnndsl.spec.arguments import Callee, by_name
from cnndsl.spec.document import Block
from cnndsl.spec.steps import Call
from cnndsl.spec.tree import UNKNOWN
from cnndsl.spec.values import Arguments, Literal, Value, dealt

LayerOrBlock = TypeVar("LayerOrBlock", bound=type[Layer] | Block)


class Called(Record, Generic[LayerOrBlock], frozen=True):
    """The layer or block that a step calls, with all of its arguments: those of the step may follow others."""

    step: Call
    of: LayerOrBlock
    arguments: Arguments


class Given(Record, frozen=True):
    """The arguments of a call by name: their ``values``, and as ``written``."""

    values: Mapping[str, Any]
    written: Mapping[str, Value]


class Matcher:
    """Gives the arguments of calls their names. What is the same whenever a step runs is worked out once."""

    def __init__(self) -> None:
        self._callees: dict[type[Layer] | Block, Callee] = {}
        self._written: dict[tuple[Call, type[Layer] | Block], Mapping[str, Value] | None] = {}

    def evaluated(self, called: Called[Any], site: Site) -> Given | None:
        """The arguments by name; None if that fails."""
        if (written := self._fixed(called)) is not None:
            return Given({name: site.value(value) for name, value in written.items()}, written)
        callee, given = self._callee(called.of), _given(called)
        positional = _positional(given, callee.positional, site)
        written, sound = by_name(callee, [value for value, _ in positional], given.keywords, site.fault)
        values = {name: worth for name, (_, worth) in zip(callee.positional, positional)}
        for keyword in given.keywords:
            values[keyword.name] = site.value(keyword.value)
        return Given(values, written) if sound else None

    def written(self, step: Call, blocks: Mapping[str, Block]) -> Mapping[str, Value] | None:
        """The arguments of a step that calls a layer or a block by its name; None if their names depend on a value."""
        name = step.callee.value if isinstance(step.callee, Literal) else None
        of = blocks.get(str(name)) or LAYERS.get(str(name))
        return self._fixed(Called(step, of, step.arguments)) if of else None

    def _callee(self, of: type[Layer] | Block) -> Callee:
        callee = self._callees.get(of)
        if callee is None:
            callee = self._callees[of] = _callee(of)
        return callee

    def _fixed(self, called: Called[Any]) -> Mapping[str, Value] | None:
        """The arguments by name; None if that depends on a value, or if they have a fault."""
        if called.arguments is not called.step.arguments:
            return None
        key = called.step, called.of
        if key not in self._written:
            self._written[key] = _by_name(self._callee(called.of), _given(called))
        return self._written[key]


def _by_name(callee: Callee, given: Arguments) -> Mapping[str, Value] | None:
    names = [*callee.positional[: len(given.positional)], *(keyword.name for keyword in given.keywords)]
    spreads = given.alone is not None and len(callee.positional) > 1
    too_many = len(given.positional) > len(callee.positional)
    if spreads or too_many or len({*names}) < len(names) or not all(name in callee.known for name in names):
        return None
    return dict(zip(names, given.values))


def _given(called: Called[Any]) -> Arguments:
    """The arguments, where a list is one of them if it is the layer's only one."""
    given = called.arguments
    if given.whole is None or isinstance(called.of, Block) or not called.of.takes_list():
        return given
    return replace(given, positional=(given.whole,))


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
