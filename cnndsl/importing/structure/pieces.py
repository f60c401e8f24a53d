"""What a body's nodes are written as: runs, fetches, and joins of several arms."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import TypeAlias

from cnndsl.importing.body import Node
from cnndsl.importing.recorded import Tensor, Traced
from cnndsl.importing.structure.flow import carried, is_merge
from cnndsl.record import Record

#: The most layers of a shortcut.
_SHORT = 4
#: Merges whose operands may change places.
SYMMETRIC = ("add", "multiply", "maximum", "minimum")


class Run(Record, frozen=True, eq=False):
    """A node that takes the current tensor, or several by their names."""

    node: Node


class Fetch(Record, frozen=True, eq=False):
    """The tensor of something earlier."""

    tensor: Tensor


class Join(Record, frozen=True, eq=False):
    """A merge: how each of its operands is made from the current tensor, ``base``, in the order in which they run."""

    node: Node
    base: Tensor
    arms: tuple[Pieces, ...]


Piece: TypeAlias = "Run | Fetch | Join"
Pieces: TypeAlias = "tuple[Piece, ...]"


def fetches(pieces: Pieces) -> Iterator[Tensor]:
    """The tensors that are fetched by name."""
    for piece in pieces:
        match piece:
            case Fetch(tensor=tensor):
                yield tensor
            case Run(node=node):
                yield from by_name(node)
            case Join(arms=arms):
                for arm in arms:
                    yield from fetches(arm)


def by_name(node: Node) -> tuple[Tensor, ...]:
    """The tensors that a layer or a module takes by name: all if it computes with several."""
    if is_merge(node):
        return ()
    return node.inputs if len(carried(node)) > 1 else node.inputs[1:]


def makes(pieces: Pieces) -> Iterator[Node]:
    """The nodes in the order in which they are written."""
    for piece in pieces:
        if isinstance(piece, Join):
            for arm in piece.arms:
                yield from makes(arm)
        if isinstance(piece, (Run, Join)):
            yield piece.node


def called(pieces: Pieces) -> frozenset[str]:
    """The names of the modules that run."""
    return frozenset(node.name for node in makes(pieces))


def is_residual(join: Join) -> bool:
    """Whether a sum is written as a residual: both sides begin with the current tensor, one is short and one longer."""
    if join.node.word != "add" or len(join.arms) != 2 or len({tensor.shape for tensor in join.node.inputs}) > 1:
        return False
    shorter, longer = sorted(map(layers, join.arms))
    return shorter < longer and shorter <= _SHORT and all(map(_starts_here, join.arms))


def _starts_here(pieces: Pieces) -> bool:
    """Whether something takes the current tensor."""
    match pieces[:1]:
        case [Run(node=node)]:
            return len(carried(node)) == 1
        case [Join(arms=arms)]:
            return any(map(_starts_here, arms))
    return not pieces


def ordered(join: Join, shared: Set[str] = frozenset()) -> Join:
    """The same with the longer side of a residual first, and else the tensor itself before what is made of it. Sides
    that both run a ``shared`` module stay in their order."""
    if join.node.word not in SYMMETRIC or len(join.arms) != 2:
        return join
    first, second = join.arms
    if not shared.isdisjoint(called(first) & called(second)):
        return join
    made = {tensor for node in makes(first) for tensor in node.outputs}
    is_behind = layers(first) < layers(second) if is_residual(join) else bool(first) and not second
    return Join(join.node, join.base, (second, first)) if is_behind and made.isdisjoint(fetches(second)) else join


def layers(pieces: Pieces) -> int:
    """How many layers and merges there are, in modules inside too."""
    count = 0
    for piece in pieces:
        if isinstance(piece, Join):
            count += 1 + sum(map(layers, piece.arms))
        elif isinstance(piece, Run):
            count += _size(piece.node.child) if piece.node.child else 1
    return count


def _size(module: Traced) -> int:
    return sum(map(_size, module.children.values())) or 1
