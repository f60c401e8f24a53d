"""How arrows run between columns, before these have places: each tensor has upright tracks of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Literal, Protocol, TypeAlias, TypeVar

from msgspec import Struct

from cnndsl.emit.diagram.volumes.plan import Parallel, Series, Volume
from cnndsl.emit.diagram.volumes.solids import Solid

#: Between upright lines beside each other, between lines into one volume, and between the ends of those on a track.
NEXT, ENTRY, FREE = 5.0, 5.0, 4.0

Arrow: TypeAlias = tuple[Volume, Volume]
K = TypeVar("K", bound=Hashable)


class Way(Struct, eq=False):
    """An arrow that turns after its tail, if it ``turns`` there, goes ``along`` at some height, and ends at the height
    ``entry`` of its head, or at the top or the bottom of it. It ``skips`` if it goes past volumes of its own lane."""

    tail: Volume
    head: Volume
    along: float
    entry: float
    turns: bool = False
    skips: bool = False
    side: Literal["", "top", "bottom"] = ""

    @property
    def key(self) -> Hashable:
        """What shares a line before the head: all that a merge takes, unless its order matters."""
        return self.head if self.head.family == "merge" and not self.head.ordered else (self.tail, self.head)


class Wires(Protocol):
    """What is known of arrows before there are ways."""

    meeting: dict[Arrow, tuple[Series | Parallel, int, int]]

    def goes_past(self, arrow: Arrow) -> bool: ...

    def on_axis(self, volume: Volume, container: Series | Parallel) -> bool: ...


def ways_of(
    arrows: Sequence[Arrow], wires: Wires, levels: Mapping[Arrow, float], solids: Mapping[Volume, Solid]
) -> list[Way]:
    """The ways of all arrows, of which those past others have their ``levels``."""
    ways = [_way(arrow, wires, levels, solids) for arrow in arrows]
    into: dict[Volume, list[Way]] = defaultdict(list)
    for way in ways:
        into[way.head].append(way)
    for head, found in into.items():
        _only_outermost(found)
        _enter(solids[head], [way for way in found if not way.side])
    return ways


def _way(arrow: Arrow, wires: Wires, levels: Mapping[Arrow, float], solids: Mapping[Volume, Solid]) -> Way:
    tail, head = arrow
    one, other = solids[tail], solids[head]
    container = wires.meeting[arrow][0]
    if wires.goes_past(arrow):
        top = (other.ball or head.parts) and wires.on_axis(head, container)
        return Way(tail, head, levels[arrow], other.y, turns=True, skips=True, side="top" if top else "")
    if abs(one.y - other.y) < 0.01:  # but for rounding, the same lane
        return Way(tail, head, other.y, other.y)
    if wires.on_axis(tail, container):
        return Way(tail, head, other.y, other.y, turns=True)
    if other.ball and abs(one.y - other.y) > other.height:
        return Way(tail, head, one.y, other.y, side="bottom" if one.y > other.y else "top")
    return Way(tail, head, one.y, other.y)


def _only_outermost(ways: Sequence[Way]) -> None:
    """Leaves the top and the bottom of a volume to one line each, which no other has to cross."""
    for side, choose in (("top", min), ("bottom", max)):
        there = [way for way in ways if way.side == side]
        for way in there:
            if way is not choose(there, key=lambda each: each.along):
                way.side = ""


def _enter(head: Solid, ways: Sequence[Way]) -> None:
    """Gives lines that end at the left of a volume their heights there, from the top to the bottom."""
    keys = list(dict.fromkeys(way.key for way in sorted(ways, key=lambda way: way.along)))
    if len(keys) < 2:
        return
    straight = [way.key for way in sorted(ways, key=lambda way: way.turns) if way.along == head.y]
    middle = keys.index(straight[0]) if straight else (len(keys) - 1) / 2
    step = min(ENTRY, head.height / (len(keys) + 1))
    for way in ways:
        entry = head.y + (keys.index(way.key) - middle) * step
        if way.along == way.entry:  # it comes along the lane of its head
            way.along = entry
        way.entry = entry


class Tracks:
    """The place of each upright line among those in its gap: ``after`` a tail, from the left, and ``before`` a head,
    from the right."""

    def __init__(self, ways: Sequence[Way], columns: Mapping[Volume, int], solids: Mapping[Volume, Solid]) -> None:
        after: dict[int, dict[Volume, list[float]]] = defaultdict(dict)
        before: dict[int, dict[Hashable, list[float]]] = defaultdict(dict)
        for way in sorted(ways, key=lambda way: (way.entry, way.along)):
            if not way.side and way.along != way.entry:
                before[columns[way.head]].setdefault(way.key, []).extend((way.along, way.entry))
        for way in sorted(ways, key=lambda way: solids[way.tail].y):
            if way.turns:
                after[columns[way.tail]].setdefault(way.tail, []).extend((solids[way.tail].y, way.along))
        self.after: dict[Volume, int] = {}
        self.before: dict[Hashable, int] = {}
        self.rooms: dict[int, int] = defaultdict(int)
        for column, lines in after.items():
            self.after.update(_tracks(lines))
            self.rooms[column + 1] += max(self.after[tail] for tail in lines)
        for column, ends in before.items():
            self.before.update(_tracks(ends))
            self.rooms[column] += max(self.before[key] for key in ends)

    def room(self, column: int) -> float:
        """The room for the lines before a column, besides that of one after and one before."""
        return NEXT * self.rooms[column]


def _tracks(lines: Mapping[K, Sequence[float]]) -> Iterator[tuple[K, int]]:
    """A track for each upright line, given by heights that it reaches: the first on which it meets no other."""
    taken: list[list[tuple[float, float]]] = []
    for key, heights in lines.items():
        low, high = min(heights) - FREE, max(heights)
        track = next(
            (at for at, ends in enumerate(taken) if not any(low < b and a < high for a, b in ends)), len(taken)
        )
        taken[track : track + 1] = [[*(taken[track] if track < len(taken) else []), (low, high)]]
        yield key, track
