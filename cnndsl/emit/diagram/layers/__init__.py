"""Every layer as a box, modules as boxes around them, laid out by Graphviz.

``figure`` decides what is drawn, and ``style`` how it looks.
"""

from __future__ import annotations

from cnndsl.emit.diagram.layers.figure import plan
from cnndsl.emit.diagram.layers.style import write
from cnndsl.emit.diagram.options import Options
from cnndsl.emit.diagram.render import Diagram
from cnndsl.graph.graph import Graph


def draw(graph: Graph, drawn: Diagram, options: Options) -> None:
    """Fills ``drawn`` with a network."""
    figure = plan(graph, options.depth, options.fold)
    write(figure, drawn, graph.root.name, graph.document.description, options.show_shapes, options.colours)
    drawn.graph_attr["rankdir"] = options.rankdir
