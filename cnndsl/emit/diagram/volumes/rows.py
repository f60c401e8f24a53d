"""Breaks a long layout into rows: cut where one line alone goes on, which then leads to the start of the next row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import inf
from operator import attrgetter

from msgspec.structs import replace

from cnndsl.emit.diagram.breaks import breaks
from cnndsl.emit.diagram.volumes.layout import LINE, Layout, Point, Route, beside_of
from cnndsl.emit.diagram.volumes.solids import Solid
from cnndsl.record import Record

#: Between rows, and beside them, for the line from one to the next.
APART, TURN = 26.0, 9.0


class Cut(Record, frozen=True, eq=False):
    """A place along the flow where one line alone goes on: that of the routes in ``crossing``, each in the piece that
    ends at the point with the index."""

    x: float
    crossing: tuple[tuple[Route, int], ...]


def rows(found: Layout, width: float) -> Layout | None:
    """``found`` in the fewest rows that are no wider, or None if it cannot be cut into such."""
    chosen = _chosen(found, width - 2 * TURN)
    if chosen is None:
        return None
    solids: dict[Solid, Solid] = {}
    shifts: list[Point] = []
    middles: list[float] = []  # between each row and the one before it
    low, routes = 0.0, []
    for row, (start, end) in enumerate(pairwise([-inf, *(cut.x for cut in chosen), inf])):
        entering = [point for route, index in chosen[row - 1].crossing for point in route.points[index:]] if row else []
        inside = [solid for solid in found.solids.values() if start < solid.middle < end]
        own = [route for route in found.routes if all(start <= x <= end for x, _ in route.points)]
        top, bottom = _reach(inside, own)
        middles.append(low + APART / 2)
        corners = [corner for route in own for corner in route.points] + entering
        shifts.append((-min([*map(_left, inside), *(x for x, _ in corners)]), low + APART - top))
        solids |= {solid: replace(solid, x=solid.x + shifts[-1][0], y=solid.y + shifts[-1][1]) for solid in inside}
        routes += [_moved(route, solids, shifts[-1]) for route in own]
        low += APART + bottom - top
    right = max(map(_right, solids.values())) + TURN
    for row, cut in enumerate(chosen):
        routes += _turned(cut, solids, shifts[row : row + 2], middles[row + 1], right)
    placed = {volume: solids[solid] for volume, solid in found.solids.items()}
    return Layout(placed, tuple(routes), found.told, found.glued)


def _chosen(found: Layout, width: float) -> list[Cut] | None:
    """The cuts of a greedy choice, which is one with the fewest."""
    solids = [*found.solids.values()]
    places = [cut for gap in _gaps(solids) if (cut := _cut(found.routes, *gap))]
    start, end = min(map(_left, solids)), max(map(_right, solids))
    return breaks(places, attrgetter("x"), start, end, width)


def _gaps(solids: Sequence[Solid]) -> Iterator[tuple[float, float]]:
    end = inf
    for left, right in sorted((_left(solid), _right(solid)) for solid in solids):
        if left > end + 2:
            yield end, left
        end = right if end == inf else max(end, right)


def _cut(routes: Sequence[Route], start: float, end: float) -> Cut | None:
    """A cut in a gap: after the end of its lines to the left, before the start of those to the right, or between."""
    for x in (start + 1, (start + end) / 2, end - 1):
        crossing = tuple(
            (route, index)
            for route in routes
            for index, (before, after) in enumerate(pairwise(route.points), 1)
            if min(before[0], after[0]) <= x < max(before[0], after[0])
        )
        if len({(route.tail, route.points[index][1]) for route, index in crossing}) == 1:
            return Cut(x, crossing)
    return None


def _left(solid: Solid) -> float:
    return min(solid.x - solid.lean, solid.middle - solid.lean - solid.label_width / 2)


def _right(solid: Solid) -> float:
    """Where a solid ends, with the labels below and beside it."""
    below = solid.middle - solid.lean + solid.label_width / 2
    return max(solid.x + solid.width + solid.lean, below, beside_of(solid)[1])


def _reach(solids: Sequence[Solid], routes: Sequence[Route]) -> tuple[float, float]:
    """The top and the bottom of a row."""
    levels = [y for route in routes for _, y in route.points]
    tops = (solid.y - solid.up for solid in solids)
    bottoms = (solid.bottom + LINE * max(solid.lines, 1) for solid in solids)
    return min([*tops, *levels]), max([*bottoms, *levels])


def _moved(route: Route, solids: dict[Solid, Solid], shift: Point) -> Route:
    fork = _shifted([route.fork], shift)[0] if route.fork else None
    points = tuple(_shifted(route.points, shift))
    return replace(route, tail=solids[route.tail], head=solids[route.head], points=points, fork=fork)


def _turned(
    cut: Cut, solids: dict[Solid, Solid], shifts: Sequence[Point], middle: float, right: float
) -> Iterator[Route]:
    """The line that is cut: to the right of the rows, back between them, and from the left into the next."""
    for route, index in cut.crossing:
        before, after = _shifted(route.points[:index], shifts[0]), _shifted(route.points[index:], shifts[1])
        (_, y0), (_, y1) = before[-1], after[0]
        points = (*before, (right, y0), (right, middle), (-TURN, middle), (-TURN, y1), *after)
        fork = _shifted([route.fork], shifts[route.fork[0] > cut.x])[0] if route.fork else None
        yield replace(route, tail=solids[route.tail], head=solids[route.head], points=points, fork=fork)


def _shifted(points: Sequence[Point], shift: Point) -> list[Point]:
    return [(x + shift[0], y + shift[1]) for x, y in points]
