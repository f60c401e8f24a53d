"""Gives every cell a place on a grid, and every line a way that crosses neither a box nor a text.

Cells are in rows that go through the whole canvas. Lines across the flow run only in the gaps between rows, below the
texts there, and lines along the flow only where a stack has nothing in their rows: in its middle between its items, or
in a lane beside everything that it has in these rows. A line from the side of a merge stays in its row, where the stack
has nothing else.

*Along* is the direction of the flow, down in a figure from top to bottom, and *across* is the other one. Sizes are in
points.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, field

from cnndsl.emit.diagram.compact.items import Beside, Cell, Item, Stack, cells, heads, links, tails
from cnndsl.graph.graph import Tensor

#: Between stacks side by side, between a stack and its lanes, between lines in a gap, and around a bracket.
ASIDE, PITCH, TRACK, BRACKET = 18.0, 10.0, 7.0, 8.0
#: Space in a gap: above its lines, and below them for the heads of arrows.
ABOVE, BELOW = 4.0, 11.0


class Size(Struct, frozen=True):
    """The room of a cell. ``label`` is what is written beside the lines out of it, ``aside`` beside the cell, and
    ``role`` at the end of a line into it. Lines with different tensors leave ``pitch`` apart."""

    along: float
    across: float
    label: tuple[float, float] = (0, 0)
    aside: tuple[float, float] = (0, 0)
    role: tuple[float, float] = (0, 0)
    pitch: float = 0


class Spot(Struct, eq=False):
    """The place of a cell: ``row``, and the middle ``across``. ``at`` is its middle along the flow."""

    cell: Cell
    size: Size
    row: int = 0
    across: float = 0
    at: float = 0
    wide: float = 0

    @property
    def half(self) -> float:
        return max(self.wide, self.size.across) / 2

    @property
    def round(self) -> bool:
        return self.cell.kind == "merge" and not self.wide and self.size.along == self.size.across


class Edge(Struct, eq=False):
    """A line for tensors, with their ``role`` for the head. It leaves its tail ``aside`` of the middle. ``near`` says
    that nothing is between the head and the lanes beside the stack of the edge."""

    tail: Spot
    head: Spot
    tensors: tuple[Tensor, ...]
    role: str
    near: bool = False
    aside: float = 0

    @property
    def start(self) -> float:
        """The place across where it leaves."""
        return self.tail.across + self.aside


class Lane(Struct, eq=False):
    """A line along the flow beside a stack, for all edges of the same tensors that are not direct."""

    edges: list[Edge]
    at: float = 0

    @property
    def rows(self) -> tuple[int, int]:
        ends = [edge.head.row for edge in self.edges] + [self.edges[0].tail.row]
        return min(ends), max(ends)


class Bar(Struct, eq=False):
    """A bracket: its place across, its rows, and the item that has its text."""

    stack: Stack
    across: float
    rows: tuple[int, int]


class Frame(Struct, eq=False):
    """A measured item: for each of its rows, how far it reaches to both sides of its axis."""

    item: Item
    left: list[float]
    right: list[float]
    parts: list[tuple[Frame, float, int]] = field(default_factory=list)
    bracket: float | None = None

    @property
    def rows(self) -> int:
        return len(self.left)


class Direct(Struct, eq=False):
    """An edge between neighbours; its line across runs in the gap below row ``gap``. ``alone`` says that the head has
    its rows to itself, ``skips`` that it belongs to the shortcut of a residual."""

    edge: Edge
    gap: int
    alone: bool
    skips: bool


class Plan(Struct):
    """A canvas whose cells have rows and places across, with its edges."""

    spots: list[Spot]
    direct: list[Direct]
    lanes: list[Lane]
    bars: list[Bar]


def planned(stack: Stack, sizes: Mapping[Cell, Size], bracket: Mapping[Stack, tuple[float, float]]) -> Plan:
    """Rows, and places across. ``bracket`` has the sizes of the texts of brackets."""
    return _Planner(stack, sizes, bracket).plan()


class _Planner:
    def __init__(self, stack: Stack, sizes: Mapping[Cell, Size], bracket: Mapping[Stack, tuple[float, float]]) -> None:
        self.stack, self.text = stack, bracket
        self.spots = {cell: Spot(cell, sizes[cell]) for cell in cells(stack)}
        self.direct: list[Direct] = []
        self.lanes: dict[Stack, dict[tuple[Tensor, ...], Lane]] = defaultdict(dict)
        self.bars: list[Bar] = []

    def plan(self) -> Plan:
        self._rows(self.stack, 0)
        self._edges()
        frame = self._measure(self.stack)
        self._place(frame, 0, 0)
        lanes = [lane for found in self.lanes.values() for lane in found.values()]
        self._part(lanes)
        return Plan([*self.spots.values()], self.direct, lanes, self.bars)

    # Rows

    def _rows(self, item: Item, row: int) -> int:
        """Gives the cells of an item their rows, the first of which is ``row``, and returns the row after it."""
        if isinstance(item, Cell):
            self.spots[item].row = row
            return row + 1
        if isinstance(item, Stack):
            for inner in item.items:
                row = self._rows(inner, row)
            return row
        heights = [_height(arm) for arm in item.arms]
        for arm, height in zip(item.arms, heights):
            self._rows(arm, row + _above(item, height, max(heights)))
        return row + max(heights)

    # Edges

    def _edges(self) -> None:
        chains = dict(_chains(self.stack))
        for link in links(self.stack):
            self._edge(Edge(self.spots[link.tail], self.spots[link.head], link.tensors, link.role), chains)

    def _edge(self, edge: Edge, chains: Mapping[Cell, Sequence[tuple[Item, int]]]) -> None:
        stack, one, two = self.stack, 0, 0
        for (item, start), (other, end) in zip(chains[edge.tail.cell], chains[edge.head.cell]):
            if item is not other:
                break
            if isinstance(item, Stack):
                stack, one, two = item, start, end
            if start != end:
                break
        before, after = stack.items[one], stack.items[two]
        if one < two and edge.tail.cell in tails(before) and edge.head.cell in heads(after):
            between = stack.items[one + 1 : two]
            if all(isinstance(item, Beside) and item.through for item in between) and len(between) < 2:
                first = min(self.spots[cell].row for cell in heads(after))
                alone = edge.head.cell is after or isinstance(after, Stack)
                skips = _in_shortcut(chains[edge.tail.cell]) != _in_shortcut(chains[edge.head.cell])
                self.direct.append(Direct(edge, first - 1, alone, skips))
                return
        lane = self.lanes[stack].setdefault(edge.tensors, Lane([]))
        lane.edges.append(edge)
        inside = [item for item, _ in chains[edge.head.cell]]
        edge.near = not any(isinstance(item, Beside) for item in inside[inside.index(stack) :])

    # Across

    def _measure(self, item: Item) -> Frame:
        if isinstance(item, Cell):
            spot = self.spots[item]
            aside = spot.half + spot.size.aside[1] if spot.size.aside[1] else 0
            return Frame(item, [spot.half], [max(spot.half, spot.size.label[1], aside)])
        return self._stacked(item) if isinstance(item, Stack) else self._beside(item)

    def _stacked(self, stack: Stack) -> Frame:
        frame = Frame(stack, [], [])
        inner: dict[Item | None, Frame] = {
            item: self._measure(item) for item in stack.items if not isinstance(item, Cell)
        }
        for before, item, after in zip((None, *stack.items), stack.items, (*stack.items[1:], None)):
            if isinstance(item, Cell) and item.kind == "merge":
                self._widen(item, inner.get(before), inner.get(after))
            part = inner.get(item) or self._measure(item)
            frame.parts.append((part, 0, frame.rows))
            frame.left += part.left
            frame.right += part.right
        first = min((self.spots[cell].row for cell in cells(stack)), default=0)
        for lane in sorted(self.lanes[stack].values(), key=_length):
            start, end = (row - first for row in lane.rows)
            lane.at = max(frame.right[start : end + 1]) + PITCH
            frame.right[start : end + 1] = [lane.at] * (end + 1 - start)
        if stack in self.text:
            self._bracket(stack, frame)
        return frame

    def _widen(self, merge: Cell, before: Frame | None, after: Frame | None) -> None:
        """Makes a merge as wide as what it merges, and a split as wide as what takes its parts, so that all lines are
        straight."""
        split = merge.first.kind == "split"
        beside = after if split else before
        if beside is None or not isinstance(beside.item, Beside) or beside.item.axis is not None:
            return
        found = _ends(beside, 0, 0 if split else -1)
        shared = [at for cell, at in found if not {*merge.takes, *merge.makes}.isdisjoint((*cell.takes, *cell.makes))]
        if len(shared) > 2 or (len(shared) == 2 and merge.first.kind in ("concat", "split")):
            self.spots[merge].wide = 2 * max(map(abs, shared)) + 24

    def _bracket(self, stack: Stack, frame: Frame) -> None:
        frame.bracket = max(frame.left) + BRACKET
        frame.left[:] = [frame.bracket + 3] * frame.rows
        frame.left[0] = frame.bracket + 5 + self.text[stack][1]

    def _beside(self, beside: Beside) -> Frame:
        parts = [self._measure(arm) for arm in beside.arms]
        places: list[float] = []
        end = 0.0 if beside.through else -ASIDE
        for part in parts:
            places.append(end + ASIDE + max(part.left))
            end = places[-1] + max(part.right)
        axis = 0.0 if beside.through else (places[0] + places[-1]) / 2
        if beside.axis is not None and not beside.through:
            axis = places[beside.axis]
        rows = max(part.rows for part in parts)
        frame = Frame(beside, [0.0] * rows, [0.0] * rows)
        for part, place in zip(parts, places):
            start = _above(beside, part.rows, rows)
            frame.parts.append((part, place - axis, start))
            for row in range(part.rows):
                frame.left[start + row] = max(frame.left[start + row], axis - place + part.left[row])
                frame.right[start + row] = max(frame.right[start + row], place - axis + part.right[row])
        frame.left[:] = [max(frame.left)] * rows
        frame.right[:] = [max(frame.right)] * rows
        return frame

    def _part(self, lanes: Sequence[Lane]) -> None:
        """Lets lines with different tensors leave a cell apart, in the order of where they go."""
        found: dict[Spot, dict[tuple[Tensor, ...], list[tuple[Edge, float]]]] = defaultdict(dict)
        ways = [(each.edge, each.edge.head.across) for each in self.direct]
        for edge, at in (*ways, *((edge, lane.at) for lane in lanes for edge in lane.edges)):
            if edge.tail.size.pitch:
                found[edge.tail].setdefault(edge.tensors, []).append((edge, at))
        for spot, bundles in found.items():
            by_place = sorted(bundles.values(), key=lambda edges: min(at for _, at in edges))
            for place, edges in enumerate(by_place):
                for edge, _ in edges:
                    edge.aside = (place - (len(by_place) - 1) / 2) * spot.size.pitch

    def _place(self, frame: Frame, across: float, row: int) -> None:
        if isinstance(frame.item, Cell):
            self.spots[frame.item].across = across
            return
        if isinstance(frame.item, Stack):
            for lane in self.lanes[frame.item].values():
                lane.at += across
            if frame.bracket is not None:
                self.bars.append(Bar(frame.item, across - frame.bracket, (row, row + frame.rows - 1)))
        for part, aside, below in frame.parts:
            self._place(part, across + aside, row + below)


def _in_shortcut(chain: Sequence[tuple[Item, int]]) -> bool:
    """Whether a cell with these items around it is beside the body of a residual."""
    return any(isinstance(item, Beside) and item.main and place for item, place in chain)


def _above(beside: Beside, height: int, most: int) -> int:
    """The rows above an arm: a shortcut is in the middle of the body, other arms start together."""
    return (most - height) // 2 if beside.main else 0


def _height(item: Item) -> int:
    if isinstance(item, Cell):
        return 1
    if isinstance(item, Stack):
        return sum(map(_height, item.items))
    return max(map(_height, item.arms))


def _chains(
    item: Item, above: tuple[tuple[Item, int], ...] = ()
) -> Iterable[tuple[Cell, tuple[tuple[Item, int], ...]]]:
    """Each cell with the items around it from the outermost, and its index in each."""
    if isinstance(item, Cell):
        yield item, above
        return
    for place, inner in enumerate(item.items if isinstance(item, Stack) else item.arms):
        yield from _chains(inner, (*above, (item, place)))


def _ends(frame: Frame, across: float, end: int) -> list[tuple[Cell, float]]:
    """The cells at the upper (0) or lower (-1) end of an item, with their places across."""
    if isinstance(frame.item, Cell):
        return [(frame.item, across)]
    if isinstance(frame.item, Stack):
        part, aside, _ = frame.parts[end]
        return _ends(part, across + aside, end)
    return [found for part, aside, _ in frame.parts for found in _ends(part, across + aside, end)]


def _length(lane: Lane) -> tuple[int, int]:
    start, end = lane.rows
    return end - start, start
