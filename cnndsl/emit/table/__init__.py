"""The table of a network: one row for each module, layer and merge, in every output format."""

from cnndsl.emit.table.choice import Choice
from cnndsl.emit.table.columns import COLUMNS, UnknownName, as_bytes, human
from cnndsl.emit.table.formats import FORMATS
from cnndsl.emit.table.rows import Row, Shapes, Table, arguments, call, literal, rows
from cnndsl.emit.table.text import as_grid, as_markdown, as_plain, as_text

__all__ = [
    "COLUMNS",
    "FORMATS",
    "Choice",
    "Row",
    "Shapes",
    "Table",
    "UnknownName",
    "arguments",
    "as_bytes",
    "as_grid",
    "as_markdown",
    "as_plain",
    "as_text",
    "call",
    "human",
    "literal",
    "rows",
]
