"""The diagram: what is drawn, that any text comes out as it is, and that nothing else is needed."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
import warnings
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import graphviz
import pygraphviz
import pytest
from msgspec.structs import replace

import cnndsl
from cnndsl.emit import diagram as styles
from cnndsl.emit.diagram import Diagram, NoFonts, Shrunk, TooLarge, render
from cnndsl.emit.diagram.layers.figure import MAX_NODES, plan
from cnndsl.emit.diagram.themes import LIGHT
from cnndsl.graph.graph import Apply, Body, Graph, Merge, Module, walk
from cnndsl.layers import LAYERS

X = "\N{MULTIPLICATION SIGN}"
SVG = "{http://www.w3.org/2000/svg}"


@dataclass
class Drawn:
    """A diagram as its SVG shows it."""

    svg: str
    nodes: dict[str, list[str]] = field(default_factory=dict)
    clusters: dict[str, list[str]] = field(default_factory=dict)
    edges: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    colors: dict[tuple[str, str], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for group in ElementTree.fromstring(self.svg).iter(f"{SVG}g"):
            title = group.findtext(f"{SVG}title") or ""
            lines = ["".join(text.itertext()).strip("\u00a0") for text in group.findall(f"{SVG}text")]
            if group.get("class") == "node":
                self.nodes[title] = lines
            elif group.get("class") == "cluster":
                self.clusters[title.removeprefix("cluster ")] = lines
            elif group.get("class") == "edge":
                tail, head = title.split("->")
                self.edges[tail, head] = lines
                self.colors[tail, head] = str(group.find(f"{SVG}path").get("stroke"))  # type: ignore[union-attr]
        self.title = [
            "".join(text.itertext()) for text in ElementTree.fromstring(self.svg).findall(f"{SVG}g/{SVG}text")
        ]

    @cached_property
    def texts(self) -> list[str]:
        return ["".join(text.itertext()) for text in ElementTree.fromstring(self.svg).iter(f"{SVG}text")]

    def kinds(self) -> Counter[str]:
        """How many nodes have which first line; forks have none."""
        return Counter(lines[0] for lines in self.nodes.values() if lines)

    def size(self) -> tuple[float, float]:
        root = ElementTree.fromstring(self.svg)
        return float(root.get("width", "").removesuffix("pt")), float(root.get("height", "").removesuffix("pt"))


def load(text: str) -> Graph:
    return cnndsl.loads(f"name: net\n{text}").graph


def diagram(graph: Graph, **options: Any) -> Diagram:
    """The style of these tests; tests/test_compact.py has those of the other."""
    return styles.diagram(graph, style="layers", **options)


def draw(text: str, **options: Any) -> Drawn:
    return Drawn(diagram(load(text), **options).pipe("svg", encoding="utf-8"))


CHAIN = """
input: [3, 16, 16]
network:
  - {name: conv, Conv2d: {out_channels: 8, kernel_size: [3, 5], stride: 2, bias: false}}
  - BatchNorm2d
  - {name: pool, MaxPool2d: 2}
  - Flatten
  - {name: head, Linear: 10}
"""

# --- nodes, clusters, edges ----------------------------------------------------------------------


def test_a_chain() -> None:
    drawn = draw(CHAIN)
    assert list(drawn.nodes.values()) == [
        ["input"],
        ["Conv2d", f"8, 3{X}5, stride 2, bias false"],
        ["BatchNorm2d"],
        ["MaxPool2d", f"2{X}2"],
        ["Flatten"],
        ["Linear", "10"],
        ["output"],
    ]
    assert list(drawn.edges.values()) == [
        [f"3{X}16{X}16"],
        [f"8{X}7{X}6"],
        [f"8{X}7{X}6"],
        [f"8{X}3{X}3"],
        ["72"],
        ["10"],
    ]
    assert list(drawn.edges)[1] == ("conv", "1")
    assert drawn.title == ["net"]


def test_the_sides_of_a_padding_are_not_those_of_a_window() -> None:
    drawn = draw("input: [3, 16, 16]\nnetwork: [ZeroPad2d: -4, ZeroPad2d: [1, 2, 3, 4], AvgPool2d: 2]")
    assert list(drawn.nodes.values())[1:-1] == [
        ["ZeroPad2d", "-4"],
        ["ZeroPad2d", "[1, 2, 3, 4]"],
        ["AvgPool2d", f"2{X}2"],
    ]


def test_shapes_can_be_left_out() -> None:
    drawn = draw(CHAIN, show_shapes=False)
    assert len(drawn.edges) == 6
    assert not any(drawn.edges.values())


#: A module that returns two tensors, one of which it also uses itself, in a network that does the same.
PORTS = """
input: [3, 8, 8]
blocks:
  Backbone:
    outputs: [c2, c3]
    steps: [{name: c2, Conv2d: [4, 1]}, {name: c3, Conv2d: [4, 2, 2]}]
network:
  - {name: body, Backbone: }
  - {name: up, Upsample: {scale_factor: 2}}
  - branch: [[], [from: body.c2]]
outputs: [up, body.c3]
"""


@pytest.mark.parametrize("depth", [1, 2])
def test_an_edge_out_of_a_module_with_several_outputs_has_the_name_of_the_output(depth: int) -> None:
    drawn = draw(PORTS, depth=depth)
    c2, c3 = ("body", "body") if depth == 1 else ("body.c2", "body.c3")
    assert drawn.edges[c3, "up"] == drawn.edges[c3, "output c3"] == [f"c3\u00a04{X}4{X}4"]
    assert drawn.edges[c2, "concat1"] == [f"c2\u00a04{X}8{X}8"]
    assert drawn.edges["up", "concat1"] == drawn.edges["up", "output up"] == [f"4{X}8{X}8"]
    assert depth == 1 or drawn.edges[c2, c3] == [f"4{X}8{X}8"]
    assert draw(PORTS, depth=depth, show_shapes=False).edges[c2, "concat1"] == ["c2"]


def test_equal_modules_with_several_outputs_are_folded_and_their_last_outputs_have_names() -> None:
    drawn = draw(
        """
input: [3, 16, 16]
blocks:
  Exchange:
    inputs: [high, low]
    outputs: [up, down]
    steps: [{from: low}, {name: down, Conv2d: [3, 1]}, {from: high}, {name: up, Conv2d: [3, 1]}]
network:
  - {name: low, MaxPool2d: 2}
  - {name: m0, Exchange: , inputs: [input, low]}
  - repeat: [{name: m$(i + 1), Exchange: , inputs: [m$(i).up, m$(i).down]}]
    for: i
    in: $(range(3))
outputs: [m3.up, m3.down]
""",
        depth=1,
    )
    assert drawn.nodes["m0"][0] == f"m0 \u2026 m3 {X}4"
    assert drawn.edges["m0", "output up"] == [f"up\u00a03{X}16{X}16"]
    assert drawn.edges["m0", "output down"] == [f"down\u00a03{X}8{X}8"]


def test_a_source_in_brackets_is_on_one_line() -> None:
    drawn = draw("description: Feature pyramid network on ResNet-50 (Lin et al., 2017)\n" + CHAIN.lstrip())
    assert drawn.title == ["net", "Feature pyramid network on ResNet-50", "(Lin et al., 2017)"]


def test_a_tensor_of_which_only_the_size_is_read_has_a_dashed_line_without_a_shape() -> None:
    drawn = draw("input: [3, 8, 8]\nnetwork: [{name: low, Conv2d: [4, 1, 2]}, {name: up, Upsample: {like: input}}]")
    assert drawn.edges["input x", "up"] == [] and drawn.edges["low", "up"] == [f"4{X}4{X}4"]
    dashed = re.search(r"<title>input x&#45;&gt;up</title>\n<path[^>]*stroke-dasharray", drawn.svg)
    assert dashed and drawn.svg.count("stroke-dasharray") == 1


def test_every_family_of_layers_has_a_colour_or_is_grey() -> None:
    grey = {layer.family for layer in LAYERS.values()} - LIGHT.families.keys()
    assert grey <= {"dropout", "shape"}
    assert len(set(LIGHT.families.values())) == len(LIGHT.families)
    svg = draw(CHAIN).svg
    for family in ("convolution", "normalization", "pooling", "linear"):
        assert f'fill="{LIGHT.families[family][0].lower()}"' in svg
    assert LIGHT.families["activation"][0].lower() not in svg


RESIDUAL = """
input: [4, 8, 8]
blocks:
  Block(channels):
    - residual:
        - {name: conv, Conv2d: {out_channels: $channels, kernel_size: 3, padding: 1}}
        - {name: relu, ReLU: }
      shortcut:
        - {when: $(input.channels != channels), name: project, Conv2d: [$channels, 1]}
network:
  - {name: same, Block: 4}
  - {name: wider, Block: 8}
"""


def test_modules_are_clusters_with_name_and_class() -> None:
    drawn = draw(RESIDUAL)
    assert drawn.clusters == {"same": ["same", "Block"], "wider": ["wider", "Block"]}


def test_a_shortcut_is_a_bypass_from_a_fork_to_the_sum() -> None:
    drawn = draw(RESIDUAL)
    blue = LIGHT.bypass.lower()
    assert {edge for edge, color in drawn.colors.items() if color == blue} == {
        ("same.conv fork", "same.add1"),
        ("wider.conv fork", "wider.project"),
        ("wider.project", "wider.add1"),
    }
    assert drawn.nodes["same.add1"] == ["+"]
    assert drawn.nodes["same.conv fork"] == []
    assert drawn.edges["input x", "same.conv fork"] == [f"4{X}8{X}8"]
    assert drawn.edges["same.conv fork", "same.conv"] == []  # said on the edge to the fork
    assert drawn.edges["wider.project", "wider.add1"] == [f"8{X}8{X}8"]


def test_merges_are_signs_and_branches_stand_in_order() -> None:
    text = """
input: [4, 8, 8]
network:
  - branch: [[{name: a, Conv2d: [2, 1]}], [{name: b, Conv2d: [3, 1]}], [{name: c, Conv2d: [4, 1]}]]
  - branch: [[], [Sigmoid]]
    merge: multiply
  - branch: [[{name: d, Conv2d: [5, 1]}], [{name: e, Conv2d: [5, 1]}], [{name: f, Conv2d: [5, 1]}]]
    split: true
    merge: add
"""
    drawn = draw(text)
    assert [drawn.nodes[name] for name in ("concat1", "multiply1", "split1", "add1")] == [
        ["concat"],
        [X],
        ["split"],
        ["+"],
    ]
    assert [drawn.edges["split1", name] for name in "def"] == [[f"3{X}8{X}8"]] * 3
    positions = {node: float(x) for node, x in re.findall(r"^node (\w) (\S+)", _plain(load(text)), re.MULTILINE)}
    assert positions["a"] < positions["b"] < positions["c"]
    assert positions["d"] < positions["e"] < positions["f"]


def test_all_inputs_and_outputs_are_drawn() -> None:
    text = """
input: {left: [4], right: [6]}
outputs: [sum, a]
network:
  - {name: a, Linear: 6}
  - {name: sum, branch: [[], [from: right]], merge: add}
"""
    drawn = draw(text)
    assert drawn.nodes["input left"] == ["left"]
    assert drawn.nodes["input right"] == ["right"]
    assert drawn.edges["input right", "sum"] == ["6"]
    assert drawn.edges["sum", "output sum"] == ["6"]
    assert drawn.edges["a", "output a"] == ["6"]


def test_a_skip_over_other_modules_is_a_bypass() -> None:
    text = """
input: [4, 8, 8]
network:
  - {name: enc, sequential: [{name: conv, Conv2d: [4, 1]}]}
  - {name: down, MaxPool2d: 2}
  - {name: up, Upsample: {scale_factor: 2}}
  - branch: [[], [from: enc]]
"""
    drawn = draw(text)
    assert drawn.colors["enc.conv", "concat1"] == LIGHT.bypass.lower()
    assert drawn.colors["up", "concat1"] != LIGHT.bypass.lower()
    assert drawn.edges["enc.conv", "concat1"] == []  # said on the edge to the pooling
    closed = draw(text, depth=1)
    assert closed.colors["enc", "concat1"] == LIGHT.bypass.lower()


def test_weights_used_again_are_said_to_be() -> None:
    text = "input: [4]\nnetwork:\n- {name: a, Linear: 4}\n- {name: b, reuse: a}\n"
    text += "- {name: c, sequential: [Linear: 4]}\n- reuse: c"
    drawn = draw(text, depth=1)
    assert drawn.nodes["a"] == ["Linear", "4"]
    assert drawn.nodes["a 2"] == ["Linear", "the weights of a"]
    assert drawn.nodes["c"] == ["c", "Sequential", "20 parameters"]
    assert drawn.nodes["c 2"] == ["c", "Sequential", "the same weights again"]


def test_a_module_used_again_has_the_name_of_that_use() -> None:
    text = "input: [4]\nblocks: {Enc: [Linear: 4]}\nnetwork:\n- {name: enc, Enc: }\n- {name: enc2, reuse: enc}"
    assert draw(text, depth=1).nodes["enc 2"] == ["enc2", "Enc", "the weights of enc"]
    assert draw(text).clusters["enc 2"] == ["enc2", "Enc, the weights of enc"]


@pytest.mark.parametrize("merge, orders", [("subtract", ["1", "2"]), ("divide", ["1", "2"]), ("add", ["", ""])])
def test_operands_are_numbered_where_their_order_matters(merge: str, orders: list[str]) -> None:
    text = "input: [4]\nnetwork:\n- {name: a, Linear: 4}\n- {name: b, Linear: 4}\n- {name: c, Linear: 4}\n"
    text += f"- {{name: m, branch: [[from: c], [from: a]], merge: {merge}}}"
    drawn = draw(text, show_shapes=False)
    assert ["".join(drawn.edges[tail, "m"]) for tail in ("c", "a")] == orders
    shown = draw(text)
    assert "".join(shown.edges["c", "m"]) == ":\u00a0".join(filter(None, [orders[0], "4"]))


# --- depth ---------------------------------------------------------------------------------------

NESTED = """
input: [4, 8, 8]
blocks:
  Inner(): [Conv2d: [4, 1], ReLU]
  Outer(): [{name: inner, Inner: }, BatchNorm2d]
network:
  - {name: outer, Outer: }
  - Sigmoid
"""


def test_depth_draws_deeper_modules_as_boxes_with_their_parameters() -> None:
    assert draw(NESTED, depth=1).kinds() == Counter(["input", "outer", "Sigmoid", "output"])
    assert draw(NESTED, depth=1).nodes["outer"] == ["outer", "Outer", "28 parameters"]
    assert draw(NESTED, depth=2).nodes["outer.inner"] == ["inner", "Inner", "20 parameters"]
    assert draw(NESTED, depth=2).clusters.keys() == {"outer"}
    assert draw(NESTED, depth=3).clusters.keys() == {"outer", "outer.inner"}
    assert draw(NESTED, depth=99).svg == draw(NESTED).svg


def test_edges_start_at_what_stands_in_for_a_tensor_in_a_closed_module() -> None:
    assert draw(NESTED, depth=1).edges == {
        ("input x", "outer"): [f"4{X}8{X}8"],
        ("outer", "1"): [f"4{X}8{X}8"],
        ("1", "output output"): [f"4{X}8{X}8"],
    }


@pytest.mark.parametrize("options", [{"depth": 0}, {"rankdir": "UP"}])
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        draw(CHAIN, **options)


def test_modules_without_anything_in_them() -> None:
    drawn = draw("input: [4]\nparams: {on: false}\nnetwork:\n- {name: a, sequential: [{when: $on, ReLU: }]}\n- ReLU")
    assert drawn.nodes["a"] == ["a", "Sequential", "0 parameters"]
    assert list(drawn.edges) == [("input x", "a"), ("a", "1"), ("1", "output output")]


# --- folding -------------------------------------------------------------------------------------


def test_equal_rounds_are_drawn_once() -> None:
    text = "input: [3, 8, 8]\nnetwork:\n- repeat: [Conv2d: [8, 1], ReLU]\n  times: 3\n- Flatten"
    drawn = draw(text)
    assert drawn.kinds() == Counter(["input", "Conv2d", "ReLU", "Flatten", "output"])
    assert list(drawn.clusters.values()) == [[f"{X}3"]]
    assert drawn.edges["1", "6"] == [f"8{X}8{X}8"]  # out of the loop, from what is drawn of it
    assert drawn.edges["input x", "0"] == [f"3{X}8{X}8"]
    apart = draw(text, fold=False)
    assert apart.kinds() == Counter(["input", *["Conv2d", "ReLU"] * 3, "Flatten", "output"])
    assert apart.clusters == {}


def test_a_loop_of_one_layer_or_module_is_marked_at_that() -> None:
    text = (
        "input: [4]\nnetwork:\n- repeat: [Linear: 4]\n  times: 5\n- repeat: [sequential: [ReLU, Linear: 4]]\n  times: 2"
    )
    drawn = draw(text)
    assert drawn.nodes["0"] == [f"Linear {X}5", "4"]
    assert drawn.clusters == {"5": [f"5 … 6 {X}2", "Sequential"]}
    assert draw(text, depth=1).nodes["5"] == [f"5 … 6 {X}2", "Sequential", "20 parameters"]


def test_only_runs_of_equal_rounds_are_folded() -> None:
    text = "input: [4]\nnetwork:\n- repeat: [Linear: $n]\n  for: n\n  in: [4, 4, 8, 8, 8, 4]"
    assert [lines for lines in draw(text).nodes.values() if lines[0].startswith("Linear")] == [
        [f"Linear {X}2", "4"],
        [f"Linear {X}3", "8"],
        ["Linear", "4"],
    ]


def test_equal_modules_in_a_row_are_folded_and_equal_layers_are_not() -> None:
    text = (
        "input: [4]\nblocks:\n  B(): [Linear: 4]\nnetwork: [{name: a, B: }, {name: b, B: }, {name: c, B: }, ReLU, ReLU]"
    )
    drawn = draw(text)
    assert drawn.clusters == {"a": [f"a … c {X}3", "B"]}
    assert drawn.kinds()["ReLU"] == 2


def test_loops_in_loops() -> None:
    text = "input: [4]\nnetwork:\n- repeat:\n  - repeat: [Linear: 4, ReLU]\n    times: 3\n  - Sigmoid\n  times: 2"
    drawn = draw(text)
    assert sorted(drawn.clusters.values()) == [[f"{X}2"], [f"{X}3"]]
    assert drawn.kinds() == Counter(["input", "Linear", "ReLU", "Sigmoid", "output"])


def test_shapes_that_differ_from_round_to_round_show_the_first_and_the_last() -> None:
    text = "input: [8, 4, 4]\nnetwork:\n- dense: [ReLU, Conv2d: [2, 1]]\n  times: 4"
    drawn = draw(text)
    assert drawn.kinds() == Counter(["input", "ReLU", "Conv2d", "concat", "output"])
    assert drawn.edges["input x", "relu1 fork"] == [f"8{X}4{X}4"]
    assert drawn.edges["relu1", "conv1"] == [f"8{X}4{X}4 …", f"14{X}4{X}4"]
    assert drawn.edges["conv1", "concat1"] == [f"2{X}4{X}4"]
    assert drawn.edges["concat1", "output output"] == [f"16{X}4{X}4"]
    assert drawn.colors["relu1 fork", "concat1"] == LIGHT.bypass.lower()


def test_what_goes_into_a_loop_and_past_it_starts_before_it() -> None:
    text = "input: [4]\nnetwork:\n- {name: x, ReLU: }\n- dense: [{Linear: 2}]\n  times: 3\n- branch: [[], [from: x]]"
    drawn = draw(text)
    assert drawn.nodes["linear1 fork"] == []
    assert {tail for tail, head in drawn.edges if head == "concat4"} == {"x", "concat1"}


def test_rounds_whose_tensors_are_used_later_are_not_folded() -> None:
    text = """
input: [4, 8, 8]
network:
  - repeat: [{name: conv$i, Conv2d: [4, 1]}, ReLU]
    for: i
    in: [0, 1, 2]
"""
    assert draw(text).kinds()["Conv2d"] == 1
    used = draw(text + "  - branch: [[], [from: conv1]]\n")
    assert used.kinds()["Conv2d"] == 3
    assert ("conv1", "concat1") in used.edges
    first = draw("outputs: [conv0]" + text)
    assert list(first.clusters.values()) == [[f"{X}2"]]
    assert ("conv0", "output conv0") in first.edges
    last = draw("outputs: [conv2]" + text)
    assert list(last.clusters.values()) == [[f"{X}2"]]
    assert ("conv2", "output conv2") in last.edges


def test_equal_modules_side_by_side_are_not_folded() -> None:
    text = """
input: [4]
network:
  - {name: x, ReLU: }
  - {name: a, sequential: [Linear: 4]}
  - from: x
  - {name: b, sequential: [Linear: 4]}
  - branch: [[], [from: a]]
"""
    assert draw(text).clusters == {"a": ["a", "Sequential"], "b": ["b", "Sequential"]}


def test_rounds_that_are_wired_differently_are_not_folded() -> None:
    """The third round goes back to the input, so it is no third application to the second's result."""
    text = """
input: [4]
network:
  - {name: x, ReLU: }
  - repeat:
      - {when: $(i == 2), from: x}
      - Linear: 4
    for: i
    in: [0, 1, 2, 3]
  - branch: [[], [from: x]]
"""
    assert [lines for lines in draw(text).nodes.values() if lines[0].startswith("Linear")] == [
        [f"Linear {X}2", "4"],
        [f"Linear {X}2", "4"],
    ]


@pytest.mark.parametrize("arch", sorted(path.stem for path in Path("archs").glob("*.yaml")))
def test_what_is_drawn_of_every_arch_is_what_is_in_it(arch: str) -> None:
    """Unfolded, there is a node for each operation, and each takes what the graph says it takes."""
    graph = cnndsl.load(f"archs/{arch}.yaml").graph
    figure = plan(graph, None, False)
    small = [operation for _, operation in walk(graph.root.body) if not isinstance(operation, Module)]
    drawn = [edge for edge in figure.edges if edge.head.kind != "fork"]
    titles = Counter(operation.path for operation in small)
    assert titles == Counter(edge.head.id for edge in {edge.head.id: edge for edge in drawn}.values()) - Counter(
        edge.head.id for edge in drawn if edge.head.kind == "output"
    )
    source = {tensor: f"input {name}" for name, tensor in graph.inputs.items()}
    wanted = []
    for operation in small:
        wanted += [(source[tensor], operation.path, tensor.shape) for tensor in operation.inputs]
        outputs = [operation.output] if isinstance(operation, (Apply, Merge)) else list(operation.outputs)
        source.update(dict.fromkeys(outputs, operation.path))
    behind = {edge.head: edge.tail for edge in figure.edges if edge.head.kind == "fork"}

    def origin(node: Any) -> str:
        return origin(behind[node]) if node in behind else node.id

    found = [(origin(edge.tail), edge.head.id, *edge.shapes) for edge in drawn if edge.head.kind != "output"]
    assert Counter(found) == Counter(wanted)


# --- size ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "network",
    [
        "\n".join(f"  - Conv2d: [{8 + number % 7}, 1]" for number in range(3000)),
        "  - branch:\n" + "\n".join(f"    - [Conv2d: [{1 + number % 7}, 1]]" for number in range(3000)),
        "  - dense: [Conv2d: [$(i % 5 + 1), 1]]\n    for: i\n    in: $(range(1000))",
    ],
    ids=["long", "wide", "dense"],
)
def test_large_networks_are_drawn_with_what_there_is_room_for(network: str) -> None:
    graph = load(f"input: [8, 2, 2]\nnetwork:\n{network}")
    figure = plan(graph, None, False)
    assert 500 < figure.nodes <= MAX_NODES
    nodes = {node for edge in figure.edges for node in (edge.tail, edge.head)}
    (rest,) = (node for node in nodes if node.kind == "rest")
    shown = sum(node.kind in ("layer", "merge") for node in nodes)
    assert shown + int(re.sub(r"\D", "", rest.title)) == len(list(walk(graph.root.body)))


def test_what_there_is_no_room_for_is_counted() -> None:
    drawn = draw("input: [8]\nnetwork:\n" + "\n".join(f"- Linear: {1 + number % 7}" for number in range(3000)))
    assert drawn.nodes["rest"] == ["⋯ 1,976 more ⋯"]
    assert drawn.kinds()["Linear"] == 1024
    assert drawn.edges["511", "rest"] == ["1"]
    assert ("rest", "2488") in drawn.edges


def test_large_networks_lose_depth_first() -> None:
    text = "input: [8, 2, 2]\nblocks:\n  B(n): [Conv2d: [$n, 1], ReLU, Conv2d: [8, 1]]\n"
    text += "network:\n- repeat: [B: $(i % 3 + 1)]\n  for: i\n  in: $(range(900))"
    figure = plan(load(text), None, False)
    assert figure.nodes == 902
    assert {edge.head.kind for edge in figure.edges} == {"module", "output"}


def test_tangles_are_drawn_coarser() -> None:
    """Of edges that lead far past others, far fewer than there are nodes take Graphviz minutes."""
    steps = ["{name: a0, Conv2d: [2, 1]}"]
    for number in range(1, 100):
        steps.append(f"branch: [{', '.join(f'[from: a{earlier}]' for earlier in range(number))}]")
        steps.append(f"{{name: a{number}, Conv2d: [2, 1]}}")
    graph = load("input: [2, 2, 2]\nnetwork:\n" + "\n".join(f"  - {step}" for step in steps))
    figure = plan(graph, None, True)
    assert figure.detours <= 30_000
    assert any(edge.head.kind == "rest" for edge in figure.edges)


def test_images_of_large_diagrams_have_fewer_dots_per_inch() -> None:
    text = "input: [8, 2, 2]\nnetwork:\n" + "\n".join(f"- Conv2d: [{1 + number % 7}, 1]" for number in range(400))
    drawing = diagram(load(text), dpi=300)
    with pytest.warns(Shrunk, match=r"\d\d dots per inch instead of 300; SVG and PDF") as caught:
        width, height = _png_size(drawing.pipe("png"))
    assert height <= 32_767
    assert width * height <= 65_000_000
    # The dots per inch that are told are those that the picture has.
    dpi = int(re.findall(r"(\d+) dots", str(caught[0].message))[0])
    inches = float(drawing.pipe("plain").split()[3])
    assert abs(height / dpi - inches) < 0.5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawing.pipe("pdf"), drawing.pipe("svg")
        diagram(load(text), dpi=dpi).pipe("png")


def test_an_image_that_nobody_could_read_has_to_be_asked_for(tmp_path: Path) -> None:
    text = "input: [8, 2, 2]\nnetwork:\n" + "\n".join(f"- Conv2d: [{1 + number % 7}, 1]" for number in range(1500))
    with pytest.raises(TooLarge, match=r"SVG or PDF.* or ask for (\d+) dpi") as refused:
        diagram(load(text)).save(tmp_path / "net.png")
    assert [*tmp_path.iterdir()] == []
    dpi = int(str(refused.value).split()[-2])
    diagram(load(text), dpi=dpi).save(tmp_path / "net.png")
    assert _png_size((tmp_path / "net.png").read_bytes())[1] <= 32_767


# --- text ----------------------------------------------------------------------------------------

HOSTILE = r'<b>x</b> "q" \N \G \E ]; } -> & &amp; &#92; charset="latin1" <!-- x --> ' + "\\"


def _hostile(body: Body) -> Body:
    return tuple(
        replace(
            item,
            name=HOSTILE,
            path=HOSTILE,
            definition=replace(item.definition, name=HOSTILE),
            body=_hostile(item.body),
        )
        if isinstance(item, Module)
        else item
        for item in body
    )


@pytest.mark.parametrize("depth", [None, 1])
def test_any_text_comes_out_as_it_is(depth: int | None) -> None:
    graph = load(NESTED)
    root, body = graph.root, _hostile(graph.root.body)
    root = replace(root, name=HOSTILE, body=body, given={HOSTILE: root.input}, made={HOSTILE: root.output})
    graph = replace(graph, document=replace(graph.document, description=HOSTILE), root=root)
    drawing = diagram(graph, depth=depth)
    drawn = Drawn(drawing.pipe("svg", encoding="utf-8"))
    modules = 1 if depth else 2
    assert drawn.title[0] == HOSTILE
    assert " ".join(drawn.title[1:]) == HOSTILE  # on two lines
    assert drawn.texts.count(HOSTILE) == 1 + 2 + modules + (0 if depth else modules)
    again = pygraphviz.AGraph(string=drawing.source)
    assert len([node for node in again.nodes() if node.attr["style"] != "invis"]) == len(drawn.nodes)
    assert len([edge for edge in again.edges() if edge.attr["style"] != "invis"]) == len(drawn.edges)
    twice = Drawn(render._draw(again.to_string(), "svg", "dot", None).decode())
    assert (twice.title, twice.nodes, twice.clusters, twice.edges) == (
        drawn.title,
        drawn.nodes,
        drawn.clusters,
        drawn.edges,
    )


def test_a_description_keeps_its_lines_and_has_no_control_characters() -> None:
    text = CHAIN.replace("input:", 'description: "one <i>\\ntwo \\\\N {}"\ninput:', 1)
    assert draw(text).title == ["net", "one <i>", r"two \N {}"]
    graph = load(CHAIN)
    hostile = replace(graph, root=replace(graph.root, name="a\nb\x1b[31m\x00\ud800"))
    assert Drawn(diagram(hostile).pipe("svg", encoding="utf-8")).title == [r"a\nb\x1b[31m\x00\ud800"]


def test_text_of_boxes_is_centred_on_them_in_any_font() -> None:
    svg = diagram(load(CHAIN)).svg()
    box = re.search(r'<g id="\w+" class="node">\n<title>conv</title>.*?</g>', svg, re.DOTALL)
    assert box is not None
    xs = [float(x) for x in re.findall(r"[ MC](-?[\d.]+),", box[0])]
    lines = re.findall(r'text-anchor="(\w+)" x="(\S+)"', box[0])
    assert lines == [("middle", f"{(min(xs) + max(xs)) / 2:.2f}")] * 2
    assert svg.count("<text") == len(draw(CHAIN).texts)


# --- rendering -----------------------------------------------------------------------------------


@pytest.fixture
def no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise AssertionError(f"a process is started: {args}")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    for name in ("fork", "posix_spawn", "posix_spawnp", "system", "popen"):
        monkeypatch.setattr(os, name, refuse)
    monkeypatch.setenv("PATH", "")


@pytest.mark.usefixtures("no_processes")
def test_all_formats_are_rendered_without_another_process(tmp_path: Path) -> None:
    drawing = diagram(load(RESIDUAL))
    beginnings = {"svg": b"<?xml", "png": b"\x89PNG\r\n\x1a\n", "pdf": b"%PDF-", "dot": b"digraph", "gv": b"digraph"}
    for ending, beginning in beginnings.items():
        path = tmp_path / f"net.{ending}"
        assert drawing.save(path) == path
        assert path.read_bytes().startswith(beginning)
    assert {path.name for path in tmp_path.iterdir()} == {f"net.{ending}" for ending in beginnings}
    assert (tmp_path / "net.dot").read_text() == drawing.source
    assert drawing.pipe("svg").decode() == drawing.pipe("svg", encoding="utf-8")
    assert drawing._repr_mimebundle_() == {"image/svg+xml": drawing.pipe("svg", encoding="utf-8")}
    assert drawing._repr_mimebundle_(include=["image/png"])["image/png"].startswith(b"\x89PNG")
    assert drawing.svg().startswith("<svg")


@pytest.mark.usefixtures("no_processes")
def test_it_is_a_digraph_that_renders_and_copies(tmp_path: Path) -> None:
    drawing = diagram(load(CHAIN), dpi=100)
    assert isinstance(drawing, graphviz.Digraph)
    copy = drawing.copy()
    assert isinstance(copy, Diagram)
    assert copy.pipe("png") == drawing.pipe("png")
    shown = drawing.render(directory=tmp_path / "out", format="svg")
    assert shown == str(tmp_path / "out" / "net.gv.svg")
    assert Path(shown).read_bytes() == drawing.pipe("svg")
    assert (tmp_path / "out" / "net.gv").read_text() == drawing.source
    assert drawing.render(outfile=tmp_path / "only.png") == str(tmp_path / "only.png")
    assert (tmp_path / "only.png").read_bytes() == drawing.pipe("png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["only.png", "out"]


def test_an_unknown_ending_is_refused_with_those_that_work(tmp_path: Path) -> None:
    for name in ("net.jpx", "net"):
        with pytest.raises(ValueError, match=r"\.svg, \.png, \.pdf"):
            diagram(load(CHAIN)).save(tmp_path / name)
    with pytest.raises(ValueError, match="jpx"):
        diagram(load(CHAIN)).pipe("jpx")
    assert list(tmp_path.iterdir()) == []
    assert diagram(load(CHAIN)).save(tmp_path / "NET.PNG").exists()


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net.svg"
    path.write_text("before")
    drawing = diagram(load(CHAIN))

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            drawing.save(path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
    drawing.save(path)
    assert path.read_bytes() == drawing.pipe("svg")


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="there is no folder"):
        diagram(load(CHAIN)).save(tmp_path / "none" / "net.svg")
    assert [*tmp_path.iterdir()] == []


def test_rankdir_turns_the_diagram() -> None:
    down, right = draw(CHAIN), draw(CHAIN, rankdir="LR")
    assert down.size()[0] < down.size()[1]
    assert right.size()[0] > right.size()[1]
    assert down.nodes == right.nodes
    up = _plain(load(CHAIN), rankdir="BT")
    heights = {node: float(y) for node, y in re.findall(r'^node (\w+|"[^"]*") \S+ (\S+)', up, re.MULTILINE)}
    assert heights['"input x"'] < heights["conv"] < heights['"output output"']


def test_dpi_is_for_images_of_pixels_only() -> None:
    graph = load(CHAIN)
    width, height = _png_size(diagram(graph, dpi=72).pipe("png"))
    twice = _png_size(diagram(graph, dpi=144).pipe("png"))
    assert abs(twice[0] - 2 * width) <= 2
    assert abs(twice[1] - 2 * height) <= 2
    assert diagram(graph).pipe("png") == diagram(graph, dpi=144).pipe("png")
    assert draw(CHAIN, dpi=300).svg == draw(CHAIN).svg
    assert diagram(graph, dpi=300).pipe("pdf") == diagram(graph).pipe("pdf")


def test_the_same_graph_gives_the_same_bytes(tmp_path: Path) -> None:
    code = """
import sys, hashlib, cnndsl
for arch in ("resnet18", "densenet"):
    drawing = cnndsl.load(f"archs/{arch}.yaml").diagram(style="layers")
    for form in ("dot", "svg", "png", "pdf"):
        print(arch, form, hashlib.sha256(drawing.pipe(form)).hexdigest())
"""
    environments = [{"PYTHONHASHSEED": "0"}, {"PYTHONHASHSEED": "42"}]
    found = [
        subprocess.run([sys.executable, "-c", code], env={**os.environ, **env}, capture_output=True, check=True).stdout
        for env in environments
    ]
    assert len(found[0].splitlines()) == 8
    assert found[0] == found[1]
    assert b"(D:19700101000000" in diagram(load(CHAIN)).pipe("pdf")


@pytest.mark.parametrize("form", ["svg", "png"])
def test_nothing_is_said_on_stderr(form: str) -> None:
    """Graphviz's libraries speak there of the fonts' set-up, and pygraphviz of many nodes."""
    code = f"""
import cnndsl
text = "input: [8, 2, 2]\\nnetwork:\\n" + "\\n".join(f"- Conv2d: [{{1 + n % 7}}, 1]" for n in range(1010))
cnndsl.loads(text).diagram(dpi=20, style="layers").pipe({form!r})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_machine_without_fonts_is_told_so_and_gets_svg(tmp_path: Path) -> None:
    config = tmp_path / "fonts.conf"
    config.write_text('<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig></fontconfig>')
    code = f"""
import cnndsl
from cnndsl.emit.diagram import NoFonts
drawing = cnndsl.load("archs/lenet.yaml").diagram(style="layers")
drawing.save({str(tmp_path / "net.svg")!r})
for ending in ("png", "pdf"):
    try:
        drawing.save({str(tmp_path / "net.")!r} + ending)
    except NoFonts as error:
        print(error.strerror)
"""
    environment = {**os.environ, "FONTCONFIG_FILE": str(config)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert all("no fonts" in line and "SVG" in line for line in lines)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fonts.conf", "net.svg"]
    assert "Conv2d" in Drawn((tmp_path / "net.svg").read_text()).kinds()
    assert issubclass(NoFonts, OSError)


def _plain(graph: Graph, **options: Any) -> str:
    """Graphviz's plain format: ``node NAME X Y ...``."""
    return str(diagram(graph, **options).pipe("plain", encoding="utf-8"))


def _png_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", data[16:24])
    return width, height
