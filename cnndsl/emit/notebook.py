"""A network as notebooks show it: its table, then its picture, each in a box that scrolls.

A notebook keeps what it shows, so both are as deep as a bounded number of characters allows.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from cnndsl.emit.diagram import diagram
from cnndsl.emit.table import Table, as_html
from cnndsl.graph.graph import Graph, walk

#: Characters of HTML, of the table and of the picture.
TABLE, PICTURE = 110_000, 160_000
_BOX = "max-height:32em;overflow:auto;margin:0.5em 0;border:1px solid #8884;border-radius:4px"


def as_notebook(graph: Graph) -> str:
    """HTML of the table and the picture of a network."""
    table = _box(graph, TABLE, lambda depth: as_html(Table.of(graph, depth)), "shapes", _BOX)
    # The picture's letters are dark, whatever the notebook's theme.
    picture = _box(
        graph, PICTURE, lambda depth: diagram(graph, depth=depth).svg(), "diagram", f"{_BOX};background:#fff"
    )
    return f"{table}\n{picture}\n"


def _box(graph: Graph, room: int, made: Callable[[int], str], method: str, style: str) -> str:
    """What ``made`` gives for the largest depth for which there is room."""
    deepest = max((depth for depth, _ in walk(graph.root.body)), default=1)
    for depth in range(deepest, 0, -1):
        if len(html := made(depth)) <= room:
            less = f"<p>Shown to depth {depth} of {deepest}; <code>{method}()</code> has all.</p>" * (depth < deepest)
            return f'<div style="{style}">{html}</div>{less}'
    return f"<p>{escape(graph.document.name)} is too large to be shown here; <code>{method}()</code> has all.</p>"
