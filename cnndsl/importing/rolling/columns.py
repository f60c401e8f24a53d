"""Columns of a table that follow from others: ``padding`` is ``kernel_size // 2``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cnndsl.emit.source.expr import Expr, Lit, operation
from cnndsl.importing.alike import Hole


def ratios(hole: Hole) -> list[int]:
    """How many times the channels of the input a hole's values are, [] if they are not."""
    if hole.role != "argument" or not hole.given or not all(hole.given):
        return []
    pairs = [*zip(hole.values, (given[1] for given in hole.given))]
    if not all(type(value) is int and value > 0 and value % channels == 0 for value, channels in pairs):
        return []
    return [value // channels for value, channels in pairs]


def derived(hole: Hole, columns: Sequence[Hole]) -> Expr | None:
    """The formula that gives a hole's values from the input or from a column, None if there is no short one. It takes
    at least two different values to support it."""
    if hole.role != "argument" or not all(type(value) is int for value in hole.values):
        return None
    for column in columns:
        if column.role == "argument" and all(type(value) is int for value in column.values):
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
