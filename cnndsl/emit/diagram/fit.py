"""Fits a figure to a page: few columns and large letters, with the blocks beside the trunk or below it.

If letters would be smaller than :data:`LEGIBLE` points, more lines may lead from column to column; then the figure has
less depth, and finally long lists lose their middle.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from cnndsl.emit.diagram.columns import balanced, columns, cuts
from cnndsl.emit.diagram.compact.sheet import GAP, Panel, panels, titled
from cnndsl.emit.diagram.options import Options
from cnndsl.emit.diagram.page import LEGIBLE, Page, TooSmall
from cnndsl.emit.diagram.picture import Line, Picture
from cnndsl.emit.diagram.render import Diagram
from cnndsl.emit.diagram.written import write
from cnndsl.graph.graph import Graph, walk
from cnndsl.record import Record

#: A small figure grows by no more.
LARGEST = 1.25
#: By how much larger letters must be for one more column.
ENOUGH = 1.1
#: The most lines from a column to the next: one if that is enough.
ONE, SEVERAL = 1, 8
#: A figure with more boxes is not legible on any page.
CROWD = 2_000
#: The most columns, and the steps that find a scale.
MOST, STEPS = 8, 8


class Fitted(Record, frozen=True):
    """A picture for a page, where it is ``scale`` times as large. The trunk has some ``columns``, the smallest letters
    have ``letters`` points."""

    picture: Picture
    page: Page
    scale: float
    columns: int
    letters: float
    drawn: _Drawn

    @property
    def told(self) -> str:
        """What was chosen, in words."""
        choices = [
            "compact",
            *([f"depth {self.drawn.depth}"] if self.drawn.depth else []),
            *(["long lists without their middle"] if self.drawn.longest else []),
            f"{self.columns} column{'s' * (self.columns != 1)}",
            f"letters {self.letters:.1f} pt",
        ]
        return f"{self.page.name}: {', '.join(choices)}"


class _Drawn(Record, frozen=True):
    """The trunk and the blocks, drawn to a depth, with lists of at most some length."""

    panels: tuple[Panel, ...]
    depth: int | None
    longest: int | None = None


def draw(graph: Graph, drawn: Diagram, options: Options) -> None:
    """Fills ``drawn`` with a network on a page, at its top and in the middle. Raises :class:`TooSmall`."""
    assert options.page
    fitted = fit(graph, options, options.page)
    write(fitted.picture, drawn, options.colours)
    left, top, right, bottom = fitted.picture.bounds
    page, scale = fitted.page, fitted.scale
    middle = (bottom - top) - (page.height / 2 - page.margin) / scale  # Graphviz counts upwards
    shown = (page.width, page.height, scale, (left + right) / 2, middle)
    # Graphviz moves what it has measured to the origin, by its own widths of texts. The viewport is where it was.
    drawn.graph_attr |= {
        "viewport": ",".join(f"{number:.4f}" for number in shown), "pad": "0", "margin": "0", "notranslate": "true",
    }  # fmt: skip
    drawn.told = fitted.told


def fit(graph: Graph, options: Options, page: Page) -> Fitted:
    """The most detailed figure whose letters are legible on a page. Raises :class:`TooSmall`."""
    candidates: list[_Drawn] = []
    for candidate in _candidates(graph, options):
        candidates.append(candidate)
        if candidate.longest is None and (fitted := _fitted(graph, candidate, page, ONE)):
            return fitted
    for candidate in candidates:
        if fitted := _fitted(graph, candidate, page, SEVERAL):
            return fitted
    least = candidates[-1].panels[0]
    would_do = (
        other
        for other in page.others(least.width / (least.height or 1))
        if _fitted(graph, candidates[-1], other, SEVERAL)
    )
    raise TooSmall(page, next(would_do, None))


def _candidates(graph: Graph, options: Options) -> Iterator[_Drawn]:
    """The figure as asked for; without a depth, then with less and less, and without the middle of long lists."""
    yield _Drawn(tuple(panels(graph, options)), options.depth)
    if options.depth is not None:
        return
    deepest = max((level for level, _ in walk(graph.root.body)), default=1)
    for depth in range(deepest - 1, 0, -1):
        yield _Drawn(tuple(panels(graph, replace(options, depth=depth))), depth)
    for longest in (24, 16, 12, 8, 5):
        yield _Drawn(tuple(panels(graph, replace(options, depth=1), longest)), 1, longest)


def _fitted(graph: Graph, drawn: _Drawn, page: Page, lines: int) -> Fitted | None:
    """The figure with large letters and few columns, or None if letters would be too small."""
    trunk, *blocks = drawn.panels
    # Graphviz draws letters of whole points.
    smallest = min(int(line.size) for panel in drawn.panels for line in _lines(panel.picture))
    crowded = sum(len(panel.picture.boxes) for panel in drawn.panels) > CROWD
    if crowded or _area(drawn.panels) * (LEGIBLE / smallest) ** 2 > page.width * page.height:
        return None
    best: Fitted | None = None
    for picture, count in _arrangements(trunk, lines):
        low = ENOUGH * best.scale if best else LEGIBLE / smallest
        if low > LARGEST or not (packed := _packed(graph, picture, blocks, page, low)):
            continue
        high = LARGEST
        for _ in range(STEPS):
            middle = (low + high) / 2
            if larger := _packed(graph, picture, blocks, page, middle):
                packed, low = larger, middle
            else:
                high = middle
        best = Fitted(packed, page, low, count, smallest * low, drawn)
    return best


def _area(drawn: Sequence[Panel]) -> float:
    """What the boxes cover, without panels, which are around others."""
    return sum(box.width * box.height for panel in drawn for box in panel.picture.boxes if box.kind != "panel")


def _lines(picture: Picture) -> Iterator[Line]:
    for box in picture.boxes:
        yield from box.lines
    for text in picture.texts:
        yield text.line


def _arrangements(trunk: Panel, lines: int) -> Iterator[tuple[Picture, int]]:
    """The trunk in one column, in two, and so on, with the number."""
    places, before = cuts(trunk.picture, lines), -1
    for count in range(1, min(MOST, len(places) + 1) + 1):
        chosen = balanced(trunk.picture, places, count)
        if len(chosen) > before:
            before = len(chosen)
            yield columns(trunk.picture, chosen), len(chosen) + 1


def _packed(graph: Graph, trunk: Picture, blocks: Sequence[Panel], page: Page, scale: float) -> Picture | None:
    """The trunk with the blocks beside it or below and a title above, if that has room at a scale."""
    width, height = ((side - 2 * page.margin) / scale for side in (page.width, page.height))
    left, top, right, bottom = trunk.bounds
    sizes = [(right - left, bottom - top), *((block.width, block.height) for block in blocks)]
    places = _placed(sizes, width, height)
    if places is None:
        return None
    whole = trunk.moved(-left, -top)
    for block, place in zip(blocks, places[1:]):
        whole += block.picture.moved(*place)
    whole = titled(whole, graph)
    left, top, right, bottom = whole.bounds
    return whole if right - left <= width and bottom - top <= height else None


def _placed(sizes: Sequence[tuple[float, float]], width: float, height: float) -> list[tuple[float, float]] | None:
    """Left top corners for rectangles in a larger one, each as far up and then as far left as it goes, or None."""
    if any(wide > width or high > height for wide, high in sizes):
        return None
    placed: list[_Rect] = []
    for wide, high in sizes:
        corners = [(0.0, 0.0)]
        for left, top, right, bottom in placed:
            corners += [(right + GAP, top), (right + GAP, 0.0), (left, bottom + GAP), (0.0, bottom + GAP)]
        fitting = ((x, y, x + wide, y + high) for x, y in corners if x + wide <= width and y + high <= height)
        free = [rect for rect in fitting if not any(_meet(rect, other) for other in placed)]
        if not free:
            return None
        placed.append(min(free, key=lambda rect: (rect[1], rect[0])))
    return [(left, top) for left, top, _, _ in placed]


_Rect = tuple[float, float, float, float]


def _meet(one: _Rect, other: _Rect) -> bool:
    """Whether two rectangles have less than the gap between them."""
    return all(one[side] < other[side + 2] + GAP and other[side] < one[side + 2] + GAP for side in (0, 1))
