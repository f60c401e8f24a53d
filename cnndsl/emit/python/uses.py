"""The uses of a class: what each module of the graph constructs and runs.

A module's children are *elements*: constructor calls and, in a chain, loops of them. An element's
``key`` identifies the step of the definition that made it, so the elements of two uses can be matched;
keys compare in the order of the definition, which is that of the graph.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from cnndsl.graph.graph import (
    Apply,
    Body,
    Branch,
    Dense,
    Inline,
    Item,
    Merge,
    Module,
    Operation,
    Repeat,
    Residual,
    Split,
    operations,
)
from cnndsl.layers import Parametrized
from cnndsl.spec import steps as spec
from cnndsl.spec.evaluation import Value

Key: TypeAlias = tuple[int, ...]
NO_DEFAULT: Any = type("NoDefault", (), {"__repr__": lambda self: "no default"})()


@dataclass(frozen=True, slots=True)
class Given:
    """One argument of a constructor call: its value in this use, and how the spec writes it."""

    name: str
    value: Any
    written: Value | None = None
    #: Inferred from the input, so the spec does not write it.
    inferred: bool = False
    #: Written without its name.
    positional: bool = False
    #: The default if it is omitted; :data:`NO_DEFAULT` if it is required.
    default: Any = NO_DEFAULT


@dataclass(frozen=True, slots=True)
class Construct:
    """A constructor call that makes a child. ``inner`` are the children of an inline ``nn.Sequential``."""

    key: Key
    item: Apply | Module
    callee: str
    arguments: tuple[Given, ...] = ()
    inner: tuple[Element, ...] | None = None

    @property
    def parametrization(self) -> Parametrized | None:
        return self.item.layer.parametrization if isinstance(self.item, Apply) else None

    @property
    def name(self) -> str:
        return self.item.name

    @property
    def named(self) -> bool:
        return is_named(self.item.step)


@dataclass(frozen=True, slots=True)
class Loop:
    """The rounds of a ``repeat`` in a chain."""

    key: Key
    times: Value | None
    rounds: tuple[tuple[Element, ...], ...]


Element: TypeAlias = Construct | Loop


@dataclass(frozen=True, slots=True)
class Keyed:
    """An operation of a module's ``forward`` with its key. ``arm`` names the branch or side that it is on."""

    key: Key
    item: Operation
    arm: str = ""


# --- definitions ---------------------------------------------------------------------------------


def is_named(step: spec.Step | None) -> bool:
    return step is not None and step.name is not None


def has_names(steps: spec.Steps) -> bool:
    """Whether some child of a chain of steps has its own name."""
    return any(
        is_named(step) or has_names(step.otherwise) or (isinstance(step, spec.Repeat) and has_names(step.steps))
        for step in steps
    )


def needs_class(module: Module) -> bool:
    """Whether a module has its own class: blocks, and what ``nn.Sequential(...)`` cannot express."""
    named = any(is_named(item.step) for item in operations(module.body))
    return bool(module.block) or not module.chain or named or has_names(module.steps)


def positions(steps: spec.Steps, prefix: Key = ()) -> dict[int, Key]:
    """The position of each step of a list; those of an ``else`` come after the step that they replace."""
    found: dict[int, Key] = {}
    for index, step in enumerate(steps):
        found[id(step)] = (*prefix, index)
        found |= positions(step.otherwise, (*prefix, index, 1))
    return found


# --- what runs -----------------------------------------------------------------------------------


def keyed(body: Body, steps: spec.Steps, prefix: Key = (), arm: str = "") -> Iterator[Keyed]:
    """The operations of a module in execution order."""
    place = positions(steps)
    for item in body:
        yield from _keyed_item(item, (*prefix, *place[id(item.step)], 0), arm)


def _keyed_item(item: Item, key: Key, arm: str) -> Iterator[Keyed]:
    step: Any = item.step
    match item:
        case Repeat(rounds=rounds):
            for number, body in enumerate(rounds):
                yield from keyed(body, step.steps, (*key, number), arm)
        case Dense(rounds=pairs):
            for number, (body, merge) in enumerate(pairs):
                yield from keyed(body, step.steps, (*key, number, 0), arm or "new")
                yield Keyed((*key, number, 1), merge, arm)
        case Inline(body=body, definition=block):
            yield from keyed(body, block.steps, key, arm)
        case Branch(split=split, arms=arms, merge=merge):
            if split:
                yield Keyed((*key, 0), split, arm)
            alone = sum(bool(one.body) for one in arms) == 1
            for number, one in enumerate(arms, 1):
                place = (*key, 1, one.written, one.round)
                yield from keyed(one.body, step.branches[one.written].steps, place, arm if alone else f"branch{number}")
            yield Keyed((*key, 2), merge, arm)
        case Residual(body=body, shortcut=shortcut, merge=merge):
            yield from keyed(body, step.steps, (*key, 0), arm)
            if isinstance(step.shortcut, tuple):
                yield from keyed(shortcut, step.shortcut, (*key, 1), "shortcut")
            if merge:
                yield Keyed((*key, 2), merge, arm)
        case _:
            yield Keyed(key, item, arm)


def signature(item: Operation) -> Hashable:
    """What operations with one key must share to be one operation of a class."""
    match item:
        case Merge():
            return (item.kind, item.dim, len(item.inputs))
        case Split():
            return ("even", len(item.sizes)) if len(set(item.sizes)) == 1 else item.sizes
    return (item.name, item.reuse)


def outline(elements: Iterable[Element]) -> Hashable:
    """Everything about some elements except the values of their arguments."""
    return tuple(
        (element.key, tuple(map(outline, element.rounds)))
        if isinstance(element, Loop)
        else (
            element.key,
            element.name,
            element.callee,
            tuple((given.name, given.positional) for given in element.arguments),
            None if element.inner is None else outline(element.inner),
            str(element.parametrization),
        )
        for element in elements
    )
