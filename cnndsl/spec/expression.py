"""Values: ``$name``, ``$(arithmetic)``, texts that hold them, and literals.

An expression is parsed by Python's own parser into a tree of which only the nodes named here are
allowed, and evaluated by walking that tree. Nothing is ever run: there are no attributes but those
of ``input``, no calls but :data:`FUNCTIONS`, and what could grow is bounded before it is computed.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from cnndsl.diagnostics import Code, Diagnostic, did_you_mean, shorten
from cnndsl.source import Span
from cnndsl.spec import tree
from cnndsl.spec.tree import MAX_INTEGER, MAX_SCALAR, Listing, Scalar, Tree

MAX_TEXT = 256
MAX_DEPTH = 16
MAX_EXPONENT = 64
MAX_LIST = 1024

#: Attributes of ``input``, each with the place of its size in the shape of one sample.
INPUT_SIZES = {"channels": 0, "height": -2, "width": -1, "features": -1}


class Fault(Exception):
    """A value cannot be had; ``diagnostic`` says why."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic
        super().__init__(diagnostic.message)


class Unknown(Exception):
    """A value depends on something that an earlier fault left unknown: nothing is to be said."""


#: What a name is bound to whose value an earlier fault left unknown.
UNKNOWN: Any = type("UnknownValue", (), {"__repr__": lambda self: "unknown"})()


@dataclass(frozen=True)
class Environment:
    """What names mean at a place. ``input`` is the shape of one sample there, None if unknown.

    ``callables`` are the names of layers and blocks: each stands for itself.
    """

    names: Mapping[str, Any]
    callables: Mapping[str, Any] = field(default_factory=dict)
    input: tuple[int, ...] | None = None
    has_input: bool = True

    def bind(self, names: Mapping[str, Any]) -> Environment:
        return Environment({**self.names, **names}, self.callables, self.input, self.has_input)

    def at(self, shape: tuple[int, ...] | None) -> Environment:
        return Environment(self.names, self.callables, shape)


@dataclass(frozen=True)
class Literal:
    value: Any
    span: Span


@dataclass(frozen=True)
class Expression:
    """``text`` is what stands behind ``$``; ``offset`` where it begins in ``span``, if that is known."""

    text: str
    node: ast.expr
    span: Span
    offset: int | None = None

    @property
    def names(self) -> frozenset[str]:
        """The names that the value depends on, ``input`` among them."""
        called = {id(node.func) for node in ast.walk(self.node) if isinstance(node, ast.Call)}
        return frozenset(
            node.id for node in ast.walk(self.node) if isinstance(node, ast.Name) and id(node) not in called
        )

    def place(self, node: ast.AST) -> Span:
        """The span of a part of the expression."""
        if self.offset is None or not self.text.isascii():
            return self.span
        start, end = getattr(node, "col_offset", 0), getattr(node, "end_col_offset", len(self.text))
        return self.span.part(self.offset + start, self.offset + end)


@dataclass(frozen=True)
class Template:
    """A text with values in it."""

    parts: tuple[str | Expression, ...]
    span: Span


@dataclass(frozen=True)
class ListValue:
    items: tuple[Value, ...]
    span: Span


@dataclass(frozen=True)
class CallValue:
    """A layer with its arguments as a value: ``act: {LeakyReLU: {negative_slope: 0.1}}``."""

    name: str
    tree: tree.Mapping
    span: Span


Value: TypeAlias = Literal | Expression | Template | ListValue | CallValue


# --- reading -------------------------------------------------------------------------------------


def parse_value(node: Tree) -> Value:
    """The value that a tree writes. Raises :class:`Fault`."""
    if isinstance(node, Scalar):
        return parse_text(node.value, node.span) if isinstance(node.value, str) else Literal(node.value, node.span)
    if isinstance(node, Listing):
        return ListValue(tuple(map(parse_value, node.items)), node.span)
    if len(node.entries) == 1:
        return CallValue(str(node.entries[0][0].value), node, node.span)
    raise _fault(Code.TYPE, "a value is a scalar, a list, or one layer with its arguments", node.span)


def parse_text(text: str, span: Span) -> Value:
    """``text`` as a literal, an expression, or a template of both."""
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


def _expression_end(text: str, dollar: int, span: Span) -> int:
    """Where the expression that begins with the ``$`` at ``dollar`` ends."""
    if match := _NAME.match(text, dollar + 1):
        return match.end()
    if text[dollar + 1 : dollar + 2] != "(":
        raise _fault(Code.EXPRESSION, "`$` needs a name or `(...)` behind it", span, "`$channels` or `$(2 * channels)`")
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
    help = "inside of `{...}` or `[...]` YAML cuts at a comma: quote the value, or write it in block style"
    raise _fault(Code.EXPRESSION, "`$(` is not closed", span, help)


def _parse_dollar(text: str, dollar: int, end: int, span: Span) -> Expression:
    inner_start = dollar + 2 if text[dollar + 1] == "(" else dollar + 1
    inner = text[inner_start : end - 1] if text[dollar + 1] == "(" else text[inner_start:end]
    written = span.text.find(text)
    return parse_expression(inner, span, written + inner_start if written >= 0 else None)


def parse_expression(text: str, span: Span, offset: int | None = None) -> Expression:
    """Parses Python's notation; raises :class:`Fault` for what the language does not have."""
    if len(text) > MAX_TEXT:
        raise _fault(Code.LIMIT, f"an expression of {len(text)} characters, the limit is {MAX_TEXT}", span)
    stripped = text.lstrip()
    if offset is not None:
        offset += len(text) - len(stripped)
    try:
        node = ast.parse(stripped, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        reason = getattr(error, "msg", None) or "it is nested too deep"
        raise _fault(Code.EXPRESSION, f"`{shorten(text)}` is no expression: {reason}", span) from None
    expression = Expression(stripped, node, span, offset)
    _check(expression, node, 1)
    return expression


_ALLOWED = (
    ast.Constant, ast.Name, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Subscript,
    ast.List, ast.Tuple, ast.Call, ast.Attribute, ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.Load,
)  # fmt: skip
_FORBIDDEN_OPERATORS = (ast.MatMult, ast.LShift, ast.RShift, ast.BitOr, ast.BitXor, ast.BitAnd, ast.Invert)
_HAS = "expressions have numbers, texts, lists, `+ - * / // % **`, comparisons, `and or not`, `a if c else b`, indexing and"


def _check(expression: Expression, node: ast.AST, depth: int) -> None:
    """Refuses what is not in the language, wherever it stands, before anything is evaluated."""
    place = expression.place(node)
    if depth > MAX_DEPTH:
        raise _fault(Code.LIMIT, f"an expression nested more than {MAX_DEPTH} deep", expression.span)
    if not isinstance(node, _ALLOWED) or isinstance(node, _FORBIDDEN_OPERATORS):
        what = re.sub(r"(?<!^)(?=[A-Z])", " ", type(node).__name__).lower()
        raise _fault(Code.EXPRESSION, f"expressions have no {what}", place, f"{_HAS} {', '.join(FUNCTIONS)}")
    if isinstance(node, ast.Constant):
        if not isinstance(node.value, (int, float, str, type(None))):
            raise _fault(Code.EXPRESSION, f"expressions have no {type(node.value).__name__} literals", place)
        if isinstance(node.value, (int, float)):
            _bounded(node.value, place)
    if isinstance(node, ast.Attribute):
        if not (isinstance(node.value, ast.Name) and node.value.id == "input"):
            raise _fault(Code.EXPRESSION, "only `input` has attributes", place, _INPUT_HELP)
        if node.attr != "shape" and node.attr not in INPUT_SIZES:
            raise _fault(Code.EXPRESSION, f"`input` has no `{shorten(node.attr)}`", place, _INPUT_HELP)
    if isinstance(node, ast.Call):
        if not (isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS):
            name = ast.unparse(node.func)
            help = did_you_mean(name, FUNCTIONS) or f"the functions are {', '.join(FUNCTIONS)}"
            raise _fault(Code.EXPRESSION, f"expressions have no function `{shorten(name)}`", place, help)
        if any(keyword.arg != "by" or node.func.id != "divisible" for keyword in node.keywords):
            raise _fault(Code.EXPRESSION, f"`{node.func.id}` takes no such keyword", place)
        for child in (*node.args, *(keyword.value for keyword in node.keywords)):
            _check(expression, child, depth + 1)
        return
    for child in ast.iter_child_nodes(node):
        _check(expression, child, depth + (not isinstance(child, (ast.operator, ast.Load))))


_INPUT_HELP = "`input.channels`, `input.height`, `input.width`, `input.features` and `input.shape` are what there is"


# --- evaluating ----------------------------------------------------------------------------------


def evaluate(value: Value, environment: Environment) -> Any:
    """What a value is worth: numbers, texts, None, tuples of these, or a :class:`CallValue`.

    Raises :class:`Fault` for what cannot be worked out, and :class:`Unknown` for what depends on
    something that an earlier fault left unknown.
    """
    match value:
        case Literal(value=literal):
            return literal
        case CallValue():
            return value
        case ListValue(items=items):
            return tuple(evaluate(item, environment) for item in items)
        case Template(parts=parts):
            texts = (part if isinstance(part, str) else str(evaluate(part, environment)) for part in parts)
            return "".join(texts)[: MAX_SCALAR + 1]
        case Expression():
            return _Evaluation(value, environment).visit(value.node)


class _Evaluation:
    """One walk over an expression's tree."""

    def __init__(self, expression: Expression, environment: Environment) -> None:
        self.expression = expression
        self.environment = environment

    def fault(self, code: Code, message: str, node: ast.AST, help: str = "") -> Fault:
        return _fault(code, message, self.expression.place(node), help)

    def visit(self, node: ast.expr) -> Any:
        try:
            result = getattr(self, f"visit_{type(node).__name__}")(node)
        except (ArithmeticError, TypeError, ValueError, IndexError) as error:
            message = f"`{shorten(ast.unparse(node))}` cannot be worked out: {error}"
            raise self.fault(Code.EVALUATION, message, node) from None
        if isinstance(result, (int, float, complex)):
            _bounded(result, self.expression.place(node))
        return result

    def visit_Constant(self, node: ast.Constant) -> Any:
        return node.value

    def visit_Name(self, node: ast.Name) -> Any:
        names, name = self.environment.names, node.id
        if name in names:
            if names[name] is UNKNOWN:
                raise Unknown
            return names[name]
        if name in self.environment.callables:
            return name
        if name == "input":
            raise self.fault(Code.EXPRESSION, "`input` is a tensor, not a value", node, _INPUT_HELP)
        known = [*names, *self.environment.callables] if name[:1].isupper() else [*names, "input"]
        help = did_you_mean(name, known) or (f"what is known here: {', '.join(map(shorten, names))}" if names else "")
        raise self.fault(Code.UNDEFINED, f"`{shorten(name)}` is not defined", node, help)

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        if not self.environment.has_input:
            raise self.fault(Code.UNDEFINED, "there is no `input` here", node, "only a step and what it calls have one")
        shape = self.environment.input
        if shape is None:
            raise Unknown
        if node.attr == "shape":
            return shape
        if node.attr in ("height", "width") and len(shape) < 3:
            raise self.fault(Code.EVALUATION, f"`input` has no {node.attr}: its shape is {list(shape)}", node)
        return shape[INPUT_SIZES[node.attr]]

    def visit_List(self, node: ast.List | ast.Tuple) -> Any:
        return tuple(map(self.visit, node.elts))

    visit_Tuple = visit_List

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
        return _UNARY[type(node.op)](self.visit(node.operand))

    def visit_BoolOp(self, node: ast.BoolOp) -> Any:
        stop = isinstance(node.op, ast.Or)
        for operand in node.values:
            result = self.visit(operand)
            if bool(result) is stop:
                break
        return result

    def visit_IfExp(self, node: ast.IfExp) -> Any:
        return self.visit(node.body if self.visit(node.test) else node.orelse)

    def visit_Compare(self, node: ast.Compare) -> Any:
        left = self.visit(node.left)
        for op, comparator in zip(node.ops, node.comparators):
            right = self.visit(comparator)
            if not _COMPARE[type(op)](left, right):
                return False
            left = right
        return True

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        value, index = self.visit(node.value), self.visit(node.slice)
        if not isinstance(value, tuple) or type(index) is not int:
            raise TypeError("an index is an integer, and what it is taken of a list")
        return value[index]

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        left, right = self.visit(node.left), self.visit(node.right)
        operation = type(node.op)
        sequences = [side for side in (left, right) if isinstance(side, (str, tuple))]
        if sequences and not (operation is ast.Add and type(left) is type(right)):
            raise TypeError("texts and lists can only be added to their like")
        if sequences and len(left) + len(right) > MAX_LIST:
            raise self.fault(Code.LIMIT, f"a result of {len(left) + len(right)} items, the limit is {MAX_LIST}", node)
        if operation is ast.Pow and abs(right) > MAX_EXPONENT:
            raise self.fault(Code.LIMIT, f"the exponent {right} is past {MAX_EXPONENT}", node)
        return _BINARY[operation](left, right)

    def visit_Call(self, node: ast.Call) -> Any:
        assert isinstance(node.func, ast.Name)
        arguments = [self.visit(argument) for argument in node.args]
        keywords = {str(keyword.arg): self.visit(keyword.value) for keyword in node.keywords}
        return FUNCTIONS[node.func.id](*arguments, **keywords)


def _range(*bounds: int) -> tuple[int, ...]:
    numbers = range(*bounds)
    if len(numbers) > MAX_LIST:
        raise ValueError(f"{len(numbers)} numbers, the limit is {MAX_LIST}")
    return tuple(numbers)


def divisible(v: float, by: int = 8) -> int:
    """``v`` rounded to a multiple of ``by``, at least ``by``, and not more than 10 % below ``v``.

    The rounding of channel counts in MobileNetV2 (Sandler et al., 2018).
    """
    rounded = max(by, int(v + by / 2) // by * by)
    return rounded + by if rounded < 0.9 * v else rounded


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": min, "max": max, "abs": abs, "round": round, "floor": math.floor, "ceil": math.ceil,
    "int": int, "len": len, "sum": sum, "range": _range, "divisible": divisible,
}  # fmt: skip
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos, ast.USub: operator.neg, ast.Not: operator.not_,
}  # fmt: skip
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow,
}  # fmt: skip
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Is: operator.eq, ast.IsNot: operator.ne,
    ast.In: lambda item, items: item in items, ast.NotIn: lambda item, items: item not in items,
}  # fmt: skip


def _bounded(number: float, place: Span) -> None:
    if isinstance(number, complex) or not math.isfinite(number) or abs(number) > 1e300:
        raise _fault(Code.LIMIT, "a number past what a float holds", place)
    if isinstance(number, int) and abs(number) > MAX_INTEGER:
        raise _fault(Code.LIMIT, "an integer past 2^53", place)


def _fault(code: Code, message: str, span: Span, help: str = "") -> Fault:
    return Fault(Diagnostic(code, message, span, help))
