"""What is drawn of a graph: nested boxes and edges, before any styling.

A figure shows modules down to a depth, and equal consecutive parts once. An operation that is drawn
represents its *members*: itself and the ones equal to it. An operation that is not drawn is represented
by another node, so that edges know where to start.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from msgspec import Struct, field

from cnndsl.emit.diagram.fold import Folding, Part, parts
from cnndsl.emit.diagram.labels import detail
from cnndsl.emit.diagram.streams import together
from cnndsl.emit.table import human
from cnndsl.graph.graph import (
    Apply,
    Body,
    Branch,
    Dense,
    Graph,
    Inline,
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
from cnndsl.layers import Shape
from cnndsl.record import Record
from cnndsl.spec.words import PAIRS

#: Limits that keep the layout to a few seconds. A larger figure is made coarser.
MAX_NODES, MAX_WIDTH, MAX_DETOURS = 2_000, 1_100, 30_000


class Node(Struct, eq=False):
    """A small box: ``kind`` is ``layer``, ``module``, ``merge``, ``fork``, ``input``, ``output`` or, for
    everything that has no room, ``rest``. Only a layer has a ``family``."""

    id: str
    kind: str
    title: str = ""
    detail: str = ""
    times: int = 1
    family: str = ""


class Cluster(Struct, eq=False):
    """A box around nodes and clusters: a module, or without a title the rounds of a loop."""

    id: str
    title: str = ""
    kind: str = ""
    times: int = 1
    children: list[Node | Cluster] = field(default_factory=list)


class Edge(Record, frozen=True, eq=False):
    """``shapes`` are those of all tensors that it represents. A bypass goes past other operations. An edge out of a
    module with several outputs has the name of the ``output``. Along a ``size`` edge only the size of a tensor is read.
    ``order`` is 1 or 2 for the operands of a merge whose order matters.
    """

    tail: Node
    head: Node
    shapes: tuple[Shape, ...]
    bypass: bool
    output: str = ""
    size: bool = False
    order: int = 0


class Figure(Struct):
    """``rows`` are nodes to place side by side in this order: inputs, and the first nodes of branches.

    Three numbers make a layout slow: ``nodes``, the most nodes side by side (``width``), and the number of ranks
    that edges skip, summed over all edges (``detours``).
    """

    root: Cluster = field(default_factory=lambda: Cluster(""))
    edges: list[Edge] = field(default_factory=list)
    rows: list[tuple[Node, ...]] = field(default_factory=list)
    nodes: int = 0
    width: int = 0
    detours: int = 0

    @property
    def fits(self) -> bool:
        return self.nodes <= MAX_NODES and self.width <= MAX_WIDTH and self.detours <= MAX_DETOURS


def plan(graph: Graph, depth: int | None, fold: bool) -> Figure:
    """The most detailed figure that can be laid out: if necessary folded, then with less depth,
    then without the middle of long lists."""
    if depth is not None and depth < 1:
        raise ValueError(f"depth must be 1 or more, not {depth}")
    folding = Folding(graph)
    deepest = max((level for level, _ in walk(graph.root.body)), default=1)
    depth = min(depth or deepest, deepest)
    figure = _Planner(graph, folding if fold else None, depth).figure
    for coarser, longest in _coarser(depth):
        if figure.fits:
            break
        figure = _Planner(graph, folding, coarser, longest).figure
    return figure


def _coarser(depth: int) -> Iterator[tuple[int, int | None]]:
    """Depths and lengths of lists to try for a figure that is too large; the last is one box."""
    yield from ((level, None) for level in range(depth, 0, -1))
    yield from ((1, 2**power) for power in range(10, 0, -1))
    yield 0, None


class _Planner:
    """Makes one figure. ``source`` has the node that represents the operation of each tensor so far, ``output`` the
    name of each tensor that a module with several outputs has returned so far."""

    def __init__(self, graph: Graph, folding: Folding | None, depth: int, longest: int | None = None) -> None:
        self.figure = Figure()
        self.folding, self.depth, self.longest = folding, depth, longest
        self.source: dict[Tensor, Node] = {}
        self.output: dict[Tensor, str] = {}
        self.rank: Counter[Node] = Counter()
        self.from_rest: set[tuple[Node, Node]] = set()
        self.members: dict[Operation, list[Operation]] = {}
        self.shortcuts: set[Tensor] = set()
        self.ids: Counter[str] = Counter()
        self.uses = Counter(
            tensor
            for _, operation in walk(graph.root.body)
            if not isinstance(operation, Module)
            for tensor in _used(operation)
        )
        self._graph(graph)

    def _graph(self, graph: Graph) -> None:
        root = self.figure.root
        for name, tensor in graph.inputs.items():
            title = "input" if len(graph.inputs) == 1 and name == "x" else name
            self.source[tensor] = self._node(root, Node(f"input {name}", "input", title))
        if len(graph.inputs) > 1:
            self.figure.rows.append(tuple(self.source.values()))
        self._module(graph.root, root, 0, False)
        for name, tensor in graph.outputs.items():
            self._edge([tensor], self._node(root, Node(f"output {name}", "output", name)), False)
        edges = self.figure.edges
        self.figure.width = max(Counter(self.rank.values()).values(), default=0)
        self.figure.detours = sum(self.rank[edge.head] - self.rank[edge.tail] - 1 for edge in edges if not edge.size)

    # Nodes and edges

    def _id(self, path: str) -> str:
        """``path``, with a number if it is already taken."""
        self.ids[path] += 1
        return path if self.ids[path] == 1 else f"{path} {self.ids[path]}"

    def _node(self, into: Cluster, node: Node) -> Node:
        node.id = self._id(node.id)
        into.children.append(node)
        self.figure.nodes += 1
        return node

    def _cluster(self, into: Cluster, cluster: Cluster) -> Cluster:
        cluster.id = self._id(cluster.id)
        into.children.append(cluster)
        return cluster

    def _edge(self, tensors: Sequence[Tensor], head: Node, bypass: bool, size: bool = False, order: int = 0) -> None:
        """An edge to ``head``, which takes the first of ``tensors``; its other members take the rest.

        Members whose tensor comes from elsewhere, such as the round before, do not affect the shape.
        """
        tail = self.source.get(tensors[0])
        if tail is None or (tail, head) in self.from_rest:
            return
        if tail.kind == "rest":  # one edge is enough for everything left out
            self.from_rest.add((tail, head))
        shapes = dict.fromkeys(tensor.shape for tensor in tensors if self.source.get(tensor) is tail)
        output = self.output.get(tensors[0], "")
        self.figure.edges.append(Edge(tail, head, tuple(shapes), bypass, output, size, order))
        if not size:
            self.rank[head] = max(self.rank[head], self.rank[tail] + 1)

    def _operation(self, operation: Operation, into: Cluster, node: Node, bypass: bool) -> None:
        """Draws an operation as one node, for all of its members."""
        self._node(into, node)
        members = self.members.get(operation, [operation])
        for place, tensors in enumerate(zip(*(member.inputs for member in members))):
            past = isinstance(operation, Merge) and (self.uses[tensors[0]] > 1 or tensors[0] in self.shortcuts)
            order = place + 1 if operation.kind in PAIRS else 0
            self._edge(tensors, node, bypass or past, place >= len(_used(operation)), order)
        self.source.update((tensor, node) for member in members for tensor in member.outputs)

    # Bodies and their items

    def _body(self, body: Body, into: Cluster, depth: int, bypass: bool) -> None:
        self._parts(parts(body), into, depth, bypass)

    def _parts(self, listed: Sequence[Part], into: Cluster, depth: int, bypass: bool) -> None:
        """Draws the parts of a list, equal consecutive ones once; without the middle if it is too long."""
        runs = [*self.folding.runs(listed)] if self.folding else [(i, i + 1) for i in range(len(listed))]
        cut = self._cut(len(runs))
        for index, (start, end) in enumerate(runs):
            if index not in cut:
                self._run(listed[start:end], into, depth, bypass)
            elif index == cut.start:
                left_out = [[part.body for part in listed[slice(*run)]] for run in runs[cut.start : cut.stop]]
                for places in together(left_out):
                    self._rest([body for at in places for body in left_out[at]], into)

    def _run(self, equal: Sequence[Part], into: Cluster, depth: int, bypass: bool) -> None:
        """Draws the first of equal parts, for all of them."""
        first = equal[0].body
        for part in equal[1:]:
            for (_, drawn), (_, other) in zip(walk(first), walk(part.body)):
                members = self.members.setdefault(drawn, [drawn])
                members += self.members.get(other, [other])
        if len(first) == 1 and isinstance(first[0], (Apply, Module)):
            self._item(first[0], into, depth, bypass, [part.body[0] for part in equal])
            return
        if len(equal) > 1:
            into = self._cluster(into, Cluster(f"{walk(first)[0][1].path} loop", times=len(equal)))
        with self._forks(first if equal[0].forks else (), into, bypass):
            for item in first:
                self._item(item, into, depth, bypass)

    def _item(self, item: Item, into: Cluster, depth: int, bypass: bool, run: Sequence[Item] = (), /) -> None:
        """Draws one item, for all of ``run`` if there is one."""
        if isinstance(item, Module):
            self._module(item, into, depth, bypass, [other for other in run if isinstance(other, Module)])
        elif isinstance(item, Apply):
            told = detail(item, self.members.get(item, ()))
            node = Node(item.path, "layer", item.kind, told, len(run) or 1, item.layer.family)
            self._operation(item, into, node, bypass)
        elif isinstance(item, (Merge, Split)):
            self._operation(item, into, Node(item.path, "merge", item.kind), bypass)
        elif isinstance(item, Repeat):
            self._body((item,), into, depth, bypass)
        elif isinstance(item, Inline):
            self._body(item.body, into, depth, bypass)
        elif isinstance(item, Dense):
            self._parts([Part(body, True, forks=True) for body in item.bodies], into, depth, bypass)
        else:
            with self._forks((item,) if item.merge else (), into, bypass):
                self._region(item, into, depth, bypass)

    def _module(self, module: Module, into: Cluster, depth: int, bypass: bool, run: Sequence[Module] = ()) -> None:
        """A box around its contents, or a single box if they would be too deep or there are none."""
        title = _title(module) if len(run) < 2 else f"{_title(module)} … {_title(run[-1])}"
        times = len(run) or 1
        if depth == 0 < self.depth:
            self._body(module.body, into, 1, bypass)
        elif depth < self.depth and any(operations(module.body)):
            kind = f"{module.kind}, the weights of {module.name}" if module.called else module.kind
            inner = self._cluster(into, Cluster(module.path, title, kind, times))
            self._body(module.body, inner, depth + 1, bypass)
        else:
            again = f"the weights of {module.name}" if module.called else "the same weights again"
            weights = again if module.reuse else f"{human(module.cost.params)} parameters"
            node = Node(module.path, "module", title, f"{module.kind}\n{weights}", times)
            self._operation(module, into, node, bypass)
        if depth and len(module.made) > 1:
            for member in self.members.get(module, [module]):
                self.output.update(zip(member.outputs, module.made))

    def _region(self, region: Residual | Branch, into: Cluster, depth: int, bypass: bool) -> None:
        if isinstance(region, Residual):
            self._beside([(region.body, bypass), (region.shortcut, True)], into, depth)
            self.shortcuts.update(region.merge.inputs[1:] if region.merge else ())
        else:
            if region.split:
                self._item(region.split, into, depth, bypass)
            self._beside([(arm.body, bypass) for arm in region.arms], into, depth)
        if region.merge:
            self._item(region.merge, into, depth, bypass)

    @contextmanager
    def _forks(self, region: Body, into: Cluster, bypass: bool) -> Iterator[None]:
        """In here, a tensor that a region uses more than once starts from a fork node."""
        inside = [*operations(region)]
        inner = {tensor for operation in inside for tensor in operation.outputs}
        taken = [(tensor, operation, place) for operation in inside for place, tensor in enumerate(_used(operation))]
        uses = Counter(tensor for tensor, _, _ in taken)
        before: dict[Tensor, Node] = {}
        for tensor, operation, place in taken:
            if uses[tensor] > 1 and tensor not in inner and tensor in self.source and tensor not in before:
                before[tensor] = self.source[tensor]
                alike = [member.inputs[place] for member in self.members.get(operation, [operation])]
                fork = self._node(into, Node(f"{operation.path} fork", "fork"))
                self._edge(alike, fork, bypass)
                self.source.update(dict.fromkeys(alike, fork))
        yield
        self.source.update(before)

    def _beside(self, bodies: Sequence[tuple[Body, bool]], into: Cluster, depth: int) -> None:
        """Draws bodies side by side, each a bypass or not; without the middle ones if there are too many."""
        edges = self.figure.edges
        starts: list[Edge] = []
        cut = self._cut(len(bodies))
        for index, (body, bypass) in enumerate(bodies):
            before = len(edges)
            if index not in cut:
                self._body(body, into, depth, bypass)
            elif index == cut.start:
                left_out = [body for body, _ in bodies[cut.start : cut.stop]]
                for places in together([[body] for body in left_out]):
                    self._rest([left_out[at] for at in places], into)
            starts += edges[before : before + 1]
        beside = sorted(starts, key=lambda edge: not edge.bypass)
        row = tuple(dict.fromkeys(edge.head for edge in beside if edge.tail is starts[0].tail))
        if len(row) > 1:
            self.figure.rows.append(row)

    def _cut(self, length: int) -> range:
        """The range that is left out of a list of some length."""
        if self.longest is None or length <= self.longest:
            return range(0)
        return range((self.longest + 1) // 2, length - self.longest // 2)

    def _rest(self, bodies: Sequence[Body], into: Cluster) -> None:
        """One node for all operations of some bodies."""
        inside = [operation for body in bodies for operation in operations(body)]
        count = sum(1 for body in bodies for _ in walk(body))
        node = self._node(into, Node("rest", "rest", f"{count:,} more"))
        inner = {tensor for operation in inside for tensor in operation.outputs}
        taken = (tensor for operation in inside for tensor in operation.inputs if tensor not in inner)
        tails = {self.source[tensor]: tensor for tensor in taken if tensor in self.source}
        for tensor in tails.values():
            self._edge([tensor], node, False)
        self.source.update(dict.fromkeys(inner, node))


def _used(operation: Operation) -> tuple[Tensor, ...]:
    """The inputs whose values an operation takes. Of what a layer reads besides, it takes the size."""
    return operation.inputs[:1] if isinstance(operation, Apply) else operation.inputs


def _title(module: Module) -> str:
    return module.called or module.name
