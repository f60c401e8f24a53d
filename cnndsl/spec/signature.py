"""Signatures of blocks, ``BasicBlock(channels, stride=1)``, read like a Python ``def``."""

from __future__ import annotations

import ast
import keyword
import re

from cnndsl.diagnostics import Code, shorten
from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.spec.names import MAX_NAME, odd_character, unusable, unusable_variable, usable
from cnndsl.spec.values import Fault, Literal, Value, parse_expression

_SIGNATURE = re.compile(r"\s*([A-Z][A-Za-z0-9_]*)\s*(?:\((.*)\))?\s*")
_EXAMPLE = "`BasicBlock(channels, stride=1)`"
_LAMBDA = "lambda "


class Parameter(Record, frozen=True, eq=False):
    """A parameter of a block or of the document; without a default it must be given."""

    name: str
    default: Value | None
    span: Span


def parse_signature(text: str, span: Span) -> tuple[str, tuple[Parameter, ...]]:
    """A block's name and its parameters. Raises :class:`Fault`."""
    match = _SIGNATURE.fullmatch(text)
    if not match or len(match[1]) > MAX_NAME:
        odd = odd_character(text)
        message = f"`{shorten(text)}` {f'contains {odd}' if odd else 'is not the signature of a block'}"
        raise Fault(Code.NAME, message, span, f"write a CamelCase name and parameters: {_EXAMPLE}")
    name, inside = match[1], re.sub(r"\s", " ", match[2] or "")
    if reason := unusable(name):
        raise Fault(Code.NAME, f"`{name}` {reason}", span, usable(name))
    written = span.text.find(text)
    start = written + match.start(2) if written >= 0 else None
    return name, _parameters(name, inside, span, start)


def _parameters(name: str, inside: str, span: Span, start: int | None) -> tuple[Parameter, ...]:
    """``start`` is the offset of the parameters in ``span``, None if unknown."""
    arguments = _parse(name, inside, span)

    def place(node: ast.arg | ast.expr) -> Span:
        if start is None:
            return span
        offset = start - len(_LAMBDA)
        return span.part(offset + node.col_offset, offset + (node.end_col_offset or node.col_offset))

    defaults: list[ast.expr | None] = [None] * (len(arguments.args) - len(arguments.defaults))
    parameters: list[Parameter] = []
    for argument, default in zip(arguments.args, [*defaults, *arguments.defaults]):
        reason = unusable_variable(argument.arg)
        if argument.arg in {parameter.name for parameter in parameters}:
            reason = f"appears twice in the signature of `{name}`"
        if reason:
            raise Fault(Code.NAME, f"`{shorten(argument.arg)}` {reason}", place(argument))
        value = None if default is None else _default(default, inside, place(default), span)
        parameters.append(Parameter(argument.arg, value, place(argument)))
    return tuple(parameters)


def _parse(name: str, inside: str, span: Span) -> ast.arguments:
    """Parses the parameters as those of a Python lambda, which has no type annotations and no statements."""
    help = f"write names, some with defaults: {_EXAMPLE}"
    if odd := odd_character(inside):
        raise Fault(Code.NAME, f"the parameters of `{name}` contain {odd}", span, help)
    if reserved := next(filter(keyword.iskeyword, re.findall(r"(?:^|,)\s*(\w+)", inside)), None):
        raise Fault(Code.NAME, f"`{reserved}` is a keyword of Python", span, help)
    try:
        node = ast.parse(f"{_LAMBDA}{inside}: 0", mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        if "$" in inside:
            help = f"a signature has no `$`: write defaults as in Python, {_EXAMPLE}"
        elif re.search(r"=[^,]*,\s*[a-z_]\w*\s*(,|$)", inside):
            help = f"parameters without a default come first: {_EXAMPLE}"
        raise Fault(Code.EXPRESSION, f"the parameters of `{name}` cannot be read", span, help) from None
    if not isinstance(node, ast.Lambda) or node.body.col_offset != len(_LAMBDA) + len(inside) + 2:
        raise Fault(Code.EXPRESSION, f"the parameters of `{name}` cannot be read", span, help)
    if node.args.vararg or node.args.kwarg or node.args.kwonlyargs or node.args.posonlyargs:
        raise Fault(Code.EXPRESSION, f"`{name}` has parameters that are not plain names", span, help)
    return node.args


def _default(node: ast.expr, inside: str, place: Span, span: Span) -> Value:
    """A default: a literal or an expression, which needs no ``$`` here."""
    start, end = node.col_offset - len(_LAMBDA), (node.end_col_offset or 0) - len(_LAMBDA)
    known = place is not span
    expression = parse_expression(inside[start:end], place, 0 if known else None)
    constant = expression.node
    return Literal(constant.value, place) if isinstance(constant, ast.Constant) else expression
