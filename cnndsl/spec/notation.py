"""Python's notation rewritten as a spec: ``nn.Conv2d(3, 16, 3)`` is ``Conv2d: [16, 3]``, ``(1, 1)`` is ``[1, 1]``.

Nothing here is ever evaluated: Python's own parser parses a text, and its tree is written in our notation.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from cnndsl.layers import LAYERS, Layer
from cnndsl.layers.function import Function
from cnndsl.source import Source, Span
from cnndsl.spec.foreign import meant_argument
from cnndsl.spec.tree import scalar_value
from cnndsl.spec.values import MAX_TEXT, Expression, Fault, Template, parse_expression

#: Arguments of torch for the device and type of a tensor, which specs do not have.
_PLACEMENT = ("device", "dtype")
#: Characters that a plain scalar cannot contain in a flow collection, and those that a plain scalar cannot begin with.
_FLOW = frozenset(",[]{}")
_SPECIAL = _FLOW | frozenset(":#&*!|>'\"%@`?")


class Unwritable(Exception):
    """A spec has no notation for this."""


def python(text: str) -> ast.expr | None:
    """The tree of a Python expression, None for other text."""
    if len(text) > MAX_TEXT:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


# --- values --------------------------------------------------------------------------------------


def written(node: ast.expr) -> str:
    """A value as a spec writes it, valid in block and in flow style. Raises :class:`Unwritable`."""
    match node:
        case ast.Constant(value=str(text)):
            return _text(text)
        case ast.Constant() | ast.UnaryOp(operand=ast.Constant()):
            return _scalar(node)
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return f"[{', '.join(map(written, items))}]"
        case ast.Name(id=name) | ast.Attribute(attr=name) if name[:1].isupper():
            return name
        case ast.Name(id=name):
            return f"${name}"
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)) if name in LAYERS:
            line = call_of(node, LAYERS)
            return line if line == name else f"{{{line}}}"
    return expression(ast.unparse(node))


def expression(text: str) -> str:
    """``$(text)``, in quotes if it needs them. Raises :class:`Unwritable` if it is not an expression."""
    try:
        parse_expression(text, Span(Source("<help>", text), 0, len(text)))
    except Fault:
        raise Unwritable from None
    taken = f"$({text})"
    if not (_FLOW & {*text} or ": " in text or " #" in text):
        return taken
    return f"'{taken}'" if '"' in text else f'"{taken}"'


def _text(text: str) -> str:
    try:
        plain = scalar_value(text) == text and not _SPECIAL & {*text}
    except ValueError:
        plain = False
    if plain and text.strip() == text and text.isprintable():
        return text
    import json  # here, because only specs with mistakes need it

    return json.dumps(text, ensure_ascii=False)


def _scalar(node: ast.expr) -> str:
    try:
        value = ast.literal_eval(node)
    except ValueError:
        raise Unwritable from None
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if not isinstance(value, (int, float)):
        raise Unwritable
    return repr(value)


def names_in(node: ast.expr) -> set[str]:
    """The names of values in a tree, without functions."""
    called = {id(inner.func) for inner in ast.walk(node) if isinstance(inner, ast.Call)}
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name) and id(inner) not in called}


def is_calculation(node: ast.expr) -> bool:
    """Whether there is something to compute."""
    return isinstance(node, (ast.BinOp, ast.Compare, ast.BoolOp, ast.IfExp, ast.Subscript, ast.Call))


def of_template(template: Template) -> str:
    """``$w * 2`` as the expression that it resembles, ``$(w * 2)``; "" if it resembles none."""
    text = "".join(part if isinstance(part, str) else _operand(part) for part in template.parts)
    node = python(text)
    try:
        return expression(ast.unparse(node)) if node is not None and is_calculation(node) else ""
    except Unwritable:
        return ""


def _operand(part: Expression) -> str:
    return f"({part.text})" if isinstance(part.node, (ast.BinOp, ast.BoolOp, ast.Compare, ast.IfExp)) else part.text


# --- calls ---------------------------------------------------------------------------------------


def step(name: str, positional: Sequence[str] = (), by_name: Mapping[str, str] | None = None) -> str:
    """A layer or block with its arguments, which are in our notation already."""
    if by_name:
        return f"{name}: {{{', '.join(f'{key}: {value}' for key, value in by_name.items())}}}"
    if len(positional) == 1 and not positional[0].startswith("["):
        return f"{name}: {positional[0]}"
    return f"{name}: [{', '.join(positional)}]" if positional else name


def call_of(call: ast.Call, layers: Mapping[str, type[Layer]], name: str = "") -> str:
    """A Python call as a step; ``name`` replaces the name of the function, if given.

    Raises :class:`Unwritable` for a call that the layer would refuse.
    """
    func = call.func
    called = name or (func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else "")
    if any(isinstance(argument, ast.Starred) for argument in call.args) or not all(k.arg for k in call.keywords):
        raise Unwritable
    keywords = {str(keyword.arg): keyword.value for keyword in call.keywords if keyword.arg not in _PLACEMENT}
    layer = layers.get(called)
    if layer is not None:
        keywords = {meant_argument(key, layer.arguments) or key: value for key, value in keywords.items()}
    else:
        by_name = {key: written(value) for key, value in keywords.items()}
        if by_name and call.args:
            raise Unwritable
        return step(called, [*map(written, call.args)], by_name)
    orders = [[name for name, arg in layer.arguments.items() if not arg.keyword], [*layer.positional()]]
    for names in orders:
        given = dict(zip(names, call.args)) | keywords
        if len(call.args) <= len(names) and _takes(layer, given):
            return _with_arguments(layer, given, bool(keywords))
    raise Unwritable


def function_of(call: ast.Call, function: Function) -> str:
    """The call of a function or class of torch, without the tensor, parameters or optimizer that it is applied to.

    Raises :class:`Unwritable` for arguments that it does not have.
    """
    given = call.args[1:] if call.args and literal(call.args[0]) is SOME else call.args
    keywords = {str(keyword.arg): keyword.value for keyword in call.keywords}
    if len(given) > len(function.positional()) or not keywords.keys() <= function.arguments.keys():
        raise Unwritable
    by_name = dict(zip(function.positional(), given)) | keywords
    return step(function.name, (), {name: written(value) for name, value in by_name.items()})


def by_name(name: str, call: ast.Call) -> str:
    """The step with the keyword arguments of a call. Raises :class:`Unwritable` if it has others."""
    if call.args or not all(keyword.arg for keyword in call.keywords):
        raise Unwritable
    return step(name, (), {str(keyword.arg): written(keyword.value) for keyword in call.keywords})


def _takes(layer: type[Layer], given: Mapping[str, ast.expr]) -> bool:
    """Whether a layer accepts these arguments, and needs no others; values are checked as far as they are known."""
    missing = any(argument.required and name not in given for name, argument in layer.arguments.items())
    return not missing and all(
        name in layer.arguments and may_be(layer, name, literal(value)) for name, value in given.items()
    )


#: A value that is not known before evaluation.
SOME: Any = type("Some", (), {})()


def literal(node: ast.expr) -> Any:
    """A literal's value, with tuples for lists; SOME for anything else."""
    try:
        return _tuples(ast.literal_eval(node))
    except (ValueError, TypeError, MemoryError, RecursionError):
        return SOME


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, (list, tuple)) else value


def may_be(layer: type[Layer], name: str, value: Any) -> bool:
    return value is SOME or layer.arguments[name].kind.accepts(value, layer.dims or 0)


def _with_arguments(layer: type[Layer], given: Mapping[str, ast.expr], by_name: bool) -> str:
    """The step with these arguments, without inferred ones."""
    texts = {name: written(value) for name, value in given.items() if layer.arguments[name].infer is None}
    if by_name:
        return step(layer.__name__, (), texts)
    listed = [*texts.values()]
    return f"{layer.__name__}: {listed[0]}" if layer.takes_list() and listed else step(layer.__name__, listed)


def in_torch_order(layer: type[Layer], values: Sequence[Any], texts: Sequence[str]) -> str:
    """The step for a list of arguments in PyTorch's order, which contains those that are inferred here; "" if it is not
    in that order. ``texts`` are the arguments as written, ``values`` their values as far as they are known."""
    names = [name for name, argument in layer.arguments.items() if not argument.keyword]
    inferred = [name for name in names if layer.arguments[name].infer is not None]
    if not inferred:
        return ""
    if len(values) > 1 and names[0] in inferred and may_be(layer, names[0], tuple(values)) and SOME not in values:
        return layer.__name__  # `LayerNorm: [16, 30, 30]`
    given = dict(zip(names, values))
    needed = all(name in given for name, argument in layer.arguments.items() if argument.required)
    if len(values) > len(names) or not needed or inferred[0] not in given:
        return ""
    if not all(may_be(layer, name, value) for name, value in given.items()):
        return ""
    return step(layer.__name__, [text for name, text in zip(names, texts) if name not in inferred])
