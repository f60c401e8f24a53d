"""The receptive field of every operation, in words."""

from __future__ import annotations

from collections.abc import Iterable

from cnndsl.emit.diagram.labels import TIMES
from cnndsl.graph.graph import Graph
from cnndsl.measure.receptive import Axis, Field, receptive_fields

Words = tuple[str, str]


def fields(graph: Graph) -> tuple[list[Words], list[int]]:
    """The different fields and effective strides, and for every operation, in the order in which they run, which is
    its own. Both are empty where they have no meaning or are not known."""
    known = receptive_fields(graph)
    numbers: dict[Words, int] = {("", ""): 0}
    of = [numbers.setdefault(_words(known.get(each.outputs[-1])), len(numbers)) for each in graph.root.everything]
    return [*numbers], of


def _words(field: Field | None) -> Words:
    seen = {name: axes for name, axes in field.inputs.items() if axes} if field else {}
    if not seen or not all(axis.known for axes in seen.values() for axis in axes):
        return "", ""
    names = {name: f"{name} " if len(seen) > 1 else "" for name in seen}
    sizes = (f"{names[name]}{_sizes(axes)}" for name, axes in seen.items())
    strides = (f"{names[name]}{_strides(axes)}" for name, axes in seen.items())
    return ", ".join(sizes), ", ".join(strides)


def _sizes(axes: Iterable[Axis]) -> str:
    found = [axis.size for axis in axes]
    return "the whole input" if None in found else TIMES.join(map(str, found))


def _strides(axes: Iterable[Axis]) -> str:
    found = [axis.jump for axis in axes]
    return "none" if None in found else TIMES.join(map(str, found))
