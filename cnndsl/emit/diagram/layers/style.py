"""The look of a figure: colours and labels, as the DOT text of nodes, clusters and edges."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from textwrap import wrap

import graphviz

from cnndsl.emit.diagram.dot import FONT, escaped, font, identifier, lines
from cnndsl.emit.diagram.fonts import width
from cnndsl.emit.diagram.labels import SIGNS, TIMES
from cnndsl.emit.diagram.layers.figure import Cluster, Edge, Figure, Node
from cnndsl.emit.diagram.themes import Theme
from cnndsl.layers import Shape

GRAPH = {
    "fontname": FONT,
    "labelloc": "t",
    "newrank": "true",
    "nodesep": "0.2",
    "pad": "0.15",
    "ranksep": "0.28",
}
#: Above these numbers the best layout takes too long.
MANY_NODES, MANY_DETOURS = 500, 1_000
HASTY = {"nslimit": "1", "mclimit": "0.1"}
NODE = {
    "fontname": FONT,
    "fontsize": "11",
    "shape": "box",
    "style": "rounded,filled",
    "margin": "0.12,0.05",
    "height": "0.3",
    "width": "0.6",
}
EDGE = {"fontname": FONT, "fontsize": "8.5", "arrowsize": "0.55"}
#: The line from a tensor of which a layer reads only the size.
SIZE = {"style": "dashed", "penwidth": "0.8", "arrowsize": "0.45", "constraint": "false"}

_LEFT = '<BR ALIGN="LEFT"/>'


def write(figure: Figure, dot: graphviz.Digraph, title: str, description: str, show_shapes: bool, theme: Theme) -> None:
    """Fills ``dot`` with the content of a figure."""
    _Writer(figure, dot, theme).write(title, description, show_shapes)


class _Writer:
    def __init__(self, figure: Figure, dot: graphviz.Digraph, theme: Theme) -> None:
        self.figure, self.dot, self.theme = figure, dot, theme
        self.rooms: dict[str, float] = {}
        for id, room in _rooms(figure.root):
            self.rooms[id] = max(room, self.rooms.get(id, 0.0))

    def write(self, title: str, description: str, show_shapes: bool) -> None:
        figure, dot, theme = self.figure, self.dot, self.theme
        heading = font(f"<B>{escaped(title)}</B>", 14, self.theme.ink)
        if description:
            whole = re.sub(r"\([^()]{,44}\)", lambda source: source[0].replace(" ", "\u00a0"), description)
            heading += f"<BR/>{font(lines(whole, 48), 10, self.theme.muted)}"
        dot.graph_attr |= {**GRAPH, "fontcolor": theme.ink, "bgcolor": theme.paper, "label": f"<{heading}<BR/>>"}
        plain, _ = theme.plain
        dot.node_attr |= {**NODE, "fontcolor": theme.ink, "color": theme.ink, "fillcolor": plain}
        dot.edge_attr |= {**EDGE, "fontcolor": theme.muted, "color": theme.line}
        if figure.nodes > MANY_NODES or figure.detours > MANY_DETOURS:
            dot.graph_attr |= HASTY
        if figure.detours > MANY_DETOURS:
            dot.graph_attr["splines"] = "line"
        edges = self._edges(figure.edges, show_shapes)
        # An edge past a module is written before it, or Graphviz displaces labels inside the module.
        for edge, attributes in edges:
            if _skips(edge):
                dot.edge(identifier(edge.tail.id), identifier(edge.head.id), **attributes)
        for child in figure.root.children:
            self._child(child, dot, 0)
        for row in figure.rows:
            with dot.subgraph() as beside:
                beside.attr(rank="same")
                for left, right in pairwise(row):
                    beside.edge(identifier(left.id), identifier(right.id), style="invis")
        for edge, attributes in edges:
            if not _skips(edge):
                dot.edge(identifier(edge.tail.id), identifier(edge.head.id), **attributes)

    def _child(self, child: Node | Cluster, dot: graphviz.Digraph, level: int) -> None:
        if isinstance(child, Node):
            dot.node(identifier(child.id), **self._node(child))
            return
        with dot.subgraph(name=f"cluster {identifier(child.id)}") as inner:
            inner.attr(**self._cluster(child, level))
            for grandchild in child.children:
                self._child(grandchild, inner, level + 1)
            self._keep_titles_free(child, inner)

    def _keep_titles_free(self, cluster: Cluster, dot: graphviz.Digraph) -> None:
        """Puts something invisible and as wide as a title to the left of the first node below it, so that the line to
        that goes past the title."""
        for child in cluster.children:
            if room := self.rooms.get(child.id):
                name = f"{identifier(child.id)} title"
                dot.node(name, label="", style="invis", fixedsize="true", width=f"{room / 72:.3f}", height="0.01")
                with dot.subgraph() as beside:
                    beside.attr(rank="same")
                    beside.edge(name, identifier(child.id), style="invis")

    def _node(self, node: Node) -> dict[str, str]:
        if node.kind == "fork":
            return {
                "label": "",
                "shape": "point",
                "width": "0.04",
                "color": self.theme.line,
                "fillcolor": self.theme.line,
            }
        if node.kind == "rest":
            return {"label": f"<⋯ {escaped(node.title)} ⋯>", "shape": "plain", "style": ""}
        if node.kind in ("input", "output"):
            return {"label": f"<{escaped(node.title)}>", "shape": "oval", "style": "filled"}
        if node.kind == "merge":
            sign = SIGNS.get(node.title, node.title)
            size = {"fontsize": "12", "width": "0.26"} if len(sign) == 1 else {"fontsize": "8", "width": "0.46"}
            return {"label": f"<{escaped(sign)}>", "shape": "circle", "style": "filled", "fixedsize": "true", **size}
        detail = f"<BR/>{font(lines(node.detail, 34), 8.5, self.theme.muted)}" if node.detail else ""
        label = f"<<B>{escaped(node.title)}</B>{self._times(node.times, ' ')}{detail}>"
        if node.kind == "module":
            return {"label": label, "color": self.theme.line, "peripheries": "2"}
        fill, border = self.theme.families.get(node.family, self.theme.other)
        return {"label": label, "fillcolor": fill, "color": border}

    def _cluster(self, cluster: Cluster, level: int) -> dict[str, str]:
        if not cluster.title:
            label = f"<{self._times(cluster.times)}>"
            style = {"style": "rounded,dashed", "color": self.theme.line}
            return {"label": label, "labeljust": "r", "margin": "7", **style}
        kind = font(escaped(cluster.kind), 9, self.theme.muted)
        return {
            "label": f"<<B>{escaped(cluster.title)}</B>{self._times(cluster.times, ' ')}{_LEFT}{kind}{_LEFT}>",
            "labeljust": "l",
            "style": "rounded,filled",
            "fillcolor": self.theme.levels[level % len(self.theme.levels)],
            "color": self.theme.frame,
            "fontsize": "10",
            "margin": "9",
        }

    def _edges(self, edges: Sequence[Edge], show_shapes: bool) -> list[tuple[Edge, dict[str, str]]]:
        """Edges with their attributes.

        A shape is shown where its tensor is made, and not again where it forks or bypasses something. Chains without
        forks and merges, ignoring bypasses, are pulled straight by their weight. A tensor whose size is read has a
        dashed line that moves nothing. Operands whose order matters have their numbers.
        """
        sizes = [(edge, {**SIZE, "color": self.theme.faint}) for edge in edges if edge.size]
        edges = [edge for edge in edges if not edge.size]
        leaving, arriving = Counter(edge.tail for edge in edges), Counter(edge.head for edge in edges)
        main = [edge for edge in edges if not edge.bypass]
        main_leaving, main_arriving = Counter(edge.tail for edge in main), Counter(edge.head for edge in main)
        told = {(edge.tail, edge.output) for edge in main}
        found = []
        for edge in edges:
            alone = leaving[edge.tail] == arriving[edge.head] == 1
            on_main = not edge.bypass and main_leaving[edge.tail] == main_arriving[edge.head] == 1
            attributes = {"weight": "1000" if alone or on_main else "2"}
            if edge.bypass:
                attributes |= {"color": self.theme.bypass, "penwidth": "1.4"}
            if edge.head.kind == "fork":
                attributes["arrowhead"] = "none"
            said = edge.tail.kind == "fork" or (edge.bypass and (edge.tail, edge.output) in told)
            tensor = f"&#160;{escaped(edge.output)}" * bool(edge.output) + _shape(edge.shapes) * show_shapes
            words = [f"&#160;{edge.order}"] * bool(edge.order) + [tensor] * (tensor != "" and not said)
            if words:
                attributes["label"] = f"<{':'.join(words)}>"
            found.append((edge, attributes))
        return found + sizes

    def _times(self, times: int, before: str = "") -> str:
        return font(f"<B>{before}{TIMES}{times}</B>", 11, self.theme.bypass) if times > 1 else ""


def _nodes(cluster: Cluster) -> Iterator[Node]:
    """All nodes in a cluster, in order."""
    for child in cluster.children:
        if isinstance(child, Node):
            yield child
        else:
            yield from _nodes(child)


def _rooms(cluster: Cluster) -> Iterator[tuple[str, float]]:
    """The first nodes below titles, with the widths of these. A title leaves its line alone if a node is much wider."""
    for child in cluster.children:
        if isinstance(child, Cluster):
            yield from _rooms(child)
    nodes = [*_nodes(cluster)]
    room = max(width(cluster.title, 10, bold=True), width(cluster.kind, 9))
    if cluster.title and nodes and max(map(_width, nodes)) < 2 * room + 20:
        yield nodes[0].id, room


def _width(node: Node) -> float:
    """About how wide a node is."""
    return max(width(node.title, 11, bold=True), *(width(line, 8.5) for line in wrap(node.detail, 34) or [""]))


def _skips(edge: Edge) -> bool:
    return edge.bypass and edge.tail.kind == "fork" and edge.head.kind == "merge"


def _shape(shapes: Sequence[Shape]) -> str:
    """``64x56x56``; if shapes differ from round to round of a loop, the first and the last."""
    first, last = (f"&#160;{TIMES.join(map(str, shape.sample))}" for shape in (shapes[0], shapes[-1]))
    return first if first == last else f"{first} …{_LEFT}{last}{_LEFT}"
