"""The classic networks: their tables, and that each is the hand-written network bit for bit."""

from functools import cache
from pathlib import Path

import pytest
import torch
from emitting import assert_same, constructed
from handwritten import NETWORKS, vgg11, vgg16, vgg19
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import cnndsl
from cnndsl.emit.table import rows
from cnndsl.graph.graph import Apply, Merge, Split, walk

ARCHS = Path(__file__).parent.parent / "archs"
VGGS = {"vgg11": vgg11, "vgg16": vgg16, "vgg19": vgg19}

#: Sides of the images that networks are run on which do not mind how large these are.
SIDES = {"resnet18": 64, "googlenet": 64, "densenet": 64, "unet": 32}

#: The rows at depth 1, `layer sizes` a line, from the reference.
TABLES = {
    "lenet": """
        Reshape 1 28 28 | Conv2d 6 28 28 | Sigmoid 6 28 28 | AvgPool2d 6 14 14 | Conv2d 16 10 10 | Sigmoid 16 10 10
        AvgPool2d 16 5 5 | Flatten 400 | Linear 120 | Sigmoid 120 | Linear 84 | Sigmoid 84 | Linear 10""",
    "lenet_bn": """
        Conv2d 6 24 24 | BatchNorm2d 6 24 24 | Sigmoid 6 24 24 | AvgPool2d 6 12 12 | Conv2d 16 8 8 | BatchNorm2d 16 8 8
        Sigmoid 16 8 8 | AvgPool2d 16 4 4 | Flatten 256 | Linear 120 | BatchNorm1d 120 | Sigmoid 120 | Linear 84
        BatchNorm1d 84 | Sigmoid 84 | Linear 10""",
    "alexnet": """
        Conv2d 96 54 54 | ReLU 96 54 54 | MaxPool2d 96 26 26 | Conv2d 256 26 26 | ReLU 256 26 26 | MaxPool2d 256 12 12
        Conv2d 384 12 12 | ReLU 384 12 12 | Conv2d 384 12 12 | ReLU 384 12 12 | Conv2d 256 12 12 | ReLU 256 12 12
        MaxPool2d 256 5 5 | Flatten 6400 | Linear 4096 | ReLU 4096 | Dropout 4096 | Linear 4096 | ReLU 4096
        Dropout 4096 | Linear 10""",
    "vgg11": """
        VGGBlock 64 112 112 | VGGBlock 128 56 56 | VGGBlock 256 28 28 | VGGBlock 512 14 14 | VGGBlock 512 7 7
        Flatten 25088 | Linear 4096 | ReLU 4096 | Dropout 4096 | Linear 4096 | ReLU 4096 | Dropout 4096 | Linear 10""",
    "nin": """
        NiNBlock 96 54 54 | MaxPool2d 96 26 26 | NiNBlock 256 26 26 | MaxPool2d 256 12 12 | NiNBlock 384 12 12
        MaxPool2d 384 5 5 | Dropout 384 5 5 | NiNBlock 10 5 5 | AdaptiveAvgPool2d 10 1 1 | Flatten 10""",
    "googlenet": """
        Sequential 64 24 24 | Sequential 192 12 12 | Sequential 480 6 6 | Sequential 832 3 3 | Sequential 1024
        Linear 10""",
    "resnet18": """
        Sequential 64 56 56 | Sequential 64 56 56 | Sequential 128 28 28 | Sequential 256 14 14 | Sequential 512 7 7
        AdaptiveAvgPool2d 512 1 1 | Flatten 512 | Linear 10""",
    "densenet": """
        Sequential 64 24 24 | DenseBlock 192 24 24 | Transition 96 12 12 | DenseBlock 224 12 12 | Transition 112 6 6
        DenseBlock 240 6 6 | Transition 120 3 3 | DenseBlock 248 3 3 | BatchNorm2d 248 3 3 | ReLU 248 3 3
        AdaptiveAvgPool2d 248 1 1 | Flatten 248 | Linear 10""",
}  # fmt: skip
TABLES |= dict.fromkeys(("vgg16", "vgg19"), TABLES["vgg11"])

every_network = pytest.mark.parametrize("name", NETWORKS)


@cache
def network(name: str) -> cnndsl.Network:
    return cnndsl.load(ARCHS / f"{name}.yaml")


@cache
def pair(name: str) -> tuple[cnndsl.Network, nn.Module, nn.Module]:
    """A network, its emitted module and the hand-written one with the same weights, in evaluation.

    The VGGs are a quarter as wide: what they are made of is looked at elsewhere.
    """
    net = cnndsl.load(ARCHS / f"{name}.yaml", **({"ratio": 4} if name in VGGS else {}))
    torch.manual_seed(0)
    oracle = VGGS[name](ratio=4) if name in VGGS else NETWORKS[name][0]()
    module = net.module()
    state = zip(module.state_dict(), oracle.state_dict().values(), strict=True)
    module.load_state_dict(dict(state))
    return net, module.eval(), oracle.eval()


def test_every_arch_has_its_oracle() -> None:
    assert {path.stem for path in ARCHS.glob("*.yaml")} == set(NETWORKS)


# --- tables ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLES)
def test_the_table_of_the_reference(name: str) -> None:
    wanted = [line.split() for line in TABLES[name].replace("\n", "|").split("|") if line.strip()]
    found = rows(network(name).graph.root, 1)
    assert [(row.layer, *map(str, row.output)) for row in found] == [(layer, "1", *sizes) for layer, *sizes in wanted]


@pytest.mark.parametrize("name, count", {"lenet": 13, "vgg11": 13, "googlenet": 6, "resnet18": 8}.items())
def test_the_number_of_rows_of_the_reference(name: str, count: int) -> None:
    assert len(rows(network(name).graph.root, 1)) == count


@pytest.mark.parametrize(
    "name, params, macs",
    [("inception", 0.16, 128), ("conv3x3", 0.44, 346), ("conv5x5", 1.22, 963)],
)
def test_what_an_inception_saves(name: str, params: float, macs: int) -> None:
    """Weights and multiply-accumulates in millions, rounded down as in the reference."""
    net = network(name)
    layers = [item.layer for _, item in walk(net.graph.root.body) if isinstance(item, Apply)]
    weights = sum(torch.Size(layer.parameters().get("weight", (0,))).numel() for layer in layers)
    assert weights // 10**4 / 100 == params
    assert net.cost.macs // 10**6 == macs


def test_a_dense_block_and_a_transition_of_the_reference() -> None:
    net = cnndsl.loads(
        """
        input: [3, 8, 8]
        blocks:
          DenseLayer:
            - BatchNorm2d
            - ReLU
            - Conv2d: {out_channels: 10, kernel_size: 3, padding: 1}
          Transition(channels):
            - BatchNorm2d
            - ReLU
            - Conv2d: [$channels, 1]
            - AvgPool2d: {kernel_size: 2, stride: 2}
        network:
          - sequential:
              - dense: [DenseLayer]
                times: 2
          - Transition: 10
        """
    )
    module, shapes = net.module(), []
    for child in module.children():
        child.register_forward_hook(lambda layer, x, y: shapes.append(tuple(y.shape)))
    module(torch.zeros(4, 3, 8, 8))
    assert shapes == [(4, 23, 8, 8), (4, 10, 4, 4)]


# --- the hand-written networks ---------------------------------------------------------------------------


def run(module: nn.Module, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The output and the gradients of a loss."""
    output = module(x)
    loss = nn.functional.cross_entropy(output, torch.ones(len(x), *output.shape[2:], dtype=torch.long))
    gradients = torch.autograd.grad(loss, list(module.parameters()))
    return output.detach(), list(gradients)


@every_network
def test_output_and_gradients_are_the_oracles_bit_for_bit(name: str) -> None:
    _, module, oracle = pair(name)
    assert [p.shape for p in module.parameters()] == [p.shape for p in oracle.parameters()]
    channels, side, _ = NETWORKS[name][1]
    side = SIDES.get(name, side)
    x = torch.randn(2, channels, side, side, generator=torch.Generator().manual_seed(1))
    (found, found_gradients), (wanted, wanted_gradients) = run(module, x), run(oracle, x)
    assert_same(found, wanted)
    for one, other in zip(found_gradients, wanted_gradients, strict=True):
        assert_same(one, other)


@every_network
def test_the_whole_network_on_the_meta_device(name: str) -> None:
    """Parameters, buffers and MACs as torch counts them, at full size and without memory."""
    net = network(name)
    with torch.device("meta"):
        module, oracle = net.module(), NETWORKS[name][0]()
        counter = FlopCounterMode(display=False)
        with counter:
            output = module(torch.empty(2, *NETWORKS[name][1]))
    assert tuple(output.shape[1:]) == net.graph.outputs["output"].shape.sample
    assert [p.shape for p in module.parameters()] == [p.shape for p in oracle.parameters()]
    assert net.cost.params == sum(p.numel() for p in oracle.parameters())
    assert net.cost.buffers == sum(b.numel() for b in oracle.buffers())
    assert 2 * 2 * net.cost.macs == counter.get_total_flops()


@every_network
def test_the_module_tree_is_the_tables(name: str) -> None:
    net = network(name)
    with torch.device("meta"):
        module = net.module()
    paths = [item.path for _, item in walk(net.graph.root.body) if not isinstance(item, (Merge, Split))]
    assert [path for path, _ in module.named_modules() if path] == paths
    tensors = [
        f"{item.path}.{name}"
        for item in constructed(net.graph.root.body)
        if isinstance(item, Apply)
        for name in (*item.layer.parameters(), *item.layer.buffers())
    ]
    assert [*module.state_dict()] == tensors


def test_an_optional_child_is_there_or_not() -> None:
    _, module, _ = pair("resnet18")
    has = {path for path, _ in module.named_modules() if path.endswith("downsample")}
    assert has == {"2.0.downsample", "3.0.downsample", "4.0.downsample"}
    assert module.get_submodule("1.0").downsample is None


def test_init_sets_weights_and_leaves_the_rest() -> None:
    torch.manual_seed(0)
    convolution = network("lenet").module().get_submodule("1")
    limit, default = (6 / (1 * 25 + 6 * 25)) ** 0.5, 1 / 25**0.5
    assert limit * 0.9 < convolution.weight.abs().max() <= limit
    assert convolution.bias.abs().max() <= default
