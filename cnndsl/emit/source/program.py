"""The emitted program as data: classes, their parameters, and the statements of their methods."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from msgspec.structs import replace

from cnndsl.emit.source.expr import Expr, all_same, free_names, substitute, uses
from cnndsl.record import Record

#: The default of a parameter that has none.
REQUIRED: Any = type("Required", (), {"__repr__": lambda self: "required"})()


class Parameter(Record, frozen=True):
    """A parameter of an emitted constructor, with its value in each use of the class."""

    name: str
    values: tuple[Any, ...]
    default: Any = REQUIRED

    @property
    def is_constant(self) -> bool:
        return all_same(self.values)


class Assign(Record, frozen=True):
    """``target = value``; ``annotation`` is the type of the target, if it is written."""

    target: str
    value: Expr
    annotation: str = ""


class Do(Record, frozen=True):
    """An expression for its effect."""

    value: Expr


class Extend(Record, frozen=True):
    """``target += value``."""

    target: str
    value: Expr


class When(Record, frozen=True):
    test: Expr
    then: tuple[Statement, ...]
    otherwise: tuple[Statement, ...] = ()


class For(Record, frozen=True):
    names: tuple[str, ...]
    over: Expr
    body: tuple[Statement, ...]


class Return(Record, frozen=True):
    value: Expr


Statement: TypeAlias = Assign | Do | Extend | When | For | Return


class Class(Record, frozen=True):
    """A class of the source. ``is_chain``: an ``nn.Sequential``, whose ``forward`` is inherited."""

    name: str
    parameters: tuple[Parameter, ...]
    is_chain: bool
    init: tuple[Statement, ...]
    forward: tuple[Statement, ...] = ()
    inputs: tuple[str, ...] = ("x",)
    returns: str = "Tensor"


def expressions(statement: Statement) -> Iterator[Expr]:
    """The expressions of a statement, and of those in it."""
    match statement:
        case When(test=head, then=then, otherwise=otherwise):
            yield head
            inner = (*then, *otherwise)
        case For(over=head, body=inner):
            yield head
        case _:
            yield statement.value
            return
    for one in inner:
        yield from expressions(one)


def changed(statement: Statement, change: Callable[[Expr], Expr]) -> Statement:
    """The same statement with every expression changed."""
    match statement:
        case When(test=test, then=then, otherwise=otherwise):
            return When(change(test), _all(then, change), _all(otherwise, change))
        case For(names=names, over=over, body=body):
            return For(names, change(over), _all(body, change))
    return replace(statement, value=change(statement.value))


def _all(statements: Iterable[Statement], change: Callable[[Expr], Expr]) -> tuple[Statement, ...]:
    return tuple(changed(statement, change) for statement in statements)


def mentioned(statements: Iterable[Statement]) -> frozenset[str]:
    """The variables that statements read."""
    return frozenset[str]().union(*(free_names(expr) for one in statements for expr in expressions(one)))


def mentions(statements: Iterable[Statement], name: str) -> int:
    """How often statements read a variable."""
    return sum(uses(expr, name) for one in statements for expr in expressions(one))


def replaced(statements: Iterable[Statement], names: dict[str, Expr]) -> tuple[Statement, ...]:
    """The statements with variables replaced."""
    return _all(statements, lambda expr: substitute(expr, names))
