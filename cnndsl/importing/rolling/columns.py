"""Columns of a table that follow from others: ``padding`` is ``kernel_size // 2``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cnndsl.emit.source.expr import Expr, Lit, Ref, operation
from cnndsl.importing.alike import Hole


def derived(hole: Hole, columns: Sequence[Hole]) -> Expr | None:
    """The formula that gives a hole's values from the input or from a column, None if there is no short one. It takes
    at least two different values to support it."""
    if hole.role != "argument" or not all(type(value) is int for value in hole.values):
        return None
    if hole.given and all(given and given[1] == value for given, value in zip(hole.given, hole.values)):
        return Ref("input.channels")
    for column in columns:
        if column.role in ("argument", "number") and all(type(value) is int for value in column.values):
            for formula in _formulas(hole.values, column):
                return formula
    return None


def _formulas(values: Sequence[int], column: Hole) -> Iterator[Expr]:
    pairs = [*zip(values, column.values)]
    one, other = pairs[0]
    tried: list[tuple[str, int, Callable[[int], Any]]] = []
    if other and one % other == 0:
        tried.append(("*", one // other, lambda value: value * (one // other)))
    if one and other % one == 0:
        tried.append(("//", other // one, lambda value: value / (other // one)))
    tried.append(("//", 2, lambda value: value // 2))
    for sign, number, formula in tried:
        if number > 0 and all(formula(before) == value for value, before in pairs):
            yield operation(sign, column.variable, Lit(number))
