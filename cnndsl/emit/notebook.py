"""A network as notebooks show it: its table, then its diagram, each in a box that scrolls.

A notebook stores its output, so the depth of both is limited by a number of characters.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from cnndsl.emit.diagram import diagram
from cnndsl.emit.table import Table
from cnndsl.emit.table.page import as_html
from cnndsl.graph.graph import Graph, walk

#: The most characters of HTML for the table and the diagram.
TABLE, PICTURE = 110_000, 160_000
_BOX = "max-height:32em;overflow:auto;margin:0.5em 0;border:1px solid #8884;border-radius:4px"


def as_notebook(graph: Graph) -> str:
    """HTML with the table and the diagram of a network."""
    table = _box(graph, TABLE, lambda depth: as_html(Table.of(graph, depth)), "shapes", _BOX)
    # The diagram's text is dark in every theme.
    picture = _box(
        graph, PICTURE, lambda depth: diagram(graph, depth=depth).svg(), "diagram", f"{_BOX};background:#fff"
    )
    return f"{table}\n{picture}\n"


def _box(graph: Graph, room: int, made: Callable[[int], str], method: str, style: str) -> str:
    """The result of ``made`` for the largest depth that has room."""
    deepest = max((depth for depth, _ in walk(graph.root.body)), default=1)
    for depth in range(deepest, 0, -1):
        if len(html := made(depth)) <= room:
            less = f"<p>Shown to depth {depth} of {deepest}; <code>{method}()</code> shows all.</p>" * (depth < deepest)
            return f'<div style="{style}">{html}</div>{less}'
    return f"<p>{escape(graph.document.name)} is too large to show here; <code>{method}()</code> shows it.</p>"
