"""The classes that the emitted source holds copies of, against functions of torch and torchvision."""

import inspect
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
import torchvision.transforms
from emitting import torch_class
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.convnext import LayerNorm2d as LayerNorm2dOfConvNeXt

import cnndsl
from cnndsl.layers import LAYERS, Layer
from cnndsl.layers.definitions import definition
from cnndsl.layers.definitions.activation import Abs
from cnndsl.layers.definitions.arithmetic import Add, Multiply, Pow
from cnndsl.layers.definitions.linear import Affine, Scale
from cnndsl.layers.definitions.norm import LayerNorm2d
from cnndsl.layers.definitions.padding import CenterCrop
from cnndsl.layers.definitions.reduce import Amax, Mean, Norm, Sum
from cnndsl.layers.definitions.shape_ops import Reshape, Slice
from cnndsl.layers.definitions.upsampling import UpsampleLike
from cnndsl.layers.upsampling import UpsampleLike as UpsampleLikeEntry

OURS = [*(layer for layer in LAYERS.values() if layer.defined_in), UpsampleLikeEntry]
IMAGES, SIGNALS, LOW = (3, 4, 6, 8), (3, 4, 6), (3, 4, 3, 2)


class Case(NamedTuple):
    """A module, the same by a function of its inputs and, after them, its parameters; and the shapes of the inputs."""

    module: nn.Module
    function: Callable[..., Tensor]
    inputs: tuple[tuple[int, ...], ...] = (IMAGES,)


def affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A batch normalization whose mean is 0 and whose variance is 1."""
    return F.batch_norm(x, torch.zeros(4), torch.ones(4), weight, bias, eps=0)


def pixel_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    norm = LayerNorm2dOfConvNeXt(4)
    return torch.func.functional_call(norm, {"weight": weight, "bias": bias}, x)


CASES = [
    Case(Abs(), torch.abs),
    Case(Add(0.5), lambda x: torch.add(x, 0.5)),
    Case(Multiply(0.5), lambda x: torch.mul(x, 0.5)),
    Case(Pow(2), torch.square),
    Case(Pow(0.5), torch.sqrt),
    Case(Scale(4, 2), lambda x, weight: torch.einsum("nchw,c->nchw", x, weight.flatten())),
    Case(Scale(4, 1), lambda x, weight: torch.einsum("ncl,c->ncl", x, weight.flatten()), (SIGNALS,)),
    Case(Affine(4), affine),
    Case(Affine(4), affine, (SIGNALS,)),
    Case(LayerNorm2d(4), pixel_norm),
    Case(LayerNorm2d(4, elementwise_affine=False), lambda x: pixel_norm(x, torch.ones(4), torch.zeros(4))),
    Case(Mean((2, 3)), lambda x: F.adaptive_avg_pool2d(x, 1)[:, :, 0, 0]),
    Case(Mean(-1, keepdim=True), lambda x: F.adaptive_avg_pool1d(x, 1), (SIGNALS,)),
    Case(Sum(1), lambda x: torch.einsum("nchw->nhw", x)),
    Case(Amax((2, 3), keepdim=True), lambda x: F.adaptive_max_pool2d(x, 1)),
    Case(Norm(dim=(2, 3)), lambda x: torch.norm(x, 2, (2, 3))),
    Case(Norm(1, 1, keepdim=True), lambda x: torch.norm(x, 1, 1, keepdim=True)),
    Case(Reshape((24, -1)), lambda x: torch.unflatten(torch.flatten(x, 1), 1, (24, 8))),
    Case(Slice(1), lambda x: x[:, 1:]),
    Case(Slice(2, 5, -1), lambda x: x[..., 2:5]),
    Case(Slice(1, None, 2, 2), lambda x: x[:, :, 1::2]),
    Case(Slice(-3, -1, 2), lambda x: x[:, :, -3:-1]),
    *(Case(CenterCrop(size), torchvision.transforms.CenterCrop(size)) for size in (1, 3, 5, 9, (12, 2), (3, 13))),
    *(
        Case(CenterCrop(), lambda x, y: torchvision.transforms.CenterCrop(y.shape[2:])(x), (IMAGES, like))
        for like in (LOW, (1, 1, 9, 5), (1, 1, 1, 1))
    ),
    Case(CenterCrop(rounding_mode="floor"), lambda x, _: x[:, :, 1:4, 3:5], (IMAGES, LOW)),
    Case(CenterCrop(rounding_mode="ceil"), lambda x, _: F.pad(x, (-3, -3, -2, -1)), (IMAGES, LOW)),
    Case(UpsampleLike(), lambda x, _: F.interpolate(x, (6, 8)), (LOW, IMAGES)),
    Case(
        UpsampleLike("bilinear", align_corners=True),
        lambda x, _: F.interpolate(x, (6, 8), mode="bilinear", align_corners=True),
        (LOW, IMAGES),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.module))
@pytest.mark.parametrize("convert", [lambda module: module, torch.jit.script], ids=["called", "scripted"])
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # of TorchScript
def test_it_computes_what_torch_computes(case: Case, convert: Callable[[nn.Module], nn.Module]) -> None:
    torch.manual_seed(0)
    inputs = [torch.randn(shape) for shape in case.inputs]
    for parameter in case.module.parameters():
        nn.init.normal_(parameter)
    wanted = case.function(*inputs, *case.module.parameters())
    torch.testing.assert_close(convert(case.module)(*inputs), wanted, equal_nan=True)


def test_every_class_has_a_case() -> None:
    assert {type(case.module) for case in CASES} == {torch_class(layer) for layer in OURS}


def test_weights_start_as_documented() -> None:
    x = torch.randn(IMAGES)
    assert torch.equal(Scale(4, 2, 0.25)(x), x / 4)
    assert torch.equal(Affine(4)(x), x)


@pytest.mark.parametrize("layer", OURS, ids=lambda layer: layer.__name__)
def test_the_text_is_that_of_the_class(layer: type[Layer]) -> None:
    made = torch_class(layer)
    assert made.__doc__
    assert definition(layer.defined_in, layer.__name__) == inspect.getsource(made)


def test_text_is_read_only_where_a_source_is_emitted() -> None:
    definition.cache_clear()
    net = cnndsl.loads("input: [8, 4, 4]\nnetwork: [Slice: 3]")
    assert net.cost.params == 0
    assert definition.cache_info().misses == 0
    net.source()
    assert definition.cache_info().misses == 1
