"""Parameters and buffers that a module holds itself: what layer takes them so."""

from __future__ import annotations

from typing import Any

from cnndsl.importing.lift.rules.table import last_name
from cnndsl.importing.lift.step import Step
from cnndsl.importing.recorded import Held, Made, Tensor

#: Functions that give a parameter another shape, and leave its values as they are.
_SHAPES = (
    "view",
    "reshape",
    "unsqueeze",
    "squeeze",
    "getitem",
    "expand",
    "expand_as",
    "flatten",
    "to",
    "type_as",
    "contiguous",
)


def held_as(given: Any) -> tuple[Held, tuple[int, ...]] | None:
    """The parameter behind its reshaped forms, and the shape in which it is taken."""
    shape = given.shape if isinstance(given, (Held, Made)) else ()
    while isinstance(given, Made) and last_name(given.how) in _SHAPES and given.arguments:
        given = given.arguments[0]
    return (given, shape) if isinstance(given, Held) else None


def _along(shape: tuple[int, ...], x: Tensor) -> int | None:
    """The dimension of ``x`` that a tensor of this shape has one value for each of; 0 for a single value."""
    rank = len(x.shape)
    aligned = (*[1] * (rank - len(shape)), *shape)
    if len(aligned) != rank:
        return None
    wide = [dim for dim, size in enumerate(aligned) if size != 1]
    if not wide:
        return 1 if x.shape[1] == 1 else 0
    return wide[0] if len(wide) == 1 and aligned[wide[0]] == x.shape[wide[0]] else None


def channelwise(step: Step, input: Any, factor: Held | Made) -> Tensor:
    """The product with one parameter for each channel, a ``Scale``. Channels that are last change places for it."""
    x = step.tensor(input)
    found = held_as(factor)
    if found is None or not found[0].is_parameter or not (dim := _along(found[1], x)):
        raise step.constant(factor)
    state = {"weight": found[0]}
    if dim == 1:
        return step.held("Scale", x, state)
    rank = len(x.shape)
    if dim != rank - 1:
        raise step.constant(factor)
    first = step.layer("Permute", x, dims=(0, rank - 1, *range(1, rank - 1)))
    return step.layer("Permute", step.held("Scale", first, state), dims=(0, *range(2, rank), 1))


def affine(step: Step, shift: Any, factor: Any, input: Any) -> Tensor:
    """``shift + factor * x`` with one of both for each channel, as ``torch.addcmul`` computes it."""
    if isinstance(factor, Tensor):
        factor, input = input, factor
    x = step.tensor(input)
    pair = [held_as(one) for one in (factor, shift)]
    for found, one in zip(pair, (factor, shift)):
        if found is None or not found[0].is_parameter or _along(found[1], x) != 1:
            raise step.constant(one) if isinstance(one, (Held, Made)) else step.merged(step.name)
    (weight, _), (bias, _) = (found for found in pair if found is not None)
    return step.held("Affine", x, {"weight": weight, "bias": bias})
