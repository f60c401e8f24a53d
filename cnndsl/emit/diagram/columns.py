"""Breaks a tall picture into columns, cut where few lines go on, which then lead from column to column side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from itertools import pairwise
from math import inf
from operator import attrgetter

from msgspec.structs import replace

from cnndsl.emit.diagram.breaks import breaks
from cnndsl.emit.diagram.picture import Picture, Point, Stroke, Wire
from cnndsl.record import Record

#: Between columns, and above and below them, for the first line from one to the next; and for each other line.
TURN, TRACK = 11.0, 6.0
#: Where more wires go on, no cut is tried.
CROWD = 64


class Crossing(Record, frozen=True, eq=False):
    """A wire that goes on below a cut, in the piece that ends at its point ``index``. Wires of one ``track`` are one
    line there; the tracks count from the right."""

    wire: Wire
    index: int
    track: int


class Cut(Record, frozen=True, eq=False):
    """A height at which no box and no text is."""

    y: float
    crossings: tuple[Crossing, ...]

    @property
    def tracks(self) -> int:
        return 1 + max(crossing.track for crossing in self.crossings)


def cuts(picture: Picture, most: int) -> list[Cut]:
    """Where a picture can be cut, from top to bottom, with at most so many lines going on."""
    pieces = sorted(
        (
            (min(before[1], after[1]), max(before[1], after[1]), place, index)
            for place, wire in enumerate(picture.wires)
            for index, (before, after) in enumerate(pairwise(wire.points), 1)
        ),
        reverse=True,
    )
    found: list[Cut] = []
    open_: list[tuple[float, int, int]] = []  # the pieces at a height, the one that ends first at the top of the heap
    for y in _gaps(picture):
        while pieces and pieces[-1][0] <= y:
            _, bottom, place, index = pieces.pop()
            heappush(open_, (bottom, place, index))
        while open_ and open_[0][0] <= y:
            heappop(open_)
        if 0 < len(open_) <= CROWD:
            cut = _cut(y, [(picture.wires[place], index) for _, place, index in sorted(open_)])
            if cut.tracks <= most:
                found.append(cut)
    return found


def _gaps(picture: Picture) -> Iterator[float]:
    """The middles of the empty strips between boxes and texts."""
    extents = [(box.y - box.height / 2, box.y + box.height / 2) for box in picture.boxes]
    extents += [(text.y - text.line.height / 2, text.y + text.line.height / 2) for text in picture.texts]
    end = inf
    for top, bottom in sorted(extents):
        if top > end + 1:
            yield (top + end) / 2
        end = bottom if end == inf else max(end, bottom)


def _cut(y: float, pieces: Sequence[tuple[Wire, int]]) -> Cut:
    lines = [_line(wire.points[index][0], wire) for wire, index in pieces]
    tracks = {line: track for track, line in enumerate(sorted(set(lines), reverse=True))}
    crossings = (Crossing(wire, index, tracks[line]) for (wire, index), line in zip(pieces, lines))
    return Cut(y, tuple(crossings))


def _line(x: float, wire: Wire) -> tuple[float, str]:
    return round(x, 1), wire.tail


def balanced(picture: Picture, places: Sequence[Cut], count: int) -> list[Cut]:
    """The cuts for at most ``count`` columns whose tallest is as low as possible."""
    _, top, _, bottom = picture.bounds
    low, high = (bottom - top) / count, bottom - top
    best: list[Cut] = []
    for _ in range(24):
        middle = (low + high) / 2
        found = breaks(places, attrgetter("y"), top, bottom, middle)
        if found is None or len(found) >= count:
            low = middle
        else:
            best, high = found, middle
    return best


def columns(picture: Picture, chosen: Sequence[Cut]) -> Picture:
    """``picture`` cut, with the parts beside each other."""
    whole = Picture()
    shifts: list[Point] = []
    sides: list[Point] = []  # the right bottom corner of each column
    x = 0.0
    for place, (top, bottom) in enumerate(pairwise([-inf, *(cut.y for cut in chosen), inf])):
        strip = _strip(picture, top, bottom)
        left, upper, right, lower = strip.bounds
        shifts.append((x - left, -upper))
        sides.append((x + right - left, lower - upper))
        kept = tuple(wire for wire in strip.wires if wire in picture.wires)
        whole += replace(strip, wires=kept).moved(*shifts[-1])
        if place < len(chosen):
            x = sides[-1][0] + 2 * TURN + TRACK * (chosen[place].tracks - 1)
    return whole + Picture(wires=tuple(_turned(picture, chosen, shifts, sides)))


def _turned(picture: Picture, chosen: Sequence[Cut], shifts: Sequence[Point], sides: Sequence[Point]) -> Iterator[Wire]:
    """The wires that are cut: below their column, up between it and the next, and down from above that.

    A line to the right of another turns before it below, and after it above, so that they do not cross.
    """
    for wire in picture.wires:
        passed = [
            (place, cut, crossing)
            for place, cut in enumerate(chosen)
            for crossing in cut.crossings
            if crossing.wire is wire
        ]
        if not passed:
            continue
        points: list[Point] = []
        start = 0
        for place, cut, crossing in passed:
            points += _moved(wire.points[start : crossing.index], shifts[place])
            start = crossing.index
            (right, bottom), track = sides[place], TRACK * crossing.track
            high = -TURN - TRACK * (cut.tracks - 1) + track
            before = wire.points[crossing.index - 1][0] + shifts[place][0]
            after = wire.points[crossing.index][0] + shifts[place + 1][0]
            points += [(before, bottom + TURN + track), (right + TURN + track, bottom + TURN + track)]
            points += [(right + TURN + track, high), (after, high)]
        yield replace(wire, points=(*points, *_moved(wire.points[start:], shifts[passed[-1][0] + 1])))


def _moved(points: Sequence[Point], shift: Point) -> list[Point]:
    return [(x + shift[0], y + shift[1]) for x, y in points]


def _strip(picture: Picture, top: float, bottom: float) -> Picture:
    """What is between two heights. Of a line that goes on outside, the part inside."""
    wires = ((wire, _within(wire.points, top, bottom)) for wire in picture.wires)
    strokes = ((stroke, _within(stroke.points, top, bottom)) for stroke in picture.strokes)
    return Picture(
        tuple(box for box in picture.boxes if top < box.y < bottom),
        tuple(replace(wire, points=points) for wire, points in wires if len(points) > 1),
        tuple(text for text in picture.texts if top < text.y < bottom),
        tuple(_part(stroke, points, bottom) for stroke, points in strokes if len(points) > 1),
    )


def _part(stroke: Stroke, points: tuple[Point, ...], bottom: float) -> Stroke:
    """A part of a stroke, with a name of its own."""
    return stroke if points == stroke.points else Stroke(f"{stroke.id} to {bottom:.0f}", points)


def _within(points: Sequence[Point], top: float, bottom: float) -> tuple[Point, ...]:
    """The part of a line between two heights."""
    found = [points[0]] if top <= points[0][1] <= bottom else []
    for (x0, y0), (x1, y1) in pairwise(points):
        low, high = sorted((y0, y1))
        crossed = [y for y in (top, bottom) if low < y < high]
        found += [(x0 + (x1 - x0) * (y - y0) / (y1 - y0), y) for y in sorted(crossed, reverse=y0 > y1)]
        if top <= y1 <= bottom:
            found.append((x1, y1))
    return tuple(found)
