"""The order in which a body's nodes are written, and what is written inside of a branch: runs, joins and fetches.

A merge is *nested* if it is written as a branch right at the tensor that all of its operands come from: everything
between belongs to this merge alone. What is not nested is written as it ran, and fetches what it needs by name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Set
from math import prod

from cnndsl.importing.body import Node
from cnndsl.importing.recorded import Tensor
from cnndsl.importing.structure.flow import Flow, Maker, carried, is_merge
from cnndsl.importing.structure.pieces import Fetch, Join, Piece, Pieces, Run, by_name, fetches, makes, ordered

#: How the skips of a U-Net are merged.
_SKIPS = ("add", "concat")


def woven(flow: Flow) -> Pieces:
    """The pieces of a whole body. They end with its output if it has one without a name."""
    deep = _long_skips(flow)
    nested = _nested(flow, deep)
    loom = _Loom(flow, nested, {*flow.body.inputs.values()}, deep)
    now = next(iter(flow.body.inputs.values()))
    pieces: list[Piece] = []
    for tensor in _anchors(flow, nested):
        if tensor not in loom.ran:
            pieces += loom.reach(tensor, now)
            now = tensor
    last = flow.body.outputs.get("", now)
    return (*pieces, *(() if last is now else (Fetch(last),)))


class _Loom:
    """Makes tensors that have not been made yet from the current one. ``ran`` holds all that have been, ``deep`` the
    operands that are made before their merge, not in a branch of it."""

    def __init__(
        self, flow: Flow, nested: Mapping[Node, Maker], ran: set[Tensor], deep: Mapping[Node, Tensor] | None = None
    ) -> None:
        self.flow = flow
        self.shared = flow.shared
        self.deep = deep or {}
        self.nested = nested
        self.ran = ran

    def reach(self, target: Tensor, current: Tensor) -> Pieces:
        spine: list[tuple[Tensor, Node]] = []
        start = target
        while start is not current and start not in self.ran:
            node = self.flow.makers[start]
            spine.append((start, node))
            start = self._before(node, current)
        pieces: list[Piece] = [] if start is current else [Fetch(start)]
        now = start
        for tensor, node in reversed(spine):
            pieces += self._made(node, now)
            self.ran.update(node.outputs)
            if tensor is not node.outputs[-1]:
                pieces.append(Fetch(tensor))
            now = tensor
        return tuple(pieces)

    def _before(self, node: Node, current: Tensor) -> Tensor:
        """The tensor that is the current one when a node is written."""
        if node in self.nested:
            waist = self.nested[node]
            return waist.outputs[-1] if isinstance(waist, Node) else waist
        missing = [*dict.fromkeys(t for t in carried(node) if t is not current and t not in self.ran)]
        if len(carried(node)) == 1:
            return node.inputs[0]
        if not is_merge(node):
            return self._end(missing[0]) if missing else current
        if self.deep.get(node) in missing:
            return self.deep[node]
        starts = {self._start(tensor, current) for tensor in missing}
        is_operand = not starts.isdisjoint(node.inputs)
        is_apart = not is_operand and current not in node.inputs
        if len(missing) == 1 and (starts == {current} or (is_apart and self._is_long(*missing))):
            return missing[0]
        return starts.pop() if len(starts) == 1 and (len(missing) > 1 or is_operand) else current

    def _is_long(self, tensor: Tensor) -> bool:
        """Whether it takes more than one step to make a tensor of earlier ones."""
        node = self.flow.makers[tensor]
        return any(other not in self.ran for other in node.inputs)

    def _end(self, tensor: Tensor) -> Tensor:
        """The tensor that is the current one after what makes a tensor: the last output."""
        return _outputs(self.flow.maker(tensor))[-1]

    def _start(self, tensor: Tensor, current: Tensor) -> Tensor:
        """The earlier tensor that the steps to this one begin with."""
        while tensor is not current and tensor not in self.ran:
            tensor = self._before(self.flow.makers[tensor], current)
        return tensor

    def _made(self, node: Node, now: Tensor) -> Pieces:
        if is_merge(node):
            join = Join(node, now, tuple(self.reach(tensor, now) for tensor in node.inputs))
            return (ordered(join, self.shared),)
        pieces: list[Piece] = []
        here = now
        for tensor in by_name(node):
            if tensor not in self.ran:
                here, start = self._end(tensor), here
                pieces += self.reach(here, start)
        if here is not now and len(carried(node)) == 1:
            pieces.append(Fetch(now))
        return (*pieces, Run(node))


def _anchors(flow: Flow, nested: Mapping[Node, Maker]) -> Iterator[Tensor]:
    """The tensors that are made on the way, in the order in which they were made, and at last the outputs: what several
    steps take or one takes by name, what modules with several outputs make, and what a merge takes which is not nested
    if another such merge is on the way to it."""
    owner: dict[Maker, Node] = {}
    for merge in sorted(nested, key=lambda node: -flow.order[node]):
        for node in flow.between(nested[merge], merge):
            owner.setdefault(node, merge)
    results, shared = flow.results, flow.shared
    crossing: set[Maker] = set()
    for maker in flow.order:
        if maker in owner or not isinstance(maker, Node):
            continue
        sources = (nested[maker],) if maker in nested else flow.sources(maker)
        is_crossing = (is_merge(maker) and maker not in nested) or not crossing.isdisjoint(sources)
        takers = {owner.get(node, node) for node in flow.takers[maker]}
        is_named = any(by_name(node) for node in takers)
        is_operand = any(is_merge(node) and node not in nested for node in takers)
        is_one = len(takers) == len(maker.outputs) == 1
        if not is_one or maker in results or maker.name in shared or is_named or (is_crossing and is_operand):
            yield maker.outputs[-1]
        elif is_crossing:
            crossing.add(maker)
    yield from flow.body.outputs.values()


def _nested(flow: Flow, skips: Collection[Node]) -> dict[Node, Maker]:
    """The merges that are written as branches of the tensor that they come from, and what made that."""
    nested: dict[Node, Maker] = {}
    shared = flow.shared
    for node in flow.body.nodes:
        waist = flow.waist[node]
        if is_merge(node) and waist is not None and len(_outputs(waist)) == 1 and node not in skips:
            inside = flow.between(waist, node)
            is_plain = _is_closed(flow, node, inside) and _is_plain(flow, node, waist, inside, nested)
            if is_plain and (not shared or _keeps_order(flow, node, waist, nested, shared)):
                nested[node] = waist
    return nested


def _is_closed(flow: Flow, merge: Node, inside: Set[Node]) -> bool:
    """Whether nothing else takes what is made inside."""
    own = {*inside, merge}
    return inside.isdisjoint(flow.results) and all(own.issuperset(flow.takers[node]) for node in inside)


def _is_plain(flow: Flow, merge: Node, waist: Maker, inside: Set[Node], nested: Mapping[Node, Maker]) -> bool:
    """Whether each operand can be made after the other without names, except for those of the operands."""
    if any(len(carried(node)) > 1 and not is_merge(node) for node in inside):
        return False
    done = {node for other in inside & nested.keys() for node in flow.between(nested[other], other)}
    if all(node in nested for node in inside - done if is_merge(node)):
        return True
    hidden = {tensor for node in inside for tensor in node.outputs}
    outside = {tensor for maker in flow.order for tensor in _outputs(maker) if tensor not in hidden}
    loom = _Loom(flow, {**nested, merge: waist}, outside)
    start = _outputs(waist)[-1]
    known = {start, *merge.inputs, *flow.body.inputs.values()}
    return known.issuperset(fetches(loom._made(merge, start)))


def _keeps_order(flow: Flow, merge: Node, waist: Maker, nested: Mapping[Node, Maker], shared: Set[str]) -> bool:
    """Whether each shared module runs in the order in which it ran."""
    loom = _Loom(flow, {**nested, merge: waist}, {*flow.body.inputs.values()})
    ran: dict[str, int] = {}
    for node in makes(loom._made(merge, _outputs(waist)[-1])):
        if node.name in shared and flow.order[node] < ran.get(node.name, 0):
            return False
        ran[node.name] = flow.order[node]
    return True


def _outputs(maker: Maker) -> tuple[Tensor, ...]:
    return maker.outputs if isinstance(maker, Node) else (maker,)


def _long_skips(flow: Flow) -> dict[Node, Tensor]:
    """The skips of a U-Net: merges of a tensor with what smaller sizes make of it, if they are in each other. Each has
    the operand that comes from these."""
    inside: dict[Node, frozenset[Node]] = {}
    deep: dict[Node, Tensor] = {}
    for node in flow.body.nodes:
        waist = flow.waist[node]
        for tensor in node.inputs if waist is not None and node.word in _SKIPS else ():
            assert waist is not None
            behind = flow.between(waist, flow.maker(tensor))
            if any(1 < _area(other) < _area(node) for other in behind):
                deep[node], inside[node] = tensor, behind
    return {node: deep[node] for node in deep for other in deep if node in inside[other] or other in inside[node]}


def _area(node: Node) -> int:
    """The pixels of what a node makes, 1 without any."""
    return prod(node.outputs[-1].shape[2:])
