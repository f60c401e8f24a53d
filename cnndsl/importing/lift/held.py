"""Parameters and buffers that a module holds itself: what layer takes them so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnndsl.importing.lift.rules.table import last_name
from cnndsl.importing.lift.step import SINGLE, Step
from cnndsl.importing.recorded import Held, Made, Tensor
from cnndsl.layers import LAYERS

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
    """The dimension of ``x`` that a tensor of this shape has one value for each of; ``SINGLE`` for one value."""
    rank = len(x.shape)
    aligned = (*[1] * (rank - len(shape)), *shape)
    if len(aligned) != rank:
        return None
    wide = [dim for dim, size in enumerate(aligned) if size != 1]
    if not wide:
        return 1 if x.shape[1] == 1 else SINGLE
    return wide[0] if len(wide) == 1 and aligned[wide[0]] == x.shape[wide[0]] else None


def channelwise(step: Step, input: Any, factor: Held | Made) -> Tensor:
    """The product with one parameter for each channel, a ``Scale``."""
    x = step.tensor(input)
    weight, dim = _parameter(step, factor, x)
    return _on_channels(step, "Scale", x, dim, {"weight": weight})


def affine(step: Step, shift: Any, factor: Any, input: Any) -> Tensor:
    """``shift + factor * x`` with one of both for each channel, as ``torch.addcmul`` computes it."""
    if isinstance(factor, Tensor):
        factor, input = input, factor
    x = step.tensor(input)
    (weight, dim), (bias, other) = _parameter(step, factor, x), _parameter(step, shift, x)
    if dim != other:
        raise step.constant(shift)
    return _on_channels(step, "Affine", x, dim, {"weight": weight, "bias": bias})


def shifted(step: Step, input: Any, shift: Held | Made) -> Tensor:
    """The sum with one parameter for each channel, which is a part of an ``Affine``."""
    x = step.tensor(input)
    bias, dim = _parameter(step, shift, x)
    why = "adds a parameter, which no layer does that does not multiply by one too"
    return step.pseudo("shift", x, why=why, dim=dim, bias=bias.path)


def _parameter(step: Step, given: Any, x: Tensor) -> tuple[Held, int]:
    """A parameter with one value, or one for each index of a dimension of ``x``: the first after the batch, or the
    last."""
    found = held_as(given)
    dim = found and _along(found[1], x)
    if found is None or not found[0].is_parameter or dim not in (SINGLE, 1, len(x.shape) - 1):
        raise step.constant(given) if isinstance(given, (Held, Made)) else step.merged(step.name)
    return found[0], dim


def _on_channels(step: Step, word: str, x: Tensor, dim: int, state: Mapping[str, Held]) -> Tensor:
    """A layer with parameters for each channel, or all. Channels that are last change places for it."""
    if dim == SINGLE:
        channels, *_ = LAYERS[word].arguments
        return step.held(word, x, state, **{channels: 1})
    if dim == 1:
        return step.held(word, x, state)
    rank = len(x.shape)
    first = step.layer("Permute", x, dims=(0, rank - 1, *range(1, rank - 1)))
    return step.layer("Permute", step.held(word, first, state), dims=(0, *range(2, rank), 1))
