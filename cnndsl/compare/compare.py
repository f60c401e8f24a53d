"""Compares two networks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from cnndsl.compare.align import align
from cnndsl.compare.changes import Argument, Change, Consequence, changes
from cnndsl.compare.parts import Reader
from cnndsl.graph.graph import Graph, Module
from cnndsl.measure.receptive import receptive_fields
from cnndsl.record import Record


class Summary(Record, frozen=True):
    """A network in figures. ``inputs`` and ``outputs`` are shapes of samples, by name. ``kinds`` counts its layers and
    merges, ``layers`` is their number. ``field`` is the receptive field of the last tensor with several positions, in
    pixels of the first input along each axis: None for the whole input, no axes if it is not known."""

    name: str
    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]
    kinds: Mapping[str, int]
    layers: int
    params: int
    macs: int
    field: tuple[int | None, ...]

    @classmethod
    def of(cls, graph: Graph, name: str) -> Summary:
        cost = graph.root.cost
        inputs, outputs = (
            {name: tuple(tensor.shape.sample) for name, tensor in tensors.items()}
            for tensors in (graph.inputs, graph.outputs)
        )
        kinds = Counter(part.kind for part in graph.root.everything if not isinstance(part, Module))
        return cls(name, inputs, outputs, kinds, kinds.total(), cost.params, cost.macs, _field(graph))


class Diff(Record, frozen=True):
    """The differences of two networks."""

    left: Summary
    right: Summary
    params: tuple[Argument, ...]
    changes: tuple[Change, ...]
    explained: tuple[Change, ...]
    consequences: tuple[Consequence, ...]

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.changes)


def compare(left: Graph, right: Graph, names: Sequence[str] = ()) -> Diff:
    """What differs between two networks. ``names`` are what they are called, by default their own names."""
    reader = Reader()
    alignment = align(reader.tree(left), reader.tree(right))
    found = changes(left, right, alignment)
    before, after = names or (left.document.name, right.document.name)
    summaries = Summary.of(left, before), Summary.of(right, after)
    return Diff(*summaries, _params(left, right), found.causes, found.explained, found.consequences)


def _field(graph: Graph) -> tuple[int | None, ...]:
    """See :attr:`Summary.field`."""
    fields = receptive_fields(graph)
    spread = [tensor for tensor in fields if any(size > 1 for size in tensor.shape.spatial)]
    axes = next(iter(fields[spread[-1]].inputs.values()), ()) if spread else ()
    return tuple(axis.size for axis in axes if axis) if all(axes) else ()


def _params(left: Graph, right: Graph) -> tuple[Argument, ...]:
    """The parameters of the spec that both have, with other values."""
    before, after = left.root.params, right.root.params
    return tuple(
        Argument(name, value, after[name])
        for name, value in before.items()
        if name in after and repr(value) != repr(after[name])
    )
