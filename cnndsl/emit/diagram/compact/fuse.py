"""Layers that follow each other, as papers draw them: a convolution, its normalisation and activation in one box."""

from __future__ import annotations

from collections.abc import Sequence, Set

from cnndsl.emit.diagram.compact.items import ONCE, Cell, Item
from cnndsl.graph.graph import Apply, Operation, Tensor

#: The families that go into one box with their neighbours.
CHAINED = ("convolution", "linear", "normalization", "activation", "dropout", "padding", "shape")
#: Those that belong to the convolution after them.
_BEFORE = ("padding",)
#: A box has no more layers.
MOST = 8


def is_main_layer(operation: Operation) -> bool:
    """Whether it is a convolution or a linear layer, of which a box has one."""
    return isinstance(operation, Apply) and (operation.layer.family == "convolution" or operation.kind == "Linear")


def _is_main(cell: Cell) -> bool:
    return any(map(is_main_layer, cell.layers))


def fused(items: Sequence[Item], alone: Set[Tensor]) -> list[Item]:
    """Items with chains of layers put together. ``alone`` are the tensors that one layer takes and nothing else
    needs."""
    found: list[Item] = []
    chain: list[Cell] = []
    for item in items:
        if not (isinstance(item, Cell) and _chains(item)):
            found += [*_boxes(chain), item]
            chain = []
            continue
        if chain and not (item.takes == chain[-1].last.outputs and alone >= {*item.takes}):
            found += _boxes(chain)
            chain = []
        chain.append(item)
    return [*found, *_boxes(chain)]


def _chains(cell: Cell) -> bool:
    return cell.kind == "layers" and cell.times == ONCE and all(a.layer.family in CHAINED for a in cell.layers)


def _boxes(chain: Sequence[Cell]) -> list[Item]:
    """A chain as boxes. If it starts with a normalisation or an activation, these come before their convolutions, as
    in a DenseNet, and otherwise after them."""
    if not chain:
        return []
    early = chain[0].layers[0].layer.family in ("normalization", "activation")
    groups: list[list[Cell]] = [[chain[0]]]
    for cell in chain[1:]:
        full = any(map(_is_main, groups[-1])) and (_ends(cell) if early else _starts(cell))
        if full or sum(len(inner.drawn) for inner in groups[-1]) >= MOST:
            groups.append([])
        groups[-1].append(cell)
    return [_box(group) for group in _without_strays(groups)]


def _starts(cell: Cell) -> bool:
    """Whether a cell starts a new box if the convolution comes first."""
    return _is_main(cell) or cell.layers[0].layer.family == "padding" or cell.layers[0].kind == "Flatten"


def _ends(cell: Cell) -> bool:
    """Whether a cell starts a new box if the convolution comes last."""
    return cell.layers[0].layer.family not in ("dropout", "shape")


def _without_strays(groups: Sequence[list[Cell]]) -> list[list[Cell]]:
    """A box that only gives the tensor another shape belongs to the one before."""
    found: list[list[Cell]] = []
    for group in groups:
        stray = all(apply.layer.family == "shape" for cell in group for apply in cell.layers)
        if found and stray:
            found[-1] += group
        else:
            found.append(group)
    return found


def _box(group: Sequence[Cell]) -> Cell:
    if len(group) == 1:
        return group[0]
    drawn = tuple(members for cell in group for members in cell.drawn)
    return Cell("layers", drawn, group[0].takes, tuple(tensor for cell in group for tensor in cell.makes))
