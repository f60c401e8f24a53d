"""Colours boxes by what they cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cnndsl.emit.diagram.options import Colouring
from cnndsl.graph.graph import Graph, Operation
from cnndsl.record import Record

#: What the scale of a figure counts.
UNITS = {"params": "parameters", "macs": "MACs", "memory": "bytes of activations"}


class Scale(Record, frozen=True):
    """The costs of the cheapest and the most expensive box are 0 and ``most``, in a ``unit``."""

    unit: str
    most: int

    def share(self, cost: int) -> float:
        return cost / self.most if self.most else 0.0


def costs(graph: Graph, color: Colouring) -> Callable[[Iterable[Operation]], int] | None:
    """What the boxes of operations cost; None if colours show families."""
    if color == "family":
        return None
    if color == "memory":
        from cnndsl.measure.memory import output_bytes

        sizes = output_bytes(graph)
        return lambda operations: sum(sizes[operation] for operation in operations)
    return lambda operations: sum(getattr(operation.cost, color) for operation in operations)
