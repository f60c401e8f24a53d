"""A body with fewer kinds of operations that computes the same: no splits, no sums of sums, no concats of parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

from msgspec.structs import replace

from cnndsl.importing.body import Body, Node
from cnndsl.importing.recorded import Tensor
from cnndsl.importing.structure.flow import Flow, flow_of

#: Merges that are written as one if they are in each other.
_FLAT = ("add", "multiply", "concat")
#: The arguments of an ``Unflatten`` that puts a dimension of 1 before the channels.
_LIFTED = {"dim": 1, "unflattened_size": (1, -1)}


def simplified(body: Body) -> Body:
    for change in (_sliced, _joined, _continued, _flattened, _unstacked, _living):
        body = change(body)
    return body


def _living(body: Body) -> Body:
    """Without functions whose results nothing takes. Modules stay: they have names."""
    wanted = {*body.outputs.values()}
    kept: list[Node] = []
    for node in reversed(body.nodes):
        if node.name or not wanted.isdisjoint(node.outputs):
            kept.append(node)
            wanted.update(node.inputs)
    return replace(body, nodes=tuple(kept[::-1]))


def _sliced(body: Body) -> Body:
    """Each part of a split as a slice of its own. Branches that begin with all of them become a split again."""
    return replace(body, nodes=tuple(other for node in body.nodes for other in _slices(node)))


def _slices(node: Node) -> Iterator[Node]:
    if node.word != "split":
        yield node
        return
    dim = _dim(node)
    sizes = [tensor.shape[dim] for tensor in node.outputs]
    for end, size, tensor in zip(accumulate(sizes), sizes, node.outputs):
        stop = {} if end == node.inputs[0].shape[dim] else {"stop": end}
        along = {} if dim == 1 else {"dim": dim}
        yield Node("Slice", "", {"start": end - size, **stop, **along}, node.inputs, (tensor,), node.place)


def _joined(body: Body) -> Body:
    """Concats of parts that follow each other take the tensor that was split."""
    makers = {tensor: node for node in body.nodes for tensor in node.outputs}
    nodes: list[Node] = []
    for node in body.nodes:
        if node.word == "concat":
            operands, extra = _without_cuts(node, makers)
            nodes += extra
            node = replace(node, inputs=operands)
        nodes.append(node)
    return _without_single(replace(body, nodes=tuple(nodes)))


def _without_cuts(concat: Node, makers: Mapping[Tensor, Node]) -> tuple[tuple[Tensor, ...], list[Node]]:
    """The operands of a concat with neighbouring parts as one, and the slices that are new."""
    runs: list[list[Tensor]] = []
    for tensor in concat.inputs:
        if runs and _follows(makers.get(runs[-1][-1]), makers.get(tensor), _dim(concat)):
            runs[-1].append(tensor)
        else:
            runs.append([tensor])
    new = {tuple(run): _one_slice(run, makers) for run in runs if len(run) > 1}
    extra = [node for node in new.values() if node.arguments]
    whole = {run: (node.outputs if node.arguments else node.inputs)[0] for run, node in new.items()}
    return tuple(whole.get(tuple(run), run[0]) for run in runs), extra


def _follows(first: Node | None, second: Node | None, dim: int) -> bool:
    """Whether two slices of one tensor are neighbours."""
    if first is None or second is None or {first.word, second.word} != {"Slice"}:
        return False
    is_same = first.inputs[0] is second.inputs[0] and {_dim(first), _dim(second)} == {dim}
    steps = "step" in first.arguments or "step" in second.arguments
    return is_same and not steps and first.arguments.get("stop") == second.arguments.get("start", 0)


def _one_slice(run: Sequence[Tensor], makers: Mapping[Tensor, Node]) -> Node:
    """Neighbouring slices as one, which has no arguments if it is the whole tensor."""
    first, last = makers[run[0]], makers[run[-1]]
    shape, dim = first.inputs[0].shape, _dim(first)
    size = sum(tensor.shape[dim] for tensor in run)
    ends = {key: value for key, value in last.arguments.items() if key == "stop"}
    arguments = {key: value for key, value in first.arguments.items() if key != "stop"} | ends
    joined = Tensor((*shape[:dim], size, *shape[dim + 1 :]))
    return replace(first, arguments={} if size == shape[dim] else arguments, outputs=(joined,))


def _without_single(body: Body) -> Body:
    """Without concats of one tensor."""
    same: dict[Tensor, Tensor] = {}
    nodes: list[Node] = []
    for node in body.nodes:
        node = replace(node, inputs=tuple(same.get(tensor, tensor) for tensor in node.inputs))
        if node.word == "concat" and len(node.inputs) == 1:
            same[node.outputs[0]] = node.inputs[0]
        else:
            nodes.append(node)
    outputs = {name: same.get(tensor, tensor) for name, tensor in body.outputs.items()}
    return replace(body, nodes=tuple(nodes), outputs=outputs)


def _continued(body: Body) -> Body:
    """Concats that go on with an earlier one take its result: a DenseNet's layers concatenate all features so far, and
    what the next one adds was made of these."""
    flow = flow_of(body)
    earlier: list[tuple[Node, tuple[Tensor, ...]]] = []
    nodes: list[Node] = []
    for node in body.nodes:
        if node.word == "concat":
            operands = node.inputs
            for concat, before in reversed(earlier):
                rest = operands[len(before) :]
                is_longer = operands[: len(before)] == before and _dim(concat) == _dim(node)
                if is_longer and all(flow.is_behind(flow.maker(concat.outputs[0]), tensor) for tensor in rest):
                    node = replace(node, inputs=(*concat.outputs, *rest))
                    break
            earlier.append((node, operands))
        nodes.append(node)
    return _without_single(replace(body, nodes=tuple(nodes)))


def _unstacked(body: Body) -> Body:
    """Images that are stacked along a new dimension of channels are concatenated first, which then is divided."""
    makers = {tensor: node for node in body.nodes for tensor in node.outputs}
    nodes: list[Node] = []
    for node in body.nodes:
        lifted = [makers.get(tensor) for tensor in node.inputs] if node.word == "concat" else []
        images = [other.inputs[0] for other in lifted if other is not None and _is_lifted(other)]
        shapes = {image.shape for image in images}
        if 1 < len(images) == len(node.inputs) and _dim(node) == len(shapes) == 1:
            (count, channels, *size) = shapes.pop()
            whole = Tensor((count, channels * len(images), *size))
            nodes.append(replace(node, inputs=tuple(images), outputs=(whole,)))
            arguments = {"dim": 1, "unflattened_size": (len(images), -1)}
            node = Node("Unflatten", "", arguments, (whole,), node.outputs, node.place)
        nodes.append(node)
    return replace(body, nodes=tuple(nodes))


def _is_lifted(node: Node) -> bool:
    """Whether a function puts a dimension of 1 before the channels of an image."""
    is_image = len(node.inputs[0].shape) > 3
    return node.word == "Unflatten" and not node.name and is_image and {**node.arguments} == _LIFTED


def _dim(node: Node) -> int:
    return int(node.arguments.get("dim", 1))


def _flattened(body: Body) -> Body:
    """``(a + b) + c`` as one sum of three, and concats in concats as one, if all operands come from one tensor, or from
    nothing in common. Nothing else may take the inner one."""
    flow = flow_of(body)
    made = {**flow.makers}
    gone: set[Tensor] = set()
    for node in body.nodes:
        operands: list[Tensor] = []
        for number, tensor in enumerate(made[node.outputs[0]].inputs if node.word in _FLAT else ()):
            inner = made.get(tensor)
            if inner and (number == 0 or node.word == "concat") and _is_part(flow, flow.makers[tensor], node):
                gone.add(tensor)
                operands += inner.inputs
            else:
                operands.append(tensor)
        if operands:
            made[node.outputs[0]] = replace(node, inputs=tuple(operands))
    nodes = [made[node.outputs[0]] for node in body.nodes if node.outputs and node.outputs[0] not in gone]
    return replace(body, nodes=tuple(nodes))


def _is_part(flow: Flow, inner: Node, outer: Node) -> bool:
    """Whether a merge only makes an operand of another one of its kind, and both come from one tensor."""
    is_alone = flow.takers[inner] == (outer,) and outer.inputs.count(inner.outputs[0]) == 1
    is_alike = inner.word == outer.word and _dim(inner) == _dim(outer) and flow.waist[inner] is flow.waist[outer]
    return is_alone and is_alike and inner not in flow.results
