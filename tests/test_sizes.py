"""The sizes that a network takes, compared with what torch's module takes and with what its windows reach."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import nn

import cnndsl
from cnndsl.cli import verb
from cnndsl.network import Network
from cnndsl.questions.pattern import Pattern, found_in
from cnndsl.questions.sizes_table import Axis

ARCHS = Path(__file__).parent.parent / "archs"

#: It computes with the size of its input, has a norm that needs more than one pixel, and axes of their own.
ODD = """
name: odd
input: [3, 37, 50]
network:
  - {Conv2d: [4, [3, 5], [2, 1]], when: $(input.height > 20)}
  - MaxPool2d: {kernel_size: 3, stride: 2, ceil_mode: true}
  - AvgPool2d: {kernel_size: [2, 3], stride: 2}
  - InstanceNorm2d
"""
#: Sizes are doubled and halved, and joined with what they were: only some fit.
CUT = """
name: cut
input: {a: [2, 24], b: [2, 24]}
network:
  - branch: [[], [from: b]]
  - {name: skip, Conv1d: [4, 3, 1, 1]}
  - Conv1d: {out_channels: 4, kernel_size: 4, stride: 3, padding: 1}
  - Upsample: {scale_factor: 3}
  - branch: [[], [from: skip]]
    merge: add
"""
#: Layers that need even sizes, enough of them, or multiples, and a norm over sizes.
PICKY = """
name: picky
input: [4, 24, 20]
network:
  - PixelUnshuffle: 2
  - GLU: 2
  - ReflectionPad2d: 2
  - {name: permuted, Permute: [0, 2, 3, 1]}
  - LayerNorm
  - Linear: 8
  - Permute: [0, 3, 1, 2]
  - Slice: {start: 0, stop: 7, dim: 3}
  - ConvTranspose2d: [3, 3, 2, 1]
  - Mean: {dim: 2, keepdim: true}
  - AdaptiveAvgPool2d: [1, null]
"""
OVER_SIZES = "input: [2, 6, 6]\nnetwork: [{Conv2d: [2, 3]}, {LayerNorm: {normalized_shape: [2, 4, 4]}}, {MaxPool2d: 2}]"
#: Signals of a fixed length: too long to try every size, and with a window that is the first to change far away.
AUDIO = "input: [1, 16000]\nnetwork: [Conv1d: [8, 9, 4], MaxPool1d: 4, Flatten, Linear: 3]"
FAR = "input: [1, {}]\nnetwork: [Conv1d: [2, 1, 700], Flatten, Linear: 3]"
VAST = "input: [1, {}]\nnetwork: [Conv1d: [2, 1, 4096], Conv1d: [2, 1, 50], Flatten, Linear: 3]"
#: Networks, and the sizes at which each is tried: all up to a bound, of three large ones those around the smallest.
NETWORKS: dict[str, tuple[Any, range]] = {
    "vgg11": (ARCHS / "torchvision/vgg11.yaml", range(1, 41)),
    "vgg11_flat": (ARCHS / "vgg11.yaml", range(1, 9)),
    "lenet": (ARCHS / "lenet.yaml", range(1, 61)),
    "unet": (ARCHS / "unet.yaml", range(1, 41)),
    "unet_valid": (ARCHS / "beyond/unet.yaml", range(1, 206)),
    "signal1d": (ARCHS / "beyond/signal1d.yaml", range(1, 13)),
    "volume3d": (ARCHS / "beyond/volume3d.yaml", range(86, 101)),
    "googlenet": (ARCHS / "torchvision/googlenet.yaml", range(1, 25)),
    "inception_v3": (ARCHS / "torchvision/inception_v3.yaml", range(73, 77)),
    "fpn": (ARCHS / "beyond/fpn_resnet50.yaml", range(27, 34)),
    "siamese": (ARCHS / "beyond/siamese.yaml", range(1, 121)),
    "odd": (cnndsl.Text(ODD), range(1, 61)),
    "picky": (cnndsl.Text(PICKY), range(1, 61)),
    "over_sizes": (cnndsl.Text(OVER_SIZES), range(1, 21)),
    "cut": (cnndsl.Text(CUT), range(1, 61)),
    "audio": (cnndsl.Text(AUDIO), range(15985, 16010)),
    "far": (cnndsl.Text(FAR.format(32)), range(690, 710)),
    "second": (cnndsl.Text(FAR.format(701)), range(1390, 1410)),
}


class Torch:
    """A network's module on the meta device, which has shapes but no values."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.inputs: list[tuple[nn.Module, torch.Size]] = []
        with torch.device("meta"):
            self.module = net.module().eval()
        for layer in self.module.modules():
            if hasattr(layer, "kernel_size") and not isinstance(layer, nn.modules.conv._ConvTransposeNd):
                layer.register_forward_hook(lambda layer, taken, made: self.inputs.append((layer, taken[0].shape)))

    def takes(self, axis: Axis, size: int) -> bool:
        """Whether the module runs on inputs of which an axis has another size."""
        self.inputs = []
        shapes = {name: list(tensor.shape) for name, tensor in self.net.graph.inputs.items()}
        for name in axis.inputs:
            shapes[name][dim_of(axis, len(shapes[name]))] = size
        try:
            self.module(*(torch.empty(shape, device="meta") for shape in shapes.values()))
        except (RuntimeError, ValueError):
            return False
        return True

    def loses(self, axis: Axis) -> bool:
        """Whether a window of the last run left the end of an axis of its input unread."""
        return any(missed(layer, shape, dim_of(axis, len(shape))) for layer, shape in self.inputs)


def dim_of(axis: Axis, rank: int) -> int:
    return {3: "NCL", 4: "NCHW", 5: "NCDHW"}[rank].index(axis.axis)


def missed(layer: nn.Module, shape: torch.Size, axis: int) -> bool:
    """Whether the last value along an axis has no influence on the output, though there are no gaps between windows:
    the gradient of a one-dimensional window of the same kind is 0 there."""

    def of(name: str, default: int) -> int:
        value = getattr(layer, name, default)
        return int(value[axis - 2] if isinstance(value, tuple) else value)

    kernel, dilation = of("kernel_size", 1), of("dilation", 1)
    stride = of("stride", kernel)
    if stride > dilation * (kernel - 1) + 1 or isinstance(getattr(layer, "padding", 0), str):
        return False
    window = (kernel, stride, of("padding", 0), dilation)
    return unread(shape[axis], *window, bool(getattr(layer, "ceil_mode", False)))


@cache
def unread(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil: bool) -> bool:
    x = torch.ones(1, 1, size, dtype=torch.float64, requires_grad=True)
    if ceil:
        assert dilation == 1
        y = nn.functional.avg_pool1d(x, kernel, stride, padding, ceil_mode=True)
    else:
        y = nn.functional.conv1d(x, torch.ones(1, 1, kernel, dtype=torch.float64), None, stride, padding, dilation)
    y.sum().backward()
    assert x.grad is not None
    return bool(x.grad[0, 0, -1] == 0)


@pytest.mark.parametrize("name", NETWORKS)
def test_torch_takes_exactly_these_sizes(name: str) -> None:
    spec, tried = NETWORKS[name]
    net = cnndsl.load(spec)
    found, module = cnndsl.sizes(net), Torch(net)
    seen: set[tuple[Pattern, Pattern]] = set()
    for axis in found.axes:
        if (axis.fitting, axis.lossless) in seen:  # as an axis that was tried
            continue
        seen.add((axis.fitting, axis.lossless))
        for size in tried:
            fits = module.takes(axis, size)
            assert fits == (size in axis.fitting), size
            assert not fits or module.loses(axis) != (size in axis.lossless), size
        assert module.takes(axis, axis.own) and (axis.lost is not None) == module.loses(axis)
        assert not axis.below or not module.takes(axis, axis.smallest - 1)


@pytest.mark.parametrize("name", ["vgg11", "odd", "volume3d"])
def test_the_smallest_input_is_the_smallest(name: str) -> None:
    """All axes at once: the instance norm of `odd` needs two pixels, in one axis or the other."""
    net = cnndsl.load(NETWORKS[name][0])
    found, module = cnndsl.sizes(net), Torch(net).module
    (shape,) = found.smallest.values()
    module(torch.empty(shape, device="meta"))
    for axis in found.axes:
        smaller = [size - (dim == dim_of(axis, len(shape))) for dim, size in enumerate(shape)]
        with pytest.raises((RuntimeError, ValueError)):
            module(torch.empty(smaller, device="meta"))


def test_a_linear_layer_after_flatten_fixes_the_size() -> None:
    found = cnndsl.sizes(ARCHS / "vgg11.yaml")
    (height, width) = found.axes
    assert (str(height.fitting), str(height.lossless), height.fixed) == ("224 to 255", "only 224", False)
    assert height.below and "`in_features` is 25088" in height.below.failure.message
    assert height.below.failure.place == "zoo:classic/vgg11:30:9"
    assert width.fitting == height.fitting
    assert all(axis.fixed for axis in cnndsl.sizes(ARCHS / "lenet.yaml").axes)


def test_inputs_that_only_fit_together_change_together() -> None:
    (axis,) = cnndsl.sizes(cnndsl.Text(CUT)).axes
    assert axis.inputs == ("a", "b") and str(axis.fitting) == "3*k from 3"


@pytest.mark.parametrize("kernels", [[[32, 31]], [[33, 35]], [[2, 3], [2, 1]], [[1, 1], [7, 9]]])
def test_axes_of_one_size_may_differ(kernels: list[list[int]]) -> None:
    """Alone, each is found as it is beside the other."""
    layers = [f"Conv2d: {{out_channels: 2, kernel_size: {kernel}, stride: [8, 8]}}" for kernel in kernels]
    both = cnndsl.sizes(cnndsl.loads(f"input: [1, 230, 230]\nnetwork: [{', '.join(layers)}]"))
    for side, axis in enumerate(both.axes):
        alone = [f"Conv1d: {{out_channels: 2, kernel_size: {kernel[side]}, stride: 8}}" for kernel in kernels]
        (signal,) = cnndsl.sizes(cnndsl.loads(f"input: [1, 230]\nnetwork: [{', '.join(alone)}]")).axes
        assert (axis.fitting, axis.lossless) == (signal.fitting, signal.lossless)


def test_a_spec_that_computes_with_its_input_is_said_to() -> None:
    assert cnndsl.sizes(cnndsl.Text(ODD)).computes
    assert not cnndsl.sizes(ARCHS / "unet.yaml").computes


def test_a_long_signal_is_searched_by_bisection() -> None:
    (axis,) = cnndsl.sizes(cnndsl.Text("input: [1, 4000000]\nnetwork: [Conv1d: [2, 80, 4], MaxPool1d: 4]")).axes
    assert axis.tried == 0 and axis.smallest == 92 and axis.below
    assert str(axis.lossless) == "16*k + 12 from 92"


@pytest.mark.parametrize(
    ("spec", "fits", "lossless", "above"),
    [
        (AUDIO, "15989 to 16004", "only 15989", 16005),
        (FAR.format(32), "1 to 700", "1 to 700", 701),
        (FAR.format(701), "701 to 1400", "701 to 1400", 1401),
        (FAR.format(700_001), "700001 to 700700", "700001 to 700700", 700701),
        (VAST.format(9000), "1 to 204800", "1 to 204800", 204801),
        (VAST.format(700_001), "614401 to 819200", "614401 to 819200", 819201),
    ],
)
def test_sizes_that_end_are_followed_to_their_end(spec: str, fits: str, lossless: str, above: int) -> None:
    (axis,) = cnndsl.sizes(cnndsl.Text(spec)).axes
    assert (str(axis.fitting), str(axis.lossless)) == (fits, lossless)
    assert axis.above and axis.above.size == above
    assert axis.below is None if axis.smallest == 1 else axis.below and axis.below.size == axis.smallest - 1


@pytest.mark.parametrize(
    "layers",
    [
        "Conv1d: [2, 5, 4, 2], MaxPool1d: 3, Flatten, Linear: 3",
        "Conv1d: [2, 5, 3], Conv1d: [2, 3, 3], AvgPool1d: 2, Flatten, Linear: 3",
        "Conv1d: [2, 7, 2, 3], MaxPool1d: {kernel_size: 3, stride: 2, padding: 1}, AdaptiveAvgPool1d: 1",
        "Conv1d: [2, 9, 4], MaxPool1d: 4",
    ],
)
def test_a_search_finds_what_trying_all_sizes_does(layers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net = cnndsl.loads(f"input: [1, 300]\nnetwork: [{layers}]")
    (whole,) = cnndsl.sizes(net).axes
    monkeypatch.setattr("cnndsl.questions.sizes._MOST", 400)
    (found,) = cnndsl.sizes(net).axes
    assert whole.tried and not found.tried
    for size in range(1, whole.tried + 1):
        assert (size in found.fitting, size in found.lossless) == (size in whole.fitting, size in whole.lossless)
    assert (found.below, found.above) == (whole.below, whole.above)


def test_a_search_says_nothing_of_sizes_without_a_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    pools = "MaxPool1d: {kernel_size: 3, stride: 5}, MaxPool1d: {kernel_size: 6, stride: 2, padding: 1}"
    monkeypatch.setattr("cnndsl.questions.sizes._MOST", 100)
    (axis,) = cnndsl.sizes(cnndsl.Text(f"input: [1, 166]\nnetwork: [{pools}, Conv1d: [2, 5, 4, 2]]")).axes
    assert axis.fitting.open and str(axis.lossless).endswith(", irregular")


def test_large_networks_are_bounded() -> None:
    """A few sizes of many layers are tried, and the answer is the same."""
    spec = "input: [1, 64, 64]\nnetwork: [{repeat: [{repeat: [ReLU], times: 1000}], times: 2}, MaxPool2d: 5]"
    height, _ = cnndsl.sizes(cnndsl.Text(spec)).axes
    assert height.tried == 0 and str(height.fitting) == "5 and more" and str(height.lossless) == "5*k from 5"


# --- patterns ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("holds", "text"),
    [
        (lambda n: True, "every size"),
        (lambda n: n >= 7, "7 and more"),
        (lambda n: n % 32 == 0, "32*k from 32"),
        (lambda n: n % 16 == 12 and n > 180, "16*k + 12 from 188"),
        (lambda n: n % 8 in (0, 5, 6, 7), "8*k - 3 to 8*k from 5"),
        (lambda n: n % 8 in (1, 4), "8*k + 1, 4 from 1"),
        (lambda n: n == 28 or (n % 16 == 3 and n > 40), "28 and 16*k + 3 from 51"),
        (lambda n: n in (28, 29, 30, 40), "28 to 30, 40"),
        (lambda n: False, "none"),
        (lambda n: n in (64, 81, 100, 121, 144, 169, 196), "64, 81, 100, 121, 144, 169 and 1 more"),
        (lambda n: int(n**0.5) ** 2 == n, "1, 4, 9, 16, 25, 36 and 15 more, irregular"),
    ],
)
def test_patterns(holds: Any, text: str) -> None:
    tried = [holds(size) for size in range(1, 456)]
    found = found_in(tried, 100)
    assert str(found) == text
    assert [size in found for size in range(1, 456)] == tried
    assert all(
        found.gap(size) == next((n for n in range(size + 1, 456) if not holds(n)), None) for size in range(1, 440)
    )
    assert found.smallest == next((size for size in range(1, 456) if holds(size)), None)


# --- the command ---------------------------------------------------------------------------------


def run(*arguments: object) -> Any:
    return CliRunner().invoke(verb("sizes"), [*map(str, arguments)])


def test_the_text_names_what_fails_and_where() -> None:
    result = run(ARCHS / "beyond/unet.yaml", "--format", "plain")
    assert "H, W   572  16*k + 12 from 188  all of them" in result.stdout
    assert "the smallest input is [1, 1, 188, 188]" in result.stdout
    assert "H = 187 fails: concat1, concat" in result.stdout and "(zoo:unet:27:9)" in result.stdout


def test_pixels_that_are_lost_at_the_size_of_the_spec() -> None:
    result = run(ARCHS / "torchvision/vgg11.yaml", "--set", "input=[3, 225, 224]", "--format", "plain")
    line = "H = 225: features.2, MaxPool2d, never sees the last row of its input [1, 64, 225, 224]"
    assert f"{line}; no pixels are lost at 224 and 256" in result.stdout


def test_the_text_says_of_which_input_and_what_was_tried() -> None:
    layers = [f"{{from: {name}}}, {{Conv2d: [4, 3]}}, Flatten, {{name: l{name}, Linear: 10}}" for name in "ab"]
    merge = "{branch: [[from: la], [from: lb]], merge: add}"
    text = f"input: {{a: [3, 32, 32], b: [3, 16, 16]}}\nnetwork: [{', '.join(layers)}, {merge}]"
    lines = repr(cnndsl.sizes(cnndsl.Text(text))).splitlines()
    for told in ("H of a = 31 fails", "H of a = 33 fails", "H of b = 15 fails", "H of b = 17 fails"):
        assert sum(line.startswith(told) for line in lines) == 1
    assert "H, W of a: all sizes up to 320 were tried" in lines
    unet = repr(cnndsl.sizes(ARCHS / "beyond/unet.yaml"))
    assert "H, W: all sizes up to 1400 were tried, and 8 larger ones, up to about 358400\n" in unet
    far = repr(cnndsl.sizes(cnndsl.Text(FAR.format(32))))
    assert "L: all sizes up to 320 were tried, and the end was found by bisection\n" in far
    audio = repr(cnndsl.sizes(cnndsl.Text(AUDIO)))
    assert (
        "L = 16000: 0, Conv1d, never sees the last 3 values of its input [1, 1, 16000]; no pixels are lost at 15989"
        in audio
    )
    assert "those around 16000 were tried, and the ends found by bisection" in audio


def test_json_is_the_same() -> None:
    found = json.loads(run(ARCHS / "beyond/unet.yaml", "--format", "json").stdout)
    assert found["smallest"] == {"x": [1, 1, 188, 188]}
    height = found["axes"][0]
    assert height["fitting"]["text"] == "16*k + 12 from 188" and height["below"]["size"] == 187
    assert (height["fitting"]["period"], height["fitting"]["remainders"]) == (16, [12])


def test_an_input_without_axes_and_a_spec_with_errors() -> None:
    assert "this is the only size" in repr(cnndsl.sizes(cnndsl.Text("input: [8]\nnetwork: [Linear: 2]")))
    with pytest.raises(cnndsl.SpecError):
        cnndsl.sizes(cnndsl.Text("input: [1, 4, 4]\nnetwork: [Conv2d: [2, 9]]"))
    assert run("none.yaml").exit_code == 2
