"""What goes into which module: a concat of all that a module takes moves out of it, and a ``Sequential`` that passes
several tensors on is written out in the module around."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from cnndsl.importing.body import Body, Node
from cnndsl.importing.recorded import Tensor
from cnndsl.importing.structure.flow import carried, is_merge
from cnndsl.importing.structure.interface import rewired, with_inputs, with_plain_interfaces
from cnndsl.layers import LAYERS, Layer


def rearranged(body: Body) -> Body:
    """A whole network with plain signatures. The same modules have the same names."""
    return _arranged(with_plain_interfaces(body))


def _arranged(body: Body) -> Body:
    nodes: list[Node] = []
    same: dict[Tensor, Tensor] = {}
    for node in body.nodes:
        node = with_inputs(node, same)
        inside = _arranged(node.body) if node.body else None
        if inside is None:
            nodes.append(node)
            continue
        before, node = _with_merge_outside(replace(node, body=inside))
        nodes += before
        assert node.body is not None
        if not node.body.nodes and _is_sequential(body) and len(node.outputs) == 1:
            nodes.append(replace(node, word="Identity", child=None, body=None))
        elif not node.body.nodes or _must_be_written_out(node.body):
            found, results = _written_out(node)
            nodes += found
            same |= results
        else:
            nodes.append(node)
    return rewired(body, nodes, same)


def _with_merge_outside(node: Node) -> tuple[list[Node], Node]:
    """A call whose module concatenates the tensors that it is given and does nothing else with them: the concat, and
    the call with its result. So the layers of a DenseNet, which take a list, take one tensor."""
    body = node.body
    assert body is not None
    given = tuple(body.inputs.values())
    takers = [other for other in body.nodes if not {*given}.isdisjoint(other.inputs)]
    if len(given) < 2 or len(takers) != 1 or not {*given}.isdisjoint(body.outputs.values()):
        return [], node
    (concat,) = takers
    if concat.word != "concat" or concat.inputs != given:
        return [], node
    (whole,) = concat.outputs
    outside = Tensor(whole.shape, whole.name)
    inside = replace(
        body,
        inputs={whole.name or "x": whole},
        nodes=tuple(other for other in body.nodes if other is not concat),
    )
    return [replace(concat, inputs=node.inputs, outputs=(outside,))], replace(node, inputs=(outside,), body=inside)


def _must_be_written_out(body: Body) -> bool:
    """Whether the module cannot be said as it is: a ``Sequential`` that takes or returns several tensors, or whose
    children have numbers for names, which only those of a chain have."""
    is_several = len(body.inputs) > 1 or [*body.outputs] != [""]
    is_numbered = any(node.name.isdigit() for node in body.nodes)
    if _is_sequential(body):
        return is_several or (is_numbered and any(map(_is_no_link, body.nodes)))
    return is_several and is_numbered


def _is_sequential(body: Body) -> bool:
    classes = [cls for cls in type(body.module.module).__mro__ if "forward" in vars(cls)]
    return bool(classes) and classes[0].__name__ == "Sequential" and classes[0].__module__.startswith("torch.nn.")


def _is_no_link(node: Node) -> bool:
    again = node.reuse and (node.child is not None or not _is_stateless(node.word))
    return is_merge(node) or len(carried(node)) > 1 or len(node.outputs) > 1 or again


def _is_stateless(word: str) -> bool:
    """Whether a layer holds no tensors, so that two of them are as good as one that is used twice."""
    layer = LAYERS.get(word, Layer)
    return (layer.parameters, layer.buffers) == (Layer.parameters, Layer.buffers)


def _written_out(node: Node) -> tuple[Iterator[Node], dict[Tensor, Tensor]]:
    """The nodes of a module in the module around, with dots in their names, and what its results are there."""
    body = node.body
    assert body is not None
    given = dict(zip(body.inputs.values(), node.inputs))

    def here(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(given.get(tensor, tensor) for tensor in tensors)

    def name(inner: Node) -> str:
        return f"{node.name}.{inner.name}" if inner.name else ""

    found = (replace(inner, name=name(inner), inputs=here(inner.inputs)) for inner in body.nodes)
    return found, dict(zip(node.outputs, here(tuple(body.outputs.values()))))
