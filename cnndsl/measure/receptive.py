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

#: First and last position of the input that a position depends on; None if it depends on none.
_Interval: TypeAlias = tuple[int, int] | None


class Axis(Record, frozen=True, dict=True):
    """The receptive field along one axis of an input.

    Position ``q * len(pattern) + r`` of dimension ``dim`` depends on the interval ``pattern[r]`` of the input, moved by
    ``q * advance``. If several axes share a dimension, as after ``Flatten``, there is no ``advance``, and the intervals
    have no order; if no dimension runs along the axis any more, ``dim`` is 0. An empty pattern is the ``whole`` input.
    """

    dim: int
    pattern: tuple[_Interval, ...] = ()
    advance: int = 0

    @property
    def whole(self) -> bool:
        return not self.pattern

    @cached_property
    def size(self) -> int | None:
        """The largest number of positions of the input; None for the whole input."""
        return (
            None if self.whole else max(last - first + 1 for first, last in (each or (0, -1) for each in self.pattern))
        )

    @property
    def jump(self) -> Fraction | None:
        """The effective stride: by how many positions of the input the fields of neighbours differ. None if neighbours
        see the same, or if they are not laid out along the axis."""
        from fractions import Fraction

        return Fraction(self.advance, len(self.pattern)) if self.advance else None


_WHOLE = Axis(0)


class Field(Record, frozen=True):
    """The receptive field of a tensor: for each input that it depends on, by name, its spatial axes, None for one that
    is not known. An input without spatial axes has none here either."""

    inputs: Mapping[str, tuple[Axis | None, ...]]


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
    return Field({name: tuple(Axis(dim, ((0, 0),), 1) for dim in range(2, tensor.shape.rank))})


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
        self.shape = bound.input
        self.windows, self.arrangement = bound.windows
        self.walk = walk

    def axis(self, axis: Axis | None) -> Axis | None:
        """The field behind the layer, None if it is not known."""
        if axis is None or self.windows is None:
            return None
        if axis.whole:
            return axis
        read = self._read(axis)
        return read and (read if read.whole else self._arranged(read))

    def _read(self, axis: Axis) -> Axis | None:
        windows = (self.windows or {}).get(axis.dim)
        if axis.dim == 0 or windows is None or windows.one_to_one:
            return axis
        if not windows.spans:
            return _WHOLE if self.shape[axis.dim] > 1 else axis
        if windows.advance == 0 or axis.advance == 0:
            return None
        return _composed(axis, windows, self.walk)

    def _arranged(self, axis: Axis) -> Axis | None:
        """The same field, with the dimension that runs along the axis behind the layer."""
        after = [dim for dim, before in enumerate(self.arrangement) if axis.dim in before]
        if axis.dim == 0 or (self.shape[axis.dim] == 1 and len(after) != 1):
            return Axis(0, axis.pattern[:1])
        if len(after) != 1:
            return None
        alone = self.arrangement[after[0]] == (axis.dim,)
        return axis if alone and after[0] == axis.dim else Axis(after[0], axis.pattern, axis.advance if alone else 0)


def _composed(axis: Axis, windows: Windows, walk: _Walk) -> Axis | None:
    """The field of a layer's output, from that of its input and the windows that it reads."""
    period = len(axis.pattern)
    rounds = period // gcd(period, windows.advance)  # of the windows, until the pattern below repeats too
    scanned = max((_scanned(span, period) for span in windows.spans if span), default=0)
    if not walk.affords(rounds * len(windows.spans), scanned):
        return None
    pattern = [_seen(axis, span, q * windows.advance) for q in range(rounds) for span in windows.spans]
    return Axis(axis.dim, tuple(pattern), rounds * windows.advance // period * axis.advance)


def _scanned(span: Span, period: int) -> int:
    """How many positions at each end of a window decide: behind them, the pattern repeats further inside."""
    return min((span.last - span.first) // span.step + 1, period // gcd(period, span.step))


def _seen(axis: Axis, span: Span | None, moved: int) -> _Interval:
    """The interval that a window sees."""
    if span is None:
        return None
    first, last, step = span.first + moved, span.last + moved, span.step
    reach = _scanned(span, len(axis.pattern)) * step
    near, far = range(first, first + reach, step), range(last, last - reach, -step)
    return _hull([_at(axis, position) for position in chain(near, far)])


def _at(axis: Axis, position: int) -> _Interval:
    quotient, rest = divmod(position, len(axis.pattern))
    interval, moved = axis.pattern[rest], quotient * axis.advance
    return interval and (interval[0] + moved, interval[1] + moved)


def _hull(intervals: Sequence[_Interval]) -> _Interval:
    """From the first to the last position of any of the intervals."""
    some = [interval for interval in intervals if interval]
    return (min([first for first, _ in some]), max([last for _, last in some])) if some else None


def _merged(merge: Merge, fields: Sequence[Field], walk: _Walk) -> Field:
    """The union of the fields of a merge's inputs."""
    names = dict.fromkeys(name for field in fields for name in field.inputs)
    return Field({name: tuple(_unions(merge, fields, name, walk)) for name in names})


def _unions(merge: Merge, fields: Sequence[Field], name: str, walk: _Walk) -> Iterable[Axis | None]:
    having = [(field.inputs[name], x) for field, x in zip(fields, merge.inputs) if name in field.inputs]
    for axes in zip(*(axes for axes, _ in having)):
        shaped = [(axis, x) for axis, (_, x) in zip(axes, having)]
        yield _union(merge, shaped, walk)


def _union(merge: Merge, axes: Sequence[tuple[Axis | None, Tensor]], walk: _Walk) -> Axis | None:
    """The union along one axis. A tensor of size 1 that is repeated along it carries its field everywhere."""
    known = [axis for axis, _ in axes if axis is not None]
    if any(axis.whole for axis in known):
        return _WHOLE
    if len(known) < len(axes) or len({axis.dim for axis in known}) > 1:
        return None
    dim = known[0].dim
    if dim == 0:
        return Axis(0, (_hull([interval for axis in known for interval in axis.pattern]),))
    joined = merge.kind == "concat" and dim == merge.dim % merge.output.shape.rank and len(known) > 1
    if joined or not all(axis.advance for axis in known):
        return Axis(dim, tuple({interval for axis in known for interval in axis.pattern}))
    size = merge.output.shape[dim]
    return _aligned(known, size, walk) if all(x.shape[dim] == size for _, x in axes) else _WHOLE


def _aligned(axes: Sequence[Axis], size: int, walk: _Walk) -> Axis | None:
    """The union of fields along the same dimension of ``size`` positions."""
    first, *others = axes
    if all(axis == first for axis in others):
        return first
    # Fields that drift apart repeat nowhere: each position has its own interval.
    alike = len({axis.jump for axis in axes}) == 1
    period = lcm(*(len(axis.pattern) for axis in axes)) if alike else size
    if not walk.affords(period, len(axes)):
        return None
    pattern = tuple(_hull([_at(axis, position) for axis in axes]) for position in range(period))
    return Axis(first.dim, pattern, period * first.advance // len(first.pattern))
