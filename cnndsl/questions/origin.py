"""Where the value of an argument comes from: through calls of blocks and rounds of loops, to the spec's parameters."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from msgspec.structs import replace

from cnndsl.diagnostics import shorten
from cnndsl.graph.graph import Inline, Module
from cnndsl.layers import LAYERS
from cnndsl.printable import as_written
from cnndsl.record import Record
from cnndsl.spec.document import Block, Parameter
from cnndsl.spec.evaluation import Environment, Unknown, evaluate, holds
from cnndsl.spec.steps import Arm, Let, Step, Steps
from cnndsl.spec.tree import UNKNOWN
from cnndsl.spec.values import Expression, Fault, ListValue, Value, expressions_in

#: The most calls through which a number is followed.
_DEEPEST = 16


class Given(Record, frozen=True):
    """How a name gets its ``value``, UNKNOWN if only the graph's elaboration could tell: ``told`` is where, in words,
    ``written`` is what is written there, and ``names`` are those that it may use."""

    value: Any
    written: Value | None
    told: str
    names: Names


#: The names that expressions may use at a place.
Names: TypeAlias = Mapping[str, Given]


class Scope(Record, frozen=True):
    """The names that a list of steps knows: ``at`` each step, and ``after`` the last."""

    at: Mapping[Step, Names]
    after: Names

    def of(self, step: Step | None) -> Names:
        return self.after if step is None else self.at.get(step, self.after)


def of_document(root: Module) -> Names:
    """The parameters of a whole spec."""
    return _parameters(root.definition, root.params, {}, lambda _: "of `params`", {})


def of_call(item: Module | Inline, step: Step | None, around: Names, document: Names) -> Scope:
    """The names inside of a module that ``step`` makes: a block knows its parameters and the document's, a
    ``sequential`` those ``around``."""
    block = item.definition
    if not block.name:
        return within(block.steps, around)
    called = f", called at {step.span}" if step else ""
    told = f"in `{block.name}`{called}"
    given = {name: Given(item.params[name], written, told, around) for name, written in item.written.items()}

    def default(parameter: Parameter) -> str:
        return f"by default in `{block.name}` at {parameter.span}"

    return within(block.steps, _parameters(block, item.params, given, default, document))


def _parameters(
    block: Block, values: Mapping[str, Any], given: Names, told: Callable[[Parameter], str], around: Names
) -> Names:
    """The parameters of a definition: those ``given``, or else their defaults, which may use earlier ones."""
    names = {**around}
    for parameter in block.parameters:
        name, default = parameter.name, parameter.default
        if name in values:
            names[name] = given.get(name) or Given(values[name], default, told(parameter), {**names})
    return names


def within(steps: Steps, names: Names) -> Scope:
    """The names in a list of steps: those around, and those of the ``let`` steps before."""
    at: dict[Step, Names] = {}

    def run(steps: Steps, names: Names) -> Names:
        for step in steps:
            at[step] = names
            run(step.otherwise, names)
            if isinstance(step, Let) and (step.when is None or _worth(step.when, names, holds)):
                names = _bound(step, names)
        return names

    return Scope(at, run(steps, names))


def _bound(step: Let, names: Names) -> Names:
    """The names after a ``let``, each of which may use those before it."""
    for name, value in step.values:
        names = {**names, name.name: Given(_worth(value, names), value, f"by `let` at {name.span}", names)}
    return names


def _worth(written: Value, names: Names, worth: Callable[[Value, Environment], Any] = evaluate) -> Any:
    """The result of a value, UNKNOWN if it uses more than names, such as the size of a tensor."""
    known = {name: given.value for name, given in names.items()}
    try:
        return worth(written, Environment(known, LAYERS))
    except (Fault, Unknown):
        return UNKNOWN


def of_rounds(step: Step, arm: Arm, count: int, around: Names) -> Callable[[int], Scope]:
    """The names inside of ``arm``, steps of ``step``, by the number of the round, from 0, if it has a loop. ``count``
    rounds have run."""
    loop = arm.loop
    if loop is None or loop.elements is None:
        scope = within(arm.steps, around)
        return lambda number: scope
    whole, values = loop.elements, _worth(loop.elements, around)

    def names(number: int) -> Scope:
        rounds = len(values) if isinstance(values, tuple) else count
        told = f"in round {number + 1} of {rounds} of `{step.span.text}` at {step.span}"
        written, value = _item(whole, number), _result(values, number)
        given = {name.name: Given(value, written, told, around) for name in loop.names}
        if loop.unpack:
            for index, name in enumerate(loop.names):
                given[name.name] = Given(_result(value, index), _item(written, index), told, around)
        return within(arm.steps, {**around, **given})

    return names


def _item(written: Value, index: int) -> Value:
    """An item of a list that is written out; of any other, the whole."""
    return written.items[index] if isinstance(written, ListValue) and index < len(written.items) else written


def _result(values: Any, index: int) -> Any:
    """An item of a result, UNKNOWN if there is none."""
    return values[index] if isinstance(values, tuple) and index < len(values) else UNKNOWN


def origins(written: Value, names: Names) -> tuple[str, ...]:
    """Where the value that is ``written`` comes from, call by call; empty if it is no expression."""
    return (_text(written), *_followed(written, names, _DEEPEST)) if any(expressions_in(written)) else ()


def _followed(written: Value, names: Names, deepest: int) -> Iterator[str]:
    used = {name for expression in expressions_in(written) for name in _names(expression)}
    for name in sorted(used & names.keys()):
        given = names[name]
        value = "" if given.value is UNKNOWN else f" = {shorten(as_written(given.value))}"
        link = f"{name}{value} {given.told}"
        if given.written is None or not any(expressions_in(given.written)) or not deepest:
            yield link
        else:
            yield f"{link} with {_text(given.written)}"
            yield from _followed(given.written, given.names, deepest - 1)


def _names(expression: Expression) -> frozenset[str]:
    """The names that a value depends on. An argument may be one item of a list in an expression: ``$([width, 3])``."""
    match expression.node:
        case ast.Subscript(value=ast.List(elts=items), slice=ast.Constant(value=int(index))):
            if not any(isinstance(item, ast.Starred) for item in items) and -len(items) <= index < len(items):
                return replace(expression, node=items[index]).names
    return expression.names


def _text(written: Value) -> str:
    """A value as the spec has it."""
    return shorten(written.span.text.strip("\"'"))
