"""A body with fewer kinds of operations that computes the same: no splits, no sums of sums, no concats of parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from msgspec.structs import replace

from cnndsl.importing.body import Body, Node
from cnndsl.importing.recorded import Tensor
from cnndsl.importing.structure.flow import flow_of

#: Merges of many operands, which torch takes one after another.
_LEFT = ("add", "multiply")


def simplified(body: Body) -> Body:
    for change in (_sliced, _joined, _continued, _flattened, _living):
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
    dim = _dim(concat)
    runs: list[list[Tensor]] = []
    for tensor in concat.inputs:
        before = runs[-1][-1] if runs else None
        if before is not None and _follows(makers.get(before), makers.get(tensor), dim):
            runs[-1].append(tensor)
        else:
            runs.append([tensor])
    operands, extra = [], []
    for run in runs:
        if len(run) == 1:
            operands.append(run[0])
            continue
        first, last = makers[run[0]], makers[run[-1]]
        whole = first.inputs[0]
        if first.arguments["start"] == 0 and "stop" not in last.arguments:
            operands.append(whole)
            continue
        arguments = {**first.arguments, **{key: value for key, value in last.arguments.items() if key == "stop"}}
        if "stop" not in last.arguments:
            arguments.pop("stop", None)
        size = sum(tensor.shape[dim] for tensor in run)
        joined = Tensor((*whole.shape[:dim], size, *whole.shape[dim + 1 :]))
        extra.append(replace(first, arguments=arguments, outputs=(joined,)))
        operands.append(joined)
    return tuple(operands), extra


def _follows(first: Node | None, second: Node | None, dim: int) -> bool:
    """Whether two slices of one tensor are neighbours."""
    if first is None or second is None or {first.word, second.word} != {"Slice"}:
        return False
    is_same = first.inputs[0] is second.inputs[0] and {_dim(first), _dim(second)} == {dim}
    return is_same and first.arguments.get("stop") == second.arguments["start"]


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


def _dim(node: Node) -> int:
    return int(node.arguments.get("dim", 1))


def _flattened(body: Body) -> Body:
    """``(a + b) + c`` as one sum of three, if all of them come from one tensor, or from nothing in common."""
    flow = flow_of(body)
    makers = dict(flow.makers)
    gone: set[Node] = set()
    for node in body.nodes:
        inner = makers.get(node.inputs[0]) if node.word in _LEFT else None
        if inner is None or inner.word != node.word or not _is_one_of(flow.takers[flow.maker(inner.outputs[0])], node):
            continue
        if flow.waist[flow.maker(inner.outputs[0])] is not flow.waist[flow.maker(node.outputs[0])]:
            continue
        if inner.outputs[0] in body.outputs.values() or inner.outputs[0] in node.inputs[1:]:
            continue
        gone.add(inner)
        makers[node.outputs[0]] = replace(node, inputs=(*inner.inputs, *node.inputs[1:]))
    return replace(body, nodes=tuple(_current(body.nodes, makers, gone)))


def _is_one_of(takers: Iterable[Node], node: Node) -> bool:
    return [*takers] == [node]


def _current(nodes: Iterable[Node], makers: Mapping[Tensor, Node], gone: set[Node]) -> Iterator[Node]:
    for node in nodes:
        now = makers[node.outputs[0]] if node.outputs else node
        if now not in gone:
            yield now
