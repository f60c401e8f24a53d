"""The look of a figure: colours and labels, as the DOT text of nodes, clusters and edges."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from textwrap import wrap

import graphviz

from cnndsl.emit.diagram.figure import TIMES, Cluster, Edge, Figure, Node
from cnndsl.layers import Shape
from cnndsl.palette import BLUE, FONTS, INK, LINE, MUTED

FONT = ",".join((*FONTS, "sans-serif"))
BYPASS = BLUE

#: Fill and border for each family of layers: tints of Okabe and Ito's colours, which colour-blind
#: people can tell apart. Other families are grey.
FAMILIES = {
    "convolution": ("#C3DCF0", "#5B9BC8"),
    "linear": ("#EBCFDF", "#C07FA5"),
    "pooling": ("#FBE3B5", "#D9A441"),
    "normalization": ("#C6E7DA", "#5CB597"),
    "activation": ("#F8F4C2", "#C9BF4A"),
    "upsampling": ("#F6CDB5", "#D98752"),
    "padding": ("#DDF0FA", "#86BEDD"),
}
OTHER = ("#ECECEC", "#A8A8A8")
#: Backgrounds of modules, from the outermost inwards; deeper levels start over.
CLUSTERS = ("#F7F8FA", "#EEF1F4", "#E5E9EE", "#DCE1E7")
SIGNS = {
    "add": "+",
    "subtract": "\N{MINUS SIGN}",
    "multiply": TIMES,
    "divide": "\N{DIVISION SIGN}",
    "maximum": "max",
    "minimum": "min",
}

GRAPH = {
    "fontname": FONT,
    "fontcolor": INK,
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
    "fontcolor": INK,
    "color": INK,
    "fillcolor": "white",
    "shape": "box",
    "style": "rounded,filled",
    "margin": "0.12,0.05",
    "height": "0.3",
    "width": "0.6",
}
EDGE = {"fontname": FONT, "fontsize": "8.5", "fontcolor": MUTED, "color": LINE, "arrowsize": "0.55"}
#: The line from a tensor of which a layer reads only the size.
SIZE = {"style": "dashed", "color": "#A0A8B1", "penwidth": "0.8", "arrowsize": "0.45", "constraint": "false"}

_LEFT = '<BR ALIGN="LEFT"/>'


def write(figure: Figure, dot: graphviz.Digraph, title: str, description: str, show_shapes: bool) -> None:
    """Fills ``dot`` with the content of a figure."""
    heading = _font(f"<B>{_text(title)}</B>", 14)
    if description:
        whole = re.sub(r"\([^()]{,44}\)", lambda source: source[0].replace(" ", "\u00a0"), description)
        heading += f"<BR/>{_font(_lines(whole, 48), 10, MUTED)}"
    dot.graph_attr |= {**GRAPH, "label": f"<{heading}<BR/>>"}
    dot.node_attr |= NODE
    dot.edge_attr |= EDGE
    if figure.nodes > MANY_NODES or figure.detours > MANY_DETOURS:
        dot.graph_attr |= HASTY
    if figure.detours > MANY_DETOURS:
        dot.graph_attr["splines"] = "line"
    edges = _edges(figure.edges, show_shapes)
    # An edge past a module is written before it, or Graphviz displaces labels inside the module.
    for edge, attributes in edges:
        if _skips(edge):
            dot.edge(identifier(edge.tail.id), identifier(edge.head.id), **attributes)
    for child in figure.root.children:
        _write_child(child, dot, 0)
    for row in figure.rows:
        with dot.subgraph() as beside:
            beside.attr(rank="same")
            for left, right in pairwise(row):
                beside.edge(identifier(left.id), identifier(right.id), style="invis")
    for edge, attributes in edges:
        if not _skips(edge):
            dot.edge(identifier(edge.tail.id), identifier(edge.head.id), **attributes)


def _write_child(child: Node | Cluster, dot: graphviz.Digraph, level: int) -> None:
    if isinstance(child, Node):
        dot.node(identifier(child.id), **_node(child))
        return
    with dot.subgraph(name=f"cluster {identifier(child.id)}") as inner:
        inner.attr(**_cluster(child, level))
        for grandchild in child.children:
            _write_child(grandchild, inner, level + 1)


def _node(node: Node) -> dict[str, str]:
    if node.kind == "fork":
        return {"label": "", "shape": "point", "width": "0.04", "color": LINE, "fillcolor": LINE}
    if node.kind == "rest":
        return {"label": f"<⋯ {_text(node.title)} ⋯>", "shape": "plain", "style": ""}
    if node.kind in ("input", "output"):
        return {"label": f"<{_text(node.title)}>", "shape": "oval", "style": "filled"}
    if node.kind == "merge":
        sign = SIGNS.get(node.title, node.title)
        size = {"fontsize": "12", "width": "0.26"} if len(sign) == 1 else {"fontsize": "8", "width": "0.46"}
        return {"label": f"<{_text(sign)}>", "shape": "circle", "style": "filled", "fixedsize": "true", **size}
    detail = f"<BR/>{_font(_lines(node.detail, 34), 8.5, MUTED)}" if node.detail else ""
    label = f"<<B>{_text(node.title)}</B>{_times(node.times, ' ')}{detail}>"
    if node.kind == "module":
        return {"label": label, "color": LINE, "peripheries": "2"}
    fill, border = FAMILIES.get(node.family, OTHER)
    return {"label": label, "fillcolor": fill, "color": border}


def _cluster(cluster: Cluster, level: int) -> dict[str, str]:
    if not cluster.title:
        label = f"<{_times(cluster.times)}>"
        return {"label": label, "labeljust": "r", "style": "rounded,dashed", "color": LINE, "margin": "7"}
    kind = _font(_text(cluster.kind), 9, MUTED)
    return {
        "label": f"<<B>{_text(cluster.title)}</B>{_times(cluster.times, ' ')}{_LEFT}{kind}{_LEFT}>",
        "labeljust": "l",
        "style": "rounded,filled",
        "fillcolor": CLUSTERS[level % len(CLUSTERS)],
        "color": "#C4CBD3",
        "fontsize": "10",
        "margin": "9",
    }


def _skips(edge: Edge) -> bool:
    return edge.bypass and edge.tail.kind == "fork" and edge.head.kind == "merge"


def _edges(edges: Sequence[Edge], show_shapes: bool) -> list[tuple[Edge, dict[str, str]]]:
    """Edges with their attributes.

    A shape is shown where its tensor is made, and not again where it forks or bypasses something. Chains
    without forks and merges, ignoring bypasses, are pulled straight by their weight. A tensor whose size is read has a
    dashed line that moves nothing. Operands whose order matters have their numbers.
    """
    sizes = [(edge, SIZE) for edge in edges if edge.size]
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
            attributes |= {"color": BYPASS, "penwidth": "1.4"}
        if edge.head.kind == "fork":
            attributes["arrowhead"] = "none"
        said = edge.tail.kind == "fork" or (edge.bypass and (edge.tail, edge.output) in told)
        tensor = f"&#160;{_text(edge.output)}" * bool(edge.output) + _shape(edge.shapes) * show_shapes
        words = [f"&#160;{edge.order}"] * bool(edge.order) + [tensor] * (tensor != "" and not said)
        if words:
            attributes["label"] = f"<{':'.join(words)}>"
        found.append((edge, attributes))
    return found + sizes


def _shape(shapes: Sequence[Shape]) -> str:
    """``64x56x56``; if shapes differ from round to round of a loop, the first and the last."""
    first, last = (f"&#160;{TIMES.join(map(str, shape.sample))}" for shape in (shapes[0], shapes[-1]))
    return first if first == last else f"{first} …{_LEFT}{last}{_LEFT}"


def _times(times: int, before: str = "") -> str:
    return _font(f"<B>{before}{TIMES}{times}</B>", 11, BYPASS) if times > 1 else ""


def _font(label: str, size: float, color: str = INK) -> str:
    return f'<FONT POINT-SIZE="{size:g}" COLOR="{color}">{label}</FONT>'


def _lines(text: str, width: int) -> str:
    """Text for an HTML-like label, broken at spaces into lines of about ``width`` characters."""
    lines = [piece for line in text.splitlines() for piece in wrap(line, width) or [""]]
    return "<BR/>".join(_text(line.replace("\u00a0", " ")) for line in lines)


def _text(text: str) -> str:
    """Text escaped for an HTML-like label: no markup, and no backslash, which Graphviz interprets there too.
    All text of a spec passes through here; unprintable characters become escapes."""
    printable = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return escape(printable).replace("\\", "\\\\")


def identifier(path: str) -> str:
    """A node's name in DOT: the path, without DOT's special characters."""
    return re.sub(r"[^\w. ]", "_", path)
