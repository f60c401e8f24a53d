"""The spec's own expressions as expressions of the emitted program."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from cnndsl.emit.source.expr import (
    BUILTINS,
    Call,
    Expr,
    Lit,
    Opaque,
    Ref,
    Reference,
    choice,
    free_names,
    index,
    items,
    operation,
)
from cnndsl.layers import LAYERS
from cnndsl.record import Record
from cnndsl.spec.functions import FUNCTIONS
from cnndsl.spec.values import INPUT_SIZES, CallValue, Expression, ListValue, Literal, Value

_SIGNS: dict[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
    ast.USub: "neg", ast.Not: "not", ast.And: "and", ast.Or: "or", ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<",
    ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in",
}  # fmt: skip


class Names(Record, frozen=True):
    """What the names of the spec mean at a place: ``input`` are the sizes of the current tensor's sample."""

    known: Mapping[str, Expr]
    input: tuple[Expr, ...] | None = None


def translate(value: Value, names: Names) -> Expr:
    """A value of the spec; :class:`Opaque` where Python has no words for it."""
    match value:
        case Literal(value=literal):
            return Lit(reference(literal))
        case ListValue(items=listed):
            return items(translate(item, names) for item in listed)
        case Expression(node=node):
            return _Translator(names).visit(node)
    return Opaque() if isinstance(value, CallValue) else Opaque(frozenset({"?"}))


def reference(value: Any) -> Any:
    """A value with every name of a layer replaced by its Python name."""
    if isinstance(value, tuple):
        return tuple(map(reference, value))
    return Reference(LAYERS[value].constructor) if isinstance(value, str) and value in LAYERS else value


class _Translator(ast.NodeVisitor):
    def __init__(self, names: Names) -> None:
        self.names = names

    def visit(self, node: ast.AST) -> Expr:
        found: Expr = super().visit(node)
        return found

    def generic_visit(self, node: ast.AST) -> Expr:
        inner = (self.visit(child) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))
        return Opaque(frozenset[str]().union(*map(free_names, inner)))

    def visit_Constant(self, node: ast.Constant) -> Expr:
        return Lit(node.value)

    def visit_Name(self, node: ast.Name) -> Expr:
        if node.id in self.names.known:
            return self.names.known[node.id]
        return Lit(reference(node.id))

    def visit_Attribute(self, node: ast.Attribute) -> Expr:
        sizes = self.names.input
        if sizes is None:
            return Opaque(frozenset({"?"}))
        if node.attr == "shape":
            return items(sizes)
        return sizes[INPUT_SIZES[node.attr]]

    def visit_List(self, node: ast.List | ast.Tuple) -> Expr:
        return items(map(self.visit, node.elts))

    visit_Tuple = visit_List

    def visit_Subscript(self, node: ast.Subscript) -> Expr:
        if isinstance(node.slice, ast.Slice):
            return self.generic_visit(node)
        return index(self.visit(node.value), self.visit(node.slice))

    def visit_BinOp(self, node: ast.BinOp) -> Expr:
        return operation(_SIGNS[type(node.op)], self.visit(node.left), self.visit(node.right))

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Expr:
        operand = self.visit(node.operand)
        return operand if isinstance(node.op, ast.UAdd) else operation(_SIGNS[type(node.op)], operand)

    def visit_BoolOp(self, node: ast.BoolOp) -> Expr:
        return operation(_SIGNS[type(node.op)], *map(self.visit, node.values))

    def visit_Compare(self, node: ast.Compare) -> Expr:
        sides = [self.visit(side) for side in (node.left, *node.comparators)]
        pairs = zip(node.ops, sides, sides[1:])
        made = [operation(_SIGNS[type(op)], left, right) for op, left, right in pairs]
        return made[0] if len(made) == 1 else operation("and", *made)

    def visit_IfExp(self, node: ast.IfExp) -> Expr:
        return choice(self.visit(node.test), self.visit(node.body), self.visit(node.orelse))

    def visit_Call(self, node: ast.Call) -> Expr:
        assert isinstance(node.func, ast.Name)
        name, arguments = node.func.id, [*map(self.visit, node.args)]
        known = [argument.value for argument in arguments if isinstance(argument, Lit)]
        if len(known) == len(arguments) and not node.keywords:
            return Lit(FUNCTIONS[name](*known)) if _works(name, known) else Opaque()
        inner = arguments[0]
        if name == "int" and isinstance(inner, Call) and inner.callee in (Ref("round"), Ref("len"), Ref("int")):
            return inner
        if node.keywords or name not in (*BUILTINS, "range"):
            return Opaque(frozenset[str]().union(*map(free_names, arguments)))
        return Call(Ref(name), tuple(arguments))


def _works(name: str, arguments: list[Any]) -> bool:
    try:
        FUNCTIONS[name](*arguments)
    except (ArithmeticError, TypeError, ValueError):
        return False
    return True
