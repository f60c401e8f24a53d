"""A graph becomes a diagram.

``fold`` finds what repeats, ``figure`` decides what is drawn, ``style`` how it looks, and ``render`` turns
that into files. Graphviz comes with pygraphviz's wheel; it runs within this process.
"""

from __future__ import annotations

from typing import Literal

from cnndsl.emit.diagram.figure import plan
from cnndsl.emit.diagram.render import Diagram, NoFonts, Shrunk, TooLarge
from cnndsl.emit.diagram.style import identifier, write
from cnndsl.graph.graph import Graph

__all__ = ["Diagram", "NoFonts", "Shrunk", "TooLarge", "diagram"]


def diagram(
    graph: Graph,
    *,
    depth: int | None = None,
    rankdir: Literal["TB", "BT", "LR", "RL"] = "TB",
    show_shapes: bool = True,
    dpi: int | None = None,
    fold: bool = True,
) -> Diagram:
    """Draws a network: modules as boxes around their layers, shapes on the edges.

    ``depth`` is how many levels of modules are opened; deeper ones are one box each. ``rankdir`` is the
    way that data flows, ``TB`` from top to bottom. ``dpi`` is for images of pixels, 144 if not given; a picture that
    would be too large has less, with a warning, or is refused where nobody could read it.
    ``fold`` draws equal parts in a row once, marked ``x N``. A figure of more than 2,000 boxes is made
    coarser: folded, with less depth, and at last without the middle of long lists.
    """
    if rankdir not in ("TB", "BT", "LR", "RL"):
        raise ValueError(f"rankdir is TB, BT, LR or RL, not {rankdir!r}")
    drawn = Diagram(identifier(graph.root.name))
    write(plan(graph, depth, fold), drawn, graph.root.name, graph.document.description, show_shapes)
    drawn.graph_attr["rankdir"] = rankdir
    if dpi is not None:
        drawn.graph_attr["dpi"] = str(dpi)
    return drawn
