"""A picture as data: faces, lines, balls and texts, in points, ``y`` downwards. Each writer draws the same."""

from __future__ import annotations

from math import dist
from typing import TypeAlias

from msgspec.structs import replace

from cnndsl.record import Record

Point: TypeAlias = tuple[float, float]


class Face(Record, frozen=True):
    points: tuple[Point, ...]
    fill: str
    border: str


class Ball(Record, frozen=True):
    middle: Point
    radius: float
    fill: str
    border: str


class Line(Record, frozen=True):
    points: tuple[Point, ...]
    color: str
    width: float = 0.8


class Text(Record, frozen=True):
    """``at`` is on the baseline: its ``start`` or its ``middle``."""

    at: Point
    text: str
    size: float
    color: str
    bold: bool = False
    anchor: str = "middle"


Item: TypeAlias = Face | Ball | Line | Text


def rounded(points: tuple[Point, ...], radius: float = 3.0) -> list[tuple[Point, ...]]:
    """A line with rounded corners: after the first point, each item is where a straight piece ends, or the
    control point and the end of a quadratic curve."""
    found: list[tuple[Point, ...]] = [points[:1]]
    for before, corner, after in zip(points, points[1:], points[2:]):
        found += [(_towards(corner, before, radius),), (corner, _towards(corner, after, radius))]
    return [*found, points[-1:]]


def _towards(corner: Point, other: Point, radius: float) -> Point:
    """The point ``radius`` from a corner, at most halfway to the other end of the line."""
    length = dist(corner, other)
    part = min(radius, length / 2) / length if length else 0
    return corner[0] + (other[0] - corner[0]) * part, corner[1] + (other[1] - corner[1]) * part


class Group(Record, frozen=True):
    """Items that belong together: a ``node``, an ``edge``, or with no ``kind`` something else.

    A reader sees the title of the innermost group under the pointer.
    """

    kind: str
    title: str
    items: tuple[Item | Group, ...]


def scaled(item: Item | Group, factor: float) -> Item | Group:
    """The same, larger or smaller."""

    def point(at: Point) -> Point:
        return at[0] * factor, at[1] * factor

    match item:
        case Group():
            return replace(item, items=tuple(scaled(inner, factor) for inner in item.items))
        case Ball():
            return replace(item, middle=point(item.middle), radius=item.radius * factor)
        case Text():
            return replace(item, at=point(item.at), size=round(item.size * factor, 2))
        case Line():
            return replace(item, points=tuple(map(point, item.points)), width=round(item.width * factor, 2))
    return replace(item, points=tuple(map(point, item.points)))


class Scene(Record, frozen=True):
    """``left``, ``top``, ``width`` and ``height`` are those of the picture, ``paper`` is the colour behind it."""

    name: str
    paper: str
    left: float
    top: float
    width: float
    height: float
    groups: tuple[Group, ...]
