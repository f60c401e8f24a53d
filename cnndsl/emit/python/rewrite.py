"""The spec's own expressions as Python over the parameters of a constructor.

An expression is used only if, evaluated with the parameters' values, it gives the right value
in every use of the class. So a name that means something else in the class does no harm.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from cnndsl.emit.python.text import Reference, literal
from cnndsl.emit.python.unify import ABSENT, Unlike, reference
from cnndsl.graph.graph import Module
from cnndsl.layers import LAYERS
from cnndsl.source import Span
from cnndsl.spec.evaluation import Environment, Expression, Fault, Unknown, Value, evaluate
from cnndsl.spec.steps import Let, Steps

#: Functions of the language that Python has too.
BUILTINS = frozenset({"min", "max", "abs", "round", "int", "len", "sum"})
#: The longest expression to use.
MAX_LENGTH = 60
_OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}


#: The key of `input.channels` among the names.
INPUT = "input"


def rewrite(
    expression: Expression,
    wanted: Sequence[Any],
    uses: Sequence[Module],
    names: Mapping[str, str],
    variables: Mapping[str, Sequence[Any]],
) -> tuple[str, tuple[Any, ...]] | None:
    """Python for a slot whose values are ``wanted``, and its values; None if the expression does not give them.

    ``names`` maps the spec's names to Python's, ``variables`` maps these to their values in each use. Names
    bound by ``let`` are replaced by their values.
    """
    rewriter = _Rewriter(expression, uses, names)
    try:
        node = rewriter.visit(expression.node)
    except Unlike:
        return None
    text = ast.unparse(_Plain().visit(node))
    if len(text) > MAX_LENGTH:
        return None
    found = []
    for index in range(len(uses)):
        known = {name: values[index] for name, values in variables.items()} | rewriter.constants
        found.append(_worth(node, expression.span, Environment(known)))
    return (text, tuple(found)) if agree(wanted, found) else None


class _Plain(ast.NodeTransformer):
    """Removes the parentheses that ``ast.unparse`` sometimes puts around comparisons in ``and`` and ``or``."""

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        texts = (
            ast.Name(ast.unparse(side)) if isinstance(side, ast.Compare) else self.visit(side) for side in node.values
        )
        return ast.BoolOp(node.op, [*texts])


def agree(wanted: Sequence[Any], found: Sequence[Any]) -> bool:
    """Whether ``found`` are the wanted values, wherever one is wanted."""
    return all(value is ABSENT or literal(value) == literal(other) for value, other in zip(wanted, found))


def _worth(node: ast.expr, span: Span, environment: Environment) -> Any:
    """The value of a part of an expression, ABSENT if it cannot be evaluated."""
    try:
        return reference(evaluate(Expression("", node, span), environment))
    except (Fault, Unknown):
        return ABSENT


def _lets(steps: Steps) -> dict[str, Value]:
    """The names that the ``let`` steps of a list bind, with their values."""
    return {key.name: value for step in steps if isinstance(step, Let) for key, value in step.values}


class _Rewriter(ast.NodeVisitor):
    """Parts that are the same in all uses become literals. Raises :class:`Unlike` if it fails."""

    def __init__(self, expression: Expression, uses: Sequence[Module], names: Mapping[str, str]) -> None:
        self.span = expression.span
        self.environments = [Environment(use.params, LAYERS, use.input.shape.sample) for use in uses]
        self.names = names
        self.lets = _lets(uses[0].steps)
        #: The values of literals, which are names in the tree.
        self.constants: dict[str, Any] = {}

    def visit(self, node: ast.AST) -> Any:
        assert isinstance(node, ast.expr)
        values = [_worth(node, self.span, environment) for environment in self.environments]
        texts = set(map(literal, values))
        if len(texts) == 1 and ABSENT not in values:
            return self.constant(values[0])
        return super().visit(node)

    def generic_visit(self, node: ast.AST) -> Any:
        raise Unlike

    def constant(self, value: Any) -> ast.expr:
        if not isinstance(value, (int, float, str, tuple, Reference, type(None))):
            raise Unlike
        text = literal(value)
        self.constants[text] = value
        return ast.Name(text, ast.Load())

    def is_constant(self, node: ast.expr, value: Any) -> bool:
        return isinstance(node, ast.Name) and node.id == literal(value)

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self.names:
            return ast.Name(self.names[node.id], ast.Load())
        bound = self.lets.pop(node.id, None)  # a name rebound from its own value is replaced once
        if not isinstance(bound, Expression):
            raise Unlike
        visited: ast.expr = self.visit(bound.node)
        self.lets[node.id] = bound
        return visited

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if node.attr not in ("channels", "features") or INPUT not in self.names:
            raise Unlike
        return ast.Name(self.names[INPUT], ast.Load())

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        if isinstance(node.slice, ast.Slice):
            raise Unlike
        return ast.Subscript(self.visit(node.value), self.visit(node.slice), ast.Load())

    def visit_List(self, node: ast.List | ast.Tuple) -> ast.expr:
        return ast.Tuple([self.visit(item) for item in node.elts], ast.Load())

    visit_Tuple = visit_List

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        if isinstance(node.op, ast.Pow):
            raise Unlike
        return ast.BinOp(self.visit(node.left), node.op, self.visit(node.right))

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        operand = self.visit(node.operand)
        if isinstance(node.op, ast.Not) and isinstance(operand, ast.Compare) and len(operand.ops) == 1:
            opposite = _OPPOSITE.get(type(operand.ops[0]))
            if opposite:
                return ast.Compare(operand.left, [opposite()], operand.comparators)
        if isinstance(operand, ast.UnaryOp):
            raise Unlike
        return ast.UnaryOp(node.op, operand)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        neutral = isinstance(node.op, ast.And)
        visited = [self.visit(operand) for operand in node.values]
        operands = [operand for operand in visited if not self.is_constant(operand, neutral)]
        if not operands or any(self.is_constant(operand, not neutral) for operand in operands):
            raise Unlike
        return operands[0] if len(operands) == 1 else ast.BoolOp(node.op, operands)

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        sides = [self.visit(side) for side in (node.left, *node.comparators)]
        if all(isinstance(side, ast.Name) and side.id in self.constants for side in sides):
            raise Unlike
        equality: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Is: ast.Eq, ast.IsNot: ast.NotEq}
        kinds = [equality.get(type(op), type(op)) for op in node.ops]
        if any(self.is_constant(side, None) for side in sides):
            if len(kinds) > 1:
                raise Unlike
            identity = {equal: is_same for is_same, equal in equality.items()}
            kinds = [identity.get(kind, kind) for kind in kinds]
        return ast.Compare(sides[0], [kind() for kind in kinds], sides[1:])

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        test = self.visit(node.test)
        if isinstance(test, ast.Name) and test.id in self.constants:
            taken: ast.expr = self.visit(node.body if self.constants[test.id] else node.orelse)
            return taken
        body, otherwise = self.visit(node.body), self.visit(node.orelse)
        # A linter would want `min`, `max` or `bool` instead.
        sides = [test.left, *test.comparators] if isinstance(test, ast.Compare) else []
        if {ast.unparse(body), ast.unparse(otherwise)} <= {"True", "False", *map(ast.unparse, sides)}:
            raise Unlike
        return ast.IfExp(test, body, otherwise)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if not isinstance(node.func, ast.Name) or node.func.id not in BUILTINS or node.keywords:
            raise Unlike
        arguments = [self.visit(argument) for argument in node.args]
        inner = arguments[0] if arguments else None
        if node.func.id == "int" and isinstance(inner, ast.Call) and ast.unparse(inner.func) in ("round", "len", "int"):
            return inner
        return ast.Call(node.func, arguments, [])
