"""Receptive fields: against published ones, and against networks whose input is changed row by row."""

from __future__ import annotations

import sys
from collections import Counter
from fractions import Fraction
from types import FrameType

import pytest
import torch

import cnndsl
from cnndsl.graph.graph import Graph, Tensor
from cnndsl.measure.receptive import receptive_fields

#: Araujo, Norris and Sim, 2019: size and effective stride of the last feature map, by their formula.
PUBLISHED = {
    "torchvision/alexnet": ("features.12", 195, 32),
    "torchvision/vgg16": ("features.30", 212, 32),
    "torchvision/inception_v3": ("Mixed_7c", 1311, 32),
    "timm/inception_resnet_v2": ("conv2d_7b", 3039, 32),
    "timm/inception_v4": ("features.21", 2071, 32),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_fields_are_the_published_ones(name: str) -> None:
    path, size, jump = PUBLISHED[name]
    graph = cnndsl.load(f"zoo:{name}").graph
    (tensor,) = (item.outputs[0] for item in graph.root.everything if item.path == path)
    assert extents(graph, tensor) == [(size, jump), (size, jump)]


def extents(graph: Graph, tensor: Tensor) -> list[tuple[int | None, Fraction | None]]:
    (axes,) = receptive_fields(graph)[tensor].inputs.values()
    assert all(axis.known for axis in axes)
    return [(axis.size, axis.jump) for axis in axes]


#: Networks with one output, and the size of their input; large enough that a whole field fits in.
PROBED = {
    "chain": (60, "[Conv2d: [2, 3], ReLU, Conv2d: [2, 5, 2], BatchNorm2d, Conv2d: [2, 3]]"),
    "even kernels": (60, "[Conv2d: [2, 4], AvgPool2d: [2, 1], Conv2d: [2, 2, 2]]"),
    "axes of their own": (
        60,
        "[Conv2d: {out_channels: 2, kernel_size: [1, 5], stride: [2, 1], dilation: [1, 2]}, "
        "MaxPool2d: {kernel_size: [3, 1]}]",
    ),
    "dilation": (
        70,
        "[Conv2d: {out_channels: 2, kernel_size: 3, dilation: 4}, MaxPool2d: {kernel_size: 3, dilation: 2}]",
    ),
    "branches": (
        60,
        "[branch: [[Conv2d: [2, 1]], [Conv2d: [2, 3, 1, 1], Conv2d: [2, 3, 1, 1]], [MaxPool2d: [3, 1, 1]]], "
        "Conv2d: [1, 3]]",
    ),
    "branches that are shifted": (
        60,
        "[branch: [[ZeroPad2d: [4, 0, 4, 0], Conv2d: [2, 3]], [ZeroPad2d: [0, 4, 0, 4], Conv2d: [2, 3]]], "
        "Conv2d: [1, 2]]",
    ),
    "residuals with strides": (
        80,
        "[{repeat: [{residual: [Conv2d: [2, 3, 2, 1], Conv2d: [2, 3, 1, 1]], shortcut: [Conv2d: [2, 1, 2]]}], "
        "times: 3}]",
    ),
    "dense": (60, "[{dense: [Conv2d: [2, 3, 1, 1]], times: 3}, AvgPool2d: 2]"),
    "transposed": (40, "[Conv2d: [2, 3, 2], ConvTranspose2d: [2, 4, 2, 1], Conv2d: [2, 3]]"),
    "transposed with gaps": (
        40,
        "[ConvTranspose2d: {out_channels: 2, kernel_size: 2, stride: 3, dilation: 2}, Conv2d: [2, 3], Conv2d: [2, 2]]",
    ),
    "transposed, no smaller period": (
        40,
        "[ConvTranspose2d: {out_channels: 2, kernel_size: 3, stride: 3, dilation: 2, padding: 1}, Conv2d: [2, 2, 2]]",
    ),
    "nearest": (40, "[Conv2d: [2, 3, 2], Upsample: {scale_factor: 2}, Conv2d: [2, 4]]"),
    "nearest by one and a half": (40, "[Upsample: {scale_factor: 1.5}, Conv2d: [2, 4], Conv2d: [2, 2, 2]]"),
    "bilinear": (40, "[Conv2d: [2, 3, 2], Upsample: {scale_factor: 4, mode: bilinear}, Conv2d: [2, 3]]"),
    "bilinear to a size": (40, "[Upsample: {size: 60, mode: bilinear}, Conv2d: [2, 3]]"),
    "bilinear to corners": (41, "[Upsample: {size: 81, mode: bilinear, align_corners: true}, Conv2d: [2, 3]]"),
    "bicubic": (40, "[Upsample: {scale_factor: 2, mode: bicubic}, Conv2d: [2, 3]]"),
    "area": (36, "[Upsample: {size: 24, mode: area}, Conv2d: [2, 3]]"),
    "nearest to a size without a common factor": (39, "[Upsample: {size: 29}, Conv2d: [2, 4]]"),
    "bilinear to corners without a common factor": (
        20,
        "[Upsample: {size: 13, mode: bilinear, align_corners: true}, Conv2d: [2, 3]]",
    ),
    "area without a common factor": (39, "[Upsample: {size: 28, mode: area}, Conv2d: [2, 4]]"),
    "a part of a size": (39, "[Upsample: {size: 29}, {Slice: {start: 17, stop: 27, dim: 2}}, Conv2d: [2, 4]]"),
    "nearest-exact": (40, "[Upsample: {scale_factor: 3, mode: nearest-exact}, Conv2d: [2, 5]]"),
    "adaptive": (39, "[Conv2d: [2, 3, 1, 1], AdaptiveAvgPool2d: 6, Conv2d: [2, 2]]"),
    "shuffled pixels": (40, "[Conv2d: [8, 3, 1, 1], PixelShuffle: 2, Conv2d: [2, 4]]"),
    "unshuffled pixels": (40, "[PixelUnshuffle: 2, Conv2d: [2, 3]]"),
    "padded and cut": (
        50,
        "[ReflectionPad2d: 2, Conv2d: [2, 5, 2], {Slice: {start: 3, stop: 15, dim: 2}}, Conv2d: [2, 3]]",
    ),
    "a U": (
        64,
        "[{name: a, Conv2d: [2, 3, 1, 1]}, MaxPool2d: 2, {name: b, Conv2d: [2, 3, 1, 1]}, MaxPool2d: 2, "
        "Conv2d: [2, 3, 1, 1], ConvTranspose2d: [2, 2, 2], branch: [[], [from: b]], Conv2d: [2, 3, 1, 1], "
        "Upsample: {scale_factor: 2}, branch: [[], [from: a]], Conv2d: [2, 3, 1, 1]]",
    ),
    "channels last": (
        40,
        "[Conv2d: [2, 3, 2], Permute: [0, 2, 3, 1], Linear: 4, LayerNorm, Permute: [0, 3, 1, 2], Conv2d: [2, 3]]",
    ),
    "shuffled channels": (
        40,
        "[Conv2d: [4, 3], ChannelShuffle: 2, {branch: [[Conv2d: [2, 3, 1, 1]], []], split: true}]",
    ),
    "an extremum": (40, "[{branch: [[Conv2d: [2, 3, 1, 1]], [Conv2d: [2, 1]]], merge: maximum}]"),
}


@pytest.mark.parametrize("name", PROBED)
def test_fields_are_those_of_a_network_whose_input_is_changed(name: str) -> None:
    size, text = PROBED[name]
    net = cnndsl.loads(f"input: [2, {size}, {size}]\nnetwork: {text}")
    (tensor,) = net.graph.outputs.values()
    assert [extent for extent, _ in extents(net.graph, tensor)] == [probed(net, size, dim) for dim in (2, 3)]


#: Layers behind which each position sees the whole input, and whether positions are still laid out.
WHOLE = {
    "AdaptiveAvgPool2d: 1": False,
    "Mean: {dim: [2, 3], keepdim: true}": False,
    "{Softmax: 2}, {Softmax: 3}": True,
    "InstanceNorm2d": True,
    "GroupNorm: 1": True,
    "LayerNorm: {normalized_shape: [2, 18, 18]}": True,
    "{branch: [[], [AdaptiveAvgPool2d: 1, Conv2d: [2, 1], Sigmoid]], merge: multiply}, Conv2d: [2, 3]": True,
    "{branch: [[AdaptiveAvgPool2d: 1, Upsample: {size: 18}], []]}": True,
    "Flatten, Linear: 648, Unflatten: {dim: 1, unflattened_size: [2, 18, 18]}": False,
}


@pytest.mark.parametrize("last", WHOLE)
def test_layers_that_read_everything_see_the_whole_input(last: str) -> None:
    net = cnndsl.loads(f"input: [2, 20, 20]\nnetwork: [Conv2d: [2, 3], {last}]")
    (tensor,) = net.graph.outputs.values()
    assert extents(net.graph, tensor) == [(None, 1 if WHOLE[last] else None)] * 2
    assert [probed(net, 20, dim) for dim in (2, 3)] == [20, 20]


@pytest.mark.parametrize("last", [last for last in WHOLE if WHOLE[last]])
def test_strides_behind_what_sees_everything_are_those_of_the_network_without_it(last: str) -> None:
    def strides(*steps: str) -> list[Fraction | None]:
        then = "{Conv2d: {out_channels: 2, kernel_size: 3, stride: [2, 3]}}, {Upsample: {scale_factor: 5}}"
        net = cnndsl.loads(f"input: [2, 36, 36]\nnetwork: [{', '.join(('Conv2d: [2, 3, 2, 1]', *steps, then))}]")
        (tensor,) = net.graph.outputs.values()
        return [jump for _, jump in extents(net.graph, tensor)]

    assert strides(last) == strides() == [Fraction(4, 5), Fraction(6, 5)]


def probed(net: cnndsl.Network, size: int, dim: int) -> int:
    """The most rows of the input, from the first to the last, that a row of the output depends on.

    Gradients would do for all but maxima, of which they only see the largest value. So each row of the input is
    raised in turn, in a network with positive weights.
    """
    torch.manual_seed(0)
    module = net.module().double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(0.5, 1)
        x = torch.rand(1, *net.graph.root.input.shape[1:], dtype=torch.double) * 0.01
        changed = x.repeat(size, 1, 1, 1)
        for row in range(size):
            changed[row].select(dim - 1, row).add_(0.5 + torch.rand(x.shape[2], dtype=torch.double))
        differs = (module(changed) - module(x)).abs().amax([1, 5 - dim]) > 1e-9
    extents = []
    for output in differs.T:
        (rows,) = output.nonzero(as_tuple=True)
        extents.append(int(rows.max() - rows.min()) + 1 if len(rows) else 0)
    return max(extents)


def test_each_input_has_a_field_of_its_own() -> None:
    text = """
input: {left: [2, 30, 30], right: [2, 15, 15]}
network:
  - {name: a, Conv2d: [2, 3, 2, 1]}
  - {branch: [[], [{from: right}, {Conv2d: [2, 5, 1, 2]}]], merge: add}
"""
    graph = cnndsl.loads(text).graph
    (tensor,) = graph.outputs.values()
    found = {
        name: [(axis.size, axis.jump) for axis in axes] for name, axes in receptive_fields(graph)[tensor].inputs.items()
    }
    assert found == {"left": [(3, 2), (3, 2)], "right": [(5, 1), (5, 1)]}


def test_an_input_without_axes_has_none_in_a_field() -> None:
    graph = cnndsl.loads("input: [4]\nnetwork: [Linear: 3]").graph
    (tensor,) = graph.outputs.values()
    assert receptive_fields(graph)[tensor].inputs == {"x": ()}


def test_strides_below_one_are_fractions() -> None:
    graph = cnndsl.loads("input: [2, 9, 9]\nnetwork: [Upsample: {scale_factor: 3}]").graph
    (tensor,) = graph.outputs.values()
    assert extents(graph, tensor) == [(1, Fraction(1, 3))] * 2


def test_a_field_out_of_proportion_is_not_known() -> None:
    """Upsampling by numbers without a common factor gives patterns that repeat after their product."""
    graph = cnndsl.loads(
        "input: [1, 99]\nnetwork: [Upsample: 101, Upsample: {scale_factor: 1.01}, Upsample: 103]"
    ).graph
    (tensor,) = graph.outputs.values()
    (axis,) = receptive_fields(graph)[tensor].inputs["x"]
    assert not axis.known and not axis.whole and axis.size is None
    assert axis.jump == Fraction(99, 101) * Fraction(100, 101) * Fraction(102, 103)


def test_strides_out_of_proportion_are_not_known() -> None:
    """Each of these doubles the stride and, with much padding, keeps the size."""
    step = "{Conv1d: {out_channels: 1, kernel_size: 7, stride: 2, padding: 53}}"
    graph = cnndsl.loads(f"input: [1, 100]\nnetwork: [{{repeat: [{step}], times: 999}}]").graph
    found = [field.inputs["x"][0] for field in receptive_fields(graph).values()]
    assert found[20].jump == 2**20 and found[20].size == 6 * (2**20 - 1) + 1
    assert found[40].jump is None and not found[999].known


@pytest.mark.parametrize(
    "step",
    [
        "AdaptiveAvgPool1d: 999999",
        "Upsample: {size: 999999}",
        "ConvTranspose1d: {out_channels: 1, kernel_size: 999999, stride: 4095}",
        "Upsample: {size: 999999, mode: linear, align_corners: true}",
    ],
)
def test_sizes_of_millions_take_no_time(step: str) -> None:
    """What is visited is bounded, for the layer itself and for one that reads its output."""
    graph = cnndsl.loads(f"input: [1, 1000]\nnetwork: [{step}, Conv1d: [1, 3]]").graph
    calls = Counter[str]()

    def count(frame: FrameType, event: str, _: object) -> None:
        calls[frame.f_code.co_name] += event == "call"

    sys.setprofile(count)
    try:
        receptive_fields(graph)
    finally:
        sys.setprofile(None)
    assert calls.total() < 150_000
