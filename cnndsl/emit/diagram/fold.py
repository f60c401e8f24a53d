"""Finds consecutive parts of a network that are the same, and so can be drawn once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from math import inf

from cnndsl.emit.table import arguments
from cnndsl.graph.graph import Apply, Body, Graph, Merge, Module, Operation, Region, Repeat, Split, Tensor, walk
from cnndsl.record import Record


class Part(Record, frozen=True):
    """Items that may be folded with equal neighbours: a round of a loop, or one module.

    ``forks`` marks a round of a ``dense``, whose input goes past its layers as well as into them.
    """

    body: Body
    foldable: bool
    forks: bool = False


class Pattern(Record, frozen=True):
    """The content of a part (``key``), the tensors that it takes from elsewhere, and those that it makes."""

    key: int
    taken: tuple[Tensor, ...]
    made: tuple[Tensor, ...]


def parts(body: Body) -> list[Part]:
    """A body with its loops unrolled. Equal bodies give the same number of parts."""
    found: list[Part] = []
    for item in body:
        if not isinstance(item, Repeat):
            found.append(Part((item,), isinstance(item, Module)))
            continue
        for round_ in item.rounds:
            nested = len(round_) == 1 and isinstance(round_[0], Repeat)
            found += parts(round_) if nested else [Part(round_, True)]
    return found


class Folding:
    """Finds runs of equal parts in a graph: with the same layers, arguments and wiring, where each part takes
    the output of the one before and nothing else in them is used elsewhere. Names and inferred arguments
    may differ, and so may the probabilities of dropout, which often grow with the depth. Operations whose paths are in
    ``apart`` with different values are different.
    """

    def __init__(self, graph: Graph, apart: Mapping[str, str] | None = None) -> None:
        self._apart = apart or {}
        self._keys: dict[Hashable, int] = {}
        self._patterns: dict[Body, Pattern] = {}
        self._position: dict[Operation, int] = {}
        self._last_use: dict[Tensor, float] = {}
        for position, operation in enumerate(graph.root.everything):
            self._position[operation] = position
            self._last_use.update(dict.fromkeys(operation.inputs, position))
        self._last_use.update(dict.fromkeys(graph.outputs.values(), inf))

    def runs(self, parts: Sequence[Part]) -> Iterator[tuple[int, int]]:
        """Start and end of each run of parts that can be drawn once; most runs have one part."""
        start = 0
        for index in range(1, len(parts) + 1):
            if index == len(parts) or not self._continues(parts, start, index):
                yield start, index
                start = index

    def _continues(self, parts: Sequence[Part], start: int, index: int) -> bool:
        """Whether a part repeats the one before it, in a run from ``start``."""
        if not (parts[index].foldable and parts[index - 1].foldable):
            return False
        if not self.alike(parts[index - 1].body, parts[index].body):
            return False
        before, this = self.pattern(parts[index - 1].body), self.pattern(parts[index].body)
        if (carried := _carried(before, this)) is None:
            return False
        if index - start > 1 and carried != _carried(self.pattern(parts[index - 2].body), before):
            return False
        inner = [tensor for place, tensor in enumerate(this.made) if place not in carried]
        return self._done(before.made, parts[index].body) and self._done(inner, parts[index].body)

    def alike(self, body: Body, other: Body) -> bool:
        """Whether two bodies differ in nothing that is drawn, names aside."""
        return self.pattern(body).key == self.pattern(other).key

    def _done(self, tensors: Iterable[Tensor], body: Body) -> bool:
        """Whether nothing after ``body`` takes one of the tensors."""
        end = max(self._position[operation] for _, operation in walk(body))
        return all(self._last_use.get(tensor, -1) <= end for tensor in tensors)

    def pattern(self, body: Body) -> Pattern:
        """What a body is like; read once."""
        if body not in self._patterns:
            self._patterns[body] = self._read(body)
        return self._patterns[body]

    def _read(self, body: Body) -> Pattern:
        taken: dict[Tensor, int] = {}
        local: dict[Tensor, int] = {}
        paths: dict[str, int] = {}
        tokens: list[Hashable] = []

        def read(items: Body) -> None:
            for item in items:
                if isinstance(item, Region):
                    tokens.append(type(item).__name__)
                    for inner in item.bodies:
                        read(inner)
                        tokens.append("end")
                    continue
                wires = tuple(
                    (True, local[tensor]) if tensor in local else (False, taken.setdefault(tensor, len(taken)))
                    for tensor in item.inputs
                )
                reused = isinstance(item, (Apply, Module)) and item.reuse
                again: Hashable = paths.get(item.path, item.path) if reused else ""
                paths.setdefault(item.path, len(paths))
                tokens.append((self.what(item), again, wires))
                for tensor in item.outputs:
                    local[tensor] = len(local)

        read(body)
        return Pattern(self._intern(tuple(tokens)), tuple(taken), tuple(local))

    def what(self, operation: Operation) -> Hashable:
        """Everything that is drawn of an operation except its name."""
        apart = self._apart.get(operation.path, "")
        if isinstance(operation, (Split, Merge)):
            return operation.kind, repr(arguments(operation)), apart
        if isinstance(operation, Apply):
            return operation.kind, repr(self.arguments(operation)), apart
        return operation.kind, self.pattern(operation.body).key, apart

    def arguments(self, apply: Apply) -> dict[str, object]:
        """The arguments in which equal layers are equal."""
        told = arguments(apply)
        return {name: value for name, value in told.items() if (apply.layer.family, name) != ("dropout", "p")}

    def _intern(self, key: Hashable) -> int:
        return self._keys.setdefault(key, len(self._keys))


def _carried(before: Pattern, this: Pattern) -> tuple[int | None, ...] | None:
    """For each tensor that ``this`` takes, the index of that tensor among those made by ``before``, None for one
    that both take from elsewhere. None in all if they are not wired like two rounds of a loop."""
    index = {tensor: place for place, tensor in enumerate(before.made)}
    carried = tuple(index.get(tensor) for tensor in this.taken)
    alike = all(place is not None or tensor is same for place, tensor, same in zip(carried, this.taken, before.taken))
    return carried if alike and any(place is not None for place in carried) else None
