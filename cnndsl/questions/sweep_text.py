"""A sweep for people, and for programs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from cnndsl.emit.table import human
from cnndsl.grid import FILE, GONE, Cell, Grid, Medium, Paint, unpainted
from cnndsl.json_text import json_text
from cnndsl.printable import markdown, one_line
from cnndsl.questions.sweep import Row, Sweep

_COSTS = (">params", ">MACs", "output")
_GIVES = (("output", 12), (">MACs", GONE))


def as_plain(sweep: Sweep) -> str:
    """Aligned text, the same on every terminal."""
    return f"{_title(sweep)}\n\n{_grid(sweep).plain()}\n"


def as_text(sweep: Sweep, medium: Medium = FILE, paint: Paint = unpainted) -> str:
    """A table for terminals."""
    title = f"{paint(medium.shown(sweep.name), 'bold')}: {_count(sweep)}"
    return f"{title}\n\n{_grid(sweep).text(medium, paint)}\n"


def _title(sweep: Sweep) -> str:
    return f"{one_line(sweep.name)}: {_count(sweep)}"


def _count(sweep: Sweep) -> str:
    failed = sum(row.error is not None for row in sweep.rows)
    found = f"{len(sweep.rows)} combination{'s' * (len(sweep.rows) != 1)}"
    return f"{found}, {failed} with errors" if failed else found


def _grid(sweep: Sweep) -> Grid:
    columns = [f">{name}" if _are_numbers(sweep, index) else name for index, name in enumerate(sweep.names)]
    rows = [(*row.values, *_costs(row)) for row in sweep.rows]
    return Grid((*columns, *_COSTS), rows, _GIVES)


def _are_numbers(sweep: Sweep, index: int) -> bool:
    return all(row.values[index].lstrip("-").replace(".", "", 1).isdigit() for row in sweep.rows)


def _costs(row: Row) -> tuple[Cell, ...]:
    if row.error is not None:
        return "", "", ((_error(row), "failed"),)
    return f"{row.params:,}", f"{row.macs:,}", _output(row)


def _error(row: Row) -> str:
    assert row.error is not None
    place = f" ({row.error.span})" if row.error.span else ""
    return f"{row.error.code.id}: {one_line(row.error.message)}{place}"


def _output(row: Row) -> str:
    shapes = row.output
    return ", ".join(f"{name} {shape}" if len(shapes) > 1 else str(shape) for name, shape in shapes.items())


def as_markdown(sweep: Sweep) -> str:
    """A table as GitHub shows it, with numbers rounded."""
    head = [*map(markdown, sweep.names), "params", "MACs", "output"]
    rules = [*["---"] * len(sweep.names), "---:", "---:", "---"]
    lines = [head, rules, *(_markdown_cells(row) for row in sweep.rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _markdown_cells(row: Row) -> Sequence[str]:
    values = [*map(markdown, row.values)]
    if row.error is not None:
        return [*values, "", "", markdown(_error(row))]
    assert row.params is not None and row.macs is not None
    return [*values, human(row.params), human(row.macs), markdown(_output(row))]


# --- for programs --------------------------------------------------------------------------------


def as_json(sweep: Sweep) -> str:
    """The rows as a JSON object. Values are texts, as the spec would write them; a shape is a list of sizes."""
    return json_text(
        {"name": sweep.name, "parameters": list(sweep.names), "rows": [_plain(sweep, row) for row in sweep.rows]}
    )


def _plain(sweep: Sweep, row: Row) -> dict[str, Any]:
    return {
        "values": dict(zip(sweep.names, row.values)),
        "params": row.params,
        "macs": row.macs,
        "output": {name: list(shape) for name, shape in row.output.items()},
        "error": row.error.as_dict() if row.error else None,
    }


def as_csv(sweep: Sweep) -> str:
    """A line for each combination."""
    import csv

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*sweep.names, "params", "macs", "output", "error"))
    for row in sweep.rows:
        costs = ("", "") if row.error else (row.params, row.macs)
        writer.writerow((*row.values, *costs, _output(row), _error(row) if row.error else ""))
    return text.getvalue()
