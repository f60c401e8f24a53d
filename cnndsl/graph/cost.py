"""The cost of operations: parameters, buffers and multiply-accumulates."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from cnndsl.graph.graph import Apply, Module, Operation, walk
from cnndsl.record import Record


class Cost(Record, frozen=True):
    """Numbers of learned values and of buffer values, and the multiply-accumulates (MACs) of
    convolutions and linear layers in one forward pass, without biases."""

    params: int = 0
    buffers: int = 0
    macs: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.params + other.params, self.buffers + other.buffers, self.macs + other.macs)


def cost(operation: Operation) -> Cost:
    """The cost of an operation; of a module, the cost of everything in it.

    A reused layer costs MACs again, but its parameters only once.
    """
    if isinstance(operation, Module):
        inside = total(inner for _, inner in walk(operation.body) if not isinstance(inner, Module))
        return Cost(macs=inside.macs) if operation.reuse else inside
    if not isinstance(operation, Apply):
        return Cost()
    layer = operation.layer
    macs = layer.macs(operation.input.shape, operation.output.shape)
    if operation.reuse:
        return Cost(macs=macs)
    return Cost(_elements(layer.named_parameters().values()), _elements(layer.named_buffers().values()), macs)


def total(operations: Iterable[Operation]) -> Cost:
    return sum(map(cost, operations), Cost())


def _elements(tensors: Iterable[tuple[int, ...]]) -> int:
    return sum(map(prod, tensors))
