"""What modules take and return: tensors that come back as they were given, that are given twice, or that nobody uses
are no part of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from msgspec.structs import replace

from cnndsl.importing.body import Body, Node
from cnndsl.importing.recorded import Tensor

#: A tensor that a class takes or returns: the class, "in" or "out", and the name.
_Port = tuple[type, str, str]


def with_plain_interfaces(body: Body) -> Body:
    """A whole network. Uses of one class lose the same inputs and outputs."""
    body = _without_copies(body)
    while True:
        ports: dict[_Port, bool] = {}
        _count_uses(body, ports)
        unused = {port for port, is_used in ports.items() if not is_used}
        smaller = _without(body, unused)
        if _size(smaller) == _size(body):
            return body
        body = smaller


def rewired(body: Body, nodes: Collection[Node], same: Mapping[Tensor, Tensor]) -> Body:
    """A body with other nodes, in which some tensors stand for others."""
    outputs = {name: same.get(tensor, tensor) for name, tensor in body.outputs.items()}
    return replace(body, nodes=tuple(nodes), outputs=outputs)


def with_inputs(node: Node, same: Mapping[Tensor, Tensor]) -> Node:
    return replace(node, inputs=tuple(same.get(tensor, tensor) for tensor in node.inputs))


# --- copies --------------------------------------------------------------------------------------


def _without_copies(body: Body) -> Body:
    nodes: list[Node] = []
    same: dict[Tensor, Tensor] = {}
    for node in body.nodes:
        node = with_inputs(node, same)
        if node.body is not None:
            node, copies = _called_plainly(replace(node, body=_without_copies(node.body)))
            same |= copies
        nodes.append(node)
    return rewired(body, nodes, same)


def _called_plainly(node: Node) -> tuple[Node, dict[Tensor, Tensor]]:
    """A call without tensors that are given or returned twice, and what the others are."""
    body = node.body
    assert body is not None
    given: dict[Tensor, Tensor] = {}
    inputs: dict[str, Tensor] = {}
    for (name, inner), outer in zip(body.inputs.items(), node.inputs):
        if inner not in given:
            given[inner], inputs[name] = outer, inner
    made: dict[Tensor, Tensor] = {}
    names: dict[str, Tensor] = {}
    copies: dict[Tensor, Tensor] = {}
    for (name, inner), outer in zip(body.outputs.items(), node.outputs):
        if inner in given or inner in made:
            copies[outer] = given.get(inner) or made[inner]
        else:
            names[name], made[inner] = inner, outer
    if not made and body.nodes:  # it still runs
        return node, {}
    inside = replace(body, inputs=inputs, outputs=_plain(names))
    taken = tuple(given[tensor] for tensor in inputs.values())
    return replace(node, inputs=taken, outputs=tuple(made.values()), body=inside), copies


def _plain(outputs: dict[str, Tensor]) -> dict[str, Tensor]:
    return dict(zip([""], outputs.values())) if len(outputs) == 1 else outputs


# --- what nobody uses ----------------------------------------------------------------------------


def _count_uses(body: Body, ports: dict[_Port, bool]) -> None:
    """Which tensors of which class some use takes or returns for somebody."""
    wanted = {tensor for node in body.nodes for tensor in node.inputs} | {*body.outputs.values()}
    for node in body.nodes:
        if node.body is None:
            continue
        kind = type(node.body.module.module)
        inner = {tensor for other in node.body.nodes for tensor in other.inputs} | {*node.body.outputs.values()}
        for name, tensor in node.body.inputs.items():
            ports[kind, "in", name] = ports.get((kind, "in", name), False) or tensor in inner
        for name, tensor in zip(node.body.outputs, node.outputs):
            ports[kind, "out", name] = ports.get((kind, "out", name), False) or tensor in wanted
        _count_uses(node.body, ports)


def _without(body: Body, unused: Collection[_Port]) -> Body:
    return replace(body, nodes=tuple(_trimmed(node, unused) for node in body.nodes))


def _trimmed(node: Node, unused: Collection[_Port]) -> Node:
    body = node.body
    if body is None:
        return node
    kind = type(body.module.module)
    inputs = [*_kept(body.inputs, node.inputs, [(kind, "in", name) in unused for name in body.inputs], 0)]
    outputs = [*_kept(body.outputs, node.outputs, [(kind, "out", name) in unused for name in body.outputs], -1)]
    inside = replace(
        _without(body, unused),
        inputs={name: inner for name, inner, _ in inputs},
        outputs=_plain({name: inner for name, inner, _ in outputs}),
    )
    return replace(
        node,
        body=inside,
        inputs=tuple(outer for *_, outer in inputs),
        outputs=tuple(outer for *_, outer in outputs),
    )


def _kept(
    inner: Mapping[str, Tensor], outer: Collection[Tensor], is_unused: list[bool], least: int
) -> Iterator[tuple[str, Tensor, Tensor]]:
    """The tensors that are used, or the one at ``least`` if none is."""
    rows = [(name, tensor, other) for (name, tensor), other in zip(inner.items(), outer)]
    found = [row for row, unused in zip(rows, is_unused) if not unused]
    yield from found or rows[least:][:1]


def _size(body: Body) -> int:
    """How many tensors its modules take and return."""
    own = sum(len(node.inputs) + len(node.outputs) for node in body.nodes)
    return own + sum(_size(node.body) for node in body.nodes if node.body)
