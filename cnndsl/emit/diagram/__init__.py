"""A graph becomes a diagram."""

from __future__ import annotations

from typing import Literal

from cnndsl.emit.diagram.figure import plan
from cnndsl.emit.diagram.render import Diagram
from cnndsl.emit.diagram.style import graph_attributes, write
from cnndsl.graph.graph import Graph

__all__ = ["Diagram", "diagram"]


def diagram(
    graph: Graph,
    *,
    depth: int | None = None,
    rankdir: Literal["TB", "LR", "BT", "RL"] = "TB",
    show_shapes: bool = True,
    dpi: int | None = None,
    fold: bool = True,
) -> Diagram:
    dot = Diagram(**graph_attributes(graph.root.name, graph.document.description, rankdir))
    write(plan(graph, depth, fold), dot, show_shapes=show_shapes)
    return dot
