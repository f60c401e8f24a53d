"""Tables as HTML: for a notebook, and as a page of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from cnndsl.emit.table.columns import Column, columns_of
from cnndsl.emit.table.text import cells_of, feet_of, input_of, parents, summary_of, title_of
from cnndsl.printable import one_line

if TYPE_CHECKING:
    from cnndsl.emit.table.rows import Row, Table

#: The background of a notebook in Jupyter and VS Code, also in dark themes.
_PAPER = "var(--cnndsl-paper,var(--jp-layout-color0,var(--vscode-editor-background,Canvas)))"
_BAR = "#6a9fe866"

_STYLE = """\
:root { color-scheme: light dark; --cnndsl-paper: #fff; --ink: #1c2126; --faint: #68707a; --line: #dfe3e8;
  --over: #f3f6fa }
@media (prefers-color-scheme: dark) {
  :root { --cnndsl-paper: #15181c; --ink: #e4e7eb; --faint: #98a1ab; --line: #2c3238; --over: #1e2329 }
}
body { margin: 2rem auto; padding: 0 1.5rem; width: fit-content; max-width: 100%; box-sizing: border-box;
  background: var(--cnndsl-paper); color: var(--ink); font: 14px/1.45 system-ui, sans-serif }
h1 { font-size: 1.5rem; margin: 0 0 0.2rem } p { margin: 0.1rem 0; color: var(--faint) }
div { overflow-x: auto; margin-top: 1.2rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums } caption { display: none }
th, td { padding: 0.2rem 0.8rem; border-bottom: 1px solid var(--line) }
thead th { border-bottom: 2px solid var(--ink) } tfoot tr:first-child th { border-top: 2px solid var(--ink) }
tbody tr:hover { background: var(--over) }
@media print { body { margin: 0 } thead { position: static } tr { break-inside: avoid } }
"""


def as_html(table: Table) -> str:
    """A table as notebooks show it."""
    columns = columns_of(table)
    head = _line("th", columns, [[column.heading] for column in columns])
    rows = zip(cells_of(table), parents(table))
    body = "\n".join(_line("td", columns, cells, row, table, bold) for (row, cells), bold in rows)
    feet = "".join(_line("th", columns, [[text] for text in texts]) for texts in feet_of(table))
    title = escape(f"{title_of(table)}: {'; '.join(summary_of(table))}")
    caption = f'<caption style="text-align:left;padding:0.3em 0.5em">{title}</caption>'
    parts = (
        f'<table cellpadding="3" style="white-space:nowrap">\n{caption}',
        f'<thead style="position:sticky;top:0;background:{_PAPER}">{head}</thead>',
        f"<tbody>\n{body}\n</tbody>\n<tfoot>{feet}</tfoot>\n</table>\n",
    )
    return "\n".join(parts)


def as_page(table: Table) -> str:
    """A page of its own, light or dark as the reader prefers. It loads nothing."""
    name = escape(one_line(table.name))
    said = "\n".join(f"<p>{escape(line)}</p>" for line in (f"input {one_line(input_of(table))}", *summary_of(table)))
    parts = (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{name}</title>',
        '<meta name="viewport" content="width=device-width">',
        f"<style>\n{_STYLE}</style>\n</head>\n<body>\n<h1>{name}</h1>\n{said}\n<div>\n{as_html(table)}</div>",
        "</body>\n</html>\n",
    )
    return "\n".join(parts)


def _line(
    tag: str,
    columns: Iterable[Column],
    cells: Iterable[Sequence[str]],
    row: Row | None = None,
    table: Table | None = None,
    bold: bool = False,
) -> str:
    """A line of a table; ``row`` and ``table`` give it its indent and its bars."""
    styled = (
        f'<{tag} style="{_style(column, row, table)}">{"<br/>".join(map(escape, lines))}</{tag}>'
        for column, lines in zip(columns, cells)
    )
    weight = ' style="font-weight:600"' if bold else ""
    return f"<tr{weight}>{''.join(styled)}</tr>"


def _style(column: Column, row: Row | None, table: Table | None) -> str:
    if column.right:
        share = column.value(row, table) if column.share and row and table else 0
        bar = f";background:linear-gradient(to right,{_BAR} {share:.1f}%,transparent 0)" if share else ""
        return f"text-align:right{bar}"
    if column.name == "path":
        depth = row.depth - 1 if row and table and table.tree else 0
        return f"text-align:left;padding-left:{depth + 0.5}em"
    return "text-align:left;white-space:normal" if column.long else "text-align:left"
