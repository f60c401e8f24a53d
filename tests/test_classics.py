"""The classic networks: the reference's rows, and the same network written by hand in torch."""

from __future__ import annotations

from pathlib import Path

import handwritten
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import cnndsl
from cnndsl.graph.graph import Apply, Merge, Split, walk

ARCHS = Path(__file__).parent.parent / "archs"
#: VGGs are compared at full size on the meta device, and in numbers with a quarter of the channels.
RATIO = 4
VGG = {"vgg11": handwritten.vgg11, "vgg16": handwritten.vgg16, "vgg19": handwritten.vgg19}

every_network = pytest.mark.parametrize("name", handwritten.NETWORKS)


def by_hand(name: str, ratio: int = 1) -> nn.Module:
    return VGG[name](ratio) if name in VGG else handwritten.NETWORKS[name][0]()


def network(name: str, ratio: int = 1) -> cnndsl.Network:
    return cnndsl.load(ARCHS / f"{name}.yaml", **({"ratio": ratio} if name in VGG else {}))


def test_every_spec_is_compared() -> None:
    assert {path.stem for path in ARCHS.glob("*.yaml")} == set(handwritten.NETWORKS)


# --- the reference's figures ---------------------------------------------------------------------

CLASSIFIER = [("Linear", 4096), ("ReLU", 4096), ("Dropout", 4096), ("Linear", 4096), ("ReLU", 4096), ("Dropout", 4096)]
VGG_ROWS = [
    *(("VGGBlock", *shape) for shape in [(64, 112, 112), (128, 56, 56), (256, 28, 28), (512, 14, 14), (512, 7, 7)]),
    ("Flatten", 25088),
    *CLASSIFIER,
    ("Linear", 10),
]
ROWS = {
    "lenet": [
        ("Reshape", 1, 28, 28),
        ("Conv2d", 6, 28, 28),
        ("Sigmoid", 6, 28, 28),
        ("AvgPool2d", 6, 14, 14),
        ("Conv2d", 16, 10, 10),
        ("Sigmoid", 16, 10, 10),
        ("AvgPool2d", 16, 5, 5),
        ("Flatten", 400),
        ("Linear", 120),
        ("Sigmoid", 120),
        ("Linear", 84),
        ("Sigmoid", 84),
        ("Linear", 10),
    ],
    "lenet_bn": [
        ("Conv2d", 6, 24, 24),
        ("BatchNorm2d", 6, 24, 24),
        ("Sigmoid", 6, 24, 24),
        ("AvgPool2d", 6, 12, 12),
        ("Conv2d", 16, 8, 8),
        ("BatchNorm2d", 16, 8, 8),
        ("Sigmoid", 16, 8, 8),
        ("AvgPool2d", 16, 4, 4),
        ("Flatten", 256),
        ("Linear", 120),
        ("BatchNorm1d", 120),
        ("Sigmoid", 120),
        ("Linear", 84),
        ("BatchNorm1d", 84),
        ("Sigmoid", 84),
        ("Linear", 10),
    ],
    "alexnet": [
        ("Conv2d", 96, 54, 54),
        ("ReLU", 96, 54, 54),
        ("MaxPool2d", 96, 26, 26),
        ("Conv2d", 256, 26, 26),
        ("ReLU", 256, 26, 26),
        ("MaxPool2d", 256, 12, 12),
        ("Conv2d", 384, 12, 12),
        ("ReLU", 384, 12, 12),
        ("Conv2d", 384, 12, 12),
        ("ReLU", 384, 12, 12),
        ("Conv2d", 256, 12, 12),
        ("ReLU", 256, 12, 12),
        ("MaxPool2d", 256, 5, 5),
        ("Flatten", 6400),
        *CLASSIFIER,
        ("Linear", 10),
    ],
    "vgg11": VGG_ROWS,
    "vgg16": VGG_ROWS,
    "vgg19": VGG_ROWS,
    "nin": [
        ("NiNBlock", 96, 54, 54),
        ("MaxPool2d", 96, 26, 26),
        ("NiNBlock", 256, 26, 26),
        ("MaxPool2d", 256, 12, 12),
        ("NiNBlock", 384, 12, 12),
        ("MaxPool2d", 384, 5, 5),
        ("Dropout", 384, 5, 5),
        ("NiNBlock", 10, 5, 5),
        ("AdaptiveAvgPool2d", 10, 1, 1),
        ("Flatten", 10),
    ],
    "googlenet": [
        ("Sequential", 64, 24, 24),
        ("Sequential", 192, 12, 12),
        ("Sequential", 480, 6, 6),
        ("Sequential", 832, 3, 3),
        ("Sequential", 1024),
        ("Linear", 10),
    ],
    "resnet18": [
        ("Sequential", 64, 56, 56),
        ("Sequential", 64, 56, 56),
        ("Sequential", 128, 28, 28),
        ("Sequential", 256, 14, 14),
        ("Sequential", 512, 7, 7),
        ("AdaptiveAvgPool2d", 512, 1, 1),
        ("Flatten", 512),
        ("Linear", 10),
    ],
    "densenet": [
        ("Sequential", 64, 24, 24),
        ("DenseBlock", 192, 24, 24),
        ("Transition", 96, 12, 12),
        ("DenseBlock", 224, 12, 12),
        ("Transition", 112, 6, 6),
        ("DenseBlock", 240, 6, 6),
        ("Transition", 120, 3, 3),
        ("DenseBlock", 248, 3, 3),
        ("BatchNorm2d", 248, 3, 3),
        ("ReLU", 248, 3, 3),
        ("AdaptiveAvgPool2d", 248, 1, 1),
        ("Flatten", 248),
        ("Linear", 10),
    ],
}


@pytest.mark.parametrize("name", ROWS)
def test_the_roots_children_are_the_references_rows(name: str) -> None:
    rows = network(name).shapes(depth=1).rows
    assert [(row.layer, *row.output) for row in rows] == [(layer, 1, *sample) for layer, *sample in ROWS[name]]


@pytest.mark.parametrize(
    ("name", "weights", "macs"),
    [("inception", "0.16", 128), ("conv3x3", "0.44", 346), ("conv5x5", "1.22", 963)],
)
def test_what_one_inception_saves(name: str, weights: str, macs: int) -> None:
    """The reference cuts its figures off, it does not round them: 346.8 M MACs stand there as 346 M."""
    net = network(name)
    biases = sum(
        item.layer.parameters()["bias"][0]
        for _, item in walk(net.graph.root.body)
        if isinstance(item, Apply) and "bias" in item.layer.parameters()
    )
    assert f"{(net.cost.params - biases) // 10_000 / 100:.2f}" == weights
    assert net.cost.macs // 10**6 == macs


def test_a_dense_block_and_a_transition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ARCHS)
    spec = """
input: [3, 8, 8]
use: densenet.yaml
params: {growth: 10, layers: 2}
network: [DenseBlock, Transition]
"""
    dense, transition = cnndsl.loads(spec).shapes(depth=1).rows
    assert dense.output == (1, 23, 8, 8)
    assert transition.output == (1, 11, 4, 4)


# --- the network written by hand -----------------------------------------------------------------


@every_network
def test_parameters_have_the_same_shapes_in_the_same_order(name: str) -> None:
    with torch.device("meta"):
        ours, theirs = network(name).module(), by_hand(name)
    assert [p.shape for p in ours.parameters()] == [p.shape for p in theirs.parameters()]


@every_network
def test_same_output_and_same_gradients_bit_for_bit(name: str) -> None:
    ours, theirs = network(name, RATIO).module().eval(), by_hand(name, RATIO).eval()
    with torch.no_grad():
        for parameter, other in zip(theirs.parameters(), ours.parameters(), strict=True):
            parameter.copy_(other)
    torch.manual_seed(0)
    x = torch.randn(2, *handwritten.NETWORKS[name][1])
    outputs = [module(x) for module in (ours, theirs)]
    assert torch.equal(*outputs)
    for output in outputs:
        output.square().mean().backward()
    for parameter, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert parameter.grad is not None and other.grad is not None
        assert torch.equal(parameter.grad, other.grad)


@every_network
def test_costs_are_those_that_torch_counts(name: str) -> None:
    net = network(name)
    with torch.device("meta"):
        module = net.module().eval()
        x = torch.empty(1, *handwritten.NETWORKS[name][1])
    with FlopCounterMode(display=False) as counter:
        module(x)
    assert net.cost.macs * 2 == counter.get_total_flops()
    assert net.cost.params == sum(parameter.numel() for parameter in module.parameters())
    assert net.cost.buffers == sum(buffer.numel() for buffer in module.buffers())


@every_network
def test_the_tables_paths_are_the_modules(name: str) -> None:
    net = network(name)
    with torch.device("meta"):
        module = net.module()
    paths = [item.path for _, item in walk(net.graph.root.body) if not isinstance(item, (Merge, Split))]
    assert paths == [path for path, _ in module.named_modules() if path]


@every_network
def test_every_layer_gives_the_shape_that_the_table_says(name: str) -> None:
    net = network(name)
    with torch.device("meta"):
        module = net.module().eval()
        x = torch.empty(1, *handwritten.NETWORKS[name][1])
    seen: dict[str, tuple[int, ...]] = {}
    for path, child in module.named_modules():
        child.register_forward_hook(lambda _, __, out, path=path: seen.__setitem__(path, tuple(out.shape)))
    module(x)
    for _, item in walk(net.graph.root.body):
        if not isinstance(item, (Merge, Split)):
            assert seen[item.path] == item.output.shape, item.path
