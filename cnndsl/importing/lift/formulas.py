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
    if sign in ("+", "-", "neg") or (sign == "*" and any(map(_is_whole, operands))):
        return _written(_rounded(_terms(Op(sign, tuple(operands)))))
    return operation(sign, *operands)


# --- sums ----------------------------------------------------------------------------------------

#: The summands of a sum with their factors; a number is a factor of 1.
Terms = dict[Expr, int]
_ONE = Lit(1)


def _is_whole(expr: Expr) -> bool:
    return isinstance(expr, Lit) and type(expr.value) is int


def _terms(expr: Expr, factor: int = 1) -> Terms:
    """The summands of an expression, each once."""
    match expr:
        case Lit(value=int() as number):
            return {_ONE: factor * number}
        case Op(sign="neg", operands=(operand,)):
            return _terms(operand, -factor)
        case Op(sign="+" | "-" as sign, operands=(first, *others)):
            found = _terms(first, factor)
            for other in others:
                for term, count in _terms(other, factor if sign == "+" else -factor).items():
                    found[term] = found.get(term, 0) + count
            return {term: count for term, count in found.items() if count}
        case Op(sign="*", operands=(Lit(value=int() as number), other) | (other, Lit(value=int() as number))):
            return _terms(other, factor * number)
    return {expr: factor}


def _rounded(terms: Terms) -> Terms:
    """What is missing to a multiple, ``n * ceil(x / n) - x``, is ``-x % n``, and the larger half of a number,
    ``x - x // 2``, is ``(x + 1) // 2``."""
    for term, count in terms.items():
        left = {other: number for other, number in terms.items() if other is not term}
        match term:
            case Op(sign="//", operands=(x, Lit(value=2))) if count == -1 and left == _terms(x):
                return {operation("//", _written({**left, _ONE: left.get(_ONE, 0) + 1}), Lit(2)): 1}
            case Call(callee=Ref(name="ceil"), arguments=(Op(sign="/", operands=(x, Lit(value=int() as n))),)):
                if count == n and terms.get(x, 0) == -1:
                    del left[x]
                    return {operation("%", Op("neg", (x,)), Lit(n)): 1} | left
    return terms


def _written(terms: Terms) -> Expr:
    """A sum, what is added first and numbers last."""
    ordered = sorted(terms.items(), key=lambda item: (item[0] == _ONE, item[1] < 0))
    made: Expr | None = None
    for term, count in ordered:
        part = Lit(abs(count)) if term == _ONE else operation("*", term, Lit(abs(count)))
        if made is None:
            made = operation("neg", part) if count < 0 else part
        else:
            made = operation("+" if count > 0 else "-", made, part)
    return Lit(0) if made is None else made


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
