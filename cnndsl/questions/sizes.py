"""The sizes of inputs that a network takes: the smallest, those that fit, and those that lose no pixels."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from cnndsl.graph.elaborate import elaborate
from cnndsl.graph.graph import Graph
from cnndsl.layers import Shape
from cnndsl.layers.shape import axis_name
from cnndsl.network import Network, load
from cnndsl.questions.pattern import Pattern, found_in
from cnndsl.questions.replay import Failure, Loss, Outcome, Replay
from cnndsl.record import Record
from cnndsl.spec.values import ListValue, Literal

if TYPE_CHECKING:
    from cnndsl.spec.document import Spec

#: The operations that are run for one axis, over all sizes that are tried.
_WORK = 600_000
#: The sizes that are tried beyond twice the spec's, in which patterns show.
_BEYOND = 256
#: The fewest sizes that are tried.
_FEWEST = 64


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
        from cnndsl.questions.sizes_text import as_plain

        return as_plain(self)


def sizes(net: Network | Spec, /, **params: Any) -> Sizes:
    """The sizes of inputs that a network takes with its weights as they are, and those that lose no pixels.

    ``net`` is a network or a spec; ``params`` replace the spec's own. Each axis is searched while the others keep the
    spec's size. Raises :class:`SpecError` for a spec with errors.
    """
    return sizes_of((net if isinstance(net, Network) else load(net, **params)).graph)


def sizes_of(graph: Graph) -> Sizes:
    """:func:`sizes` of a compiled network."""
    search = _Search(graph)
    axes = tuple(search.axes())
    smallest = search.corner(axes)
    return Sizes(graph.document.name, search.inputs, axes, smallest, search.computes(axes))


class _Search:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.replay = Replay(graph.root)
        self.inputs = {name: tensor.shape for name, tensor in graph.inputs.items()}

    def axes(self) -> list[Axis]:
        """The axes of all inputs after the channels. Those of several inputs that cannot change alone go together."""
        found: list[Axis] = []
        for name, shape in self.inputs.items():
            for dim in range(2, shape.rank):
                if any(name in other.inputs and other.axis == axis_name(dim, shape.rank) for other in found):
                    continue
                axis = self._axis((name,), dim, found)
                alike = tuple(other for other, its in self.inputs.items() if its[dim : dim + 1] == shape[dim : dim + 1])
                if axis.fixed and len(alike) > 1:
                    axis = self._axis(alike, dim, found)
                found.append(axis)
        return found

    def _axis(self, inputs: tuple[str, ...], dim: int, known: Iterable[Axis]) -> Axis:
        rank, own = self.inputs[inputs[0]].rank, self.inputs[inputs[0]][dim]
        probe = _Probe(lambda size: self.replay.run(self._resized(inputs, dim, size)))
        for other in known:  # most networks treat all axes alike
            if other.own == own and other.inputs == inputs and probe.agrees(other):
                return replace(other, axis=axis_name(dim, rank))
        most = max(_WORK // max(len(self.replay.operations), 1), _FEWEST)
        top = 2 * own + _BEYOND
        if top <= most:
            fitting = found_in([probe(size).fits for size in range(1, top + 1)], own)
            lossless = found_in([probe(size).lossless for size in range(1, top + 1)], own)
        else:
            top = 0
            fitting, lossless = (probe.searched(own, most // 2, of) for of in (_fits, _lossless))
        smallest = fitting.smallest or own
        below = probe.edge(range(smallest - 1, smallest))
        above = probe.edge(range(own + 1, own + fitting.period + _FEWEST))
        return Axis(inputs, axis_name(dim, rank), own, fitting, lossless, below, above, probe(own).lost, top)

    def _resized(self, names: Iterable[str], dim: int, size: int) -> dict[str, Shape]:
        return {**self.inputs, **{name: self.inputs[name].with_size(dim, size) for name in names}}

    def corner(self, axes: Sequence[Axis]) -> dict[str, Shape]:
        """Inputs whose axes are all as small as they can be; together they may have to be larger than one by one."""
        for more in (0, 1, 2, 4, 8, 16, 32, 64):
            shapes = {**self.inputs}
            for axis in axes:
                size = next((n for n in range(axis.smallest + more, axis.own) if n in axis.fitting), axis.own)
                for name in axis.inputs:
                    dim = self._dim(name, axis)
                    shapes[name] = shapes[name].with_size(dim, size)
            if self.replay.run(shapes).fits:
                return shapes
        return self.inputs

    def _dim(self, name: str, axis: Axis) -> int:
        rank = self.inputs[name].rank
        return next(dim for dim in range(2, rank) if axis_name(dim, rank) == axis.axis)

    def computes(self, axes: Iterable[Axis]) -> bool:
        """Whether compiling the spec for other inputs gives another network: at the smallest sizes, and one less."""
        for axis in axes:
            for size in {axis.smallest, max(axis.smallest - 1, 1)}:
                shapes = self._resized(axis.inputs, self._dim(axis.inputs[0], axis), size)
                if self._compiled(shapes) != self.replay.run(shapes).fits:
                    return True
        return False

    def _compiled(self, shapes: Mapping[str, Shape]) -> bool:
        """Whether the spec compiles for these inputs, to a network with the same weights."""
        document = self.graph.document
        written = {
            name: ListValue(tuple(Literal(size, value.span) for size in shapes[name].sample), value.span)
            for name, value in document.inputs.items()
        }
        found = elaborate(replace(document, inputs=written)).graph
        return found is not None and _weights(found) == _weights(self.graph)


def _weights(graph: Graph) -> list[tuple[str, dict[str, tuple[int, ...]]]]:
    return [(item.path, item.layer.named_parameters()) for item in graph.root.layers]


def _fits(outcome: Outcome) -> bool:
    return outcome.fits


def _lossless(outcome: Outcome) -> bool:
    return outcome.lossless


class _Probe:
    """What a network makes of an axis of some size. Each size is run once."""

    def __init__(self, run: Callable[[int], Outcome]) -> None:
        self.run = run
        self.known: dict[int, Outcome] = {}

    def __call__(self, size: int) -> Outcome:
        if size not in self.known:
            self.known[size] = self.run(size)
        return self.known[size]

    def edge(self, sizes: Iterable[int]) -> Edge | None:
        """The first of some sizes that does not fit."""
        failures = ((size, self(size).failed) for size in sizes if size > 0)
        return next((Edge(size, failed) for size, failed in failures if failed), None)

    def agrees(self, other: Axis) -> bool:
        """Whether this axis is like another one, at the sizes that tell most axes apart."""
        period = max(other.fitting.period, other.lossless.period)
        near = range(max(other.smallest - 2, 1), other.smallest + 3)
        spread = range(other.own, other.own + period + 1, max(period // 16, 1))
        return all(
            self(size).fits == (size in other.fitting) and self(size).lossless == (size in other.lossless)
            for size in (*near, *spread, max(other.own // 2, 1), max(other.own - 1, 1), 2 * other.own)
        )

    def searched(self, own: int, most: int, of: Callable[[Outcome], bool]) -> Pattern:
        """The pattern from ``own`` on in ``most`` sizes, followed to the smallest by bisection: if a size of it fits,
        so do the larger ones."""
        above = found_in([of(self(own + more)) for more in range(most)], 1)
        if not above.regular or not above.remainders:
            return replace(above, listed=(own,) if of(self(own)) else (), start=own + 1)
        remainders = tuple(sorted((rest + own - 1) % above.period for rest in above.remainders))
        whole = Pattern((), 1, above.period, remainders)
        smaller = [size for size in range(1, own + above.period) if size in whole]
        first = bisect_left(smaller, True, key=lambda size: of(self(size)))
        return replace(whole, start=smaller[min(first, len(smaller) - 1)])
