"""The graph of a network: its operations in order, with every shape known. Frozen.

A graph keeps the structure of the spec. A module's ``body`` is a tuple of *items*: applied layers and
modules, merges and splits, and regions (``Repeat``, ``Branch``, ``Residual``,
``Dense``, ``Inline``) with bodies of their own. Tensors connect the items: each is made by one item and taken
by any number of later ones, so the data flow can be read without the structure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeAlias

from msgspec.structs import replace

from cnndsl.graph.contract import Contract
from cnndsl.graph.cost import Bound, Cost, total
from cnndsl.graph.initialization import Initialization
from cnndsl.layers import Layer, Shape
from cnndsl.record import Record
from cnndsl.spec import steps as spec
from cnndsl.spec.document import Block, Document
from cnndsl.spec.evaluation import Value
from cnndsl.spec.steps import Step


class Tensor(Record, frozen=True, eq=False):
    """One value of the data flow. Compared by identity."""

    shape: Shape


class Alias(Tensor, frozen=True, eq=False):
    """The same value as ``of``, equal to it, by another name: an input of a module that is given one tensor twice.

    Only what reads names, such as the emitter, tells the two apart.
    """

    of: Tensor

    def __eq__(self, other: object) -> bool:
        return self is other or self.of == (other.of if isinstance(other, Alias) else other)

    def __hash__(self) -> int:
        return hash(self.of)


class Apply(Record, frozen=True, eq=False):
    """A layer applied to a tensor. ``reuse`` is true if an earlier step made the layer.

    ``bound`` is the layer with its arguments, and ``written`` are these as the spec has them, before evaluation.
    ``inputs`` are the layer's input, and what it reads besides. ``called`` is the name that a ``reuse`` gives it.
    """

    step: Step
    name: str
    path: str
    bound: Bound
    written: Mapping[str, Value]
    inputs: tuple[Tensor, ...]
    output: Tensor
    reuse: bool = False
    called: str = ""

    @property
    def layer(self) -> Layer:
        return self.bound.layer

    @property
    def cost(self) -> Cost:
        return Cost(macs=self.bound.cost.macs) if self.reuse else self.bound.cost

    @property
    def input(self) -> Tensor:
        return self.inputs[0]

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        return (self.output,)

    @property
    def kind(self) -> str:
        return self.layer.word

    @property
    def bodies(self) -> tuple[Body, ...]:
        return ()


class Failed(Record, frozen=True, eq=False):
    """A layer or merge that a fault kept from running. Its result is not known."""

    path: str
    kind: str
    inputs: tuple[Tensor, ...]


class Fetch(Record, frozen=True, eq=False):
    """A run of a ``from``: the tensor that it fetched. It makes none, so it is no item of a body."""

    step: spec.From
    tensor: Tensor


class Module(Record, frozen=True, eq=False, dict=True):
    """A block, a ``sequential`` or the whole network, applied to tensors: a child module.

    ``definition`` is that of which this is one use. ``params`` are the block's parameters with their values,
    ``written`` the same as the call has them. ``inputs`` are the tensors that it takes; ``given`` are the same by
    their names inside, and ``made`` are its outputs. ``failed`` holds what is missing in the body because of faults.
    ``called`` is the name that a ``reuse`` gives it. ``fetched`` are the runs of its own ``from`` steps.
    """

    step: Step | None
    name: str
    path: str
    definition: Block
    params: Mapping[str, Any]
    written: Mapping[str, Value]
    body: Body
    inputs: tuple[Tensor, ...]
    given: Mapping[str, Tensor]
    made: Mapping[str, Tensor]
    reuse: bool = False
    failed: tuple[Failed, ...] = ()
    called: str = ""
    fetched: tuple[Fetch, ...] = ()

    @property
    def block(self) -> str:
        """The block's name, "" for a ``sequential``."""
        return self.definition.name

    @property
    def steps(self) -> tuple[Step, ...]:
        return self.definition.steps

    @property
    def chain(self) -> bool:
        """Whether the steps are a plain chain, an ``nn.Sequential``."""
        return self.definition.chain

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        return tuple(self.made.values())

    @property
    def input(self) -> Tensor:
        """The current tensor at its start."""
        return next(iter(self.given.values()))

    @property
    def output(self) -> Tensor:
        """The current tensor after it."""
        return self.outputs[-1]

    @property
    def kind(self) -> str:
        return self.block or "Sequential"

    @property
    def bodies(self) -> tuple[Body, ...]:
        return (self.body,)

    # What everyone asks of a module is worked out once, and kept in its `__dict__`.

    @cached_property
    def operations(self) -> Sequence[Operation]:
        """:func:`operations` of its body."""
        return operations(self.body)

    @cached_property
    def everything(self) -> Sequence[Operation]:
        """Every operation inside, in the order in which it runs; a module comes before its contents."""
        return [operation for _, operation in walk(self.body)]

    @cached_property
    def layers(self) -> Sequence[Apply]:
        """Every applied layer inside, in the order in which it runs."""
        return [operation for operation in self.everything if isinstance(operation, Apply)]

    @cached_property
    def modules(self) -> Sequence[Module]:
        """Every module inside, a module before those in it."""
        return [operation for operation in self.everything if isinstance(operation, Module)]

    @cached_property
    def takers(self) -> Mapping[Tensor, Sequence[Apply | Merge | Split]]:
        """The operations inside that take each tensor's values, in order. Modules do not count, the operations in them
        do. What a layer reads besides its input is only a shape."""
        found: dict[Tensor, list[Apply | Merge | Split]] = {}
        for operation in self.everything:
            if not isinstance(operation, Module):
                for tensor in operation.inputs[:1] if isinstance(operation, Apply) else operation.inputs:
                    found.setdefault(tensor, []).append(operation)
        return found

    @cached_property
    def cost(self) -> Cost:
        """The cost of everything inside."""
        return total(operation.cost for operation in self.operations)


class Merge(Record, frozen=True, eq=False):
    """Several tensors become one: ``concat`` along ``dim``, or value by value, as ``kind`` says, from left to right."""

    step: Step
    name: str
    path: str
    kind: str
    dim: int
    inputs: tuple[Tensor, ...]
    output: Tensor

    cost = Cost()

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        return (self.output,)

    @property
    def bodies(self) -> tuple[Body, ...]:
        return ()


class Split(Record, frozen=True, eq=False):
    """Splits the channels of a tensor: ``outputs`` have ``sizes`` channels, in order."""

    step: Step
    name: str
    path: str
    sizes: tuple[int, ...]
    input: Tensor
    outputs: tuple[Tensor, ...]

    kind = "split"
    cost = Cost()

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return (self.input,)

    @property
    def bodies(self) -> tuple[Body, ...]:
        return ()


class Repeat(Record, frozen=True, eq=False):
    """The bodies of a ``repeat``, one for each round. ``output`` is the current tensor after it, None if a fault hides
    it."""

    step: spec.Repeat
    rounds: tuple[Body, ...]
    output: Tensor | None

    @property
    def bodies(self) -> tuple[Body, ...]:
        return self.rounds


class Arm(Record, frozen=True, eq=False):
    """One branch: which item of the spec's list it is, in which round of the item's loop, and its body."""

    written: int
    round: int
    body: Body


class Branch(Record, frozen=True, eq=False):
    """Parallel bodies, where an empty one is the tensor itself, and the merge of their outputs."""

    step: spec.Branch
    split: Split | None
    arms: tuple[Arm, ...]
    merge: Merge

    @property
    def bodies(self) -> tuple[Body, ...]:
        split = ((self.split,),) if self.split else ()
        return (*split, *(arm.body for arm in self.arms), (self.merge,))


class Residual(Record, frozen=True, eq=False):
    """``body`` plus ``shortcut``; an empty shortcut is the identity.

    Without a merge there is no shortcut, only the body. ``output`` is the current tensor after it, None if a fault
    hides it.
    """

    step: spec.Residual
    body: Body
    shortcut: Body
    merge: Merge | None
    output: Tensor | None

    @property
    def bodies(self) -> tuple[Body, ...]:
        return (self.body, self.shortcut, (self.merge,)) if self.merge else (self.body,)


class Dense(Record, frozen=True, eq=False):
    """Rounds of a body and the concatenation of its input and its output."""

    step: spec.Dense
    rounds: tuple[tuple[Body, Merge], ...]

    @property
    def bodies(self) -> tuple[Body, ...]:
        return tuple((*body, merge) for body, merge in self.rounds)


class Inline(Record, frozen=True, eq=False):
    """A block that is written out in the module around, which its layers belong to: there is no child for it.

    The other fields are those of :class:`Module`.
    """

    step: Step
    definition: Block
    params: Mapping[str, Any]
    written: Mapping[str, Value]
    body: Body
    given: Mapping[str, Tensor]
    made: Mapping[str, Tensor]

    @property
    def bodies(self) -> tuple[Body, ...]:
        return (self.body,)


Operation: TypeAlias = Apply | Module | Merge | Split
Region: TypeAlias = Repeat | Branch | Residual | Dense | Inline
Item: TypeAlias = Operation | Region
Body: TypeAlias = tuple[Item, ...]


class Graph(Record, frozen=True):
    """A network: ``root`` is its outermost module. ``initializations`` and ``contracts`` are its ``init`` and
    ``expect``, worked out.

    A network with one unnamed input calls it ``x``; one with a single unnamed output calls it ``output``.
    """

    document: Document
    root: Module
    initializations: tuple[Initialization, ...] = ()
    contracts: tuple[Contract, ...] = ()

    @property
    def inputs(self) -> Mapping[str, Tensor]:
        return self.root.given

    @property
    def outputs(self) -> Mapping[str, Tensor]:
        return self.root.made

    def __repr__(self) -> str:
        return f"<Graph {': '.join(self.signature)}>"

    @property
    def signature(self) -> tuple[str, str]:
        """Its name, and its shapes: ``resnet18`` and ``[3, 224, 224] -> [1000]``, both of bounded length."""
        name = self.document.name
        sides = _side(self.inputs, "input"), _side(self.outputs, "output")
        return name if len(name) <= _SHOWN else f"{name[: _SHOWN - 1]}…", " -> ".join(sides)


#: The most characters of a name, or of the shapes on one side, in a line about a network.
_SHOWN = 40


def _side(tensors: Mapping[str, Tensor], what: str) -> str:
    """Shapes of samples, with their names if there are several; only their number if that is too long."""
    shapes = [str(list(tensor.shape.sample)) for tensor in tensors.values()]
    text = ", ".join(map(" ".join, zip(tensors, shapes))) if len(shapes) > 1 else shapes[0]
    return text if len(text) <= _SHOWN else f"{len(shapes)} {what}{'s' * (len(shapes) != 1)}"


def operations(body: Body) -> list[Operation]:
    """The operations of one module in the order in which they run: those in regions too,
    those in its child modules not."""
    found: list[Operation] = []
    for item in body:
        if isinstance(item, (Apply, Module, Merge, Split)):
            found.append(item)
        else:
            for inner in item.bodies:
                found += operations(inner)
    return found


def walk(body: Body, depth: int = 1) -> list[tuple[int, Operation]]:
    """Every operation in the order in which it runs, with its depth; a module comes before its contents."""
    found: list[tuple[int, Operation]] = []
    for operation in operations(body):
        found.append((depth, operation))
        if isinstance(operation, Module):
            found += walk(operation.body, depth + 1)
    return found


def changed(body: Body, change: Callable[[Apply], Apply]) -> Body:
    """The same body with every layer changed, those in its modules too."""

    def of(item: Item) -> Item:
        match item:
            case Apply():
                return change(item)
            case Module() | Inline():
                return replace(item, body=changed(item.body, change))
            case Repeat():
                return replace(item, rounds=tuple(changed(body, change) for body in item.rounds))
            case Branch():
                return replace(item, arms=tuple(replace(arm, body=changed(arm.body, change)) for arm in item.arms))
            case Residual():
                return replace(item, body=changed(item.body, change), shortcut=changed(item.shortcut, change))
            case Dense():
                return replace(item, rounds=tuple((changed(body, change), merge) for body, merge in item.rounds))
        return item

    return tuple(map(of, body))
