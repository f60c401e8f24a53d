"""``archs/segmentation`` and ``archs/detection`` against torchvision's own networks, and against YOLOv8 by hand."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from emitting import ruff_complaints
from oracle_dense import SPECS, outputs, theirs
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import get_model_weights, list_models

import cnndsl
from cnndsl.network import compile_spec
from cnndsl.spec.renaming import Renamer

every_network = pytest.mark.parametrize("name", SPECS)
#: One of each family, with sides that the original takes: YOLOv8 adds maps of equal sizes only.
ANY, OF_32 = [(64, 64), (97, 65), (75, 130)], [(64, 64), (96, 128), (160, 32)]
FAMILIES = {
    **dict.fromkeys(("fcn_resnet50", "deeplabv3_resnet50", "deeplabv3_mobilenet_v3_large"), ANY),
    **dict.fromkeys(("lraspp_mobilenet_v3_large", "resnet50_fpn", "mobilenet_v3_large_fpn"), ANY),
    "retinanet_resnet50_fpn": ANY,
    "yolov8n": OF_32,
}


@cache
def compiled(name: str) -> cnndsl.Network:
    return cnndsl.load(SPECS[name])


def named_as_theirs(name: str, tensors: dict[str, Any]) -> dict[str, Any]:
    renamings = compiled(name).graph.document.rename
    return {Renamer(renamings).renamed(key): tensor for key, tensor in tensors.items()}


def pair(name: str) -> tuple[nn.Module, nn.Module]:
    """The module of a spec with the random weights of the original, and the original."""
    torch.manual_seed(0)
    other, ours = theirs(name, "cpu"), compiled(name).module()
    assert compiled(name).load_weights(ours, other.state_dict()).is_whole
    return ours.eval(), other


@every_network
def test_a_spec_is_without_fault_or_warning(name: str) -> None:
    assert cnndsl.check(SPECS[name]) == []


@every_network
def test_tensors_outputs_and_costs_are_the_originals(name: str) -> None:
    """On the meta device at full size: names and shapes of the state, shapes of the outputs, parameters and MACs."""
    net, other = compiled(name), theirs(name)
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        mine = named_as_theirs(name, net.module().state_dict())
        found = outputs(other, torch.empty(net.graph.inputs["x"].shape))
    wanted = {key: (tensor.shape, tensor.dtype) for key, tensor in other.state_dict().items()}
    assert {key: (tensor.shape, tensor.dtype) for key, tensor in mine.items()} == wanted
    assert [tensor.shape for tensor in net.graph.outputs.values()] == [tensor.shape for tensor in found]
    assert net.cost.params == sum(tensor.numel() for tensor in other.parameters())
    assert 2 * net.cost.macs == counter.get_total_flops()


@pytest.mark.parametrize("name", [name for name in SPECS if name in list_models()])
def test_parameters_and_macs_are_those_that_torchvision_publishes(name: str) -> None:
    meta = get_model_weights(name).DEFAULT.meta
    assert compiled(name).cost.params == meta["num_params"]
    assert compiled(name).cost.macs / 1e9 == pytest.approx(meta["_ops"], abs=0.0006)


@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_one_module_gives_the_originals_outputs_at_any_size_bit_for_bit(name: str) -> None:
    ours, other = pair(name)
    for size in FAMILIES[name]:
        x = torch.randn(1, 3, *size)
        assert all(map(torch.equal, outputs(ours, x), outputs(other, x)))


@torch.no_grad()
def test_yolo_takes_pictures_of_sides_that_the_original_cannot_take() -> None:
    net = compiled("yolov8n")
    found = net.module().eval()(torch.randn(1, 3, 65, 97))
    wanted = net.at_size((3, 65, 97)).graph.outputs
    assert {name: tuple(tensor.shape) for name, tensor in found.items()} == {
        name: tuple(tensor.shape) for name, tensor in wanted.items()
    }


@pytest.mark.parametrize("name", ["fcn_resnet50", "lraspp_mobilenet_v3_large", "resnet50_fpn", "yolov8n"])
def test_outputs_gradients_and_statistics_in_training_are_the_originals(name: str) -> None:
    ours, other = pair(name)
    x = torch.randn(2, 3, 64, 64)
    found = [in_training(module, x) for module in (ours, other)]
    (mine, gradients, buffers), (wanted, theirs_, statistics) = found
    assert all(map(torch.equal, mine, wanted))
    gradients, buffers = (named_as_theirs(name, tensors) for tensors in (gradients, buffers))
    assert gradients.keys() == theirs_.keys() and buffers.keys() == statistics.keys()
    for key, gradient in theirs_.items():
        torch.testing.assert_close(gradients[key], gradient, rtol=1e-4, atol=1e-6, msg=key)
    assert all(torch.equal(buffers[key], tensor) for key, tensor in statistics.items())


def in_training(module: nn.Module, x: Tensor) -> tuple[list[Tensor], dict[str, Tensor], dict[str, Tensor]]:
    """The outputs, the gradients of all parameters, and the buffers after the pass."""
    torch.manual_seed(1)  # for dropout
    found = outputs(module.train(), x)
    parameters = dict(module.named_parameters())
    loss = torch.stack([output.square().mean() for output in found]).sum()
    gradients = torch.autograd.grad(loss, [*parameters.values()])
    return found, dict(zip(parameters, gradients)), dict(module.named_buffers())


def without_auxiliary_head() -> cnndsl.Network:
    compilation = compile_spec(SPECS["fcn_resnet50"], {"aux": False}, settings=["outputs=[out]"])
    assert compilation.graph is not None and not compilation.diagnostics
    return cnndsl.Network(compilation.graph)


def test_auxiliary_heads_can_be_left_out() -> None:
    net = without_auxiliary_head()
    assert [*net.graph.outputs] == ["out"]
    assert not any("aux" in key for key in net.module().state_dict())


def test_normalisations_of_a_detector_may_learn() -> None:
    net = cnndsl.load(SPECS["resnet50_fpn"], norm="BatchNorm2d")
    frozen = compiled("resnet50_fpn")
    assert net.cost.params - frozen.cost.params == 53_120  # a weight and a bias of each channel


def test_torchvisions_weights_load_by_their_name_with_the_auxiliary_head_or_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from torchvision.models._api import WeightsEnum

    state = theirs("fcn_resnet50", "cpu").state_dict()
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda *_, **__: state)
    net = compiled("fcn_resnet50")
    assert net.load_weights(net.module(), "torchvision:COCO_WITH_VOC_LABELS_V1").is_whole
    plain = without_auxiliary_head()
    assert plain.load_weights(plain.module(), "torchvision:DEFAULT").is_whole


LINES = {"fcn_resnet50": 120, "deeplabv3_resnet50": 185, "resnet50_fpn": 135, "yolov8n": 240}


@pytest.mark.parametrize(("name", "lines"), LINES.items())
def test_sources_are_short(name: str, lines: int) -> None:
    assert len(compiled(name).source().splitlines()) <= lines


def test_sources_are_clean(tmp_path: Path) -> None:
    for name in SPECS:
        (tmp_path / f"{name}.py").write_text(compiled(name).source())
    assert ruff_complaints(tmp_path) == ""


@pytest.mark.parametrize("depth", [1, 2, None])
@pytest.mark.parametrize("name", FAMILIES)
def test_drawings_name_the_outputs_that_meet(name: str, depth: int | None) -> None:
    net = compiled(name)
    svg = net.diagram(depth=depth).svg()
    assert all(f">{output}<" in svg for output in ("input", *net.graph.outputs))
