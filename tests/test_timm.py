"""The specs of timm's networks: their tensors, outputs, gradients and costs are timm's.

Every spec in ``archs/timm`` is tested by its name.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from emitting import ruff_complaints
from oracle_timm import FOLDER, NAMES, randomise, theirs
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import cnndsl
from cnndsl.spec.renaming import Renamer
from cnndsl.zoo import family

#: The sizes of images, if they are not 64 x 80: wider than high, and odd after four halvings, where poolings differ.
SIZES = {
    "inception_v4": (96, 112),  # too much is cut off for a smaller one
    "inception_resnet_v2": (96, 112),
    "tf_efficientnet_b0": (64, 96),  # its padding fits sizes that 32 divides
    "dla34": (64, 96),  # it adds what it halves in two ways, which is equal if 32 divides the size
    "hrnet_w18_small": (64, 96),  # it adds what it halves to what it doubles
}
#: The largest relative error of an output, for those that are not timm's bit for bit, with the reason.
ERRORS = {
    "densenetblur121d": 1e-6,  # two average poolings blur like timm's convolution with a constant kernel
}
#: Multiplications by constants: timm blurs with a convolution of 64 channels, 3x3, which has no weights to learn.
CONSTANT_MACS = {"densenetblur121d": 64 * 3 * 3 * 72 * 72}
#: Networks of timm that are those of a spec with other parameters.
VARIANTS = [
    ("resnet34d", "resnet50d", {"block": "BasicBlock"}),
    ("res2net50_48w_2s", "res2net50_26w_4s", {"base_width": 48, "scale": 2}),
    ("repvgg_b0", "repvgg_a0", {"stem": 64, "widths": [64, 128, 256, 1280], "depths": [4, 6, 16, 1]}),
    ("mobileone_s1", "mobileone_s0", {"stem": 64, "stages": [[96, 2], [192, 8], [512, 10], [1280, 1]], "branches": 1}),
    ("xception65", "xception41", {"depth": 16}),
]
#: A network of each family.
FAMILIES = {family(f"timm/{name}"): name for name in reversed(NAMES)}

pytestmark = pytest.mark.usefixtures("one_thread")


@cache
def compiled(name: str) -> cnndsl.Network:
    return cnndsl.load(FOLDER / f"{name}.yaml")


def named_as_theirs(net: cnndsl.Network, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {Renamer(net.graph.document.rename).renamed(name): tensor for name, tensor in tensors.items()}


def pair(name: str) -> tuple[nn.Module, nn.Module]:
    """The module of a spec and timm's own, with the same random weights and statistics."""
    with torch.device("meta"):
        ours = compiled(name).module()
    torch.manual_seed(0)
    other = theirs(name, "cpu")
    randomise(other)
    assert compiled(name).load_weights(ours.to_empty(device="cpu"), other.state_dict()).is_whole
    return ours, other


def images(name: str) -> Tensor:
    return torch.randn(2, 3, *SIZES.get(name, (64, 80)), generator=torch.Generator().manual_seed(1))


def assert_tensors_and_macs(net: cnndsl.Network, name: str) -> None:
    """A network has the tensors and the MACs of the one that timm calls so."""
    other = theirs(name)
    with torch.device("meta"):
        mine = net.module().state_dict()
    wanted = {key: (tensor.shape, tensor.dtype) for key, tensor in other.state_dict().items()}
    assert {key: (tensor.shape, tensor.dtype) for key, tensor in named_as_theirs(net, mine).items()} == wanted
    assert net.cost.params == sum(parameter.numel() for parameter in other.parameters())
    x = torch.zeros(*net.graph.inputs["x"].shape, device="meta")
    with FlopCounterMode(display=False) as counter:
        other.eval()(x)
    assert net.cost.macs + CONSTANT_MACS.get(name, 0) == counter.get_total_flops() / 2


@pytest.mark.parametrize("name", NAMES)
def test_tensors_and_macs_are_timms(name: str) -> None:
    assert_tensors_and_macs(compiled(name), name)


@pytest.mark.parametrize(("name", "base", "params"), VARIANTS)
def test_parameters_give_others_of_the_family(name: str, base: str, params: dict[str, Any]) -> None:
    assert_tensors_and_macs(cnndsl.load(FOLDER / f"{base}.yaml", **params), name)


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_outputs_in_evaluation_are_timms(name: str) -> None:
    ours, other = pair(name)
    mine, wanted = (module.eval()(images(name)) for module in (ours, other))
    assert torch.isfinite(wanted).all() and not torch.equal(wanted[0], wanted[1])
    if name in ERRORS:
        assert (mine - wanted).norm() <= ERRORS[name] * wanted.norm()
    else:
        assert torch.equal(mine, wanted)


@pytest.mark.parametrize("name", FAMILIES.values())
def test_outputs_and_gradients_in_training_are_timms(name: str) -> None:
    ours, other = pair(name)
    net = compiled(name)
    for module in (ours, other):
        torch.manual_seed(1)  # for dropout
        module.train()(images(name)).square().mean().backward()
    mine = named_as_theirs(net, dict(ours.named_parameters()))
    for key, parameter in other.named_parameters():
        error = (mine[key].grad - parameter.grad).norm()
        assert error <= 1e-4 * parameter.grad.norm() + 1e-7, key
    buffers = named_as_theirs(net, dict(ours.named_buffers()))
    for key in buffers:
        torch.testing.assert_close(buffers[key], other.get_buffer(key), rtol=1e-5, atol=1e-5, msg=key)


def test_sources_are_clean(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / f"{name}.py").write_text(compiled(name).source())
    assert ruff_complaints(tmp_path) == ""
