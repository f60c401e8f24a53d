"""Formulas that explain a value in every use of a class, from values that are known there.

A formula is only taken if different values support it: one instance explains nothing. Of those that hold, the
simplest is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import chain, combinations, permutations
from typing import Any

from msgspec.structs import replace

from cnndsl.emit.source.expr import NONE, Call, Expr, Index, Lit, Op, Ref, same, weight
from cnndsl.importing.alike import ABSENT, alike_values
from cnndsl.record import Record
from cnndsl.spec.functions import divisible

#: The largest factor or divisor of a formula, and its largest denominator.
_LARGEST, _DENOMINATOR = 64, 8
#: Factors and divisors that people write; others are less likely.
_USUAL = (1, 2, 3, 4, 6, 8, 16, 32)


class Known(Record, frozen=True):
    """A variable with its value in each use, ABSENT if it has none there. ``cost`` is added to that of a formula.
    ``second`` ones are on the right side of a comparison."""

    expr: Expr
    values: tuple[Any, ...]
    cost: int = 0
    second: bool = False


class Formula(Record, frozen=True):
    """What explains a value, and the variables in it."""

    expr: Expr
    of: tuple[Known, ...]
    odd: int = 0

    @property
    def cost(self) -> int:
        return weight(self.expr) + sum(known.cost for known in self.of) + 2 * self.odd


def simplest(target: Sequence[Any], known: Sequence[Known]) -> Formula | None:
    """The simplest formula that gives ``target`` in all uses that have it, None if there is none."""
    rows = [row for row, value in enumerate(target) if value is not ABSENT]
    here = [*_elements(_restricted(one, rows) for one in known)]
    here = [one for one in here if ABSENT not in one.values]
    wanted = [target[row] for row in rows]
    if _different(wanted) < 2:
        return None
    if all(isinstance(value, bool) for value in wanted):
        found = _conditions(wanted, here)
    else:
        found = chain(_equal(wanted, here), _numbers(wanted, here))
    return min(found, key=lambda formula: formula.cost, default=None)


def _restricted(known: Known, rows: Sequence[int]) -> Known:
    return replace(known, values=tuple(known.values[row] for row in rows))


def _elements(known: Iterable[Known]) -> Iterator[Known]:
    """The variables, and the elements of those that are lists of one length."""
    for one in known:
        yield one
        if all(isinstance(value, tuple) for value in one.values) and len({*map(len, one.values)}) == 1:
            for at in range(len(one.values[0])):
                yield Known(Index(one.expr, Lit(at)), tuple(value[at] for value in one.values), one.cost)


def _different(values: Sequence[Any]) -> int:
    """How many different values there are."""
    found: list[Any] = []
    for value in values:
        if not any(alike_values(value, one) for one in found):
            found.append(value)
    return len(found)


def _equal(wanted: Sequence[Any], known: Sequence[Known]) -> Iterator[Formula]:
    for one in known:
        if all(map(alike_values, one.values, wanted)):
            yield Formula(one.expr, (one,))


# --- numbers -------------------------------------------------------------------------------------


class _Form(Record, frozen=True):
    """A kind of formula over some variables and a constant ``k``.

    ``guess`` gives the constants that may give a result for the variables, from one use, ``compute`` the value, and
    ``write`` the expression. It takes ``support`` different uses, and ``results`` different values, to believe it.
    """

    guess: Callable[..., Iterable[Any]]
    compute: Callable[..., Any]
    write: Callable[..., Expr]
    support: int
    results: int = 2


def _factor(t: int, a: int) -> Iterable[int]:
    return (t // a,) if a and t % a == 0 and 1 < t // a <= _LARGEST else ()


def _divisor(t: int, a: int) -> Iterable[int]:
    """The numbers that ``a`` is divided by to give ``t``."""
    return range(max(2, a // (t + 1) + 1), min(a // t, _LARGEST) + 1) if t > 0 and a > 0 else ()


def _fraction(t: int, a: int) -> Iterable[Fraction]:
    found = Fraction(t, a) if a else Fraction(0)
    return (found,) if found.numerator > 1 and 1 < found.denominator <= _DENOMINATOR else ()


def _no_constant(*_: int) -> Iterable[int]:
    return (1,)


def _rounding(t: int, *a: int) -> Iterable[int]:
    return (1,) if t % 8 == 0 else ()


def _op(sign: str, *operands: Expr) -> Expr:
    return Op(sign, operands)


def _max(least: int, of: Expr) -> Expr:
    return Call(Ref("max"), (Lit(least), of))


def _divisible(of: Expr) -> Expr:
    return Call(Ref("divisible"), (of,))


#: The formulas over one variable, and over two.
_OF_ONE = (
    _Form(_factor, lambda k, a: k * a, lambda k, a: _op("*", Lit(k), a), 2),
    _Form(_divisor, lambda k, a: a // k, lambda k, a: _op("//", a, Lit(k)), 2),
    _Form(
        _fraction,
        lambda k, a: k.numerator * a // k.denominator,
        lambda k, a: _op("//", _op("*", Lit(k.numerator), a), Lit(k.denominator)),
        3,
        3,
    ),
    _Form(lambda t, a: (t - a,) if t > a else (), lambda k, a: a + k, lambda k, a: _op("+", a, Lit(k)), 3, 3),
    _Form(lambda t, a: (a - t,) if a > t else (), lambda k, a: a - k, lambda k, a: _op("-", a, Lit(k)), 3, 3),
    _Form(_divisor, lambda k, a: max(1, a // k), lambda k, a: _max(1, _op("//", a, Lit(k))), 3, 3),
    _Form(
        lambda t, a: (2, 3, 4, 6, 8, 16) if t % 8 == 0 else (),
        lambda k, a: divisible(a // k),
        lambda k, a: _divisible(_op("//", a, Lit(k))),
        3,
        3,
    ),
)
_OF_TWO = (
    _Form(_no_constant, lambda k, a, b: a * b, lambda k, a, b: _op("*", a, b), 3),
    _Form(
        lambda t, a, b: _factor(t, a * b),
        lambda k, a, b: k * a * b,
        lambda k, a, b: _op("*", _op("*", Lit(k), a), b),
        4,
    ),
    _Form(
        lambda t, a, b: _divisor(t, a * b),
        lambda k, a, b: a * b // k,
        lambda k, a, b: _op("//", _op("*", a, b), Lit(k)),
        4,
    ),
    _Form(_no_constant, lambda k, a, b: a + b, lambda k, a, b: _op("+", a, b), 3, 3),
    _Form(_no_constant, lambda k, a, b: a - b, lambda k, a, b: _op("-", a, b), 3, 3),
    _Form(
        lambda t, a, b: _divisor(t // b, a) if b and t % b == 0 else (),
        lambda k, a, b: b * (a // k),
        lambda k, a, b: _op("*", b, _op("//", a, Lit(k))),
        3,
    ),
    _Form(_rounding, lambda k, a, b: divisible(a * b), lambda k, a, b: _divisible(_op("*", a, b)), 3, 3),
)


def _numbers(wanted: Sequence[Any], known: Sequence[Known]) -> Iterator[Formula]:
    if not all(map(_is_whole, wanted)):
        return
    numbers = [one for one in known if all(map(_is_whole, one.values)) and _different(one.values) > 1]
    for form in _OF_ONE:
        for one in numbers:
            yield from _solved(form, wanted, one)
    for form in _OF_TWO:
        for pair in permutations(numbers, 2):
            yield from _solved(form, wanted, *pair)


def _is_whole(value: Any) -> bool:
    return type(value) is int


def _is_number(value: Any) -> bool:
    return type(value) is int or type(value) is float


def _solved(form: _Form, wanted: Sequence[Any], *of: Known) -> Iterator[Formula]:
    """The form with the first constant that holds in all uses."""
    rows = [*zip(*(one.values for one in of))]
    if len({*rows}) < form.support or len({*wanted}) < form.results:
        return
    largest = max(range(len(rows)), key=lambda row: wanted[row])
    for constant in form.guess(wanted[largest], *rows[largest]):
        if all(same(_computed(form, constant, row), value) for row, value in zip(rows, wanted)):
            yield Formula(form.write(constant, *(one.expr for one in of)), of, _oddity(constant))
            return


def _oddity(constant: Any) -> int:
    """How unlikely it is that a person writes a number."""
    return sum(number not in _USUAL for number in (constant.numerator, constant.denominator))


def _computed(form: _Form, constant: Any, row: Sequence[int]) -> Any:
    try:
        return form.compute(constant, *row)
    except (ArithmeticError, ValueError):
        return None


# --- conditions ----------------------------------------------------------------------------------


class _Test(Record, frozen=True):
    """A comparison, and in which uses it holds. ``literal`` if it is with a number."""

    formula: Formula
    holds: tuple[bool, ...]
    literal: bool


def _conditions(wanted: Sequence[bool], known: Sequence[Known]) -> Iterator[Formula]:
    """A comparison, or two joined by ``and`` or ``or``."""
    tests = [*_tests(known)]
    goal = tuple(wanted)
    for test in tests:
        if test.holds == goal and _believable(goal, test):
            yield test.formula
    # The operands of `or` hold only where the result does, and those of `and` wherever it does.
    below = [test for test in tests if all(b for a, b in zip(test.holds, goal) if a) and any(test.holds)]
    above = [test for test in tests if all(a for a, b in zip(test.holds, goal) if b) and not all(test.holds)]
    for sign, choices in (("or", below), ("and", above)):
        junction = any if sign == "or" else all
        for one, other in combinations(choices, 2):
            both = tuple(map(junction, zip(one.holds, other.holds)))
            if both == goal and _believable(goal, one, other):
                variables = tuple(dict.fromkeys((*one.formula.of, *other.formula.of)))
                yield Formula(Op(sign, (one.formula.expr, other.formula.expr)), variables)


def _believable(goal: Sequence[bool], *tests: _Test) -> bool:
    """Whether enough different uses support tests. A comparison with a number takes three; it must be one that people
    write, or the variable must have only two values."""
    for test in tests:
        few = _different(test.formula.of[0].values) == 2
        if test.literal and (len(goal) < 3 or not (few or _is_usual(test))):
            return False
    if len(tests) == 1 and len(tests[0].formula.of) == 1:
        return True
    variables = [known for test in tests for known in test.formula.of]
    return len({*zip(goal, *(map(repr, known.values) for known in variables))}) > len(tests) + 1


def _is_usual(test: _Test) -> bool:
    expr = test.formula.expr
    return isinstance(expr, Op) and expr.operands[1] in (Lit(1), Lit(0), NONE)


def _tests(known: Sequence[Known]) -> Iterator[_Test]:
    for one in known:
        if _different(one.values) < 2:
            continue
        if all(isinstance(value, bool) for value in one.values):
            yield _Test(Formula(one.expr, (one,)), one.values, False)
            yield _Test(Formula(Op("not", (one.expr,)), (one,)), tuple(not value for value in one.values), False)
        else:
            yield from _with_literals(one)
    for pair in combinations(known, 2):
        one, other = sorted(pair, key=lambda each: each.second)
        if all(map(_is_number, (*one.values, *other.values))):
            equal = tuple(a == b for a, b in zip(one.values, other.values))
            yield _Test(Formula(_op("==", one.expr, other.expr), (one, other)), equal, False)
            yield _Test(Formula(_op("!=", one.expr, other.expr), (one, other)), tuple(not e for e in equal), False)


def _with_literals(one: Known) -> Iterator[_Test]:
    """Comparisons with values that the variable has. People write those with 1, 0 and None."""
    plain = [value for value in one.values if value is None or _is_number(value)]
    for literal in dict.fromkeys(plain):
        equal = tuple(alike_values(value, literal) for value in one.values)
        for holds, sign in ((True, "is" if literal is None else "=="), (False, "is not" if literal is None else "!=")):
            yield _Test(_compared(sign, one, literal), tuple(e is holds for e in equal), True)
        if literal in (0, 1) and all(map(_is_number, one.values)):
            yield _Test(_compared(">", one, literal), tuple(value > literal for value in one.values), True)


def _compared(sign: str, one: Known, literal: Any) -> Formula:
    return Formula(_op(sign, one.expr, Lit(literal)), (one,), literal not in (0, 1, None))
