"""Classes that are no blocks: what they do is written into the module around.

A class that only calls one function is that layer. One that holds parameters itself and calls no other layers with
parameters is its layers, so that the names of the parameters stay what they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import nn

from cnndsl.importing.lift.draft import Draft, DraftBody, connected, replaced
from cnndsl.importing.recorded import Tensor

DROPOUTS = ("Dropout", "Dropout1d", "Dropout2d", "Dropout3d")


def dissolved(body: DraftBody) -> DraftBody:
    """The body with what it calls written into it, if that is no block. The bodies inside are done already."""
    nodes: list[Draft] = []
    renamed: dict[Tensor, Tensor] = {}
    for node in body.nodes:
        node = connected(node, renamed)
        found = [*_inside(node, body, renamed)]
        nodes += found
    outputs = {name: renamed.get(tensor, tensor) for name, tensor in body.outputs.items()}
    return replaced(body, nodes, outputs)


def _inside(node: Draft, around: DraftBody, renamed: dict[Tensor, Tensor]) -> Iterator[Draft]:
    inner = node.body
    is_numbered = isinstance(around.module.module, nn.Sequential) and node.name.rpartition(".")[2].isdigit()
    if not is_numbered and (node.word == "Identity" or (node.word in DROPOUTS and node.arguments.get("p") == 0)):
        renamed[node.outputs[0]] = node.inputs[0]
    elif inner is None or not _dissolves(inner, is_numbered):
        yield node
    elif not inner.nodes and is_numbered:
        yield Draft("Identity", {}, node.inputs, node.outputs, node.name, node.place)
    else:
        yield from _written_out(node, inner, renamed)


def _dissolves(body: DraftBody, is_numbered: bool) -> bool:
    """Whether a body is no block. In a chain whose layers are numbered it must be one layer, or the numbers change."""
    if any(node.body is not None for node in body.nodes) or len(body.outputs) != 1:
        return False
    if not body.nodes:
        return True
    one = len(body.nodes) == 1 and _is_layer(body.nodes[0], body)
    holds_itself = any(node.state and _is_own(node) for node in body.nodes)
    others = any(node.state and not _is_own(node) for node in body.nodes)
    return one or (holds_itself and not others and not is_numbered)


def _is_layer(node: Draft, body: DraftBody) -> bool:
    """Whether a node is a layer that takes what the body takes, and gives what it gives."""
    layer = node.word[:1].isupper() and (not node.name or not node.state)
    return layer and node.inputs == (*body.inputs.values(),) and (*body.outputs.values(),) == node.outputs


def _is_own(node: Draft) -> bool:
    """Whether the parameters of a node are the module's own, and not those of a layer in it."""
    return not any("." in path for path in node.state.values())


def _written_out(call: Draft, body: DraftBody, renamed: dict[Tensor, Tensor]) -> Iterator[Draft]:
    tensors: dict[Tensor, Tensor] = dict(zip(body.inputs.values(), call.inputs))
    for given, made in zip(call.outputs, body.outputs.values()):
        if made in tensors:
            renamed[given] = tensors[made]
        else:
            tensors[made] = given
    stateful = sum(bool(node.state) for node in body.nodes)
    for node in body.nodes:
        for tensor in node.outputs:
            tensors.setdefault(tensor, Tensor(tensor.shape, tensor.name))
        yield connected(node, tensors, **_named(node, call.name, stateful, len(body.nodes)))


def _named(node: Draft, name: str, stateful: int, count: int) -> Mapping[str, object]:
    """The name of the module is that of its one layer, or of the one with parameters."""
    if node.state:
        state = {key: f"{name}.{path}" for key, path in node.state.items()}
        return {"state": state, "name": name if stateful == 1 else ""}
    return {"name": name if count == 1 else ""}
