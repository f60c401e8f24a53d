"""The figure of a paper: a trunk of boxes, and beside it each of its blocks, opened, once.

``sketch`` decides what is drawn, from the parts in ``items``: ``similar`` finds blocks that share a drawing, ``fuse``
puts layers into one box, and ``arrange`` puts boxes below each other or side by side. ``words`` writes their texts,
``place`` gives them rows and columns, ``route`` leads the lines, and ``draw`` makes a picture of it. ``sheet`` puts the
pictures on one page.
"""

from __future__ import annotations

from cnndsl.emit.diagram.compact.sheet import sheet
from cnndsl.emit.diagram.options import Options
from cnndsl.emit.diagram.render import Diagram
from cnndsl.emit.diagram.written import write
from cnndsl.graph.graph import Graph


def draw(graph: Graph, drawn: Diagram, options: Options) -> None:
    """Fills ``drawn`` with a network."""
    write(sheet(graph, options), drawn, options.colours)
