"""Whether two networks are the same graph: operations, arguments, wiring, and the paths of what holds weights.

It reads graphs alone, and forgets what computes nothing: names of layers without tensors, blocks and their parameters,
identities, how a sum or a concatenation of several is put in brackets.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Any

import cnndsl
from cnndsl.graph.graph import Apply, Merge, Operation, Split, Tensor
from cnndsl.layers.dropout import Dropout

#: Merges that give the same for operands in another order.
COMMUTATIVE = ("add", "multiply", "maximum", "minimum")


class Reader:
    """Numbers for computations, the same for the same in two graphs."""

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}
        self.concats: dict[int, tuple[Any, ...]] = {}

    def number(self, key: Any) -> int:
        return self.numbers.setdefault(key, len(self.numbers))

    def read(self, net: cnndsl.Network) -> tuple[set[int], list[int]]:
        """The computations of a network, and its outputs in order."""
        graph = net.graph
        known: dict[Tensor, int] = {
            tensor: self.number(("input", place, tuple(tensor.shape.sample)))
            for place, tensor in enumerate(graph.inputs.values())
        }
        for operation in graph.root.everything:
            if isinstance(operation, (Apply, Merge, Split)):
                known.update(zip(operation.outputs, self.results(operation, [known[one] for one in operation.inputs])))
        return {*known.values()}, [known[tensor] for tensor in graph.outputs.values()]

    def results(self, operation: Operation, inputs: list[int]) -> list[int]:
        match operation:
            case Apply(kind="Identity") | Apply(kind="Dropout", layer=Dropout(p=0.0)):
                return inputs[:1]
            case Apply(kind="Flatten" | "Unflatten" | "Reshape", bound=bound):
                return [self.number(("reshape", tuple(bound.output), *inputs))]
            case Apply(kind=kind, bound=bound):
                path = operation.path if bound.tensors else ""
                return [self.number((kind, arguments(operation), path, *inputs))]
            case Split(sizes=sizes):
                return [self.number(("part", sizes, place, *inputs)) for place in range(len(sizes))]
            case Merge(kind="concat"):
                dim = operation.dim % len(operation.output.shape)
                parts = [part for one in inputs for part in self.parts(one, dim)]
                if len(parts) == 1:
                    return parts
                made = self.number(("concat", dim, *parts))
                self.concats[made] = (dim, *parts)
                return [made]
            case Merge(kind=kind):
                return [reduce(lambda a, b: self.pair(kind, a, b), inputs)]
        raise AssertionError(operation)

    def parts(self, number: int, dim: int) -> Iterable[int]:
        """The operands of a concatenation, those of a concatenation among them in its place."""
        own, *parts = self.concats.get(number, (None,))
        return parts if own == dim else [number]

    def pair(self, kind: str, a: int, b: int) -> int:
        return self.number((kind, *(sorted((a, b)) if kind in COMMUTATIVE else (a, b))))


def arguments(operation: Apply) -> tuple[Any, ...]:
    """A layer's arguments as torch understands them, without how its weights start."""
    given = {name: value for name, value in operation.layer.values.items() if name not in ("inplace", "like", "init")}
    if given.get("stride", 0) is None:
        given["stride"] = given["kernel_size"]
    if operation.kind == "Slice":
        taken = slice(given["start"], given["stop"]).indices(operation.input.shape[given["dim"]])
        given |= {"start": taken[0], "stop": taken[1], "dim": given["dim"] % len(operation.input.shape)}
    return tuple(sorted((name, spread(value)) for name, value in given.items()))


def spread(value: Any) -> str:
    """``[3, 3]`` is 3: what torch gives every axis."""
    if isinstance(value, (list, tuple)):
        return spread(value[0]) if len({*map(spread, value)}) == 1 else str([*map(spread, value)])
    return str(float(value)) if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)


def difference(left: cnndsl.Network, right: cnndsl.Network) -> list[Any]:
    """The first computation that only one of two networks has, of each; empty if their outputs are the same. What no
    output needs does not count."""
    reader = Reader()
    (mine, ours), (other, theirs) = reader.read(left), reader.read(right)
    keys = {number: key for key, number in reader.numbers.items()}
    sides = {"left": mine - other, "right": other - mine}
    first = [(side, keys[min(found)]) for side, found in sides.items() if found]  # the others take what it gives
    return [] if ours == theirs else first or [("outputs", ours, theirs)]
