"""The uses of one class laid side by side: what is alike in all, and slots for what differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from cnndsl.emit.python.uses import NO_DEFAULT, Construct, Element, Given, Key, Loop
from cnndsl.spec.expression import Value

#: The value of a slot in a use that does not have the element.
ABSENT: Any = type("Absent", (), {"__repr__": lambda self: "absent"})()


class Unlike(Exception):
    """The uses differ in more than values: one class cannot say them all."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One argument over all uses of the class."""

    name: str
    values: tuple[Any, ...]
    written: Value | None = None
    inferred: bool = False
    positional: bool = False
    default: Any = NO_DEFAULT

    @property
    def constant(self) -> bool:
        return len({_hashable(value) for value in self.values if value is not ABSENT}) <= 1

    @property
    def first(self) -> Any:
        return next((value for value in self.values if value is not ABSENT), None)


@dataclass(frozen=True, slots=True)
class Child:
    """A constructor call over all uses; ``present`` tells the uses that have it."""

    key: Key
    name: str
    named: bool
    callee: Slot
    arguments: tuple[Slot, ...]
    inner: tuple[Part, ...] | None
    present: Slot


@dataclass(frozen=True, slots=True)
class Rounds:
    """A loop whose number of rounds differs between uses. ``body`` is over all rounds of all uses,
    ``starts`` tells where those of each use begin."""

    key: Key
    times: Slot
    body: tuple[Part, ...]
    starts: tuple[int, ...]


Part: TypeAlias = Child | Rounds


def unify(uses: Sequence[Sequence[Element] | None]) -> tuple[Part, ...]:
    """Parts that stand for the elements of every use; None is a use that has none of them.

    Raises :class:`Unlike`.
    """
    by_key: list[dict[Key, Element]] = [{e.key: e for e in use or ()} for use in uses]
    parts: list[Part] = []
    for key in sorted({key for use in by_key for key in use}):
        members = [use.get(key) for use in by_key]
        loops = [member for member in members if isinstance(member, Loop)]
        if not loops:
            parts.append(_child(key, [member for member in members if not isinstance(member, Loop)]))
        elif len({len(loop.rounds) for loop in loops}) == 1 and len(loops) == sum(use is not None for use in uses):
            for number in range(len(loops[0].rounds)):
                parts += unify([member.rounds[number] if isinstance(member, Loop) else None for member in members])
        else:
            parts.append(_rounds(key, members))
    return tuple(parts)


def _rounds(key: Key, members: Sequence[Element | None]) -> Rounds:
    counts = tuple(len(member.rounds) if isinstance(member, Loop) else 0 for member in members)
    starts = tuple(sum(counts[:index]) for index in range(len(counts)))
    rounds = [
        [replace(element, key=element.key[len(key) + 1 :]) for element in inner]
        for member in members
        if isinstance(member, Loop)
        for inner in member.rounds
    ]
    written = next(member.times for member in members if isinstance(member, Loop))
    if any(isinstance(element, Loop) for inner in rounds for element in inner):
        raise Unlike
    return Rounds(key, Slot("times", counts, written), unify(rounds), starts)


def _child(key: Key, members: Sequence[Construct | None]) -> Child:
    present = [member for member in members if member is not None]
    first = present[0]
    if len({(member.name, member.named, member.inner is None) for member in present}) > 1 and first.named:
        raise Unlike
    callee = _callee(members)
    names = dict.fromkeys(given.name for member in present for given in member.arguments)
    arguments = tuple(_argument(name, members) for name in names)
    inner = None if first.inner is None else unify([member.inner if member else None for member in members])
    when = first.item.step.when if first.item.step else None
    exists = Slot(first.name, tuple(member is not None for member in members), when)
    return Child(key, first.name, first.named, callee, arguments, inner, exists)


def _callee(members: Sequence[Construct | None]) -> Slot:
    """What is called; where it differs, the calls must be alike in all else."""
    present = [member for member in members if member is not None]
    values = tuple(member.callee if member else ABSENT for member in members)
    if len({member.callee for member in present}) > 1:
        shapes = {tuple((given.name, given.positional) for given in member.arguments) for member in present}
        if len(shapes) > 1 or any(member.inner is not None for member in present):
            raise Unlike
    step: Any = present[0].item.step
    return Slot("layer", values, getattr(step, "callee", None))


def _argument(name: str, members: Sequence[Construct | None]) -> Slot:
    found: list[Given | None] = []
    values: list[Any] = []
    for member in members:
        given = next((g for g in member.arguments if g.name == name), None) if member else None
        found.append(given)
        values.append(ABSENT if member is None else given.value if given else None)
    known = [given for given in found if given is not None]
    if len(known) < sum(member is not None for member in members):
        raise Unlike
    first = known[0]
    default = first.default if all(g.default == first.default for g in known) else NO_DEFAULT
    return Slot(name, tuple(values), first.written, first.inferred, first.positional, default)


def _hashable(value: Any) -> Any:
    return (type(value), value)
