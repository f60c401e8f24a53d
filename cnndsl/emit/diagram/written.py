"""A picture as DOT text with the place of everything: Graphviz only writes it in its formats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import hypot

import graphviz

from cnndsl.emit.diagram.dot import FONT, escaped, identifier
from cnndsl.emit.diagram.fonts import WIDEST
from cnndsl.emit.diagram.picture import RADIUS, Box, Line, Picture, Piece, Point, Stroke, Text, Wire
from cnndsl.emit.diagram.themes import Fill, Theme

#: The length of the head of an arrow.
HEAD = 5.5
#: Around the whole.
MARGIN = 10.0


def write(picture: Picture, dot: graphviz.Digraph, theme: Theme) -> None:
    """Fills ``dot`` with a picture."""
    _Writer(dot, theme, picture.bounds[3]).write(picture)


class _Writer:
    def __init__(self, dot: graphviz.Digraph, theme: Theme, bottom: float) -> None:
        self.dot, self.theme, self.bottom = dot, theme, bottom

    def write(self, picture: Picture) -> None:
        theme = self.theme
        self.dot.graph_attr |= {
            "layout": "nop2", "outputorder": "nodesfirst", "bgcolor": theme.paper, "pad": f"{MARGIN / 72:.3f}",
            "fontname": FONT,
        }  # fmt: skip
        self.dot.node_attr |= {
            "fontname": FONT, "fontcolor": theme.ink, "fixedsize": "shape", "shape": "box", "margin": "0",
        }  # fmt: skip
        self.dot.edge_attr |= {"color": theme.line, "arrowsize": "0.55"}
        for box in picture.boxes:
            self._box(box)
        for text in picture.texts:
            self._text(text)
        for wire in picture.wires:
            self._wire(wire)
        for stroke in picture.strokes:
            self._stroke(stroke)

    def _place(self, x: float, y: float) -> str:
        return f"{_number(x)},{_number(self.bottom - y)}"

    def _node(self, id: str, x: float, y: float, width: float, height: float, **attributes: str) -> None:
        size = {"width": f"{width / 72:.5f}", "height": f"{height / 72:.5f}"}
        self.dot.node(identifier(id), pos=self._place(x, y), **size, **attributes)

    def _box(self, box: Box) -> None:
        label = f"<{'<BR/>'.join(self._spaced(box.lines))}>" if box.lines else ""
        self._node(box.id, box.x, box.y, box.width, box.height, label=label, **self._look(box))

    def _look(self, box: Box) -> dict[str, str]:
        theme = self.theme
        if box.kind == "fork":
            return {"shape": "point", "color": theme.line, "fillcolor": theme.line}
        if box.kind == "rest":
            return {"style": "", "shape": "plaintext"}
        if not box.lines and box.kind == "end":
            return {"style": "invis", "shape": "point"}
        if box.kind == "panel":
            return {"style": "rounded,filled", "fillcolor": theme.levels[0], "color": theme.frame, "class": "panel"}
        fill, border = filled(box, theme)
        if box.kind == "swatch":
            return {"style": "filled", "fillcolor": fill, "color": theme.frame}
        look = {"style": "rounded,filled", "fillcolor": fill, "color": border}
        if box.kind == "merge" and box.width == box.height:
            return {**look, "shape": "circle", "style": "filled"}
        return look

    def _spaced(self, lines: Sequence[Line]) -> Iterator[str]:
        """Lines of a label. Spaces of the size of the line above keep a smaller one away from it."""
        for above, line in zip((None, *lines), lines):
            space = f'<FONT POINT-SIZE="{above.size:g}"> </FONT>' if above and above.size > line.size else ""
            yield f"{space}{self._line(line)}{space}"

    def _line(self, line: Line) -> str:
        return "".join(self._piece(piece, line.size) for piece in line.pieces)

    def _piece(self, piece: Piece, size: float) -> str:
        marks = {mark: border for mark, (_, border) in self.theme.marks.items()}
        colors = {"muted": self.theme.muted, "accent": self.theme.bypass, **marks}
        color, text = colors.get(piece.look, self.theme.ink), escaped(piece.text)
        inner = f"<B>{text}</B>" if piece.is_bold else text
        return f'<FONT POINT-SIZE="{size:g}" COLOR="{color}">{inner}</FONT>'

    def _text(self, text: Text) -> None:
        """A text as a node without a shape. Only one with a single look can be aligned."""
        line = text.line
        self._node(
            text.id, _middle(text), text.y, line.width, line.height,
            label=f"<{self._line(line)}>", shape="plaintext", style="",
            **{"class": {"start": "left", "middle": "centre", "end": "right"}[text.anchor]},
        )  # fmt: skip

    def _wire(self, wire: Wire) -> None:
        look = {"color": self.theme.bypass, "penwidth": "1.2"} if wire.skip else {}
        points = [(x, self.bottom - y) for x, y in wire.points]
        self.dot.edge(identifier(wire.tail), identifier(wire.head), pos=spline(points, wire.arrow), **look,
                      **({} if wire.arrow else {"arrowhead": "none"}))  # fmt: skip

    def _stroke(self, stroke: Stroke) -> None:
        """A line between two invisible nodes."""
        (x0, y0), (x1, y1) = stroke.points[0], stroke.points[-1]
        for end, x, y in (("start", x0, y0), ("end", x1, y1)):
            self._node(f"{stroke.id} {end}", x, y, 0.5, 0.5, label="", shape="point", style="invis")
        points = [(x, self.bottom - y) for x, y in stroke.points]
        self.dot.edge(identifier(f"{stroke.id} start"), identifier(f"{stroke.id} end"), pos=spline(points, False),
                      arrowhead="none", color=self.theme.faint)  # fmt: skip


def _middle(text: Text) -> float:
    """The middle of a text in the fonts that most readers have: room is kept for a wider one."""
    half = text.line.width / WIDEST / 2
    return text.x + {"start": half, "middle": 0.0, "end": -half}[text.anchor]


def filled(box: Box, theme: Theme) -> Fill:
    """The colours of a box."""
    if box.mark:
        return theme.marks[box.mark]
    if box.share is not None:
        return mixed(*theme.scale, box.share), theme.plain[1]
    if box.kind == "layer":
        return theme.families.get(box.family, theme.other)
    return (theme.levels[0], theme.line) if box.kind == "module" else theme.plain


def spline(points: Sequence[Point], arrow: bool) -> str:
    """The ``pos`` of an edge: a line with rounded corners as Bezier curves, without the room of the arrow's head."""
    points = _merged(points)
    end = points[-1]
    if arrow:
        points = [*points[:-1], _towards(end, points[-2], min(HEAD, _distance(end, points[-2])))]
    found = [points[0], *_curves(points)]
    texts = " ".join(f"{_number(x)},{_number(y)}" for x, y in found)
    return f"e,{_number(end[0])},{_number(end[1])} {texts}" if arrow else texts


def _merged(points: Sequence[Point]) -> list[Point]:
    """Without points at which nothing turns."""
    found: list[Point] = []
    for point in points:
        if found and _distance(found[-1], point) < 0.01:
            continue
        if len(found) > 1 and _straight(found[-2], found[-1], point):
            found.pop()
        found.append(point)
    return found if len(found) > 1 else [points[0], points[-1]]


def _straight(a: Point, b: Point, c: Point) -> bool:
    return any(abs(a[axis] - b[axis]) < 0.01 and abs(b[axis] - c[axis]) < 0.01 for axis in (0, 1))


def _curves(points: Sequence[Point]) -> Iterator[Point]:
    here = points[0]
    for place in range(1, len(points)):
        corner = points[place]
        if place == len(points) - 1:
            yield from (here, corner, corner)
            return
        after = points[place + 1]
        radius = min(RADIUS, _distance(here, corner), _distance(corner, after) / 2)
        start, end = _towards(corner, here, radius), _towards(corner, after, radius)
        yield from (here, start, start)
        yield from (_towards(corner, here, radius * 0.45), _towards(corner, after, radius * 0.45), end)
        here = end


def _distance(one: Point, two: Point) -> float:
    return hypot(one[0] - two[0], one[1] - two[1])


def _towards(start: Point, end: Point, length: float) -> Point:
    whole = _distance(start, end) or 1
    return start[0] + (end[0] - start[0]) * length / whole, start[1] + (end[1] - start[1]) * length / whole


def _number(value: float) -> str:
    return f"{value + 0.0:.2f}".rstrip("0").rstrip(".") if abs(value) > 0.005 else "0"


def mixed(low: str, high: str, share: float) -> str:
    """A colour between two, as ``#rrggbb``."""
    one, two = (_rgb(color) for color in (low, high))
    return "#" + "".join(f"{round(a + (b - a) * share):02X}" for a, b in zip(one, two))


def _rgb(color: str) -> tuple[int, ...]:
    text = "#FFFFFF" if color == "white" else color
    return tuple(int(text[place : place + 2], 16) for place in (1, 3, 5))
