"""Tables for people: for terminals, as aligned text, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise, zip_longest
from typing import TYPE_CHECKING

from cnndsl.emit.table.columns import Column, Number, as_bytes, columns_of, exact, human
from cnndsl.grid import FILE, GONE, Cell, Grid, Medium, Paint, unpainted
from cnndsl.printable import in_markdown, one_line

if TYPE_CHECKING:
    from cnndsl.emit.table.rows import Row, Table

#: The cells of a bar that is a share of 100 %, and the blocks of an eighth to a whole cell.
_BAR, _BLOCKS = 10, " ▏▎▍▌▋▊▉█"
#: The width of a percentage, as of 100.0%.
_PERCENT = 6


# --- around the rows -----------------------------------------------------------------------------


def title_of(table: Table) -> str:
    """The name of a network and the shapes of its inputs."""
    return f"{one_line(table.name)}, input {one_line(input_of(table))}"


def input_of(table: Table) -> str:
    if len(table.inputs) == 1:
        return str(*table.inputs.values())
    return ", ".join(f"{name} {shape}" for name, shape in table.inputs.items())


def summary_of(table: Table) -> list[str]:
    """The network's costs, and its memory."""
    so_far = "" if table.complete else ", so far"
    lines = [f"{human(table.total.params)} parameters, {human(table.total.macs)} MACs{so_far}"]
    if known := table.memory:
        lines.append(f"{as_bytes(known.parameters)} of parameters in {known.dtype}")
        lines.append(f"activations: {as_bytes(known.inference)} in inference, {as_bytes(known.training)} in training")
    return lines


def feet_of(table: Table, number: Number = exact) -> list[list[str]]:
    """The sums below the rows, a text for each column. The first that has no sum tells what they are of."""
    columns = columns_of(table)
    sums = [(f"{len(table.rows):,} shown", table.shown)] if table.shown else []
    if any(column.summed for column in columns):
        sums.append(("total" if table.complete else "total so far", table.whole))
    named = next((place for place, column in enumerate(columns) if not column.summed), None)
    return [
        [name if place == named else column.total(row, table, number) for place, column in enumerate(columns)]
        for name, row in sums
    ]


def parents(table: Table) -> list[bool]:
    """For each row, whether those in it follow."""
    return [table.tree and below.depth > row.depth for row, below in pairwise(table.rows)] + [False]


def cells_of(table: Table) -> Iterator[tuple[Row, list[list[str]]]]:
    """Each row with the lines of each of its cells, on one line each."""
    columns = columns_of(table)
    for row in table.rows:
        yield row, [[one_line(line) for line in column.lines(row, table, exact)] for column in columns]


# --- aligned text --------------------------------------------------------------------------------


def as_plain(table: Table) -> str:
    """Aligned text without lines or colours: the same on every terminal, and easy to compare."""
    columns = columns_of(table)
    rows: list[tuple[str, ...]] = []
    for row, cells in cells_of(table):
        indent = "  " * (row.depth - 1) if table.tree else ""
        cells = [[f"{indent}{each[0]}"] if column.name == "path" else each for column, each in zip(columns, cells)]
        rows += zip_longest(*cells, fillvalue="")
    grid = Grid([_key(column) for column in columns], [*rows, *feet_of(table)])
    return "\n".join((title_of(table), "", grid.plain(), "", *summary_of(table), ""))


def _key(column: Column) -> str:
    return f"{'>' * column.right}{column.heading}"


# --- for terminals -------------------------------------------------------------------------------


def as_text(table: Table, medium: Medium = FILE, paint: Paint = unpainted) -> str:
    """:func:`as_grid` with a title above and a summary below. Numbers are rounded and bars left out before a column is
    hidden."""
    grid = as_grid(table).on(medium)
    if grid.hidden:
        grid = as_grid(table, human).on(medium)
    if grid.hidden and any(column.share for column in columns_of(table)):
        grid = as_grid(table, human, bars=False).on(medium)
    title = paint(medium.shown(table.name), "bold") + f"  input {medium.shown(input_of(table))}"
    return "\n".join((title, "", grid.text(paint), "", *summary_of(table), ""))


def as_grid(table: Table, number: Number = exact, *, bars: bool = True) -> Grid:
    """A table for terminals: names as a tree, modules in bold, ``bars`` beside shares, totals below; numbers formatted
    by ``number``."""
    columns = columns_of(table)
    keys = [_terminal_key(column, table) for column in columns]
    rows: list[Sequence[Cell]] = []
    around: dict[int, str] = {0: ""}
    for row, lines, has_rows in zip(table.rows, _tree(table), parents(table)):
        around[row.depth] = f"{row.path}."
        name = row.path.removeprefix(around[row.depth - 1]) if table.tree else row.path
        style = "failed" if row.failed else "bold" if has_rows else ""
        past = lines.translate(_PAST) + "│" * has_rows
        cells = [_cells(column, row, table, number, style, bars) for column in columns]
        height = max(map(len, cells))
        named: list[Cell] = [((lines, "dim"), (name, style)), *[((past, "dim"),)] * (height - 1)]
        shown = (named if column.name == "path" else each for column, each in zip(columns, cells))
        rows += zip_longest(*shown, fillvalue="")
    feet = [
        [f"{text:>{_PERCENT}}" if column.share and text else text for column, text in zip(columns, texts)]
        for texts in feet_of(table, number)
    ]
    return Grid(keys, rows, _gives(columns, keys), feet)


def _terminal_key(column: Column, table: Table) -> str:
    """As :func:`_key`, but a tree has names, not paths, and a share has a bar to its right."""
    if column.name == "path" and table.tree:
        return "name"
    return column.heading if column.share else _key(column)


def _cells(column: Column, row: Row, table: Table, number: Number, style: str, bars: bool) -> list[Cell]:
    """The cells of a row in one column, from the top down."""
    lines = column.lines(row, table, number)
    if column.name == "layer":
        return [((row.layer, style), (lines[0].removeprefix(row.layer), "dim"))]
    if column.share:
        bar = _bar(column.value(row, table)) if bars else ""
        return [((f"{lines[0]:>{_PERCENT}}", style), (bar, "dim"))]
    return [((line, style),) for line in lines]


def _bar(percent: float) -> str:
    """A bar beside a share."""
    whole, part = divmod(round(percent * _BAR * 8 / 100), 8)
    return f" {'█' * whole}{_BLOCKS[part] * (part > 0)}".rstrip()


def _gives(columns: Sequence[Column], keys: Sequence[str]) -> list[tuple[str, int]]:
    """The order in which columns shrink: texts are cut, then the others disappear, the last first, then the texts."""
    long = [key for column, key in zip(columns, keys) if column.long]
    others = [key for column, key in zip(columns, keys) if not column.long and not column.fixed][::-1]
    return [
        *((key, 12) for key in long),
        *((key, GONE) for key in others[:1]),
        *((key, 6) for key in long),
        *((key, GONE) for key in (*others[1:], *long)),
    ]


#: The tree lines beside the further lines of a row.
_PAST = str.maketrans("├└", "│ ")


def _tree(table: Table) -> list[str]:
    """The tree lines before each name; none before children of the root."""
    if not table.tree:
        return [""] * len(table.rows)
    drawn: list[str] = []
    below: set[int] = set()  # depths at which a row of the same module follows
    for row in reversed(table.rows):
        bars = "".join("│ " if depth in below else "  " for depth in range(2, row.depth))
        end = "├ " if row.depth in below else "└ "
        drawn.append(bars + end if row.depth > 1 else "")
        below = {depth for depth in below if depth < row.depth} | {row.depth}
    return drawn[::-1]


# --- Markdown ------------------------------------------------------------------------------------


def as_markdown(table: Table) -> str:
    """A table as GitHub shows it."""
    columns = columns_of(table)
    lines = [
        f"**{in_markdown(table.name)}**, input {in_markdown(input_of(table))}",
        "",
        _piped(column.heading for column in columns),
        _piped("---:" if column.right else "---" for column in columns),
        *(_piped("<br>".join(map(in_markdown, lines)) for lines in cells) for _, cells in cells_of(table)),
        *(_piped(f"**{text}**" if text else "" for text in texts) for texts in feet_of(table)),
        "",
        "  \n".join(summary_of(table)),
    ]
    return "\n".join(lines) + "\n"


def _piped(cells: Iterable[str]) -> str:
    """A line of a table; an empty cell takes one space."""
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"
