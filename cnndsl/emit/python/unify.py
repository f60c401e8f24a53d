"""Compares the uses of one class: what they share, and slots for what differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from cnndsl.emit.python.text import Reference, literal
from cnndsl.emit.python.uses import NO_DEFAULT, Construct, Element, Given, Key, Loop
from cnndsl.layers import LAYERS, Parametrized
from cnndsl.spec.evaluation import Value

#: The value of a slot in a use that does not have the element.
ABSENT: Any = type("Absent", (), {"__repr__": lambda self: "absent"})()


class Unlike(Exception):
    """The uses differ in more than values: one class cannot express them all."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One argument over all uses of the class, or over all rounds of them in a loop."""

    name: str
    values: tuple[Any, ...]
    written: Value | None = None
    inferred: bool = False
    positional: bool = False
    default: Any = NO_DEFAULT

    @property
    def known(self) -> tuple[Any, ...]:
        return tuple(value for value in self.values if value is not ABSENT)

    @property
    def constant(self) -> bool:
        return len(set(map(literal, self.known))) <= 1

    @property
    def first(self) -> Any:
        return next(iter(self.known), None)


@dataclass(frozen=True, slots=True)
class Child:
    """A constructor call over all uses. ``names`` are its names in the uses, ``present`` which of them
    have it."""

    names: tuple[str, ...]
    named: bool
    callee: Slot
    arguments: tuple[Slot, ...]
    inner: tuple[Part, ...] | None
    present: Slot
    parametrization: Parametrized | None = None

    @property
    def name(self) -> str:
        """Its name as an attribute. Raises :class:`Unlike` if the uses have several."""
        if len(self.names) > 1:
            raise Unlike
        return self.names[0]


@dataclass(frozen=True, slots=True)
class Rounds:
    """A loop whose number of rounds differs between uses. ``body`` is over all rounds of all uses."""

    times: Slot
    body: tuple[Part, ...]


Part: TypeAlias = Child | Rounds


def unify(uses: Sequence[Sequence[Element] | None]) -> tuple[Part, ...]:
    """Parts that represent the elements of every use; None is a use without them.

    Raises :class:`Unlike`.
    """
    by_key: list[dict[Key, Element]] = [{e.key: e for e in use or ()} for use in uses]
    parts: list[Part] = []
    for key in sorted({key for use in by_key for key in use}):
        members = [use.get(key) for use in by_key]
        loops = [member for member in members if isinstance(member, Loop)]
        if not loops:
            constructs = [member for member in members if not isinstance(member, Loop)]
            parts.append(_child(constructs, [use is not None for use in uses]))
        elif len({len(loop.rounds) for loop in loops}) == 1 and len(loops) == sum(use is not None for use in uses):
            for number in range(len(loops[0].rounds)):
                parts += unify([member.rounds[number] if isinstance(member, Loop) else None for member in members])
        else:
            parts.append(_rounds(key, members))
    return tuple(parts)


def _rounds(key: Key, members: Sequence[Element | None]) -> Rounds:
    loops = [member if isinstance(member, Loop) else None for member in members]
    rounds = [
        [replace(element, key=element.key[len(key) + 1 :]) for element in inner]
        for loop in loops
        if loop
        for inner in loop.rounds
    ]
    if any(isinstance(element, Loop) for inner in rounds for element in inner):
        raise Unlike
    written = next(loop.times for loop in loops if loop)
    counts = tuple(len(loop.rounds) if loop else 0 for loop in loops)
    return Rounds(Slot("times", counts, written), unify(rounds))


def _child(members: Sequence[Construct | None], asked: Sequence[bool]) -> Child:
    """``asked`` marks the uses that have the enclosing module, for which it matters whether they have this child."""
    present = [member for member in members if member is not None]
    first = present[0]
    inner = None
    if any(member.inner is not None for member in present):
        if any(member.inner is None for member in present):
            raise Unlike
        inner = unify([member.inner if member else None for member in members])
    if len({str(member.parametrization) for member in present}) > 1:
        raise Unlike
    callee, arguments = _call(members, present)
    here = tuple(member is not None if there else ABSENT for member, there in zip(members, asked))
    exists = Slot(f"has_{first.item.kind.lower()}", here, first.item.step.when if first.item.step else None)
    names = tuple(dict.fromkeys(member.name for member in present))
    return Child(names, first.named, callee, arguments, inner, exists, first.parametrization)


def _call(members: Sequence[Construct | None], present: Sequence[Construct]) -> tuple[Slot, tuple[Slot, ...]]:
    """The callee and its arguments. If the uses have different callees, their calls must have the same
    arguments."""
    first = present[0]
    given: list[tuple[Given, ...] | None] = [member.arguments if member else None for member in members]
    values = tuple(Reference(member.callee) if member else ABSENT for member in members)
    if len({member.callee for member in present}) > 1:
        given = [None if arguments is None else _said(arguments) for arguments in given]
        ways = [[(g.name, g.positional) for g in arguments] for arguments in given if arguments is not None]
        if any(way != ways[0] for way in ways) or first.inner is not None:
            raise Unlike
    names = dict.fromkeys(g.name for arguments in given for g in arguments or ())
    step: Any = first.item.step
    return Slot("layer", values, getattr(step, "callee", None)), tuple(_argument(name, given) for name in names)


def _said(arguments: tuple[Given, ...]) -> tuple[Given, ...]:
    """The arguments that differ from their defaults."""
    return tuple(g for g in arguments if g.default is NO_DEFAULT or literal(g.default) != literal(g.value))


def _argument(name: str, given: Sequence[tuple[Given, ...] | None]) -> Slot:
    found = [next((g for g in arguments if g.name == name), None) for arguments in given if arguments is not None]
    known = [g for g in found if g is not None]
    if len(known) < len(found):
        raise Unlike
    each = iter(known)
    values = tuple(ABSENT if arguments is None else next(each).value for arguments in given)
    first = known[0]
    default = first.default if len({literal(g.default) for g in known}) == 1 else NO_DEFAULT
    return Slot(name, values, first.written, first.inferred, first.positional, default)


def reference(value: Any) -> Any:
    """A value with every name of a layer replaced by its Python name."""
    if isinstance(value, tuple):
        return tuple(map(reference, value))
    return Reference(LAYERS[value].constructor) if isinstance(value, str) and value in LAYERS else value
