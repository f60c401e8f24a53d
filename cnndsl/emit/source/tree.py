"""The aligned tree: a definition's steps, and in its leaves the operations of all uses side by side.

A *row* is a use, or one round of a use inside a :class:`Loop`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from cnndsl.graph.graph import Apply, Inline, Module, Operation, Tensor
from cnndsl.record import Record
from cnndsl.spec import steps as spec
from cnndsl.spec.values import Value

#: A value of the data flow: the number of the node that makes it, and the index of the output.
Ref: TypeAlias = tuple[int, int]
#: The number of the node that makes the inputs.
INPUTS = -1


class Misfit(Record, frozen=True):
    """Why one class cannot express all the uses."""

    why: str


class Leaf(Record, frozen=True, eq=False):
    """One operation over all rows. ``arm`` names the branch or side that it is on. ``inner`` are the nodes of an
    ``nn.Sequential`` without a class of its own, and ``last`` is what is current after them. The inputs from the
    choices ``optional`` are not always there."""

    number: int
    step: spec.Step | None
    members: tuple[Operation | None, ...]
    inputs: tuple[Ref, ...]
    arm: str = ""
    inner: Nodes | None = None
    last: Ref | None = None
    optional: frozenset[int] = frozenset()

    @property
    def present(self) -> list[Operation]:
        return [member for member in self.members if member is not None]

    @property
    def first(self) -> Operation:
        return next(member for member in self.members if member is not None)

    @property
    def is_child(self) -> bool:
        """Whether a constructor makes it."""
        return isinstance(self.first, (Apply, Module)) and not self.first.reuse

    @property
    def is_named(self) -> bool:
        return self.step is not None and self.step.name is not None


class Let(Record, frozen=True, eq=False):
    """Names for values, with the tensor that is current there."""

    values: tuple[tuple[spec.Name, Value], ...]
    current: Ref | None


class Scoped(Record, frozen=True, eq=False):
    """A list of steps whose names end with it."""

    nodes: Nodes


class Inlined(Record, frozen=True, eq=False):
    """A block whose steps are written out here, with its uses."""

    members: tuple[Inline | None, ...]
    nodes: Nodes
    current: Ref | None

    @property
    def first(self) -> Inline:
        return next(member for member in self.members if member is not None)


class Choice(Record, frozen=True, eq=False):
    """Steps that only some rows take. ``taken`` is None for a row that does not come here; ``results`` is what
    is current after either side. A branch that only some rows have has one result."""

    number: int
    condition: Value
    taken: tuple[bool | None, ...]
    then: Nodes
    otherwise: Nodes
    results: tuple[Ref, ...]
    current: Ref | None
    kind: str


class Rounds(Record, frozen=True, eq=False):
    """Rounds of a loop that all rows have, from the ``first`` one."""

    loop: spec.Loop
    current: Ref | None
    rounds: tuple[Nodes, ...]
    first: int = 0


class Loop(Record, frozen=True, eq=False):
    """A loop whose number of rounds differs between rows. ``body`` is over all rounds of all rows; ``start`` and
    ``end`` are what is current in it. ``rows`` holds the row of each round, ``starts`` the tensor that it starts
    with, and ``results`` what each row has after the loop. If it is ``dense``, each round's output is put beside its
    input."""

    number: int
    loop: spec.Loop
    current: Ref | None
    counts: tuple[int | None, ...]
    rows: tuple[int, ...]
    starts: tuple[Tensor, ...]
    results: tuple[Tensor | None, ...]
    body: Nodes
    start: Ref
    end: Ref
    dense: bool = False


Node: TypeAlias = Leaf | Let | Scoped | Inlined | Choice | Rounds | Loop
Nodes: TypeAlias = tuple[Node, ...]


class Aligned(Record, frozen=True, eq=False):
    """The uses of one class. ``returned`` are its outputs by name. With a ``prefix``, each use only passes to each
    child everything before it, and this is how the names of the children begin. ``marks`` are names of values."""

    uses: tuple[Module, ...]
    nodes: Nodes
    returned: Mapping[str, Ref]
    marks: Mapping[Ref, str]
    prefix: str = ""

    @property
    def is_chain(self) -> bool:
        return self.uses[0].chain

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(self.uses[0].given)


def leaves(nodes: Nodes) -> Iterator[Leaf]:
    """The operations of a class in the order in which they run, without those of its ``nn.Sequential`` children."""
    for node in nodes:
        match node:
            case Leaf():
                yield node
            case _:
                for inner in insides(node):
                    yield from leaves(inner)


def insides(node: Node) -> tuple[Nodes, ...]:
    match node:
        case Scoped(nodes=nodes) | Inlined(nodes=nodes):
            return (nodes,)
        case Choice(then=then, otherwise=otherwise):
            return then, otherwise
        case Rounds(rounds=rounds):
            return rounds
        case Loop(body=body):
            return (body,)
    return ()


def choices(nodes: Nodes) -> Iterator[Choice]:
    """The choices of a class, those inside others too."""
    for node in nodes:
        if isinstance(node, Choice):
            yield node
        for inner in insides(node):
            yield from choices(inner)
