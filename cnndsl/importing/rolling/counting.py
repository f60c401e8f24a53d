"""Values that follow from the number of a round: what counts up, what grows evenly, and what differs at first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from typing import Any, cast

from cnndsl.emit.source.expr import Expr, Lit, Ref, operation
from cnndsl.importing.alike import alike_values
from cnndsl.importing.tree import Call, LayerValue, Steps, walk
from cnndsl.record import Record

#: The most parts into which a rate is divided, and the digits that it has.
_PARTS, _DIGITS = 512, 3


class Progress(Record, frozen=True):
    """``rate * step / parts`` for each of ``steps``: stochastic depth, which grows from block to block."""

    rate: float
    parts: int
    steps: tuple[int, ...]

    def expr(self, step: Expr) -> Expr:
        return operation("/", operation("*", Lit(self.rate), step), Lit(self.parts))


class Counted(Record, frozen=True):
    """Numbers that count up from the ``starts`` of the rows, or the steps of a progress that do."""

    starts: tuple[int, ...]
    progress: Progress | None = None


class First(Record, frozen=True):
    """A value for the first round of each row, and one for all later ones."""

    first: tuple[Any, ...]
    later: Any


def counted(rows: Sequence[Sequence[int]], progress: Progress | None = None) -> Counted | None:
    counts_up = all(value == row[0] + at for row in rows for at, value in enumerate(row))
    return Counted(tuple(row[0] for row in rows), progress) if counts_up else None


def first(rows: Sequence[Sequence[Any]]) -> First | None:
    later = [value for row in rows for value in row[1:]]
    if any(isinstance(value, LayerValue) and value.arguments for row in rows for value in row):
        return None  # no expression says a layer with arguments
    return First(tuple(row[0] for row in rows), later[0]) if all(alike_values(one, later[0]) for one in later) else None


def progress(values: Sequence[Any], known: Sequence[Progress] = ()) -> Progress | None:
    """Floats that are parts of one rate, exactly: the same bits; a rate that is ``known`` if there is one."""
    if len(values) < 3 or not all(type(value) is float and value >= 0 for value in values):
        return None
    gaps = [after - before for before, after in pairwise(values) if after > before]
    if len(gaps) < len(values) - 1:
        return None
    rates = chain(((one.rate, one.parts) for one in known), _rates(min(gaps), max(values)))
    return next((found for rate, parts in rates if (found := _parts_of(rate, parts, values))), None)


def _rates(gap: float, most: float) -> Iterator[tuple[float, int]]:
    """The short rates of which a gap is a part, and the number of parts."""
    for parts in range(max(round(most / gap), 1), _PARTS):
        rate = round(gap * parts, _DIGITS)
        if rate and abs(rate - gap * parts) < 1e-9:
            yield rate, parts


def _parts_of(rate: float, parts: int, values: Sequence[float]) -> Progress | None:
    steps = tuple(round(value * parts / rate) for value in values)
    exact = all(rate * step / parts == value for step, value in zip(steps, values))
    return Progress(rate, parts, steps) if exact else None


def rates_in(steps: Steps) -> list[Progress]:
    """The rates that grow through all of the steps, however they are parted into loops."""
    found: dict[str, set[float]] = defaultdict(set)
    for step in walk(steps):
        if isinstance(step, Call):
            for name, value in step.arguments:
                if type(value) is float:
                    found[name].add(value)
    return [rate for values in found.values() if (rate := progress(sorted(values)))]


def as_expr(value: Any) -> Expr:
    if isinstance(value, LayerValue):  # in an expression, a layer's name stands for itself
        return Ref(value.word)
    return cast(Expr, value) if isinstance(value, Record) else Lit(value)


def added(expr: Expr, number: Any) -> Expr:
    """A sum, or a difference."""
    if isinstance(number, int) and number < 0:
        return operation("-", expr, Lit(-number))
    return operation("+", as_expr(number), expr) if isinstance(number, Record) else operation("+", expr, Lit(number))
