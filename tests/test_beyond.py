"""``archs/beyond/``: networks that are no classifiers of images, each held against one that segmentation-models-pytorch
builds or that is written by hand, and some trained."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import segmentation_models_pytorch as smp
import torch
from handwritten_beyond import ESPCN, M5, AttentionUNet, Generator, Siamese, UNet, UNet3d
from oracle_dense import randomise
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

import cnndsl
from cnndsl.network import compile_spec

BEYOND = Path(__file__).parent.parent / "archs" / "beyond"

#: Each original, and its exact number of parameters.
NETWORKS: dict[str, tuple[Callable[..., nn.Module], int]] = {
    "unet": (UNet, 31_030_658),
    "attention_unet": (AttentionUNet, 34_869_674),
    "unetplusplus": (partial(smp.UnetPlusPlus, "resnet34", encoder_weights=None), 26_078_609),
    "fpn_resnet50": (partial(smp.FPN, "resnet50", encoder_weights=None), 26_116_033),
    "siamese": (Siamese, 38_951_745),
    "dcgan_generator": (Generator, 12_658_432),
    "espcn": (ESPCN, 22_729),
    "signal1d": (M5, 558_090),
    "volume3d": (UNet3d, 19_073_187),
}
#: What makes them small, and inputs that they then take. No module knows the size that its spec has.
SMALL: dict[str, tuple[dict[str, Any], list[list[int]]]] = {
    "unet": ({"width": 4}, [[1, 188, 188], [1, 188, 220]]),
    "attention_unet": ({"width": 4}, [[1, 64, 64], [1, 33, 70], [1, 47, 49]]),
    "unetplusplus": ({}, [[3, 64, 96], [3, 96, 32]]),
    "fpn_resnet50": ({}, [[3, 64, 96], [3, 96, 32]]),
    "siamese": ({"width": 4, "features": 32}, [[1, 105, 105]]),
    "dcgan_generator": ({"width": 4}, [[100, 1, 1]]),
    "espcn": ({"upscale": 2}, [[1, 17, 17], [1, 9, 24]]),
    "signal1d": ({"width": 8}, [[1, 32000], [1, 8001]]),
    "volume3d": ({"width": 2}, [[3, 92, 92, 100]]),
}

every_network = pytest.mark.parametrize("name", NETWORKS)


def load(name: str, **params: Any) -> cnndsl.Network:
    """A network with other parameters, which need not keep the contract that the published one does."""
    graph = compile_spec(BEYOND / f"{name}.yaml", params, settings=["expect={}"]).graph
    assert graph is not None
    return cnndsl.Network(graph)


def keys(module: nn.Module, oracle: nn.Module) -> dict[str, str]:
    """Each key of the module's state with that of the oracle: the same if they have the same keys, else in order."""
    ours, wanted = module.state_dict(), oracle.state_dict()
    return {key: key for key in ours} if ours.keys() == wanted.keys() else dict(zip(ours, wanted, strict=True))


def test_every_network_has_its_oracle() -> None:
    assert {path.stem for path in BEYOND.glob("*.yaml")} == set(NETWORKS) == set(SMALL)


@every_network
def test_a_spec_is_without_fault_or_warning(name: str) -> None:
    assert cnndsl.check(BEYOND / f"{name}.yaml") == []
    assert {contract.what for contract in cnndsl.load(BEYOND / f"{name}.yaml").graph.contracts} == {"output", "params"}


@every_network
def test_shapes_and_costs_at_full_size_are_torchs(name: str) -> None:
    """On the meta device, the network written by hand: output, parameters, buffers and MACs."""
    net, (by_hand, params) = load(name), NETWORKS[name]
    with torch.device("meta"):
        oracle = by_hand().eval()
        with FlopCounterMode(display=False) as counter:
            outputs = oracle(*(torch.empty(x.shape) for x in net.graph.inputs.values()))
    if isinstance(outputs, Tensor):
        outputs = {"output": outputs}
    shapes = {output: tuple(tensor.shape) for output, tensor in net.graph.outputs.items()}
    assert shapes == {output: tuple(tensor.shape) for output, tensor in outputs.items()}
    assert net.cost.params == params == sum(p.numel() for p in oracle.parameters())
    assert net.cost.buffers == sum(b.numel() for b in oracle.buffers())
    assert 2 * net.cost.macs == counter.get_total_flops()


@every_network
@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
def test_output_and_gradients_are_those_of_the_network_by_hand(name: str, training: bool) -> None:
    params, sizes = SMALL[name]
    net = load(name, **params)
    torch.manual_seed(0)
    oracle, module = randomise(NETWORKS[name][0](**params)).train(training), net.module().train(training)
    assert_same_function(module, oracle, [[torch.randn(2, *size) for _ in net.graph.inputs] for size in sizes])


def assert_same_function(module: nn.Module, oracle: nn.Module, batches: list[list[Tensor]]) -> None:
    """The oracle's weights, all of them, give the same outputs bit for bit, and the same gradients."""
    pairs = keys(module, oracle)
    state = oracle.state_dict()
    assert sorted(pairs.values()) == sorted(state)
    module.load_state_dict({ours: state[theirs] for ours, theirs in pairs.items()})
    for inputs in batches:
        (found, gradients), (wanted, wanted_gradients) = (run(network, inputs) for network in (module, oracle))
        assert sorted(found) == sorted(wanted)
        for key, output in found.items():
            torch.testing.assert_close(output, wanted[key], rtol=0, atol=0)
        for key, gradient in gradients.items():
            torch.testing.assert_close(gradient, wanted_gradients[pairs[key]], rtol=1e-4, atol=1e-6)


def run(network: nn.Module, inputs: list[Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The outputs by name, and the gradients of something that depends on all of them."""
    torch.manual_seed(1)  # for dropout
    outputs = named(network(*inputs))
    loss = torch.stack([output.square().mean() for output in outputs.values()]).sum()
    parameters = dict(network.named_parameters())
    return outputs, dict(zip(parameters, torch.autograd.grad(loss, list(parameters.values()))))


def named(output: Tensor | dict[str, Tensor]) -> dict[str, Tensor]:
    return {"output": output} if isinstance(output, Tensor) else output


@every_network
def test_source_table_and_drawing(name: str) -> None:
    net = load(name)
    compile(net.source(), name, "exec")
    assert net.shapes().rows
    svg = net.diagram(depth=1).svg()
    inputs = ["left", "right"] if name == "siamese" else ["input"]
    assert all(f">{tensor}<" in svg for tensor in (*inputs, *net.graph.outputs))


def test_a_generator_begins_as_the_paper_says() -> None:
    torch.manual_seed(0)
    for layer in load("dcgan_generator", width=32).module().modules():
        if isinstance(layer, nn.ConvTranspose2d):
            assert abs(layer.weight.mean()) < 1e-3 and abs(layer.weight.std() - 0.02) < 1e-3
        elif isinstance(layer, nn.BatchNorm2d):
            assert abs(layer.weight.mean() - 1) < 0.01 and 0.01 < layer.weight.std() < 0.03
            assert not layer.bias.any()


def test_it_does_not_matter_which_of_a_pair_comes_first() -> None:
    torch.manual_seed(0)
    module = load("siamese", **SMALL["siamese"][0]).module()
    left, right = torch.randn(2, 3, 1, 105, 105)
    torch.testing.assert_close(module(left, right), module(right, left))
    assert [key for key, _ in module.named_children()] == ["tower", "abs1", "linear1"]


# --- some of them, trained -------------------------------------------------------------------------------

Batch = tuple[list[Tensor], Tensor]


def waves(across: Tensor, down: Tensor, begin: Tensor, side: int) -> Tensor:
    """Square pictures of so many waves across and down."""
    axis = torch.linspace(0, 2 * torch.pi, side)
    return torch.sin(across * axis + down * axis[:, None] + begin)


def coarse_pictures() -> Batch:
    """ESPCN: pictures of three waves each, and the same with a third of the rows and columns."""
    across, down = torch.randint(1, 5, (2, 8, 3, 1, 1))
    pictures = waves(across, down, 7 * torch.rand(8, 3, 1, 1), 36).mean(1, keepdim=True)
    return [F.avg_pool2d(pictures, 3)], pictures


def pairs_of_drawings() -> Batch:
    """Siamese: four characters, drawn anew every time, and pairs of which half are of the same one."""
    across, down = torch.tensor([[4, 0, 4, 4], [0, 4, 4, -4]])[:, :, None, None, None]
    characters = waves(across, down, torch.zeros(()), 105)
    same = torch.arange(8) % 2
    first = torch.randint(4, (8,))
    second = (first + (1 - same) * torch.randint(1, 4, (8,))) % 4
    return [characters[which] + 0.1 * torch.randn(8, 1, 105, 105) for which in (first, second)], same[:, None].float()


def tones() -> Batch:
    """M5: tones of four pitches, each from any moment on and in noise."""
    pitch = torch.randint(4, (16, 1))
    time = torch.linspace(0, 1, 2048) + torch.rand(16, 1)
    return [(torch.sin(250 * 2**pitch * time) + 0.3 * torch.randn(16, 2048))[:, None]], pitch[:, 0]


def balls(axes: int, count: int, channels: int, side: int, seen: int) -> Batch:
    """U-Nets: bright balls somewhere in the middle, in noise, and which places of the output are in them."""
    places = torch.stack(torch.meshgrid(*[torch.arange(side)] * axes, indexing="ij"))
    centres = side / 2 + 4 * torch.rand(count, axes, *[1] * axes) - 2
    inside = (places - centres).square().sum(1) < (seen / 3) ** 2
    images = inside[:, None] + 0.5 * torch.randn(count, channels, *[side] * axes)
    edge = (side - seen) // 2
    return [images], F.pad(inside.long(), [-edge] * 2 * axes)


Loss = Callable[[Tensor, Tensor], Tensor]
TASKS: dict[str, tuple[dict[str, Any], Callable[[], Batch], Loss, float]] = {
    "espcn": ({}, coarse_pictures, F.mse_loss, 1e-3),
    "siamese": ({"width": 4, "features": 128}, pairs_of_drawings, F.binary_cross_entropy_with_logits, 1e-3),
    "signal1d": ({"width": 8, "classes": 4}, tones, F.cross_entropy, 1e-2),
    "unet": ({"width": 8, "depth": 2}, lambda: balls(2, 8, 1, 60, 20), F.cross_entropy, 3e-3),
    "volume3d": ({"width": 2, "depth": 1, "classes": 2}, lambda: balls(3, 4, 3, 28, 12), F.cross_entropy, 1e-2),
}


@pytest.mark.parametrize("name", TASKS)
def test_the_loss_falls(name: str) -> None:
    params, batch, loss_of, lr = TASKS[name]
    torch.manual_seed(0)
    module = load(name, **params).module()
    optimizer = torch.optim.Adam(module.parameters(), lr=lr)
    losses = []
    for _ in range(200):
        inputs, target = batch()
        loss = loss_of(module(*inputs), target)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-20:]) < 0.5 * sum(losses[:20])
