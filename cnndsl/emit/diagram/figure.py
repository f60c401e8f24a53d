"""What is drawn of a graph: boxes in boxes and edges, before any of it has a look.

A figure shows modules down to a depth, and equal parts in a row once. An operation that is drawn
stands for its *members*: itself and those it is equal to. What is not drawn has a node that stands
in for it, so that edges know where to start.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cnndsl.emit.diagram.fold import Folding, Part, made, parts
from cnndsl.emit.table import arguments, human
from cnndsl.graph.cost import cost
from cnndsl.graph.graph import (
    Apply,
    Body,
    Branch,
    Dense,
    Graph,
    Item,
    Merge,
    Module,
    Operation,
    Repeat,
    Residual,
    Split,
    Tensor,
    operations,
    walk,
)
from cnndsl.layers import Layer, Shape
from cnndsl.layers.kinds import PerAxis
from cnndsl.layers.table import show

#: More nodes than this are not laid out: the figure is made coarser.
MAX_NODES = 2_000


@dataclass(slots=True)
class Node:
    """A box. ``kind`` is ``layer``, ``module``, ``merge``, ``split``, ``input``, ``output`` or, for
    what a figure has no room for, ``rest``; ``layer`` is there for a layer only."""

    id: str
    kind: str
    title: str
    detail: str = ""
    times: int = 1
    layer: Layer | None = None


@dataclass(slots=True)
class Cluster:
    """A box around others: a module, or without a title the rounds of a loop."""

    id: str
    title: str = ""
    kind: str = ""
    times: int = 1
    children: list[Node | Cluster] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Edge:
    """``shapes`` are those of all tensors that it stands for. A bypass leads past other layers."""

    tail: str
    head: str
    shapes: tuple[Shape, ...]
    bypass: bool


@dataclass(slots=True)
class Figure:
    """``rows`` are nodes with which branches begin, to stand beside each other in this order."""

    root: Cluster = field(default_factory=lambda: Cluster(""))
    edges: list[Edge] = field(default_factory=list)
    rows: list[tuple[str, ...]] = field(default_factory=list)
    nodes: int = 0


def plan(graph: Graph, depth: int | None, fold: bool) -> Figure:
    """The most detailed figure of at most :data:`MAX_NODES` nodes: if need be folded after all, then
    with less depth, then with the middle of long lists left out."""
    if depth is not None and depth < 1:
        raise ValueError(f"depth is 1 or more, not {depth}")
    folding = Folding(graph)
    deepest = max((level for level, _ in walk(graph.root.body)), default=1)
    depth = min(depth or deepest, deepest)
    figure = _Planner(graph, folding if fold else None, depth).figure
    for coarser, longest in _coarser(depth):
        if figure.nodes <= MAX_NODES:
            break
        figure = _Planner(graph, folding, coarser, longest).figure
    return figure


def _coarser(depth: int) -> Iterator[tuple[int, int | None]]:
    """Depths and lengths of lists to try for a figure that is too large; the last is one box."""
    yield from ((level, None) for level in range(depth, 0, -1))
    yield from ((1, 2**power) for power in range(10, 0, -1))
    yield 0, None


class _Planner:
    """Makes one figure. ``source`` has the node of every tensor that has been drawn or stood in for."""

    def __init__(self, graph: Graph, folding: Folding | None, depth: int, longest: int | None = None) -> None:
        self.figure = Figure()
        self.folding, self.depth, self.longest = folding, depth, longest
        self.source: dict[Tensor, str] = {}
        self.members: dict[Operation, list[Operation]] = {}
        self.shortcuts: set[Tensor] = set()
        self.ids: Counter[str] = Counter()
        self.uses = Counter(
            tensor
            for _, operation in walk(graph.root.body)
            if not isinstance(operation, Module)
            for tensor in operation.inputs
        )
        self._graph(graph)

    def _graph(self, graph: Graph) -> None:
        root = self.figure.root
        for name, tensor in graph.inputs.items():
            title = "input" if len(graph.inputs) == 1 and name == "x" else name
            self.source[tensor] = self._node(root, Node(f"input {name}", "input", title))
        self._module(graph.root, root, 0, False)
        for name, tensor in graph.outputs.items():
            self._edge((tensor,), self._node(root, Node(f"output {name}", "output", name)), False)

    # Nodes and edges

    def _id(self, path: str) -> str:
        """``path``, with a number where something is called so already."""
        self.ids[path] += 1
        return path if self.ids[path] == 1 else f"{path} {self.ids[path]}"

    def _node(self, into: Cluster, node: Node) -> str:
        node.id = self._id(node.id)
        into.children.append(node)
        self.figure.nodes += 1
        return node.id

    def _cluster(self, into: Cluster, cluster: Cluster) -> Cluster:
        cluster.id = self._id(cluster.id)
        into.children.append(cluster)
        return cluster

    def _edge(self, tensors: Sequence[Tensor], head: str, bypass: bool) -> None:
        """An edge to ``head``, where it takes the first of ``tensors`` and its other members the rest.

        Members whose tensor comes from elsewhere, as from the round before, have no say in the shape.
        """
        if tail := self.source.get(tensors[0]):
            shapes = dict.fromkeys(tensor.shape for tensor in tensors if self.source.get(tensor) == tail)
            self.figure.edges.append(Edge(tail, head, tuple(shapes), bypass))

    def _operation(self, operation: Operation, into: Cluster, node: Node, bypass: bool) -> None:
        """Draws an operation as one node, for all that it stands for."""
        id = self._node(into, node)
        members = self.members.get(operation, [operation])
        for tensors in zip(*(member.inputs for member in members)):
            skips = isinstance(operation, Merge) and (self.uses[tensors[0]] > 1 or tensors[0] in self.shortcuts)
            self._edge(tensors, id, bypass or skips)
        self.source.update((tensor, id) for member in members for tensor in made(member))

    # Bodies and what is in them

    def _body(self, body: Body, into: Cluster, depth: int, bypass: bool) -> None:
        self._parts(parts(body), into, depth, bypass)

    def _parts(self, listed: Sequence[Part], into: Cluster, depth: int, bypass: bool) -> None:
        """Draws the parts of a list, equal ones in a row once; without its middle if it is too long."""
        runs = [*self.folding.runs(listed)] if self.folding else [(i, i + 1) for i in range(len(listed))]
        cut = self._cut(len(runs))
        for index, (start, end) in enumerate(runs):
            if index not in cut:
                self._run([part.body for part in listed[start:end]], into, depth, bypass)
            elif index == cut.start:
                self._rest([part.body for part in listed[start : runs[cut.stop - 1][1]]], into)

    def _run(self, bodies: Sequence[Body], into: Cluster, depth: int, bypass: bool) -> None:
        """Draws the first of equal bodies, for all of them."""
        first = bodies[0]
        for body in bodies[1:]:
            for (_, drawn), (_, equal) in zip(walk(first), walk(body)):
                members = self.members.setdefault(drawn, [drawn])
                members += self.members.get(equal, [equal])
        if len(first) == 1 and isinstance(first[0], (Apply, Module)):
            self._item(first[0], into, depth, bypass, [body[0] for body in bodies])
            return
        if len(bodies) > 1:
            into = self._cluster(into, Cluster(f"{next(walk(first))[1].path} loop", times=len(bodies)))
        for item in first:
            self._item(item, into, depth, bypass)

    def _item(
        self, item: Item, into: Cluster, depth: int, bypass: bool, run: Sequence[Item] = (), /
    ) -> None:
        """Draws one item, for all of ``run`` if there is one."""
        if isinstance(item, Module):
            self._module(item, into, depth, bypass, [other for other in run if isinstance(other, Module)])
        elif isinstance(item, Apply):
            node = Node(item.path, "layer", item.kind, _detail(item), len(run) or 1, item.layer)
            self._operation(item, into, node, bypass)
        elif isinstance(item, (Merge, Split)):
            self._operation(item, into, Node(item.path, "merge", item.kind), bypass)
        elif isinstance(item, Repeat):
            self._body((item,), into, depth, bypass)
        elif isinstance(item, Dense):
            self._parts([Part(body, True) for body in item.bodies], into, depth, bypass)
        elif isinstance(item, Branch):
            self._branch(item, into, depth, bypass)
        else:
            self._residual(item, into, depth, bypass)

    def _module(
        self, module: Module, into: Cluster, depth: int, bypass: bool, run: Sequence[Module] = ()
    ) -> None:
        """A box around what is in it, or where that would be too deep, or nothing, a box alone."""
        title = module.name if len(run) < 2 else f"{module.name} … {run[-1].name}"
        times = len(run) or 1
        if depth == 0 < self.depth:
            self._body(module.body, into, 1, bypass)
        elif depth < self.depth and any(operations(module.body)):
            inner = self._cluster(into, Cluster(module.path, title, module.kind, times))
            self._body(module.body, inner, depth + 1, bypass)
        else:
            params = "the same weights" if module.reuse else f"{human(cost(module).params)} parameters"
            node = Node(module.path, "module", title, f"{module.kind}, {params}", times)
            self._operation(module, into, node, bypass)

    def _residual(self, residual: Residual, into: Cluster, depth: int, bypass: bool) -> None:
        self._beside([(residual.body, bypass), (residual.shortcut, True)], into, depth)
        if residual.merge:
            self.shortcuts.add(residual.merge.inputs[1])
            self._item(residual.merge, into, depth, bypass)

    def _branch(self, branch: Branch, into: Cluster, depth: int, bypass: bool) -> None:
        if branch.split:
            self._item(branch.split, into, depth, bypass)
        self._beside([(body, bypass) for body in branch.branches], into, depth)
        self._item(branch.merge, into, depth, bypass)

    def _beside(self, bodies: Sequence[tuple[Body, bool]], into: Cluster, depth: int) -> None:
        """Draws bodies, bypasses or not, side by side; without those in the middle if there are too many."""
        edges = self.figure.edges
        starts: list[Edge] = []
        cut = self._cut(len(bodies))
        for index, (body, bypass) in enumerate(bodies):
            before = len(edges)
            if index not in cut:
                self._body(body, into, depth, bypass)
            elif index == cut.start:
                self._rest([left_out for left_out, _ in bodies[cut.start : cut.stop]], into)
            starts += edges[before : before + 1]
        row = tuple(dict.fromkeys(edge.head for edge in starts if edge.tail == starts[0].tail))
        if len(row) > 1:
            self.figure.rows.append(row)

    def _cut(self, length: int) -> range:
        """What of a list of some length is left out."""
        if self.longest is None or length <= self.longest:
            return range(0)
        return range((self.longest + 1) // 2, length - self.longest // 2)

    def _rest(self, bodies: Sequence[Body], into: Cluster) -> None:
        """One node for all operations of some bodies."""
        inside = [operation for body in bodies for operation in operations(body)]
        count = sum(1 for body in bodies for _ in walk(body))
        id = self._node(into, Node("rest", "rest", f"{count:,} more"))
        made_here = {tensor for operation in inside for tensor in made(operation)}
        taken = dict.fromkeys(
            tensor for operation in inside for tensor in operation.inputs if tensor not in made_here
        )
        sources = {self.source[tensor]: tensor for tensor in taken if tensor in self.source}
        for tensor in sources.values():
            self._edge((tensor,), id, False)
        self.source.update(dict.fromkeys(made_here, id))


def _detail(apply: Apply) -> str:
    """A layer's arguments, those that have to be written without their names: ``64, 7×7, stride 2``."""
    if apply.reuse:
        return f"the weights of {apply.name}"
    layer, texts = apply.layer, []
    for name, value in arguments(apply).items():
        if not layer.arguments[name].required:
            texts.append(f"{name} {_plain(value)}")
        elif isinstance(layer.arguments[name].kind, PerAxis):
            texts.append("×".join(map(_plain, layer.axes(value))))
        else:
            texts.append(_plain(value))
    return ", ".join(text.replace(" ", "\u00a0") for text in texts)


def _plain(value: object) -> str:
    return value if isinstance(value, str) else show(value)
