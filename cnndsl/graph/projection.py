"""The shortcut that gives a residual's input the shape that its steps give: what help says to write.

In a block or a loop the same text is for several shapes. So it has the values of the steps as they are written,
`$channels`, and a condition: where the input fits already, the shortcut stays the identity.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import reduce

from cnndsl.graph.context import Context
from cnndsl.graph.site import Site
from cnndsl.layers import Shape
from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.spec import steps as spec
from cnndsl.spec.evaluation import Environment, Fault, Unknown, evaluate
from cnndsl.spec.values import Expression, Literal, Value

#: What the number of features that a layer or block makes is called.
_WIDTHS = ("out_channels", "out_features", "channels", "planes", "width", "out")
_ARITHMETIC = (ast.BinOp, ast.Name, ast.Constant, ast.operator, ast.expr_context)


class _Size(Record, frozen=True):
    """A number as it is to be written: ``text`` is that of an expression, without its ``$``."""

    text: str
    fixed: bool

    @property
    def value(self) -> str:
        if self.fixed:
            return self.text
        return f"${self.text}" if self.text.isidentifier() else f"$({self.text})"


def projection(residual: spec.Residual, shape: Shape, wanted: Shape, context: Context, site: Site) -> str:
    """The items of a ``shortcut`` that gives an input of one shape the other, which its steps give: a convolution with
    a kernel of 1, or a ``Linear``; "" if none does. It fits all calls of the block that it is in, as far as the steps
    tell."""
    stride = _stride(shape, wanted)
    if not stride:
        return ""
    written, span = [*_written(residual.steps, context)], residual.span
    widths = (_node(given[name]) for given in written[::-1] for name in _WIDTHS if name in given)
    width = _size(next(widths, None), wanted.channels, span, site.environment)
    factors = [_node(given["stride"]) for given in written if "stride" in given]
    step = _size(reduce(_times, factors) if factors else None, stride, span, site.environment)
    linear = wanted.rank == 2
    options = "" if step.text == "1" else f", stride: {step.value}"
    conv = f"Conv{wanted.rank - 2}d: {{out_channels: {width.value}, kernel_size: 1{options}}}"
    layer = f"Linear: {width.value}" if linear else conv
    is_shared = bool(site.trail) or not (width.fixed and step.fixed)
    if not is_shared or (step.fixed and stride != 1):
        return layer
    unlike = f"input.{'features' if linear else 'channels'} != {width.text}"
    needed = unlike if step.fixed else f"{step.text} != 1 or {unlike}"
    return f"{{when: $({needed}), {layer}}}"


def _stride(shape: Shape, wanted: Shape) -> int:
    """The stride with which a kernel of 1 makes one shape of the other, 0 if none does; 1 if there are no sides."""
    if shape.rank != wanted.rank or not 2 <= wanted.rank <= 5:
        return 0
    strides = {-(-size // out) for size, out in zip(shape.spatial, wanted.spatial)} or {1}
    stride = strides.pop() if len(strides) == 1 else 0
    fits = stride and all(-(-size // stride) == out for size, out in zip(shape.spatial, wanted.spatial))
    return stride if fits else 0


def _written(steps: spec.Steps, context: Context) -> Iterator[Mapping[str, Value]]:
    """The arguments by name of the layers and blocks that follow each other in some steps."""
    for step in steps:
        if isinstance(step, spec.Sequential):
            yield from _written(step.steps, context)
        elif isinstance(step, spec.Call) and isinstance(step.callee, Literal):
            yield context.matcher.written(step, context.document.blocks) or {}


def _node(value: Value) -> ast.expr | None:
    """The arithmetic that a value is, None for other values, and for sizes of the input, which differ by the place."""
    node = value.node if isinstance(value, Expression) else None
    if isinstance(value, Literal) and type(value.value) is int:
        node = ast.Constant(value.value)
    return node if node and all(isinstance(part, _ARITHMETIC) for part in ast.walk(node)) else None


def _times(one: ast.expr | None, other: ast.expr | None) -> ast.expr | None:
    """The product of two values, without a factor of 1."""
    if one is None or other is None:
        return None
    if isinstance(one, ast.Constant) and one.value == 1:
        return other
    return one if isinstance(other, ast.Constant) and other.value == 1 else ast.BinOp(one, ast.Mult(), other)


def _size(node: ast.expr | None, number: int, span: Span, environment: Environment) -> _Size:
    """A number as it is computed in the steps, if the expression means the same at the shortcut; else the number."""
    text = ast.unparse(node) if node else ""
    if node and any(isinstance(part, ast.Name) for part in ast.walk(node)):
        with suppress(Fault, Unknown):
            if evaluate(Expression(text, node, span), environment) == number:
                return _Size(text, fixed=False)
    return _Size(str(number), fixed=True)
