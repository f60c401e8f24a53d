"""A scene as PDF or PNG, drawn by matplotlib with the fonts of this machine, or its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnndsl.emit.diagram.volumes.scene import Ball, Face, Group, Item, Line, Scene, Text, rounded
from cnndsl.printable import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def as_image(scene: Scene, format: str, dpi: float) -> bytes:
    """The bytes of a ``pdf`` or ``png``, the latter with ``dpi`` dots per inch. The same scene gives the same bytes."""
    from cnndsl.picture import Picture, drawn

    figure = Picture(scene.width / 72, scene.height / 72, dpi=dpi)
    figure.set_layout_engine("none")
    figure.set_facecolor(scene.paper)
    drawn(_fill)(figure, scene)
    return figure.data(f".{format}")


def _fill(figure: Figure, scene: Scene) -> None:
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(scene.left, scene.left + scene.width), ylim=(scene.top + scene.height, scene.top))
    axes.set_axis_off()
    for order, item in enumerate(item for group in scene.groups for item in _flat(group)):
        _draw(item, axes, order)


def _flat(group: Group) -> list[Item]:
    return [inner for item in group.items for inner in (_flat(item) if isinstance(item, Group) else [item])]


def _draw(item: Item, axes: Axes, order: int) -> None:
    """Draws one item over those before it."""
    from matplotlib.patches import Circle, PathPatch, Polygon
    from matplotlib.path import Path

    look: dict[str, Any]
    match item:
        case Face():
            look = {"facecolor": item.fill, "edgecolor": item.border, "linewidth": 0.6, "joinstyle": "round"}
            axes.add_patch(Polygon(item.points, zorder=order, **look))
        case Ball():
            look = {"facecolor": item.fill, "edgecolor": item.border, "linewidth": 0.8}
            axes.add_patch(Circle(item.middle, item.radius, zorder=order, **look))
        case Line():
            pieces = rounded(item.points)
            codes = [
                Path.MOVETO,
                *(code for ends in pieces[1:] for code in {1: [Path.LINETO], 2: [Path.CURVE3] * 2}[len(ends)]),
            ]
            path = Path([point for ends in pieces for point in ends], codes)
            axes.add_patch(PathPatch(path, fill=False, edgecolor=item.color, linewidth=item.width, zorder=order))
        case Text():
            look = {"fontsize": item.size, "color": item.color, "fontweight": "bold" if item.bold else "normal"}
            side = {"middle": "center", "start": "left"}[item.anchor]
            axes.text(*item.at, one_line(item.text), ha=side, va="baseline", zorder=order, **look)
