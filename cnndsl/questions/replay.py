"""Runs the shape rules of a network as it is built on inputs of other sizes, without compiling its spec again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from cnndsl.graph.combine import combine, parts
from cnndsl.graph.cost import Bound
from cnndsl.graph.graph import Apply, Merge, Module, Split, Tensor
from cnndsl.layers import Layer, Refused, Shape
from cnndsl.record import Record

#: What a layer makes of shapes: the output, and how many values at the end of each axis no window reaches.
_Result: TypeAlias = tuple[Shape, tuple[int, ...]]


class Failure(Record, frozen=True):
    """A layer or merge that does not take what it gets: its path, what it is, the reason and the place in the spec."""

    path: str
    kind: str
    message: str
    place: str


class Loss(Record, frozen=True):
    """A layer whose windows leave the end of an axis of its input unread. ``unseen`` is 0 for the other axes."""

    path: str
    kind: str
    input: Shape
    unseen: tuple[int, ...]


class Outcome(Record, frozen=True):
    """What a network makes of inputs: ``failed``, or else for each axis after the channels, counted from 0, the first
    layer that loses pixels there, if one does."""

    failed: Failure | None = None
    lost: Mapping[int, Loss] = {}


class Replay:
    """The operations of a network, ready to be run on shapes. The layers keep their arguments, those too that were
    inferred, as a module keeps its weights."""

    def __init__(self, root: Module) -> None:
        self.root = root
        self.operations = [item for item in root.everything if not isinstance(item, Module)]

    def run(self, inputs: Mapping[str, Shape]) -> Outcome:
        """What the network makes of inputs of these shapes, by name, with the batch."""
        shapes: dict[Tensor, Shape] = {self.root.given[name]: shape for name, shape in inputs.items()}
        known: dict[tuple[int, Shape], _Result] = {}
        lost: dict[int, Loss] = {}
        for item in self.operations:
            taken = [shapes[tensor] for tensor in item.inputs]
            try:
                made, unseen = self._made(item, taken, known)
            except Refused as refused:
                place = str(item.step.span) if item.step else ""
                return Outcome(Failure(item.path, item.kind, refused.message, place))
            shapes.update(zip(item.outputs, made))
            for axis, count in enumerate(unseen):
                if count and axis not in lost:
                    alone = tuple(other if index == axis else 0 for index, other in enumerate(unseen))
                    lost[axis] = Loss(item.path, item.kind, taken[0], alone)
        return Outcome(lost=lost)

    def _made(
        self, item: Apply | Merge | Split, taken: list[Shape], known: dict[tuple[int, Shape], _Result]
    ) -> tuple[list[Shape], tuple[int, ...]]:
        """The outputs of an operation, and what it leaves unseen. Raises :class:`Refused`."""
        if isinstance(item, Merge):
            if len({*taken}) == 1 and item.kind != "concat":
                return taken[:1], ()
            return [combine(item.kind, taken, item.dim)], ()
        if isinstance(item, Split):
            return [taken[0].with_channels(size) for size in parts(taken[0], item.sizes, len(item.sizes))], ()
        if len(taken) > 1:
            return [item.layer.result(*taken)], ()
        key = id(item.bound), taken[0]
        if key not in known:
            known[key] = _result(item.bound, taken[0])
        out, unseen = known[key]
        return [out], unseen


def _result(bound: Bound, x: Shape) -> _Result:
    layer = bound.layer
    if x == bound.input:
        return bound.output, bound.unseen
    for name, argument in layer.arguments.inferred.items():
        assert argument.infer is not None
        argument.agree(layer.values[name], argument.infer(type(layer), x), x)
    if type(layer).output is Layer.output:
        return x, ()
    out = layer.output(x)
    return out, layer.unseen(x, out)
