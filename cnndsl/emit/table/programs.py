"""Tables for programs: JSON and CSV, in which nothing is rounded, cut or translated."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from cnndsl.emit.table.columns import COLUMNS, sizes

if TYPE_CHECKING:
    from cnndsl.emit.table.rows import Row, Table

#: The columns of a CSV file, unless others are asked for.
CSV_HEADER = ("path", "layer", "depth", "input", "output", "params", "macs")


def as_dict(table: Table) -> dict[str, Any]:
    """The table as plain data. A shape is a list of sizes. Several are a mapping by the names of inputs and outputs, or
    a list if they have no names. If columns were asked for, a row has these, by their names."""
    inputs = {name: list(shape) for name, shape in table.inputs.items()}
    total = {"params": table.total.params, "buffers": table.total.buffers, "macs": table.total.macs}
    return {
        "name": table.name,
        "input": inputs if len(inputs) > 1 else next(iter(inputs.values()), []),
        "rows": [_chosen(row, table) if table.columns else _all(row) for row in table.rows],
        **({"shown": _summed(table.shown)} if table.shown else {}),
        "total": total,
        "memory": _memory(table),
        "complete": table.complete,
    }


def _all(row: Row) -> dict[str, Any]:
    return {
        "path": row.path,
        "layer": row.layer,
        "depth": row.depth,
        "arguments": dict(row.arguments),
        "input": sizes(row.input),
        "output": sizes(row.output),
        "params": row.params,
        "buffers": row.buffers,
        "macs": row.macs,
        **_failed(row),
    }


def _chosen(row: Row, table: Table) -> dict[str, Any]:
    return {name: COLUMNS[name].value(row, table) for name in table.columns} | _failed(row)


def _failed(row: Row) -> dict[str, bool]:
    return {"failed": True} if row.failed else {}


def _summed(row: Row) -> dict[str, int]:
    return {"params": row.params, "buffers": row.buffers, "macs": row.macs}


def _memory(table: Table) -> dict[str, Any] | None:
    """Bytes of the parameters, and of the activations at most, in inference and in training."""
    known = table.memory
    return None if known is None else {name: getattr(known, name) for name in known.__struct_fields__}


def as_json(table: Table) -> str:
    """A JSON object, with each row on its own line."""
    data = as_dict(table)
    lines = ",\n".join(f"    {_json(row)}" for row in data["rows"])
    texts = {key: _json(value) for key, value in data.items()} | {"rows": f"[\n{lines}\n  ]" if lines else "[]"}
    return "{\n" + ",\n".join(f'  "{key}": {text}' for key, text in texts.items()) + "\n}\n"


def as_csv(table: Table) -> str:
    """The rows with shapes in brackets. No totals: the rows of one depth add up to them."""
    import csv

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = table.columns or CSV_HEADER
    writer.writerow(names)
    writer.writerows([_cell(name, row, table) for name in names] for row in table.rows)
    return text.getvalue()


def _cell(name: str, row: Row, table: Table) -> Any:
    """Numbers and names as they are, other values as people read them."""
    column = COLUMNS[name]
    if name == "layer" or column.right:
        return column.value(row, table)
    return ", ".join(column.lines(row, table, str))


def _json(value: object) -> str:
    import json

    return json.dumps(value, default=str)
