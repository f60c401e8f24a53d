"""The specs of torchvision's networks: their tensors, outputs, gradients and costs are torchvision's."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import torch
from emitting import ruff_complaints
from oracle_zoo import FOLDER, NAMES, theirs
from torch import Tensor, nn
from torchvision.models import get_model_weights

import cnndsl
from cnndsl.spec.renaming import renamed

#: The smallest member of each family, and others that differ in kind, with the size of image at which they are run.
SMALL = {
    "alexnet": 96, "vgg11": 64, "vgg13_bn": 64, "resnet18": 64, "resnet50": 64, "resnext50_32x4d": 64,
    "wide_resnet50_2": 64, "squeezenet1_0": 64, "squeezenet1_1": 64, "densenet121": 64, "googlenet": 96,
    "googlenet_aux": 96, "inception_v3": 128, "inception_v3_aux": 299, "mobilenet_v2": 64, "mobilenet_v3_small": 64,
    "mobilenet_v3_large": 64, "mnasnet0_5": 64, "mnasnet1_3": 64, "shufflenet_v2_x0_5": 64, "shufflenet_v2_x1_5": 64,
    "efficientnet_b0": 64, "efficientnet_b5": 64, "efficientnet_v2_s": 64, "regnet_x_400mf": 64, "regnet_y_400mf": 64,
    "convnext_tiny": 64,
}  # fmt: skip
FAMILIES = [
    "alexnet", "vgg11", "vgg13_bn", "resnet18", "resnext50_32x4d", "squeezenet1_1", "densenet121", "googlenet_aux",
    "mobilenet_v2", "mobilenet_v3_small", "mnasnet0_5", "shufflenet_v2_x0_5", "efficientnet_b0", "efficientnet_v2_s",
    "regnet_x_400mf", "regnet_y_400mf", "convnext_tiny", "inception_v3_aux",
]  # fmt: skip


@cache
def compiled(name: str) -> cnndsl.Network:
    return cnndsl.load(FOLDER / f"{name}.yaml")


def named_as_theirs(net: cnndsl.Network, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {renamed(name, net.graph.document.rename): tensor for name, tensor in tensors.items()}


def pair(name: str) -> tuple[nn.Module, nn.Module]:
    """The module of a spec with torchvision's random weights in it, and torchvision's own."""
    net = compiled(name)
    with torch.device("meta"):
        ours = net.module()
    torch.manual_seed(0)
    other = theirs(name, "cpu")
    for module in other.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    state = other.state_dict()
    mine = {name: state[renamed(name, net.graph.document.rename)].clone() for name in ours.state_dict()}
    assert len(mine) == len(state)
    ours.load_state_dict(mine, strict=True, assign=True)
    return ours, other


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", NAMES)
def test_tensors_have_torchvisions_names_and_shapes(name: str) -> None:
    net = compiled(name)
    with torch.device("meta"):
        mine = net.module().state_dict()
    wanted = {key: (tensor.shape, tensor.dtype) for key, tensor in theirs(name).state_dict().items()}
    assert {key: (tensor.shape, tensor.dtype) for key, tensor in named_as_theirs(net, mine).items()} == wanted


@pytest.mark.parametrize("name", NAMES)
def test_parameters_and_macs_are_those_that_torchvision_publishes(name: str) -> None:
    if name.endswith("_aux"):
        pytest.skip("torchvision publishes the network without its auxiliary heads")
    net = compiled(name)
    size = net.graph.inputs["x"].shape.sample[-1]
    weights = next(found for found in get_model_weights(name) if found.transforms().crop_size == [size])
    published = {"googlenet": 6624904, "inception_v3": 27161264}.get(name, weights.meta["num_params"])
    heads = {"inception_v3": 27161264 - 23834568}.get(name, 0)
    assert net.cost.params + heads == published
    assert net.cost.macs / 1e9 == pytest.approx(weights.meta["_ops"], abs=0.0006)


@pytest.mark.parametrize("name", SMALL)
@torch.no_grad()
def test_outputs_in_evaluation_are_torchvisions_bit_for_bit(name: str) -> None:
    ours, other = pair(name)
    x = torch.randn(2, 3, SMALL[name], SMALL[name])
    out = ours.eval()(x)
    out = out["fc"] if isinstance(out, dict) else out
    assert torch.equal(out, other.eval()(x))


@pytest.mark.parametrize("name", FAMILIES)
def test_outputs_and_gradients_in_training_are_torchvisions(name: str) -> None:
    ours, other = pair(name)
    net = compiled(name)
    x = torch.randn(2, 3, SMALL[name], SMALL[name])
    gradients = []
    for module in (ours, other):
        torch.manual_seed(1)
        out = module.train()(x)
        outs = list(out.values()) if isinstance(out, dict) else [*out] if isinstance(out, tuple) else [out]
        sum(one.square().mean() for one in outs).backward()
        gradients.append((outs, {name: tensor.grad for name, tensor in module.named_parameters()}))
    (mine, by_name), (wanted, their_names) = gradients
    assert all(torch.equal(a, b) for a, b in zip(mine, wanted, strict=True))
    by_name = named_as_theirs(net, by_name)
    assert by_name.keys() == their_names.keys()
    for key, gradient in their_names.items():
        torch.testing.assert_close(by_name[key], gradient, rtol=1e-5, atol=1e-6, msg=key)
    buffers = named_as_theirs(net, dict(ours.named_buffers()))
    assert all(torch.equal(buffers.pop(key), tensor) for key, tensor in other.named_buffers()) and not buffers


LINES = {"resnet50": 60, "densenet121": 75, "mobilenet_v2": 90, "efficientnet_b0": 140, "mobilenet_v3_large": 135}


@pytest.mark.parametrize(("name", "lines"), LINES.items())
def test_sources_are_short_and_no_two_classes_alike(name: str, lines: int) -> None:
    source = compiled(name).source()
    assert len(source.splitlines()) <= lines
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    bodies = [ast.dump(node).replace(node.name, "") for node in classes]
    assert len(bodies) == len(set(bodies))


def test_sources_are_clean(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / f"{name}.py").write_text(compiled(name).source())
    assert ruff_complaints(tmp_path) == ""
