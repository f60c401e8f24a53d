"""Values as written: literals, ``$name``, ``$(arithmetic)``, and strings that contain them.

Python's own parser parses an expression into a tree. Only the nodes named here are allowed:
no attributes but those of ``input``, no calls but :data:`FUNCTIONS`. Everything else is
refused here, wherever it is, before anything is evaluated.
"""

from __future__ import annotations

import ast
import keyword
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any, TypeAlias

from cnndsl.diagnostics import Code, Diagnostic, did_you_mean, shorten
from cnndsl.layers import PARAMETRIZATIONS
from cnndsl.layers.kinds import MAX_NUMBER
from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.spec.functions import FUNCTIONS, USAGE
from cnndsl.spec.names import CONSTANTS, odd_character
from cnndsl.spec.slips import flow_expression, meant_constant, meant_notation, other_value
from cnndsl.spec.tree import MAX_INTEGER, UNKNOWN, Listing, Mapping, Scalar, Tree, plain

MAX_TEXT = 256
MAX_DEPTH = 16
TOO_LARGE = "a number beyond 3.4e38, the largest in float32"

#: Attributes of ``input``, each with the position of its size in the shape of one sample.
INPUT_SIZES = {"channels": 0, "depth": -3, "height": -2, "width": -1, "features": -1}
INPUT_HELP = f"there are {', '.join(f'`input.{name}`' for name in INPUT_SIZES)} and `input.shape`"

Report: TypeAlias = Callable[[Diagnostic], None]


class Fault(Exception):
    """A value has no result; ``diagnostic`` gives the reason."""

    def __init__(self, code: Code, message: str, span: Span, help: str = "") -> None:
        self.diagnostic = Diagnostic(code, message, span, help)
        super().__init__(message)


class Literal(Record, frozen=True):
    """``value`` is UNKNOWN if a fault has been reported."""

    value: Any
    span: Span


class Expression(Record, frozen=True, dict=True):
    """``text`` is the text after ``$``; ``offset`` is its position in ``span``, if known."""

    text: str
    node: ast.expr
    span: Span
    offset: int | None = None

    @cached_property
    def names(self) -> frozenset[str]:
        """The names that the value depends on, ``input`` among them."""
        called = {id(node.func) for node in ast.walk(self.node) if isinstance(node, ast.Call)}
        names = (node for node in ast.walk(self.node) if isinstance(node, ast.Name))
        return frozenset(node.id for node in names if id(node) not in called)

    def place(self, node: ast.AST) -> Span:
        """The span of a part of the expression."""
        if self.offset is None:
            return self.span
        start, end = getattr(node, "col_offset", 0), getattr(node, "end_col_offset", len(self.text))
        return self.span.part(self.offset + start, self.offset + end)


class Template(Record, frozen=True):
    """A string with values in it."""

    parts: tuple[str | Expression, ...]
    span: Span


class ListValue(Record, frozen=True):
    items: tuple[Value, ...]
    span: Span


class Keyword(Record, frozen=True):
    """An argument by name; ``span`` is the place of the name."""

    name: str
    value: Value
    span: Span


class Arguments(Record, frozen=True):
    """The arguments of a layer or block: a list in order, or by name."""

    positional: tuple[Value, ...] = ()
    keywords: tuple[Keyword, ...] = ()
    #: The positional arguments as one value, for a layer whose one argument is a list.
    whole: Value | None = None

    @property
    def alone(self) -> Value | None:
        """The one value without brackets, which may evaluate to a list."""
        return self.whole if self.positional == (self.whole,) and not isinstance(self.whole, ListValue) else None

    @property
    def values(self) -> Iterator[Value]:
        yield from self.positional
        yield from (keyword.value for keyword in self.keywords)


def dealt(whole: Value, items: tuple[Any, ...], most: int) -> tuple[Value, ...]:
    """The ``items`` that a value evaluates to, each as a value of its own: ``$(row[0])`` and so on for ``$row``.

    Items beyond the first ``most``, which nobody uses, are the whole value.
    """
    if not isinstance(whole, Expression):
        return tuple(Literal(item, whole.span) for item in items)
    text = whole.text if isinstance(whole.node, ast.Name) else f"({whole.text})"
    nodes = (ast.Subscript(whole.node, ast.Constant(index), ast.Load()) for index in range(min(len(items), most)))
    values = (Expression(f"{text}[{index}]", node, whole.span) for index, node in enumerate(nodes))
    return (*values, *[whole] * (len(items) - most))


class CallValue(Record, frozen=True):
    """A layer or a parametrization with its arguments as a value: ``act: {LeakyReLU: {negative_slope: 0.1}}``."""

    name: str
    arguments: Arguments
    span: Span

    def __repr__(self) -> str:
        return f"{self.name}(...)"


Value: TypeAlias = Literal | Expression | Template | ListValue | CallValue


def expressions_in(value: Value) -> Iterator[Expression]:
    """The expressions in a value."""
    match value:
        case Expression():
            yield value
        case Template(parts=parts):
            yield from (part for part in parts if isinstance(part, Expression))
        case ListValue(items=items):
            for item in items:
                yield from expressions_in(item)
        case CallValue(arguments=arguments):
            for item in arguments.values:
                yield from expressions_in(item)


# --- reading -------------------------------------------------------------------------------------


def parse_value(node: Tree, report: Report) -> Value:
    """The value of a tree. If it has a fault, that is reported, and the value is unknown."""
    if isinstance(node, Scalar):
        value, span = node.value, node.span
        return parse_text(value, span, report) if isinstance(value, str) else Literal(value, span)
    if isinstance(node, Listing):
        return ListValue(tuple(parse_value(item, report) for item in node.items), node.span)
    key, inner = node.entries[0] if len(node.entries) == 1 else (None, None)
    if key is None or inner is None or not _is_callee(str(key.value)):
        meant = did_you_mean(str(key.value), PARAMETRIZATIONS) if key else ""
        help = meant or "write a layer as `{LeakyReLU: {negative_slope: 0.1}}`"
        message = "a value must be a scalar, a list, or one layer or parametrization with its arguments"
        report(Diagnostic(Code.TYPE, message, node.span.first_line, help))
        return Literal(UNKNOWN, node.span)
    return CallValue(str(key.value), parse_arguments(inner, report), node.span)


def _is_callee(name: str) -> bool:
    return name[:1].isupper() or name in PARAMETRIZATIONS


def parse_call(node: Tree, report: Report) -> Value:
    """A function of torch: its name alone, or the one key of a mapping with its arguments, or an expression that gives
    the name. Anything else is a literal, the tree without its places."""
    if isinstance(node, Mapping) and len(node.entries) == 1:
        ((key, inner),) = node.entries
        return CallValue(str(key.value), parse_arguments(inner, report), key.span)
    if not (isinstance(node, Scalar) and isinstance(node.value, str)):
        return Literal(plain(node), node.span)
    if "$" in node.value:
        return parse_text(node.value, node.span, report)
    return CallValue(node.value, Arguments(), node.span)


def parse_arguments(node: Tree, report: Report) -> Arguments:
    """The arguments after a layer's name: a mapping, a list, one value, or nothing."""
    if isinstance(node, Mapping):
        pairs = ((str(key.value), parse_value(value, report), key.span) for key, value in node.entries)
        return Arguments(keywords=tuple(Keyword(*pair) for pair in pairs))
    if isinstance(node, Scalar) and node.value is None:
        return Arguments()
    whole = parse_value(node, report)
    return Arguments(whole.items if isinstance(whole, ListValue) else (whole,), whole=whole)


def parse_text(text: str, span: Span, report: Report) -> Value:
    """``text`` as a literal, an expression, or a template of both."""
    try:
        return _parse_text(text, span)
    except Fault as fault:
        report(fault.diagnostic)
        return Literal(UNKNOWN, span)


def _parse_text(text: str, span: Span) -> Value:
    parts: list[str | Expression] = []
    position = 0
    while (dollar := text.find("$", position)) >= 0:
        end = _expression_end(text, dollar, span)
        if dollar > position:
            parts.append(text[position:dollar])
        parts.append(_parse_dollar(text, dollar, end, span))
        position = end
    if not parts:
        return Literal(text, span)
    if position < len(text):
        parts.append(text[position:])
    if len(parts) == 1 and isinstance(parts[0], Expression):
        return parts[0]
    return Template(tuple(parts), span)


_NAME = re.compile(r"[^\W\d]\w*")
_ATTRIBUTE = re.compile(rf"input\.({'|'.join(INPUT_SIZES)}|shape)\b")


def _expression_end(text: str, dollar: int, span: Span) -> int:
    """The end of the expression that begins with the ``$`` at ``dollar``."""
    if match := _ATTRIBUTE.match(text, dollar + 1):
        raise Fault(Code.EXPRESSION, f"`${match[0]}` needs brackets", span, f"`$({match[0]})`")
    if match := _NAME.match(text, dollar + 1):
        if (whole := flow_expression(text, dollar)) and (text[match.end()] == "[" or match[0] in FUNCTIONS):
            raise Fault(Code.EXPRESSION, f"`{shorten(text[dollar : whole[1]])}` needs brackets", span, f"`{whole[2]}`")
        return match.end()
    if text[dollar + 1 : dollar + 2] != "(":
        meant = other_value(text, dollar)
        help = f"`{meant[2]}`" if meant else "`$channels` or `$(2 * channels)`"
        raise Fault(Code.EXPRESSION, "`$` needs a name or `(...)` after it", span, help)
    end = _closing(text, dollar)
    if end is None:
        raise unclosed_fault(text[dollar:], span)
    return end


def unclosed(text: str) -> bool:
    """Whether a text contains a ``$`` whose bracket is not closed."""
    dollar = text.find("$")
    bracket = text.find("(", dollar)
    return 0 <= dollar < bracket and _closing(text, bracket - 1) is None


def expression_start(text: str) -> int | None:
    """The position of the ``$(`` whose bracket is open at the end of a text, None if there is none."""
    position = 0
    while (dollar := text.find("$(", position)) >= 0:
        end = _closing(text, dollar)
        if end is None:
            return dollar
        position = end
    return None


def _closing(text: str, dollar: int) -> int | None:
    """The position after the closing bracket of the ``$`` at ``dollar``, None if it is not closed."""
    depth, quote = 0, ""
    for index in range(dollar + 1, len(text)):
        character = text[index]
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "([":
            depth += 1
        elif character in ")]":
            depth -= 1
            if depth == 0:
                return index + 1
    return None


def unclosed_fault(text: str, span: Span) -> Fault:
    """The fault that an expression is cut off; if YAML has cut it, at the whole expression."""
    line, dollar = span.source.line(span.line), span.column - 1 + max(text.find("$"), 0)
    message, help = f"the expression `{shorten(text)}` is cut off", "a `)` is missing"
    if whole := flow_expression(line, dollar):
        help = f"YAML cuts it at the comma; quote it: `{whole[2]}`"
        span = span.part(whole[0] - span.column + 1, whole[1] - span.column + 1)
    return Fault(Code.EXPRESSION, message, span, help)


def _parse_dollar(text: str, dollar: int, end: int, span: Span) -> Expression:
    bracketed = text[dollar + 1] == "("
    start, stop = (dollar + 2, end - 1) if bracketed else (dollar + 1, end)
    written = span.text.find(text)
    offset = written + start if written >= 0 else None
    if not bracketed and _is_keyword(name := text[start:stop]):
        return Expression(name, ast.Name(name, ast.Load(), col_offset=0, end_col_offset=len(name)), span, offset)
    return parse_expression(text[start:stop], span, offset)


def _is_keyword(text: str) -> bool:
    """Whether a name is a keyword of Python without a value. Its definition is refused."""
    return keyword.iskeyword(text) and text not in ("True", "False", "None")


def parse_expression(text: str, span: Span, offset: int | None = None) -> Expression:
    """Parses Python's notation. Raises :class:`Fault` for anything that the language does not have."""
    if len(text) > MAX_TEXT:
        raise Fault(Code.LIMIT, f"the expression has {len(text)} characters, the limit is {MAX_TEXT}", span)
    stripped = re.sub(r"\s", " ", text).lstrip()
    if offset is not None:
        offset += len(text) - len(text.lstrip())
    place = span if offset is None else span.part(offset, offset + max(len(stripped.rstrip()), 1))
    if odd := odd_character(text):
        raise Fault(Code.EXPRESSION, f"the expression contains {odd}", place, "expressions are written in ASCII")
    if "\\" in text:
        raise Fault(Code.EXPRESSION, "expressions have no `\\`", place, "strings in them are taken literally")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            node = ast.parse(stripped, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        message = f"`{shorten(stripped)}` is not an expression" if stripped else "an expression is missing here"
        raise Fault(Code.EXPRESSION, message, place, meant_notation(stripped)) from None
    expression = Expression(stripped, _Constants().visit(node), span, offset)
    _check(expression, expression.node, 1)
    return expression


class _Constants(ast.NodeTransformer):
    """Reads `null`, `true` and `false`, in all of YAML's spellings, as Python's constants."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id not in CONSTANTS:
            return node
        return ast.copy_location(ast.Constant(CONSTANTS[node.id]), node)


# --- what expressions may contain-----------------------------------------------------------------

_ALLOWED = (
    ast.Constant, ast.Name, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Subscript,
    ast.Slice, ast.List, ast.Tuple, ast.Call, ast.Attribute, ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.Load,
)  # fmt: skip
_REFUSED: dict[type[ast.AST], str] = {
    **dict.fromkeys((ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp), "comprehensions"),
    ast.Lambda: "lambdas", ast.JoinedStr: "f-strings", ast.NamedExpr: "`:=`",
    ast.Starred: "`*` before a list", ast.Dict: "mappings", ast.Set: "sets", ast.MatMult: "`@`",
    ast.LShift: "`<<`", ast.RShift: "`>>`", ast.Invert: "`~`",
    ast.BitOr: "`|`; for conditions, write `or`", ast.BitAnd: "`&`; for conditions, write `and`",
    ast.BitXor: "`^`; write a power as `**`",
}  # fmt: skip
_HAS = (
    "there are numbers, strings, lists, `+ - * / // % **`, comparisons, `and or not`, `a if c else b`, "
    f"`list[0]`, `list[1:3]` and {', '.join(FUNCTIONS)}"
)


def _check(expression: Expression, node: ast.AST, depth: int) -> None:
    """Refuses everything that is not in the language, wherever it is."""
    place = expression.place(node)
    if depth > MAX_DEPTH:
        message = f"the expression is nested more than {MAX_DEPTH} deep"
        raise Fault(Code.LIMIT, message, expression.span, "name parts of it with `let` or `params`")
    if not isinstance(node, _ALLOWED) or type(node) in _REFUSED:
        what = _REFUSED.get(type(node)) or re.sub(r"(?<!^)(?=[A-Z])", " ", type(node).__name__).lower()
        raise Fault(Code.EXPRESSION, f"expressions have no {what}", place, _HAS)
    if isinstance(node, ast.Constant):
        _check_constant(node.value, place)
    elif isinstance(node, ast.Attribute):
        _check_attribute(node, place)
    elif isinstance(node, ast.Call):
        _check_call(node, place)
    elif isinstance(node, ast.Compare):
        _check_identity(node, place)
    elif isinstance(node, ast.Slice) and node.step is not None:
        raise Fault(Code.EXPRESSION, "a slice may not have a step", place, "`list[1:3]`, `list[:3]` or `list[1:]`")
    for child in _parts(node):
        operator = isinstance(child, (ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.Load))
        _check(expression, child, depth + (not operator))


def _parts(node: ast.AST) -> Iterable[ast.AST]:
    """The nodes below one that remain to be checked: for a call, its arguments."""
    if isinstance(node, ast.Attribute):
        return ()
    if isinstance(node, ast.Call):
        return [*node.args, *(keyword.value for keyword in node.keywords)]
    return ast.iter_child_nodes(node)


def _check_constant(value: object, place: Span) -> None:
    if value is None or isinstance(value, (bool, str)):
        return
    if not isinstance(value, (int, float)):
        what = {bytes: "bytes", complex: "complex numbers"}.get(type(value), "`...`")
        raise Fault(Code.EXPRESSION, f"expressions have no {what}", place, _HAS)
    check_number(value, place)


def check_number(number: float, place: Span) -> None:
    """Raises :class:`Fault` for a number that is :func:`out_of_bounds`."""
    if message := out_of_bounds(number):
        raise Fault(Code.LIMIT, message, place)


def out_of_bounds(number: float) -> str:
    """What a number is if it is beyond the bounds of integers or floats; "" if it is not."""
    if isinstance(number, int):
        return "an integer beyond 2^53" if abs(number) > MAX_INTEGER else ""
    return "" if abs(number) <= MAX_NUMBER else TOO_LARGE


def _check_attribute(node: ast.Attribute, place: Span) -> None:
    if not (isinstance(node.value, ast.Name) and node.value.id == "input"):
        raise Fault(Code.EXPRESSION, "only `input` has attributes", place, INPUT_HELP)
    if node.attr != "shape" and node.attr not in INPUT_SIZES:
        help = did_you_mean(node.attr, (*INPUT_SIZES, "shape")) or INPUT_HELP
        raise Fault(Code.EXPRESSION, f"`input` has no `{shorten(node.attr)}`", place, help)


def _check_call(node: ast.Call, place: Span) -> None:
    if not (isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS):
        name = ast.unparse(node.func)
        help = did_you_mean(name, FUNCTIONS) or f"the functions are {', '.join(FUNCTIONS)}"
        raise Fault(Code.EXPRESSION, f"expressions have no function `{shorten(name)}`", place, help)
    if any(keyword.arg != "by" or node.func.id != "divisible" for keyword in node.keywords):
        raise Fault(
            Code.EXPRESSION, f"`{node.func.id}` does not take this keyword argument", place, f"`{USAGE[node.func.id]}`"
        )


def _check_identity(node: ast.Compare, place: Span) -> None:
    for op, side in zip(node.ops, node.comparators):
        constant = isinstance(side, ast.Constant) and (side.value is None or isinstance(side.value, bool))
        if isinstance(op, (ast.Is, ast.IsNot)) and not constant:
            help = (meant_constant(side.id) if isinstance(side, ast.Name) else "") or "write `==`"
            raise Fault(Code.EXPRESSION, "`is` compares only with None, True and False", place, help)
