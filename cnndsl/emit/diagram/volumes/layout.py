"""Where volumes and arrows are: columns along the flow, and a lane for each arm.

A volume's column comes after those of all that it takes. Upright lines run between columns only, and lines along the
flow either on the lane of their tail, or above everything that they go past: so no line meets a volume or a text.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TypeAlias

from cnndsl.emit.diagram.volumes.plan import Parallel, Plan, Series, Volume, volumes
from cnndsl.emit.diagram.volumes.solids import CHANNELS, SPATIAL, Scale, Solid, text_width
from cnndsl.emit.diagram.volumes.ways import NEXT, Arrow, Tracks, Way, ways_of
from cnndsl.record import Record

#: Between columns, between lanes, and between lines that go past volumes.
GAP, LANE, LEVEL = 14.0, 14.0, 7.0
#: The room for upright lines after and before a column, and of a label after it.
TRACK, BESIDE = 7.0, 7.0
#: How far a line around a module is from where lines turn after it.
LOOP = 2.0
#: The height of a line of labels.
LINE = CHANNELS + 2

Point: TypeAlias = tuple[float, float]


class Route(Record, frozen=True, eq=False):
    """The corners of the line of an arrow. It ``skips`` if it goes past volumes of its own lane. At ``fork`` it leaves
    the other arrows from its tail.
    """

    tail: Solid
    head: Solid
    points: tuple[Point, ...]
    skips: bool = False
    fork: Point | None = None


class Layout(Record, frozen=True, eq=False):
    """``told`` are the solids with their size beside them, ``glued`` those that touch the one before."""

    solids: Mapping[Volume, Solid]
    routes: tuple[Route, ...]
    told: frozenset[Volume]
    glued: frozenset[Volume]

    @property
    def width(self) -> float:
        """From the first solid to the last."""
        solids = self.solids.values()
        return max(solid.x + solid.width for solid in solids) - min(solid.x for solid in solids)

    @property
    def height(self) -> float:
        """From the highest solid to the lowest."""
        solids = self.solids.values()
        return max(solid.bottom for solid in solids) - min(solid.y - solid.up for solid in solids)


def layout(plan: Plan) -> Layout:
    everything = [*volumes(plan.root)]
    scale = Scale.of(everything, _most_lanes(plan.root))
    solids = {volume: scale.solid(volume) for volume in everything}
    wires = _Wires(plan)
    columns = _Columns(plan, wires, solids)
    lanes = _Lanes(plan, wires, solids)
    ways = ways_of([arrow for arrow in plan.arrows if arrow[1] not in columns.glued], wires, lanes.level, solids)
    tracks = Tracks(ways, columns.column, solids)
    columns.place(tracks)
    routes = tuple(_route(way, wires, columns, tracks, solids) for way in ways)
    loops = tuple(_loop(solid, columns) for solid in solids.values() if solid.volume.skips)
    return Layout(solids, routes + loops, frozenset(columns.told), frozenset(columns.glued))


def _most_lanes(item: Series | Parallel | Volume) -> int:
    """The most volumes above each other."""
    if isinstance(item, Volume):
        return 1
    if isinstance(item, Series):
        return max(map(_most_lanes, item.children))
    return sum(map(_most_lanes, item.arms))


class _Wires:
    """How arrows run. ``place`` has the containers of each volume, from the outermost inwards, with the index in each.

    ``meeting`` has the container in which an arrow leaves one child for another, with the indices of the two.
    """

    def __init__(self, plan: Plan) -> None:
        self.arrows = plan.arrows
        self.place: dict[Volume, tuple[tuple[Series | Parallel, int], ...]] = {}
        self._visit(plan.root, ())
        self.meeting = {arrow: self._meet(*arrow) for arrow in plan.arrows}
        self.taken = Counter(tail for tail, _ in plan.arrows)
        #: The arrows that leave each series' lane, or come back to it.
        self.past: dict[Series | Parallel, list[Arrow]] = defaultdict(list)
        for arrow, (container, start, end) in self.meeting.items():
            if not self._direct(arrow, container, start, end):
                self.past[container].append(arrow)
        self._past = {arrow for arrows in self.past.values() for arrow in arrows}
        #: The volumes with an arrow that goes on along the flow.
        self.goes_on = {tail for tail, head in plan.arrows if (tail, head) not in self._past}

    def _visit(self, item: Series | Parallel | Volume, place: tuple[tuple[Series | Parallel, int], ...]) -> None:
        if isinstance(item, Volume):
            self.place[item] = place
            return
        for index, child in enumerate(item.children if isinstance(item, Series) else item.arms):
            self._visit(child, (*place, (item, index)))

    def _meet(self, tail: Volume, head: Volume) -> tuple[Series | Parallel, int, int]:
        for (container, start), (_, end) in zip(self.place[tail], self.place[head]):
            if start != end:
                return container, start, end
        raise AssertionError("an arrow from a volume to itself")

    def _direct(self, arrow: Arrow, container: Series | Parallel, start: int, end: int) -> bool:
        """Whether an arrow leaves the end of one part of a series for the start of the next."""
        if isinstance(container, Parallel) or end != start + 1:
            return False
        tail, head = arrow
        return tail in _ends(container.children[start], -1) and head in _ends(container.children[end], 0)

    def goes_past(self, arrow: Arrow) -> bool:
        return arrow in self._past

    def on_axis(self, volume: Volume, container: Series | Parallel) -> bool:
        """Whether a volume is a child of a container itself, and so on its axis."""
        return self.place[volume][-1][0] is container


def _ends(item: Series | Parallel | Volume, index: int) -> Iterator[Volume]:
    """The first volumes of a part, or with -1 the last."""
    if isinstance(item, Volume):
        yield item
    elif isinstance(item, Series):
        yield from _ends(item.children[index], index)
    else:
        for arm in item.arms:
            yield from _ends(arm, index)


class _Columns:
    """Places along the flow: sets ``x`` of all solids. ``start`` and ``end`` are the sides of each column."""

    def __init__(self, plan: Plan, wires: _Wires, solids: Mapping[Volume, Solid]) -> None:
        self.wires, self.solids = wires, solids
        self.column: dict[Volume, int] = {}
        self.taken: dict[Volume, list[Volume]] = defaultdict(list)
        self.takers: dict[Volume, list[Volume]] = defaultdict(list)
        for tail, head in plan.arrows:
            self.taken[head].append(tail)
            self.takers[tail].append(head)
        self._place(plan.root, 0)
        self.inside: list[list[Volume]] = [[] for _ in range(max(self.column.values()) + 1)]
        for volume, column in self.column.items():
            self.inside[column].append(volume)
        self.glued = {after[0] for before, after in pairwise(self.inside) if self._glues(before, after)}
        self.told = {volume for volume in self.column if self._tells(volume)}
        self.start: list[float] = []
        self.end: list[float] = []
        self.beside: list[float] = []

    def place(self, tracks: Tracks) -> None:
        """Sets all places, with room for upright lines between columns."""
        for column in range(len(self.inside)):
            self._set(column, tracks.room(column))

    def _place(self, item: Series | Parallel | Volume, start: int) -> int:
        """Gives columns from ``start`` on, and returns the one after the last."""
        if isinstance(item, Volume):
            self.column[item] = max([start, *(self.column[tail] + 1 for tail in self.taken[item])])
            return self.column[item] + 1
        if isinstance(item, Series):
            for child in item.children:
                start = self._place(child, start)
            return start
        return max(self._place(arm, start) for arm in item.arms)

    def _glues(self, before: list[Volume], after: list[Volume]) -> bool:
        """Whether two columns touch: a chain of volumes of one size, and a pooling after them."""
        if len(before) > 1 or len(after) > 1:
            return False
        (tail,), (head,) = before, after
        chained = self.taken[head] == [tail] and self.wires.taken[tail] == 1
        plain = not any(
            v.sign or v.skips or v.times > 1 or v.family == "input" or v.names or v.reused for v in (tail, head)
        )
        alike = tail.spatial == head.spatial or (head.family == "pooling" and any(size > 1 for size in head.spatial))
        said = head.family == "pooling" and self._tells(head)
        return chained and plain and alike and not said and len(tail.spatial) > 0 and tail.family != "pooling"

    def _tells(self, volume: Volume) -> bool:
        """Whether the size is beside a volume: at the last of several of the same size."""
        next_ = [head for head in self.takers[volume] if not self.wires.goes_past((volume, head))]
        return any(size > 1 for size in volume.spatial) and all(head.spatial != volume.spatial for head in next_)

    def _set(self, column: int, room: float) -> None:
        """Places the volumes of a column after those before it."""
        solids = [self.solids[volume] for volume in self.inside[column]]
        left = max(solid.lean + max(solid.width, solid.label_width) / 2 for solid in solids)
        right = max(max(solid.width / 2 + solid.lean, solid.label_width / 2 - solid.lean) for solid in solids)
        if column == 0:
            middle = left
        elif self.inside[column][0] in self.glued:
            before = self.solids[self.inside[column - 1][0]]
            labels = 0 if before.label == solids[0].label else (before.label_width + solids[0].label_width) / 2 + 2
            apart = labels + solids[0].lean - before.lean
            middle = before.middle + max((before.width + solids[0].width) / 2, apart)
        else:
            middle = self.end[-1] + self._gap(column) + room + left
        for solid in solids:
            solid.x = middle - solid.width / 2
        self.start.append(middle - left)
        self.end.append(max(self.end[-1] if self.end else 0, middle + right))
        ends = [beside_of(solid)[1] for solid in solids if solid.volume in self.told or (solid.ball and solid.notes)]
        if self.inside[column][0] in self.glued:
            ends.append(self.end[column - 1] + self.beside[column - 1])
        self.beside.append(max([0.0, *(end - self.end[column] for end in ends)]))

    def _gap(self, column: int) -> float:
        """The room before a column: for labels of the one before it, and for upright lines."""
        return self.beside[column - 1] + 2 * TRACK + GAP / 2

    def after(self, volume: Volume, track: int = 0) -> float:
        """Where lines from a volume turn."""
        column = self.column[volume]
        return self.end[column] + self.beside[column] + TRACK / 2 + 1 + NEXT * track

    def before(self, volume: Volume, track: int = 0) -> float:
        """Where lines to a volume turn."""
        return self.start[self.column[volume]] - TRACK - 1 - NEXT * track


def _plain(volume: Volume) -> bool:
    """Whether another volume may touch it."""
    said = volume.times > 1 or volume.names or volume.reused
    return not (volume.sign or volume.skips or said or volume.family == "input")


def beside_of(solid: Solid) -> tuple[float, float]:
    """Where the labels beside a solid start and end: its size, and what is said of a ball."""
    start = solid.x + solid.width - solid.lean + BESIDE
    notes = [text_width(note, CHANNELS) for note in solid.notes if solid.ball]
    return start, start + max([text_width(size_of(solid.volume), SPATIAL), *notes])


def size_of(volume: Volume) -> str:
    return "\N{MULTIPLICATION SIGN}".join(map(str, volume.spatial))


class _Lanes:
    """Places across the flow: sets ``y`` of all solids. ``level`` is that of each arrow that goes past others."""

    def __init__(self, plan: Plan, wires: _Wires, solids: Mapping[Volume, Solid]) -> None:
        self.wires, self.solids = wires, solids
        self.level: dict[Arrow, float] = {}
        self.axes: dict[Series, float] = {}
        self.extents: dict[Series | Parallel, tuple[float, float]] = {}
        self._extent(plan.root)
        self._assign(plan.root, 0.0)

    def _extent(self, item: Series | Parallel | Volume) -> tuple[float, float]:
        """How far a part reaches above and below its axis."""
        if isinstance(item, Volume):
            solid = self.solids[item]
            return solid.up + LEVEL * item.skips, solid.up + LINE * solid.lines + 2
        self.extents[item] = self._series(item) if isinstance(item, Series) else self._parallel(item)
        return self.extents[item]

    def _series(self, series: Series) -> tuple[float, float]:
        """The extent of a series, with a level for each arrow past its children: above them, and above shorter ones."""
        reach = [self._extent(child) for child in series.children]
        placed: list[tuple[int, int, float]] = []
        spans = [(*self.wires.meeting[arrow][1:], arrow) for arrow in self.wires.past[series]]
        for start, end, arrow in sorted(spans, key=lambda span: span[1] - span[0]):
            first = start if isinstance(series.children[start], Parallel) else start + 1
            base = max(up for up, _ in reach[first : end + 1])
            over = [level for left, right, level in placed if left < end and start < right]
            level = max([base, *over]) + LEVEL
            placed.append((start, end, level))
            self.level[arrow] = -level
        return max([up for up, _ in reach] + [level for *_, level in placed]), max(down for _, down in reach)

    def _parallel(self, parallel: Parallel) -> tuple[float, float]:
        reach = [self._extent(arm) for arm in parallel.arms]
        height = sum(up + down for up, down in reach) + LANE * (len(reach) - 1)
        at, axes = 0.0, []
        for up, down in reach:
            axes.append(at + up)
            at += up + down + LANE
        axis = (axes[0] + axes[-1]) / 2 if parallel.main is None else axes[parallel.main]
        self.axes.update({arm: at - axis for arm, at in zip(parallel.arms, axes)})
        return axis, height - axis

    def _assign(self, item: Series | Parallel | Volume, y: float) -> None:
        if isinstance(item, Volume):
            self.solids[item].y = y
        elif isinstance(item, Series):
            for arrow in self.wires.past[item]:
                self.level[arrow] += y
            for child in item.children:
                self._assign(child, y)
        else:
            for arm in item.arms:
                self._assign(arm, y + self.axes[arm])
            for arrow in self.wires.past[item]:  # from one arm to another: between the lanes
                arm = item.arms[self.wires.meeting[arrow][2]]
                self.level[arrow] = y + self.axes[arm] - self.extents[arm][0] - LANE / 2


def _route(way: Way, wires: _Wires, columns: _Columns, tracks: Tracks, solids: Mapping[Volume, Solid]) -> Route:
    """The corners of an arrow: after its tail, along its level, and before its head."""
    one, other = solids[way.tail], solids[way.head]
    points: list[Point] = [one.east]
    fork = None
    if way.turns:
        after = columns.after(way.tail, tracks.after[way.tail])
        forks = wires.taken[way.tail] > 1
        fork = (after, one.y) if forks else None
        start = [] if way.skips and way.tail in wires.goes_on else [one.east]
        points = [*start, (after, one.y), (after, way.along)]
    end = (other.west[0], way.entry)
    if way.side:
        half = -other.height / 2 if way.side == "top" else other.height / 2
        points += [(other.middle, way.along), (other.middle, other.y + half)]
    elif way.along == way.entry:
        points.append(end)
    else:
        before = columns.before(way.head, tracks.before[way.key])
        points += [(before, way.along), (before, way.entry), end]
    return Route(one, other, tuple(points), way.skips, fork)


def _loop(solid: Solid, columns: _Columns) -> Route:
    """The line past a closed module that has a residual inside."""
    left, right = columns.before(solid.volume) + TRACK / 2, columns.after(solid.volume) - LOOP
    level = solid.y - solid.up - LEVEL
    points = ((left, solid.y), (left, level), (right, level), (right, solid.y))
    return Route(solid, solid, points, True, points[0])
