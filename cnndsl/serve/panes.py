"""What the panes of a page show: the compiler's own table, figure, source and diff, as messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import asdict

from cnndsl.compare.compare import compare
from cnndsl.compare.figure import figure as drawn_diff
from cnndsl.compare.text import CAUSES, EXPLAINED, asides, consequences, explained_groups, figures, signed
from cnndsl.compare.words import Group, grouped
from cnndsl.emit.diagram.options import NOT_FOR
from cnndsl.emit.table import Choice
from cnndsl.emit.table import Row as Line
from cnndsl.emit.table import Table as Lines
from cnndsl.emit.table.columns import Column, columns_of
from cnndsl.emit.table.text import cells_of, feet_of, parents, summary_of, title_of
from cnndsl.graph.graph import Graph, Module
from cnndsl.network import Network
from cnndsl.printable import one_line
from cnndsl.serve.messages import (
    Cell,
    Changed,
    Diff,
    DiffView,
    Figure,
    FigureView,
    Heading,
    Place,
    Source,
    Table,
    TableRow,
    TableView,
)
from cnndsl.serve.units import Spots


def table(network: Graph | Module, view: TableView, spots: Spots, version: int) -> Table:
    """The table of a network, or of one with an error, up to that error. Raises ValueError for names that there are
    not, and :class:`SpecError` if the batch is too large."""
    chosen: dict[str, Any] = {
        name: getattr(view, name) or None for name in ("columns", "filter", "sort", "top", "depth")
    }
    if isinstance(network, Graph):
        found, root = Network(network).shapes(**chosen, batch=view.batch), network.root
    else:
        found, root = Choice.of(**chosen).table(network), network
    columns, places = columns_of(found), _places(root, spots)
    rows = zip(cells_of(found), parents(found))
    return Table(
        version,
        title_of(found),
        tuple(summary_of(found)),
        tuple(Heading(column.name, column.heading, column.right, column.long) for column in columns),
        tuple(
            TableRow(
                one_line(line.path),
                tuple(_cells(columns, line, cells, found)),
                line.depth,
                has_rows,
                line.failed,
                places.get(line.path),
            )
            for (line, cells), has_rows in rows
        ),
        tuple(tuple(texts) for texts in feet_of(found)),
        found.complete,
    )


def _cells(columns: Iterable[Column], line: Line, cells: Iterable[Iterable[str]], table: Lines) -> Iterable[Cell]:
    for column, lines in zip(columns, cells):
        yield Cell(tuple(lines), column.value(line, table) or 0 if column.share else 0)


def _places(root: Module, spots: Spots) -> Mapping[str, Place | None]:
    """Where the step of each operation is, by path."""
    steps = ((operation.path, operation.step) for operation in root.everything)
    return {path: spots.maybe(step.span) for path, step in steps if step is not None}


def figure(network: Graph, view: FigureView, version: int) -> Figure:
    """The figure. Options that its style does not have are left out. Raises ValueError if it cannot be drawn."""
    options: dict[str, Any] = {
        name: value for name, value in asdict(view).items() if name not in NOT_FOR.get(view.style, ())
    }
    drawing = Network(network).diagram(**options)
    return Figure(version, drawing.svg(), drawing.told)


def source(network: Graph, version: int) -> Source:
    return Source(version, Network(network).source())


def diff(saved: Graph, network: Graph, view: DiffView, version: int) -> Diff:
    """What differs from the saved network. Raises ValueError if it cannot be drawn."""
    found = compare(saved, network, ("saved", "now"))
    grid = figures(found)
    changes, explained = grouped(found.changes), explained_groups(found)
    svg = drawn_diff(found, saved, network, view.theme).svg() if view.figure else ""
    return Diff(
        version,
        tuple(map(_changed, changes[:CAUSES])),
        tuple(map(_changed, explained[:EXPLAINED])),
        consequences(found),
        tuple(tuple(str(cell).removeprefix(">") for cell in row) for row in (grid.columns, *grid.rows)),
        (*_left_out(len(changes) - CAUSES), *map(one_line, asides(found))),
        svg,
    )


def _left_out(number: int) -> tuple[str, ...]:
    return (f"{number} more changes are not listed",) if number > 0 else ()


def _changed(group: Group) -> Changed:
    costs = f"{signed(group.params)} params" if group.params else ""
    return Changed(group.sign, one_line(group.title), tuple(map(one_line, group.details)), costs)
