"""Every format of a table that is the same on every terminal, by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from cnndsl.diagnostics import did_you_mean, got
from cnndsl.emit.table.text import as_markdown, as_plain

if TYPE_CHECKING:
    from cnndsl.emit.table.rows import Table


def _json(table: Table) -> str:
    from cnndsl.emit.table.programs import as_json

    return as_json(table)


def _csv(table: Table) -> str:
    from cnndsl.emit.table.programs import as_csv

    return as_csv(table)


def _page(table: Table) -> str:
    from cnndsl.emit.table.page import as_page

    return as_page(table)


def _latex(table: Table) -> str:
    from cnndsl.emit.table.latex import as_latex

    return as_latex(table)


FORMATS: Mapping[str, Callable[[Table], str]] = {
    **{"plain": as_plain, "json": _json, "csv": _csv, "markdown": as_markdown},
    **{"html": _page, "latex": _latex},
}
#: The formats by how the names of their files end.
ENDINGS = {".txt": "plain", ".json": "json", ".csv": "csv", ".md": "markdown", ".html": "html", ".tex": "latex"}


def written(table: Table, format: str) -> str:
    """The text of a table in a format. Raises ValueError for one that there is not."""
    if not isinstance(format, str):
        raise TypeError(f"a format is a str, not {got(format)}")
    if format not in FORMATS:
        help = did_you_mean(format, FORMATS) or f"the formats are {', '.join(FORMATS)}"
        raise ValueError(f"there is no format {got(format)}: {help}")
    return FORMATS[format](table)


def format_of(ending: str) -> str:
    """The format of a file whose name ends so. Raises ValueError."""
    if ending.lower() not in ENDINGS:
        raise ValueError(f"a table is saved as {', '.join(ENDINGS)}, not as {ending or 'a file without an extension'}")
    return ENDINGS[ending.lower()]
