"""What a class is made of once its values are bound: constructor calls, conditions and loops, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from msgspec.structs import replace

from cnndsl.emit.source.expr import Call, Expr, Op, Ref, assuming, free_names, operation, substitute, total, uses
from cnndsl.emit.source.program import Parameter
from cnndsl.emit.source.sizes import Sizes
from cnndsl.emit.source.tree import Aligned, Leaf
from cnndsl.record import Record


class Child(Record, frozen=True):
    """A constructor call. ``inner`` are the children of an ``nn.Sequential`` without a class of its own."""

    leaf: Leaf
    call: Call
    inner: Pieces | None = None


class Flag(Record, frozen=True):
    """A truth value that ``forward`` needs."""

    name: str
    test: Expr


class Local(Record, frozen=True):
    """A variable of the constructor."""

    name: str
    value: Expr


class Optional(Record, frozen=True):
    """Pieces that depend on a condition."""

    test: Expr
    then: Pieces
    otherwise: Pieces


class Carried(Record, frozen=True):
    """How a size goes through a loop: what it is ``inside`` and after it. One that grows has the same ``growth`` in
    every round; one with an ``update`` is a variable that changes."""

    inside: Expr
    before: Expr
    update: Expr | None = None
    growth: Expr | None = None

    def after(self, count: Expr) -> Expr:
        if self.growth is not None:
            return total((self.before, operation("*", count, self.growth)))
        return self.inside


def growing(before: Expr, growth: Expr, counter: str) -> Carried:
    """A size that grows: ``in_channels + i * 32``."""
    grown = operation("*", Ref(counter), growth)
    return Carried(Op("+", (before, grown)), before, growth=growth)


class Repeated(Record, frozen=True):
    """Pieces in a loop, and the variables that change in it."""

    names: tuple[str, ...]
    over: Expr
    body: Pieces
    carried: tuple[tuple[str, Expr, Expr], ...]


Piece: TypeAlias = Child | Flag | Local | Optional | Repeated
Pieces: TypeAlias = tuple[Piece, ...]


class Bound(Record, frozen=True, eq=False):
    """A class whose values are all bound. ``knows`` are the variables that it could have as parameters, by the
    spec's names, the sizes of inputs by input and axis; ``made`` are the sizes of its outputs over these.
    ``flags`` are the attributes that decide about merges, by the number of the choice."""

    name: str
    aligned: Aligned
    pieces: Pieces
    parameters: tuple[Parameter, ...]
    knows: Mapping[Any, Parameter]
    made: Mapping[str, Sizes]
    flags: Mapping[int, str]


def inside(piece: Piece) -> tuple[Pieces, ...]:
    match piece:
        case Child(inner=Pieces) if Pieces is not None:
            return (Pieces,)
        case Optional(then=then, otherwise=otherwise):
            return then, otherwise
        case Repeated(body=body):
            return (body,)
    return ()


def own(piece: Piece) -> tuple[Expr, ...]:
    """The expressions of a piece, without those inside it."""
    match piece:
        case Child(call=call):
            return (call,)
        case Flag(test=test) | Optional(test=test):
            return (test,)
        case Local(value=value):
            return (value,)
        case Repeated(over=over, carried=carried):
            return (over, *(expr for _, start, update in carried for expr in (start, update)))


def mentions(pieces: Iterable[Piece], name: str) -> int:
    """How often pieces read a variable."""
    return sum(
        sum(uses(expr, name) for expr in own(piece)) + sum(mentions(part, name) for part in inside(piece))
        for piece in pieces
    )


def mentioned(pieces: Iterable[Piece]) -> frozenset[str]:
    """The variables that pieces read."""
    found: frozenset[str] = frozenset()
    for piece in pieces:
        found = found.union(*map(free_names, own(piece)), *map(mentioned, inside(piece)))
    return found


def replaced(pieces: Pieces, names: Mapping[str, Expr]) -> Pieces:
    """Pieces with variables replaced."""
    return changed(pieces, lambda expr: substitute(expr, names))


def under(pieces: Pieces, test: Expr, holds: bool) -> Pieces:
    """Pieces that are only there if a condition holds, or only if it does not."""
    return changed(pieces, lambda expr: assuming(expr, test, holds))


def changed(pieces: Pieces, to: Callable[[Expr], Expr]) -> Pieces:
    """Pieces with other expressions."""

    def change(piece: Piece) -> Piece:
        match piece:
            case Child(call=call, inner=inner):
                made = to(call)
                assert isinstance(made, Call)
                return replace(piece, call=made, inner=None if inner is None else changed(inner, to))
            case Flag(test=test):
                return replace(piece, test=to(test))
            case Local(value=value):
                return replace(piece, value=to(value))
            case Optional(test=test, then=then, otherwise=otherwise):
                return Optional(to(test), changed(then, to), changed(otherwise, to))
            case Repeated(carried=carried):
                carries = tuple((name, to(start), to(update)) for name, start, update in carried)
                return Repeated(piece.names, to(piece.over), changed(piece.body, to), carries)

    return tuple(map(change, pieces))


def settled(pieces: Pieces) -> Pieces:
    """Pieces without variables that are read at most once, whose formulas take their places."""
    made: list[Piece] = []
    rest = pieces
    while rest:
        piece, rest = rest[0], rest[1:]
        if isinstance(piece, Local) and mentions(rest, piece.name) <= 1:
            rest = replaced(rest, {piece.name: piece.value})
            continue
        if isinstance(piece, Repeated):
            piece = replace(_carrying(piece, rest), body=settled(piece.body))
        made.append(piece)
    return tuple(made)


def _carrying(piece: Repeated, after: Pieces) -> Repeated:
    """A loop without the variables that nothing reads but they themselves."""

    def needed(name: str) -> bool:
        others = [update for other, _, update in piece.carried if other != name]
        return bool(mentions(piece.body, name) or mentions(after, name) or any(uses(one, name) for one in others))

    return replace(piece, carried=tuple(carry for carry in piece.carried if needed(carry[0])))
