"""Numbers that follow from sizes, as expressions over the sizes of one tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cnndsl.emit.source.expr import Call, Expr, Lit, Op, Ref, operation, parts, with_parts
from cnndsl.emit.source.expr import value as computed
from cnndsl.importing.recorded import Arithmetic, Extent, Formula, Number, Tensor
from cnndsl.layers.shape import size_name
from cnndsl.spec.functions import FUNCTIONS

#: What a tensor of the record is in the body; None if it is in another.
Known = Callable[[Tensor], Tensor | None]


def expression(number: Any, x: Tensor, known: Known) -> Expr | int | float | None:
    """A number as an expression over the sizes of ``x``; None if it depends on another tensor, or on the batch."""
    if not isinstance(number, Number):
        return number  # type: ignore[no-any-return]
    found = _translated(number.formula, x, known)
    if found is None and _is_fixed(number.formula):
        return number.value
    return found.value if isinstance(found, Lit) else found


def _is_fixed(formula: Formula) -> bool:
    """Whether it depends on channels alone, which are the same at every size of the input."""
    match formula:
        case Extent(tensor=tensor, dim=dim):
            return dim % len(tensor.shape) == 1 and len(tensor.shape) > 2
        case Arithmetic(operands=operands):
            return all(map(_is_fixed, operands))
    return True


def _translated(formula: Formula, x: Tensor, known: Known) -> Expr | None:
    match formula:
        case Extent(tensor=tensor, dim=dim):
            dim %= len(x.shape)
            return Ref(f"input.{size_name(dim, len(x.shape))}") if known(tensor) is x and dim else None
        case Arithmetic(sign=sign, operands=operands):
            made = [_translated(operand, x, known) for operand in operands]
            return None if None in made else _applied(sign, made)  # type: ignore[arg-type]
    return Lit(formula)


def _applied(sign: str, operands: list[Expr]) -> Expr:
    if sign == "float":
        return operands[0]
    if sign in FUNCTIONS:
        return Call(Ref(sign), tuple(operands))
    return operation(sign, *operands)


def value(number: Any) -> Any:
    """What a number is in this run, also each of a list."""
    if isinstance(number, (tuple, list)):
        return tuple(map(value, number))
    return number.value if isinstance(number, Number) else number


def extent_of(number: Any) -> tuple[Tensor, int] | None:
    """The tensor and the dimension whose size a number is, if it is one as it was read."""
    formula = number.formula if isinstance(number, Number) else None
    while isinstance(formula, Arithmetic) and formula.sign in ("int", "float") and len(formula.operands) == 1:
        (formula,) = formula.operands
    return (formula.tensor, formula.dim % len(formula.tensor.shape)) if isinstance(formula, Extent) else None


def is_batch(number: Any) -> bool:
    """Whether a number is the size of a batch."""
    extent = extent_of(number)
    return extent is not None and extent[1] == 0


def evaluated(value: Any, x: tuple[int, ...]) -> Any:
    """An argument with its expressions replaced by their values on an input of shape ``x``."""
    if isinstance(value, tuple):
        return tuple(evaluated(item, x) for item in value)
    return _evaluated(value, x) if isinstance(value, (Op, Ref, Call, Lit)) else value


def _evaluated(expr: Expr, x: tuple[int, ...]) -> Any:
    match expr:
        case Lit(value=literal):
            return literal
        case Ref(name=name):
            return {f"input.{size_name(dim, len(x))}": size for dim, size in enumerate(x) if dim}[name]
        case Call(callee=Ref(name=name), arguments=arguments):
            return FUNCTIONS[name](*(_evaluated(argument, x) for argument in arguments))
    return computed(with_parts(expr, (Lit(_evaluated(part, x)) for part in parts(expr))), {})
