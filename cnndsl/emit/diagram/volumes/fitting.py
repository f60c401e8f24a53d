"""Fits volumes to a page: in rows, with letters as large as there is room for, and with less depth if need be."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from cnndsl.emit.diagram.options import Options
from cnndsl.emit.diagram.page import LEGIBLE, Page, TooSmall
from cnndsl.emit.diagram.volumes.layout import Layout, layout
from cnndsl.emit.diagram.volumes.paint import MARGIN, paint
from cnndsl.emit.diagram.volumes.plan import Plan, plan
from cnndsl.emit.diagram.volumes.rows import rows
from cnndsl.emit.diagram.volumes.scene import Scene, scaled
from cnndsl.emit.diagram.volumes.solids import SPATIAL
from cnndsl.graph.graph import Graph

#: A small picture grows by no more, and the number of steps that find a scale.
LARGEST, STEPS = 1.25, 8


def fit(graph: Graph, options: Options, page: Page) -> tuple[Scene, str]:
    """The most detailed picture whose letters are legible on a page, in the page's size, and what was chosen in words.

    Raises :class:`TooSmall`.
    """
    for found in _plans(graph, options):
        placed = layout(found)
        if fitted := _largest(graph, options, placed, page):
            scene, scale = fitted
            return scene, f"{page.name}: volumes, depth {found.depth}, letters {SPATIAL * scale:.1f} pt"
    would_do = (other for other in page.others(placed.width / placed.height) if _largest(graph, options, placed, other))
    raise TooSmall(page, next(would_do, None))


def _plans(graph: Graph, options: Options) -> Iterator[Plan]:
    """The picture as asked for, and without a depth, with less and less."""
    first = plan(graph, options.depth)
    yield first
    if options.depth is None:
        yield from (plan(graph, depth) for depth in range(first.depth - 1, 0, -1))


def _largest(graph: Graph, options: Options, placed: Layout, page: Page) -> tuple[Scene, float] | None:
    """The picture with the largest letters, and its scale; None if they would be too small."""
    low, high = LEGIBLE / SPATIAL, LARGEST
    best = _scaled(graph, options, placed, page, low)
    for _ in range(STEPS if best else 0):
        middle = (low + high) / 2
        if found := _scaled(graph, options, placed, page, middle):
            best, low = found, middle
        else:
            high = middle
    return (best, low) if best else None


def _scaled(graph: Graph, options: Options, placed: Layout, page: Page, scale: float) -> Scene | None:
    """The picture on the page at a scale, in the middle and at the top; None if it has no room."""
    room = (page.width - 2 * page.margin) / scale
    broken = rows(placed, room)
    if broken is None or broken.height * scale > page.height:
        return None
    scene = paint(graph, broken, options.show_shapes, options.colours, room)
    width, height = ((side - 2 * MARGIN) * scale for side in (scene.width, scene.height))
    if width > page.width - 2 * page.margin + 0.01 or height > page.height - 2 * page.margin + 0.01:
        return None
    groups = tuple(scaled(group, scale) for group in scene.groups)
    left = (scene.left + scene.width / 2) * scale - page.width / 2
    top = (scene.top + MARGIN) * scale - page.margin
    return replace(scene, left=left, top=top, width=page.width, height=page.height, groups=groups)
