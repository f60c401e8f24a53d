"""Whether two networks are the same graph: operations, arguments, wiring, and the names of what holds weights,
as checkpoints have them.

It reads graphs alone, and forgets what computes nothing: names of layers without tensors, blocks and their parameters,
identities, how a sum or a concatenation of several is put in brackets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce
from itertools import accumulate, pairwise
from typing import Any

import cnndsl
from cnndsl.graph.graph import Apply, Merge, Operation, Split, Tensor
from cnndsl.layers.dropout import Dropout
from cnndsl.spec.renaming import Renamer

#: Merges that give the same for operands in another order.
COMMUTATIVE = ("add", "multiply", "maximum", "minimum")


class Reader:
    """Numbers for computations, the same for the same in two graphs."""

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}
        self.concats: dict[int, tuple[Any, ...]] = {}
        #: Channels of a tensor: its number, the first, the one after the last, and how many it has.
        self.parts_of: dict[int, tuple[int, int, int, int]] = {}

    def number(self, key: Any) -> int:
        return self.numbers.setdefault(key, len(self.numbers))

    def read(self, net: cnndsl.Network, called: Callable[[str], str]) -> tuple[set[int], list[int]]:
        """The computations of a network, and its outputs in order. ``called`` gives the names of modules."""
        graph = net.graph
        self.called = called
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
                if bound.output == operation.input.shape:
                    return inputs
                return [self.number(("reshape", tuple(bound.output), *inputs))]
            case Apply(kind="Slice", input=tensor) if (taken := channels(operation)).step == 1:
                return [self.part(inputs[0], taken.start, taken.stop, tensor.shape[1])]
            case Apply(kind=kind, bound=bound):
                path = self.called(operation.path) if bound.tensors else ""
                return [self.number((kind, arguments(operation), path, *inputs))]
            case Split(sizes=sizes):
                starts = [*accumulate(sizes, initial=0)]
                return [self.part(inputs[0], *ends, starts[-1]) for ends in pairwise(starts)]
            case Merge(kind="concat"):
                dim = operation.dim % len(operation.output.shape)
                parts = self.joined([part for one in inputs for part in self.parts(one, dim)], dim)
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

    def part(self, number: int, start: int, stop: int, count: int) -> int:
        """Channels of a tensor, which may be part of another; all of them are the tensor."""
        number, offset, _, count = self.parts_of.get(number, (number, 0, 0, count))
        ends = (number, start + offset, stop + offset, count)
        if ends[1:] == (0, count, count):
            return number
        made = self.number(("part", *ends))
        self.parts_of[made] = ends
        return made

    def joined(self, parts: Iterable[int], dim: int) -> list[int]:
        """The operands of a concatenation, those that follow each other in one tensor as one."""
        found: list[int] = []
        for part in parts:
            before, own = (self.parts_of.get(one) for one in (found[-1] if found else -1, part))
            if dim == 1 and before and own and (before[0], before[2]) == own[:2]:
                found[-1] = self.part(own[0], before[1], own[2], own[3])
            else:
                found.append(part)
        return found

    def pair(self, kind: str, a: int, b: int) -> int:
        return self.number((kind, *(sorted((a, b)) if kind in COMMUTATIVE else (a, b))))


def arguments(operation: Apply) -> tuple[Any, ...]:
    """A layer's arguments as torch understands them, without how its weights start."""
    given = {name: value for name, value in operation.layer.values.items() if name not in ("inplace", "like", "init")}
    if given.get("stride", 0) is None:
        given["stride"] = given["kernel_size"]
    return tuple(sorted((name, spread(value)) for name, value in given.items()))


def channels(operation: Apply) -> range:
    """What a ``Slice`` takes of the channels; nothing if it is of another dimension."""
    given, shape = operation.layer.values, operation.input.shape
    if given["dim"] % len(shape) != 1:
        return range(0, 0, 2)
    return range(*slice(given["start"], given["stop"], given.get("step", 1)).indices(shape[1]))


def spread(value: Any) -> str:
    """``[3, 3]`` is 3: what torch gives every axis."""
    if isinstance(value, (list, tuple)):
        return spread(value[0]) if len({*map(spread, value)}) == 1 else str([*map(spread, value)])
    return str(float(value)) if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)


def difference(left: cnndsl.Network, right: cnndsl.Network) -> list[Any]:
    """The first computation that only one of two networks has, of each; empty if their outputs are the same. What no
    output needs does not count. ``right`` was imported from the module of ``left``: its ``rename`` has the names there.
    """
    reader, renamer = Reader(), Renamer(right.graph.document.rename)
    (mine, ours), (other, theirs) = reader.read(left, str), reader.read(right, renamer.renamed)
    keys = {number: key for key, number in reader.numbers.items()}
    sides = {"left": mine - other, "right": other - mine}
    first = [(side, keys[min(found)]) for side, found in sides.items() if found]  # the others take what it gives
    return [] if ours == theirs else first or [("outputs", ours, theirs)]
