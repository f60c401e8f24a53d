"""Turns a graph into a diagram.

``fold`` finds repetitions, ``figure`` decides what is drawn and ``style`` how it looks, and ``render`` writes
files. Graphviz comes with pygraphviz's wheel; it runs within this process.
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

    ``depth`` is the number of levels of modules that are opened; deeper ones are one box each. ``rankdir`` is the
    direction of the data flow, ``TB`` from top to bottom. ``dpi`` is the resolution of raster images, 144 by default;
    an image that would be too large gets a lower one, with a warning, or is refused if it would be illegible.
    ``fold`` draws equal consecutive parts once, marked ``x N``. A figure of more than 2,000 boxes is made
    coarser: folded, with less depth, and finally without the middle of long lists.
    """
    if rankdir not in ("TB", "BT", "LR", "RL"):
        raise ValueError(f"rankdir must be TB, BT, LR or RL, not {rankdir!r}")
    drawn = Diagram(identifier(graph.root.name))
    write(plan(graph, depth, fold), drawn, graph.root.name, graph.document.description, show_shapes)
    drawn.graph_attr["rankdir"] = rankdir
    if dpi is not None:
        drawn.graph_attr["dpi"] = str(dpi)
    return drawn
