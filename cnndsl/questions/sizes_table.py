"""The sizes that a network takes, as data, for people, and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from cnndsl.graph.lints import ends
from cnndsl.grid import FILE, GONE, Grid, Medium, Paint, unpainted
from cnndsl.json_text import json_text
from cnndsl.layers import Shape
from cnndsl.printable import one_line
from cnndsl.questions.pattern import Pattern
from cnndsl.questions.replay import Failure, Loss
from cnndsl.questions.wrapped import wrapped
from cnndsl.record import Record

_COLUMNS = ("axis", ">here", "fits", "loses no pixels")
#: How often the largest size that was tried is doubled, to find an end beyond it.
DOUBLINGS = 8
_GIVES = ((">here", GONE), ("loses no pixels", 10), ("fits", 10))


class Edge(Record, frozen=True):
    """A size that the network does not take, and what fails there."""

    size: int
    failure: Failure


class Axis(Record, frozen=True):
    """The sizes of one axis of an input, while the others keep the spec's size.

    ``inputs`` are the names of the inputs that have it; several change together. ``own`` is the spec's size,
    ``fitting`` are the sizes that the network takes, ``lossless`` those of them at which all windows reach the whole of
    their inputs. ``below`` is one less than the smallest, ``above`` the first larger size that does not fit, and
    ``lost`` the first layer that loses pixels at the spec's size. All sizes up to ``tried`` were tried; if
    that is 0, there were too many.
    """

    inputs: tuple[str, ...]
    axis: str
    own: int
    fitting: Pattern
    lossless: Pattern
    below: Edge | None
    above: Edge | None
    lost: Loss | None
    tried: int

    @property
    def smallest(self) -> int:
        return self.fitting.smallest or self.own

    @property
    def fixed(self) -> bool:
        """Whether only the spec's size fits."""
        return not self.fitting.remainders and self.fitting.listed == (self.own,)


class Sizes(Record, frozen=True):
    """The sizes that a network takes, axis by axis. ``smallest`` are the smallest inputs at which all axes are small
    at once. At other sizes a spec that ``computes`` with the size of its input describes another network."""

    name: str
    inputs: Mapping[str, Shape]
    axes: tuple[Axis, ...]
    smallest: Mapping[str, Shape]
    computes: bool = False

    def __repr__(self) -> str:
        return as_plain(self)


def as_plain(sizes: Sizes) -> str:
    """The sizes as text, the same on every terminal."""
    return as_text(sizes, FILE)


def as_text(sizes: Sizes, medium: Medium = FILE, paint: Paint = unpainted) -> str:
    """A table of the axes, and below it what decides."""
    title = f"{paint(medium.shown(sizes.name), 'bold')}, input {medium.shown(_shapes(sizes.inputs))}"
    if not sizes.axes:
        return f"{title}\n\nthere is no axis after the channels, so this is the only size\n"
    groups = [[*alike] for _, alike in groupby(sizes.axes, _key)]
    named = len(sizes.inputs) > 1
    rows = [(_label(group, named), f"{group[0].own}", str(group[0].fitting), _lossless(group[0])) for group in groups]
    told = [*_notes(sizes), *(line for group in groups for line in _told(group, named))]
    shown = [part for line in told for part in wrapped(medium.shown(line), medium)]
    return "\n".join((title, "", Grid(_COLUMNS, rows, _GIVES).text(medium, paint), "", *shown)) + "\n"


def _key(axis: Axis) -> tuple[object, ...]:
    return axis.own, axis.fitting, axis.lossless, axis.tried


def _label(group: Sequence[Axis], named: bool) -> str:
    axes = ", ".join(dict.fromkeys(axis.axis for axis in group))
    inputs = ", ".join(dict.fromkeys(one_line(name) for axis in group for name in axis.inputs))
    return f"{axes} of {inputs}" if named else axes


def _lossless(axis: Axis) -> str:
    return "all of them" if axis.lossless == axis.fitting else str(axis.lossless)


def _told(group: Sequence[Axis], named: bool) -> Iterator[str]:
    """What decides about the sizes of axes that are alike."""
    axis = group[0]
    one = _label(group[:1], named)
    for edge in filter(None, (axis.below, axis.above)):
        failure = edge.failure
        where = f"{one_line(failure.path)}, {one_line(failure.kind)}"
        yield f"{one} = {edge.size} fails: {where}: {one_line(failure.message)} ({failure.place})"
    if axis.lost:
        near = " and ".join(map(str, axis.lossless.near(axis.own)))
        yield f"{one} = {axis.own}: {_loss(axis.lost)}" + (f"; no pixels are lost at {near}" if near else "")
    yield f"{_label(group, named)}: {_searched(axis)}"


def _searched(axis: Axis) -> str:
    """What was tried, beyond which nothing is known."""
    if not axis.tried:
        return f"too many sizes to try all; those around {axis.own} were tried, and the ends found by bisection"
    beyond = ""
    if axis.fitting.open:
        beyond = f", and {DOUBLINGS} larger ones, up to about {2**DOUBLINGS * axis.tried}"
    elif axis.fitting.end is not None:
        beyond = ", and the end was found by bisection"
    return f"all sizes up to {axis.tried} were tried{beyond}"


def _loss(loss: Loss) -> str:
    return f"{one_line(loss.path)}, {one_line(loss.kind)}, never sees {ends(loss.unseen)} of its input {loss.input}"


def _shapes(inputs: Mapping[str, Shape]) -> str:
    """Shapes with their names, if there are several."""
    if len(inputs) == 1:
        return str(*inputs.values())
    return ", ".join(f"{one_line(name)} {shape}" for name, shape in inputs.items())


def _notes(sizes: Sizes) -> Iterator[str]:
    yield f"the smallest input is {_shapes(sizes.smallest)}"
    if sizes.computes:
        yield "the spec computes with the size of its input: with another `input` it describes another network"


# --- for programs --------------------------------------------------------------------------------


def as_json(sizes: Sizes) -> str:
    """The sizes as a JSON object. A shape is a list of sizes, the batch first."""
    return json_text(
        {
            "name": sizes.name,
            "inputs": {name: list(shape) for name, shape in sizes.inputs.items()},
            "axes": [_axis(axis) for axis in sizes.axes],
            "smallest": {name: list(shape) for name, shape in sizes.smallest.items()},
            "computes": sizes.computes,
        }
    )


def _axis(axis: Axis) -> dict[str, Any]:
    return {
        "inputs": list(axis.inputs),
        "axis": axis.axis,
        "own": axis.own,
        "smallest": axis.smallest,
        "fitting": _pattern(axis.fitting),
        "lossless": _pattern(axis.lossless),
        "below": _edge(axis.below),
        "above": _edge(axis.above),
        "lost": {"path": axis.lost.path, "layer": axis.lost.kind, "unseen": list(axis.lost.unseen)}
        if axis.lost
        else None,
        "tried": axis.tried,
    }


def _pattern(pattern: Pattern) -> dict[str, Any]:
    return {
        "text": str(pattern),
        "listed": list(pattern.listed),
        "start": pattern.start,
        "period": pattern.period,
        "remainders": list(pattern.remainders),
        "regular": pattern.regular,
        "end": pattern.end,
    }


def _edge(edge: Edge | None) -> dict[str, Any] | None:
    if edge is None:
        return None
    failure = edge.failure
    return {
        "size": edge.size,
        "path": failure.path,
        "layer": failure.kind,
        "message": failure.message,
        "place": failure.place,
    }
