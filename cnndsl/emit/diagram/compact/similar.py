"""Finds blocks that differ in numbers only, and so can share one drawing."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence

from cnndsl.emit.diagram.fold import Folding, Part, Pattern, parts
from cnndsl.graph.graph import Apply, Body, Dense, Graph, Item, Module, Operation, Region, Repeat, Tensor

#: The arguments that are numbers of channels; the groups of a depthwise convolution are, too.
CHANNELS = ("out_channels", "out_features", "num_features", "normalized_shape")


class _ChannelsAside(Folding):
    """Where two parts are equal if they differ in numbers of channels only."""

    def arguments(self, apply: Apply) -> dict[str, object]:
        told = super().arguments(apply)
        if "groups" in told and told["groups"] == apply.input.shape[1]:
            told["groups"] = "depthwise"
        return {name: value for name, value in told.items() if name not in CHANNELS}


class Similar(Folding):
    """Runs of parts that are drawn once: equal ones, and uses of a block that differ in numbers of channels only.

    Without ``fold`` every part is drawn. ``is_box`` says of a module whether it is drawn as a box beside which its
    contents are drawn.
    """

    def __init__(self, graph: Graph, fold: bool, apart: Mapping[str, str], is_box: Callable[[Module], bool]) -> None:
        super().__init__(graph, apart)
        self._equal, self._close = Folding(graph, apart), _ChannelsAside(graph, apart)
        self._fold, self._is_box = fold, is_box
        self._made = {module.path: module for module in graph.root.modules if not module.reuse}

    def key(self, module: Module) -> Hashable:
        """The same for blocks that share one drawing."""
        return module.kind, self.pattern(self.original(module).body).key

    def original(self, module: Module) -> Module:
        """The module whose weights one has: itself, if they are not used again."""
        return self._made[module.path] if module.reuse else module

    def folded(self, body: Body) -> list[list[Part]]:
        """The parts of a body, equal consecutive ones together."""
        return self.together(parts(body))

    def rounds(self, dense: Dense) -> list[list[Part]]:
        """The rounds of a ``dense``, equal consecutive ones together."""
        return self.together([Part(body, True, forks=True) for body in dense.bodies])

    def together(self, listed: Sequence[Part]) -> list[list[Part]]:
        if not self._fold:
            return [[part] for part in listed]
        return [[*listed[start:end]] for start, end in self.runs(listed)]

    def alike(self, body: Body, other: Body) -> bool:
        if self._equal.alike(body, other):
            return True
        one, two = body[0], other[0]
        if not (len(body) == len(other) == 1 and isinstance(one, Module) and isinstance(two, Module)):
            return False
        boxes = one.block and self.what(one) == self.what(two) and self._is_box(one)
        return bool(boxes) and _keeps_size(one) and _keeps_size(two) and self._close.alike(body, other)

    def what(self, operation: Operation) -> Hashable:
        apart = self._apart.get(operation.path, "")
        if isinstance(operation, Module):
            return *self.key(operation), apart  # type: ignore[misc]
        return operation.kind, len(operation.inputs), apart

    def _read(self, body: Body) -> Pattern:
        reader = _Reader(self)
        reader.body(body)
        return Pattern(self._intern(tuple(reader.tokens)), tuple(reader.taken), tuple(reader.made))


def _keeps_size(module: Module) -> bool:
    return module.input.shape.sample[1:] == module.output.shape.sample[1:]


def whole(body: Body) -> bool:
    """Whether a part is one item, not a round that has parts of its own."""
    return len(body) == 1 and not isinstance(body[0], Repeat)


class _Reader:
    """Reads a body as it is drawn: the later ones of equal parts are not read, only their tensors noted."""

    def __init__(self, similar: Similar) -> None:
        self.similar = similar
        self.tokens: list[Hashable] = []
        self.taken: dict[Tensor, int] = {}
        self.made: list[Tensor] = []
        self._local: dict[Tensor, int] = {}
        self._paths: dict[str, int] = {}

    def body(self, body: Body) -> None:
        self._runs(self.similar.folded(body))

    def _runs(self, runs: Sequence[Sequence[Part]]) -> None:
        for run in runs:
            start = len(self.made)
            self.tokens.append(len(run) > 1)
            if whole(run[0].body):
                self._item(run[0].body[0])
            else:
                self.body(run[0].body)
            for part in run[1:]:
                for place, tensor in enumerate(self.similar.pattern(part.body).made, start):
                    self._local[tensor] = place
                    self.made[place] = tensor

    def _item(self, item: Item) -> None:
        if isinstance(item, Dense):
            self._runs(self.similar.rounds(item))
        elif isinstance(item, Region):
            self.tokens.append(type(item).__name__)
            for inner in item.bodies:
                self.body(inner)
                self.tokens.append("end")
        else:
            self._operation(item)

    def _operation(self, item: Operation) -> None:
        wires = tuple(
            (True, self._local[tensor])
            if tensor in self._local
            else (False, self.taken.setdefault(tensor, len(self.taken)))
            for tensor in item.inputs
        )
        reused = isinstance(item, (Apply, Module)) and item.reuse
        again: Hashable = self._paths.get(item.path, "") if reused else ""
        self._paths.setdefault(item.path, len(self._paths))
        self.tokens.append((self.similar.what(item), again, wires))
        for tensor in item.outputs:
            self._local[tensor] = len(self.made)
            self.made.append(tensor)
