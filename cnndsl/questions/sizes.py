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
from cnndsl.questions.replay import Outcome, Replay
from cnndsl.questions.sizes_table import DOUBLINGS, Axis, Edge, Sizes
from cnndsl.spec.values import ListValue, Literal

if TYPE_CHECKING:
    from cnndsl.spec.document import Spec

#: The operations that are run for one axis, over all sizes that are tried.
_WORK = 600_000
#: The sizes that are tried beyond twice the spec's, in which patterns show.
_BEYOND = 256
#: The fewest sizes that are tried, and the most.
_FEWEST = 64
_MOST = 20_000


def sizes(net: Network | Spec, /, **params: Any) -> Sizes:
    """The sizes of inputs that a network takes with its weights as they are, and those that lose no pixels.

    ``net`` is a network or a spec; ``params`` replace the spec's own. Each axis is searched while the others keep the
    spec's size. Raises :class:`SpecError` for a spec with errors.
    """
    if isinstance(net, Network) and params:
        raise TypeError("a network has its parameters already: give the spec, or load it with these")
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
        probe = _Probe(lambda size: self.replay.run(self._resized(inputs, dim, size)), dim - 2)
        alike = (other for other in known if other.own == own and other.inputs == inputs and probe.agrees(other))
        if same := next(alike, None):  # most networks treat all axes alike
            fitting, lossless, tried = same.fitting, same.lossless, same.tried
        else:
            fitting, lossless, tried = self._patterns(probe, own)
        smallest = fitting.smallest or own
        below = probe.edge(range(smallest - 1, smallest))
        above = probe.edge(filter(None, (fitting.gap(own),)))
        lost = probe(own).lost.get(dim - 2)
        return Axis(inputs, axis_name(dim, rank), own, fitting, lossless, below, above, lost, tried)

    def _patterns(self, probe: _Probe, own: int) -> tuple[Pattern, Pattern, int]:
        """The sizes that fit and those that lose no pixels, and up to which size all were tried."""
        most = min(max(_WORK // max(len(self.replay.operations), 1), _FEWEST), _MOST)
        top = 2 * own + _BEYOND
        if top > most:
            return *probe.searched(own, most // 2), 0
        fitting, lossless = (
            probe.bounded(found_in([*map(of, range(1, top + 1))], own), top, of) for of in (probe.fits, probe.lossless)
        )
        return fitting, lossless, top

    def _resized(self, names: Iterable[str], dim: int, size: int) -> dict[str, Shape]:
        return {**self.inputs, **{name: self.inputs[name].with_size(dim, size) for name in names}}

    def corner(self, axes: Sequence[Axis]) -> dict[str, Shape]:
        """Inputs whose axes are all as small as they can be; together they may have to be larger than one by one."""
        for more in (0, 1, 2, 4, 8, 16, 32, 64):
            sizes = [min(axis.fitting.above(axis.smallest - 1 + more) or axis.own, axis.own) for axis in axes]
            if self._fits(axes, sizes):
                break
        for index, axis in enumerate(axes):
            for smaller in axis.fitting.below(sizes[index]):
                if not self._fits(axes, shrunk := [*sizes[:index], smaller, *sizes[index + 1 :]]):
                    break
                sizes = shrunk
        return self._shapes(axes, sizes)

    def _fits(self, axes: Sequence[Axis], sizes: Sequence[int]) -> bool:
        return self.replay.run(self._shapes(axes, sizes)).failed is None

    def _shapes(self, axes: Sequence[Axis], sizes: Sequence[int]) -> dict[str, Shape]:
        """Inputs with these sizes of the axes."""
        shapes = {**self.inputs}
        for axis, size in zip(axes, sizes):
            for name in axis.inputs:
                shapes[name] = shapes[name].with_size(self._dim(name, axis), size)
        return shapes

    def _dim(self, name: str, axis: Axis) -> int:
        rank = self.inputs[name].rank
        return next(dim for dim in range(2, rank) if axis_name(dim, rank) == axis.axis)

    def computes(self, axes: Iterable[Axis]) -> bool:
        """Whether compiling the spec for other inputs gives another network: at the smallest sizes, and one less."""
        for axis in axes:
            for size in {axis.smallest, max(axis.smallest - 1, 1)}:
                shapes = self._resized(axis.inputs, self._dim(axis.inputs[0], axis), size)
                if self._compiled(shapes) != (self.replay.run(shapes).failed is None):
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


class _Probe:
    """What a network makes of an ``axis`` of some size. Each size is run once."""

    def __init__(self, run: Callable[[int], Outcome], axis: int) -> None:
        self.run = run
        self.axis = axis
        self.known: dict[int, Outcome] = {}

    def __call__(self, size: int) -> Outcome:
        if size not in self.known:
            self.known[size] = self.run(size)
        return self.known[size]

    def fits(self, size: int) -> bool:
        return self(size).failed is None

    def lossless(self, size: int) -> bool:
        return self.fits(size) and self.axis not in self(size).lost

    def edge(self, sizes: Iterable[int]) -> Edge | None:
        """The first of some sizes that does not fit."""
        failures = ((size, self(size).failed) for size in sizes if size > 0)
        return next((Edge(size, failed) for size, failed in failures if failed), None)

    def agrees(self, other: Axis) -> bool:
        """Whether this axis is like another one: where that begins and ends to fit, and over a whole period."""
        patterns = (other.fitting, other.lossless)
        ends = {
            end
            for pattern in patterns
            for end in (other.own, pattern.start, pattern.end or 1, *pattern.listed[:1], *pattern.listed[-1:])
        }
        near = {size + more for size in ends for more in (-2, -1, 0, 1, 2) if size + more > 0}
        whole = range(other.own, other.own + max(pattern.period for pattern in patterns))
        return all(
            self.fits(size) == (size in other.fitting) and self.lossless(size) == (size in other.lossless)
            for size in (*near, *whole, max(other.own // 2, 1), 2 * other.own)
        )

    def bounded(self, pattern: Pattern, top: int, of: Callable[[int], bool]) -> Pattern:
        """A pattern of sizes up to ``top`` with the end that it has beyond: single sizes that double are tried, and the
        end is found by bisection."""
        if not pattern.open:
            return pattern
        first, period = next(pattern.below(top + 1)), pattern.period
        steps = (2**doubling * top // period for doubling in range(1, DOUBLINGS + 1))
        beyond = next((step for step in steps if not of(first + step * period)), None)
        if beyond is None:
            return pattern
        last = bisect_left(range(beyond), True, key=lambda step: step > 0 and not of(first + step * period)) - 1
        after = first + (last + 1) * period
        return replace(pattern, end=next(size for size in pattern.below(after) if of(size)))

    def searched(self, own: int, most: int) -> tuple[Pattern, Pattern]:
        """The sizes that fit, and those that lose no pixels, where there are too many to try: at most ``most`` on
        either side of ``own``, and the ends by bisection."""
        fitting = self._followed(own, most, self.fits) or self._run(own)
        lossless = self._followed(own, most, self.lossless)
        if lossless is None:
            low, high = fitting.smallest or own, own + most if fitting.open else fitting.end or own
            near = range(max(own - most, low), min(own + most, high) + 1)
            whole = not fitting.open and near == range(low, high + 1)
            lossless = Pattern(tuple(size for size in near if self.lossless(size)), near.stop, regular=whole)
        return fitting, lossless

    def _run(self, own: int) -> Pattern:
        """The sizes in a row around ``own`` that fit."""
        low, high = own - self._reach(own, -1), own + self._reach(own, 1)
        return Pattern((own,)) if low == high else Pattern((), low, 1, (0,), end=high)

    def _reach(self, own: int, way: int) -> int:
        """How far sizes fit from ``own`` on, one way: the distance is doubled, and then found by bisection."""
        far = 1
        while own + way * far > 0 and self.fits(own + way * far):
            far *= 2
        return (
            bisect_left(range(far), True, key=lambda step: own + way * step < 1 or not self.fits(own + way * step)) - 1
        )

    def _followed(self, own: int, most: int, of: Callable[[int], bool]) -> Pattern | None:
        """The pattern of ``most`` sizes from ``own`` on, followed to the smallest by bisection: if a size of it fits,
        so do the larger ones. None if they have no pattern, or end."""
        above = found_in([of(own + more) for more in range(most)], 1)
        if not above.open:
            return None
        period = above.period
        remainders = tuple(sorted((rest + own - 1) % period for rest in above.remainders))
        rounds = range((own - remainders[0]) // period + 1)
        first = bisect_left(rounds, True, key=lambda number: number > 0 and of(number * period + remainders[0]))
        start = first * period + remainders[0]
        for size in Pattern((), 1, period, remainders).below(start):
            if not of(size):
                break
            start = size
        return self.bounded(Pattern((), start, period, remainders), own + most, of)
