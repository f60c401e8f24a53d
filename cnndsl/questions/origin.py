"""Where the value of an argument comes from: through calls of blocks and rounds of loops, to the spec's parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from cnndsl.diagnostics import shorten
from cnndsl.graph.graph import Inline, Module
from cnndsl.printable import as_written
from cnndsl.record import Record
from cnndsl.spec.steps import Arm, Let, Loop, Step, Steps
from cnndsl.spec.values import Expression, ListValue, Literal, Value, expressions_in

#: The most calls through which a number is followed.
_DEEPEST = 16
#: Stands for a value that the graph does not keep.
_UNKNOWN = object()


class Given(Record, frozen=True):
    """How a name gets its value: ``told`` is where, in words, ``written`` is what is written there, and ``names`` are
    those that it may use."""

    value: Any
    written: Value | None
    told: str
    names: Names


#: The names that expressions may use at a place.
Names: TypeAlias = Mapping[str, Given]


def of_document(root: Module) -> Names:
    """The parameters of a whole spec."""
    return {name: Given(value, None, "of `params`", {}) for name, value in root.params.items()}


def of_call(item: Module | Inline, around: Names, document: Names) -> Names:
    """The names inside of a module: a block knows its parameters and the document's, a ``sequential`` those around."""
    if not item.definition.name:
        return within(item.definition.steps, around)
    called = f", called at {item.step.span}" if item.step else ""
    inside = {**document}
    for name, value in item.params.items():
        written = item.written.get(name)
        told = f"in `{item.definition.name}`{called}" if written else f"by default in `{item.definition.name}`"
        inside[name] = Given(value, written, told, around)
    return within(item.definition.steps, inside)


def within(steps: Steps, names: Names) -> Names:
    """The names that a list of steps knows: those around, and those of its own ``let`` steps."""
    for step in steps:
        if isinstance(step, Let):
            for name, value in step.values:
                names = {**names, name.name: Given(_UNKNOWN, value, f"by `let` at {name.span}", names)}
    return names


def of_round(step: Step, arm: Arm, number: int, count: int, around: Names) -> Names:
    """The names inside of ``arm``, steps of ``step`` that run in round ``number``, counted from 0, if it has a loop."""
    if arm.loop is None:
        return within(arm.steps, around)
    loop = arm.loop
    told = f"in round {number + 1} of {count} of `{step.span.text}` at {step.span}"
    written = loop.elements if isinstance(loop.elements, Expression) else None
    elements = ((name.name, _element(loop, index, number)) for index, name in enumerate(loop.names))
    return within(arm.steps, {**around, **{name: Given(value, written, told, around) for name, value in elements}})


def _element(loop: Loop, index: int, number: int) -> Any:
    """The value of a name in a round, if the list is written out."""
    element = loop.elements.items[number] if isinstance(loop.elements, ListValue) else None
    if loop.unpack:
        element = element.items[index] if isinstance(element, ListValue) else None
    return element.value if isinstance(element, Literal) else _UNKNOWN


def origins(written: Value, names: Names) -> tuple[str, ...]:
    """Where the value that is ``written`` comes from, call by call; empty if it is no expression."""
    return (f"{_text(written)}", *_followed(written, names, _DEEPEST)) if any(expressions_in(written)) else ()


def _followed(written: Value, names: Names, deepest: int) -> Iterator[str]:
    for name in sorted({name for expression in expressions_in(written) for name in expression.names & names.keys()}):
        given = names[name]
        value = "" if given.value is _UNKNOWN else f" = {shorten(as_written(given.value))}"
        link = f"{name}{value} {given.told}"
        if given.written is None or not any(expressions_in(given.written)) or not deepest:
            yield link
        else:
            yield f"{link} with {_text(given.written)}"
            yield from _followed(given.written, given.names, deepest - 1)


def _text(written: Value) -> str:
    if not isinstance(written, Expression):
        return shorten(written.span.text)
    return shorten(f"${written.text}" if written.text.isidentifier() else f"$({written.text})")
