"""``__init__``: the pieces of a class as statements that a person would write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from msgspec.structs import replace

from cnndsl.emit.source.expr import NONE, Call, Each, Expr, If, Items, Lit, Ref, Spread, operation, substitute, text
from cnndsl.emit.source.held import Held
from cnndsl.emit.source.layout import BODY_WIDTH
from cnndsl.emit.source.names import safe
from cnndsl.emit.source.pieces import (
    Child,
    Flag,
    Local,
    Optional,
    Piece,
    Pieces,
    Repeated,
    inside,
    mentioned,
    mentions,
    replaced,
)
from cnndsl.emit.source.program import Assign, Do, Extend, For, Statement, When
from cnndsl.emit.source.tree import Misfit
from cnndsl.graph.graph import Apply

START = Ref("super().__init__")
MODULES = "list[nn.Module]"
#: How long a choice of two children may be in one expression.
SHORT = 56


def unwritable(pieces: Pieces) -> Misfit | None:
    """What there are no statements for: a loop among the arguments of an ``nn.Sequential`` that is not simple."""
    for piece in pieces:
        if isinstance(piece, Child) and piece.inner is not None and not all(map(_is_simple, piece.inner)):
            return Misfit("a loop in a sequential")
        found = next(filter(None, (unwritable(part) for part in inside(piece))), None)
        if found:
            return found
    return None


def _is_simple(piece: Piece) -> bool:
    if isinstance(piece, Repeated):
        return not piece.carried and len(piece.body) == 1 and isinstance(piece.body[0], Child)
    return all(not isinstance(inner, (Local, Flag)) for part in inside(piece) for inner in part)


def constructor(pieces: Pieces, is_chain: bool, taken: Iterable[str]) -> tuple[Statement, ...]:
    """The statements of ``__init__``."""
    pieces = _renamed(pieces)
    named = any(child.leaf.is_named for child in _children(pieces))
    if not is_chain or named:
        return (Do(Call(START)), *_attributes(pieces, is_chain))
    if all(map(_is_argument, pieces)):
        return (*_locals(pieces), Do(Call(START, sequence(pieces))))
    return tuple(_gathered(pieces, safe("layers", {*taken, *mentioned(pieces)})))


def _children(pieces: Pieces) -> Iterator[Child]:
    """The children of the class itself."""
    for piece in pieces:
        if isinstance(piece, Child):
            yield piece
        else:
            for part in inside(piece):
                yield from _children(part)


def _locals(pieces: Pieces) -> tuple[Statement, ...]:
    return tuple(Assign(piece.name, piece.value) for piece in pieces if isinstance(piece, Local))


def _renamed(pieces: Pieces) -> Pieces:
    """Pieces in which a loop changes a parameter itself, if nothing reads its first value later."""
    for position, piece in enumerate(pieces):
        if not isinstance(piece, Repeated):
            continue
        after = pieces[position + 1 :]
        for entry in piece.carried:
            name, start, update = entry
            others = [other for other in piece.carried if other is not entry]
            rest = (*piece.body, replace(piece, body=(), over=Lit(0), carried=tuple(others)), *after)
            if isinstance(start, Ref) and start.name != name and not mentions(rest, start.name):
                names = {name: start}
                carried = tuple(
                    (start.name, start, substitute(update, names)) if e is entry else e for e in piece.carried
                )
                changed = replace(piece, body=replaced(piece.body, names), carried=carried)
                return _renamed((*pieces[:position], changed, *replaced(after, names)))
    return pieces


# --- children as arguments of nn.Sequential ------------------------------------------------------


def sequence(pieces: Sequence[Piece]) -> tuple[Expr, ...]:
    """Children one after another, with runs of equal ones folded."""
    made = [_item(piece) for piece in pieces if not isinstance(piece, Local)]
    folded: list[Expr] = []
    for element, group in groupby(made):
        run = [*group]
        alone = len(run) == 1 or isinstance(element, (Spread, Each))
        folded += run if alone else [Each(element, ("_",), Call(Ref("range"), (Lit(len(run)),)))]
    return tuple(folded)


def construction(child: Child) -> Call:
    """The call that makes a child, in that of its parametrization."""
    made = child.call if child.inner is None else Call(child.call.callee, sequence(child.inner))
    first = child.leaf.first
    by = first.layer.parametrization if isinstance(first, Apply) else None
    if by is None:
        return made
    return Call(Ref(by.function.name), (made,), tuple((name, Lit(given)) for name, given in by.given.items()))


def _item(piece: Piece) -> Expr:
    match piece:
        case Child():
            return construction(piece)
        case Optional(test=test, then=then, otherwise=otherwise):
            sides = sequence(then), sequence(otherwise)
            if all(len(side) == 1 and isinstance(side[0], (Call, If)) for side in sides):
                return If(test, sides[0][0], sides[1][0])
            return Spread(If(test, Items(sides[0]), Items(sides[1])))
        case Repeated(names=names, over=over, body=(Child() as child,)):
            return Each(construction(child), _read(names, piece.body), over)
    raise AssertionError(f"{piece} is no item of a sequence")


def _read(names: tuple[str, ...], body: Pieces) -> tuple[str, ...]:
    """The names of a loop's variables, ``_`` for those that nothing reads."""
    return tuple(name if mentions(body, name) else "_" for name in names)


def _is_argument(piece: Piece) -> bool:
    """Whether a piece is an argument of ``super().__init__``, or comes before it: also one child or another, if that
    is short."""
    if isinstance(piece, Optional):
        return _is_either(piece) and len(text(_item(piece))) <= SHORT
    return isinstance(piece, (Child, Local))


def _is_either(piece: Optional) -> bool:
    return all(len(side) == 1 and isinstance(side[0], Child) for side in (piece.then, piece.otherwise))


def _gathered(pieces: Pieces, layers: str) -> Iterator[Statement]:
    """Children gathered in a list, if loops and conditions decide which ones exist."""
    waiting: list[Piece] = []
    begun = False
    last = max(place for place, piece in enumerate(pieces) if not _is_argument(piece))
    for place, piece in enumerate(pieces):
        if _is_argument(piece) and not isinstance(piece, Local):
            waiting.append(piece)
            continue
        if place <= last and not isinstance(piece, Local) and (waiting or not begun):
            listed = Items(sequence(waiting))
            yield Extend(layers, listed) if begun else Assign(layers, listed, MODULES)
            waiting, begun = [], True
        yield from _added(piece, layers)
    yield Do(Call(START, (Spread(Ref(layers)), *sequence(waiting))))


def _added(piece: Piece, layers: str) -> Iterator[Statement]:
    """Statements that add what a piece makes to a list."""
    match piece:
        case Local():
            yield Assign(piece.name, piece.value)
        case Optional(test=test, then=then, otherwise=otherwise):
            if then:
                yield When(test, _all_added(then, layers), _all_added(otherwise, layers))
            else:
                yield When(operation("not", test), _all_added(otherwise, layers))
        case Repeated(body=body):
            yield from _loop(piece, _all_added(body, layers))


def _loop(piece: Repeated, body: tuple[Statement, ...]) -> Iterator[Statement]:
    """A loop, and the variables that it carries."""
    yield from (Assign(name, start) for name, start, _ in piece.carried if start != Ref(name))
    updates = tuple(Assign(name, update) for name, _, update in piece.carried)
    yield For(_read(piece.names, (piece,)), piece.over, (*body, *updates))


def _all_added(pieces: Pieces, layers: str) -> tuple[Statement, ...]:
    made: list[Statement] = []
    for together, group in groupby(pieces, lambda piece: _is_argument(piece) and not isinstance(piece, Local)):
        if together:
            made.append(_appended(layers, sequence([*group])))
        else:
            made += (statement for piece in group for statement in _added(piece, layers))
    return tuple(made)


def _appended(layers: str, children: tuple[Expr, ...]) -> Statement:
    if len(children) == 1 and not isinstance(children[0], (Each, Spread)):
        return Do(Call(Ref(f"{layers}.append"), children))
    return Extend(layers, Items(children))


# --- children as attributes ----------------------------------------------------------------------


def _attributes(pieces: Pieces, is_chain: bool) -> Iterator[Statement]:
    """The children of a module with its own ``forward``, or of a chain with names; optional ones may be None."""
    held = Held(child.leaf.first.name for child in _children(pieces))
    for holder, group in groupby(_gathered_holders(pieces), _holder):
        if holder:
            run = [piece for piece in group if isinstance(piece, Child)]
            yield from held.put_all(holder, [(child.leaf.first.name, construction(child)) for child in run])
        else:
            for piece in group:
                yield from _attribute(piece, is_chain)


def _gathered_holders(pieces: Pieces) -> Iterator[Piece]:
    """Pieces with those that have no tensors moved behind the children of a holder that they are between: the order of
    these decides only on the weights that children start with."""
    waiting: list[Piece] = []
    around = ""
    for piece in pieces:
        if around and isinstance(piece, Child) and not _holder(piece) and not _has_tensors(piece):
            waiting.append(piece)
            continue
        if waiting and _holder(piece) != around:
            yield from waiting
            waiting = []
        around = _holder(piece)
        yield piece
    yield from waiting


def _has_tensors(child: Child) -> bool:
    return not all(
        isinstance(member, Apply) and not member.layer.parameters() and not member.layer.buffers()
        for member in child.leaf.present
    )


def _holder(piece: Piece) -> str:
    """The outermost holder of a child, "" if none holds it."""
    first, dot, _ = piece.leaf.first.name.partition(".") if isinstance(piece, Child) else ("", "", "")
    return first if dot else ""


def _attribute(piece: Piece, is_chain: bool) -> Iterator[Statement]:
    match piece:
        case Child():
            yield attribute(piece)
        case Local():
            yield Assign(piece.name, piece.value)
        case Flag():
            yield Assign(f"self.{piece.name}", piece.test)
        case Optional(test=test, then=then, otherwise=otherwise):
            if is_chain:
                yield When(test, (*_attributes(then, True),), (*_attributes(otherwise, True),))
            elif len([*_children(then)]) > 1:
                yield from _optionals(test, [*_children(then)])
            else:
                yield from _optional(test, *(_only(side) for side in (then, otherwise)))


def _only(side: Pieces) -> Child | None:
    return next(_children(side), None)


def _optional(test: Expr, then: Child | None, otherwise: Child | None) -> Iterator[Statement]:
    """One attribute that is one of two children, or None."""
    assert then is not None
    target = f"self.{then.leaf.first.name}"
    value = If(test, construction(then), construction(otherwise) if otherwise else NONE)
    if len(f"{target} = {text(value)}") <= BODY_WIDTH:
        yield Assign(target, value)
    elif otherwise is None:
        yield Assign(target, NONE)
        yield When(test, (Assign(target, construction(then)),))
    else:
        first = Assign(target, construction(then), "nn.Module")
        yield When(test, (first,), (Assign(target, construction(otherwise)),))


def _optionals(test: Expr, children: Sequence[Child]) -> Iterator[Statement]:
    """Several attributes that are children, or None."""
    yield from (Assign(f"self.{child.leaf.first.name}", NONE) for child in children)
    yield When(test, tuple(map(attribute, children)))


def attribute(child: Child) -> Statement:
    name = child.leaf.first.name
    if name.isidentifier():
        return Assign(f"self.{name}", construction(child))
    return Do(Call(Ref("self.add_module"), (Lit(name), construction(child))))


def numbered(pieces: Pieces, prefix: str) -> tuple[Statement, ...]:
    """Children that a loop makes, numbered from 1."""
    (piece,) = _renamed(pieces)
    assert isinstance(piece, Repeated)
    (child,), (counter,) = _children(piece.body), piece.names
    made = Call(Ref("self.add_module"), (Ref(f'f"{prefix}{{{counter} + 1}}"'), construction(child)))
    (*starts, loop) = _loop(piece, (*_locals(piece.body), Do(made)))
    assert isinstance(loop, For)
    return (Do(Call(START)), *starts, replace(loop, names=piece.names))
