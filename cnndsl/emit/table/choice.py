"""A choice of a table's rows and columns: what to show, in which order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from operator import itemgetter
from typing import Any

from msgspec.structs import replace

from cnndsl.diagnostics import check_number, did_you_mean, got, shorten
from cnndsl.emit.table.columns import COLUMNS, UnknownName, chosen, needs_of
from cnndsl.emit.table.rows import Row, Table
from cnndsl.graph.graph import Graph, Module
from cnndsl.layers import Shape
from cnndsl.measure.memory import DTYPES
from cnndsl.record import Record


class Choice(Record, frozen=True):
    """What to show of a table: ``columns`` by name, those rows whose path or layer matches one of the ``filters``, in
    the order of a column, and of these the ``top``. Numbers come from the largest, texts from A, or ``reverse``.

    To ``sort`` rows is to compare them, so a row whose contents have rows of their own is left out: it would count them
    twice. ``depth`` decides whether modules or layers are compared.
    """

    columns: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    sort: str = ""
    reverse: bool = False
    top: int | None = None
    depth: int | None = None
    dtype: str = "float32"

    @classmethod
    def of(
        cls,
        columns: str | Sequence[str] | None = None,
        *,
        filter: str | Sequence[str] | None = None,
        sort: str | None = None,
        top: int | None = None,
        depth: int | None = None,
        dtype: str = "float32",
    ) -> Choice:
        """Checked, with names as people type them. A ``-`` before the column of ``sort`` reverses the order.

        Raises :class:`UnknownName`, a ValueError, for a name that is not known, ValueError for a number below 1, and
        TypeError.
        """
        for name, number in (("depth", depth), ("top", top)):
            check_number(name, number, optional=True)
        if _text("dtype", dtype) not in DTYPES:
            raise UnknownName(f"there is no type `{shorten(dtype)}`", f"the types are {', '.join(DTYPES)}")
        filters = _texts("filter", filter)
        names = chosen([name for each in _texts("columns", columns) for name in each.split(",")])
        order = _text("sort", "params" if sort is None else sort).strip()
        (by,) = chosen([order.removeprefix("-")])
        sorts = sort is not None or top is not None
        return cls(names, filters, by if sorts else "", order.startswith("-"), top, depth, dtype)

    def table(self, network: Graph | Module) -> Table:
        """The table of a network, or of one with an error, up to that error. Raises :class:`UnknownName`."""
        needs = needs_of((*self.columns, *filter(None, [self.sort])))
        make: Any = Table.of if isinstance(network, Graph) else Table.partial
        table: Table = replace(make(network, self.depth, dtype=self.dtype, needs=needs), columns=self.columns)
        return self._arranged(table) if self.filters or self.sort else table

    def _arranged(self, table: Table) -> Table:
        matched = [row for row in table.rows if not self.filters or self._matches(row)]
        if not matched:
            raise UnknownName(
                f"no path or layer matches {' or '.join(f'`{each}`' for each in self.filters)}", self._help(table)
            )
        if not self.sort:
            return replace(table, rows=tuple(matched), tree=False, shown=_sum(_outermost(table.rows, matched)))
        column = COLUMNS[self.sort]
        ranked = [(_rank(column.value(row, table)), row) for row in _innermost(table.rows, matched)]
        known = sorted((each for each in ranked if each[0]), key=itemgetter(0), reverse=self.reverse)
        ordered = [row for _, row in known] + [row for rank, row in ranked if not rank]
        return replace(table, rows=tuple(ordered[: self.top]), tree=False, shown=_sum(ordered[: self.top]))

    def _matches(self, row: Row) -> bool:
        from fnmatch import fnmatchcase

        return any(fnmatchcase(row.path, each) or fnmatchcase(row.layer, each) for each in self.filters)

    def _help(self, table: Table) -> str:
        known = dict.fromkeys(name for row in table.rows for name in (row.layer, row.path))
        return did_you_mean(self.filters[0], known) or "`*` stands for any characters: `layer3.*`, `Conv*`"


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {got(value)}")
    return value


def _texts(name: str, value: object) -> tuple[str, ...]:
    """One or several texts. Raises TypeError for anything else."""
    texts = (value,) if isinstance(value, str) else value or ()
    if not isinstance(texts, (list, tuple)) or not all(isinstance(text, str) for text in texts):
        raise TypeError(f"{name} must be a str or a list of them, not {got(value)}")
    return tuple(texts)


def _rank(value: Any) -> tuple[Any, ...]:
    """A key that sorts the whole input first, then numbers down, then texts up; empty for what is not known."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return min(filter(None, map(_rank, value)), default=())
    if isinstance(value, (int, float)):
        return 1, -value
    return () if value is None else (0,) if value == "all" else (2, str(value))


def _outermost(rows: Sequence[Row], matched: Sequence[Row]) -> list[Row]:
    """Those of the matched rows that are in no other."""
    chosen, found, inside = set(map(id, matched)), [], 0
    for row in rows:
        if inside and row.depth > inside:
            continue
        inside = row.depth if id(row) in chosen else 0
        if inside:
            found.append(row)
    return found


def _innermost(rows: Sequence[Row], matched: Sequence[Row]) -> list[Row]:
    """Those of the matched rows that have no rows below them."""
    above = {id(row) for row, below in pairwise(rows) if below.depth > row.depth}
    return [row for row in matched if id(row) not in above]


def _sum(rows: Sequence[Row]) -> Row:
    params, buffers, macs, memory = (
        sum(getattr(row, name) for row in rows) for name in ("params", "buffers", "macs", "memory")
    )
    return Row("", "", 0, {}, Shape(), Shape(), params, buffers, macs, memory=memory)
