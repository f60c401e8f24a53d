"""The same values in another shape, as ``Flatten``, ``Unflatten`` or ``Reshape``."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from cnndsl.importing.recorded import Tensor
from cnndsl.record import Record

if TYPE_CHECKING:
    from cnndsl.importing.lift.step import Step


def regrouped(step: Step, x: Tensor, out: tuple[int, ...], sizes: Sequence[Any]) -> Tensor:
    """``x`` in the shape ``out``. ``sizes`` are what its dimensions were written as: a number, a formula, or None for
    one that follows from other tensors; empty if nothing was written."""
    if out == x.shape:
        return x
    if (joined := flattened(x.shape, out)) is not None:
        start, count = joined
        end = start + count - 1
        return step.layer("Flatten", x, start_dim=start, end_dim=-1 if end == len(x.shape) - 1 else end)
    said = [*sizes] if len(sizes) == len(out) else [*out]
    if _is_picture(x, said[1:]):
        return step.layer("Reshape", x, shape=tuple(said[1:]))
    if (divided := flattened(out, x.shape)) is not None:  # the other way round
        dim, count = divided
        parts = _with_rest(step, said[dim : dim + count], out[dim : dim + count])
        return step.layer("Unflatten", x, dim=dim, unflattened_size=parts)
    return step.layer("Reshape", x, shape=_with_rest(step, said[1:], out[1:]))


def _is_picture(x: Tensor, sizes: Sequence[Any]) -> bool:
    """Whether features become a picture whose sizes are all written as numbers: ``view(N, 1, 28, 28)``."""
    are_numbers = all(type(size) is int and size > 0 for size in sizes)
    return len(x.shape) == 2 and are_numbers and any(size > 1 for size in sizes[1:])


def flattened(x: Sequence[int], out: Sequence[int]) -> tuple[int, int] | None:
    """The first of the dimensions that are one in ``out``, and how many they are, if that is all that changes."""
    count = len(x) - len(out) + 1
    if count < 2:
        return None
    fitting = (
        start
        for start in range(1, len(out))
        if (*x[:start], prod(x[start : start + count]), *x[start + count :]) == (*out,)
    )
    return next(((start, count) for start in fitting), None)


def _with_rest(step: Step, said: Sequence[Any], out: Sequence[int]) -> tuple[Any, ...]:
    """Sizes of which one is -1, so that the others decide it: the one that was written so or has no formula, else one
    that has a formula, else the largest."""

    def freedom(at: int) -> tuple[bool, bool, int]:
        return said[at] in (None, -1), isinstance(said[at], Record), out[at]

    if sum(size in (None, -1) for size in said) > 1:
        raise step.other_size(out)
    rest = max(range(len(said)), key=freedom)
    return tuple(-1 if at == rest else size for at, size in enumerate(said))
