"""The compact figure: what is one box, what is drawn once, where lines go, and that nothing of a network is missing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import geometry
import pytest

import cnndsl
from cnndsl.cli.draw import draw as draw_command
from cnndsl.emit.diagram import diagram, options
from cnndsl.emit.diagram.compact.measure import PAD
from cnndsl.emit.diagram.compact.sheet import panels
from cnndsl.emit.diagram.fonts import width
from cnndsl.emit.diagram.options import Options, UnknownPath
from cnndsl.emit.diagram.picture import Box, Picture, Point, Wire
from cnndsl.emit.diagram.themes import LIGHT, THEMES
from cnndsl.graph.graph import Graph
from cnndsl.zoo import specs

X = "\N{MULTIPLICATION SIGN}"


def load(text: str) -> Graph:
    return cnndsl.loads(f"name: net\n{text}").graph


def parts(spec: Graph | str, **options: Any) -> list[Picture]:
    """The trunk, the blocks, and the legend if there is one."""
    graph = load(spec) if isinstance(spec, str) else spec
    return [panel.picture for panel in panels(graph, Options(**options))]


def texts(picture: Picture, kind: str = "") -> list[str]:
    """What is written into the boxes, each as one line, from the top."""
    return [_text(box) for box in picture.boxes if box.lines and kind in ("", box.kind)]


def _text(box: Box) -> str:
    return " | ".join(line.text for line in box.lines)


def boxes(spec: Graph | str, **options: Any) -> list[str]:
    """The boxes of the trunk but those of inputs and outputs."""
    trunk = parts(spec, **options)[0]
    return [_text(box) for box in trunk.boxes if box.lines and box.kind != "end"]


def labels(picture: Picture) -> list[str]:
    return [text.line.text for text in picture.texts]


def box(picture: Picture, text: str) -> Box:
    (found,) = [each for each in picture.boxes if text in _text(each)]
    return found


def layers(text: str) -> list[str]:
    return boxes(f"input: [4, 16, 16]\nnetwork: {text}")


def resnet() -> Graph:
    return cnndsl.load("archs/resnet18.yaml").graph


# --- what is one box -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "chain, expected",
    {
        "[Conv2d: [8, 3, 2, 1], BatchNorm2d: , ReLU: ]": [f"Conv2d 8, 3{X}3 /2 · BN · ReLU"],
        "[Conv2d: [8, 1], Conv2d: [8, 1], ReLU: ]": [f"Conv2d 8, 1{X}1", f"Conv2d 8, 1{X}1 · ReLU"],
        "[BatchNorm2d: , ReLU: , Conv2d: [8, 1], BatchNorm2d: , Conv2d: [2, 1]]": [
            f"BN · ReLU · Conv2d 8, 1{X}1", f"BN · Conv2d 2, 1{X}1",
        ],
        "[Conv2d: [8, 1], ReLU: , MaxPool2d: 2, BatchNorm2d: ]": [
            f"Conv2d 8, 1{X}1 · ReLU", f"MaxPool2d 2{X}2 /2", "BN",
        ],
        "[Conv2d: [8, 1], Flatten: , Linear: 9, ReLU: , Dropout: 0.3, Linear: 3]": [
            f"Conv2d 8, 1{X}1", "Flatten · Linear 9 · ReLU · Dropout 0.3", "Linear 3",
        ],
        "[ZeroPad2d: 1, Conv2d: [8, 3], GroupNorm: 4]": [f"ZeroPad2d 1 · Conv2d 8, 3{X}3 · GN 4"],
        "[Conv2d: [8, 1], Flatten: 2]": [f"Conv2d 8, 1{X}1 · Flatten"],
        "[Conv2d: [8, 3, 1, 1, 1, 4]]": [f"Conv2d 8, 3{X}3, depthwise"],
        "[Conv2d: [8, 3, 1, 2, 2, 2]]": [f"Conv2d 8, 3{X}3, dilation 2, groups 2"],
        "[Conv2d: [8, 3, [1, 2], 0]]": [f"Conv2d 8, 3{X}3, stride [1, 2]"],
        "[Conv2d: [8, 3, 1, 2]]": [f"Conv2d 8, 3{X}3, padding 2"],
        "[ConvTranspose2d: [8, 2, 2]]": [f"ConvTranspose2d 8, 2{X}2 ↑2"],
        "[Upsample: {scale_factor: 2, mode: bilinear}]": ["Upsample bilinear ↑2"],
    }.items(),
)  # fmt: skip
def test_layers_that_papers_draw_as_one_are_one_box(chain: str, expected: list[str]) -> None:
    assert layers(chain) == expected


def test_what_says_little_is_written_only_on_request() -> None:
    text = "input: [4, 8, 8]\nnetwork: [Conv2d: {out_channels: 4, kernel_size: 3, padding: 1, bias: false}, "
    text += "BatchNorm2d: {eps: 0.1}, ReLU: {inplace: true}]"
    assert boxes(text) == [f"Conv2d 4, 3{X}3 · BN · ReLU"]
    (told,) = boxes(text, verbose=True)
    for part in ("padding 1", "bias false", "BatchNorm2d eps 0.1", "ReLU inplace true"):
        assert part in told.replace(" | ", " ")


def test_a_tensor_that_something_else_takes_ends_its_box() -> None:
    text = "input: [4, 8, 8]\nnetwork:\n- {name: conv, Conv2d: [4, 1]}\n- ReLU\n- branch: [[], [from: conv]]\n"
    assert boxes(text) == [f"Conv2d 4, 1{X}1", "ReLU", "concat"]
    outputs = "input: [4, 8, 8]\nnetwork: [{name: a, Conv2d: [4, 1]}, {name: b, ReLU: }]\noutputs: [a, b]"
    assert boxes(outputs) == [f"Conv2d 4, 1{X}1", "ReLU"]


def test_a_merge_of_one_tensor_is_not_drawn() -> None:
    """A branch with one arm, as loops over scales have."""
    text = "input: [4, 8, 8]\nnetwork:\n- branch: [[Conv2d: [4, 1]]]\n  merge: add\n- ReLU\n- MaxPool2d: 2"
    assert boxes(text) == [f"Conv2d 4, 1{X}1 · ReLU", f"MaxPool2d 2{X}2 /2"]
    assert len(parts(text)[0].wires) == 3


def test_equal_neighbours_are_drawn_once_and_others_are_not() -> None:
    text = "input: [4, 8, 8]\nnetwork:\n- repeat: [Conv2d: [$n, 3, 1, 1], ReLU: ]\n  for: n\n  in: [8, 8, 8, 4]"
    assert boxes(text) == [f"Conv2d 8, 3{X}3 · ReLU  {X}3", f"Conv2d 4, 3{X}3 · ReLU"]
    assert len(boxes(text, fold=False)) == 4


def test_only_the_channels_of_blocks_in_a_run_may_differ() -> None:
    graph = cnndsl.load("archs/googlenet.yaml").graph
    trunk, inception, legend = parts(graph)
    runs = [re.split(r" \| ", text)[0] for text in texts(trunk, "module")]
    assert runs == [f"Inception 256 … 480  {X}2", f"Inception 512 … 832  {X}5", f"Inception 832 … 1024  {X}2"]
    assert any("c2[0]" in text for text in texts(inception))  # what the spec has for a number that differs
    assert [text for text in labels(legend) if text.startswith("256 … 480")]
    # A block that makes the picture smaller is drawn by itself.
    assert not any(X in text.split("|")[0] for text in boxes(SMALL))


SMALL = """
input: [4, 32, 32]
blocks:
  Block(channels, stride=1):
    - residual:
        - {name: conv, Conv2d: {out_channels: $channels, kernel_size: 3, stride: $stride, padding: 1}}
        - ReLU
        - Conv2d: {out_channels: $channels, kernel_size: 3, padding: 1}
      shortcut:
        - {when: $(stride != 1), name: down, Conv2d: {out_channels: $channels, kernel_size: 1, stride: $stride}}
network: [Block: [8, 2], Block: [16, 2], Block: [16], Flatten: , Linear: 3]
"""


# --- blocks --------------------------------------------------------------------------------------


def test_each_distinct_block_is_drawn_once_beside_the_trunk() -> None:
    trunk, same, down, legend = parts(resnet())
    assert texts(trunk) == [
        "input",
        f"Conv2d 64, 7{X}7 /2 · BN · ReLU",
        f"MaxPool2d 3{X}3 /2",
        f"BasicBlock (a) 64  {X}2 | 1.0–1 · 148 k params · 462 M MACs",  # noqa: RUF001
        "BasicBlock (b) 128 /2 | 2.0 · 230 k params · 180 M MACs",
        "BasicBlock (a) 128 | 2.1 · 296 k params · 231 M MACs",
        "BasicBlock (b) 256 /2 | 3.0 · 919 k params · 180 M MACs",
        "BasicBlock (a) 256 | 3.1 · 1.18 M params · 231 M MACs",
        "BasicBlock (b) 512 /2 | 4.0 · 3.67 M params · 180 M MACs",
        "BasicBlock (a) 512 | 4.1 · 4.72 M params · 231 M MACs",
        f"AdaptiveAvgPool2d 1{X}1",
        "Flatten · Linear 10",
        "output",
    ]
    assert texts(same) == [f"Conv2d channels, 3{X}3 · BN · ReLU", f"Conv2d channels, 3{X}3 · BN", "+", "ReLU"]
    assert f"Conv2d channels, 1{X}1 /2" in texts(down)
    assert [labels(picture)[-1] for picture in (same, down)] == [
        "BasicBlock (a) (channels, stride)", "BasicBlock (b) (channels, stride)",
    ]  # fmt: skip
    assert labels(legend)[0].startswith(f"{X}2")


def test_blocks_within_blocks_have_drawings_of_their_own() -> None:
    trunk, *blocks = parts(cnndsl.load("zoo:efficientnet_b0").graph)
    titles = [" ".join(labels(picture)[-1].split(" (")[:2]) for picture in blocks[:-1]]
    assert sorted(titles) == ["MBConv a)", "MBConv b)", "MBConv c)", "SqueezeExcitation squeezed, act, gate)"]
    assert not any("Squeeze" in text for text in texts(trunk))


def test_a_wrapper_is_no_level() -> None:
    text = "input: [4, 8, 8]\nblocks: {B(): [sequential: [Conv2d: [4, 1], MaxPool2d: 2]]}\nnetwork:\n"
    lone = text + "- {name: features, sequential: [{name: b, B: }]}\n"
    assert len(parts(lone)) == 1 and boxes(lone) == [
        f"Conv2d 4, 1{X}1", f"MaxPool2d 2{X}2 /2",
    ]  # fmt: skip
    named = parts("input: [4]\nnetwork:\n- {name: features, sequential: [Linear: 4, ReLU: , Linear: 2]}\n- Sigmoid")[0]
    assert "features" in labels(named) and len(named.strokes) == 1


def test_a_block_that_is_one_box_is_that_box() -> None:
    text = "input: [4, 8, 8]\nblocks: {ConvBn(n): [Conv2d: [$n, 1], BatchNorm2d: , ReLU: ]}\nnetwork:\n"
    assert boxes(text + "- ConvBn: 4\n- ConvBn: 4\n- ConvBn: 8") == [
        f"Conv2d 4, 1{X}1 · BN · ReLU  {X}2", f"Conv2d 8, 1{X}1 · BN · ReLU",
    ]  # fmt: skip


def test_depth_closes_what_is_deeper() -> None:
    (one,) = parts(cnndsl.load("zoo:torchvision/resnet18").graph, depth=1)
    assert texts(one, "module")[0] == f"2 {X} Block | layer1 · 148 k params · 462 M MACs"
    drawn = [
        sum(box.kind == "panel" for part in parts(resnet(), depth=depth) for box in part.boxes) for depth in (2, 3)
    ]
    assert drawn == [0, 2]


def test_a_module_can_be_opened_in_place() -> None:
    graph = cnndsl.load("zoo:torchvision/resnet18").graph
    opened = boxes(graph, expand=("layer2.0",))
    assert f"Conv2d 128, 1{X}1 /2 · BN" in opened and "+" in opened
    assert sum("Block" in text for text in opened) == 6
    assert sum("Block" in text for text in boxes(graph, expand=("layer1.1",))) == 7  # no run any more
    with pytest.raises(UnknownPath, match=r"`layer2.9`.*did you mean `layer2.0`"):
        diagram(graph, expand=["layer2.9"])


def test_weights_used_again_share_a_drawing_and_are_said_to_be() -> None:
    trunk, tower = parts(cnndsl.load("zoo:siamese").graph)
    assert texts(trunk, "module") == ["Tower | 38.9 M params · 909 M MACs", "Tower | the same weights again"]
    assert f"Conv2d 64, 10{X}10 · ReLU" in texts(tower)


USES = [
    ("Conv2d: {out_channels: 4, kernel_size: 3, padding: 1, stride: $m}", "1", "2", f"Conv2d 4, 3{X}3 /1 or /2"),
    ("Conv2d: {out_channels: 4, kernel_size: 3, padding: $m, dilation: $m}", "1", "2", "dilation 1 or 2"),
    ("Conv2d: {out_channels: 4, kernel_size: 3, padding: $m}", "1", "0", "padding 0 or 1"),
    ("Conv2d: {out_channels: 4, kernel_size: 3, groups: $m}", "1", "2", "groups 1 or 2"),
    ("Conv2d: {out_channels: 4, kernel_size: 3, bias: $m}", "true", "false", "bias false or true"),
    ("Conv2d: {out_channels: 4, kernel_size: 3, padding: 1, padding_mode: $m}", "zeros", "reflect", "reflect or zeros"),
    ("BatchNorm2d: {momentum: $m}", "0.1", "0.01", "momentum 0.01 or 0.1"),
    ("BatchNorm2d: {affine: $m}", "true", "false", "affine false or true"),
    ("Upsample: {scale_factor: 2, mode: $m}", "nearest", "bilinear", "bilinear or nearest"),
    ("{Conv2d: [4, 1], parametrization: $m}", "{m: null}", "weight_norm", "parametrization none or weight_norm"),
    ("branch: [[], []]\n      merge: concat\n      dim: $m", "1", "2", "concat, dim 1 or 2"),
]


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("step, default, other, expected", USES)
def test_a_panel_tells_in_what_its_uses_differ(
    step: str, default: str, other: str, expected: str, turned: bool, verbose: bool
) -> None:
    """Whatever the first use has, also a default of torch."""
    uses = [other, default] if turned else [default, other]
    text = "input: [4, 16, 16]\nblocks:\n  B(m):\n    - " + step + "\n    - MaxPool2d: [3, 1, 1]\nnetwork:\n"
    found = parts(text + "\n".join(f"- branch: [[B: {use}]]\n  merge: add" for use in uses), verbose=verbose)
    panel = " ".join(texts(found[1]))
    if verbose and "stride" in step:
        expected = "stride 1 or 2"
    assert expected in panel.replace(" | ", " ")


def test_the_zoo_tells_a_resnet_from_its_dilated_twin() -> None:
    plain = [text for part in parts(cnndsl.load("zoo:resnet50").graph)[1:] for text in texts(part)]
    assert f"Conv2d inner, 3{X}3 /1 or /2 · BN · ReLU" in plain and f"Conv2d inner, 1{X}1 · BN · ReLU" in plain
    dilated = [text for part in parts(cnndsl.load("zoo:deeplabv3_resnet50").graph)[1:] for text in texts(part)]
    assert any("dilation 1 or 2 or 4" in text for text in dilated)


def test_uses_that_share_a_panel_can_be_told_apart() -> None:
    text = "input: [4, 16, 16]\nblocks: {B(m): [residual: [Conv2d: [4, 3, 1, 1], STEP]]}\nnetwork: [B: ONE, B: TWO]"
    for step, one, two in (
        ("Multiply: $m", "0.1", "0.5"),
        ("LeakyReLU: $m", "0.1", "0.2"),
        ("{Conv2d: {out_channels: 4, kernel_size: 3, padding: 1, padding_mode: $m}}", "zeros", "reflect"),
        ("{Conv2d: {out_channels: 4, kernel_size: 1, groups: $m}}", "1", "2"),
    ):
        found = boxes(text.replace("STEP", step).replace("ONE", one).replace("TWO", two))
        assert [box.partition(" |")[0] for box in found] == [f"B {one}", f"B {two}"]
    layers = text.replace("STEP", "$m").replace("ONE", "{m: {LeakyReLU: 0.1}}").replace("TWO", "{m: {LeakyReLU: 0.3}}")
    assert [box.partition(" |")[0] for box in boxes(layers)] == ["B LeakyReLU 0.1", "B LeakyReLU 0.3"]
    mobile = texts(parts(cnndsl.load("zoo:mobilenet_v3_large").graph)[0], "module")
    assert all(re.match(r"InvertedResidual \(\w\) [35],", box) for box in mobile)


def test_lines_break_between_arguments_only() -> None:
    long = "Conv2d: {out_channels: 4, kernel_size: 3, padding: [1, 2], dilation: [1, 2], padding_mode: circular}"
    (told,) = boxes("input: [4, 16, 16]\nnetwork:\n- " + long, verbose=True)
    assert told.split(" | ") == [f"Conv2d 4, 3{X}3, padding [1, 2],", "dilation [1, 2], padding_mode circular"]
    (wide,) = boxes("input: [4, 2, 2]\nnetwork: [Unflatten: [1, [" + "1, " * 60 + "4]]]")
    assert len(wide.split(" | ")) > 2  # a list that is longer than a line


def test_many_decimals_are_rounded() -> None:
    found = [text for part in parts(cnndsl.load("zoo:efficientnet_b7").graph)[1:] for text in texts(part)]
    assert "StochasticDepth 0.00364 … 0.0109" in found


# --- lines ---------------------------------------------------------------------------------------


def wires(picture: Picture, tail: str = "", head: str = "") -> list[Wire]:
    return [wire for wire in picture.wires if tail in wire.tail and head in wire.head]


def test_straight_chains_are_straight() -> None:
    trunk = parts(cnndsl.load("archs/vgg11.yaml").graph)[0]
    assert len({x for wire in trunk.wires for x, _ in wire.points}) == 1
    assert len({box.x for box in trunk.boxes}) == 1


def test_skips_are_lines_beside_the_trunk_that_end_in_the_merge() -> None:
    same, down = parts(resnet())[1:3]
    (skip,) = [wire for wire in same.wires if wire.skip]
    merge = box(same, "+")
    assert skip.points[-1] == (merge.x + merge.width / 2, merge.y)
    assert max(x for x, _ in skip.points) > max(each.x + each.width / 2 for each in same.boxes if each.kind == "layer")
    assert [wire.skip for wire in wires(down, head="downsample") + wires(down, tail="downsample")] == [True, True]


def test_branches_are_side_by_side_and_their_merge_is_below_all() -> None:
    (picture,) = parts(cnndsl.load("archs/inception.yaml").graph)
    first = [
        box(picture, text) for text in (f"Conv2d 64, 1{X}1", f"Conv2d 96, 1{X}1", f"Conv2d 16, 1{X}1", "MaxPool2d")
    ]
    assert len({each.y for each in first}) == 1
    assert [each.x for each in first] == sorted({each.x for each in first})
    concat = box(picture, "concat")
    ends = [wire.points[-1][0] for wire in picture.wires if wire.head == concat.id]
    assert len(ends) == 4 and all(abs(x - concat.x) < concat.width / 2 for x in ends)


@pytest.mark.parametrize("rankdir", ["TB", "RL"])
@pytest.mark.parametrize("name", ["dpn68", "hrnet_w18_small", "yolov8n", "dla34", "inception_v4", "unetplusplus"])
def test_every_line_leads_from_its_box_to_its_box(name: str, rankdir: str) -> None:
    """It starts at its box, or on another line from there."""
    for picture in parts(cnndsl.load(f"zoo:{name}").graph, rankdir=rankdir):
        of = {each.id: each for each in picture.boxes}
        for wire in picture.wires:
            others = [each for each in picture.wires if each.tail == wire.tail and each is not wire]
            assert _touches(of[wire.tail], wire.points[0]) or any(_lies_on(wire.points[0], each) for each in others)
            assert _touches(of[wire.head], wire.points[-1]), wire
            for (x0, y0), (x1, y1) in pairwise(wire.points):  # along the flow, or across it
                assert min(abs(x1 - x0), abs(y1 - y0)) < 0.01


def _touches(box: Box, point: Point) -> bool:
    x, y = abs(point[0] - box.x), abs(point[1] - box.y)
    return x <= box.width / 2 + 0.1 and y <= box.height / 2 + 0.1


def _lies_on(point: Point, wire: Wire) -> bool:
    return any(
        min(one[0], two[0]) - 0.1 <= point[0] <= max(one[0], two[0]) + 0.1
        and min(one[1], two[1]) - 0.1 <= point[1] <= max(one[1], two[1]) + 0.1
        for one, two in pairwise(wire.points)
    )


def test_long_connections_are_lanes_that_do_not_cross() -> None:
    (picture,) = parts(cnndsl.load("archs/unet.yaml").graph)
    lanes = [wire for wire in picture.wires if wire.skip]
    assert len(lanes) == 3
    at = [(max(x for x, _ in lane.points), lane.points[0][1]) for lane in lanes]
    assert [y for _, y in sorted(at, reverse=True)] == sorted(y for _, y in at)  # the first outermost


def test_independent_chains_are_side_by_side() -> None:
    trunk = parts(cnndsl.load("zoo:siamese").graph)[0]
    towers = [each for each in trunk.boxes if each.kind == "module"]
    assert towers[0].y == towers[1].y and towers[0].x != towers[1].x
    orders = {text.line.text: text.x for text in trunk.texts if " role" in text.id}
    assert orders.keys() == {"1", "2"} and orders["1"] < orders["2"]  # of a subtraction


def test_outputs_that_are_not_last_are_beside_their_boxes() -> None:
    text = "input: [4]\nnetwork: [{name: a, Linear: 4}, {name: b, Linear: 2}]\noutputs: [a, b]"
    (picture,) = parts(text)
    ends = {_text(each): each for each in picture.boxes if each.kind == "end"}
    assert ends.keys() == {"input", "a  4", "b"}
    assert ends["a  4"].y == box(picture, "Linear 4").y and ends["b"].x == box(picture, "Linear 2").x
    assert {wire.tail for wire in wires(picture, head="output")} == {"a", "b"}


def test_a_shape_is_written_where_it_changes() -> None:
    text = "input: [4, 8, 8]\nnetwork: [Conv2d: [4, 1], MaxPool2d: 2, Conv2d: [4, 1]]"
    assert labels(parts(text)[0]) == [f"4{X}8{X}8", f"4{X}4{X}4"]
    assert labels(parts(text, verbose=True)[0]) == [f"4{X}8{X}8", f"4{X}8{X}8", f"4{X}4{X}4", f"4{X}4{X}4"]
    assert labels(parts(text, show_shapes=False)[0]) == []


def test_the_flow_turns() -> None:
    for rankdir, axis, sign in (("TB", 1, 1), ("BT", 1, -1), ("LR", 0, 1), ("RL", 0, -1)):
        picture = parts(cnndsl.load("archs/lenet.yaml").graph, rankdir=rankdir)[0]
        places = [(each.x, each.y)[axis] * sign for each in picture.boxes if each.kind != "fork"]
        assert places == sorted(places)
        assert len({(each.y, each.x)[axis] for each in picture.boxes}) == 1


PYRAMID = """
input: {rgb: [3, 64, 64], depth: [1, 64, 64]}
blocks:
  Backbone:
    outputs: [c2, c3, c4]
    steps: [{name: c2, Conv2d: [8, 3, 1, 1]}, {name: c3, Conv2d: [16, 3, 2, 1]}, {name: c4, Conv2d: [32, 3, 2, 1]}]
  Fuse:
    inputs: [a, b]
    steps: [branch: [[], [from: b]], Conv2d: [4, 1]]
  Head:
    inputs: [p, q]
    steps: [branch: [[AvgPool2d: 2], [from: q]]]
network:
  - {name: bb, Backbone: }
  - {from: depth}
  - {name: db, Backbone: }
  - {name: f2, Fuse: , inputs: [db.c2, bb.c2]}
  - {name: f3, Head: , inputs: [bb.c3, bb.c4]}
outputs: [f2, f3, db.c3]
"""


def carried(picture: Picture, tail: str = "") -> set[tuple[str, str, str, str]]:
    """What lines lead where: tail, label, head and role, those that part at a dot included."""
    before = {wire.head: wire.tail for wire in picture.wires if "fork" in wire.head}
    lines = [(before.get(w.tail, w.tail), w.label, w.head, w.role) for w in picture.wires if w.head not in before]
    return {line for line in lines if line[0].startswith(tail) and (line[1] or line[3])}


@pytest.mark.parametrize("rankdir", ["TB", "LR"])
def test_lines_say_which_output_leads_to_which_input(rankdir: str) -> None:
    trunk = parts(PYRAMID, rankdir=rankdir)[0]
    assert carried(trunk, "bb") == {
        ("bb", f"c2  8{X}64{X}64", "f2", "b"),
        ("bb", "c3, c4", "f3", "p, q"),
    }
    assert carried(trunk, "db") == {("db", f"c2  8{X}64{X}64", "f2", "a")}
    assert Counter(labels(trunk)) >= Counter([f"c2  8{X}64{X}64"] * 2 + ["c3, c4", "p, q", "a", "b"])
    starts = {wire.points[0] for wire in trunk.wires if wire.tail.startswith("bb")}
    assert len(starts) == 2  # different tensors on different lines
    assert not geometry.faults(geometry.read(diagram(load(PYRAMID), rankdir=rankdir).svg()), letters=6)


def test_names_of_several_tensors_are_in_the_order_of_the_inputs() -> None:
    ((_, label, _, role),) = carried(parts(cnndsl.load("zoo:unetplusplus").graph)[0], "encoder")
    assert label == "layer4, layer3, layer2, layer1, relu" and role == "x0_0, x1_0, x2_0, x3_0, x4_0"


def test_the_order_of_inputs_can_be_seen() -> None:
    text = (
        "input: {a: [4], b: [4]}\nblocks: {T: {inputs: [p, q], steps: [branch: [[Linear: 4], [from: q]], Linear: 4]}}\n"
    )
    text += "network: [{name: t, T: , inputs: [ONE, TWO]}, Linear: 2]"
    for one, two in ("ab", "ba"):
        found = carried(parts(text.replace("ONE", one).replace("TWO", two))[0])
        assert {(tail, role) for tail, _, head, role in found if head == "t"} == {
            (f"input {one}", "p"), (f"input {two}", "q"),
        }  # fmt: skip
    twice = carried(parts(text.replace("ONE", "a").replace("TWO", "a"))[0])
    assert {(tail, role) for tail, _, head, role in twice if head == "t"} == {("input a", "p, q")}
    (detect,) = [line for line in carried(parts(cnndsl.load("zoo:yolov8n").graph)[0]) if line[3] == "p5"]
    assert detect[0] == "model.21"


@pytest.mark.parametrize("rankdir", ["TB", "LR"])
@pytest.mark.parametrize("merge", ["subtract", "divide"])
def test_numbers_of_operands_are_apart(merge: str, rankdir: str) -> None:
    """Also if both lines come from above, or cross."""
    text = "input: {a: [4, 8, 8], b: [4, 8, 8]}\nnetwork:\n- {name: c, branch: [[from: b], [from: a]], merge: MERGE}\n"
    text += "- {from: a}\n- {name: d, Conv2d: [4, 3, 1, 1]}\n- {branch: [[from: c], [from: d], ], merge: MERGE}"
    text = text.replace("MERGE", merge)
    assert not geometry.faults(geometry.read(diagram(load(text), rankdir=rankdir).svg()), letters=6)
    assert Counter(text.line.text for text in parts(text, rankdir=rankdir)[0].texts if "role" in text.id) == {
        "1": 2, "2": 2,
    }  # fmt: skip


def test_arrows_end_on_the_circle_of_a_merge() -> None:
    text = "input: {a: [4], b: [4]}\nnetwork:\n- {name: d, Linear: 4}\n- {from: b}\n- {name: e, Linear: 4}\n"
    text += "- {branch: [[], [from: d]], merge: add}\n- {name: s}\noutputs: [s, e]"
    (picture,) = parts(text)
    merge = box(picture, "+")
    ends = [wire.points[-1] for wire in picture.wires if wire.head == merge.id]
    assert len(ends) == 2 and any(abs(y - merge.y) > 1 for _, y in ends)  # the output is beside one of them
    for x, y in ends:
        assert ((x - merge.x) ** 2 + (y - merge.y) ** 2) ** 0.5 == pytest.approx(merge.width / 2, abs=0.01)


def test_parts_of_a_split_have_their_own_shapes() -> None:
    """Also where they differ, and their lines go through no text."""
    graph = cnndsl.load("zoo:mixnet_s").graph
    assert not geometry.faults(geometry.read(diagram(graph, verbose=True).svg()), letters=6)
    split = "input: [6, 8, 8]\nnetwork:\n- branch: [[Conv2d: [4, 1]], [Conv2d: [4, 1]]]\n  split: [4, 2]"
    assert {f"4{X}8{X}8", f"2{X}8{X}8"} <= {*labels(parts(split)[0])}


def test_every_output_has_its_shape() -> None:
    text = "input: [4]\nnetwork: [{name: a, Linear: 4}, {name: b, Linear: 2}]\noutputs: [a, b]"
    (picture,) = parts(text)
    assert {"a  4", "b"} <= {_text(each) for each in picture.boxes} and "2" in labels(picture)
    assert "a" in {_text(each) for each in parts(text, show_shapes=False)[0].boxes}
    dense = "input: [4, 8, 8]\nnetwork: [{dense: [Conv2d: [2, 3, 1, 1]], times: 3}, Conv2d: [4, 1]]"
    assert f"6 … 10{X}8{X}8" in labels(parts(dense)[0])


def test_costs_in_brackets_are_those_of_all_rounds() -> None:
    text = "input: [4, 8, 8]\nblocks: {U: [Conv2d: [4, 3, 1, 1], {residual: [Conv2d: [4, 1]]}]}\nnetwork:\n"
    text += "- repeat: [sequential: [U: , U: , MaxPool2d: [3, 1, 1]]]\n  times: 3"
    params = cnndsl.loads(f"name: net\n{text}").cost.params
    (told,) = [each for each in boxes(text) if each.startswith("U")]
    assert told.startswith(f"U  {X}2 | 0.0 … 2.1 · {params / 1000:.2f} k params")
    assert "all rounds" in " ".join(labels(parts(text)[-1]))


def test_brackets_keep_the_names_of_what_they_hold() -> None:
    text = "input: [4, 8, 8]\nblocks: {U: [residual: [Conv2d: [4, 3, 1, 1]]]}\nnetwork:\n"
    text += "".join(f"- {{name: {name}, sequential: [U: , U: ]}}\n" for name in ("first", "second"))
    assert f"first … second {X}2" in labels(parts(text)[0])
    opened = parts(cnndsl.load("zoo:torchvision/resnet18").graph, expand=("layer2.0",))[0]
    assert {"layer2", "layer2.0"} <= {*labels(opened)}


# --- nothing is missing --------------------------------------------------------------------------

FAMILIES = ["resnet50", "densenet121", "efficientnet_b0", "googlenet_aux", "hrnet_w18_small", "yolov8n", "unetplusplus",
            "retinanet_resnet50_fpn", "deeplabv3_resnet50", "res2net50_26w_4s", "skresnet18", "dla34"]  # fmt: skip


@pytest.mark.parametrize("name", FAMILIES)
def test_every_layer_is_in_one_box(name: str) -> None:
    root = cnndsl.load(f"zoo:{name}").graph.root
    layers = [
        each for picture in parts(cnndsl.load(f"zoo:{name}").graph) for each in picture.boxes if each.kind == "layer"
    ]
    drawn = Counter(path for each in layers for path in each.paths)
    made, again = ({layer.path for layer in root.layers if layer.reuse is reuse} for reuse in (False, True))
    assert made <= drawn.keys()
    assert {path for path, count in drawn.items() if count > 1} <= again


@pytest.mark.parametrize("name", ["resnet50", "googlenet_aux", "yolov8n", "efficientnet_b0"])
def test_the_boxes_of_the_trunk_cost_what_the_network_costs(name: str) -> None:
    net = cnndsl.load(f"zoo:{name}")
    cost = {module.path: module.cost for module in net.graph.root.modules if not module.reuse}
    cost |= {layer.path: layer.cost for layer in net.graph.root.layers if not layer.reuse}
    inside = [path for each in parts(net.graph)[0].boxes for path in each.paths if path in cost]
    assert sum(cost[path].params for path in inside) == net.cost.params
    assert sum(cost[path].macs for path in inside) == net.cost.macs


def test_names_are_those_of_the_state_dict() -> None:
    """Those in a block are without the path of the block."""
    net = cnndsl.load("zoo:torchvision/resnet18")
    trunk, *blocks = parts(net.graph, names=True)
    tensors = {name.rpartition(".")[0] for name in net.module().state_dict()}

    def written(picture: Picture) -> set[str]:
        ends = [text.rpartition(" | ")[2] for text in texts(picture, "layer")]
        return {name for end in ends for name in end.split(", ") if re.fullmatch(r"[a-z][a-z_.0-9]+", name)}

    assert written(trunk) == {"conv1", "bn1", "fc"} <= tensors
    first, *others = [f"layer{block}." for block in ("1.0", "2.0")]
    assert {first + name for name in written(blocks[0])} == {name for name in tensors if name.startswith(first)}
    assert {others[0] + name for name in written(blocks[1])} == {name for name in tensors if name.startswith(others[0])}


# --- colours -------------------------------------------------------------------------------------


@pytest.mark.parametrize("color", ["params", "macs", "memory"])
def test_colours_are_shares_of_the_most_expensive_box(color: str) -> None:
    *drawn, legend = parts(resnet(), color=color)
    shares = {each.paths: each.share for picture in drawn for each in picture.boxes if each.share is not None}
    assert max(shares.values()) == 1.0
    if color != "memory":
        cost = {each.path: getattr(each.cost, color) for each in resnet().root.everything}
        total = {paths: sum(cost[path] for path in paths) for paths in shares}
        most = max(total.values())
        assert shares == pytest.approx({paths: whole / most for paths, whole in total.items()})
    assert [each.kind for each in legend.boxes] == ["swatch"] * 6
    assert any(text.startswith("0 … ") for text in labels(legend))


def test_themes_change_colours_and_nothing_else() -> None:
    graph = resnet()
    plain = {re.sub(r' (fill|stroke)="[^"]*"', "", diagram(graph, theme=name).svg()) for name in THEMES}
    assert len(plain) == 1
    used = set(re.findall(r'(?:fill|stroke)="(#\w+|black|white)"', diagram(graph, theme="print").svg()))
    assert all(color in ("black", "white") or len({color[1:3], color[3:5], color[5:7]}) == 1 for color in used)


def test_marks_colour_boxes_and_what_they_are_in() -> None:
    graph = load("input: [4]\nnetwork: [{name: a, Linear: 4}, {name: b, Linear: 4}, {name: c, ReLU: }]")
    (picture, legend) = parts(graph, marks={"a": "added"})
    assert [each.mark for each in picture.boxes if each.kind == "layer"] == ["added", ""]
    assert labels(legend) == ["added"]
    assert LIGHT.marks["added"][0].lower() in diagram(graph, marks={"a": "added"}).svg()
    inside = {_text(each)[:14]: each.mark for each in parts(resnet(), marks={"2.0.conv1": "moved"})[0].boxes}
    assert inside["BasicBlock (b)"] == "changed" and inside["BasicBlock (a)"] == ""
    same = "input: [4]\nnetwork:\n- repeat: [Linear: 4]\n  times: 3"
    assert boxes(same) == [f"Linear 4  {X}3"]
    assert boxes(same, marks={"1": "changed"}) == ["Linear 4"] * 3


# --- any spec ------------------------------------------------------------------------------------


def test_any_text_comes_out_as_it_is() -> None:
    text = 'input: [4]\ndescription: "</svg> <b>& \\\\G {x}\\n"\nnetwork: [Linear: 4]'
    svg = diagram(load(text)).svg()
    assert "&lt;/svg&gt; &lt;b&gt;&amp; \\G {x}" in svg and svg.count("</svg>") == 1
    assert not geometry.faults(geometry.read(svg))


MANY_LAYERS = """
input: [8, 2, 2]
network:
- repeat:
  - repeat: [Conv2d: [$(1 + (7 * i + j) % 9), 1], ReLU: ]
    for: j
    in: $(range(100))
  for: i
  in: $(range(40))
"""
MANY_BRANCHES = """
input: [4]
network:
- branch:
  - for: j
    in: $(range(900))
    steps: [Linear: $(1 + j % 7)]
"""
DEEP = "input: [4]\nnetwork:\n- " + "sequential: [{" * 25 + "Linear: 4" + "}, ReLU: , Linear: 4]" * 25


@pytest.mark.parametrize("text", [MANY_LAYERS, MANY_BRANCHES, DEEP], ids=["layers", "branches", "deep"])
def test_a_large_network_gives_a_coarser_figure(text: str) -> None:
    picture = parts(text)[0]
    assert 0 < len(picture.boxes) < 2_000


def test_the_same_graph_gives_the_same_bytes() -> None:
    code = """
import cnndsl, hashlib
for form in ("svg", "pdf", "dot"):
    print(hashlib.sha256(cnndsl.load("zoo:yolov8n").diagram().pipe(form)).hexdigest())
"""
    environments = [{**os.environ, "PYTHONHASHSEED": seed} for seed in "17"]
    runs = [
        subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True) for env in environments
    ]
    assert len({run.stdout for run in runs}) == 1 and len(runs[0].stdout.split()) == 3


def test_texts_have_room_in_every_font_of_readers() -> None:
    """Widths of Helvetica are those of Liberation Sans; DejaVu Sans is wider, by less than the room that is kept."""
    from matplotlib import font_manager
    from matplotlib.ft2font import FT2Font

    for weight, bold in (("normal", False), ("bold", True)):
        font = FT2Font(font_manager.findfont(f"DejaVu Sans:{weight}"))
        font.set_size(100, 72)
        for text in ("Conv2d 64, 3x3 /2 · BN · ReLU", "BasicBlock (a) 128", "AdaptiveAvgPool2d", "inception4a params"):
            font.set_text(text)
            room = 2 * PAD * (10 / 100)
            assert font.get_width_height()[0] / 64 / 10 <= width(text, 10, bold) + room, text


@pytest.mark.parametrize("spec", [name for name in specs() if name.startswith("classic/")])
def test_classic_networks_have_no_line_through_a_text(spec: str) -> None:
    for rankdir in ("TB", "LR"):
        svg = diagram(cnndsl.load(f"zoo:{spec}").graph, rankdir=rankdir).pipe("svg", encoding="utf-8")
        assert geometry.faults(geometry.read(svg), letters=6) == []


# --- the command ---------------------------------------------------------------------------------


def test_the_options_of_the_command_are_those_of_python() -> None:
    given = {option.name: option for option in draw_command.params}
    for name, kind in options.CHOICES.items():
        assert tuple(given[name].type.choices) == get_args(kind)
    assert set(Options.__struct_fields__) - {"marks"} <= given.keys()


def test_the_command_draws_and_explains_what_it_cannot(tmp_path: Path) -> None:
    from click.testing import CliRunner

    given = ["zoo:torchvision/resnet18", "-o", str(tmp_path / "net.svg"), "--theme", "dark", "--expand"]
    done = CliRunner().invoke(draw_command, [*given, "layer1.0"])
    assert done.exit_code == 0 and THEMES["dark"].paper.lower() in (tmp_path / "net.svg").read_text()
    refused = CliRunner().invoke(draw_command, [*given, "layr1.0"])
    assert refused.exit_code == 2 and "did you mean `layer1.0`?" in refused.output
