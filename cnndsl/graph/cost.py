"""The cost of operations: parameters, buffers and multiply-accumulates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from math import prod

from cnndsl.layers import Layer, Shape
from cnndsl.layers.table import Saved
from cnndsl.layers.windows import Windows
from cnndsl.record import Record


class Cost(Record, frozen=True):
    """Numbers of learned values and of buffer values, and the multiply-accumulates (MACs) of
    convolutions and linear layers in one forward pass, without biases."""

    params: int = 0
    buffers: int = 0
    macs: int = 0


class Bound(Record, frozen=True, eq=False, dict=True):
    """A layer bound to its arguments and to the shapes of its input and output.

    Equal calls share one, so that what follows from it is worked out once.
    """

    layer: Layer
    input: Shape
    output: Shape
    #: The number of learned values.
    params: int

    @classmethod
    def of(cls, layer: Layer, x: Shape, out: Shape) -> Bound:
        return cls(layer, x, out, _elements(layer.named_parameters().values()))

    @cached_property
    def cost(self) -> Cost:
        """The cost of the layer where it is made. Where it is reused, it costs its MACs again."""
        buffers = _elements(self.layer.named_buffers().values())
        return Cost(self.params, buffers, self.layer.macs(self.input, self.output))

    @cached_property
    def tensors(self) -> tuple[str, ...]:
        """The names of its tensors in the ``state_dict``."""
        return (*self.layer.named_parameters(), *self.layer.named_buffers())

    @cached_property
    def windows(self) -> tuple[Mapping[int, Windows] | None, tuple[tuple[int, ...], ...]]:
        """:meth:`Layer.windows` and :meth:`Layer.arrangement` of its shapes."""
        return self.layer.windows(self.input, self.output), self.layer.arrangement(self.input, self.output)

    @cached_property
    def takes_no_memory(self) -> tuple[bool, bool]:
        """Whether its output lies in the memory of its input, in inference and in training."""
        if self.layer.works_in_place():
            return True, True
        return self.layer.is_view(training=False), self.layer.is_view(training=True)

    @cached_property
    def saved(self) -> Saved:
        """:meth:`Layer.saves` of its shapes."""
        return self.layer.saves(self.input, self.output)

    @cached_property
    def scratch(self) -> int:
        """:meth:`Layer.scratch` of its shapes."""
        return self.layer.scratch(self.input, self.output)

    @cached_property
    def unseen(self) -> tuple[int, ...]:
        """:meth:`Layer.unseen` of its shapes."""
        return self.layer.unseen(self.input, self.output)


def total(costs: Iterable[Cost]) -> Cost:
    """The sum of costs."""
    params = buffers = macs = 0
    for cost in costs:
        params += cost.params
        buffers += cost.buffers
        macs += cost.macs
    return Cost(params, buffers, macs)


def _elements(tensors: Iterable[tuple[int, ...]]) -> int:
    return sum(map(prod, tensors))
