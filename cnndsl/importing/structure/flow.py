"""The data flow of a body as a graph: who makes a tensor, who takes it, and which tensor everything goes through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from cnndsl.importing.body import Body, Node
from cnndsl.importing.recorded import Tensor
from cnndsl.layers import LAYERS, Layer
from cnndsl.record import Record
from cnndsl.spec.words import MERGES

#: What makes a tensor: a node, or the body around if the tensor is one of its inputs.
Maker: TypeAlias = "Node | Tensor"


def is_merge(maker: Maker) -> bool:
    return isinstance(maker, Node) and maker.word in MERGES


def carried(node: Node) -> tuple[Tensor, ...]:
    """The tensors that a node computes with. A layer reads only the size of a second one."""
    return node.inputs if is_merge(node) or not node.word else node.inputs[:1]


def _may_count(node: Node) -> bool:
    """Whether a module may have buffers that a run changes."""
    return node.child is not None or LAYERS.get(node.word, Layer).buffers != Layer.buffers


class Flow(Record, frozen=True, eq=False):
    """``makers`` has the node that made each tensor, ``takers`` the nodes that take what a maker made. ``order`` counts
    makers as they ran. ``waist`` is the last maker before one that every path from the inputs to it goes through,
    None if only the inputs together are that."""

    body: Body
    makers: Mapping[Tensor, Node]
    takers: Mapping[Maker, tuple[Node, ...]]
    order: Mapping[Maker, int]
    waist: Mapping[Maker, Maker | None]

    def maker(self, tensor: Tensor) -> Maker:
        return self.makers.get(tensor, tensor)

    def sources(self, maker: Maker) -> tuple[Maker, ...]:
        """What made the tensors that a node computes with."""
        return tuple(self.maker(tensor) for tensor in carried(maker)) if isinstance(maker, Node) else ()

    def is_behind(self, maker: Maker, tensor: Tensor) -> bool:
        """Whether every path to a tensor goes through a maker."""
        found: Maker | None = self.maker(tensor)
        while found is not None and found is not maker:
            found = self.waist[found]
        return found is maker

    @property
    def results(self) -> frozenset[Maker]:
        """What makes the outputs."""
        return frozenset(self.maker(tensor) for tensor in self.body.outputs.values())

    @property
    def shared(self) -> frozenset[str]:
        """Modules that may count, and run more than once: statistics depend on the order of the runs."""
        return frozenset(node.name for node in self.body.nodes if node.reuse and _may_count(node))

    def between(self, first: Maker, last: Maker) -> frozenset[Node]:
        """The nodes on the paths from the waist of one to it, without both."""
        found: set[Node] = set()
        pending = [*self.sources(last)]
        while pending:
            maker = pending.pop()
            if maker is not first and maker not in found and isinstance(maker, Node):
                found.add(maker)
                pending += self.sources(maker)
        return frozenset(found)


def flow_of(body: Body) -> Flow:
    makers = {tensor: node for node in body.nodes for tensor in node.outputs}
    everything: tuple[Maker, ...] = (*body.inputs.values(), *body.nodes)
    order = {maker: number for number, maker in enumerate(everything)}
    takers: dict[Maker, dict[Node, None]] = {maker: {} for maker in order}
    waist: dict[Maker, Maker | None] = dict.fromkeys(body.inputs.values())
    depth: dict[Maker | None, int] = {None: 0, **dict.fromkeys(body.inputs.values(), 1)}
    for node in body.nodes:
        for tensor in node.inputs:
            takers[makers.get(tensor, tensor)][node] = None
        waist[node] = _common((makers.get(tensor, tensor) for tensor in carried(node)), waist, depth)
        depth[node] = depth[waist[node]] + 1
    return Flow(body, makers, {maker: tuple(nodes) for maker, nodes in takers.items()}, order, waist)


def _common(
    makers: Iterable[Maker], waist: Mapping[Maker, Maker | None], depth: Mapping[Maker | None, int]
) -> Maker | None:
    """The last maker that every path to all of ``makers`` goes through: their common ancestor in the tree of
    dominators (Cooper, Harvey and Kennedy, 2001)."""
    first, *others = makers
    common: Maker | None = first
    for other in others:
        found: Maker | None = other
        while common is not found:
            if depth[common] < depth[found]:
                common, found = found, common
            assert common is not None
            common = waist[common]
    return common
