"""Paddings and slices that give a tensor the size of another one, with what is over or missing on both sides.

People compute the sides in many ways. What they compute is compared with what ``CenterCrop`` does, for all pairs of
small sizes: halves are rounded alike or not from there on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cnndsl.importing.lift.step import Step, Unsaid
from cnndsl.importing.recorded import Arithmetic, Extent, Formula, Number, Tensor
from cnndsl.importing.tracing.numbers import evaluated
from cnndsl.layers import LAYERS

#: The sizes that are tried.
_SIZES = range(1, 20)
#: Values before and after an axis, that are added, or taken away if they are negative, for its size and the other's.
Sides = Callable[[int, int], tuple[int, int] | None]


class Axis:
    """Numbers about one axis of ``x``: formulas over its size and that of another tensor."""

    def __init__(self, step: Step, x: Tensor, dim: int, numbers: Sequence[Any]) -> None:
        self.numbers, self.dim, self._known = numbers, dim, step.known
        self._x = x
        extents = [extent for number in numbers for extent in _extents(number)]
        found = {step.known(extent.tensor): None for extent in extents}
        self.others = [other for other in found if other is not x]
        self.is_one_axis = all(extent.dim % len(extent.tensor.shape) == dim for extent in extents)

    def at(self, number: Any, size: int, other: int) -> Any:
        """A number for these sizes."""
        formula = number.formula if isinstance(number, Number) else number
        return evaluated(formula, lambda extent: size if self._known(extent.tensor) is self._x else other)


def _extents(number: Any) -> Iterator[Extent]:
    formula: Formula | None = number.formula if isinstance(number, Number) else number
    if isinstance(formula, Extent):
        yield formula
    elif isinstance(formula, Arithmetic):
        for operand in formula.operands:
            yield from _extents(operand)


def padded_like(step: Step, x: Tensor, sides: Sequence[Any]) -> Tensor | None:
    """``F.pad`` to the size of another tensor; None if the sides are not about one."""
    rank = len(x.shape)
    if len(sides) != 2 * (rank - 2):
        return None
    axes = [Axis(step, x, rank - 1 - at // 2, sides[at : at + 2]) for at in range(0, len(sides), 2)]

    def of(axis: Axis) -> Sides:
        before, after = axis.numbers
        return lambda size, other: (axis.at(before, size, other), axis.at(after, size, other))

    return _centred(step, x, axes, of, is_crop=False)


def sliced_like(step: Step, x: Tensor, parts: Sequence[Any]) -> Tensor | None:
    """``x[:, :, top : top + height, left : left + width]`` with the size of another tensor; None if the slices are not
    about one."""
    if len(parts) != len(x.shape) or not all(isinstance(part, slice) and part.step in (None, 1) for part in parts):
        return None
    if any(part.start is not None or part.stop is not None for part in parts[:2]):
        return None
    axes = [Axis(step, x, dim, (part.start, part.stop)) for dim, part in enumerate(parts) if dim > 1]

    def of(axis: Axis) -> Sides:
        start, stop = axis.numbers

        def sides(size: int, other: int) -> tuple[int, int] | None:
            ends = (None if end is None else axis.at(end, size, other) for end in (start, stop))
            taken = range(size)[slice(*ends)]
            return (-taken.start, taken.stop - size) if taken else None

        return sides

    return _centred(step, x, axes, of, is_crop=True)


def _centred(
    step: Step, x: Tensor, axes: Sequence[Axis], sides: Callable[[Axis], Sides], *, is_crop: bool
) -> Tensor | None:
    others = {other: None for axis in axes for other in axis.others}
    if len(others) != 1 or not all(axis.others and axis.is_one_axis for axis in axes):
        return None
    (other,) = others
    if other is None or len(other.shape) != len(x.shape):
        return None
    for mode in (None, "floor", "ceil"):
        if all(_agrees(sides(axis), mode, is_crop) for axis in axes):
            more = {} if mode is None else {"rounding_mode": mode}
            return step.like("CenterCrop", x, other, **more)
    raise Unsaid(
        f"`{step.name}` to the size of another tensor is not that of a `CenterCrop` at every size",
        "a `CenterCrop` pads or crops both sides alike; an odd number leaves one more before or after it",
    )


def _agrees(sides: Sides, mode: str | None, is_crop: bool) -> bool:
    layer = LAYERS["CenterCrop"](size=None, rounding_mode=mode, like="")
    for size in _SIZES:
        for other in _SIZES:
            start = layer.start(size - other)  # type: ignore[attr-defined]
            wanted = (-start, other - size + start)
            if not (is_crop and other > size) and sides(size, other) != wanted:
                return False
    return True
