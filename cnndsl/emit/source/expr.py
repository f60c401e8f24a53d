"""Expressions of the emitted program: frozen trees that know their names, their values, and how they are written."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from typing import Any, TypeAlias

from cnndsl.emit.source.layout import Code, Group, call, flat, joined, prefixed
from cnndsl.record import Record
from cnndsl.spec.tree import MAX_INTEGER


class Reference(Record, frozen=True):
    """A value that is a Python name: a layer as a parameter, ``act=nn.ReLU``."""

    name: str

    def __repr__(self) -> str:
        return self.name


class Lit(Record, frozen=True, eq=False):
    """A number, a string, None, a :class:`Reference`, or a tuple of these. Equal if it is written alike: 1 is not True,
    and 0.0 is not -0.0."""

    value: Any

    def __eq__(self, other: object) -> bool:
        return same(self.value, other.value) if isinstance(other, Lit) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.value)


class Ref(Record, frozen=True):
    """A variable, or what begins with one: ``x``, ``torch.cat``, ``self.conv1``."""

    name: str


class Op(Record, frozen=True):
    """An operator between operands; ``not`` and ``neg`` have one."""

    sign: str
    operands: tuple[Expr, ...]


class If(Record, frozen=True):
    test: Expr
    then: Expr
    otherwise: Expr


class Call(Record, frozen=True):
    callee: Expr
    arguments: tuple[Expr, ...] = ()
    keywords: tuple[tuple[str, Expr], ...] = ()


class Index(Record, frozen=True):
    of: Expr
    at: Expr


class Items(Record, frozen=True):
    """A list, a tuple, also one without brackets, or a dictionary with ``keys``."""

    items: tuple[Expr, ...]
    brackets: str = "[]"
    keys: tuple[str, ...] = ()


class Each(Record, frozen=True):
    """``*(element for name in over)`` between other items; without the ``star``, it is the only argument."""

    element: Expr
    names: tuple[str, ...]
    over: Expr
    star: bool = True


class Spread(Record, frozen=True):
    """``*items`` between other items."""

    items: Expr


class Opaque(Record, frozen=True):
    """What is known to depend on some names, but has no formula."""

    names: frozenset[str] = frozenset()


Expr: TypeAlias = Lit | Ref | Op | If | Call | Index | Items | Each | Spread | Opaque
TRUE, FALSE, NONE = Lit(True), Lit(False), Lit(None)

# --- parts ---------------------------------------------------------------------------------------


def parts(expr: Expr) -> tuple[Expr, ...]:
    """The expressions directly inside another."""
    match expr:
        case Op(operands=operands):
            return operands
        case If():
            return expr.test, expr.then, expr.otherwise
        case Call():
            return (expr.callee, *expr.arguments, *(value for _, value in expr.keywords))
        case Index():
            return expr.of, expr.at
        case Items(items=items):
            return items
        case Each():
            return expr.over, expr.element
        case Spread(items=spread):
            return (spread,)
    return ()


def with_parts(expr: Expr, new: Iterable[Expr]) -> Expr:
    """The same expression of other parts, simplified."""
    made = tuple(new)
    match expr:
        case Op(sign=sign):
            return operation(sign, *made)
        case If():
            return choice(*made)
        case Call():
            count = 1 + len(expr.arguments)
            names = (name for name, _ in expr.keywords)
            return Call(made[0], made[1:count], tuple(zip(names, made[count:])))
        case Index():
            return index(*made)
        case Items():
            return Items(made, expr.brackets, expr.keys)
        case Each():
            return Each(made[1], expr.names, made[0], expr.star)
        case Spread():
            return Spread(*made)
    return expr


def free_names(expr: Expr) -> frozenset[str]:
    """The variables that an expression depends on."""
    if isinstance(expr, Ref):
        return frozenset({expr.name})
    if isinstance(expr, Opaque):
        return expr.names
    found = frozenset[str]().union(*map(free_names, parts(expr)))
    return found - {*expr.names} if isinstance(expr, Each) else found


def uses(expr: Expr, name: str) -> int:
    """How often an expression mentions a variable."""
    return expr.name == name if isinstance(expr, Ref) else sum(uses(part, name) for part in parts(expr))


def substitute(expr: Expr, names: Mapping[str, Expr]) -> Expr:
    """The expression with variables replaced."""
    if isinstance(expr, Ref):
        return names.get(expr.name, expr)
    if isinstance(expr, Opaque):
        replaced = (free_names(names.get(name, Ref(name))) for name in expr.names)
        return Opaque(frozenset[str]().union(*replaced))
    return with_parts(expr, (substitute(part, names) for part in parts(expr))) if parts(expr) else expr


def assuming(expr: Expr, test: Expr, holds: bool) -> Expr:
    """The expression where it is known whether a condition holds."""
    if isinstance(expr, If) and expr.test == test:
        return assuming(expr.then if holds else expr.otherwise, test, holds)
    return with_parts(expr, (assuming(part, test, holds) for part in parts(expr))) if parts(expr) else expr


def hidden(*what: object) -> Ref:
    """A variable that formulas may have while they are sought, but that no program has."""
    return Ref(" ".join(map(str, what)))


def weight(expr: Expr) -> int:
    """How many parts an expression has, those of its parts too."""
    return 1 + sum(map(weight, parts(expr)))


def is_formula(expr: Expr) -> bool:
    """Whether an expression has a formula throughout."""
    return not isinstance(expr, Opaque) and all(map(is_formula, parts(expr)))


def is_written(expr: Expr) -> bool:
    """Whether an expression is a formula without hidden variables."""
    if isinstance(expr, Ref):
        return " " not in expr.name
    return not isinstance(expr, Opaque) and all(map(is_written, parts(expr)))


# --- values --------------------------------------------------------------------------------------

#: The value of what cannot be computed.
UNKNOWN: Any = type("Unknown", (), {"__repr__": lambda self: "unknown"})()
#: The largest exponent to compute.
MAX_EXPONENT = 64

_COMPUTE: dict[str, Callable[..., Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "//": operator.floordiv,
    "%": operator.mod, "**": operator.pow, "neg": operator.neg, "==": operator.eq, "!=": operator.ne,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "is": operator.is_,
    "is not": operator.is_not, "in": lambda item, items: item in items, "not in": lambda item, items: item not in items,
    "not": operator.not_,
}  # fmt: skip
ARITHMETIC = ("+", "-", "*", "/", "//", "%", "**", "neg")
BUILTINS: dict[str, Callable[..., Any]] = {
    "min": min, "max": max, "abs": abs, "round": round, "int": int, "len": len, "sum": sum,
}  # fmt: skip


def value(expr: Expr, names: Mapping[str, Any]) -> Any:
    """What an expression evaluates to, UNKNOWN if that fails or would be large."""
    try:
        return _value(expr, names)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return UNKNOWN


def _value(expr: Expr, names: Mapping[str, Any]) -> Any:
    match expr:
        case Lit(value=literal):
            return literal
        case Ref(name=name):
            if names[name] is UNKNOWN:
                raise LookupError(name)
            return names[name]
        case Op(sign="and" | "or" as sign, operands=operands):
            result = None
            for operand in operands:
                result = _value(operand, names)
                if bool(result) is (sign == "or"):
                    break
            return result
        case Op(sign=sign, operands=operands):
            return _computed(sign, [_value(operand, names) for operand in operands])
        case If():
            return _value(expr.then if _value(expr.test, names) else expr.otherwise, names)
        case Index():
            return _value(expr.of, names)[_value(expr.at, names)]
        case Items(items=items):
            return tuple(_value(item, names) for item in items)
        case Call(callee=Ref(name="range")):
            return range(*(_value(argument, names) for argument in expr.arguments))
        case Call(callee=Ref(name=name), keywords=()):
            return BUILTINS[name](*(_value(argument, names) for argument in expr.arguments))
    raise LookupError


def _computed(sign: str, operands: list[Any]) -> Any:
    """An operation on numbers of bounded size, or a comparison."""
    if sign in ARITHMETIC:
        if not all(isinstance(operand, (int, float)) for operand in operands):
            raise TypeError
        if sign == "**" and abs(operands[1]) > MAX_EXPONENT:
            raise OverflowError
    result = reduce(_COMPUTE[sign], operands) if len(operands) > 1 else _COMPUTE[sign](*operands)
    if isinstance(result, int) and abs(result) > MAX_INTEGER:
        raise OverflowError
    return result


# --- making, with the simplifications that a person makes ----------------------------------------

OPPOSITE = {"==": "!=", "!=": "==", "in": "not in", "not in": "in", "is": "is not", "is not": "is"}


def operation(sign: str, *operands: Expr) -> Expr:
    """An operation, computed if its operands are known."""
    if sign in ("and", "or"):
        return _junction(sign, operands)
    if all(isinstance(operand, Lit) for operand in operands):
        known = value(Op(sign, operands), {})
        if known is not UNKNOWN:
            return Lit(known)
    if sign == "not":
        (operand,) = operands
        if isinstance(operand, Op) and operand.sign in OPPOSITE:
            return Op(OPPOSITE[operand.sign], operand.operands)
        return operand.operands[0] if isinstance(operand, Op) and operand.sign == "not" else Op("not", operands)
    if len(operands) == 2:
        left, right = operands
        if (_is(right, 1) and sign in ("*", "//")) or (_is(right, 0) and sign in ("+", "-")):
            return left
        if (_is(left, 1) and sign == "*") or (_is(left, 0) and sign == "+"):
            return right
        if sign == "//" and isinstance(right, Lit) and (whole := _divided(left, right.value)):
            return whole
        if NONE in operands and sign in ("==", "!="):
            sign = {"==": "is", "!=": "is not"}[sign]
    return Op(sign, operands)


def _divided(expr: Expr, by: Any) -> Expr | None:
    """A multiple divided by a number that divides its factor: ``width * 64 // 64`` is ``width``."""
    if isinstance(expr, Op) and expr.sign == "*" and isinstance(expr.operands[1], Lit):
        term, factor = expr.operands[0], expr.operands[1].value
        if type(by) is type(factor) is int and by and factor % by == 0:
            return operation("*", term, Lit(factor // by))
    return None


def _is(expr: Expr, number: int) -> bool:
    return isinstance(expr, Lit) and type(expr.value) is int and expr.value == number


def _junction(sign: str, operands: tuple[Expr, ...]) -> Expr:
    """``and`` or ``or`` without the operands that decide nothing."""
    kept: list[Expr] = []
    for position, operand in enumerate(operands):
        if isinstance(operand, Lit):
            decides = bool(operand.value) is (sign == "or")
            if decides:
                kept.append(operand)
                break
            if position < len(operands) - 1 or (isinstance(operand.value, bool) and kept and is_condition(kept[-1])):
                continue
        kept.append(operand)
    return kept[0] if len(kept) == 1 else Op(sign, tuple(kept))


def is_condition(expr: Expr) -> bool:
    """Whether an expression is true or false, and nothing else."""
    match expr:
        case Lit(value=bool()) | Op(sign="not"):
            return True
        case Op(sign="and" | "or", operands=operands):
            return all(map(is_condition, operands))
        case Op(sign=sign):
            return sign not in ARITHMETIC
    return False


def choice(test: Expr, then: Expr, otherwise: Expr) -> Expr:
    """``then if test else otherwise``, without the test where it decides nothing: ``a if a != b else b`` is ``a``."""
    if isinstance(test, Lit):
        return then if test.value else otherwise
    if then == otherwise or _agree(test, "or", "!=", then, otherwise):
        return then
    if _agree(test, "and", "==", then, otherwise):
        return otherwise
    if isinstance(test, Op) and test.sign in _EXTREME and {then, otherwise} == {*test.operands}:
        function = _EXTREME[test.sign][then != test.operands[0]]
        return Call(Ref(function), test.operands)
    return test if (then, otherwise) == (TRUE, FALSE) and is_condition(test) else If(test, then, otherwise)


#: What ``a if a > b else b`` is, and ``b if a > b else a``.
_EXTREME = {">": ("max", "min"), ">=": ("max", "min"), "<": ("min", "max"), "<=": ("min", "max")}


def _agree(test: Expr, junction: str, sign: str, then: Expr, otherwise: Expr) -> bool:
    """Whether two sides are the same where a comparison that is part of a test makes its own sides equal."""
    tests = test.operands if isinstance(test, Op) and test.sign == junction else (test,)
    for one in tests:
        if isinstance(one, Op) and one.sign == sign:
            for name, equal in (one.operands, one.operands[::-1]):
                names = {name.name: equal} if isinstance(name, Ref) else {}
                if names and substitute(then, names) == substitute(otherwise, names):
                    return True
    return False


def index(of: Expr, at: Expr) -> Expr:
    if isinstance(at, Lit) and isinstance(at.value, int):
        if isinstance(of, Items) and -len(of.items) <= at.value < len(of.items):
            return of.items[at.value]
        if isinstance(of, Lit):
            known = value(Index(of, at), {})
            return Opaque() if known is UNKNOWN else Lit(known)
    return Index(of, at)


def items(made: Iterable[Expr]) -> Expr:
    """A tuple."""
    listed = tuple(made)
    known = [item.value for item in listed if isinstance(item, Lit)]
    return Lit(tuple(known)) if len(known) == len(listed) else Items(listed, "()")


# --- sums ----------------------------------------------------------------------------------------


def total(summands: Iterable[Expr]) -> Expr:
    """A sum as a person would write it: ``2 * channels`` for ``channels + channels``, numbers last."""
    factors: dict[Expr, int] = {}
    listed = [*summands]
    if len(listed) == 1:
        return listed[0]
    for summand in listed:
        for term, factor in terms(summand):
            factors[term] = factors.get(term, 0) + factor
    number = factors.pop(Lit(1), 0)
    made = [operation("*", Lit(factor), term) for term, factor in factors.items()]
    if number or not made:
        made.append(Lit(number))
    return made[0] if len(made) == 1 else Op("+", tuple(made))


def terms(expr: Expr) -> Iterator[tuple[Expr, int]]:
    """The terms of a sum with their factors; a number is a factor of 1."""
    match expr:
        case Lit(value=int() as number):
            yield Lit(1), number
        case Op(sign="+", operands=operands):
            for operand in operands:
                yield from terms(operand)
        case (
            Op(sign="*", operands=(Lit(value=int() as factor), term))
            | Op(sign="*", operands=(term, Lit(value=int() as factor)))
        ):
            yield term, factor
        case _:
            yield expr, 1


def scaled(expr: Expr, numerator: int, denominator: int = 1) -> Expr:
    """A multiple or a part of a whole number."""
    found = [*terms(expr)]
    if all(factor * numerator % denominator == 0 for _, factor in found):
        return total(operation("*", Lit(factor * numerator // denominator), term) for term, factor in found)
    return operation("//", operation("*", expr, Lit(numerator)), Lit(denominator))


def product(factors: Iterable[Expr]) -> Expr:
    """A product, numbers multiplied and last."""
    listed = [*factors]
    number = reduce(operator.mul, (factor.value for factor in listed if isinstance(factor, Lit)), 1)
    return reduce(
        lambda left, right: operation("*", left, right),
        [*(factor for factor in listed if not isinstance(factor, Lit)), Lit(number)],
    )


# --- how it is written ---------------------------------------------------------------------------

#: How tightly operators bind, from the loosest.
_BINDS = {
    "or": 2, "and": 3, "not": 4, **dict.fromkeys(("==", "!=", "<", "<=", ">", ">=", "is", "is not", "in", "not in"), 5),
    "+": 6, "-": 6, "*": 7, "/": 7, "//": 7, "%": 7, "neg": 8, "**": 9,
}  # fmt: skip
_ATOM = 10


def _binds(expr: Expr) -> int:
    match expr:
        case If():
            return 1
        case Op(sign=sign):
            return _BINDS[sign]
        case Lit(value=int() | float() as number) if number < 0:
            return _BINDS["neg"]
    return _ATOM


def code(expr: Expr) -> Code:
    """An expression as a document."""
    match expr:
        case Lit(value=value):
            return written(value)
        case Ref(name=name):
            return name
        case Op(sign="not" | "neg" as sign, operands=(operand,)):
            return ("not " if sign == "not" else "-") + _inside(operand, _BINDS[sign])
        case Op():
            return _operation_code(expr)
        case If():
            test, otherwise = _inside(expr.test, 2), _inside(expr.otherwise, 1)
            return joined(_operand(expr.then, 2), f"if {test}", f"else {otherwise}")
        case Call(arguments=(Each(star=False) as each,)):
            loop = f"for {', '.join(each.names)} in {text(each.over)}"
            return Group(f"{text(expr.callee)}(", (code(each.element), loop), ")", commas=False)
        case Call():
            keywords = (prefixed(f"{name}=", _argument(value)) for name, value in expr.keywords)
            return call(_inside(expr.callee, _ATOM), *map(_argument, expr.arguments), *keywords)
        case Index():
            return f"{_inside(expr.of, _ATOM)}[{flat(code(expr.at))}]"
        case Items(keys=()):
            return _items_code(expr)
        case Items():
            pairs = (prefixed(f"{literal(key)}: ", code(item)) for key, item in zip(expr.keys, expr.items))
            return Group("{", tuple(pairs), "}", display=True)
        case Each():
            loop = f"for {', '.join(expr.names)} in {flat(code(expr.over))}"
            return Group("*(", (code(expr.element), loop), ")", commas=False)
        case Spread():
            inner = code(expr.items)
            if isinstance(expr.items, If) and isinstance(inner, Group):
                return Group("*(", inner.parts, ")", commas=False)
            return prefixed("*", inner)
    raise AssertionError(f"{expr} has no formula")


def text(expr: Expr) -> str:
    """An expression on one line."""
    return flat(code(expr))


def _argument(expr: Expr) -> Code:
    """An argument; a formula is short enough for one line."""
    return text(expr) if isinstance(expr, Op) else code(expr)


def _inside(expr: Expr, binds: int) -> str:
    """An operand on one line, in parentheses if it binds less tightly than what is around it."""
    return f"({text(expr)})" if _binds(expr) < binds else text(expr)


def _operand(expr: Expr, binds: int) -> Code:
    return f"({text(expr)})" if _binds(expr) < binds else code(expr)


def _operation_code(expr: Op) -> Code:
    first, *others = expr.operands
    binds = _BINDS[expr.sign]
    if expr.sign == "**":
        gap = "" if all(isinstance(operand, (Lit, Ref)) for operand in expr.operands) else " "
        return f"{_inside(first, binds + 1)}{gap}**{gap}{_inside(others[0], binds)}"
    comparing = binds == _BINDS["=="]
    return joined(_inside(first, binds + comparing), *(f"{expr.sign} {_inside(other, binds + 1)}" for other in others))


def _items_code(expr: Items) -> Code:
    brackets = expr.brackets or "()"
    opening, closing = brackets[0], brackets[1]
    if opening == "(" and len(expr.items) == 1:
        return f"({text(expr.items[0])},)"
    return Group(opening, tuple(map(code, expr.items)), closing, display=True, bare=not expr.brackets)


# --- how values are written ----------------------------------------------------------------------


def written(value: Any) -> Code:
    """A value as a person would write it: tuples, double quotes."""
    if isinstance(value, tuple) and len(value) > 1:
        return Group("(", tuple(map(written, value)), ")", display=True)
    return literal(value)


def literal(value: Any) -> str:
    """:func:`written`, on one line. Values are the same if their literals are."""
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))}{',' if len(value) == 1 else ''})"
    return _quoted(value) if isinstance(value, str) else repr(value)


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same: 1 is not 1.0."""
    return one is other or literal(one) == literal(other)


def all_same(values: Sequence[Any]) -> bool:
    """Whether there is one value at most."""
    return all(same(value, values[0]) for value in values)


def _quoted(text: str) -> str:
    """A string in double quotes, or in single ones if that saves escapes."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    escaped = text.replace("\\", "\\\\").replace(quote, f"\\{quote}")
    shown = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in escaped)
    return f"{quote}{''.join(shown)}{quote}"
