"""Formulas that explain a value in every use of a class, from values that are known there.

A formula is only taken if different values support it: one instance explains nothing. Of those that hold, the
simplest is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import permutations, product
from typing import Any, TypeAlias

from cnndsl.emit.source.expr import Call, Expr, Index, Lit, Op, Ref, weight
from cnndsl.importing.alike import ABSENT
from cnndsl.importing.blocks.roles import STRIDE, WIDE
from cnndsl.record import Record
from cnndsl.spec.functions import divisible

#: The largest factor or divisor of a formula, and its largest denominator.
_LARGEST, _DENOMINATOR = 64, 8
#: Factors and divisors that people write; others are less likely.
_USUAL = (1, 2, 3, 4, 6, 8, 16, 32)


class Known(Record, frozen=True):
    """A variable with its value in each use, ABSENT if it has none there. ``cost`` is added to that of a formula, and
    ``role`` says what it is for. Sizes of tensors (``is_size``) are on the right side of a comparison. One that is
    ``exact`` is in no longer formula."""

    expr: Expr
    values: tuple[Any, ...]
    cost: int = 0
    role: str = ""
    is_size: bool = False
    exact: bool = False


class Formula(Record, frozen=True):
    """What explains a value; the lower its cost, the simpler."""

    expr: Expr
    cost: int


def simplest(target: Sequence[Any], known: Sequence[Known]) -> Formula | None:
    """The simplest formula that gives ``target`` in all uses that have it, None if there is none. Equal uses may be
    left out, since they support nothing."""
    rows = [row for row, value in enumerate(target) if value is not ABSENT]
    wanted = tuple(target[row] for row in rows)
    if len({*map(key, wanted)}) < 2:
        return None
    variables = [*_variables(known, rows)]
    kinds: tuple[_Kind, ...] = (_equal,)
    if all(isinstance(value, bool) for value in wanted):
        kinds = (_comparisons, _junctions)
    elif all(map(_is_whole, wanted)):
        kinds = (_equal, _of_one, _of_two)
    best: Formula | None = None
    for kind in kinds:
        if best is None or best.cost > _LEAST[kind]:
            best = min((*([best] if best else ()), *kind(wanted, variables)), key=lambda one: one.cost, default=None)
    return best


def key(value: Any) -> Any:
    """What is equal for values that are written alike: 1 is not 1.0, and not True."""
    return tuple(map(key, value)) if isinstance(value, tuple) else (type(value), value)


class _Variable(Record, frozen=True):
    """A variable in the uses that count."""

    expr: Expr
    values: tuple[Any, ...]
    cost: int
    role: str
    is_size: bool
    exact: bool


def _variables(known: Iterable[Known], rows: Sequence[int]) -> Iterator[_Variable]:
    """The variables that these uses have, with more than one value, and the elements of those that are lists of one
    length."""
    for one in known:
        values = tuple(one.values[row] for row in rows)
        if ABSENT in values or len({*map(key, values)}) < 2:
            continue
        yield _Variable(one.expr, values, one.cost, one.role, one.is_size, one.exact)
        if all(isinstance(value, tuple) for value in values) and len({*map(len, values)}) == 1:
            items = ((Index(one.expr, Lit(at)), column) for at, column in enumerate(zip(*values)))
            columns = (Known(expr, column, one.cost, one.role, exact=one.exact) for expr, column in items)
            yield from _variables(columns, range(len(rows)))


#: Finds formulas of one kind.
_Kind: TypeAlias = Callable[[tuple[Any, ...], Sequence[_Variable]], Iterator[Formula]]


def _formula(expr: Expr, of: Iterable[_Variable], odd: int = 0) -> Formula:
    return Formula(expr, weight(expr) + sum(one.cost for one in of) + 2 * odd)


def _equal(wanted: tuple[Any, ...], variables: Sequence[_Variable]) -> Iterator[Formula]:
    for one in variables:
        if key(one.values) == key(wanted):
            yield _formula(one.expr, (one,))


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


def _of_one(wanted: tuple[Any, ...], variables: Sequence[_Variable]) -> Iterator[Formula]:
    for form in _OF_ONE:
        for one in filter(_is_operand, variables):
            yield from _solved(form, wanted, one)


def _of_two(wanted: tuple[Any, ...], variables: Sequence[_Variable]) -> Iterator[Formula]:
    for pair in permutations(filter(_is_operand, variables), 2):
        for form in _OF_TWO:
            yield from _solved(form, wanted, *pair)


def _is_whole(value: Any) -> bool:
    return type(value) is int


def _is_number(value: Any) -> bool:
    return type(value) is int or type(value) is float


def _is_operand(variable: _Variable) -> bool:
    return not variable.exact and all(map(_is_whole, variable.values))


def _solved(form: _Form, wanted: Sequence[int], *of: _Variable) -> Iterator[Formula]:
    """The form with the first constant that holds in all uses."""
    rows = [*zip(*(one.values for one in of))]
    # The largest value narrows the constants down most, and the others are only looked at if it gives any.
    largest = max(range(len(rows)), key=lambda row: wanted[row])
    for constant in form.guess(wanted[largest], *rows[largest]):
        if all(_computed(form, constant, row) == value for row, value in zip(rows, wanted)):
            if len({*rows}) >= form.support and len({*wanted}) >= form.results:
                yield _formula(form.write(constant, *(one.expr for one in of)), of, _oddity(constant))
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
    """A comparison, and in which uses it holds. ``with_number`` if that is what it compares with."""

    expr: Expr
    of: tuple[_Variable, ...]
    holds: tuple[bool, ...]
    with_number: bool = False


def _comparisons(wanted: tuple[bool, ...], variables: Sequence[_Variable]) -> Iterator[Formula]:
    for test in _tests(variables):
        if test.holds == wanted and _believable(wanted, test):
            yield _formula(test.expr, test.of)


def _junctions(wanted: tuple[bool, ...], variables: Sequence[_Variable]) -> Iterator[Formula]:
    """``stride != 1 or input.channels != channels`` and ``stride == 1 and input.channels == channels``. Other tests
    that are joined mean nothing, even if they explain everything."""
    tests = [*_tests(variables)]
    for sign, comparison, junction in (("or", "!=", any), ("and", "==", all)):
        fitting = [test for test in tests if isinstance(test.expr, Op) and test.expr.sign == comparison]
        strides = [test for test in fitting if test.with_number and test.of[0].role == STRIDE]
        widths = [test for test in fitting if len(test.of) == 2]
        for one, other in product(strides, widths):
            both = tuple(map(junction, zip(one.holds, other.holds)))
            if both == wanted and _believable(wanted, one, other):
                yield _formula(Op(sign, (one.expr, other.expr)), (*one.of, *other.of))


def _believable(wanted: tuple[bool, ...], *tests: _Test) -> bool:
    """Whether enough different uses support tests. A comparison with a number takes three."""
    if len(wanted) < 3 and any(test.with_number for test in tests):
        return False
    variables = [one for test in tests for one in test.of]
    return len(variables) == 1 or len({*zip(wanted, *(one.values for one in variables))}) > len(tests) + 1


def _tests(variables: Sequence[_Variable]) -> Iterator[_Test]:
    for one in variables:
        if all(isinstance(value, bool) for value in one.values):
            yield _Test(one.expr, (one,), one.values)
            yield _Test(Op("not", (one.expr,)), (one,), tuple(not value for value in one.values))
        else:
            yield from _with_literals(one)
    widths = [*filter(_is_width, variables)]
    for one, size in product(widths, widths):
        equal = tuple(a == b for a, b in zip(one.values, size.values))
        if size.is_size and not one.is_size and len({*equal}) == 2:
            yield _Test(_op("==", one.expr, size.expr), (one, size), equal)
            yield _Test(_op("!=", one.expr, size.expr), (one, size), tuple(not e for e in equal))


def _is_width(variable: _Variable) -> bool:
    """Whether a variable may be a number of channels. These are compared with those of the input; that a kernel is as
    large as a picture has colours means nothing."""
    return all(map(_is_whole, variable.values)) and max(variable.values) >= WIDE


def _with_literals(one: _Variable) -> Iterator[_Test]:
    """Comparisons with 1, 0 and None if the variable has that value."""
    for literal in (value for value in (1, 0, None) if key(value) in map(key, one.values)):
        equal = tuple(key(value) == key(literal) for value in one.values)
        for holds, sign in ((True, "is" if literal is None else "=="), (False, "is not" if literal is None else "!=")):
            test = _op(sign, one.expr, Lit(literal))
            yield _Test(test, (one,), tuple(e is holds for e in equal), literal is not None)
        if literal is not None and all(map(_is_number, one.values)):
            greater = tuple(value > literal for value in one.values)
            yield _Test(_op(">", one.expr, Lit(literal)), (one,), greater, True)


#: The least that a formula of each kind costs: kinds that cost more than what is found already are not tried.
_LEAST: dict[_Kind, int] = {_equal: 0, _of_one: 2, _of_two: 3, _comparisons: 0, _junctions: 3}
