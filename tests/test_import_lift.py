"""What a module did is said in layers, merges and splits, which torch computes alike, bit by bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from emitting import torch_class
from layer_matrix import cases, one_of_each, ran
from lifted import compare, lifted, words
from torch import Tensor, nn

from cnndsl.importing.lift.leaves import arguments_of, word_of
from cnndsl.importing.recorded import Unspeakable
from cnndsl.layers import LAYERS, Layer, Refused, Shape

IMAGE = (8, 6, 6)


class Does(nn.Module):
    """A module that computes a function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Any:
        return self.function(*inputs)


#: Functions in the forms that people write, with the words that they are.
FORMS: list[tuple[str, Callable[..., Any], str]] = [
    ("F.relu", lambda x: F.relu(x), "ReLU"),
    ("F.relu in place", lambda x: F.relu(x, inplace=True), "ReLU"),
    ("F.relu by keyword", lambda x: F.relu(input=x), "ReLU"),
    ("torch.relu", lambda x: torch.relu(x), "ReLU"),
    ("x.relu_", lambda x: (x * 2).relu_(), "Multiply ReLU"),
    ("x.relu", lambda x: x.relu(), "ReLU"),
    ("F.relu6", lambda x: F.relu6(x), "ReLU6"),
    ("F.leaky_relu", lambda x: F.leaky_relu(x, 0.2), "LeakyReLU"),
    ("F.leaky_relu by keyword", lambda x: F.leaky_relu(x, negative_slope=0.2, inplace=True), "LeakyReLU"),
    ("F.elu", lambda x: F.elu(x, alpha=0.5), "ELU"),
    ("F.celu", lambda x: F.celu(x, 0.5), "CELU"),
    ("F.selu", lambda x: F.selu(x), "SELU"),
    ("F.gelu", lambda x: F.gelu(x), "GELU"),
    ("F.gelu tanh", lambda x: F.gelu(x, approximate="tanh"), "GELU"),
    ("F.silu", lambda x: F.silu(x), "SiLU"),
    ("F.mish", lambda x: F.mish(x), "Mish"),
    ("F.hardswish", lambda x: F.hardswish(x), "Hardswish"),
    ("F.hardsigmoid", lambda x: F.hardsigmoid(x, inplace=True), "Hardsigmoid"),
    ("F.hardtanh", lambda x: F.hardtanh(x, -2, 2), "Hardtanh"),
    ("F.softplus", lambda x: F.softplus(x, beta=2), "Softplus"),
    ("F.softsign", lambda x: F.softsign(x), "Softsign"),
    ("F.tanhshrink", lambda x: F.tanhshrink(x), "Tanhshrink"),
    ("F.softshrink", lambda x: F.softshrink(x, 0.3), "Softshrink"),
    ("F.hardshrink", lambda x: F.hardshrink(x, 0.3), "Hardshrink"),
    ("F.threshold", lambda x: F.threshold(x, 0.1, -1.0), "Threshold"),
    ("F.logsigmoid", lambda x: F.logsigmoid(x), "LogSigmoid"),
    ("F.glu", lambda x: F.glu(x, dim=1), "GLU"),
    ("torch.sigmoid", lambda x: torch.sigmoid(x), "Sigmoid"),
    ("x.sigmoid_", lambda x: (x + 1).sigmoid_(), "Add Sigmoid"),
    ("torch.tanh", lambda x: torch.tanh(x), "Tanh"),
    ("x.abs", lambda x: x.abs(), "Abs"),
    ("F.softmax", lambda x: F.softmax(x, dim=1), "Softmax"),
    ("x.softmax", lambda x: x.softmax(-3), "Softmax"),
    ("torch.log_softmax", lambda x: torch.log_softmax(x, 1), "LogSoftmax"),
    ("clamp", lambda x: x.clamp(min=-1, max=0.5), "Hardtanh"),
    ("clamp from 0", lambda x: torch.clamp(x, min=0), "ReLU"),
    ("clamp to 6", lambda x: x.clamp(0, 6), "ReLU6"),
    ("hard sigmoid", lambda x: F.relu6(x + 3) / 6, "Hardsigmoid"),
    ("hard sigmoid by keyword", lambda x: F.relu6(x + 3.0, inplace=True) / 6.0, "Hardsigmoid"),
    ("swish", lambda x: x * torch.sigmoid(x), "Sigmoid multiply"),
    ("swish reversed", lambda x: x.sigmoid() * x, "Sigmoid multiply"),
    ("swish in place", lambda x: x.mul(x.sigmoid()), "Sigmoid multiply"),
    ("mish", lambda x: x * torch.tanh(F.softplus(x)), "Softplus Tanh multiply"),
    # Numbers
    ("times", lambda x: x * 0.17, "Multiply"),
    ("times from the left", lambda x: 0.17 * x, "Multiply"),
    ("plus", lambda x: 1 + x, "Add"),
    ("minus", lambda x: x - 0.5, "Add"),
    ("from 1", lambda x: 1 - x, "Multiply Add"),
    ("negative", lambda x: -x, "Multiply"),
    ("half", lambda x: x / 2, "Multiply"),
    ("squared", lambda x: x**2, "multiply"),
    ("square", lambda x: torch.square(x), "multiply"),
    # Merges
    ("+", lambda x: x + F.relu(x), "ReLU add"),
    ("+=", lambda x: F.relu(x).add_(x), "ReLU add"),
    ("torch.add", lambda x: torch.add(x, F.relu(x)), "ReLU add"),
    ("add alpha", lambda x: torch.add(x, F.relu(x), alpha=2), "ReLU Multiply add"),
    ("-", lambda x: x - F.relu(x), "ReLU subtract"),
    ("/", lambda x: x / (x.abs() + 1), "Abs Add divide"),
    ("maximum", lambda x: torch.maximum(x, -x), "Multiply maximum"),
    ("max of two", lambda x: torch.max(x, -x), "Multiply maximum"),
    ("minimum", lambda x: torch.minimum(x, x * 2), "Multiply minimum"),
    ("sum of a list", lambda x: sum([x, F.relu(x), x * 2]), "ReLU Multiply add add"),
    ("cat", lambda x: torch.cat([x, F.relu(x)], 1), "ReLU concat"),
    ("cat along the width", lambda x: torch.cat((x, x), dim=-1), "concat"),
    ("concat of one", lambda x: torch.concat([F.relu(x)], dim=1), "ReLU"),
    ("hstack", lambda x: torch.hstack([x, x]), "concat"),
    ("squeeze and excitation", lambda x: x * x.mean((2, 3), keepdim=True).sigmoid(), "Mean Sigmoid multiply"),
    ("expand_as", lambda x: x * F.adaptive_avg_pool2d(x, 1).expand_as(x), "AdaptiveAvgPool2d multiply"),
    ("view and expand", lambda x: x * x.mean((2, 3)).view(x.size(0), x.size(1), 1, 1).expand(x.shape),
     "Mean Unflatten multiply"),
    ("stack and sum", lambda x: torch.stack([x, F.relu(x)], dim=1).sum(dim=1), "ReLU Unflatten Unflatten concat Sum"),
    # Parts
    ("chunk", lambda x: x.chunk(2, dim=1), "split"),
    ("chunk and swap", lambda x: torch.cat(torch.chunk(x, 2, 1)[::-1], 1), "split concat"),
    ("split", lambda x: torch.split(x, 3, dim=1), "split"),
    ("split with sizes", lambda x: x.split([2, 6], 1), "split"),
    ("tensor_split", lambda x: x.tensor_split(3, dim=1), "split"),
    ("slices", lambda x: x[:, :3] + x[:, 5:], "Slice Slice add"),
    ("a slice from the end", lambda x: x[:, -2:], "Slice"),
    ("half of the channels", lambda x: x[:, : x.shape[1] // 2], "Slice"),
    ("a crop", lambda x: x[:, :, 1:-1, 1:-1], "Slice Slice"),
    ("a channel", lambda x: x[:, 0], "Slice Flatten"),
    ("narrow", lambda x: x.narrow(1, 2, 3), "Slice"),
    ("a whole slice", lambda x: x[:, :], ""),
    ("max over a dimension", lambda x: torch.max(x, 1, keepdim=True)[0], "Amax"),
    ("max over a dimension, by name", lambda x: x.max(dim=1, keepdim=True).values, "Amax"),
    # Shapes
    ("flatten", lambda x: torch.flatten(x, 1), "Flatten"),
    ("x.flatten", lambda x: x.flatten(start_dim=2), "Flatten"),
    ("view", lambda x: x.view(x.size(0), -1), "Flatten"),
    ("view without a batch", lambda x: x.view(-1, 8 * 6 * 6), "Flatten"),
    ("reshape", lambda x: x.reshape(len(x), x.shape[1], -1), "Flatten"),
    ("contiguous", lambda x: x.contiguous().clone(), ""),
    ("permute", lambda x: x.permute(0, 2, 3, 1), "Permute"),
    ("permute of a list", lambda x: torch.permute(x, [0, 2, 3, 1]), "Permute"),
    ("transpose", lambda x: x.flatten(2).transpose(1, 2), "Flatten Permute"),
    ("mean and new axes", lambda x: x.mean([2, 3])[:, :, None, None], "Mean Unflatten"),
    ("unsqueeze", lambda x: x.mean((-1, -2)).unsqueeze(-1).unsqueeze(-1), "Mean Unflatten"),
    ("squeeze", lambda x: F.adaptive_avg_pool2d(x, 1).squeeze(-1).squeeze(-1), "AdaptiveAvgPool2d Flatten"),
    ("squeeze and flatten", lambda x: F.adaptive_avg_pool2d(x, 1).view(x.shape[0], -1).flatten(1),
     "AdaptiveAvgPool2d Flatten"),
    ("channel shuffle", lambda x: x.view(x.shape[0], 2, x.shape[1] // 2, x.shape[2], x.shape[3]).transpose(1, 2)
     .contiguous().view(x.shape[0], -1, x.shape[2], x.shape[3]), "ChannelShuffle"),
    ("F.pixel_shuffle", lambda x: F.pixel_shuffle(x, 2), "PixelShuffle"),
    ("F.pixel_unshuffle", lambda x: F.pixel_unshuffle(x, 2), "PixelUnshuffle"),
    ("F.channel_shuffle", lambda x: F.channel_shuffle(x, 2), "ChannelShuffle"),
    ("repeat", lambda x: x.repeat(1, 2, 1, 1), "concat"),
    # Windows
    ("max_pool2d", lambda x: F.max_pool2d(x, 2), "MaxPool2d"),
    ("torch.max_pool2d", lambda x: torch.max_pool2d(x, 3, 2, 1), "MaxPool2d"),
    ("avg_pool2d", lambda x: F.avg_pool2d(x, kernel_size=3, stride=1, padding=1, count_include_pad=False), "AvgPool2d"),
    ("a whole average", lambda x: F.avg_pool2d(x, x.size()[2:]), "AvgPool2d"),
    ("lp_pool2d", lambda x: F.lp_pool2d(x.abs(), 2, 2), "Abs LPPool2d"),
    ("adaptive_avg_pool2d", lambda x: F.adaptive_avg_pool2d(x, (1, 1)), "AdaptiveAvgPool2d"),
    ("adaptive_max_pool2d", lambda x: F.adaptive_max_pool2d(x, 2), "AdaptiveMaxPool2d"),
    ("pad", lambda x: F.pad(x, (1, 1, 1, 1)), "ZeroPad2d"),
    ("pad one side", lambda x: F.pad(x, [0, 1]), "ZeroPad1d"),
    ("pad channels", lambda x: F.pad(x, (0, 0, 0, 0, 4, 4), "constant", 0), "ZeroPad3d"),
    ("pad with a value", lambda x: F.pad(x, (1, 1), value=2.0), "ConstantPad1d"),
    ("pad by reflection", lambda x: F.pad(x, (1, 2, 1, 0), mode="reflect"), "ReflectionPad2d"),
    ("pad by replication", lambda x: F.pad(x, (1, 1, 1, 1), "replicate"), "ReplicationPad2d"),
    ("pad around", lambda x: F.pad(x, (1, 1, 1, 1), mode="circular"), "CircularPad2d"),
    ("pad to a multiple of 4", lambda x: F.pad(x, (0, (4 - x.shape[-1] % 4) % 4)), "ZeroPad1d"),
    ("interpolate", lambda x: F.interpolate(x, scale_factor=2), "Upsample"),
    ("interpolate bilinear", lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True), "Upsample"),
    ("interpolate to a tensor", lambda x: F.interpolate(F.max_pool2d(x, 2), size=x.shape[-2:]), "MaxPool2d Upsample"),
    ("interpolate to a height and width", lambda x: F.interpolate(F.max_pool2d(x, 2), size=(x.size(2), x.size(3)),
     mode="bilinear", align_corners=False), "MaxPool2d Upsample"),
    # Reductions
    ("mean", lambda x: x.mean((2, 3)), "Mean"),
    ("torch.mean", lambda x: torch.mean(x, dim=[-2, -1], keepdim=True), "Mean"),
    ("sum", lambda x: x.sum(1, keepdim=True), "Sum"),
    ("amax", lambda x: x.amax(dim=(2, 3)), "Amax"),
    ("norm", lambda x: torch.norm(x, p=2, dim=(2, 3), keepdim=True), "Norm"),
    ("x.norm", lambda x: x.norm(dim=1, keepdim=True), "Norm"),
    ("vector_norm", lambda x: torch.linalg.vector_norm(x, dim=1), "Norm"),
    ("global response", lambda x: x * (g := x.norm(p=2, dim=(2, 3), keepdim=True)) / (g.mean(1, keepdim=True) + 1e-6),
     "Norm multiply Mean Add divide"),
    ("local_response_norm", lambda x: F.local_response_norm(x, 5), "LocalResponseNorm"),
    ("layer_norm", lambda x: F.layer_norm(x, x.shape[-1:]), "LayerNorm"),
    ("channels last", lambda x: F.layer_norm(x.permute(0, 2, 3, 1), (8,)).permute(0, 3, 1, 2), "LayerNorm2d"),
    ("instance_norm", lambda x: F.instance_norm(x), "InstanceNorm2d"),
    ("group_norm", lambda x: F.group_norm(x, 4), "GroupNorm"),
]  # fmt: skip
#: Forms that only fit the size at which they are tried.
SIZED = ("view without a batch", "layer_norm")


@pytest.mark.parametrize(("function", "wanted"), [form[1:] for form in FORMS], ids=[form[0] for form in FORMS])
def test_a_function(function: Callable[..., Any], wanted: str, request: pytest.FixtureRequest) -> None:
    sized = any(f"[{name}]" in request.node.name for name in SIZED)
    found = compare(Does(function), IMAGE, others=[IMAGE if sized else (8, 8, 10)])
    assert words(found) == wanted.split()


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_a_module_of_torch_is_its_layer(layer: type[Layer]) -> None:
    """Whatever arguments a class of torch is given, the module that it makes is read as a layer that makes an equal
    module."""
    if layer.defined_in:
        pytest.skip("its class is ours")
    tried = 0
    for case in one_of_each(cases(layer)):
        x = Shape((1, *case.sample))
        arguments = {name: value for name, value in case.arguments.items() if name not in layer.reads}
        try:
            layer.bind(arguments, x).output(x)
            module = _made(layer, arguments)
        except (Refused, TypeError, ValueError, RuntimeError):
            continue
        assert word_of(type(module)) == layer.__name__
        found = layer.bind(arguments_of(layer.__name__, module), x)
        assert _seen(_made(layer, found.settings)) == _seen(module), case
        tried += 1
    assert tried


def _made(layer: type[Layer], arguments: dict[str, Any]) -> nn.Module:
    with torch.device("meta"):
        return torch_class(layer)(**arguments)


def _seen(module: nn.Module) -> dict[str, Any]:
    """What torch keeps of the arguments, 3 for (3, 3), and the shapes of all tensors."""
    kept = {name: _one(value) for name, value in vars(module).items() if not name.startswith("_")}
    if kept.get("stride", ...) is None:  # the classes that keep None take the kernel's size then
        kept["stride"] = kept["kernel_size"]
    return kept | {name: tensor.shape for name, tensor in module.state_dict().items()}


def _one(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) and len({*value}) == 1 else value


# --- networks ------------------------------------------------------------------------------------

#: One of each family of torchvision, at a small size.
TORCHVISION = [
    "alexnet", "vgg11_bn", "resnet18", "resnext50_32x4d", "squeezenet1_1", "densenet121", "googlenet", "inception_v3",
    "mobilenet_v2", "mobilenet_v3_small", "mnasnet0_5", "shufflenet_v2_x0_5", "efficientnet_b0", "regnet_y_400mf",
    "convnext_tiny",
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", TORCHVISION)
def test_a_network_of_torchvision(name: str) -> None:
    import torchvision

    module = torchvision.models.get_model(name, weights=None)
    size = 75 if name == "inception_v3" else 64
    compare(module, (3, size, size), whole=name not in ("googlenet", "inception_v3"), others=[(3, size + 32, size)])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["deeplabv3_resnet50", "fcn_resnet50", "lraspp_mobilenet_v3_large"])
def test_a_segmentation(name: str) -> None:
    import torchvision

    module = torchvision.models.get_model(name, weights=None, weights_backbone=None, num_classes=5)
    compare(module, (3, 64, 64), others=[(3, 96, 64)])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["resnet18d", "resnet50_gn", "mobilenetv3_small_050", "ghostnet_050", "hrnet_w18_small", "convnext_atto", "convnextv2_atto", "res2net50_14w_8s", "skresnet18", "tf_efficientnet_lite0", "resnest14d", "regnetx_002", "repvgg_a0", "dla34", "cspresnet50", "selecsls42", "ese_vovnet19b_slim", "starnet_s1", "mixnet_s", "xception41"])
def test_a_network_of_timm(name: str) -> None:
    timm = pytest.importorskip("timm")
    compare(timm.create_model(name), (3, 64, 64), others=[(3, 96, 64)])
