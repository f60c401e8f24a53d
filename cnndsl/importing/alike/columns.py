"""Which steps of several trees are beside each other: the cheapest edits between siblings, tree by tree."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias, cast

from cnndsl.importing.alike.values import Unlike, alike_values, is_list
from cnndsl.importing.tree import (
    Arm,
    Branch,
    Call,
    Dense,
    From,
    Let,
    Named,
    Repeat,
    Residual,
    Reuse,
    Sequential,
    Step,
    Steps,
    Template,
    walk,
)
from cnndsl.layers import LAYERS

#: What a step that has no partner costs, and what differs in steps that are partners.
_ALONE, _WORD, _NAME, _ARGUMENT, _MISSING, _WRAP = 10, 4, 6, 1, 2, 3
#: How many steps a residual may gain or lose when it is laid beside steps.
_SLACK = 2

#: The steps of each tree, None where the tree does not have the step around.
Rows: TypeAlias = Sequence["Sequence[Any] | None"]
#: The step of each tree, None where there is none.
Column: TypeAlias = Sequence[Any]


class Columns:
    """Which steps of the trees are beside each other: the cheapest edits between siblings, tree by tree."""

    def __init__(self, lenient: bool) -> None:
        self.lenient = lenient
        self.costs: dict[tuple[int, int], tuple[Any, Any, int | None]] = {}

    def of(self, rows: Rows) -> list[Column]:
        """The columns of steps, which are of one kind each."""
        present = [row for row in rows if row is not None]
        if len({*map(len, present)}) == 1 and self.plain(present):
            each = iter(zip(*present)) if present[0] else iter(())
            return [tuple(_dealt(rows, column)) for column in each]
        if not self.lenient:
            raise Unlike
        return self.merged(rows)

    def plain(self, rows: Sequence[Sequence[Any]]) -> bool:
        return all(
            type(a) is type(b) and self.distance(a, b) is not None for row in rows[1:] for a, b in zip(rows[0], row)
        )

    def merged(self, rows: Rows) -> list[Column]:
        """The columns of unlike rows: each row is laid beside those before it, the longest first."""
        columns: list[list[Any]] = []
        for number in _largest_first(rows):
            columns = self.joined(columns, rows[number] or (), number, len(rows))
        return [tuple(column) for column in columns]

    def joined(self, columns: list[list[Any]], steps: Sequence[Any], number: int, count: int) -> list[list[Any]]:
        firsts = tuple(next(step for step in column if step is not None) for column in columns)
        made = []
        for lefts, rights in self.pairs(firsts, steps):
            column = _wrapped(columns[lefts.start : lefts.stop], steps[rights.start : rights.stop], number, count)
            made.append(column)
        return made

    def pairs(self, a: Sequence[Any], b: Sequence[Any]) -> Iterator[tuple[range, range]]:
        """Which steps are partners, from the first to the last."""
        table = self.table(a, b)
        i, j, found = len(a), len(b), []
        while i or j:
            _, up, back = table[i, j]
            found.append((range(i - up, i), range(j - back, j)))
            i, j = i - up, j - back
        return reversed(found)

    def table(self, a: Sequence[Any], b: Sequence[Any]) -> dict[tuple[int, int], tuple[int, int, int]]:
        """For all pairs of beginnings: the cost of the cheapest edit, and how many steps its last part takes."""
        table = {(0, 0): (0, 0, 0)}
        for i in range(len(a) + 1):
            for j in range(len(b) + 1):
                if i or j:
                    table[i, j] = min(
                        (table[i - up, j - back][0] + cost, up, back) for up, back, cost in self.last(a[:i], b[:j])
                    )
        return table

    def last(self, a: Sequence[Any], b: Sequence[Any]) -> Iterator[tuple[int, int, int]]:
        """The ways to end an edit: how many steps each side takes, and the cost."""
        if a:
            yield 1, 0, alone(a[-1])
        if b:
            yield 0, 1, alone(b[-1])
        if a and b:
            if (cost := self.distance(a[-1], b[-1])) is not None:
                yield 1, 1, cost
            yield from ((1, count, cost) for count, cost in self.wraps(a[-1], b))
            yield from ((count, 1, cost) for count, cost in self.wraps(b[-1], a))

    def wraps(self, step: Step, others: Sequence[Any]) -> Iterator[tuple[int, int]]:
        """How many of the last steps may be what a step holds, and the cost."""
        if not _is_shell(step):
            return
        inner = cast("Repeat | Residual", step).steps
        slack = _SLACK if isinstance(step, Residual) else 0
        for count in range(max(1, len(inner) - slack), min(len(others), len(inner) + slack) + 1):
            if not any(isinstance(other, type(step)) for other in others[-count:]):
                yield count, _WRAP + self.edit(inner, others[-count:])

    def edit(self, a: Sequence[Any], b: Sequence[Any]) -> int:
        """What differs between two lists of steps."""
        if len(a) == len(b) and all(x is y for x, y in zip(a, b)):
            return 0
        return self.table(a, b)[len(a), len(b)][0]

    def distance(self, a: Step, b: Step) -> int | None:
        """What differs between two steps; None if they cannot be partners."""
        key = id(a), id(b)
        if key not in self.costs:
            self.costs[key] = a, b, self.between(a, b)  # with the steps, so that no other gets their id
        return self.costs[key][2]

    def between(self, a: Step, b: Step) -> int | None:
        if type(a) is not type(b):
            return None
        name = _naming(getattr(a, "name", ""), getattr(b, "name", ""))
        if name is None:
            return None
        if isinstance(a, Call):
            inner = _of_calls(a, cast(Call, b))
        elif isinstance(a, Branch):
            inner = self.of_branches(a, cast(Branch, b))
        elif isinstance(a, Residual):
            inner = self.of_residuals(a, cast(Residual, b))
        elif isinstance(a, From | Named | Reuse | Let):
            inner = 0 if alike_values(a, b) else _NAME
        elif isinstance(a, Repeat | Dense | Arm) and a.names != cast(Repeat, b).names:
            inner = None
        else:
            inner = self.inner(a.steps, cast(Sequential, b).steps)
        return None if inner is None else name + inner

    def inner(self, a: Steps, b: Steps) -> int | None:
        """What differs inside of two steps."""
        if self.lenient:
            return self.edit(a, b)
        found = [self.distance(x, y) for x, y in zip(a, b)] if len(a) == len(b) else [None]
        return None if None in found else sum(cast(list[int], found))

    def of_branches(self, a: Branch, b: Branch) -> int | None:
        if a.merge != b.merge or not (self.lenient or len(a.arms) == len(b.arms)):
            return None
        found = [self.inner(x.steps, y.steps) for x, y in zip(a.arms, b.arms)]
        if None in found:
            return None
        return sum(cast(list[int], found)) + _ALONE * abs(len(a.arms) - len(b.arms))

    def of_residuals(self, a: Residual, b: Residual) -> int | None:
        inner = self.inner(a.steps, b.steps)
        one, other = (() if shortcut is True else shortcut for shortcut in (a.shortcut, b.shortcut))
        if inner is None or alike_values(a.shortcut, b.shortcut):
            return inner
        if is_list(one) and is_list(other):
            shortcut = self.inner(one, other)
            return None if shortcut is None else inner + shortcut
        return (
            None if a.shortcut is not True and b.shortcut is not True and is_list(one) != is_list(other) else inner + 1
        )


def _is_shell(step: Step) -> bool:
    """Whether a step may be beside the steps that it holds."""
    if isinstance(step, Residual):
        return not is_list(step.shortcut)
    return isinstance(step, Repeat) and step.over is None


def _wrapped(columns: Sequence[list[Any]], steps: Sequence[Any], number: int, count: int) -> list[Any]:
    """One column of those of earlier rows and the steps of a row: what one side holds is put into a step like it."""
    like = _shell([next(step for step in column if step is not None) for column in columns], steps)
    made = [_in_shell([column[row] for column in columns if column[row] is not None], like) for row in range(count)]
    if steps:
        made[number] = _in_shell(steps, like)
    return made


def _shell(a: Sequence[Any], b: Sequence[Any]) -> Any:
    """The step that holds the steps of the other side; None if there is no such step."""
    if len(a) == len(b):
        return None if type(a[0]) is type(b[0]) else next(step for step in (*a, *b) if _is_shell(step))
    return a[0] if len(b) > 1 else b[0] if len(a) > 1 else None


def _in_shell(steps: Sequence[Any], like: Any) -> Any:
    """Steps as one step of the kind of another."""
    if not steps:
        return None
    if like is None or (len(steps) == 1 and type(steps[0]) is type(like)):
        return steps[0]
    given = getattr(steps[0], "given", ())
    return (
        Residual(tuple(steps), False, given=given)
        if isinstance(like, Residual)
        else Repeat(tuple(steps), 1, given=given)
    )


def _dealt(rows: Sequence[Any], values: Sequence[Any]) -> Iterator[Any]:
    each = iter(values)
    return (None if row is None else next(each) for row in rows)


def _largest_first(rows: Sequence[Sequence[Any] | None]) -> list[int]:
    present = [number for number, row in enumerate(rows) if row is not None]
    return sorted(present, key=lambda number: -len(rows[number] or ()))


def _naming(a: Any, b: Any) -> int | None:
    """What it costs that partners have other names; None if these are about other things."""
    if alike_values(a, b):
        return 0
    if not (isinstance(a, str) and isinstance(b, str)):
        return _NAME if isinstance(a, Template) and isinstance(b, Template) else None
    return _NAME if re.sub(r"\d+", "", a) == re.sub(r"\d+", "", b) and a and b else None


def _of_calls(a: Call, b: Call) -> int | None:
    if len(a.inputs) != len(b.inputs) or not alike_values(a.options, b.options):
        return None
    if not alike_values(a.word, b.word):
        family, same_name = _family(a.word), a.name != "" and a.name == b.name
        return _WORD if family == _family(b.word) and (family or same_name) else None
    one, other = dict(a.arguments), dict(b.arguments)
    differing = sum(not alike_values(one[name], other[name]) for name in one.keys() & other.keys())
    return _ARGUMENT * differing + _MISSING * len(one.keys() ^ other.keys())


def _family(word: Any) -> str:
    """What a layer is for: words of one family may take each other's place. That of blocks is ""."""
    return LAYERS[word].family if word in LAYERS else ""


def weight(steps: Sequence[Any]) -> int:
    """How many steps there are, also inside of others."""
    return sum(1 for _ in walk(tuple(steps)))


def alone(step: Any) -> int:
    """What a step without a partner costs."""
    return _ALONE * weight(step.steps if isinstance(step, Arm) else (step,)) + _ALONE * isinstance(step, Arm)
