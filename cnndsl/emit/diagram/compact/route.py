"""Leads lines along the grid, and gives everything its coordinates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from math import sqrt
from typing import TypeAlias

from msgspec import Struct

from cnndsl.emit.diagram.compact.items import Cell
from cnndsl.emit.diagram.compact.place import ABOVE, BELOW, TRACK, Direct, Edge, Lane, Plan, Spot
from cnndsl.emit.diagram.picture import RADIUS
from cnndsl.graph.graph import Tensor

#: Between the lines into the side and into the top of a box.
SIDE, TOP = 7.0, 9.0
#: A point of a line: its place across, and along the flow once the gaps have their sizes.
Corner: TypeAlias = tuple[float, Callable[[], float]]
#: The lines of the same tensors from a cell.
Bundle: TypeAlias = tuple[Spot, tuple[Tensor, ...]]


class Run(Struct, eq=False):
    """A line across the flow in a gap, which lines of the same tensors share."""

    low: float
    high: float
    coming: bool
    track: int = 0


class Path(Struct, eq=False):
    """The way of an edge. ``skips`` says that it goes past other cells, ``turns`` that it turns to the side right below
    its tail. ``start`` is where it leaves other lines of its tensor, across."""

    edge: Edge
    corners: list[Corner]
    skips: bool
    turns: bool
    start: float = 0.0


class Routed(Struct):
    """Everything that has coordinates: along the flow the spots have ``at``, and the ``corners`` of paths work theirs
    out. ``forks`` are the places, across and along the flow, where lines of the same tensors part."""

    paths: list[Path]
    forks: dict[Bundle, tuple[float, float]]
    tops: list[float]
    heights: list[float]
    exits: dict[Cell, list[float]]


class Router:
    def __init__(self, plan: Plan, text_rows: Mapping[int, float]) -> None:
        self.plan = plan
        self.count = 1 + max((spot.row for spot in plan.spots), default=0)
        self.runs: dict[int, dict[object, Run]] = defaultdict(dict)
        #: The edges that enter a cell from its left and from its right.
        self.left: dict[Spot, list[Edge]] = defaultdict(list)
        self.right: dict[Spot, list[Edge]] = defaultdict(list)
        self.text_rows = text_rows
        self.tops: list[float] = []
        self.heights: list[float] = []
        self.label = [0.0] * self.count

    def routed(self) -> Routed:
        entries = self._entries()
        paths = [self._direct(direct, entries) for direct in self.plan.direct]
        paths += [self._lane(lane, edge, entries) for lane in self.plan.lanes for edge in lane.edges]
        for runs in self.runs.values():
            _tracks([*runs.values()])
        self._rows()
        _share(paths)
        exits = {spot.cell: self._exits(spot) for spot in self.plan.spots if spot.cell.exits}
        return Routed(paths, self._forks(paths), self.tops, self.heights, exits)

    # Where lines enter

    def _entries(self) -> dict[Edge, float | None]:
        """For each edge its place across at the top of its head, None if it enters from the side."""
        found: dict[Edge, float | None] = {}
        direct: dict[Spot, list[Direct]] = defaultdict(list)
        for each in self.plan.direct:
            direct[each.edge.head].append(each)
        beside: dict[Spot, list[tuple[Edge, float]]] = defaultdict(list)
        for lane in self.plan.lanes:
            for edge in lane.edges:
                beside[edge.head].append((edge, lane.at))
        for head in self.plan.spots:
            above: list[tuple[Edge, float]] = []
            for each in direct[head]:
                self._enter_directly(each, above, found)
            for edge, at in sorted(beside[head], key=lambda pair: pair[1]):
                if edge.near and (head.cell.kind == "merge" or (direct[head] and not edge.role)):
                    found[edge] = None
                    self.right[head].append(edge)
                else:
                    above.append((edge, at))
            found.update(_ports(head, above))
        return found

    def _enter_directly(self, each: Direct, above: list[tuple[Edge, float]], found: dict[Edge, float | None]) -> None:
        """A merge takes what comes from the left and from the right at its sides, one line each."""
        edge = each.edge
        head, across = edge.head, edge.start
        side = (self.left if across < head.across else self.right)[head]
        if each.alone and head.cell.kind == "merge" and abs(across - head.across) > head.half and not side:
            found[edge] = None
            side.append(edge)
        else:
            above.append((edge, across))

    def _side(self, edge: Edge) -> float:
        """Where an edge enters the side of its head: below the outputs there."""
        head, right = edge.head, self.right[edge.head]
        if edge not in right:
            return head.at
        exits, side = len(head.cell.exits) * head.size.aside[0], self._pitch(head)
        return head.at + exits + (right.index(edge) + 0.5) * side - (exits + len(right) * side) / 2

    def _pitch(self, head: Spot) -> float:
        """Between lines into the side of a cell: all of them end on a circle."""
        lines = len(self.right[head])
        return min(SIDE, 2 * (head.half - 2) / lines) if head.round and lines else SIDE

    def _reach(self, head: Spot, along: float) -> float:
        """How far a cell reaches to its side, at a place along the flow."""
        return _chord(head.half, along - head.at) if head.round else head.half

    def _exits(self, spot: Spot) -> list[float]:
        whole = len(spot.cell.exits) * spot.size.aside[0] + len(self.right[spot]) * self._pitch(spot)
        return [spot.at - whole / 2 + (place + 0.5) * spot.size.aside[0] for place in range(len(spot.cell.exits))]

    # Ways

    def _direct(self, direct: Direct, entries: Mapping[Edge, float | None]) -> Path:
        edge, gap = direct.edge, direct.gap
        tail, head, entry = edge.tail, edge.head, entries[edge]
        if entry is None:
            side = partial(self._side, edge)
            reach = self._reach(head, side())
            half = reach if edge.start > head.across else -reach
            corners: list[Corner] = [(edge.start, side), (head.across + half, side)]
            return Path(edge, [(edge.start, partial(self._end, tail)), *corners], direct.skips, False)
        wide = tail.wide > 0 and abs(entry - tail.across) < tail.half
        leave = entry if wide else edge.start
        corners = []
        if abs(entry - leave) >= 0.5:
            key = edge.tensors if tail.row == gap else edge
            level = partial(self._track, gap, self._run(gap, key, leave, entry, tail.row != gap))
            corners = [(leave, level), (entry, level)]
        ends: tuple[Corner, Corner] = (leave, partial(self._end, tail)), (entry, partial(self._start, head, entry))
        return Path(edge, [ends[0], *corners, ends[1]], direct.skips, tail.row == gap)

    def _lane(self, lane: Lane, edge: Edge, entries: Mapping[Edge, float | None]) -> Path:
        tail, head, entry = edge.tail, edge.head, entries[edge]
        out = partial(self._track, tail.row, self._run(tail.row, edge.tensors, edge.start, lane.at, False))
        corners: list[Corner] = [(edge.start, partial(self._end, tail)), (edge.start, out), (lane.at, out)]
        if entry is None:
            side = partial(self._side, edge)
            corners += [(lane.at, side), (head.across + self._reach(head, side()), side)]
        else:
            gap = head.row - 1
            level = partial(self._track, gap, self._run(gap, edge, entry, lane.at, True))
            corners += [(lane.at, level), (entry, level), (entry, partial(self._start, head, entry))]
        return Path(edge, corners, True, True)

    def _run(self, gap: int, key: object, one: float, two: float, coming: bool) -> Run:
        run = self.runs[gap].setdefault((key, coming), Run(min(one, two), max(one, two), coming))
        run.low, run.high = min(run.low, one, two), max(run.high, one, two)
        return run

    # Along the flow

    def _rows(self) -> None:
        along = [self.text_rows.get(row, 0.0) for row in range(self.count)]
        label, below = self.label, [BELOW] * (self.count + 1)
        leaving = {edge.tail for edge in self._all_edges()}
        for spot in self.plan.spots:
            need = len(spot.cell.exits) * spot.size.aside[0] + len(self.right[spot]) * self._pitch(spot)
            along[spot.row] = max(along[spot.row], spot.size.along, need)
            below[spot.row] = max(below[spot.row], spot.size.role[0])
            if spot in leaving:
                label[spot.row] = max(label[spot.row], spot.size.label[0])
        at = 0.0
        for row in range(self.count):
            self.tops.append(at)
            self.heights.append(along[row])
            at += along[row]
            tracks = 1 + max((run.track for run in self.runs[row].values()), default=-1)
            at += ABOVE + label[row] + tracks * TRACK + below[row + 1]
        for spot in self.plan.spots:
            spot.at = self.tops[spot.row] + along[spot.row] / 2

    def _all_edges(self) -> list[Edge]:
        return [each.edge for each in self.plan.direct] + [edge for lane in self.plan.lanes for edge in lane.edges]

    def _start(self, spot: Spot, across: float) -> float:
        reach = _chord(spot.half, across - spot.across) if spot.round else spot.size.along / 2
        return spot.at - reach

    def _end(self, spot: Spot) -> float:
        return spot.at + spot.size.along / 2

    def _track(self, gap: int, run: Run) -> float:
        start = self.tops[gap] + self.heights[gap] + ABOVE + self.label[gap]
        return start + (run.track + 0.5) * TRACK

    def _forks(self, paths: Sequence[Path]) -> dict[Bundle, tuple[float, float]]:
        """Where lines of the same tensors part below a cell."""
        ways: dict[Bundle, set[str]] = defaultdict(set)
        starts: dict[Bundle, float] = {}
        for path in paths:
            edge = path.edge
            aside = path.corners[2][0] - edge.start if path.turns and len(path.corners) > 3 else 0
            ways[edge.tail, edge.tensors].add("left" if aside < 0 else "right" if aside > 0 else "down")
            starts[edge.tail, edge.tensors] = edge.start
        return {
            (spot, tensors): (starts[spot, tensors], self._track(spot.row, self.runs[spot.row][tensors, False]))
            for (spot, tensors), found in ways.items()
            if len(found) > 1
        }


def _chord(radius: float, distance: float) -> float:
    """How far a circle reaches at a distance from its middle."""
    return sqrt(max(radius**2 - distance**2, 0.0))


def _share(paths: Sequence[Path]) -> None:
    """Lets each line of the same tensors start where the one before it turns, so that none is drawn on another."""
    beside: dict[tuple[Bundle, bool], list[Path]] = defaultdict(list)
    for path in paths:
        path.start = path.edge.start
        if path.turns and len(path.corners) > 3:
            right = path.corners[2][0] > path.start
            beside[(path.edge.tail, path.edge.tensors), right].append(path)
    for found in beside.values():
        found.sort(key=lambda path: abs(path.corners[2][0] - path.start))
        for before, path in pairwise(found):
            turn = before.corners[2][0]
            path.start = turn + (RADIUS if turn < path.start else -RADIUS)


def _ports(head: Spot, above: Sequence[tuple[Edge, float]]) -> dict[Edge, float]:
    """Places across for lines that enter from above: straight ones straight, others from the ends of the box."""
    if len(above) == 1 and not head.wide and (head.round or not above[0][0].aside):
        return {above[0][0]: head.across}
    if head.cell.kind == "module" and head.cell.roles:
        return _spread(head, above)
    room = head.half - 4
    if head.round:  # evenly, as far apart as there is room
        step = 2 * room / (len(above) - 1)
        ordered = sorted(above, key=lambda pair: pair[1])
        return {edge: head.across - room + place * step for place, (edge, _) in enumerate(ordered)}
    found: dict[Edge, float] = {}
    for sign in (-1, 1):
        others = [pair for pair in above if sign * (pair[1] - head.across) > room]
        step = min(TOP, room / max(len(others), 1))
        for place, (edge, _) in enumerate(sorted(others, key=lambda pair: -sign * pair[1])):
            found[edge] = head.across + sign * (room - place * step)
    for edge, across in above:
        found.setdefault(edge, across)
    return found


def _spread(head: Spot, above: Sequence[tuple[Edge, float]]) -> dict[Edge, float]:
    """The same with room for a text beside each line: as near as possible to where it comes from."""
    room, pitch = head.half - 4, head.size.role[1]
    found: dict[Edge, float] = {}
    ordered = sorted(above, key=lambda pair: pair[1])
    place = -room - pitch
    for left, (edge, across) in enumerate(ordered):
        last = room - (len(ordered) - left) * pitch
        place = max(place + pitch, min(across - head.across, last))
        found[edge] = head.across + place
    return found


def _tracks(runs: Sequence[Run]) -> None:
    """Gives lines in one gap their tracks: those that leave above those that arrive, and none on another."""
    start = 0
    for coming in (False, True):
        ends: list[float] = []
        for run in sorted((run for run in runs if run.coming is coming), key=lambda run: (run.low, run.high)):
            free = next((track for track, end in enumerate(ends) if end + 6 < run.low), len(ends))
            ends[free : free + 1] = [run.high]
            run.track = start + free
        start += len(ends)
