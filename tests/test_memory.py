"""The memory of activations: against what torch allocates and keeps."""

from __future__ import annotations

import json
import weakref
from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor, fx, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import cnndsl
from cnndsl.layers import LAYERS, Shape
from cnndsl.measure.memory import DTYPES, output_bytes, peak

BATCH = 2


def network(steps: str, *sample: int) -> cnndsl.Network:
    return cnndsl.loads(f"input: {list(sample)}\nnetwork: {steps}")


def inputs(net: cnndsl.Network, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    return [torch.rand(BATCH, *tensor.shape.sample).to(dtype) for tensor in net.graph.inputs.values()]


class Living(TorchDispatchMode):
    """Counts the bytes of the storages that live, and their maximum. Those of ``apart`` do not count."""

    def __init__(self, apart: list[Tensor]) -> None:
        super().__init__()
        self.apart = {tensor.untyped_storage()._cdata for tensor in apart}
        self.references = Counter[int]()
        self.now = self.most = 0

    def add(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage._cdata not in self.apart:
            self.references[storage._cdata] += 1
            self.now += storage.nbytes() * (self.references[storage._cdata] == 1)
            self.most = max(self.most, self.now)
            weakref.finalize(tensor, self._remove, storage._cdata, storage.nbytes()).atexit = False

    def _remove(self, storage: int, size: int) -> None:
        self.references[storage] -= 1
        self.now -= size * (self.references[storage] == 0)

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self.add(tensor)
        return made


class Tracer(fx.Tracer):
    """Takes modules with tensors or random numbers, and those of torch, as single operations."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        if type(module).__name__ == "CenterCrop":  # which loops over axes, and keeps nothing on the way
            return True
        return module.__module__.startswith(("torch.nn", "torchvision.ops")) and not isinstance(module, nn.Sequential)


def measured(module: nn.Module, given: list[Tensor]) -> int:
    """The most bytes that live at once while torch runs a module, which frees every tensor after its last use."""
    program = fx.Interpreter(fx.GraphModule(module, Tracer().trace(module)), garbage_collect_values=True)
    living = Living([*module.parameters(), *module.buffers()])
    for tensor in given:
        living.add(tensor)

    def pack(tensor: Tensor) -> Tensor:
        living.add(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor), living:
        made = program.run(*given)
    del made
    return living.most


#: Networks for inputs that are small, but not for what is compared: names in the zoo, and the sizes of a sample.
NETWORKS = {
    "lenet_bn": (1, 28, 28),
    "torchvision/resnet18": (3, 32, 32),
    "torchvision/googlenet": (3, 32, 32),
    "torchvision/densenet121": (3, 32, 32),
    "torchvision/squeezenet1_1": (3, 64, 64),
    "torchvision/mobilenet_v2": (3, 32, 32),
    "torchvision/mobilenet_v3_small": (3, 32, 32),
    "torchvision/efficientnet_b0": (3, 32, 32),
    "torchvision/shufflenet_v2_x0_5": (3, 32, 32),
    "timm/res2net50_26w_4s": (3, 32, 32),
    "classic/unet": (1, 32, 32),
    "dcgan_generator": (100, 1, 1),
    "espcn": (1, 32, 32),
    "resnet50_fpn": (3, 64, 64),
    "signal1d": (1, 4000),
}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_peak_is_what_torch_allocates(name: str, training: bool) -> None:
    net = cnndsl.load(f"zoo:{name}").at_size(NETWORKS[name])
    module = net.module().train(training)
    with torch.set_grad_enabled(training):
        assert peak(net.graph, training=training, batch=BATCH) == measured(module, inputs(net))


# --- what a layer saves --------------------------------------------------------------------------

#: Layers with arguments that change what they save: a step, and the shape of its input.
VARIANTS = [
    *(f"{name}: {{inplace: true}}" for name in ("ReLU", "ReLU6", "LeakyReLU", "RReLU", "ELU", "CELU", "SELU", "SiLU")),
    *(f"{name}: {{inplace: true}}" for name in ("Hardswish", "Hardsigmoid", "Hardtanh", "Dropout", "Dropout2d")),
    "Dropout: 0",
    "Dropout: 1",
    "StochasticDepth: {p: 0.5, mode: batch}",
    "StochasticDepth: {p: 0, mode: row}",
    "DropBlock2d: {p: 0, block_size: 3}",
    "DropBlock2d: {p: 0.1, block_size: 3, inplace: true}",
    "Threshold: {threshold: 0.1, value: 0, inplace: true}",
    "Conv2d: {out_channels: 8, kernel_size: 3, padding: 1, padding_mode: reflect}",
    "Conv2d: {out_channels: 8, kernel_size: 3, padding: 1, padding_mode: circular}",
    "Conv2d: {out_channels: 8, kernel_size: 4, padding: same}",
    "Conv2d: {out_channels: 8, kernel_size: 5, padding: same}",
    "BatchNorm2d: {affine: false}",
    "BatchNorm2d: {track_running_stats: false}",
    "InstanceNorm2d: {affine: true}",
    "InstanceNorm2d: {affine: true, track_running_stats: true}",
    "InstanceNorm2d: {affine: true, bias: false}",
    "LayerNorm: {normalized_shape: [8, 32, 32]}",
    "RMSNorm: {elementwise_affine: false}",
    "LocalResponseNorm: 4",
    "AdaptiveAvgPool2d: 2",
    "AdaptiveAvgPool2d: {output_size: [1, null]}",
    "Upsample: {scale_factor: 2, mode: area}",
    "Upsample: {size: 1, mode: area}",
    "Upsample: {scale_factor: 2, mode: bicubic}",
    "LPPool2d: {norm_type: 3, kernel_size: 2, ceil_mode: true}",
    "Slice: {start: 2, dim: 2}",
]  # fmt: skip
EXAMPLES = [
    (f"{name}: {json.dumps(dict(layer.example))}" if layer.example else name, layer.example_input[1:])
    for name, layer in LAYERS.items()
]


@pytest.mark.parametrize(("step", "sample"), [*EXAMPLES, *((step, (8, 32, 32)) for step in VARIANTS)], ids=str)
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
def test_a_layer_saves_for_backward_what_torch_saves(step: str, sample: tuple[int, ...]) -> None:
    """All that torch saves is the input, the output, a parameter, or is counted."""
    if "inplace: true" in step:
        step = f"Multiply: 1.0}}, {{{step}"
    net = network(f"[{{{step}}}]" if ":" in step else f"[{step}]", *sample)
    (*_, item) = net.graph.root.layers
    *before, module = net.module().train().children()
    x = torch.rand(BATCH, *sample, requires_grad=True)
    for each in before:
        x = each(x)
    saved: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        saved[tensor.untyped_storage()._cdata] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = module(x)
    assert item.layer.is_view(training=True) or item.layer.works_in_place() or not _same(x, out)
    assert _same(x, out) or not (item.layer.is_view(training=True) or item.layer.works_in_place())
    parameters = {tensor.untyped_storage()._cdata for tensor in [*module.parameters(), *module.buffers()]}
    others = [tensor for tensor in saved.values() if tensor.untyped_storage()._cdata not in parameters]
    rule = item.layer.saves(Shape(x.shape), Shape(out.shape))
    assert any(_same(tensor, x) for tensor in others) == (rule.input or (rule.output and _same(x, out)))
    assert any(_same(tensor, out) for tensor in others) == (rule.output or (rule.input and _same(x, out)))
    made = [tensor for tensor in others if not _same(tensor, x) and not _same(tensor, out)]
    assert sum(tensor.untyped_storage().nbytes() for tensor in made) == 4 * rule.values + 8 * rule.indices


def _same(one: Tensor, other: Tensor) -> bool:
    return one.untyped_storage()._cdata == other.untyped_storage()._cdata


#: Layers whose random numbers take more room in training than is counted.
RANDOM = {"AlphaDropout", "FeatureAlphaDropout", "DropBlock2d", "DropBlock3d"}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("step", "sample"), EXAMPLES, ids=str)
def test_the_peak_of_a_layer_is_what_torch_allocates(step: str, sample: tuple[int, ...], training: bool) -> None:
    net = network(f"[{{{step}}}]" if ":" in step else f"[{step}]", *sample)
    with torch.set_grad_enabled(training):
        found, expected = (
            peak(net.graph, training=training, batch=BATCH),
            measured(net.module().train(training), inputs(net)),
        )
    if training and step.partition(":")[0] in RANDOM:
        assert found < expected
    else:
        assert found == expected


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_that_takes_no_memory_in_evaluation_gives_its_input(name: str) -> None:
    layer = LAYERS[name]
    net = network(f"[{{{name}: {json.dumps(dict(layer.example))}}}]", *layer.example_input[1:])
    x = torch.rand(BATCH, *layer.example_input[1:])
    assert _same(x, net.module().eval()(x)) == net.graph.root.layers[0].layer.is_view(training=False)


# --- merges, views, types ------------------------------------------------------------------------

STEPS = {
    "three summands": "[{name: a, Scale: }, {name: b, Conv2d: [8, 1]}, Conv2d: [8, 1], "
    "{branch: [[], [from: a], [from: b]], merge: add}, ReLU]",
    "four factors": "[{name: a, Scale: }, {name: b, Conv2d: [8, 1]}, {name: c, Tanh: }, Conv2d: [8, 1], "
    "{branch: [[], [from: a], [from: b], [from: c]], merge: multiply}, ReLU]",
    "a gate": "[Scale, {branch: [[AdaptiveAvgPool2d: 1, Sigmoid], []], merge: multiply}, Conv2d: [8, 1]]",
    "a gate of the input": "[{branch: [[Conv2d: [8, 1]], []], merge: multiply}]",
    "a quotient": "[Scale, {branch: [[Conv2d: [8, 1]], [Abs, Add: 1.0]], merge: divide}, ReLU]",
    "a difference": "[Scale, {branch: [[Conv2d: [8, 1]], [Tanh]], merge: subtract}, ReLU]",
    "an extremum": "[Scale, {branch: [[Conv2d: [8, 1]], [Tanh], []], merge: maximum}, ReLU]",
    "a concat": "[Scale, {branch: [[Conv2d: [8, 1]], [ReLU], []]}, Conv2d: [8, 1]]",
    "a split": "[Scale, {branch: [[ReLU], []], split: true}, BatchNorm2d]",
    "nothing to learn": "[ReLU, AvgPool2d: 2, Tanh, MaxPool2d: 2]",
    "learned late": "[AvgPool2d: 2, Sigmoid, Conv2d: [4, 3], ReLU: {inplace: true}]",
    "views": "[Scale, Permute: [0, 2, 3, 1], Permute: [0, 3, 1, 2], Flatten, Linear: 10, Unflatten: [1, [2, 5]]]",
    "a copy out of order": "[Scale, Permute: [0, 2, 3, 1], Flatten, Linear: 10]",
    "slices": "[Scale, {Slice: {start: 2, stop: 6}}, Flatten, Linear: 4]",
    "in place": "[Conv2d: [8, 3], BatchNorm2d, SiLU: {inplace: true}, Conv2d: [8, 3], Dropout: {inplace: true}]",
    "padded": "[Scale, {Conv2d: {out_channels: 2, kernel_size: 3, padding: 8, padding_mode: circular}}]",
}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", STEPS)
def test_the_peak_of_few_steps_is_what_torch_allocates(name: str, training: bool) -> None:
    net = network(STEPS[name], 8, 16, 16)
    module = net.module().train(training)
    with torch.set_grad_enabled(training):
        assert peak(net.graph, training=training, batch=BATCH) == measured(module, inputs(net))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("training", [False, True])
def test_the_peak_of_other_types_is_what_torch_allocates(dtype: str, training: bool) -> None:
    net = network("[Conv2d: [8, 3], BatchNorm2d, ReLU, MaxPool2d: 2, Flatten, Linear: 10]", 2, 16, 16)
    kind = getattr(torch, dtype)
    module = net.module().to(kind).train(training)
    with torch.set_grad_enabled(training):
        assert peak(net.graph, training=training, batch=BATCH, dtype=dtype) == measured(module, inputs(net, kind))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"batch": 0}, ValueError, "batch must be 1 or more, not 0"),
        ({"batch": "2"}, TypeError, 'batch must be an integer, not "2"'),
        ({"dtype": "int8"}, ValueError, 'there is no type "int8": the types are float16, bfloat16, float32, float64'),
    ],
)
def test_what_cannot_be_measured_is_refused(arguments: Any, error: type[Exception], message: str) -> None:
    graph = network("[ReLU]", 8).graph
    with pytest.raises(error, match=message):
        peak(graph, **arguments)
    if "dtype" in arguments:
        with pytest.raises(error, match=message):
            output_bytes(graph, **arguments)


def test_bytes_are_those_of_new_tensors() -> None:
    text = "[{name: b, sequential: [Conv2d: [4, 1], ReLU: {inplace: true}, ReLU]}, Flatten, Dropout, Linear: 3]"
    net = network(text, 2, 4, 4)
    found = {item.path: size for item, size in output_bytes(net.graph).items()}
    assert found == {"b": 512, "b.0": 256, "b.1": 0, "b.2": 256, "1": 0, "2": 0, "3": 12}
    training = {item.path: size for item, size in output_bytes(net.graph, training=True, dtype="float16").items()}
    assert training == {"b": 256, "b.0": 128, "b.1": 0, "b.2": 128, "1": 0, "2": 128, "3": 6}
