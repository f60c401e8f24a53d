"""The pictures of a network and its blocks on one page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap

from cnndsl.emit.diagram.compact import words
from cnndsl.emit.diagram.compact.draw import Names, drawn
from cnndsl.emit.diagram.compact.items import Canvas, Cell, cells
from cnndsl.emit.diagram.compact.legend import legend
from cnndsl.emit.diagram.compact.sketch import Detail, sketch
from cnndsl.emit.diagram.labels import clean
from cnndsl.emit.diagram.options import Options
from cnndsl.emit.diagram.picture import Box, Line, Picture, Piece, Point, Text
from cnndsl.emit.diagram.shading import UNITS, Scale, costs
from cnndsl.graph.graph import Graph, Module
from cnndsl.record import Record

#: A figure has no more boxes: it is made coarser.
MOST = 1_500
#: Between panels, and around what is in them.
GAP, PAD = 22.0, 12.0
#: A page is not much wider than high.
WIDE = 1.5


class Panel(Record, frozen=True):
    """A picture with its size and its top left corner at 0, 0. The first of a figure is the trunk."""

    picture: Picture
    width: float
    height: float


def sheet(graph: Graph, options: Options) -> Picture:
    """The whole figure: the trunk on the left, its blocks in columns on the right, and a title above."""
    trunk, *others = panels(graph, options)
    flows_down = options.rankdir in ("TB", "BT")
    found = trunk.picture
    for panel, (aside, along) in zip(others, _best([_size(panel, flows_down) for panel in (trunk, *others)])):
        found += panel.picture.moved(*((aside, along) if flows_down else (along, aside)))
    return titled(found, graph)


def _size(panel: Panel, flows_down: bool) -> Point:
    """Across and along the flow."""
    return (panel.width, panel.height) if flows_down else (panel.height, panel.width)


def _best(sizes: Sequence[Point]) -> list[Point]:
    """Places of the panels in columns beside the trunk, the first. Of several heights of the columns, the one whose
    page is small and not too wide."""
    heights = {sum(height + GAP for _, height in sizes[1:count]) for count in range(2, len(sizes) + 1)}
    least = max(height for _, height in sizes)
    tries = [_columns(sizes, most) for most in sorted({least, *heights}) if most >= least]
    return min(tries, key=lambda each: each[0])[1]


def _columns(sizes: Sequence[Point], most: float) -> tuple[float, list[Point]]:
    """Panels in columns of at most a height, and how bad that is: the area of the page, more if it is wider than a page
    in landscape or higher than one in portrait."""
    (x, lowest), *others = sizes
    x, y, widest = x + GAP, 0.0, -GAP
    found: list[Point] = []
    for width, height in others:
        if y and y + height > most:
            x, y, widest = x + widest + GAP, 0.0, 0.0
        found.append((x, y))
        y += height + GAP
        widest, lowest = max(widest, width), max(lowest, y - GAP)
    ratio = (x + widest) / (lowest or 1)
    return (x + widest) * lowest * max(ratio / WIDE, 1.0, 1 / WIDE / ratio), found


def titled(picture: Picture, graph: Graph) -> Picture:
    """A picture with the name and the description of its network above it."""
    left, top, right, _ = picture.bounds
    width = max(right - left, 200)
    texts = [Line((Piece(clean(graph.root.name), "bold"),), 14)]
    for line in wrap(graph.document.description, max(20, int(width / 5))):
        texts.append(Line((Piece(clean(line), "muted"),), 10))
    middle, y = (left + right) / 2, top - 10
    found = []
    for number, text in enumerate(reversed(texts)):
        y -= text.height
        found.append(Text(f"title {number}", middle, y + text.height / 2, text, "middle"))
    return picture + Picture(texts=tuple(found))


def panels(graph: Graph, options: Options, longest: int | None = None) -> list[Panel]:
    """The trunk and the blocks of a network, each as a picture of its own; at the end a legend, if it needs one. Lists
    that are longer than ``longest`` lose their middle."""
    found = canvases(graph, options, longest)
    shares, scale = _shares(graph, found, options)
    names = Names()
    parts = [_panel(canvas, options, names, shares) for canvas in found]
    below = legend(found, options, scale)
    return [*parts, _cornered(below)] if below else parts


def _shares(graph: Graph, found: Sequence[Canvas], options: Options) -> tuple[dict[Cell, float], Scale | None]:
    """How much each box costs of what the most expensive one does, for all that it stands for."""
    cost = costs(graph, options.color)
    if cost is None:
        return {}, None
    each = {
        cell: cost(member for members in cell.drawn for member in members)
        for canvas in found
        for cell in cells(canvas.stack)
        if cell.drawn
    }
    scale = Scale(UNITS[options.color], max(each.values(), default=0))
    return {cell: scale.share(own) for cell, own in each.items()}, scale


def canvases(graph: Graph, options: Options, longest: int | None = None) -> list[Canvas]:
    """The most detailed sketch that is not too large."""
    found: list[Canvas] = []
    for detail in _details(options, longest):
        found = sketch(graph, detail, options.marks)
        if sum(1 for canvas in found for _ in cells(canvas.stack)) <= MOST:
            break
    return found


def _details(options: Options, longest: int | None) -> Iterator[Detail]:
    opened = frozenset(_with_parents(options.expand))
    for fold in dict.fromkeys((options.fold, True)):
        yield Detail(options.depth, fold, longest, opened)
    for most in (256, 64, 16):
        yield Detail(options.depth, True, min(most, longest or most), opened)
    for depth in (8, 4, 2, 1):
        yield Detail(depth, True, 16)
    yield Detail(1, True, 2)


def _with_parents(paths: Sequence[str]) -> Iterator[str]:
    for path in paths:
        names = path.split(".")
        yield from (".".join(names[: place + 1]) for place in range(len(names)))


def _panel(canvas: Canvas, options: Options, names: Names, shares: Mapping[Cell, float]) -> Panel:
    picture = drawn(canvas, options, names, shares)
    return _cornered(_framed(picture, canvas) if canvas.group else picture)


def _cornered(picture: Picture) -> Panel:
    left, top, right, bottom = picture.bounds
    return Panel(picture.moved(-left, -top), right - left, bottom - top)


def _framed(picture: Picture, canvas: Canvas) -> Picture:
    """A picture on a background with the name of its block."""
    assert canvas.group
    first = canvas.group.modules[0]
    title = Line((Piece(clean(first.kind) + words.letter(canvas.group), "bold"), *_signature(first)), 11)
    left, top, right, bottom = picture.bounds
    width = max(right - left, title.width) + 2 * PAD
    height = bottom - top + 2 * PAD + title.height
    x, y = (left + right) / 2, top - PAD - title.height + height / 2
    background = Box(f"panel {first.path}", "panel", x, y, width, height)
    name = Text(f"panel {first.path} name", x - width / 2 + PAD, y - height / 2 + PAD / 2 + title.height / 2, title)
    return Picture(boxes=(background,)) + picture + Picture(texts=(name,))


def _signature(module: Module) -> tuple[Piece, ...]:
    names = [parameter.name for parameter in module.definition.parameters]
    text = f" ({', '.join(names)})" if names and module.block else ""
    return (Piece(clean(text), "muted"),) if text and len(text) < 60 else ()
