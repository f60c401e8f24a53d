"""How a figure looks: colours, labels, and the DOT text of nodes, clusters and edges."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from textwrap import wrap

import graphviz

from cnndsl.emit.diagram.figure import Cluster, Edge, Figure, Node
from cnndsl.layers import Shape

#: Families that render alike on the machine that lays out and in the browser that shows an SVG,
#: and for a machine without any of them, fonts that most have.
FONT = "Helvetica,Arial,Liberation Sans,DejaVu Sans,sans-serif"

INK, MUTED, LINE, BYPASS = "#1F2328", "#57606A", "#6E7781", "#0072B2"

#: Fill and border for each family of layers: tints of Okabe and Ito's palette, which the colour-blind
#: can tell apart, and greys for what does not compute.
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

#: Backgrounds of modules from the outermost in; deeper ones start over.
CLUSTERS = ("#F7F8FA", "#EEF1F4", "#E5E9EE", "#DCE1E7")

_NEXT_LINE = '<BR ALIGN="LEFT"/>'

SIGNS = {"add": "+", "multiply": "×"}


def write(figure: Figure, dot: graphviz.Digraph, *, show_shapes: bool) -> None:
    """Fills ``dot`` with what is in a figure."""
    for child in figure.root.children:
        _write_child(child, dot, 0)
    for row in figure.rows:
        with dot.subgraph() as beside:
            beside.attr(rank="same")
            for left, right in pairwise(row):
                beside.edge(_id(left), _id(right), style="invis")
    main = [edge for edge in figure.edges if not edge.bypass]
    leaving, arriving = Counter(edge.tail for edge in main), Counter(edge.head for edge in main)
    for edge in figure.edges:
        straight = not edge.bypass and leaving[edge.tail] == arriving[edge.head] == 1
        dot.edge(_id(edge.tail), _id(edge.head), **_edge(edge, show_shapes), weight="300" if straight else "2")


def _write_child(child: Node | Cluster, dot: graphviz.Digraph, level: int) -> None:
    if isinstance(child, Node):
        dot.node(_id(child.id), **_node(child))
        return
    with dot.subgraph(name=f"cluster {_id(child.id)}") as inner:
        inner.attr(**_cluster(child, level))
        for grandchild in child.children:
            _write_child(grandchild, inner, level + 1)


def graph_attributes(title: str, description: str, rankdir: str) -> dict[str, dict[str, str]]:
    """What holds for all of a diagram."""
    heading = _font(f"<B>{_escape(title)}</B>", 14)
    if description:
        heading += "<BR/>" + _font(_lines(description, 60), 10, MUTED)
    return {
        "graph_attr": {
            "rankdir": rankdir,
            "label": f"<{heading}<BR/>>",
            "labelloc": "t",
            "fontname": FONT,
            "fontcolor": INK,
            "nodesep": "0.2",
            "ranksep": "0.28",
            "newrank": "true",
            "pad": "0.15",
        },
        "node_attr": {
            "fontname": FONT,
            "fontsize": "11",
            "fontcolor": INK,
            "shape": "box",
            "style": "rounded,filled",
            "margin": "0.12,0.05",
            "height": "0.3",
            "width": "0.6",
        },
        "edge_attr": {
            "fontname": FONT,
            "fontsize": "8.5",
            "fontcolor": MUTED,
            "color": LINE,
            "arrowsize": "0.55",
        },
    }


def _node(node: Node) -> dict[str, str]:
    if node.kind == "merge":
        sign = SIGNS.get(node.title, node.title)
        size, width = ("12", "0.26") if sign in SIGNS.values() else ("8", "0.46")
        return {
            "label": _html(_escape(sign)),
            "shape": "circle",
            "style": "filled",
            "fixedsize": "true",
            "width": width,
            "fontsize": size,
            "fillcolor": "white",
            "color": INK,
        }
    if node.kind in ("input", "output"):
        return {
            "label": _html(_escape(node.title)),
            "shape": "oval",
            "style": "filled",
            "fillcolor": "white",
            "color": INK,
        }
    if node.kind == "rest":
        return {"label": _html(f"⋯ {_escape(node.title)} ⋯"), "shape": "plaintext", "style": ""}
    fill, border = FAMILIES.get(node.layer.family, OTHER) if node.layer else ("white", LINE)
    title = f"<B>{_escape(node.title)}</B>{_times(node.times)}"
    detail = f"<BR/>{_font(_lines(node.detail, 34), 8.5, MUTED)}" if node.detail else ""
    attributes = {"label": f"<{title}{detail}>", "fillcolor": fill, "color": border}
    return attributes if node.layer else attributes | {"peripheries": "2"}


def _cluster(cluster: Cluster, level: int) -> dict[str, str]:
    if not cluster.title:
        return {
            "label": f"<{_times(cluster.times).strip()}>",
            "labeljust": "r",
            "style": "rounded,dashed",
            "color": LINE,
            "fontsize": "11",
            "margin": "7",
        }
    kind = _font(f"· {_escape(cluster.kind)}", 10, MUTED)
    return {
        "label": f"<<B>{_escape(cluster.title)}</B> {kind}{_times(cluster.times)}>",
        "labeljust": "l",
        "style": "rounded,filled",
        "fillcolor": CLUSTERS[level % len(CLUSTERS)],
        "color": "#C4CBD3",
        "fontsize": "10",
        "margin": "9",
    }


def _edge(edge: Edge, show_shapes: bool) -> dict[str, str]:
    attributes = {"color": BYPASS, "penwidth": "1.4"} if edge.bypass else {}
    if show_shapes and not edge.bypass:
        attributes["label"] = f"<{_shape(edge.shapes)}>"
    return attributes


def _shape(shapes: Sequence[Shape]) -> str:
    """``64×56×56``; for shapes that differ from round to round of a loop the first and the last."""
    first, last = (f"&#160;{'×'.join(map(str, shape.sample))}" for shape in (shapes[0], shapes[-1]))
    return first if first == last else f"{first} …{_NEXT_LINE}{last}{_NEXT_LINE}"


def _times(times: int) -> str:
    return f" {_font(f'<B>×{times}</B>', 11, BYPASS)}" if times > 1 else ""


def _html(text: str) -> str:
    """An HTML-like label of text that is escaped."""
    return f"<{text}>"


def _font(text: str, size: float, color: str = INK) -> str:
    return f'<FONT POINT-SIZE="{size:g}" COLOR="{color}">{text}</FONT>'


def _lines(text: str, width: int) -> str:
    """Text on lines of about ``width`` characters, escaped."""
    lines = [piece for line in text.splitlines() for piece in wrap(line, width) or [""]]
    return "<BR/>".join(_escape(line.replace("\u00a0", " ")) for line in lines)


def _escape(text: str) -> str:
    """Text as it stands in an HTML-like label; what cannot be printed becomes an escape."""
    return escape("".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text))


def _id(path: str) -> str:
    """A node's name in DOT: the path, without what means something there."""
    return re.sub(r"[^\w. ]", "_", path)
