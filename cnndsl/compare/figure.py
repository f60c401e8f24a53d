"""A diff as a figure: the networks as :mod:`cnndsl.emit.diagram` draws them, with what changed in colour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from cnndsl.compare.changes import Change, Place
from cnndsl.compare.compare import Diff
from cnndsl.compare.words import ARROW
from cnndsl.emit.diagram import Diagram, Options
from cnndsl.emit.diagram.compact.sheet import sheet
from cnndsl.emit.diagram.options import ThemeName
from cnndsl.emit.diagram.picture import Picture
from cnndsl.emit.diagram.themes import Mark
from cnndsl.emit.diagram.written import write
from cnndsl.graph.graph import Graph

#: Between the two networks.
GAP = 40.0


def figure(diff: Diff, left: Graph, right: Graph, theme: ThemeName = "light") -> Diagram:
    """The right network with what is new in colour. If something is only in the left one, that is drawn beside it."""
    changes = (*diff.changes, *diff.explained)
    before = _marks(left, [(change, change.left) for change in changes], "removed")
    after = _marks(right, [(change, change.right) for change in changes], "added")
    if "removed" in before.values():
        found = _beside(_coloured(left, before, diff.left.name, theme), _coloured(right, after, diff.right.name, theme))
    else:
        found = _coloured(right, after, f"{diff.left.name} {ARROW} {diff.right.name}", theme)
    drawn = Diagram("diff")
    write(found, drawn, Options(theme=theme).colours)
    return drawn


def _coloured(graph: Graph, marks: Mapping[str, Mark], title: str, theme: ThemeName) -> Picture:
    """A network in which only what has a mark has a colour. A box of several layers is changed if one of them is new,
    whose text has the mark; the legend explains the marks that are seen."""
    titled = replace(graph, root=replace(graph.root, name=title))
    boxes = [box for box in sheet(titled, Options(marks=marks, theme=theme)).boxes if box.kind != "swatch"]
    texts = (piece.look for box in boxes for line in box.lines for piece in line.pieces)
    seen = {*(box.mark for box in boxes), *texts}
    shown: dict[str, Mark] = {path: mark if mark in seen else "changed" for path, mark in marks.items()}
    whole: dict[str, Mark] = {"": "changed"} if "changed" in seen else {}
    told = whole | {path: mark for path, mark in shown.items() if mark in seen}
    found = sheet(titled, Options(marks=told, theme=theme))
    return replace(found, boxes=tuple(box if box.mark else replace(box, family="") for box in found.boxes))


def _marks(graph: Graph, sides: Iterable[tuple[Change, Sequence[Place]]], alone: Mark) -> dict[str, Mark]:
    """The mark of each operation by its path. ``alone`` is that of what is only on this side; the modules around a
    change are changed too."""
    own: dict[str, Mark] = {}
    for change, places in sides:
        own |= {place.path: _mark(change, place, places, alone) for place in places if place.path}
    found: dict[str, Mark] = {}
    for operation in graph.root.everything:
        around = [path for path in _around(operation.path) if own.get(path) in (alone, "moved")]
        if around:
            found[operation.path] = own[around[0]]
        elif operation.path in own:
            found[operation.path] = own[operation.path]
    for path in own:
        for outer in _around(path):
            found.setdefault(outer, "changed")
    return found


def _mark(change: Change, place: Place, places: Sequence[Place], alone: Mark) -> Mark:
    """What a change says of a part. Of what is wrapped, only the module around is new."""
    if change.what in ("wrapped", "unwrapped"):
        only = (change.what == "wrapped") == (alone == "added")
        return alone if only and place is places[-1] else "moved"
    if change.what == "moved":
        return "moved"
    return alone if change.what in ("added", "removed") else "changed"


def _around(path: str) -> list[str]:
    """The paths of the modules around a part, the outermost first."""
    names = path.split(".")
    return [".".join(names[:count]) for count in range(1, len(names))]


def _beside(left: Picture, right: Picture) -> Picture:
    """Two pictures side by side, with their tops in line."""
    return _named(left, "left") + _named(right, "right").moved(
        left.bounds[2] - right.bounds[0] + GAP, left.bounds[1] - right.bounds[1]
    )


def _named(picture: Picture, side: str) -> Picture:
    """A picture whose parts have names of its own."""
    return Picture(
        tuple(replace(box, id=f"{side} {box.id}") for box in picture.boxes),
        tuple(replace(wire, tail=f"{side} {wire.tail}", head=f"{side} {wire.head}") for wire in picture.wires),
        tuple(replace(text, id=f"{side} {text.id}") for text in picture.texts),
        tuple(replace(stroke, id=f"{side} {stroke.id}") for stroke in picture.strokes),
    )
