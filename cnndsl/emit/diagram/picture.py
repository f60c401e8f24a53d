"""A figure as data: boxes, lines and texts with their places, before it is written in any format.

All sizes are in points, from the top left corner of the page; y grows downwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf
from typing import Literal, TypeAlias

from msgspec.structs import replace

from cnndsl.emit.diagram.fonts import width
from cnndsl.emit.diagram.themes import Mark
from cnndsl.record import Record

Point: TypeAlias = tuple[float, float]
#: The look of a piece of text. ``accent`` is for repetitions, and where a picture gets smaller; a mark is that of one
#: layer of several in a box.
Look: TypeAlias = Literal["plain", "bold", "muted", "accent"] | Mark
#: ``layer``, ``module``, ``merge`` (a circle if it is square), ``end`` (an input or output), ``rest`` (what was left
#: out, without a border), ``fork`` (a dot), ``panel`` (the background of a block), ``swatch`` (of a legend).
Kind: TypeAlias = Literal["layer", "module", "merge", "end", "rest", "fork", "panel", "swatch"]


#: The radius of the corners of lines.
RADIUS = 5.0


class Piece(Record, frozen=True):
    """A part of a line of text with one look."""

    text: str
    look: Look = "plain"

    @property
    def is_bold(self) -> bool:
        return self.look not in ("plain", "muted")


class Line(Record, frozen=True):
    """A line of text."""

    pieces: tuple[Piece, ...]
    size: float

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)

    @property
    def width(self) -> float:
        return sum(width(piece.text, self.size, piece.is_bold) for piece in self.pieces)

    @property
    def height(self) -> float:
        return 1.25 * self.size


class Box(Record, frozen=True):
    """A box around (``x``, ``y``), with centred lines of text. ``paths`` are those of the operations that it stands
    for. ``share`` is its part of the scale from 0 to 1 in a figure that is coloured by a cost."""

    id: str
    kind: Kind
    x: float
    y: float
    width: float
    height: float
    lines: tuple[Line, ...] = ()
    family: str = ""
    share: float | None = None
    mark: str = ""
    paths: tuple[str, ...] = ()


class Wire(Record, frozen=True):
    """A line from a box to a box along ``points``, with rounded corners. ``skip`` goes past other boxes. ``label`` is
    what it carries, ``c2 16x64x64``, as far as the figure tells; ``role`` is what that is where the line ends: the name
    of a block's input, or 1 and 2 for the operands of a subtraction."""

    tail: str
    head: str
    points: tuple[Point, ...]
    skip: bool = False
    arrow: bool = True
    label: str = ""
    role: str = ""


class Text(Record, frozen=True):
    """A line of text outside of boxes. ``x`` is its left end, its middle or its right end, and ``y`` its middle."""

    id: str
    x: float
    y: float
    line: Line
    anchor: Literal["start", "middle", "end"] = "start"

    @property
    def left(self) -> float:
        return self.x - self.line.width * {"start": 0, "middle": 0.5, "end": 1}[self.anchor]


class Stroke(Record, frozen=True):
    """A line that is not a part of the network, such as a bracket."""

    id: str
    points: tuple[Point, ...]


class Picture(Record, frozen=True):
    """What is drawn, in the order in which it is painted: boxes, strokes, texts, and wires."""

    boxes: tuple[Box, ...] = ()
    wires: tuple[Wire, ...] = ()
    texts: tuple[Text, ...] = ()
    strokes: tuple[Stroke, ...] = ()

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of everything."""
        left, top, right, bottom = inf, inf, -inf, -inf
        for x0, y0, x1, y1 in self._extents():
            left, top, right, bottom = min(left, x0), min(top, y0), max(right, x1), max(bottom, y1)
        return (left, top, right, bottom) if left < inf else (0, 0, 0, 0)

    def _extents(self) -> Iterator[tuple[float, float, float, float]]:
        for box in self.boxes:
            dx, dy = box.width / 2, box.height / 2
            yield box.x - dx, box.y - dy, box.x + dx, box.y + dy
        for points in (*(wire.points for wire in self.wires), *(stroke.points for stroke in self.strokes)):
            yield from ((x, y, x, y) for x, y in points)
        for text in self.texts:
            yield text.left, text.y - text.line.height / 2, text.left + text.line.width, text.y + text.line.height / 2

    def moved(self, dx: float, dy: float) -> Picture:
        """The same elsewhere."""
        return Picture(
            tuple(replace(box, x=box.x + dx, y=box.y + dy) for box in self.boxes),
            tuple(replace(wire, points=_moved(wire.points, dx, dy)) for wire in self.wires),
            tuple(replace(text, x=text.x + dx, y=text.y + dy) for text in self.texts),
            tuple(replace(stroke, points=_moved(stroke.points, dx, dy)) for stroke in self.strokes),
        )

    def __add__(self, other: Picture) -> Picture:
        return Picture(
            self.boxes + other.boxes,
            self.wires + other.wires,
            self.texts + other.texts,
            self.strokes + other.strokes,
        )


def _moved(points: Sequence[Point], dx: float, dy: float) -> tuple[Point, ...]:
    return tuple((x + dx, y + dy) for x, y in points)
