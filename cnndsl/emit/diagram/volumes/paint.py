"""The look of volumes: faces, labels, arrows and a legend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from math import dist, inf
from textwrap import wrap

from cnndsl.emit.diagram.labels import TIMES
from cnndsl.emit.diagram.themes import Theme
from cnndsl.emit.diagram.volumes.layout import LINE as LINE_HEIGHT
from cnndsl.emit.diagram.volumes.layout import Layout, Route, beside_of, size_of
from cnndsl.emit.diagram.volumes.palette import Palette
from cnndsl.emit.diagram.volumes.scene import Ball, Face, Group, Item, Line, Point, Scene, Text
from cnndsl.emit.diagram.volumes.solids import CHANNELS, REUSED, SPATIAL, Solid, text_width
from cnndsl.graph.graph import Graph
from cnndsl.printable import one_line

#: Around the picture, and between it and the title and the legend.
MARGIN, APART = 12.0, 14.0
#: The sizes of texts, of a square in the legend, of an arrowhead, and of a dot where lines meet.
TITLE, TOLD, LEGEND, SQUARE, HEAD, DOT = 13.0, 9.0, 8.0, 8.0, 5.0, 1.3
#: From the end of a line to the number of its operand.
ASIDE = 4.0
#: The room that the description and the legend have at least.
NARROW = 260.0


def paint(graph: Graph, layout: Layout, show_shapes: bool, theme: Theme, room: float = inf) -> Scene:
    """The scene of a layout, with a title and a legend that are no wider than ``room`` if it is given."""
    palette = Palette(theme, layout.solids)
    runs = _Runs(layout)
    body = [*runs.paint(palette), *runs.arrows(palette), *_forks(layout.routes, palette)]
    body.append(_labels(layout, runs.runs, show_shapes, palette))
    body.append(Group("", "", tuple(_orders(layout.routes, palette))))
    left, top, right, bottom = _bounds(body)
    room = min(room, max(right - left, NARROW))
    heading = _heading(graph, palette, (left + right) / 2, top - APART, room)
    legend = _legend(palette, (left + right) / 2, bottom + APART, room)
    whole = [heading, *body, legend]
    left, top, right, bottom = _bounds(whole)
    size = right - left + 2 * MARGIN, bottom - top + 2 * MARGIN
    return Scene(graph.root.name, palette.paper, left - MARGIN, top - MARGIN, *size, tuple(whole))


class _Runs:
    """The volumes that touch, as one node each."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.runs: list[list[Solid]] = []
        for volume, solid in layout.solids.items():
            if volume in layout.glued:
                self.runs[-1].append(solid)
            else:
                self.runs.append([solid])
        self.id = {solid: run[0].volume.id for run in self.runs for solid in run}

    def paint(self, palette: Palette) -> Iterator[Group]:
        for run in self.runs:
            yield Group("node", self.id[run[0]], tuple(_solid(solid, palette) for solid in run))

    def arrows(self, palette: Palette) -> Iterator[Group]:
        for route in self.layout.routes:
            title = f"{self.id[route.tail]}->{self.id[route.head]}"
            yield Group("edge", title, tuple(_arrow(route, palette)))


def _solid(solid: Solid, palette: Palette) -> Group:
    volume = solid.volume
    times = f" {TIMES}{volume.times}" if volume.times > 1 else ""
    title = f"{volume.id}: {volume.kind}{times}, {TIMES.join(map(str, volume.sizes))}"
    if solid.ball:
        return Group("", title, tuple(_ball(solid, palette)))
    if not volume.parts:
        return Group("", title, tuple(_slab(solid, 0, 1, palette, volume.family, volume.kind)))
    faces: list[Item] = []
    at, whole = 0, sum(channels for *_, channels in volume.parts)
    for family, kind, channels in volume.parts:
        faces += _slab(solid, at / whole, (at + channels) / whole, palette, family, kind)
        at += channels
    return Group("", title, tuple(faces))


def _ball(solid: Solid, palette: Palette) -> Iterator[Item]:
    sign = solid.volume.sign
    size = 10.0 if len(sign) == 1 else SPATIAL
    yield Ball((solid.middle, solid.y), solid.height / 2, palette.paper, palette.ink)
    yield Text((solid.middle, solid.y + size * 0.35), sign, size, palette.ink)


def _slab(solid: Solid, start: float, end: float, palette: Palette, family: str, kind: str) -> Iterator[Face]:
    """The front, top and right side of a part of a volume's width."""
    colors = palette.of(family, kind)
    lean, half, back = solid.lean, solid.height / 2, 2 * solid.lean
    left, right = (solid.x - lean + solid.width * part for part in (start, end))
    top, bottom = solid.y - half + lean, solid.y + half + lean
    corners = (
        ((left, top), (right, top), (right, bottom), (left, bottom)),
        ((left, top), (left + back, top - back), (right + back, top - back), (right, top)),
        ((right, top), (right + back, top - back), (right + back, bottom - back), (right, bottom)),
    )
    for face, fill in zip(corners, palette.faces(colors)):
        yield Face(face, fill, colors[1])


def _arrow(route: Route, palette: Palette) -> Iterator[Item]:
    color = palette.bypass if route.skips else palette.line
    (x0, y0), (x1, y1) = route.points[-2:]
    length = dist((x0, y0), (x1, y1)) or 1.0
    dx, dy = (x1 - x0) / length, (y1 - y0) / length
    base = (x1 - dx * HEAD, y1 - dy * HEAD)
    yield Line((*route.points[:-1], base), color, 1.1 if route.skips else 0.8)
    wing = HEAD * 0.36
    yield Face(
        ((base[0] - dy * wing, base[1] + dx * wing), (x1, y1), (base[0] + dy * wing, base[1] - dx * wing)), color, color
    )


def _orders(routes: Sequence[Route], palette: Palette) -> Iterator[Text]:
    """The places of the operands of a merge whose order matters, beside the ends of their lines."""
    for route in routes:
        operands = route.head.volume.operands
        places = [f"{place}" for place, operand in enumerate(operands, 1) if operand is route.tail.volume]
        if not places:
            continue
        (x0, y0), (x, y) = route.points[-2:]
        if x0 == x:  # from above or from below
            at = x + ASIDE + 1, y - 2 if y0 < y else y + 2 + SPATIAL * 0.7
        else:
            at = x - ASIDE, y - 2 if y <= route.head.y else y + 2 + SPATIAL * 0.7
        yield Text(at, ", ".join(places), SPATIAL, palette.muted)


def _forks(routes: Sequence[Route], palette: Palette) -> Iterator[Group]:
    """A dot where lines part."""
    points = dict.fromkeys(route.fork for route in routes if route.fork)
    if points:
        yield Group("", "", tuple(Ball(point, DOT, palette.line, palette.line) for point in points))


def _labels(layout: Layout, runs: Sequence[Sequence[Solid]], show_shapes: bool, palette: Palette) -> Group:
    texts: list[Item] = []
    for run in runs:
        for _, alike in groupby(run, lambda solid: (solid.label, solid.bottom)):
            texts += _below([*alike], show_shapes, palette)
        for solid in run:
            if solid.volume in layout.told and show_shapes:
                at = beside_of(solid)[0], max(solid.bottom, solid.y + SPATIAL + 2)
                texts.append(Text(at, size_of(solid.volume), SPATIAL, palette.muted, anchor="start"))
            if solid.ball:
                texts += _notes(solid, (beside_of(solid)[0], solid.y + SPATIAL + 2 + LINE_HEIGHT), "start", palette)
    return Group("", "", tuple(texts))


def _below(alike: Sequence[Solid], show_shapes: bool, palette: Palette) -> Iterator[Text]:
    """The label of volumes that touch and have the same one."""
    first, last = alike[0], alike[-1]
    x, y = (first.middle + last.middle) / 2 - first.lean, first.bottom + CHANNELS + 1
    if first.label and show_shapes:
        yield Text((x, y), first.label, CHANNELS, palette.ink)
        y += LINE_HEIGHT
    if first.volume.times > 1:
        yield Text((x, y), f"{TIMES}{first.volume.times}", CHANNELS, palette.bypass, bold=True)
        y += LINE_HEIGHT
    if not first.ball:
        yield from _notes(first, (x, y), "middle", palette)


def _notes(solid: Solid, at: Point, anchor: str, palette: Palette) -> Iterator[Text]:
    """The names of an input or of outputs, and that weights are used again."""
    for line, note in enumerate(solid.notes):
        again = note == REUSED
        color = palette.bypass if again else palette.ink
        yield Text((at[0], at[1] + line * LINE_HEIGHT), note, CHANNELS, color, bold=not again, anchor=anchor)


def _heading(graph: Graph, palette: Palette, middle: float, bottom: float, room: float) -> Group:
    longest = int(room / text_width("x", TOLD))
    told = [*reversed(wrap(one_line(graph.document.description), longest))]
    texts = [Text((middle, bottom - (TOLD + 3) * line), text, TOLD, palette.muted) for line, text in enumerate(told)]
    top = bottom - (TOLD + 3) * len(told) - 2
    return Group("", "", (Text((middle, top), one_line(graph.root.name), TITLE, palette.ink, bold=True), *texts))


def _legend(palette: Palette, middle: float, top: float, room: float) -> Group:
    """Squares with names, in centred lines no wider than the picture."""
    lines: list[list[tuple[str, float]]] = [[]]
    for name in palette.names:
        wide = SQUARE + 4 + text_width(one_line(name), LEGEND) + 14
        if lines[-1] and sum(width for _, width in lines[-1]) + wide > room:
            lines.append([])
        lines[-1].append((name, wide))
    items: list[Item] = []
    for row, line in enumerate(lines):
        x, y = middle - (sum(width for _, width in line) - 14) / 2, top + row * (LEGEND + 6)
        for name, wide in line:
            fill, border = palette.names[name]
            square = ((x, y), (x + SQUARE, y), (x + SQUARE, y + SQUARE), (x, y + SQUARE))
            items += [
                Face(square, fill, border),
                Text((x + SQUARE + 4, y + 7), one_line(name), LEGEND, palette.ink, anchor="start"),
            ]
            x += wide
    return Group("", "", tuple(items))


def _bounds(groups: Sequence[Group]) -> tuple[float, float, float, float]:
    points = [point for group in groups for item in group.items for point in _corners(item)]
    xs, ys = zip(*points)
    return min(xs), min(ys), max(xs), max(ys)


def _corners(item: Item | Group) -> Iterator[Point]:
    match item:
        case Group():
            for inner in item.items:
                yield from _corners(inner)
        case Ball():
            (x, y), r = item.middle, item.radius
            yield from ((x - r, y - r), (x + r, y + r))
        case Text():
            width = text_width(item.text, item.size)
            start = item.at[0] - (width / 2 if item.anchor == "middle" else 0)
            yield from ((start, item.at[1] - item.size), (start + width, item.at[1] + 0.25 * item.size))
        case _:
            yield from item.points
