"""Numbers that remember from which sizes of tensors they were computed. They are ints and floats to everybody else."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from typing import Any

from cnndsl.importing.recorded import Arithmetic, Extent, Formula, Number

#: What the signs of formulas mean.
SIGNS: dict[str, Callable[..., Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "//": operator.floordiv,
    "%": operator.mod, "neg": operator.neg, "ceil": math.ceil, "floor": math.floor, "int": int, "round": round,
}  # fmt: skip
#: Told of each number of which Python makes a plain one, whatever its class says: ``int(x)``, ``len(x)``.
_told: list[Callable[[Number], None]] = []


@contextmanager
def telling(listener: Callable[[Number], None]) -> Iterator[None]:
    _told.append(listener)
    try:
        yield
    finally:
        _told.remove(listener)


def made_plain(value: Any, formula: Formula) -> Any:
    for listener in _told:
        listener(Number(value, formula))
    return value


def _plain(value: Any) -> Any:
    match value:
        case Whole():
            return int.__int__(value)
        case Real():
            return float.__float__(value)
    return value


def _computed(value: Any, sign: str, *operands: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    formula = Arithmetic(sign, tuple(map(formula_of, operands)))
    return whole(value, formula) if isinstance(value, int) else _real(value, formula)


def _binary(sign: str, reflected: bool = False) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        if not isinstance(other, (int, float)):
            return NotImplemented
        left, right = (other, self) if reflected else (self, other)
        return _computed(SIGNS[sign](_plain(left), _plain(right)), sign, left, right)

    return method


def _unary(sign: str) -> Callable[[Any], Any]:
    return lambda self: _computed(SIGNS[sign](_plain(self)), sign, self)


class _Computing:
    """Operators that keep the formula."""

    formula: Formula

    __add__ = _binary("+")
    __radd__ = _binary("+", reflected=True)
    __sub__ = _binary("-")
    __rsub__ = _binary("-", reflected=True)
    __mul__ = _binary("*")
    __rmul__ = _binary("*", reflected=True)
    __truediv__ = _binary("/")
    __rtruediv__ = _binary("/", reflected=True)
    __floordiv__ = _binary("//")
    __rfloordiv__ = _binary("//", reflected=True)
    __mod__ = _binary("%")
    __rmod__ = _binary("%", reflected=True)
    __neg__ = _unary("neg")
    __ceil__ = _unary("ceil")
    __floor__ = _unary("floor")
    __trunc__ = _unary("int")

    def __pos__(self) -> Any:
        return self

    def __round__(self, digits: int | None = None) -> Any:
        return _computed(round(_plain(self)), "round", self) if digits is None else round(_plain(self), digits)

    def __int__(self) -> int:
        return made_plain(int(_plain(self)), Arithmetic("int", (self.formula,)))  # type: ignore[no-any-return]

    def __float__(self) -> float:
        return made_plain(float(_plain(self)), self.formula)  # type: ignore[no-any-return]


class Whole(_Computing, int):  # type: ignore[misc]  # int declares more overloads
    """An int with its formula."""


class Real(_Computing, float):  # type: ignore[misc]
    """A float with its formula."""


def whole(value: int, formula: Formula) -> Whole:
    number = Whole(value)
    number.formula = formula
    return number


def _real(value: float, formula: Formula) -> Real:
    number = Real(value)
    number.formula = formula
    return number


def formula_of(value: Any) -> Formula:
    return value.formula if isinstance(value, (Whole, Real)) else value


def evaluated(formula: Formula, size: Callable[[Extent], int]) -> int | float:
    match formula:
        case Extent():
            return size(formula)
        case Arithmetic(sign, operands):
            return SIGNS[sign](*(evaluated(operand, size) for operand in operands))  # type: ignore[no-any-return]
    return formula


def number(value: Whole | Real) -> Number:
    """As data, with a plain value."""
    return Number(_plain(value), value.formula)


def product(numbers: tuple[int, ...]) -> int:
    """Of at least one number."""
    return reduce(operator.mul, numbers)
