"""The costs of a sweep, as data, for people, and for programs."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cnndsl.diagnostics import Diagnostic, did_you_mean, shorten
from cnndsl.emit.table import human
from cnndsl.grid import FILE, GONE, Cell, Grid, Medium, Paint, unpainted
from cnndsl.json_text import json_text
from cnndsl.layers import Shape
from cnndsl.printable import in_markdown, one_line
from cnndsl.questions.wrapped import wrapped
from cnndsl.record import Record

if TYPE_CHECKING:
    from cnndsl.picture import Picture

#: What rows are sorted by, besides the names of parameters.
COSTS = ("params", "macs", "memory")
#: The most errors that are told below a table.
_ERRORS = 3
_COSTS = (">params", ">MACs", ">memory", "output")
_GIVES = (("output", 12), (">memory", GONE), (">MACs", GONE), ("output", GONE))


class Row(Record, frozen=True):
    """One combination: the ``values`` as a spec writes them, in the order of the sweep's names, and the costs; None and
    an ``error`` if the spec has one with these values. ``memory`` is the most bytes of activations that live at once in
    inference, in float32. ``data`` are the values as plain data: numbers, texts, lists."""

    values: tuple[str, ...]
    params: int | None
    macs: int | None
    memory: int | None
    output: Mapping[str, Shape]
    error: Diagnostic | None = None
    data: tuple[Any, ...] = ()


class Sweep(Record, frozen=True):
    """The costs of the network ``name`` with all combinations of values for the parameters ``names``."""

    name: str
    names: tuple[str, ...]
    rows: tuple[Row, ...]

    def __repr__(self) -> str:
        return as_plain(self)

    def picture(self) -> Picture:
        """Parameters against MACs, a point for each combination. Raises ValueError if all have errors.

        >>> cnndsl.sweep("net.yaml", {"width": [32, 64]}).picture().save("sweep.svg")
        """
        from cnndsl.questions.sweep_picture import picture  # it loads matplotlib

        return picture(self)

    def sorted(self, by: str) -> Sweep:
        """The same with its rows in order: by ``params``, ``macs`` or ``memory``, the largest first, or by a parameter,
        the smallest first. A ``-`` before the name reverses that. Rows with errors come last. Raises
        ValueError for other names."""
        name = by.removeprefix("-")
        known = (*self.names, *COSTS)
        if name not in known:
            meant = did_you_mean(name, known) or f"there are {', '.join(known)}"
            raise ValueError(f"there is no column `{shorten(name)}`; {meant}")
        sound = [row for row in self.rows if row.error is None]
        sound.sort(key=lambda row: self._rank(row, name), reverse=by.startswith("-") != (name not in self.names))
        return Sweep(self.name, self.names, (*sound, *(row for row in self.rows if row.error is not None)))

    def _rank(self, row: Row, name: str) -> tuple[int, float, str]:
        """Numbers before texts."""
        text = row.values[self.names.index(name)] if name in self.names else str(getattr(row, name))
        try:
            return 0, float(text), text
        except ValueError:
            return 1, 0.0, text


def as_plain(sweep: Sweep) -> str:
    """Aligned text, the same on every terminal."""
    return f"{_title(sweep)}\n\n{_grid(sweep).plain()}\n"


def as_text(sweep: Sweep, medium: Medium = FILE, paint: Paint = unpainted) -> str:
    """A table for terminals. Numbers are rounded before their column is hidden."""
    title = f"{paint(medium.shown(sweep.name), 'bold')}: {_count(sweep)}"
    grid = _grid(sweep).on(medium)
    if grid.hidden:
        grid = _grid(sweep, human).on(medium)
    whole = grid.widths.get("output") == grid.full["output"]
    errors = () if whole else _errors(sweep)
    told = [line for error in errors for line in wrapped(medium.shown(error), medium)]
    return "\n".join((title, "", grid.text(paint), *([""] if told else []), *told)) + "\n"


def _errors(sweep: Sweep) -> list[str]:
    """The first combinations with errors, with what these are: the rows have no room for it."""
    failed = [row for row in sweep.rows if row.error is not None]
    shown = [f"{', '.join(map(' = '.join, zip(sweep.names, row.values)))}: {_error(row)}" for row in failed[:_ERRORS]]
    return shown if len(failed) <= _ERRORS else [*shown, f"`--format plain` shows the other {len(failed) - _ERRORS}"]


def _title(sweep: Sweep) -> str:
    return f"{one_line(sweep.name)}: {_count(sweep)}"


def _count(sweep: Sweep) -> str:
    failed = sum(row.error is not None for row in sweep.rows)
    found = f"{len(sweep.rows)} combination{'s' * (len(sweep.rows) != 1)}"
    return f"{found}, {failed} with errors" if failed else found


def _grid(sweep: Sweep, number: Callable[[int], str] = "{:,}".format) -> Grid:
    columns = [f">{name}" if _are_numbers(sweep, index) else name for index, name in enumerate(_heads(sweep))]
    rows = [(*row.values, *_costs(row, number)) for row in sweep.rows]
    return Grid((*columns, *_COSTS), rows, _GIVES)


def _heads(sweep: Sweep) -> list[str]:
    """The names of the parameters, told apart from the costs: a parameter may be called ``memory``."""
    costs = {column.removeprefix(">") for column in _COSTS}
    return [f"-p {name}" if name in costs else name for name in sweep.names]


def _are_numbers(sweep: Sweep, index: int) -> bool:
    return all(row.values[index].lstrip("-").replace(".", "", 1).isdigit() for row in sweep.rows)


def _costs(row: Row, number: Callable[[int], str]) -> tuple[Cell, ...]:
    if row.error is not None:
        return "", "", "", ((_error(row), "failed"),)
    return number(row.params or 0), number(row.macs or 0), _bytes(row.memory or 0), _output(row)


def _bytes(number: int) -> str:
    return f"{human(number)}B" if number >= 1000 else f"{number} B"


def _error(row: Row) -> str:
    assert row.error is not None
    place = f" ({row.error.span})" if row.error.span else ""
    return f"{row.error.code.id}: {one_line(row.error.message)}{place}"


def _output(row: Row) -> str:
    shapes = row.output
    return ", ".join(f"{name} {shape}" if len(shapes) > 1 else str(shape) for name, shape in shapes.items())


def as_markdown(sweep: Sweep) -> str:
    """A table as GitHub shows it, with numbers rounded."""
    head = [*map(in_markdown, _heads(sweep)), "params", "MACs", "memory", "output"]
    rules = [*["---"] * len(sweep.names), "---:", "---:", "---:", "---"]
    lines = [head, rules, *(_markdown_cells(row) for row in sweep.rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _markdown_cells(row: Row) -> Sequence[str]:
    values = [*map(in_markdown, row.values)]
    if row.error is not None:
        return [*values, "", "", "", in_markdown(_error(row))]
    costs = human(row.params or 0), human(row.macs or 0), _bytes(row.memory or 0)
    return [*values, *costs, in_markdown(_output(row))]


# --- for programs --------------------------------------------------------------------------------


def as_json(sweep: Sweep) -> str:
    """The rows as a JSON object. A shape is a list of sizes."""
    return json_text(
        {"name": sweep.name, "parameters": list(sweep.names), "rows": [_plain(sweep, row) for row in sweep.rows]}
    )


def _plain(sweep: Sweep, row: Row) -> dict[str, Any]:
    return {
        "values": dict(zip(sweep.names, row.data)),
        "params": row.params,
        "macs": row.macs,
        "memory": row.memory,
        "output": {name: list(shape) for name, shape in row.output.items()},
        "error": row.error.as_dict() if row.error else None,
    }


def as_csv(sweep: Sweep) -> str:
    """A line for each combination."""
    import csv

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*_heads(sweep), *COSTS, "output", "error"))
    for row in sweep.rows:
        costs = ("", "", "") if row.error else (row.params, row.macs, row.memory)
        writer.writerow((*row.values, *costs, _output(row), _error(row) if row.error else ""))
    return text.getvalue()
