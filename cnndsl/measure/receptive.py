"""Receptive fields: the part of the input that each position of a tensor depends on.

Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill, 2019, give the size as
a formula over kernels and strides. Here a tensor has the interval of every position, as a pattern of integers that
repeats, so that upsampling, transposed convolutions and branches that are shifted against each other are exact too.

As there, padding is not cut off: a field may be larger than the input. The channels of a position are taken together.
A normalization by running statistics reads nothing else; those of a sample read all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from math import gcd, lcm
from typing import TYPE_CHECKING, TypeAlias

from cnndsl.graph.graph import Apply, Graph, Merge, Module, Operation, Tensor
from cnndsl.layers.windows import LONGEST, Span, Windows
from cnndsl.record import Record

if TYPE_CHECKING:
    from fractions import Fraction

#: The positions that may be visited for a network. Beyond that, a field is not known.
_BUDGET = 1_000_000
#: The largest number in an effective stride. One beyond that is not known.
_LARGEST = 10**9

#: First and last position of the input that a position depends on; None if it depends on none.
_Interval: TypeAlias = tuple[int, int] | None
_Pattern: TypeAlias = tuple[_Interval, ...]


class Axis(Record, frozen=True, dict=True):
    """The receptive field along one axis of an input, of the ``length`` positions of a tensor's dimension ``dim``.

    Position ``q * len(pattern) + r`` depends on the interval ``pattern[r]`` of the input, moved by ``q`` times
    ``jump * len(pattern)``. An empty pattern is the whole input, None a field that is not known.

    ``jump`` is the effective stride: by how many positions of the input neighbours are apart. If several axes share a
    dimension, as after ``Flatten``, there is none, and the intervals have no order; if no dimension runs along the axis
    any more, ``dim`` is 0.
    """

    dim: int
    pattern: _Pattern | None = ()
    jump: Fraction | None = None
    length: int = 1

    @property
    def known(self) -> bool:
        return self.pattern is not None

    @property
    def whole(self) -> bool:
        return self.pattern == ()

    @cached_property
    def size(self) -> int | None:
        """The largest number of positions of the input; None for the whole input, and if it is not known."""
        sizes = [last - first + 1 for first, last in (each or (0, -1) for each in self.present or ())]
        return max(sizes, default=None)

    @property
    def present(self) -> _Pattern | None:
        """The intervals of the positions that there are. A pattern goes on past the end, for padding that is read."""
        return self.pattern[: self.length] if self.pattern and self.jump else self.pattern

    @cached_property
    def advance(self) -> int:
        """By how much the pattern moves when it repeats."""
        return int(self.jump * len(self.pattern)) if self.jump and self.pattern else 0


_WHOLE, _UNKNOWN = Axis(0), Axis(0, None)


class Field(Record, frozen=True):
    """The receptive field of a tensor: for each input that it depends on, by name, its spatial axes. An input without
    spatial axes has none here either."""

    inputs: Mapping[str, tuple[Axis, ...]]


def receptive_fields(network: Graph | Module) -> Mapping[Tensor, Field]:
    """The receptive field of each tensor of a network whose shape is known, for each of its inputs.

    A field is not known behind a layer of a user's own, and where the arithmetic would be out of proportion.
    """
    root = network.root if isinstance(network, Graph) else network
    walk = _Walk()
    fields = {tensor: _of_input(name, tensor) for name, tensor in root.given.items()}
    for operation in root.everything:
        if not isinstance(operation, Module) and all(tensor in fields for tensor in operation.inputs):
            fields |= dict.fromkeys(operation.outputs, _after(operation, fields, walk))
    return fields


def _of_input(name: str, tensor: Tensor) -> Field:
    from fractions import Fraction

    sizes = enumerate(tensor.shape.spatial, 2)
    return Field({name: tuple(Axis(dim, ((0, 0),), Fraction(1), size) for dim, size in sizes)})


def _after(operation: Operation, fields: Mapping[Tensor, Field], walk: _Walk) -> Field:
    """The field of the outputs of an operation."""
    if isinstance(operation, Merge):
        return _merged(operation, [fields[tensor] for tensor in operation.inputs], walk)
    field = fields[operation.inputs[0]]
    if isinstance(operation, Apply):
        through = _Through(operation, walk)
        return Field({name: tuple(map(through.axis, axes)) for name, axes in field.inputs.items()})
    return field


class _Walk:
    """Counts the positions that were visited."""

    def __init__(self) -> None:
        self.left = _BUDGET

    def affords(self, phases: int, positions: int = 1) -> bool:
        """Whether so many positions may be visited for each phase of a pattern."""
        self.left -= phases * positions
        return phases <= LONGEST and self.left > 0


class _Through:
    """A layer, as fields pass through it."""

    def __init__(self, operation: Apply, walk: _Walk) -> None:
        bound = operation.bound
        self.before, self.after = bound.input, bound.output
        self.windows, self.arrangement = bound.windows
        self.walk = walk

    def axis(self, axis: Axis) -> Axis:
        """The field behind the layer."""
        return self._behind_own(axis) if self.windows is None else self._arranged(self._read(axis, self.windows))

    def _behind_own(self, axis: Axis) -> Axis:
        """Behind a layer of a user's own, which is taken to keep the positions of an axis if it keeps their number."""
        kept = self.before.rank == self.after.rank and axis.length == self.after[axis.dim]
        return Axis(axis.dim, None, axis.jump, axis.length) if axis.dim and kept else _UNKNOWN

    def _read(self, axis: Axis, of: Mapping[int, Windows]) -> Axis:
        windows = of.get(axis.dim) if axis.dim else None
        if windows is None or windows.one_to_one or (windows.spans == () and axis.length == 1):
            return axis
        dim = axis.dim if windows.advance else 0
        return Axis(dim, _composed(axis, windows, self.walk), _jump(axis, windows), axis.length)

    def _arranged(self, axis: Axis) -> Axis:
        """The same field, with the dimension that runs along the axis behind the layer."""
        after = [dim for dim, before in enumerate(self.arrangement) if axis.dim in before]
        if axis.dim == 0 or (self.before[axis.dim] == 1 and len(after) != 1):
            return Axis(0, axis.pattern and axis.pattern[:1])
        if len(after) != 1:
            return _WHOLE if axis.whole else _UNKNOWN
        (dim,) = after
        if self.arrangement[dim] != (axis.dim,):
            return Axis(dim, axis.present, None, self.after[dim])
        kept = dim == axis.dim and axis.length == self.after[dim]
        return axis if kept else Axis(dim, axis.pattern, axis.jump, self.after[dim])


def _jump(axis: Axis, windows: Windows) -> Fraction | None:
    """The effective stride of a layer's output."""
    from fractions import Fraction

    if axis.jump is None or not windows.advance:
        return None
    jump = axis.jump * Fraction(windows.advance, windows.period)
    return jump if max(jump.as_integer_ratio()) <= _LARGEST else None


def _composed(axis: Axis, windows: Windows, walk: _Walk) -> _Pattern | None:
    """The field of a layer's output, from that of its input and the windows that it reads."""
    if not axis.pattern or windows.spans == ():
        return axis.pattern and ()
    if windows.spans is None or axis.jump is None:
        return None
    period = len(axis.pattern)
    rounds = period // gcd(period, windows.advance)  # of the windows, until the pattern below repeats too
    scanned = max((_scanned(span, period) for span in windows.spans if span), default=0)
    if not walk.affords(rounds * len(windows.spans), scanned):
        return None
    return tuple([_seen(axis, span, q * windows.advance) for q in range(rounds) for span in windows.spans])


def _scanned(span: Span, period: int) -> int:
    """How many positions at each end of a window decide: behind them, the pattern repeats further inside."""
    return min((span.last - span.first) // span.step + 1, period // gcd(period, span.step))


def _seen(axis: Axis, span: Span | None, moved: int) -> _Interval:
    """The interval that a window sees."""
    if span is None:
        return None
    first, last, step = span.first + moved, span.last + moved, span.step
    reach = _scanned(span, len(axis.pattern or ())) * step
    near, far = range(first, first + reach, step), range(last, last - reach, -step)
    return _hull([_at(axis, position) for position in chain(near, far)])


def _at(axis: Axis, position: int) -> _Interval:
    pattern = axis.pattern or ()
    quotient, rest = divmod(position, len(pattern))
    interval, moved = pattern[rest], quotient * axis.advance
    return interval and (interval[0] + moved, interval[1] + moved)


def _hull(intervals: Sequence[_Interval]) -> _Interval:
    """From the first to the last position of any of the intervals."""
    some = [interval for interval in intervals if interval]
    return (min([first for first, _ in some]), max([last for _, last in some])) if some else None


def _merged(merge: Merge, fields: Sequence[Field], walk: _Walk) -> Field:
    """The union of the fields of a merge's inputs."""
    names = dict.fromkeys(name for field in fields for name in field.inputs)
    return Field({name: tuple(_unions(merge, fields, name, walk)) for name in names})


def _unions(merge: Merge, fields: Sequence[Field], name: str, walk: _Walk) -> Iterable[Axis]:
    having = [(field.inputs[name], x) for field, x in zip(fields, merge.inputs) if name in field.inputs]
    for axes in zip(*(axes for axes, _ in having)):
        yield _union(merge, axes, [x for _, x in having], walk)


def _union(merge: Merge, axes: Sequence[Axis], tensors: Sequence[Tensor], walk: _Walk) -> Axis:
    """The union along one axis. A tensor of size 1 that is repeated along it carries its field everywhere."""
    dims = {axis.dim for axis in axes if axis.dim}
    dim = dims.pop() if len(dims) == 1 else 0
    length = merge.output.shape[dim]
    joined = merge.kind == "concat" and dim == merge.dim % merge.output.shape.rank and len(axes) > 1
    ordered = dim > 0 and not joined and all(axis.jump for axis in axes if axis.pattern)
    spread = [axis for axis, x in zip(axes, tensors) if x.shape[dim] == length] if ordered else []
    jump = next((axis.jump for axis in spread if axis.jump), None)
    patterns = [axis.pattern for axis in axes]
    if () in patterns or (ordered and len(spread) < len(axes) and None not in patterns):
        return Axis(dim, (), jump, length)
    if None in patterns or len({axis.dim for axis in axes}) > 1:
        return Axis(dim, None, jump, length)
    return Axis(dim, _aligned(axes, length, walk) if ordered else _unordered(dim, axes), jump, length)


def _unordered(dim: int, axes: Sequence[Axis]) -> _Pattern:
    """The intervals of all fields, or the union if no dimension runs along the axis."""
    found = tuple({interval for axis in axes for interval in axis.present or ()})
    return found if dim else (_hull(found),)


def _aligned(axes: Sequence[Axis], size: int, walk: _Walk) -> _Pattern | None:
    """The union of fields along the same dimension of ``size`` positions."""
    first, *others = axes
    if all(axis == first for axis in others):
        return first.pattern
    # Fields that drift apart repeat nowhere: each position has its own interval.
    alike = len({axis.jump for axis in axes}) == 1
    period = lcm(*(len(axis.pattern or ()) for axis in axes)) if alike else size
    if not walk.affords(period, len(axes)):
        return None
    return tuple(_hull([_at(axis, position) for axis in axes]) for position in range(period))
