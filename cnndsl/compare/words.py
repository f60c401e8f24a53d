"""Changes in words: equal ones together, each group with a title and its details."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cnndsl.compare.changes import Change, Count, Place
from cnndsl.compare.wiring import Argument
from cnndsl.diagnostics import shorten
from cnndsl.emit.table import literal
from cnndsl.record import Record

ARROW, TIMES = "→", "\N{MULTIPLICATION SIGN}"
#: The sign of each change.
SIGNS = {"added": "+", "removed": "-", "moved": ">"}
OTHER_SIGN = "~"
#: How many parts of a run, places of a group, and different values of an argument are told.
PARTS, PLACES, VALUES = 4, 6, 4
_ONE_SIDED = ("added", "removed")
#: Changes that are told one by one if they are not in a block.
_ALONE = ("moved", "rewired", "reused")
#: Changes whose details give their places.
_PLACED = ("renamed", "wrapped", "unwrapped")


class Group(Record, frozen=True):
    """Equal changes: in several uses of a block, or of several layers of a kind in one module."""

    changes: tuple[Change, ...]

    @property
    def what(self) -> str:
        return self.changes[0].what

    @property
    def sign(self) -> str:
        return SIGNS.get(self.what, OTHER_SIGN)

    @property
    def params(self) -> int:
        """How many parameters more the right side has because of what is added, removed or changed itself. Of a module
        that is replaced, what is in it is told."""
        first = self.changes[0]
        told = self.what in (*_ONE_SIDED, "changed", "reused") or (self.what == "replaced" and first.place.is_operation)
        return sum(change.params for change in self.changes) if told and first.place.path else 0

    @property
    def title(self) -> str:
        """Where it is."""
        first, number = self.changes[0], len(self.changes)
        places = first.left if first.what == "wrapped" else first.right or first.left
        if not first.place.path:
            return first.arguments[0].name
        if first.block and number > 1:
            where = first.block if first.count else f"{first.block}.{first.inside}"
            return f"{where} in {number} blocks"
        if first.count is not None:
            return first.around or "the network"
        if number > 1 and self.what in _ONE_SIDED:
            return _cut([_paths(change.right or change.left) for change in self.changes], PLACES)
        kinds = _listed([place.kind for place in places])
        if number > 1:
            return f"{number} {TIMES} {kinds}{self._there}"
        return f"{_paths(places)} {kinds}" if self.what == "changed" else _paths(places)

    @property
    def _there(self) -> str:
        """The module around all, and the paths of the parts in it, unless the details give them."""
        around = self.changes[0].around
        alike = around if all(change.around == around for change in self.changes) else ""
        where = f" in {alike}" * bool(alike)
        if self.what in _PLACED or any(self.are_placed(index) for index in self.arguments):
            return where
        paths = [_paths(change.right or change.left).removeprefix(f"{alike}.") for change in self.changes]
        return f"{where} ({_cut(paths, PLACES)})"

    @property
    def arguments(self) -> range:
        """The numbers of the arguments of each change."""
        return range(len(self.changes[0].arguments))

    def are_placed(self, index: int) -> bool:
        """Whether the details give the places of each value of an argument."""
        return self.what == "changed" and len(self.steps(index)) > 1 and not self.ratio(index)

    def ratio(self, index: int) -> str:
        """By what all values of an argument were multiplied or divided, "" if that differs."""
        return _ratio([change.arguments[index] for change in self.changes])

    def steps(self, index: int) -> Mapping[str, Sequence[Change]]:
        """The changes by the values before and after of an argument."""
        found: dict[str, list[Change]] = {}
        for change in self.changes:
            found.setdefault(_step(change.arguments[index]), []).append(change)
        return found

    @property
    def details(self) -> tuple[str, ...]:
        """What is different, a line for each part of it."""
        return tuple(_DETAILS[self.what](self))


def grouped(changes: Sequence[Change]) -> tuple[Group, ...]:
    """Changes in groups, each where its first change is."""
    found: dict[object, list[Change]] = {}
    for change in changes:
        found.setdefault(_key(change), []).append(change)
    return tuple(Group(tuple(group)) for group in found.values())


def _key(change: Change) -> object:
    """What equal changes have in common."""
    kinds = tuple(place.kind for place in change.right or change.left)
    names = tuple(argument.name for argument in change.arguments)
    if change.what == "replaced" and change.left[0].layers > 1:  # blocks by another name
        return change.what, kinds, change.left[0].kind
    if change.count is not None:
        return change.what, change.count.unit, change.block, change.block or change.around
    if change.block:
        return change.what, kinds, names, change.block, change.inside
    if change.what == "changed" and not change.place.is_operation:
        return change.what, kinds, names
    return change.what, kinds, names, change.around, id(change) if change.what in _ALONE else ""


# --- details ---------------------------------------------------------------------------------------------


def _only(group: Group) -> Iterator[str]:
    """The parts of a group that are on one side, with their count."""
    first = group.changes[0]
    if first.count is None:
        yield from _several(list(dict.fromkeys(_calls(change.right or change.left) for change in group.changes)))
    elif len(group.changes) == 1:
        run = first.right or first.left
        calls = f": {_calls(run)}" if all(place.is_operation for place in run) else ""
        yield f"{_step_of(first.count)} ({_paths(run)}{calls})"
    elif not first.block:
        number = sum(len(change.right or change.left) for change in group.changes) // len(first.count.unit)
        yield f"{number} {TIMES} ({_listed(first.count.unit)}) {group.what}"
        places: dict[str, list[str]] = {}
        for change in group.changes:
            if change.count:
                path = _paths(change.right or change.left).removeprefix(f"{change.around}.")
                places.setdefault(f"{change.count.before} {ARROW} {change.count.after}", []).append(path)
        yield from (f"{step} at {_cut(paths, PLACES)}" for step, paths in places.items())
    else:
        steps = dict.fromkeys(_step_of(change.count) for change in group.changes if change.count)
        yield from _several(list(steps))


def _step_of(count: Count) -> str:
    unit = _listed(count.unit)
    return f"{count.before} {ARROW} {count.after} {TIMES} {f'({unit})' if len(count.unit) > 1 else unit}"


def _changed(group: Group) -> Iterator[str]:
    """Each argument, with its values before and after."""
    if not group.changes[0].place.path:
        yield _names(group.changes[0].arguments[0])
        return
    for index in group.arguments:
        steps = group.steps(index)
        if len(steps) == 1:
            told = next(iter(steps))
        elif ratio := group.ratio(index):
            told = f"{ratio} ({_cut(list(steps), VALUES)})"
        elif group.changes[0].block:
            told = _cut(list(steps), VALUES)
        else:
            told = _cut([f"{step} ({_cut([c.place.path for c in at], 4)})" for step, at in steps.items()], VALUES)
        yield f"{group.changes[0].arguments[index].name} {told}"


def _replaced(group: Group) -> Iterator[str]:
    is_layer = group.changes[0].left[0].layers == 1
    pairs = ((change.left[0], change.right[0]) for change in group.changes)
    steps = (f"{a.call} {ARROW} {b.call}" if is_layer else f"{a.kind} {ARROW} {b.kind}" for a, b in pairs)
    yield from _several(list(dict.fromkeys(steps)))


def _moved(group: Group) -> Iterator[str]:
    change = group.changes[0]
    here, there = _paths(change.left), _paths(change.right)
    yield f"{_calls(change.right)}, moved{f' from {here} to {there}' * (here != there)}"
    (after,) = change.arguments
    if after.before != after.after:
        yield f"was after {after.before or 'the input'}, is after {after.after or 'the input'}"


def _renamed(group: Group) -> Iterator[str]:
    steps = dict.fromkeys(
        f"{change.arguments[0].before} {ARROW} {change.arguments[0].after}" for change in group.changes
    )
    yield f"renamed: {_cut(list(steps), PLACES)}"


def _rewired(group: Group) -> Iterator[str]:
    yield from _several([f"{argument.name}: {_names(argument)}" for argument in group.changes[0].arguments])


def _reused(group: Group) -> Iterator[str]:
    """Weights of its own, or those of another part."""
    change = group.changes[0]
    (weights,) = change.arguments
    sides = weights.before, weights.after
    yield f" {ARROW} ".join(f"{path} again" if path else f"its own {change.place.kind}" for path in sides)


def _wrapped(group: Group) -> Iterator[str]:
    steps: dict[str, None] = {}
    for change in group.changes:
        is_new = change.what == "wrapped"
        *_, module = change.right if is_new else change.left
        calls = _calls(change.left if is_new else change.right)
        steps[f"{calls}, {'now' if is_new else 'no longer'} in {module.kind} {module.path}"] = None
    yield from _several(list(steps))


_DETAILS = {
    "added": _only, "removed": _only, "changed": _changed, "replaced": _replaced, "moved": _moved,
    "renamed": _renamed, "rewired": _rewired, "reused": _reused, "wrapped": _wrapped, "unwrapped": _wrapped,
}  # fmt: skip


# --- parts of sentences ----------------------------------------------------------------------------------


def _calls(places: Sequence[Place]) -> str:
    return _cut([place.call for place in places], PARTS)


def _paths(places: Sequence[Place]) -> str:
    """The path of a part, or the first and the last of several."""
    if len(places) == 1:
        return places[0].where
    first, last = places[0].where, places[-1].where
    around, _, name = last.rpartition(".")
    return f"{first}\N{EN DASH}{name if first.rpartition('.')[0] == around else last}"


def _step(argument: Argument) -> str:
    """A value before and after. Fractions are rounded, as long as they differ."""
    before, after = argument.before, argument.after
    short = [f"{value:.4g}" if type(value) is float else literal(value) for value in (before, after)]
    told = short if short[0] != short[1] else [literal(before), literal(after)]
    return f" {ARROW} ".join(map(shorten, told))


def _names(argument: Argument) -> str:
    """Names and paths before and after, as they are."""
    nothing = "torch's default" if argument.name.startswith("init ") else "nothing"
    return f" {ARROW} ".join(shorten(_name(value, nothing)) for value in (argument.before, argument.after))


def _name(value: object, nothing: str) -> str:
    if isinstance(value, tuple) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return value if isinstance(value, str) else nothing if value is None else literal(value)


def _ratio(arguments: Sequence[Argument]) -> str:
    """By what all values were multiplied or divided, "" if that differs."""
    pairs = [(argument.before, argument.after) for argument in arguments]
    if not all(type(value) is int and value > 0 for pair in pairs for value in pair):
        return ""
    for sign, sides in ((TIMES, pairs), ("÷", [(after, before) for before, after in pairs])):
        ratios = {after // before if after % before == 0 else 0 for before, after in sides}
        if len(ratios) == 1 and (ratio := ratios.pop()) > 1:
            return f"{sign}{ratio}"
    return ""


def _listed(words: Sequence[str]) -> str:
    return _cut(list(words), PARTS)


def _cut(words: Sequence[str], most: int) -> str:
    more = len(words) - most
    return ", ".join(words) if more <= 1 else f"{', '.join(words[:most])}, … {more} more"


def _several(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:VALUES]
    if len(lines) > VALUES:
        yield f"… {len(lines) - VALUES} more"


def kinds_changed(before: Mapping[str, int], after: Mapping[str, int]) -> str:
    """How many more or fewer layers of each kind there are: ``Conv2d +16, ReLU -2``."""
    names = dict.fromkeys((*after, *before))
    more: dict[str, Any] = {name: after.get(name, 0) - before.get(name, 0) for name in names}
    return ", ".join(f"{name} {number:+}" for name, number in more.items() if number)
