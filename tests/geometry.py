"""A figure as data, read from its SVG, and what must hold of it: no line through a text, no text outside of its box.

All lengths are points on the page: 1/72 inch at the physical size that the SVG asks for. The extents of texts come
from the metrics of Helvetica, which Liberation Sans and Arial share; characters that it lacks, from DejaVu Sans.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from math import hypot
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
from fontTools.agl import toUnicode
from fontTools.pens.recordingPen import RecordingPen
from fontTools.svgLib.path import parse_path
from fontTools.ttLib import TTFont

FONTS = Path(matplotlib.get_data_path()) / "fonts"
#: Points in each unit of a physical length.
UNITS = {"": 0.75, "px": 0.75, "pt": 1.0, "in": 72.0, "mm": 72 / 25.4, "cm": 72 / 2.54}
#: By how much things may touch, in points: half of a thin line.
SLACK = 0.5
#: A box that is no larger is a dot where lines meet.
DOT = 6.0
#: The straight pieces into which a curve is cut.
PIECES = 16

Matrix = tuple[float, float, float, float, float, float]
Point = tuple[float, float]


@dataclass(frozen=True)
class Rect:
    left: float
    top: float
    right: float
    bottom: float

    def holds(self, other: Rect, slack: float = SLACK) -> bool:
        return (
            self.left - slack <= other.left
            and self.top - slack <= other.top
            and other.right <= self.right + slack
            and other.bottom <= self.bottom + slack
        )

    def meets(self, other: Rect, slack: float = SLACK) -> bool:
        """Whether the two share more than a strip of ``slack``."""
        return (
            self.left + slack < other.right
            and other.left + slack < self.right
            and self.top + slack < other.bottom
            and other.top + slack < self.bottom
        )

    @property
    def corners(self) -> tuple[Point, Point, Point, Point]:
        return (self.left, self.top), (self.right, self.top), (self.right, self.bottom), (self.left, self.bottom)


def around(points: list[Point]) -> Rect:
    xs, ys = zip(*points)
    return Rect(min(xs), min(ys), max(xs), max(ys))


@dataclass(frozen=True)
class Text:
    """``owner`` is the title of the group that it is in. ``extent`` is what its ink covers."""

    content: str
    owner: str
    kind: str
    size: float
    extent: Rect
    advance: float

    def __str__(self) -> str:
        return f"{self.content!r} of {self.owner!r}"


@dataclass(frozen=True)
class Box:
    """A ``node`` or a ``cluster``: its shapes, each as straight pieces. An ``oval`` holds less than its rectangle."""

    title: str
    kind: str
    extent: Rect
    oval: bool
    shapes: list[np.ndarray]

    def meets(self, text: Rect) -> bool:
        """Whether a text is at least partly in one of the shapes, and not only beside a slanted side."""
        return self.extent.meets(text) and any(
            _entered(shape, text).any() or _around(shape, text.corners[0]) for shape in self.shapes
        )

    def holds(self, text: Rect) -> bool:
        if not self.oval:
            return self.extent.holds(text)
        outer, slack = self.extent, 1 + 2 * SLACK / (self.extent.bottom - self.extent.top)
        across, down = (outer.right - outer.left) / 2, (outer.bottom - outer.top) / 2
        middle = outer.left + across, outer.top + down
        return all(hypot((x - middle[0]) / across, (y - middle[1]) / down) <= slack for x, y in text.corners)


@dataclass(frozen=True)
class Line:
    """An edge from ``tail`` to ``head``, its arrowhead included: straight pieces, one a row, x, y, x, y."""

    title: str
    pieces: np.ndarray

    @property
    def extent(self) -> Rect:
        ends = self.pieces.reshape(-1, 2)
        return Rect(*ends.min(axis=0), *ends.max(axis=0))

    @property
    def ends(self) -> list[str]:
        return self.title.split("->")


@dataclass
class Page:
    """``width`` and ``height`` are physical."""

    width: float = 0
    height: float = 0
    texts: list[Text] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    @property
    def smallest(self) -> float:
        """The size of the smallest letters."""
        return min(text.size for text in self.texts)

    def __str__(self) -> str:
        return f"{self.width:.0f}x{self.height:.0f} pt, letters from {self.smallest:.1f} pt"


# --- reading -------------------------------------------------------------------------------------


def read(svg: str | bytes) -> Page:
    """The page of an SVG: what is in groups of class ``node``, ``cluster`` and ``edge``, and all texts."""
    root = ElementTree.fromstring(svg)
    page = Page(_length(root.get("width", "")), _length(root.get("height", "")))
    left, top, width, height = map(float, root.get("viewBox", f"0 0 {page.width} {page.height}").split())
    scale = min(page.width / width, page.height / height)
    _Reader(page).group(root, (scale, 0, 0, scale, -left * scale, -top * scale), {}, "", "graph")
    return page


def _length(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)([a-z]*)", text).groups()  # type: ignore[union-attr]
    return float(number) * UNITS[unit]


class _Reader:
    def __init__(self, page: Page) -> None:
        self.page = page

    def group(self, group: ElementTree.Element, matrix: Matrix, style: dict[str, str], owner: str, kind: str) -> None:
        matrix, style = _within(matrix, group), _style(style, group)
        if group.get("class") in ("node", "cluster", "edge"):
            kind, owner = str(group.get("class")), _title(group)
            shapes = [(_tag(shape), pieces) for shape, pieces in _shapes(group, matrix) if pieces]
            if shapes and kind == "edge":
                self.page.lines.append(Line(owner, np.array([piece for _, pieces in shapes for piece in pieces])))
            elif shapes:
                points = [point for _, pieces in shapes for piece in pieces for point in (piece[:2], piece[2:])]
                oval = all(tag in ("ellipse", "circle") for tag, _ in shapes)
                self.page.boxes.append(
                    Box(owner, kind, around(points), oval, [np.array(pieces) for _, pieces in shapes])
                )
        for child in group:
            if _tag(child) in ("g", "a", "svg"):
                self.group(child, matrix, style, owner, kind)
            elif _tag(child) == "text":
                self.text(child, _within(matrix, child), _style(style, child), owner, kind)

    def text(self, text: ElementTree.Element, matrix: Matrix, style: dict[str, str], owner: str, kind: str) -> None:
        """Reads a text: its spans run on unless they have a place of their own."""
        x, y = float(text.get("x", 0)), float(text.get("y", 0))
        runs: list[tuple[float, float, list[tuple[str, float, bool]]]] = [(x, y, [])]
        spans = [(text.text, style), *((span.text, _style(style, span)) for span in text)]
        for (content, look), span in zip(spans, [text, *text]):
            if span is not text and (span.get("x") or span.get("y") or span.get("dy")):
                x, y = float(span.get("x", x)), float(span.get("y", y)) + float(span.get("dy", 0))
                runs.append((x, y, []))
            bold = look.get("font-weight", "") in ("bold", "600", "700")
            runs[-1][2].append((content or "", float(look.get("font-size", "16").removesuffix("px")), bold))
        for x, y, run in runs:
            self.run(x, y, run, matrix, style.get("text-anchor", "start"), owner, kind)

    def run(
        self, x: float, y: float, run: list[tuple[str, float, bool]], matrix: Matrix, anchor: str, owner: str, kind: str
    ) -> None:
        content = "".join(text for text, _, _ in run)
        if not content.strip():
            return
        advance = sum(width(text, size, bold) for text, size, bold in run)
        x -= {"start": 0.0, "middle": advance / 2, "end": advance}[anchor]
        inked: list[Rect] = []
        for text, size, bold in run:
            inked += [Rect(x + left, y - up, x + right, y - down) for left, down, right, up in ink(text, size, bold)]
            x += width(text, size, bold)
        if not inked:
            return
        extent = around([_moved(matrix, *corner) for rect in inked for corner in rect.corners])
        scale = hypot(matrix[0], matrix[1])
        size = min(size for text, size, _ in run if text.strip()) * scale
        self.page.texts.append(Text(content.strip(), owner, kind, size, extent, advance * scale))


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _title(group: ElementTree.Element) -> str:
    return next((child.text or "" for child in group if _tag(child) == "title"), "").removeprefix("cluster ")


def _style(outer: dict[str, str], element: ElementTree.Element) -> dict[str, str]:
    """The attributes that a text inherits, with those of ``element``."""
    own = {key: element.attrib[key] for key in ("font-size", "font-weight", "text-anchor") if key in element.attrib}
    declared = (part.partition(":") for part in element.get("style", "").split(";") if part.strip())
    return outer | own | {key.strip(): value.strip() for key, _, value in declared}


def _within(outer: Matrix, element: ElementTree.Element) -> Matrix:
    """``outer`` after the element's own transformation."""
    for name, arguments in re.findall(r"(\w+)\(([^)]*)\)", element.get("transform", "")):
        numbers = [float(number) for number in re.split(r"[ ,]+", arguments.strip())]
        outer = _product(outer, _matrix(name, numbers))
    return outer


def _matrix(name: str, numbers: list[float]) -> Matrix:
    if name == "translate":
        return (1, 0, 0, 1, numbers[0], numbers[1] if len(numbers) > 1 else 0)
    if name == "scale":
        return (numbers[0], 0, 0, numbers[-1], 0, 0)
    if name == "rotate":
        cos, sin = np.cos(np.radians(numbers[0])), np.sin(np.radians(numbers[0]))
        turned: Matrix = (cos, sin, -sin, cos, 0, 0)
        if len(numbers) == 1:
            return turned
        x, y = numbers[1:]
        return _product(_product((1, 0, 0, 1, x, y), turned), (1, 0, 0, 1, -x, -y))
    raise ValueError(f"a transformation that the tests cannot read: {name}")


def _product(outer: Matrix, inner: Matrix) -> Matrix:
    a, b, c, d, e, f = inner
    across, down = _moved((*outer[:4], 0, 0), a, b), _moved((*outer[:4], 0, 0), c, d)
    return (*across, *down, *_moved(outer, e, f))


def _moved(matrix: Matrix, x: float, y: float) -> Point:
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f


def _shapes(
    group: ElementTree.Element, matrix: Matrix
) -> Iterator[tuple[ElementTree.Element, list[tuple[float, ...]]]]:
    """The shapes of a group and of groups in it that are neither nodes nor edges, each as straight pieces."""
    for child in group:
        inner = _within(matrix, child)
        if _tag(child) in ("g", "a") and child.get("class") not in ("node", "cluster", "edge"):
            yield from _shapes(child, inner)
        elif path := _path(child):
            yield child, _flat(path, inner)


def _path(shape: ElementTree.Element) -> str:
    """A shape as the data of a path, "" for what is not a shape."""
    tag, get = _tag(shape), lambda key: float(shape.get(key, 0))
    if tag == "path":
        return shape.get("d", "")
    if tag in ("polygon", "polyline"):
        return f"M{shape.get('points')}" + "Z" * (tag == "polygon")
    if tag == "line":
        return f"M{get('x1')},{get('y1')}L{get('x2')},{get('y2')}"
    if tag == "rect":
        return f"M{get('x')},{get('y')}h{get('width')}v{get('height')}h-{get('width')}z"
    if tag in ("ellipse", "circle"):
        rx, ry = (get("r"), get("r")) if tag == "circle" else (get("rx"), get("ry"))
        arc = f"A{rx},{ry},0,0,1,"
        return f"M{get('cx') - rx},{get('cy')}{arc}{get('cx') + rx},{get('cy')}{arc}{get('cx') - rx},{get('cy')}Z"
    return ""


def _flat(path: str, matrix: Matrix) -> list[tuple[float, ...]]:
    """A path as straight pieces."""
    pen = RecordingPen()
    parse_path(path, pen)
    pieces: list[tuple[float, ...]] = []
    start = here = (0.0, 0.0)
    for command, points in pen.value:
        if command == "moveTo":
            start = here = points[0]
        if command in ("moveTo", "endPath"):
            continue
        curve = [here, *(points or (start,))]
        steps = PIECES if len(curve) > 2 else 1
        for step in range(1, steps + 1):
            there = _on_curve(curve, step / steps)
            if there != here:
                pieces.append((*_moved(matrix, *here), *_moved(matrix, *there)))
            here = there
    return pieces


def _on_curve(points: list[Point], part: float) -> Point:
    """A point on a Bezier curve of any degree, by de Casteljau."""
    while len(points) > 1:
        points = [(a + (c - a) * part, b + (d - b) * part) for (a, b), (c, d) in pairwise(points)]
    return points[0]


# --- the extents of text -------------------------------------------------------------------------


@cache
def _helvetica(bold: bool) -> dict[str, tuple[float, tuple[float, float, float, float]]]:
    """Width and box of each character, in thousandths of the size."""
    name = "Helvetica-Bold" if bold else "Helvetica"
    lines = (FONTS / "pdfcorefonts" / f"{name}.afm").read_text()
    found = re.findall(r"WX (\d+) ; N (\w+) ; B (\S+) (\S+) (\S+) (\S+)", lines)
    return {toUnicode(glyph): (float(width), tuple(map(float, box))) for width, glyph, *box in found}  # type: ignore[misc]


@cache
def _dejavu(bold: bool) -> TTFont:
    return TTFont(FONTS / "ttf" / f"DejaVuSans{'-Bold' if bold else ''}.ttf")


@cache
def _glyph(char: str, bold: bool) -> tuple[float, tuple[float, float, float, float]]:
    """The width of a character and the box of its ink, left, bottom, right, top, for letters of size 1."""
    char = " " if char == "\u00a0" else char
    if char in _helvetica(bold):
        width, box = _helvetica(bold)[char]
        return width / 1000, tuple(side / 1000 for side in box)  # type: ignore[return-value]
    font = _dejavu(bold)
    name, em = font.getBestCmap().get(ord(char), ".notdef"), font["head"].unitsPerEm
    shape = font["glyf"][name]
    box = [getattr(shape, side, 0) / em for side in ("xMin", "yMin", "xMax", "yMax")]
    return font["hmtx"][name][0] / em, tuple(box)  # type: ignore[return-value]


def width(text: str, size: float, bold: bool) -> float:
    """How far a text moves the pen."""
    return size * sum(_glyph(char, bold)[0] for char in text)


def ink(text: str, size: float, bold: bool) -> Iterator[tuple[float, float, float, float]]:
    """The boxes of the ink of each character: left, bottom, right, top of the line's start."""
    at = 0.0
    for char in text:
        advance, box = _glyph(char, bold)
        if box[2] > box[0]:
            yield size * (at + box[0]), size * box[1], size * (at + box[2]), size * box[3]
        at += advance


# --- what must hold ------------------------------------------------------------------------------


def faults(page: Page, letters: float = 0, margin: float = 0) -> list[str]:
    """All that is wrong with a page whose letters must be of at least ``letters`` points, with a margin around all."""
    return [
        *crossed(page),
        *cut(page),
        *outside(page, margin),
        *covered(page),
        *overlapping(page),
        *pierced(page),
        *small(page, letters),
    ]


def crossed(page: Page) -> list[str]:
    """Lines through a text, their own labels included."""
    return [
        f"the line {line.title} crosses {text}" for text in page.texts for line in _entering(page.lines, text.extent)
    ]


def outside(page: Page, margin: float) -> list[str]:
    """What leaves the page, or comes nearer to its sides than a margin."""
    room = Rect(margin, margin, page.width - margin, page.height - margin)
    drawn = [
        *((str(text), text.extent) for text in page.texts),
        *((f"the box {box.title!r}", box.extent) for box in page.boxes),
        *((f"the line {line.title}", line.extent) for line in page.lines),
    ]
    return [f"{what} leaves the page" for what, extent in drawn if not room.holds(extent)]


def cut(page: Page) -> list[str]:
    """Texts that leave the box that they belong to."""
    boxes = {(box.kind, box.title): box for box in page.boxes}
    found = []
    for text in page.texts:
        box = boxes.get((text.kind, text.owner))
        if box and not box.holds(text.extent):
            found.append(f"{text} leaves its box")
    return found


def covered(page: Page) -> list[str]:
    """Texts over other texts, and texts that a box cuts which is not around them."""
    found = [
        f"{text} covers {other}"
        for index, text in enumerate(page.texts)
        for other in page.texts[:index]
        if text.extent.meets(other.extent)
    ]
    for text in page.texts:
        for box in page.boxes:
            inside = box.kind == "cluster" or (text.kind, text.owner) == (box.kind, box.title)
            if box.meets(text.extent) and not (inside and box.extent.holds(text.extent)):
                found.append(f"{text} meets the box {box.title!r}")
    return found


def overlapping(page: Page) -> list[str]:
    """Boxes that overlap, except a box in a cluster."""
    return [
        f"the boxes {one.title!r} and {other.title!r} overlap"
        for index, one in enumerate(page.boxes)
        for other in page.boxes[:index]
        if one.extent.meets(other.extent) and not (_nested(one, other) or _nested(other, one))
    ]


def pierced(page: Page) -> list[str]:
    """Lines through the box of a node that is not one of their ends, except dots."""
    return [
        f"the line {line.title} goes through {box.title!r}"
        for box in page.boxes
        if box.kind == "node" and box.extent.right - box.extent.left > DOT
        for line in _entering(page.lines, box.extent)
        if box.title not in line.ends
    ]


def small(page: Page, letters: float) -> list[str]:
    """Texts with letters of less than some points."""
    return [f"{text} is {text.size:.2f} pt" for text in page.texts if text.size < letters - 0.01]


def _nested(inner: Box, outer: Box) -> bool:
    return outer.kind == "cluster" and outer.extent.holds(inner.extent)


def _entering(lines: list[Line], rect: Rect) -> list[Line]:
    """The lines that enter a rectangle, by more than the slack."""
    if not lines:
        return []
    owner = np.repeat(np.arange(len(lines)), [len(line.pieces) for line in lines])
    hit = _entered(np.concatenate([line.pieces for line in lines]), rect)
    return [lines[index] for index in np.unique(owner[hit])]


def _entered(pieces: np.ndarray, rect: Rect) -> np.ndarray:
    """Which straight pieces enter a rectangle: a piece enters each of its two strips for a part of its length."""
    enter, leave = np.zeros(len(pieces)), np.ones(len(pieces))
    for axis, low, high in ((0, rect.left + SLACK, rect.right - SLACK), (1, rect.top + SLACK, rect.bottom - SLACK)):
        start, step = pieces[:, axis], pieces[:, axis + 2] - pieces[:, axis]
        step = np.where(step == 0, 1e-9, step)
        one, two = (low - start) / step, (high - start) / step
        enter, leave = np.maximum(enter, np.minimum(one, two)), np.minimum(leave, np.maximum(one, two))
    return enter < leave


def _around(shape: np.ndarray, point: Point) -> bool:
    """Whether a point is inside a shape: a ray to the right crosses its outline an odd number of times."""
    x, y = point
    x0, y0, x1, y1 = shape.T
    crosses = (y0 > y) != (y1 > y)
    at = x0 + (y - y0) * (x1 - x0) / np.where(y1 == y0, 1, y1 - y0)
    return bool((crosses & (at > x)).sum() % 2)
