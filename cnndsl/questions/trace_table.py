"""A trace as data, for people, and for programs."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from cnndsl.diagnostics import Diagnostic
from cnndsl.grid import FILE, GONE, Cell, Grid, Medium, Paint, unpainted
from cnndsl.json_text import json_text
from cnndsl.layers import Shape
from cnndsl.printable import one_line
from cnndsl.questions.lookup import USE
from cnndsl.questions.wrapped import wrapped
from cnndsl.record import Record

_COLUMNS = ("step", "layer", "input", "output")
_GIVES = (("layer", 16), ("input", GONE), ("layer", GONE))
_INDENT = "  "
#: The most layers in a row that keep the shape and are named one by one.
_NAMED = 3
#: The links of the chain to an argument's value that are shown for steps before the target.
_LINKS = 2


class Size(Record, frozen=True):
    """How one size of an output follows: ``axis`` is its dimension, such as ``H``, and ``arithmetic`` what is
    calculated, such as ``64 + 96``, or an argument, ``out_channels``."""

    axis: str
    arithmetic: str
    size: int


class Step(Record, frozen=True):
    """An operation on the way, or a module with those inside of it, ``steps``.

    ``sources`` are the paths of what makes its inputs, or the names of inputs. ``place`` is where it is written, and
    ``arguments`` has those that are expressions, each with the links of the chain that its value comes from.
    ``times`` equal steps in a row are one, whose last is at the path ``last``. Without a ``layer``, it is several
    operations that come so often. ``maker`` is the path of the operation that makes its last output.
    """

    path: str
    layer: str
    input: tuple[Shape, ...]
    output: tuple[Shape, ...]
    sources: tuple[str, ...] = ()
    sizes: tuple[Size, ...] = ()
    arguments: Mapping[str, tuple[str, ...]] = {}
    steps: tuple[Step, ...] = ()
    place: str = ""
    times: int = 1
    last: str = ""
    maker: str = ""
    failed: bool = False

    @property
    def key(self) -> Hashable:
        """What equal steps have in common: all but names and places, and how a block is called."""
        sizes = tuple((size.axis, size.arithmetic) for size in self.sizes)
        inside = tuple(step.key for step in self.steps)
        layer = self.layer.partition("(")[0] if self.steps else self.layer
        return layer, self.input, self.output, len(self.sources), sizes, inside, self.times, self.failed


class Trace(Record, frozen=True):
    """Where the shape of ``path`` in the network ``name`` comes from: ``steps`` lead from the ``inputs`` to its
    ``output``, one shape or several. With errors in the spec, ``diagnostics`` has them, and the last step may be one
    that fails, without an output. A layer with several ``uses`` has a path for each: ``relu``, ``relu#2``, ..."""

    name: str
    path: str
    inputs: Mapping[str, Shape]
    output: tuple[Shape, ...]
    steps: tuple[Step, ...]
    diagnostics: tuple[Diagnostic, ...] = ()
    uses: int = 1

    def __repr__(self) -> str:
        return as_plain(self)


class _Line(Record, frozen=True):
    """A row of the table, and what is told below it."""

    cells: tuple[Cell, ...]
    details: tuple[str, ...] = ()
    depth: int = 0


def as_plain(trace: Trace) -> str:
    """A trace as text, the same on every terminal."""
    return as_text(trace, FILE)


def as_text(trace: Trace, medium: Medium = FILE, paint: Paint = unpainted) -> str:
    """The steps as a table, each with its arithmetic below."""
    lines = [*_inputs(trace), *_Writer(trace.path, {}).lines(trace.steps, "", 0, next(iter(trace.inputs)))]
    grid = Grid(_COLUMNS, [line.cells for line in lines], _GIVES).on(medium)
    shown = [grid.line(row, paint) for row in grid.head]
    for line, row in zip(lines, grid.rows):
        shown.append(grid.line(row, paint))
        for detail in line.details:
            indent = _INDENT * (line.depth + 2)
            shown += [paint(part, "dim") for part in wrapped(medium.shown(detail), medium, indent)]
    result = _shapes(trace.output) or "fails"
    use, others = _uses(trace)
    title = f"{paint(medium.shown(trace.path), 'bold')} of {medium.shown(trace.name)}{use}: {result}"
    below = wrapped(medium.shown(others), medium) if others else ()
    return "\n".join((title, *below, "", *shown)) + "\n"


def _uses(trace: Trace) -> tuple[str, str]:
    """Which of several uses of a layer this is, and the paths of the others."""
    if trace.uses == 1:
        return "", ""
    path, _, number = trace.path.partition(USE)
    others = [f"{path}{USE}{other}" for other in range(2, trace.uses + 1) if f"{other}" != number]
    others = [path, *others] if number else others
    more = ", ..." if len(others) > _NAMED else ""
    return f", use {number or 1} of {trace.uses}", f"other uses: {one_line(', '.join(others[:_NAMED]))}{more}"


# --- lines ---------------------------------------------------------------------------------------


def _inputs(trace: Trace) -> Iterator[_Line]:
    for name, shape in trace.inputs.items():
        yield _Line((((one_line(name), "bold"),), "", "", str(shape)))


class _Writer(Record, frozen=True):
    """Writes the lines of a trace to the ``target``. ``written`` has the keys of the modules so far, by their paths."""

    target: str
    written: dict[str, Hashable]

    def lines(self, steps: Sequence[Step], around: str, depth: int, before: str) -> Iterator[_Line]:
        """The lines of steps inside of the module ``around``. ``before`` is the path of what was just made."""
        for group in _groups(steps, before):
            if len(group) > 1:
                yield _joined(group, around, depth)
            else:
                (step,) = group
                yield self._line(step, around, depth, before)
                yield from self._inside(step, around, depth + 1, before)
            before = group[-1].maker

    def _inside(self, step: Step, around: str, depth: int, before: str) -> Iterator[_Line]:
        """The lines inside of a module. Those of one that is used again, in the same way, are only told of."""
        path = step.path.partition(USE)[0]
        if step.steps and self.written.get(path) == step.key:
            yield _Line((f"{_INDENT * depth}as before", "", "", ""), (), depth)
            return
        self.written[path] = step.key
        source = step.sources[0] if len(step.sources) == 1 else before
        yield from self.lines(step.steps, path if step.layer else around, depth, source)

    def _line(self, step: Step, around: str, depth: int, before: str) -> _Line:
        name = _short(step.path, around)
        if step.times > 1:
            name = f"{name} … {_short(step.last, around)}"
        layer = f"{step.times} times " * (step.times > 1) + one_line(step.layer or "these, in turn")
        style = "failed" if step.failed else "bold" if step.steps else ""
        output = "fails" if step.failed else _shapes(step.output)
        takes = str(*step.input) if len(step.input) == 1 else ""
        cells = ((f"{_INDENT * depth}{name}", style),), layer, takes, ((output, style),)
        return _Line(cells, tuple(self._details(step, before)) if step.layer else (), depth)

    def _details(self, step: Step, before: str) -> Iterator[str]:
        if len(step.sources) > 1:
            yield f"of {', '.join(f'{one_line(path)} {shape}' for path, shape in zip(step.sources, step.input))}"
        elif step.sources and step.sources[0] != before:
            yield f"of {one_line(step.sources[0])}"
        for (text, size), alike in groupby(step.sizes, lambda size: (size.arithmetic, size.size)):
            if text == str(size):  # the layer's arguments tell as much
                continue
            yield f"{', '.join(each.axis for each in alike)}: {_equation(text, size)}"
        for name, links in step.arguments.items():
            shown = links if step.path == self.target else links[:_LINKS]
            yield f"{name}: {one_line('; '.join(shown))}"


def _groups(steps: Sequence[Step], before: str) -> list[list[Step]]:
    """The steps one by one, but layers that keep the shape together, if one follows the other."""
    groups: list[list[Step]] = []
    for step in steps:
        follows = step.sources == (before,) and _keeps(step)
        if groups and follows and _keeps(groups[-1][-1]):
            groups[-1].append(step)
        else:
            groups.append([step])
        before = step.maker
    return groups


def _keeps(step: Step) -> bool:
    """Whether a step is a layer that passes its input's shape on."""
    return not (step.steps or step.sizes or step.failed) and len(step.input) == 1 and step.output == step.input


def _joined(steps: Sequence[Step], around: str, depth: int) -> _Line:
    """One line for layers that keep the shape."""
    names = [_short(step.path, around) for step in steps]
    name = ", ".join(names) if len(names) <= _NAMED else f"{names[0]} … {names[-1]}"
    shape = _shapes(steps[-1].output)
    return _Line(
        (f"{_INDENT * depth}{name}", ", ".join(one_line(step.layer) for step in steps), shape, shape), (), depth
    )


def _short(path: str, around: str) -> str:
    return one_line(path.removeprefix(f"{around}.") if around else path)


def _shapes(shapes: Sequence[Shape]) -> str:
    return ", ".join(map(str, shapes))


def _equation(text: str, size: int) -> str:
    """``64 = out_channels``, but ``64 + 96 = 160``."""
    return f"{text} = {size}" if " " in text else f"{size} = {text}"


# --- for programs --------------------------------------------------------------------------------


def as_json(trace: Trace) -> str:
    """The trace as a JSON object. A shape is a list of sizes, the batch first."""
    return json_text(
        {
            "name": trace.name,
            "path": trace.path,
            "uses": trace.uses,
            "inputs": {name: list(shape) for name, shape in trace.inputs.items()},
            "output": [list(shape) for shape in trace.output],
            "steps": [_step(step) for step in trace.steps],
        }
    )


def _step(step: Step) -> dict[str, Any]:
    return {
        "path": step.path,
        "layer": step.layer,
        "input": [list(shape) for shape in step.input],
        "output": [list(shape) for shape in step.output],
        "from": list(step.sources),
        "sizes": [_size(size) for size in step.sizes],
        "arguments": {name: list(links) for name, links in step.arguments.items()},
        "place": step.place,
        "times": step.times,
        **({"last": step.last} if step.last else {}),
        **({"failed": True} if step.failed else {}),
        **({"steps": [_step(inner) for inner in step.steps]} if step.steps else {}),
    }


def _size(size: Size) -> dict[str, Any]:
    return {"axis": size.axis, "arithmetic": size.arithmetic, "size": size.size}
