"""Operators: merges of tensors, numbers that are added or multiplied, and parameters that scale channels."""

from __future__ import annotations

from collections.abc import Sequence
from math import frexp
from typing import Any

from cnndsl.importing.lift.formulas import value as plain
from cnndsl.importing.lift.held import affine, channelwise, shifted
from cnndsl.importing.lift.rules.table import Rule, rule
from cnndsl.importing.lift.step import Step, Unsaid
from cnndsl.importing.recorded import Held, Made, Number, Tensor


def _is_number(given: Any) -> bool:
    return isinstance(given, (int, float, Number)) and not isinstance(given, bool)


@rule("add", "radd")
def add(step: Step, input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    if not isinstance(input, Tensor):
        input, other = other, input
        if alpha != 1:
            raise Unsaid(f"`{step.name}` with `alpha` of a number is not a layer")
    if isinstance(other, (Held, Made)) and alpha == 1:
        return shifted(step, input, other)
    if _is_number(other):
        return _shifted(step, input, _times(other, alpha))
    return step.merge("add", input, other if alpha == 1 else step.layer("Multiply", other, other=alpha))


def _times(number: Any, factor: float) -> Any:
    return number if factor == 1 else number * factor


def _shifted(step: Step, x: Any, by: Any) -> Tensor:
    return step.tensor(x) if not isinstance(by, Number) and by == 0 else step.layer("Add", x, other=by)


@rule("sub", "subtract")
def subtract(step: Step, input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    if _is_number(other):
        return _shifted(step, input, step.negative(_times(other, alpha)))
    if _is_number(input):
        return _shifted(step, step.layer("Multiply", other, other=-1), input)
    return step.merge("subtract", input, other if alpha == 1 else step.layer("Multiply", other, other=alpha))


@rule("rsub")
def from_other(step: Step, input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    if alpha != 1:
        raise Unsaid(f"`{step.name}` with `alpha` is not a layer")
    return subtract(step, other, input)


@rule("mul", "multiply", "rmul")
def multiply(step: Step, input: Any, other: Any) -> Tensor:
    if not isinstance(input, Tensor):
        input, other = other, input
    if _is_number(other):
        return step.layer("Multiply", input, other=other)
    if isinstance(other, (Held, Made)):
        return channelwise(step, input, other)
    return step.merge("multiply", input, other)


@rule("div", "divide", "truediv", "true_divide")
def divide(step: Step, input: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    if rounding_mode:
        raise Unsaid(f"`{step.name}` with `rounding_mode` is not a layer")
    if _is_number(other):
        return _divided(step, input, other)
    if _is_number(input):
        inverse = reciprocal(step, other)
        return inverse if input == 1 else multiply(step, inverse, input)
    return step.merge("divide", input, other)


def _divided(step: Step, x: Any, by: Any) -> Tensor:
    """The product with its inverse, which for powers of two is the same bit by bit. A division by 6 may be part of a
    known function."""
    if isinstance(by, Number) or not by or abs(frexp(by)[0]) == 0.5:
        return step.layer("Multiply", x, other=step.inverse(by))
    return step.pseudo("divide", x, other=by)


@rule("rdiv", "rtruediv")
def divided_by(step: Step, input: Any, other: Any) -> Tensor:
    return divide(step, other, input)


@rule("neg", "negative")
def negative(step: Step, input: Any) -> Tensor:
    return step.layer("Multiply", input, other=-1)


@rule("sqrt")
def square_root(step: Step, input: Any) -> Tensor:
    return step.pseudo("sqrt", input)


@rule("pow")
def power(step: Step, input: Any, exponent: Any) -> Tensor:
    if exponent in (1, 2) and isinstance(input, Tensor):
        return input if exponent == 1 else step.merge("multiply", input, input)
    if exponent == 0.5:
        return square_root(step, input)
    if not _is_number(exponent):
        raise Unsaid(f"`{step.name}` with a tensor as its exponent is not a layer")
    return step.layer("Pow", input, exponent=exponent)


@rule("rsqrt")
def inverse_root(step: Step, input: Any) -> Tensor:
    return step.layer("Pow", input, exponent=-0.5)


@rule("reciprocal")
def reciprocal(step: Step, input: Any) -> Tensor:
    return step.layer("Pow", input, exponent=-1)


@rule("square")
def square(step: Step, input: Any) -> Tensor:
    return step.merge("multiply", input, input)


def _pairwise(word: str) -> Rule:
    def said(step: Step, input: Any, other: Any) -> Tensor:
        return step.merge(word, input, other)

    return said


rule("maximum")(_pairwise("maximum"))
rule("minimum")(_pairwise("minimum"))


@rule("addcmul")
def addcmul(step: Step, input: Any, tensor1: Any, tensor2: Any, *, value: float = 1) -> Tensor:
    if value != 1:
        raise Unsaid(f"`{step.name}` with `value` is not a layer")
    return affine(step, input, tensor1, tensor2)


# --- several tensors -----------------------------------------------------------------------------


@rule("cat", "concat", "concatenate")
def cat(step: Step, tensors: Sequence[Any], dim: int = 0, *, axis: int | None = None) -> Tensor:
    return step.concat(tensors, dim if axis is None else axis)


@rule("hstack")
def hstack(step: Step, tensors: Sequence[Any]) -> Tensor:
    return step.concat(tensors, 1)


@rule("chunk")
def chunk(step: Step, input: Any, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    x = step.tensor(input)
    size = -(-x.shape[step.dim(dim, x)] // chunks)
    return split(step, x, size, dim)


@rule("split", "split_with_sizes")
def split(step: Step, tensor: Any, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    x = step.tensor(tensor)
    dim, sizes = step.dim(dim, x), plain(split_size_or_sections)
    if not isinstance(sizes, tuple):
        whole, size = x.shape[dim], sizes
        sizes = tuple(min(size, whole - start) for start in range(0, whole, size))
    return step.split(x, sizes, dim)


@rule("tensor_split")
def tensor_split(step: Step, input: Any, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    x = step.tensor(input)
    whole, given = x.shape[step.dim(dim, x)], indices_or_sections
    if isinstance(given, int):
        small, more = divmod(whole, given)
        sizes = [small + (index < more) for index in range(given)]
    else:
        ends = [*given, whole]
        sizes = [end - start for start, end in zip([0, *given], ends)]
    return step.split(x, sizes, dim)
