"""A scene as SVG, with one element for each item, and titles that a browser shows under the pointer."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from cnndsl.emit.diagram.dot import FONT
from cnndsl.emit.diagram.volumes.scene import Ball, Face, Group, Item, Line, Point, Scene, Text, rounded
from cnndsl.printable import one_line


def as_svg(scene: Scene) -> str:
    size = f'width="{scene.width:.2f}pt" height="{scene.height:.2f}pt"'
    box = f"{scene.left:.2f} {scene.top:.2f} {scene.width:.2f} {scene.height:.2f}"
    background = f'<rect x="{scene.left:.2f}" y="{scene.top:.2f}" width="100%" height="100%" fill="{scene.paper}"/>'
    lines = [
        '<?xml version="1.0" encoding="UTF-8" standalone="no"?>',
        f'<svg {size} viewBox="{box}" xmlns="http://www.w3.org/2000/svg" font-family="{FONT}" stroke-linejoin="round">',
        f"<title>{_text(scene.name)}</title>",
        background,
        *(line for group in scene.groups for line in _group(group)),
        "</svg>\n",
    ]
    return "\n".join(lines)


def _group(group: Group) -> Iterator[str]:
    yield f'<g class="{group.kind}">' if group.kind else "<g>"
    if group.title:
        yield f"<title>{_text(group.title)}</title>"
    for item in group.items:
        if isinstance(item, Group):
            yield from _group(item)
        else:
            yield _item(item)
    yield "</g>"


def _item(item: Item) -> str:
    match item:
        case Face():
            points = " ".join(map(_point, item.points))
            return f'<polygon points="{points}" fill="{item.fill}" stroke="{item.border}" stroke-width="0.6"/>'
        case Ball():
            x, y = item.middle
            look = f'fill="{item.fill}" stroke="{item.border}" stroke-width="0.8"'
            return f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{item.radius:.2f}" {look}/>'
        case Line():
            return f'<path d="{_path(item)}" fill="none" stroke="{item.color}" stroke-width="{item.width:g}"/>'
        case Text():
            x, y = item.at
            look = f'font-size="{item.size:g}" fill="{item.color}"' + ' font-weight="bold"' * item.bold
            return f'<text x="{x:.2f}" y="{y:.2f}" text-anchor="{item.anchor}" {look}>{_text(item.text)}</text>'


def _path(line: Line) -> str:
    first, *others = rounded(line.points)
    return f"M{_point(*first)}" + "".join("LQ"[len(ends) - 1] + " ".join(map(_point, ends)) for ends in others)


def _point(point: Point) -> str:
    return "{:.2f},{:.2f}".format(*point)


def _text(text: str) -> str:
    return escape(one_line(text))
