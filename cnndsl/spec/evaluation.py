"""Evaluates values. No code ever runs: the tree of an expression is walked, and results that could grow are
bounded before they are computed."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from cnndsl.diagnostics import Code, did_you_mean, shorten
from cnndsl.limits import LIMITS, how_to_raise
from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.spec.functions import FUNCTIONS, MAX_LIST, USAGE
from cnndsl.spec.hints import as_integer, meant_by
from cnndsl.spec.slips import meant_constant
from cnndsl.spec.tree import MAX_SCALAR, UNKNOWN
from cnndsl.spec.values import (
    INPUT_HELP,
    INPUT_SIZES,
    MAX_DEPTH,
    TOO_LARGE,
    CallValue,
    Expression,
    Fault,
    ListValue,
    Literal,
    Template,
    Value,
    out_of_bounds,
)

__all__ = [
    "FUNCTIONS",
    "UNKNOWN",
    "CallValue",
    "Environment",
    "Expression",
    "Fault",
    "Literal",
    "Unknown",
    "Value",
    "evaluate",
]

MAX_EXPONENT = 64


class Meter(Struct):
    """Counts the operations that the values of a spec take."""

    most: int = LIMITS.evaluation
    spent: int = 0

    def spend(self, work: int, span: Span) -> None:
        """Raises :class:`Fault` if there are too many."""
        self.spent += work
        if self.spent > self.most:
            message = f"the values of this spec take more than {self.most} operations"
            raise Fault(Code.LIMIT, message, span.first_line, how_to_raise("evaluation"))

    @property
    def exhausted(self) -> bool:
        return self.spent > self.most


class Unknown(Exception):
    """A value depends on something that is unknown because of an earlier fault: nothing is reported."""


class Environment(Record, frozen=True):
    """The meaning of names at a place. ``input`` is the shape of the tensor there, batch first, None if unknown.

    ``callables`` are the names of layers and blocks: each stands for itself.
    """

    names: Mapping[str, Any]
    callables: Mapping[str, Any] = field(default_factory=dict)
    input: tuple[int, ...] | None = None
    has_input: bool = True
    meter: Meter = field(default_factory=Meter)

    def bind(self, names: Mapping[str, Any]) -> Environment:
        return replace(self, names={**self.names, **names})

    def at(self, shape: tuple[int, ...] | None) -> Environment:
        if shape is self.input and self.has_input:
            return self
        return replace(self, input=shape, has_input=True)


def evaluate(value: Value, environment: Environment) -> Any:
    """The result of a value: numbers, strings, None, tuples of these, or a :class:`CallValue` whose
    arguments are all literals.

    Raises :class:`Fault` if it cannot be computed, and :class:`Unknown` if it depends on
    something that is unknown because of an earlier fault.
    """
    environment.meter.spend(1, value.span)
    match value:
        case Literal(value=literal):
            if literal is UNKNOWN:
                raise Unknown
            return literal
        case Expression():
            return _Evaluation(value, environment).visit(value.node)
        case CallValue():
            return _evaluate_call(value, environment)
        case ListValue(items=items):
            made = tuple(evaluate(item, environment) for item in items)
            if too_large := _too_large(made):
                raise Fault(Code.LIMIT, too_large, value.span.first_line)
            return made
        case Template():
            return _evaluate_template(value, environment)


def _evaluate_call(call: CallValue, environment: Environment) -> CallValue:
    def literal(value: Value) -> Literal:
        return value if isinstance(value, Literal) else Literal(evaluate(value, environment), value.span)

    given = call.arguments
    worked_out = replace(
        given,
        positional=tuple(map(literal, given.positional)),
        keywords=tuple(replace(keyword, value=literal(keyword.value)) for keyword in given.keywords),
        whole=None if given.whole is None else literal(given.whole),
    )
    return replace(call, arguments=worked_out)


def _evaluate_template(template: Template, environment: Environment) -> str:
    texts = []
    for part in template.parts:
        found = part if isinstance(part, str) else evaluate(part, environment)
        if not isinstance(found, (str, int, float)) and isinstance(part, Expression):
            message = f"`${shorten(part.text)}` is {kind_of(found)}, which no string can contain"
            raise Fault(Code.TYPE, message, template.span.first_line, "a string can contain numbers and strings")
        texts.append(str(found))
    if sum(map(len, texts)) > MAX_SCALAR:
        raise Fault(Code.LIMIT, f"a string of more than {MAX_SCALAR} characters", template.span.first_line)
    return "".join(texts)


def kind_of(value: object) -> str:
    """The kind of a value, in words."""
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, tuple):
        return f"a list of {len(value)}" if value else "an empty list"
    return {str: "a string", int: "an integer", float: "a number", CallValue: "a layer"}.get(
        type(value), "something else"
    )


def _too_large(value: Any) -> str:
    """The limit that a list exceeds, with everything in it; empty if none."""
    stack, count = [(value, 0)], -1
    while stack:
        item, depth = stack.pop()
        count += 1
        if count > MAX_LIST:
            return f"a list of more than {MAX_LIST} items"
        if depth > MAX_DEPTH:
            return f"a list nested more than {MAX_DEPTH} deep"
        if isinstance(item, tuple):
            stack.extend((inner, depth + 1) for inner in item[: MAX_LIST + 1])
    return ""


CONDITION_HELP = "write `true` or `false`; in YAML 1.2 `yes`, `no`, `on` and `off` are strings"


def holds(value: Value, environment: Environment) -> bool:
    """Whether a condition is true: anything but a string has a truth value, as in Python."""
    found = evaluate(value, environment)
    if isinstance(found, str) and found not in environment.callables:
        help = meant_by(value, found, environment.names) or CONDITION_HELP
        raise Fault(Code.TYPE, f"the string {shorten(found)!r} is not a condition", value.span, help)
    return bool(found)


class _Evaluation:
    """One walk over an expression's tree."""

    def __init__(self, expression: Expression, environment: Environment) -> None:
        self.expression = expression
        self.environment = environment

    def fault(self, code: Code, message: str, node: ast.AST, help: str = "") -> Fault:
        return Fault(code, message, self.expression.place(node), help)

    def failed(self, node: ast.expr, reason: str, help: str = "") -> Fault:
        return self.fault(Code.EVALUATION, f"`{shorten(ast.unparse(node))}` cannot be computed: {reason}", node, help)

    def visit(self, node: ast.expr) -> Any:
        try:
            result = getattr(self, f"visit_{type(node).__name__}")(node)
        except ZeroDivisionError:
            raise self.failed(node, "it divides by 0") from None
        except OverflowError:
            raise self.fault(Code.LIMIT, TOO_LARGE, node) from None
        work = len(result) if isinstance(result, (tuple, str)) else 1
        self.environment.meter.spend(work, self.expression.span)
        if isinstance(result, complex):
            raise self.failed(node, "it is not a real number")
        if isinstance(result, (int, float)) and (message := out_of_bounds(result)):
            raise self.fault(Code.LIMIT, message, node)
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
            raise self.fault(Code.EXPRESSION, "`input` is a tensor, not a value", node, INPUT_HELP)
        if name in FUNCTIONS:
            raise self.fault(Code.UNDEFINED, f"`{name}` is a function", node, f"call it: `{USAGE[name]}`")
        known = [*names, *self.environment.callables] if name[:1].isupper() else [*names, "input"]
        listed = ", ".join(shorten(known) for known in [*names][:12]) + (", …" if len(names) > 12 else "")
        nothing = "nothing is defined here: define parameters under `params`, or names for a list of steps in a `let`"
        help = meant_constant(name) or did_you_mean(name, known) or (f"the names here: {listed}" if names else nothing)
        raise self.fault(Code.UNDEFINED, f"`{shorten(name)}` is not defined", node, help)

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        if not self.environment.has_input:
            raise self.fault(
                Code.UNDEFINED, "there is no `input` here", node, "only steps and the blocks they call have one"
            )
        if self.environment.input is None:
            raise Unknown
        shape = self.environment.input[1:]
        if node.attr == "shape":
            return shape
        if len(shape) < {"height": 3, "width": 3, "depth": 4}.get(node.attr, 1):
            raise self.fault(Code.EVALUATION, f"`input` has no {node.attr}: its shape is {list(shape)}", node)
        return shape[INPUT_SIZES[node.attr]]

    def visit_List(self, node: ast.List | ast.Tuple) -> Any:
        return self.bounded(tuple(map(self.visit, node.elts)), node)

    visit_Tuple = visit_List

    def bounded(self, value: Any, node: ast.expr) -> Any:
        if too_large := _too_large(value):
            raise self.fault(Code.LIMIT, too_large, node)
        return value

    def holds(self, node: ast.expr) -> bool:
        """Whether a condition is true. A string is not a condition, unless it names a layer: `no` would be true."""
        value = self.visit(node)
        if isinstance(value, str) and value not in self.environment.callables:
            raise self.failed(node, f"the string {value!r} is not a condition", CONDITION_HELP)
        return bool(value)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
        if isinstance(node.op, ast.Not):
            return not self.holds(node.operand)
        operand = self.visit(node.operand)
        if not isinstance(operand, (int, float)):
            raise self.failed(node, f"{kind_of(operand)} has no sign")
        return _UNARY[type(node.op)](operand)

    def visit_BoolOp(self, node: ast.BoolOp) -> Any:
        stop = isinstance(node.op, ast.Or)
        for operand in node.values:
            result = self.visit(operand)
            if bool(result) is stop:
                break
        return result

    def visit_IfExp(self, node: ast.IfExp) -> Any:
        return self.visit(node.body if self.holds(node.test) else node.orelse)

    def visit_Compare(self, node: ast.Compare) -> Any:
        left = self.visit(node.left)
        for op, comparator in zip(node.ops, node.comparators):
            right = self.visit(comparator)
            try:
                if not _COMPARE[type(op)](left, right):
                    return False
            except TypeError:
                raise self.failed(node, f"{kind_of(left)} cannot be compared with {kind_of(right)}") from None
            left = right
        return True

    def visit_Slice(self, node: ast.Slice) -> slice:
        ends = [None if end is None else self.visit(end) for end in (node.lower, node.upper)]
        for end in ends:
            if end is not None and type(end) is not int:
                raise self.failed(node, f"{kind_of(end)} is not a position", "`list[1:3]`, `list[:3]` or `list[1:]`")
        return slice(*ends)

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        value, index = self.visit(node.value), self.visit(node.slice)
        if isinstance(value, (tuple, str)) and isinstance(index, slice):
            return value[index]
        if not isinstance(value, (tuple, str)) or type(index) is not int:
            help = self.integer_help(index, node.slice) or "`list[0]` is the first"
            raise self.failed(node, f"{kind_of(value)} cannot be indexed with {kind_of(index)}", help)
        if not -len(value) <= index < len(value):
            raise self.failed(
                node, f"there is no index {index} in {kind_of(value)}", "`[0]` is the first, `[-1]` the last"
            )
        return value[index]

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        left, right = self.visit(node.left), self.visit(node.right)
        operation = type(node.op)
        if isinstance(left, (str, tuple)) or isinstance(right, (str, tuple)):
            return self.sequence(node, operation, left, right)
        if not (isinstance(left, (int, float)) and isinstance(right, (int, float))):
            raise self.unlike(node, left, right)
        if operation is ast.Pow and abs(right) > MAX_EXPONENT:
            raise self.fault(Code.LIMIT, f"the exponent {right} is beyond {MAX_EXPONENT}", node)
        return _BINARY[operation](left, right)

    def sequence(self, node: ast.BinOp, operation: type[ast.operator], left: Any, right: Any) -> Any:
        """Strings and lists: added to others of their kind, or repeated."""
        if operation is ast.Add and type(left) is type(right):
            length = len(left) + len(right)
        elif operation is ast.Mult and int in (type(left), type(right)):
            sequence, times = (left, right) if type(right) is int else (right, left)
            length = len(sequence) * max(times, 0)
        else:
            raise self.unlike(node, left, right)
        if length > MAX_LIST:
            raise self.fault(Code.LIMIT, f"a result of {length} items, the limit is {MAX_LIST}", node)
        return self.bounded(_BINARY[operation](left, right), node)

    def unlike(self, node: ast.BinOp, left: Any, right: Any) -> Fault:
        sign, help = _SIGNS[type(node.op)], ""
        if sign == "*":
            help = self.integer_help(left, node.left) or self.integer_help(right, node.right)
        return self.failed(node, f"`{sign}` does not take {kind_of(left)} and {kind_of(right)}", help)

    def integer_help(self, found: Any, node: ast.AST) -> str:
        """Help if a part of the expression gave a float and an integer is expected, "" if it gave no float."""
        return as_integer(found, ast.unparse(node)) if isinstance(found, float) else ""

    def visit_Call(self, node: ast.Call) -> Any:
        assert isinstance(node.func, ast.Name)
        name = node.func.id
        arguments = [self.visit(argument) for argument in node.args]
        keywords = {str(keyword.arg): self.visit(keyword.value) for keyword in node.keywords}
        try:
            return FUNCTIONS[name](*arguments, **keywords)
        except OverflowError as error:
            raise self.fault(Code.LIMIT, str(error), node) from None
        except (TypeError, ValueError):
            given = ", ".join(map(kind_of, (*arguments, *keywords.values()))) or "zero arguments"
            help = next(filter(None, map(self.integer_help, arguments, node.args)), "") if name == "range" else ""
            raise self.failed(node, f"`{name}` does not take {given}", help or f"`{USAGE[name]}`") from None


_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos, ast.USub: operator.neg,
}  # fmt: skip
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow,
}  # fmt: skip
_SIGNS: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
}  # fmt: skip
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Is: operator.is_, ast.IsNot: operator.is_not,
    ast.In: lambda item, items: item in items, ast.NotIn: lambda item, items: item not in items,
}  # fmt: skip
