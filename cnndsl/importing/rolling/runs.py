"""Which steps may be rounds of a loop: runs of steps of one form, whatever their values are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, cast

from cnndsl.importing.tree import Call, LayerValue, Let, Step, Steps, inside, nested
from cnndsl.layers import LAYERS
from cnndsl.record import Record

#: Steps with runs among them, also inside of each other.
Items: TypeAlias = tuple[Any, ...]
#: What steps have in common that are of one form.
Form: TypeAlias = Hashable


class Run(Record, frozen=True):
    """Steps of one form, again and again; one round is what may be one beside others of several."""

    rounds: tuple[Items, ...]


def within(items: Items, change: Callable[[Items], Items]) -> Items:
    """The same items with other lists of steps inside."""
    return tuple(
        Run(tuple(map(change, item.rounds))) if isinstance(item, Run) else inside(item, change) for item in items
    )


# --- forms ---------------------------------------------------------------------------------------


class Forms:
    """The forms of items as numbers, which are quick to compare. That of an item is found once."""

    def __init__(self) -> None:
        self.numbers: dict[Form, int] = {}
        self.known: dict[int, tuple[Any, int]] = {}  # with the items, so that no other gets their id

    def of(self, item: Any) -> int:
        if id(item) not in self.known:
            self.known[id(item)] = item, self.numbers.setdefault(self._form(item), len(self.numbers))
        return self.known[id(item)][1]

    def all(self, items: Items) -> tuple[int, ...]:
        return tuple(map(self.of, items))

    def _form(self, item: Any) -> Form:
        if isinstance(item, Run):
            return (Run, self.all(item.rounds[0]))
        own: tuple[Any, ...] = ()
        if isinstance(item, Call):
            word = item.word.word if isinstance(item.word, LayerValue) else item.word
            own = (word, len(item.inputs), repr(item.options))
        elif isinstance(item, Let):
            own = tuple(name for name, _ in item.values)
        fields = (_pattern(getattr(item, field, "")) for field in ("name", "tensor", "module"))
        plain = (repr(getattr(item, field, None)) for field in ("merge", "dim", "names"))
        whether = isinstance(getattr(item, "shortcut", None), tuple)
        return (type(item), *own, *fields, *plain, whether, *map(self.all, nested(item)))


def _pattern(name: Any) -> str:
    """A name without its numbers."""
    return re.sub(r"\d+", "#", name) if isinstance(name, str) else repr(name)


# --- runs ----------------------------------------------------------------------------------------


def folded(rows: Sequence[Steps]) -> list[Items]:
    """The steps of each row with all runs in them, the shortest rounds first. Steps that are a run elsewhere, also in
    another row, are a run of one round, so that ``[A, A, B, A, B]`` is ``(A+ B)+``."""
    forms, made, period = Forms(), list[Items](rows), 1
    while 2 * period <= max(map(_longest, made), default=0):
        before = made
        made = [_with_period(items, period, forms) for items in made]
        period = 1 if made != before else period + 1
        if made != before:
            rounds = sorted({forms.all(run.rounds[0]) for items in made for run in runs_in(items)}, key=len)
            made = [_with_single(items, rounds, forms) for items in made]
    return made


def _longest(items: Items) -> int:
    """The length of the longest list in items."""
    lists = (inner for item in items for inner in (item.rounds if isinstance(item, Run) else nested(item)))
    return max(len(items), *map(_longest, lists), 0)


def with_short_rounds(items: Items) -> Items:
    """The items where a run has the steps after it that are the beginning of a round as its last round."""
    forms = Forms()
    numbers, made, at = forms.all(items), list[Any](), 0
    while at < len(items):
        item, at = items[at], at + 1
        if isinstance(item, Run):
            form = forms.all(item.rounds[0])
            size = next(size for size in reversed(range(len(form))) if numbers[at : at + size] == form[:size])
            item = Run((*item.rounds, items[at : at + size])) if size else item
            at += size
        made.append(item)
    return tuple(made)


def runs_in(items: Items) -> Iterator[Run]:
    """All runs, each before those inside of it."""
    for item in items:
        if isinstance(item, Run):
            yield item
        for inner in item.rounds if isinstance(item, Run) else nested(item):
            yield from runs_in(inner)


def _with_period(items: Items, period: int, forms: Forms) -> Items:
    """The items with a run for all rounds of so many items that are of one form."""
    items = within(items, lambda inner: _with_period(inner, period, forms))
    numbers = forms.all(items)
    made: list[Any] = []
    at = 0
    while at < len(items):
        end = at
        while end + period < len(numbers) and numbers[end] == numbers[end + period]:
            end += 1
        count, spare = divmod(end - at, period)
        if count:
            start = at + _start(items[at : at + spare + 1])
            ends = range(start + period, start + (count + 1) * period + 1, period)
            made += (*items[at:start], _joined([items[stop - period : stop] for stop in ends]))
            at = ends[-1]
        else:
            made.append(items[at])
            at += 1
    return tuple(made)


def _start(items: Items) -> int:
    """Which of the steps with which a round may begin it begins with: the first that is no activation."""
    return next((at for at, item in enumerate(items) if not _is_activation(item)), 0)


def _is_activation(item: Any) -> bool:
    return isinstance(item, Call) and item.word in LAYERS and LAYERS[item.word].family == "activation"


def _joined(rounds: Sequence[Items]) -> Run:
    """A run; runs of one form beside each other are one."""
    if all(len(items) == 1 and isinstance(items[0], Run) for items in rounds):
        return Run(tuple(inner for (run,) in rounds for inner in run.rounds))
    return Run(tuple(rounds))


def _with_single(items: Items, rounds: Sequence[tuple[int, ...]], forms: Forms) -> Items:
    """The items with runs of one round where steps have the form of a round. The rounds themselves stay as they are."""
    items = tuple(_with_single_inside(item, rounds, forms) for item in items)
    for form in rounds:
        numbers, made, at = forms.all(items), [], 0
        while at < len(items):
            found = numbers[at : at + len(form)] == form
            made.append(Run((items[at : at + len(form)],)) if found else items[at])
            at += len(form) if found else 1
        items = tuple(made)
    return items


def _with_single_inside(item: Any, rounds: Sequence[tuple[int, ...]], forms: Forms) -> Any:
    def change(inner: Items) -> Items:
        is_round = isinstance(item, Run) and forms.all(inner) in rounds
        return (
            tuple(_with_single_inside(one, rounds, forms) for one in inner)
            if is_round
            else _with_single(inner, rounds, forms)
        )

    return within((item,), change)[0]


class Together:
    """The runs of several rows, those of one form side by side: ``columns`` has for each the rows that have it."""

    def __init__(self, rows: Sequence[Steps]) -> None:
        self.rows = folded(rows)
        self.columns: dict[tuple[Form, int], dict[int, Run]] = {}
        self.places: dict[int, tuple[Form, int]] = {}
        forms = Forms()
        for row, items in enumerate(self.rows):
            seen: Counter[int] = Counter()
            for run in runs_in(items):
                form = forms.of(run)
                self.places[id(run)] = place = (form, seen[form])
                self.columns.setdefault(place, {})[row] = run
                seen[form] += 1

    def steps(self, row: int, loops: Mapping[tuple[Form, int], Mapping[int, Step]]) -> Steps:
        """The steps of a row with these loops; the rounds of other runs are one after another."""

        def change(items: Items) -> Steps:
            made: list[Step] = []
            for item in items:
                if not isinstance(item, Run):
                    made.append(cast(Step, inside(item, change)))
                elif loop := loops.get(self.places[id(item)]):
                    made.append(loop[row])
                else:
                    made += (step for items in item.rounds for step in change(items))
            return tuple(made)

        return change(self.rows[row])
