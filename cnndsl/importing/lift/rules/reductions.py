"""Reductions over dimensions of a sample."""

from __future__ import annotations

from typing import Any

from cnndsl.importing.lift.rules.table import Rule, rule
from cnndsl.importing.lift.step import Step, Unsaid
from cnndsl.importing.recorded import Tensor


def _dims(step: Step, dim: Any, x: Tensor) -> int | tuple[int, ...]:
    """The dimensions in order."""
    if dim is None or dim == ():
        raise step.batch()
    if isinstance(dim, (tuple, list)):
        resolved = tuple(sorted(step.dim(one, x) for one in dim))
        return resolved[0] if len(resolved) == 1 else resolved
    return step.dim(dim, x)


def _reduction(word: str) -> Rule:
    def said(
        step: Step, input: Any, dim: Any = None, keepdim: bool = False, *, axis: Any = None, dtype: Any = None
    ) -> Tensor:
        x = step.tensor(input)
        return step.layer(word, x, dim=_dims(step, axis if dim is None else dim, x), keepdim=keepdim)

    return said


for _name, _word in (("mean", "Mean"), ("sum", "Sum"), ("amax", "Amax")):
    rule(_name)(_reduction(_word))


@rule("max")
def maximum_along(step: Step, input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """``torch.max`` over a dimension, which gives indices too, or of two tensors."""
    if isinstance(dim, Tensor):
        return step.merge("maximum", input, dim)
    x = step.tensor(input)
    return step.layer("Amax", x, dim=_dims(step, dim, x), keepdim=keepdim), None


@rule("min")
def minimum_along(step: Step, input: Any, other: Any = None, keepdim: bool = False) -> Tensor:
    if isinstance(other, Tensor):
        return step.merge("minimum", input, other)
    raise Unsaid(f"`{step.name}` over a dimension is not a layer", "it is `Amax` of the negative")


@rule("norm", "vector_norm")
def norm(
    step: Step,
    input: Any,
    p: Any = "fro",
    dim: Any = None,
    keepdim: bool = False,
    *,
    ord: Any = None,
    dtype: Any = None,
) -> Tensor:
    x = step.tensor(input)
    order = 2.0 if (given := p if ord is None else ord) in ("fro", None) else given
    return step.layer("Norm", x, ord=float(order), dim=_dims(step, dim, x), keepdim=keepdim)
