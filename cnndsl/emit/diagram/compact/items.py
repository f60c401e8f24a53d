"""The parts of a sketch: cells, stacks of them, and stacks side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct, field

from cnndsl.emit.diagram.labels import listed
from cnndsl.graph.graph import Apply, Module, Operation, Tensor

#: How often something is repeated: once for ``(1,)``; several numbers if uses of a block differ in it.
Times: TypeAlias = tuple[int, ...]
ONCE: Times = (1,)


class Group(Struct, eq=False):
    """A block that is drawn once: ``modules`` are all of its uses, and ``level`` is how deep the first is. Drawings of
    one block have different letters."""

    modules: list[Module]
    level: int
    order: int
    letter: str = ""


class Exit(Struct, frozen=True):
    """An output of a canvas beside the box that makes it. Uses of a block may differ in its shape."""

    name: str
    shape: tuple[int, ...] | None


class Cell(Struct, eq=False):
    """A box. ``drawn`` are the operations in it, each with all that it stands for, itself first.

    ``takes`` are the tensors that go in and ``makes`` those that may come out. An ``end`` is an input or output, with a
    name if there are several; ``rest`` stands for what has no room. ``exits`` are the outputs of the canvas that leave
    beside it. ``roles`` says what a tensor is to it, if that is not plain: the name of an input of a block, or 1 and 2.
    A module with a ``level`` is drawn beside the canvas, as its ``group``.
    """

    kind: Literal["layers", "module", "merge", "end", "rest"]
    drawn: tuple[tuple[Operation, ...], ...] = ()
    takes: tuple[Tensor, ...] = ()
    makes: tuple[Tensor, ...] = ()
    times: Times = ONCE
    title: str = ""
    level: int | None = None
    group: Group | None = None
    exits: list[Exit] = field(default_factory=list)
    roles: dict[Tensor, str] = field(default_factory=dict)

    @property
    def first(self) -> Operation:
        return self.drawn[0][0]

    @property
    def last(self) -> Operation:
        return self.drawn[-1][0]

    @property
    def layers(self) -> list[Apply]:
        """The layers in it, without those that they stand for."""
        return [members[0] for members in self.drawn if isinstance(members[0], Apply)]


class Stack(Struct, eq=False):
    """Items below each other. With a ``name`` or ``times`` it has a bracket. A ``joint`` one is a region of the graph,
    whose place is not decided yet: a :class:`Beside` and its merge."""

    items: list[Item]
    name: str = ""
    times: Times = ONCE
    joint: bool = False

    @property
    def takes(self) -> tuple[Tensor, ...]:
        return taken(self.items)

    @property
    def makes(self) -> tuple[Tensor, ...]:
        return made(self.items)


class Beside(Struct, eq=False):
    """Stacks side by side. ``axis`` is the one below what comes before, None for the middle of all. ``through`` leaves
    the place below free, for a line, and all stacks are to the right of it. ``main`` says that the first is the body
    of a residual."""

    arms: list[Stack]
    axis: int | None = None
    through: bool = False
    main: bool = False

    @property
    def takes(self) -> tuple[Tensor, ...]:
        return tuple(dict.fromkeys(tensor for arm in self.arms for tensor in arm.takes))

    @property
    def makes(self) -> tuple[Tensor, ...]:
        return tuple(tensor for arm in self.arms for tensor in arm.makes)


Item: TypeAlias = Cell | Stack | Beside


class Canvas(Struct, eq=False):
    """A drawing of its own: the network, or a block, which then has a ``group``."""

    stack: Stack
    group: Group | None = None


def taken(items: Sequence[Item]) -> tuple[Tensor, ...]:
    """What items take from elsewhere."""
    inner = set(made(items))
    return tuple(dict.fromkeys(tensor for item in items for tensor in item.takes if tensor not in inner))


def made(items: Iterable[Item]) -> tuple[Tensor, ...]:
    return tuple(tensor for item in items for tensor in item.makes)


def cells(item: Item) -> Iterator[Cell]:
    """All cells of an item, from top to bottom and from left to right."""
    if isinstance(item, Cell):
        yield item
        return
    for inner in item.items if isinstance(item, Stack) else item.arms:
        yield from cells(inner)


def stacks(item: Item) -> Iterator[Stack]:
    """All stacks of an item, an outer one before those in it."""
    if isinstance(item, Stack):
        yield item
    if not isinstance(item, Cell):
        for inner in item.items if isinstance(item, Stack) else item.arms:
            yield from stacks(inner)


class Link(Struct, eq=False):
    """All ``tensors`` that a cell takes from another: one line is enough for them."""

    tail: Cell
    head: Cell
    tensors: tuple[Tensor, ...]

    @property
    def role(self) -> str:
        """What the tensors are to the head."""
        return listed([self.head.roles[tensor] for tensor in self.tensors if tensor in self.head.roles])


def links(item: Item) -> list[Link]:
    """What the cells of an item take from each other, by their heads from top to bottom."""
    source = {tensor: cell for cell in cells(item) for tensor in cell.makes}
    found: dict[tuple[Cell, Cell], list[Tensor]] = {}
    for head in cells(item):
        for tensor in head.takes:
            tail = source.get(tensor)
            if tail is not None and tail is not head:
                found.setdefault((tail, head), []).append(tensor)
    return [Link(tail, head, tuple(tensors)) for (tail, head), tensors in found.items()]


def tails(item: Item | None) -> list[Cell]:
    """The cells at the lower end of an item."""
    if item is None:
        return []
    if isinstance(item, Cell):
        return [item]
    if isinstance(item, Stack):
        return tails(item.items[-1]) if item.items else []
    return [cell for arm in item.arms for cell in tails(arm)]


def heads(item: Item | None) -> list[Cell]:
    """The cells at the upper end of an item."""
    if item is None:
        return []
    if isinstance(item, Cell):
        return [item]
    if isinstance(item, Stack):
        return heads(item.items[0]) if item.items else []
    return [cell for arm in item.arms for cell in heads(arm)]
