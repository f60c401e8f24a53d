"""An oracle that shares no tensors: what a network computes if each step has all that it takes to itself.

It goes over the graph, not over the emitted source, and makes its layers from the layer table. Every tensor is copied
before a step takes it, and no layer works in place.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from emitting import MERGED, constructed, torch_layer
from torch import Tensor, nn

import cnndsl
from cnndsl.graph import graph as g

BATCH = 3
#: Networks are compared in double precision, where sums that are added up in another order differ by less.
CLOSE: dict[str, Any] = {"rtol": 1e-9, "atol": 1e-10, "equal_nan": True}


class Oracle:
    """The layers of a network by their paths, with weights of their own that begin as those of `module`."""

    def __init__(self, net: cnndsl.Network, module: nn.Module) -> None:
        self.graph = net.graph
        self.layers: dict[str, nn.Module] = {}
        for op in constructed(net.graph.root.body):
            if isinstance(op, g.Apply):
                layer = torch_layer(op.layer).to(torch.double)
                layer.load_state_dict(module.get_submodule(op.path).state_dict())
                vars(layer)["inplace"] = False
                self.layers[op.path] = layer

    def train(self, mode: bool) -> None:
        for layer in self.layers.values():
            layer.train(mode)

    def __call__(self, *inputs: Tensor) -> dict[str, Tensor]:
        known = dict(zip(self.graph.inputs.values(), inputs))
        for _, op in g.walk(self.graph.root.body):
            taken = [known[tensor].clone() for tensor in op.inputs]
            if isinstance(op, g.Apply):
                known[op.output] = self.layers[op.path](*taken)
            elif isinstance(op, g.Split):
                known.update(zip(op.outputs, torch.split(taken[0], op.sizes, 1)))
            elif isinstance(op, g.Merge):
                known[op.output] = merged(op, taken)
        return {name: known[tensor] for name, tensor in self.graph.outputs.items()}


def merged(op: g.Merge, taken: Sequence[Tensor]) -> Tensor:
    if op.kind == "concat":
        return torch.cat([*taken], op.dim)
    result = taken[0]
    for other in taken[1:]:
        result = MERGED[op.kind](result, other)
    return result


def assert_values(net: cnndsl.Network) -> None:
    """The module computes what the oracle does, in training and in evaluation: outputs, gradients and buffers. What it
    was called with is as it was."""
    module = net.module().to(torch.double)
    oracle = Oracle(net, module)
    # Once on leaves that want gradients, once on tensors that torch would overwrite without a word.
    for training in (True, False):
        module.train(training)
        oracle.train(training)
        compare(module, oracle, samples(net, leaves=training), samples(net, leaves=training))


def samples(net: cnndsl.Network, leaves: bool) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = [(BATCH, *tensor.shape.sample) for tensor in net.graph.inputs.values()]
    made = [torch.randn(*shape, generator=generator, dtype=torch.double) for shape in shapes]
    return [tensor.requires_grad_(leaves) for tensor in made]


def compare(module: nn.Module, oracle: Oracle, given: Sequence[Tensor], same: Sequence[Tensor]) -> None:
    torch.manual_seed(1)
    wanted = oracle(*same)
    torch.manual_seed(1)
    found = module(*given)
    found = found if isinstance(found, Mapping) else dict(zip(wanted, [found]))
    torch.testing.assert_close(found, wanted, **CLOSE)
    torch.testing.assert_close([*given], [*same], rtol=0, atol=0)  # which nothing has overwritten
    layers = {path: module.get_submodule(path) for path in oracle.layers}
    torch.testing.assert_close(_buffers(layers), _buffers(oracle.layers), **CLOSE)
    names = [name for name, tensor in wanted.items() if tensor.requires_grad]
    assert names == [name for name, tensor in found.items() if tensor.requires_grad]
    ours = _gradients([found[name] for name in names], [*given, *_parameters(layers)])
    theirs = _gradients([wanted[name] for name in names], [*same, *_parameters(oracle.layers)])
    assert [tensor is None for tensor in ours] == [tensor is None for tensor in theirs]
    pairs = [(one, other) for one, other in zip(ours, theirs) if one is not None]
    torch.testing.assert_close([one for one, _ in pairs], [other for _, other in pairs], **CLOSE)


def _buffers(layers: Mapping[str, nn.Module]) -> list[Tensor]:
    return [tensor for layer in layers.values() for tensor in layer.buffers()]


def _parameters(layers: Mapping[str, nn.Module]) -> list[Tensor]:
    return [tensor for layer in layers.values() for tensor in layer.parameters()]


def _gradients(outputs: Sequence[Tensor], leaves: Sequence[Tensor]) -> list[Tensor | None]:
    """The gradients of leaves, of all outputs added up with fixed weights."""
    for leaf in leaves:
        leaf.grad = None
    generator = torch.Generator().manual_seed(2)
    weights = [torch.randn(tensor.shape, generator=generator, dtype=torch.double) for tensor in outputs]
    if outputs:
        torch.autograd.backward([*outputs], weights)
    return [leaf.grad for leaf in leaves]
