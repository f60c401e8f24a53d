"""Numbers that remember from which sizes of tensors they were computed. They are ints and floats to everybody else."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cnndsl.importing.recorded import Arithmetic, Formula, Number


class Whole(int):
    """An int with its formula."""

    formula: Formula


class Real(float):
    """A float with its formula."""

    formula: Formula


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


def whole(value: int, formula: Formula) -> Whole:
    number = Whole(value)
    number.formula = formula
    return number


def formula_of(value: Any) -> Formula:
    """Raises AttributeError for what is not a number."""
    return value.formula if isinstance(value, (Whole, Real)) else value  # type: ignore[no-any-return]


def number(value: Whole | Real) -> Number:
    """As data, with a plain value."""
    plain = int.__int__(value) if isinstance(value, int) else float.__float__(value)
    return Number(plain, value.formula)


def product(numbers: tuple[int, ...]) -> int:
    """Of at least one number."""
    result = numbers[0]
    for factor in numbers[1:]:
        result = result * factor
    return result


def _computed(value: Any, sign: str, *operands: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    result = Whole(value) if isinstance(value, int) else Real(value)
    result.formula = Arithmetic(sign, tuple(map(formula_of, operands)))
    return result


def _plain(value: Any) -> Any:
    return number(value).value if isinstance(value, (Whole, Real)) else value


def _binary(sign: str, function: Callable[[Any, Any], Any], reflected: bool) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        if not isinstance(other, (int, float)):
            return NotImplemented
        left, right = (other, self) if reflected else (self, other)
        return _computed(function(_plain(left), _plain(right)), sign, left, right)

    return method


def _unary(sign: str, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda self: _computed(function(_plain(self)), sign, self)


def _rounded(self: Any, digits: int | None = None) -> Any:
    return _computed(round(_plain(self)), "round", self) if digits is None else round(_plain(self), digits)


def _complete(kind: type) -> None:
    """Gives a class the operators."""
    for sign, name in (("+", "add"), ("-", "sub"), ("*", "mul"), ("/", "truediv"), ("//", "floordiv"), ("%", "mod")):
        setattr(kind, f"__{name}__", _binary(sign, getattr(operator, name), reflected=False))
        setattr(kind, f"__r{name}__", _binary(sign, getattr(operator, name), reflected=True))
    kind.__neg__ = _unary("neg", operator.neg)  # type: ignore[attr-defined]
    kind.__ceil__ = _unary("ceil", math.ceil)  # type: ignore[attr-defined]
    kind.__floor__ = _unary("floor", math.floor)  # type: ignore[attr-defined]
    kind.__trunc__ = _unary("int", int)  # type: ignore[attr-defined]
    kind.__round__ = _rounded  # type: ignore[attr-defined]
    kind.__int__ = lambda self: made_plain(int(_plain(self)), Arithmetic("int", (self.formula,)))  # type: ignore[attr-defined]
    kind.__float__ = lambda self: made_plain(float(_plain(self)), self.formula)  # type: ignore[attr-defined]
    kind.__pos__ = lambda self: self  # type: ignore[attr-defined]


_complete(Whole)
_complete(Real)
