"""What a module did is said in layers, merges and splits, which torch computes alike, bit by bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import torchvision.transforms.functional as TF
from emitting import torch_class
from layer_matrix import cases, one_of_each
from lifted import compare, lifted, words
from torch import Tensor, nn

from cnndsl.diagnostics import Code
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


def _padded_like(x: Tensor, other: Tensor) -> Tensor:
    rows, columns = other.size(2) - x.size(2), other.size(3) - x.size(3)
    return F.pad(x, [columns // 2, columns - columns // 2, rows // 2, rows - rows // 2])


def _cropped_like(x: Tensor, other: Tensor) -> Tensor:
    height, width = other.shape[2:]
    top, left = (x.shape[2] - height) // 2, (x.shape[3] - width) // 2
    return x[:, :, top : top + height, left : left + width]


def _pads_the_end(x: Tensor, other: Tensor) -> Tensor:
    return F.pad(x, [0, other.size(3) - x.size(3), 0, other.size(2) - x.size(2)])


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
    ("a third", lambda x: x / 3, "Multiply"),
    ("half", lambda x: x / 2, "Multiply"),
    ("squared", lambda x: x**2, "multiply"),
    ("a root", lambda x: torch.sqrt(x.abs() + 1), "Abs Add Pow"),
    ("rsqrt", lambda x: torch.rsqrt(x.abs() + 1), "Abs Add Pow"),
    ("cubed", lambda x: x**3, "Pow"),
    ("an inverse", lambda x: 1 / (x.abs() + 1), "Abs Add Pow"),
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
    ("permutes that undo each other", lambda x: F.relu(x).permute(0, 2, 3, 1).permute(0, 3, 1, 2), "ReLU"),
    ("features as a picture", lambda x: x.mean((2, 3)).view(x.size(0), 1, 2, x.size(1) // 2), "Mean Reshape"),
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
    ("the last column", lambda x: x[..., -1], "Slice Flatten"),
    ("padded to another size", lambda x: _padded_like(F.max_pool2d(x, 4), x), "MaxPool2d CenterCrop"),
    ("cropped to another size", lambda x: _cropped_like(x, F.max_pool2d(x, 4)), "MaxPool2d CenterCrop"),
    ("center_crop", lambda x: TF.center_crop(x, F.max_pool2d(x, 4).shape[2:]), "MaxPool2d CenterCrop"),
    ("narrow", lambda x: x.narrow(1, 2, 3), "Slice"),
    ("a whole slice", lambda x: x[:, :], ""),
    ("max over a dimension", lambda x: torch.max(x, 1, keepdim=True)[0], "Amax"),
    ("max over a dimension, by name", lambda x: x.max(dim=1, keepdim=True).values, "Amax"),
    ("every second pixel", lambda x: x[:, :, ::2, ::2], "Slice Slice"),
    ("every third row from the second on", lambda x: x[:, 2:, 1::3], "Slice Slice"),
    # Shapes
    ("x.data.size", lambda x: x.view(x.data.size()[0], -1), "Flatten"),
    ("repeat to an image", lambda x: x + x.mean((2, 3), keepdim=True).repeat(1, 1, x.size(2), x.size(3)),
     "Mean add"),
    ("expand to an image", lambda x: torch.cat([x, x.mean((2, 3), True).expand(-1, -1, x.size(2), x.size(3))], 1),
     "Mean Upsample concat"),
    ("expand_as to an image", lambda x: torch.cat([x, F.adaptive_avg_pool2d(x, 1).expand_as(x)], 1),
     "AdaptiveAvgPool2d Upsample concat"),
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
    ("interpolate corners", lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True),
     "Upsample"),
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
    rounding = "[a third]" in request.node.name
    found = compare(Does(function), IMAGE, others=[IMAGE if sized else (8, 8, 10)], rounding=rounding)
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

#: Networks of torchvision and of timm whose originals are quick, and others.
QUICK = [
    "torchvision:resnet18", "torchvision:squeezenet1_1", "torchvision:googlenet", "torchvision:mobilenet_v3_small",
    "torchvision:shufflenet_v2_x0_5", "torchvision:regnet_y_400mf", "timm:mobilenetv3_small_050", "timm:ghostnet_050",
    "timm:convnext_atto", "timm:convnextv2_atto", "timm:skresnet18", "timm:resnest14d", "timm:starnet_s1",
    "timm:tf_efficientnet_lite0",
]  # fmt: skip
SLOW = [
    "torchvision:alexnet", "torchvision:vgg11_bn", "torchvision:resnext50_32x4d", "torchvision:densenet121",
    "torchvision:inception_v3", "torchvision:mobilenet_v2", "torchvision:mnasnet0_5", "torchvision:efficientnet_b0",
    "torchvision:convnext_tiny", "torchvision:deeplabv3_resnet50", "torchvision:fcn_resnet50",
    "torchvision:lraspp_mobilenet_v3_large", "timm:resnet18d", "timm:resnet50_gn", "timm:hrnet_w18_small",
    "timm:res2net50_14w_8s", "timm:repvgg_a0", "timm:dla34", "timm:cspresnet50", "timm:selecsls42",
    "timm:ese_vovnet19b_slim", "timm:mixnet_s", "timm:xception41",
]  # fmt: skip


def network(name: str) -> nn.Module:
    package, _, model = name.partition(":")
    if package == "timm":
        timm = pytest.importorskip("timm")
        made: nn.Module = timm.create_model(model)
    else:
        import torchvision

        more = (
            {"weights_backbone": None} if torchvision.models.get_model_builder(model).__module__.count("segm") else {}
        )
        made = torchvision.models.get_model(model, weights=None, **more)
    return made


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_a_network(name: str) -> None:
    size = 75 if name == "torchvision:inception_v3" else 64
    whole = name not in ("torchvision:googlenet", "torchvision:inception_v3")  # their auxiliary heads do not run
    compare(network(name), (3, size, size), whole=whole, others=[(3, size + 32, size)])


# --- classes -------------------------------------------------------------------------------------


class LayerScale(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.rand(dim))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma.view(1, -1, 1, 1)


class NormAct(nn.BatchNorm2d):
    """As in timm: it is a batch normalisation, and holds an activation."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, self.training, self.momentum, self.eps
        )
        return self.act(x)


class SameConv(nn.Conv2d):
    """As TensorFlow pads."""

    def forward(self, x: Tensor) -> Tensor:
        sides: list[int] = []
        for size, kernel, stride in zip(x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1]):
            needed = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            sides += [needed // 2, needed - needed // 2]
        return F.conv2d(F.pad(x, sides), self.weight, self.bias, self.stride)


class Swish(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.silu(x)


class Same(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)
        self.norm = NormAct(8)
        self.same = Same()
        self.act = Swish()
        self.scale = LayerScale(8)
        self.shift = nn.Parameter(torch.rand(8, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.shift * self.scale(self.act(self.same(self.norm(self.conv(x)))))


def test_classes_that_hold_their_parameters_are_layers_of_the_module_around() -> None:
    found = compare(Residual(), IMAGE)
    names = [(node.word, node.name) for node in found.root.nodes]
    assert names == [
        ("Conv2d", "conv"), ("BatchNorm2d", "norm"), ("ReLU", ""), ("SiLU", "act"), ("Scale", "scale"),
        ("Scale", "shift"), ("add", ""),
    ]  # fmt: skip
    assert found.rename == {"scale.weight": "scale.gamma", "shift.weight": "shift"}


def test_names_that_are_alike_everywhere_are_one_pattern() -> None:
    found = compare(nn.Sequential(Residual(), Residual()), IMAGE)
    assert found.rename == {"**.scale.weight": "**.scale.gamma", "**.shift.weight": "**.shift"}


def test_a_chain_keeps_the_numbers_of_its_layers() -> None:
    """A class of two layers is a block there, and an identity is a layer."""
    found = compare(nn.Sequential(Same(), Swish(), NormAct(8), LayerScale(8), nn.Conv2d(8, 4, 1)), IMAGE)
    assert [(node.word, node.name) for node in found.root.nodes] == [
        ("Identity", "0"), ("SiLU", "1"), ("", "2"), ("Scale", "3"), ("Conv2d", "4"),
    ]  # fmt: skip
    assert found.rename["2.bn.weight"] == "2.weight"


def test_padding_that_follows_from_the_size_is_a_formula() -> None:
    from cnndsl.emit.source.expr import text

    found = compare(nn.Sequential(SameConv(8, 4, 3, stride=2)), IMAGE, others=[(8, 7, 9)])
    pad, conv = found.root.nodes[0].body.nodes
    assert (conv.word, conv.arguments) == ("Conv2d", {"out_channels": 4, "kernel_size": 3, "stride": 2})
    left, right, *_ = map(text, pad.arguments["padding"])
    assert "input.width" in left and "input.width" in right


class Several(nn.Module):
    """Functions with weights of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_weight, self.conv_bias = nn.Parameter(torch.rand(4, 8, 3, 3)), nn.Parameter(torch.rand(4))
        self.w = nn.Parameter(torch.rand(5, 4))
        self.slope = nn.Parameter(torch.rand(4))
        self.norm = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.prelu(F.conv2d(x, self.conv_weight, self.conv_bias, padding=1), self.slope)
        return F.linear(F.layer_norm(x.mean((2, 3)), (4,), self.norm.bias, None), self.w)


def test_functions_with_own_parameters_are_layers_called_after_them() -> None:
    found = compare(Several(), IMAGE, whole=False)
    assert [(node.word, node.name) for node in found.root.nodes if node.name] == [
        ("Conv2d", "conv"), ("PReLU", "slope"), ("LayerNorm", "norm.bias"), ("Linear", "w"),
    ]  # fmt: skip
    assert found.unused == ("norm.weight",)


class Kept(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(8, 8, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = x * 2
        y = self.body(x)
        return x + y


def test_what_a_module_changes_in_place_is_changed_for_the_one_around() -> None:
    compare(Kept(), IMAGE)


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.act = nn.Conv2d(8, 8, 1), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.conv(self.act(self.conv(x))))


def test_a_layer_that_runs_twice_is_reused() -> None:
    found = compare(Shared(), IMAGE)
    nodes = [(node.word, node.name, node.reuse) for node in found.root.nodes]
    assert nodes == [("Conv2d", "conv", False), ("ReLU", "act", False), ("Conv2d", "conv", True), ("ReLU", "act", True)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("norm", [
    nn.utils.parametrizations.weight_norm, nn.utils.parametrizations.spectral_norm, nn.utils.weight_norm,
    nn.utils.spectral_norm, lambda layer: nn.utils.weight_norm(layer, dim=None),
    lambda layer: nn.utils.parametrizations.spectral_norm(layer, n_power_iterations=2, eps=1e-6),
])  # fmt: skip
def test_a_parametrization(norm: Callable[..., nn.Module]) -> None:
    found = compare(nn.Sequential(norm(nn.Conv2d(8, 4, 3)), nn.Flatten(), norm(nn.Linear(64, 3))), IMAGE)
    assert all(node.options["parametrization"] for node in found.root.nodes if node.word != "Flatten")


class ChannelsFirst(nn.Module):
    """As in the first code of ConvNeXt."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.rand(8)), nn.Parameter(torch.rand(8))

    def forward(self, x: Tensor) -> Tensor:
        u = x.mean(1, keepdim=True)
        s = (x - u).pow(2).mean(1, keepdim=True)
        x = (x - u) / torch.sqrt(s + 1e-6)
        return self.weight[:, None, None] * x + self.bias[:, None, None]


def test_a_layer_norm_that_is_written_out() -> None:
    found = compare(nn.Sequential(ChannelsFirst().double()), IMAGE, rounding=True)
    assert [(node.word, node.name, node.arguments) for node in found.root.nodes] == [
        ("LayerNorm2d", "0", {"eps": 1e-6})
    ]
    assert not found.rename


class Blur(nn.Module):
    """As in timm: the filter is a buffer."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride
        row = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("filt", torch.outer(row, row).expand(8, 1, 4, 4).clone(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(F.pad(x, (1, 2, 1, 2), "reflect"), self.filt, stride=self.stride, groups=x.shape[1])


@pytest.mark.parametrize("stride", [1, 2])
def test_a_binomial_filter_is_means(stride: int) -> None:
    found = compare(Blur(stride).double(), IMAGE, others=[(8, 7, 9)], rounding=True)
    assert words(found) == ["ReflectionPad2d", "AvgPool2d", "AvgPool2d", "AvgPool2d"]


def test_another_filter_is_refused() -> None:
    module = Blur(2)
    module.filt[0, 0, 0, 0] = 1
    with pytest.raises(Unspeakable, match="no layer uses a buffer"):
        lifted(module.eval(), IMAGE)


def test_a_scale_starts_with_the_value_of_the_parameter() -> None:
    module = LayerScale(8)
    nn.init.constant_(module.gamma, 1e-6)
    (scale,) = compare(nn.Sequential(module), IMAGE).root.nodes
    assert scale.arguments == {"init": 1e-6}


class Star(nn.Module):
    """A factor and a shift of all channels, and one factor of shape ``(1, C, 1, 1)``."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 1)
        self.scale, self.bias = nn.Parameter(torch.rand(shape)), nn.Parameter(torch.rand(shape))
        self.gamma, self.one = nn.Parameter(torch.rand(1, 8, 1, 1)), nn.Parameter(torch.full(shape, 0.5))

    def forward(self, x: Tensor) -> Tensor:
        return self.gamma * (self.one * self.conv(self.scale * x + self.bias))


@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1), (1, 1, 1, 1)], ids=str)
def test_one_factor_of_all_channels(shape: tuple[int, ...]) -> None:
    found = compare(Star(*shape).double(), IMAGE, rounding=True)
    assert [(node.word, node.arguments) for node in found.root.nodes if node.word != "Conv2d"] == [
        ("Affine", {"num_features": 1}), ("Scale", {"num_channels": 1, "init": 0.5}), ("Scale", {}),
    ]  # fmt: skip


def test_weights_that_are_computed_from_parameters_are_refused() -> None:
    class Standardized(nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            return F.conv2d(x, self.weight - self.weight.mean((1, 2, 3), keepdim=True), self.bias)

    with pytest.raises(Unspeakable, match=r"takes a tensor that .* computes from parameters"):
        lifted(nn.Sequential(Standardized(8, 4, 3)).eval(), IMAGE)


def test_tied_weights_are_refused() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1)
            self.b.weight = self.a.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.b(self.a(x))

    with pytest.raises(Unspeakable, match=r"`a\.weight` and `b\.weight` are one parameter"):
        lifted(Tied().eval(), IMAGE)


# --- dropout -------------------------------------------------------------------------------------


class DropPath(nn.Module):
    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x
        kept = x.new_empty(x.shape[0], *[1] * (x.dim() - 1)).bernoulli_(1 - self.rate)
        return x * kept / (1 - self.rate)


class Drops(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.path, self.none = nn.Conv2d(8, 8, 1), DropPath(0.25), DropPath(0.0)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.none(self.path(self.conv(x)))
        return F.dropout2d(F.dropout(x, 0.3, self.training), p=0.4, training=self.training, inplace=True)


def test_what_is_dropped_in_training_is_a_layer() -> None:
    found = compare(Drops(), IMAGE)
    assert [(node.word, dict(node.arguments)) for node in found.root.nodes][1:] == [
        ("StochasticDepth", {"p": 0.25, "mode": "row"}), ("add", {}), ("Dropout", {"p": 0.3}),
        ("Dropout2d", {"p": 0.4, "inplace": True}),
    ]  # fmt: skip
    assert not found.warnings


# --- refusals ------------------------------------------------------------------------------------

#: Functions that no spec can say, and a part of the message.
REFUSED: list[tuple[Callable[..., Any], str]] = [
    (lambda x: x.mean(), "works on the batch"),
    (lambda x: torch.cat([x, x], 0), "works on the batch"),
    (lambda x: x.permute(1, 0, 2, 3), "works on the batch"),
    (lambda x: x.view(-1, 6, 6), "works on the batch"),
    (lambda x: _pads_the_end(F.max_pool2d(x, 2), x), "not that of a `CenterCrop` at every size"),
    (lambda x: x.exp(), "`Tensor.exp` is not an operation of the language"),
    (lambda x: x.detach() + x, "stops gradients"),
    (lambda x: x.flatten(2) @ x.flatten(2).transpose(1, 2), "as attention does"),
    (lambda x: F.scaled_dot_product_attention(x, x, x), "as attention does"),
    (lambda x: torch.addcmul(x, x, x, value=2), "with `value` is not a layer"),
    (lambda x: torch.addcmul(x, x, x), "of these tensors is not a layer"),
    (lambda x: F.dropout2d(x, 0.5, True), "drops values in evaluation too"),
    (lambda x: x * torch.ones(8, 1, 1), "`Tensor.mul` takes a tensor that `torch.ones` makes from no input"),
    (lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", antialias=True), "antialias"),
    (lambda x: F.dropout(x, 0.5), "drops values in evaluation too"),
    (
        lambda x: F.max_pool2d(x, 2).flatten(2).view(x.shape[0], 8, x.shape[2] // 2, x.shape[3] // 2),
        "the size of another tensor",
    ),
    (lambda x: x / x.shape[0], "a number that depends on the batch"),
]


@pytest.mark.parametrize(("function", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_a_refusal(function: Callable[..., Any], message: str) -> None:
    with pytest.raises(Unspeakable) as refused:
        lifted(Does(function).eval(), IMAGE)
    (refusal,) = refused.value.refusals
    assert message in refusal.message
    assert refusal.place is not None and refusal.place.file == __file__


def test_all_refusals_are_told_at_once() -> None:
    with pytest.raises(Unspeakable) as refused:
        lifted(Does(lambda x: (x.exp() + x.log(), x.sin())).eval(), IMAGE)
    assert [refusal.message.split("`")[1] for refusal in refused.value.refusals] == [
        "Tensor.exp",
        "Tensor.log",
        "Tensor.sin",
    ]


def test_a_module_of_two_modules_is_refused() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            conv = nn.Conv2d(8, 8, 1)
            self.a, self.b = nn.Sequential(conv, nn.ReLU()), nn.Sequential(conv, nn.Tanh())

        def forward(self, x: Tensor) -> Tensor:
            return self.a(x) + self.b(x)

    with pytest.raises(Unspeakable, match="called by two modules"):
        lifted(Two().eval(), IMAGE)


class TakenTwice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.conv.weight) + F.conv2d(x, self.conv.weight, self.conv.bias)


def test_a_weight_of_two_unlike_layers_is_refused() -> None:
    with pytest.raises(Unspeakable, match="is taken by two unlike layers") as refused:
        lifted(TakenTwice().eval(), IMAGE)
    (refusal,) = refused.value.refusals
    assert refusal.code == Code.STATE and refusal.place is not None and refusal.place.file == __file__


class Flagged(nn.Module):
    """Its own module does as it is told."""

    class Unit(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(8, 8, 1)

        def forward(self, x: Tensor, slope: float) -> Tensor:
            return F.leaky_relu(self.conv(x), slope) if slope else self.conv(x)

    def __init__(self, *slopes: float) -> None:
        super().__init__()
        self.unit, self.slopes = self.Unit(), slopes

    def forward(self, x: Tensor) -> Tensor:
        for slope in self.slopes:
            x = self.unit(x, slope)
        return x


@pytest.mark.parametrize("slopes", [(0.1, 0.2), (0.1, 0)])
def test_a_module_that_does_something_else_when_it_runs_again_is_refused(slopes: tuple[float, ...]) -> None:
    with pytest.raises(Unspeakable, match=r"`unit` .`Unit`. does other steps here") as refused:
        lifted(Flagged(*slopes).eval(), IMAGE)
    (refusal,) = refused.value.refusals
    assert refusal.code == Code.STATE and refusal.place is not None and refusal.place.file == __file__
    compare(Flagged(0.1, 0.1), IMAGE)


def test_a_module_that_is_called_elsewhere_is_refused() -> None:
    class Caller(nn.Module):
        def __init__(self, others: list[nn.Module]) -> None:
            super().__init__()
            self.others = others  # not its own: no `nn.ModuleList`

        def forward(self, x: Tensor) -> Tensor:
            return self.others[0](x)

    class Around(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Sequential(nn.Conv2d(8, 8, 1), nn.ReLU())
            self.caller = Caller([self.conv])

        def forward(self, x: Tensor) -> Tensor:
            return self.caller(x)

    with pytest.raises(Unspeakable, match="calls the module `conv`, which is not inside of it"):
        lifted(Around().eval(), IMAGE)
