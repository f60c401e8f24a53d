"""The memory of activations: of each operation's output, and the peak of a forward pass.

In inference a tensor lives until its last use. In training it lives until the backward pass, if that needs it. Views
and layers that work in place take no memory. The inputs belong to the caller and live as long as the pass; so do the
outputs. Parameters are not activations. Of what a layer makes and drops while it runs, tensors count, and buffers of a
kernel do not.

A tensor's last use is the last operation that takes it, as ``torch.fx.Interpreter`` frees it. A Python frame holds its
variables longer: until the function returns, a module holds the tensors that it was called with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import TypeAlias

from msgspec.structs import replace

from cnndsl.diagnostics import check_number, got
from cnndsl.graph.combine import combine
from cnndsl.graph.graph import Apply, Graph, Merge, Module, Operation, Split, Tensor
from cnndsl.layers import Shape
from cnndsl.layers.table import Saved
from cnndsl.record import Record

#: Bytes of a value, by the names of torch.
DTYPES: Mapping[str, int] = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}
#: Bytes of an index, which torch keeps as int64.
_INDEX = 8
#: An operation, and not a module of them.
_Single: TypeAlias = Apply | Merge | Split
#: The merges whose derivative is computed from their inputs.
_FROM_INPUTS = {"multiply", "divide", "maximum", "minimum"}


class Memory(Record, frozen=True):
    """The bytes of a network: of its parameters, and the :func:`peak` of activations in inference and in training, for
    ``batch`` samples of a type."""

    parameters: int
    inference: int
    training: int
    dtype: str
    batch: int


def memory(network: Graph | Module, dtype: str = "float32") -> Memory:
    """The bytes of a network and of its activations, for the batch that it was compiled for."""
    root = _root(network)
    operations, itemsize = _singles(root), _itemsize(dtype)
    inference, training = (_Pass(itemsize, training, None).peak(operations, root) for training in (False, True))
    return Memory(root.cost.params * itemsize, inference, training, dtype, root.input.shape[0])


def output_bytes(network: Graph | Module, *, dtype: str = "float32", training: bool = False) -> Mapping[Operation, int]:
    """The bytes that each operation's output takes. A view, or the output of a layer that works in place, takes none; a
    module's are those of everything in it."""
    found: dict[Operation, int] = {}
    _add(_root(network), _itemsize(dtype), training, found)
    return found


def _add(module: Module, itemsize: int, training: bool, found: dict[Operation, int]) -> int:
    total = 0
    for operation in module.operations:
        if isinstance(operation, Module):
            found[operation] = _add(operation, itemsize, training, found)
        else:
            made = 0 if _shares(operation, training) else sum(tensor.shape.elements for tensor in operation.outputs)
            found[operation] = itemsize * made
        total += found[operation]
    return total


def peak(network: Graph | Module, *, training: bool = False, dtype: str = "float32", batch: int | None = None) -> int:
    """The most bytes of activations that live at once in a forward pass, with its inputs and outputs.

    In ``training``, what the backward pass needs is kept. It is what torch keeps on a CPU: a GPU keeps the mask of a
    dropout as bytes. ``batch`` replaces the number of samples that the network was compiled for. Raises ValueError for
    a type that there is not, or fewer samples than one.
    """
    check_number("batch", batch, optional=True)
    root = _root(network)
    return _Pass(_itemsize(dtype), training, batch).peak(_singles(root), root)


def _itemsize(dtype: str) -> int:
    if dtype not in [*DTYPES]:
        raise ValueError(f"there is no type {got(dtype)}: the types are {', '.join(DTYPES)}")
    return DTYPES[dtype]


def _root(network: Graph | Module) -> Module:
    return network.root if isinstance(network, Graph) else network


def _shares(operation: Operation, training: bool) -> bool:
    """Whether the outputs of an operation lie in the memory of its input."""
    if isinstance(operation, Apply):
        return operation.bound.takes_no_memory[training]
    return isinstance(operation, Split) or len(operation.inputs) == 1


def _singles(root: Module) -> Sequence[_Single]:
    return [*chain.from_iterable(_single(item) for item in root.everything if not isinstance(item, Module))]


def _single(operation: _Single) -> Iterator[_Single]:
    """An operation as those that torch runs: it merges two tensors at a time, unless it concatenates them."""
    if not isinstance(operation, Merge) or operation.kind == "concat" or len(operation.inputs) < 3:
        yield operation
        return
    left, *others = operation.inputs
    for right in others[:-1]:
        made = Tensor(combine(operation.kind, [left.shape, right.shape]))
        yield replace(operation, inputs=(left, right), output=made)
        left = made
    yield replace(operation, inputs=(left, others[-1]))


def _ordered(operation: Operation, order: tuple[int, ...]) -> tuple[int, ...]:
    """The order of the dimensions of a view, in the memory of an input with that ``order``."""
    if not isinstance(operation, Apply) or not order:
        return order
    before = operation.bound.windows[1]
    if len(before) == len(order) and all(len(dims) == 1 for dims in before):
        return tuple(order[dim] for (dim,) in before)
    return () if list(order) != sorted(order) else tuple(range(operation.output.shape.rank))


class _Memory:
    """The memory of a tensor and of those that share it: its bytes, the number of the last operation that takes it, and
    whether it is kept to the end."""

    __slots__ = ("kept", "last", "size")

    def __init__(self, size: int, kept: bool = False) -> None:
        self.size, self.last, self.kept = size, -1, kept


class _Pass:
    """A forward pass: which memory each operation takes, and which of it is kept."""

    def __init__(self, itemsize: int, training: bool, batch: int | None) -> None:
        self.itemsize, self.training, self.batch = itemsize, training, batch
        self.memory: dict[Tensor, _Memory] = {}
        #: The tensors that have a gradient.
        self.learning: set[Tensor] = set()
        #: For tensors whose dimensions are not in the order of their memory, the order; empty if that was lost.
        self.orders: dict[Tensor, tuple[int, ...]] = {}

    def peak(self, operations: Sequence[_Single], root: Module) -> int:
        """The most bytes that live at once."""
        for tensor in root.given.values():
            self.memory[tensor] = _Memory(self._bytes(tensor.shape), kept=True)
        live = most = sum([memory.size for memory in self.memory.values()])
        steps = [self._step(number, operation) for number, operation in enumerate(operations)]
        for tensor in root.outputs:
            if tensor in self.memory:
                self.memory[tensor].kept = True
        for number, (touched, made, passing) in enumerate(steps):
            live += made
            most = max(most, live + passing)
            for memory in touched:
                if memory.last == number and not memory.kept:
                    live -= memory.size
                    memory.kept = True  # it is gone
        return most

    def _step(self, number: int, operation: _Single) -> tuple[Sequence[_Memory], int, int]:
        """The memory that an operation touches, the bytes that it makes and that stay, and those that it needs only
        while it runs."""
        touched = [self.memory[tensor] for tensor in operation.inputs if tensor in self.memory]
        shared, made = self._shared(operation), 0
        for tensor in operation.outputs:
            if shared is None:
                touched.append(new := _Memory(self._bytes(tensor.shape)))
                made += new.size
            self.memory[tensor] = shared or new
        for memory in touched:
            memory.last = number
        saved = self._saved(operation) if self.training else 0
        passing = 0 if shared else max(self._passing(operation) - saved, 0)
        return touched, made + saved, passing

    def _shared(self, operation: _Single) -> _Memory | None:
        """The memory of the input, if the outputs lie in it. Dimensions that are joined out of order are copied."""
        taken = operation.inputs[0]
        copied = taken in self.orders and operation.kind in ("Flatten", "Reshape")
        if copied or not _shares(operation, self.training):
            return None
        if taken in self.orders or operation.kind == "Permute":
            self._reorder(operation, taken)
        return self.memory.get(taken)

    def _reorder(self, view: _Single, taken: Tensor) -> None:
        """Notes the order of the dimensions of a view, if it is not that of its memory."""
        for made in view.outputs:
            order = _ordered(view, self.orders.get(taken, tuple(range(taken.shape.rank))))
            if order != tuple(range(made.shape.rank)):
                self.orders[made] = order

    def _passing(self, operation: _Single) -> int:
        """The bytes that an operation makes and drops when it has run, if nothing is kept for a backward pass."""
        if not isinstance(operation, Apply):
            return 0
        return self.itemsize * self._scratch(operation) + _INDEX * self._of_layer(operation).indices

    def _scratch(self, operation: Apply) -> int:
        bound = operation.bound
        return (
            bound.scratch if self.batch is None else bound.layer.scratch(*map(self._sized, (bound.input, bound.output)))
        )

    def _saved(self, operation: _Single) -> int:
        """Keeps what the backward pass of an operation needs; the bytes of what is made for it alone."""
        learns = isinstance(operation, Apply) and operation.bound.params > 0
        if not learns and self.learning.isdisjoint(operation.inputs):
            return 0
        found = 0
        if isinstance(operation, Merge):
            self._keep_factors(operation)
        elif isinstance(operation, Apply):
            saved = self._of_layer(operation)
            self._keep(operation.inputs[: saved.input])
            self._keep(operation.outputs[: saved.output])
            found = self.itemsize * saved.values + _INDEX * saved.indices
        self.learning.update(operation.outputs)
        return found

    def _of_layer(self, operation: Apply) -> Saved:
        bound = operation.bound
        return bound.saved if self.batch is None else bound.layer.saves(*map(self._sized, (bound.input, bound.output)))

    def _keep_factors(self, merge: Merge) -> None:
        """Keeps the inputs of a merge that its derivative is computed from: of a product, each factor for the gradient
        of the other; of a quotient, the divisor too; of an extremum, both."""
        if merge.kind not in _FROM_INPUTS or len(merge.inputs) == 1:
            return
        first, second = merge.inputs
        if merge.kind != "multiply" or first in self.learning:
            self._keep((second,))
        if merge.kind in ("maximum", "minimum") or second in self.learning:
            self._keep((first,))

    def _keep(self, tensors: Sequence[Tensor]) -> None:
        for tensor in tensors:
            if tensor in self.memory:
                self.memory[tensor].kept = True

    def _bytes(self, shape: Shape) -> int:
        return self.itemsize * self._sized(shape).elements if shape else 0

    def _sized(self, shape: Shape) -> Shape:
        return shape if self.batch is None else shape.with_size(0, self.batch)
