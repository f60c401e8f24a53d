"""Where a shape comes from: what is on the way, found by torch's autograd, and what is told of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

import cnndsl
from cnndsl.cli import verb
from cnndsl.graph.graph import Apply
from cnndsl.printable import as_written
from cnndsl.questions.lookup import NoSuchPath, find
from cnndsl.questions.trace import _Tracer, trace_in
from cnndsl.questions.trace_table import Step

ARCHS = Path(__file__).parent.parent / "archs"
SPEC = """\
name: net
input: [3, 32, 32]
params: {width: 8}
blocks:
  Conv(channels, stride=1):
    - {name: conv, Conv2d: {out_channels: $channels, kernel_size: 3, stride: $stride, padding: 1}}
    - {name: act, ReLU: }
network:
  - {name: stem, Conv: [$(2 * width), 2]}
  - repeat:
      - {name: body$i, Conv: $channels}
    for: [i, channels]
    in: [[0, 16], [1, 16], [2, 16]]
  - {name: skip}
  - branch: [[Conv: 24], [], [MaxPool2d: {kernel_size: 3, stride: 1, padding: 1}]]
  - AdaptiveAvgPool2d: 1
  - Flatten
  - {name: head, Linear: 10}
"""


def trace(path: str | None = None, spec: str = SPEC, **params: Any) -> Any:
    return cnndsl.trace(cnndsl.Text(spec), path, **params)


def leaves(steps: tuple[Step, ...]) -> list[Step]:
    return [leaf for step in steps for leaf in (leaves(step.steps) if step.steps else [step])]


# --- what is on the way --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "shape"),
    [
        ("inception.yaml", None),
        ("unet.yaml", None),
        ("beyond/fpn_resnet50.yaml", (3, 64, 64)),
        ("resnet18.yaml", (1, 32, 32)),
    ],
)
def test_the_layers_on_the_way_are_those_that_a_gradient_reaches(spec: str, shape: tuple[int, ...] | None) -> None:
    """Each layer's output has a gradient after the backward pass from the target, if the target depends on it."""
    net = cnndsl.load(ARCHS / spec)
    net = net.at_size(shape) if shape else net
    module = net.module().eval()
    root = net.graph.root
    again = {item.path for item in root.layers if item.reuse}
    layers = {item.path: item for item in root.layers if item.path not in again}
    made: dict[str, torch.Tensor] = {}
    for path in layers:
        module.get_submodule(path).register_forward_hook(lambda layer, x, y, path=path: made.__setitem__(path, y))
        if isinstance(module.get_submodule(path), torch.nn.ReLU):
            module.get_submodule(path).inplace = False
    module(*(torch.randn(tensor.shape, requires_grad=True) for tensor in net.graph.inputs.values()))
    for target in [*layers][:: max(len(layers) // 8, 1)]:
        others = [path for path in made if path != target]
        grads = torch.autograd.grad(
            made[target].sum(), [made[path] for path in others], retain_graph=True, allow_unused=True
        )
        reached = {path for path, grad in zip(others, grads) if grad is not None} | {target}
        told = {item.path for item in _Tracer(root, find(root, target)).needed if isinstance(item, Apply)}
        assert told - again == reached, target


def test_steps_lead_from_the_input_to_the_target_in_order() -> None:
    found = trace("concat1")
    assert [step.path for step in found.steps] == ["stem", "body0", "conv5", "maxpool1", "concat1"]
    body = found.steps[1]
    assert (body.times, body.last, body.layer) == (3, "body2", "Conv(channels=16)")
    assert [step.path for step in leaves(found.steps)] == [
        "stem.conv", "stem.act", "body0.conv", "body0.act", "conv5.conv", "conv5.act", "maxpool1", "concat1"
    ]  # fmt: skip
    assert found.steps[-1].sources == ("conv5.act", "body2.act", "maxpool1")
    assert [step.path for step in trace("body1").steps] == ["stem", "body0"]  # twice the same
    assert [step.path for step in trace("stem.conv").steps] == ["stem"]
    assert trace("input").steps == ()


def test_equal_layers_in_turn_are_folded_and_parallel_ones_are_not() -> None:
    vgg = cnndsl.trace(ARCHS / "vgg16.yaml", "4")
    (block,) = vgg.steps[4:]
    assert [(step.layer, step.times, len(step.steps)) for step in block.steps] == [
        ("", 3, 2),
        ("MaxPool2d(2, stride=2)", 1, 0),
    ]
    first, act, folded, _ = vgg.steps[2].steps  # a run begins with its convolution
    assert [step.path for step in (first, act, folded)] == ["2.0", "2.1", "2.2"]
    assert (folded.times, folded.last) == (2, "2.5")
    side = "input: [4, 8, 8]\nnetwork: [branch: [[Conv2d: [4, 1]], [Conv2d: [4, 1]], [Conv2d: [4, 1]]]]"
    assert [step.path for step in trace(None, side).steps] == ["conv1", "conv2", "conv3", "concat1"]


@pytest.mark.parametrize(
    "path", sorted([*ARCHS.glob("*.yaml"), *ARCHS.glob("beyond/*.yaml")]), ids=lambda path: path.stem
)
def test_every_path_has_a_trace(path: Path) -> None:
    """It ends with what was asked for, and its text has no gap."""
    root = cnndsl.load(path).graph.root
    once = [item for item in root.everything if not getattr(item, "reuse", False)]
    for item in once[:: max(len(once) // 9, 1)]:
        found = trace_in(root, item.path)
        last = leaves(found.steps)[-1]
        assert found.path == item.path and last.output[-1] == item.outputs[-1].shape
        shapes = ", ".join(str(tensor.shape) for tensor in item.outputs)
        heading = repr(found).partition("\n")[0]
        assert heading.startswith(f"{item.path} of {root.name}") and heading.endswith(f": {shapes}")


def test_a_layer_may_have_the_name_of_an_input() -> None:
    found = trace("x", "input: [2, 4, 4]\nnetwork: [{name: x, Conv2d: [3, 1]}, {name: y, ReLU: }]")
    assert [step.path for step in found.steps] == ["x"] and found.output == ((1, 3, 4, 4),)


def test_a_network_has_its_parameters() -> None:
    for ask in (cnndsl.trace, cnndsl.sizes):
        with pytest.raises(TypeError, match="has its parameters already"):
            ask(cnndsl.loads(SPEC), width=3)  # type: ignore[operator]


def test_several_inputs_and_a_module_that_is_used_again() -> None:
    found = cnndsl.trace(ARCHS / "beyond/siamese.yaml")
    assert [*found.inputs] == ["left", "right"]
    assert [step.sources[:1] for step in found.steps[:2]] == [("left",), ("right",)]
    assert repr(found).count("Conv2d(64, 10)") == 1 and "\n    of right\n  as before\n" in repr(found)
    assert [*cnndsl.trace(ARCHS / "beyond/siamese.yaml", "right").inputs] == ["left", "right"]


REUSE = """\
input: [3, 16, 16]
blocks: {Twice: [{name: conv, Conv2d: [3, 3, 1, 1]}, {name: act, ReLU: }, {name: again, reuse: act}]}
network:
  - {name: t, Tanh: }
  - {name: u, reuse: t}
  - {name: a, Twice: }
  - MaxPool2d: 2
  - reuse: t
  - {name: b, reuse: a}
"""


@pytest.mark.parametrize(
    ("path", "heading"),
    [
        ("t", "t of net, use 1 of 3: [1, 3, 16, 16]\nother uses: t#2, t#3\n"),
        ("t#1", "t of net, use 1 of 3: [1, 3, 16, 16]\nother uses: t#2, t#3\n"),
        ("u", "t#2 of net, use 2 of 3: [1, 3, 16, 16]\nother uses: t, t#3\n"),
        ("t#3", "t#3 of net, use 3 of 3: [1, 3, 8, 8]\nother uses: t, t#2\n"),
        (":9", "t#3 of net, use 3 of 3: [1, 3, 8, 8]\nother uses: t, t#2\n"),
        ("a.again", "a.act#2 of net, use 2 of 4: [1, 3, 16, 16]\nother uses: a.act, a.act#3, a.act#4\n"),
        ("b", "a#2 of net, use 2 of 2: [1, 3, 8, 8]\nother uses: a\n"),
        ("a.conv#2", "a.conv#2 of net, use 2 of 2: [1, 3, 8, 8]\nother uses: a.conv\n"),
    ],
)
def test_every_use_of_a_layer_has_a_path(path: str, heading: str) -> None:
    found = trace(path, f"name: net\n{REUSE}")
    assert repr(found).startswith(heading)
    assert found.steps[-1].path.partition(".")[0].partition("#")[0] in ("t", "a")


def test_uses_in_turn_share_a_line_and_merges_tell_them_apart() -> None:
    text = repr(trace(None, REUSE))
    assert (
        re.search("\\nt … t#2 +2 times Tanh ", text) and "\nt#3 " in text and text.count("Conv2d(3, 3, padding=1)") == 2
    )
    steps = "{name: t, Tanh: }, {name: x, ReLU: }, {name: u, reuse: t}, {branch: [[], [from: t]]}"
    sides = f"input: [2, 4, 4]\nnetwork: [{steps}]"
    assert "of t#2 [1, 2, 4, 4], t [1, 2, 4, 4]" in repr(trace(None, sides))


def test_a_later_use_has_the_arguments_of_the_first() -> None:
    spec = "input: [4, 8, 8]\nnetwork: [{let: {n: 4}}, {name: c, Conv2d: [$n, 3]}, {let: {n: 7}}, {reuse: c}]"
    assert trace("c#2", spec).steps[-1].arguments == {"out_channels": ("$n", "n = 4 by `let` at <text>:2:18")}


def test_a_heading_has_the_shape_of_the_target_itself() -> None:
    spec = "blocks: {B: [Conv2d: [4, 3], MaxPool2d: 2]}\ninput: [3, 16, 16]\nnetwork: [{name: b, B: }]"
    assert repr(trace("b.0", spec)).partition("\n")[0].endswith(": [1, 4, 14, 14]")
    assert repr(trace("b", spec)).partition("\n")[0].endswith(": [1, 4, 7, 7]")


# --- the arithmetic ------------------------------------------------------------------------------


def test_the_arithmetic_is_that_of_torch() -> None:
    (stem,) = trace("stem").steps
    conv = stem.steps[0]
    assert [(size.axis, size.arithmetic, size.size) for size in conv.sizes] == [
        ("C", "out_channels", 16),
        ("H", "floor((32 + 2*1 - 1*(3 - 1) - 1) / 2) + 1", 16),
        ("W", "floor((32 + 2*1 - 1*(3 - 1) - 1) / 2) + 1", 16),
    ]
    (concat,) = trace("concat1").steps[-1].sizes
    assert (concat.axis, concat.arithmetic, concat.size) == ("C", "24 + 16 + 16", 56)


def test_where_a_number_comes_from() -> None:
    assert trace("stem.conv").steps[0].steps[0].arguments == {
        "out_channels": (
            "$channels",
            "channels = 16 in `Conv`, called at <text>:9:18 with $(2 * width)",
            "width = 8 of `params`",
        ),
        "stride": ("$stride", "stride = 2 in `Conv`, called at <text>:9:18"),
    }
    assert leaves(trace("body2.conv").steps)[-1].arguments["out_channels"] == (
        "$channels",
        "channels = 16 in `Conv`, called at <text>:11:24 with $channels",
        "channels = 16 in round 3 of 3 of `repeat` at <text>:10:5",
    )
    assert (
        leaves(trace("body2.conv").steps)[-1].arguments["stride"][1] == "stride = 1 by default in `Conv` at <text>:5:18"
    )
    assert "width = 32 of `params`" in repr(trace("stem.conv", width=32))


LETS = """\
input: [4, 8, 8]
params: {width: 2}
blocks:
  Wide(factor):
    - let: {width: $(width * factor), inner: $(width + 1)}
    - residual:
        - let: {inner: $(inner * 2)}
        - {name: conv, Conv2d: [$inner, 1]}
      shortcut: false
network:
  - branch:
      - {for: n, in: [3], steps: [{let: {m: $(n + 1)}}, {name: b$n, Wide: $m}]}
"""


def test_names_of_let_are_followed_through_those_that_they_hide() -> None:
    (conv,) = leaves(trace("b3.conv", LETS).steps)
    assert conv.output == ((1, 18, 8, 8),)
    assert conv.arguments["out_channels"] == (
        "$inner",
        "inner = 18 by `let` at <text>:7:17 with $(inner * 2)",
        "inner = 9 by `let` at <text>:5:39 with $(width + 1)",
        "width = 8 by `let` at <text>:5:13 with $(width * factor)",
        "factor = 4 in `Wide`, called at <text>:12:69 with $m",
        "m = 4 by `let` at <text>:12:42 with $(n + 1)",
        "n = 3 in round 1 of 1 of `branch` at <text>:11:5",
        "width = 2 of `params`",
    )


NAMES = """\
input: [4, 8, 8]
params: {base: 2, width: $(base + 1)}
blocks:
  B(c, mid=2 * c):
    - Conv2d: [$mid, 1]
network:
  - let: {n: 5}
  - Conv2d: [$n, 1]
  - {let: {n: 99}, when: false}
  - let: {n: $(n + 1)}
  - Conv2d: [$n, 1]
  - B: $(width + 1)
  - repeat: [{Conv2d: [$c, 1]}]
    for: c
    in: $([width, width * 2])
  - repeat: [{Conv2d: [$p, $q]}]
    for: [p, q]
    in: $([[n, 1], [7, 1]])
  - Conv2d: "$([7, base // 2])"
"""


def test_names_are_followed_to_the_end() -> None:
    found = [step.arguments for step in leaves(trace(None, NAMES).steps)]
    assert found[0]["out_channels"] == ("$n", "n = 5 by `let` at <text>:7:11")
    assert found[1]["out_channels"] == (
        "$n", "n = 6 by `let` at <text>:10:11 with $(n + 1)", "n = 5 by `let` at <text>:7:11"
    )  # fmt: skip
    assert found[2]["out_channels"] == (
        "$mid",
        "mid = 8 by default in `B` at <text>:4:8 with 2 * c",
        "c = 4 in `B`, called at <text>:12:5 with $(width + 1)",
        "width = 3 of `params` with $(base + 1)",
        "base = 2 of `params`",
    )
    assert found[4]["out_channels"][:2] == (
        "$c", "c = 6 in round 2 of 2 of `repeat` at <text>:13:5 with $([width, width * 2])"
    )  # fmt: skip
    assert found[5]["out_channels"][1].startswith("p = 6 in round 1 of 2 of `repeat` at <text>:16:5 with $([[n, 1]")
    assert found[6]["kernel_size"][1].startswith("q = 1 in round 2 of 2 of `repeat`")
    assert found[7] == {
        "out_channels": ("$([7, base // 2])",),
        "kernel_size": ("$([7, base // 2])", "base = 2 of `params`"),
    }


@pytest.mark.parametrize("spec", ["torchvision/resnet50", "torchvision/efficientnet_b0", "densenet121", "beyond/unet"])
def test_names_have_the_values_that_the_layers_got(spec: str) -> None:
    root = cnndsl.load(f"zoo:{spec}" if "/" not in spec else ARCHS / f"{spec}.yaml").graph.root
    layers = {item.path: item for item in root.layers if not item.reuse}
    compared = 0
    for step in leaves(trace_in(root).steps):
        for name, (written, *links) in step.arguments.items():
            if written.removeprefix("$").isidentifier() and "$(input." not in links[0]:  # the size of a tensor
                value = as_written(layers[step.path].layer.values[name])
                assert links[0].startswith(f"{written[1:]} = {value} "), step.path
                compared += 1
    assert compared > 5


def test_a_block_does_not_see_the_names_of_a_let_around_its_call() -> None:
    spec = """\
input: [4, 8, 8]
params: {n: 3}
blocks: {B: [Conv2d: [$n, 1]]}
network: [{let: {n: 9}}, {name: b, B: }, {name: c, Conv2d: [$n, 1]}]
"""
    assert leaves(trace("b", spec).steps)[0].arguments["out_channels"] == ("$n", "n = 3 of `params`")
    assert trace("c", spec).steps[-1].arguments["out_channels"] == ("$n", "n = 9 by `let` at <text>:4:18")


def test_rounds_with_faults_have_names_without_values() -> None:
    loop = "{repeat: [{Conv2d: [$p, 1]}], for: [p, q], in: [[5, 1], [7]]}"
    found = trace(None, f"input: [4, 8, 8]\nnetwork: [{loop}]")
    assert found.diagnostics and found.steps[0].arguments["out_channels"][1].startswith("p = 5 in round 1 of 2")


def test_the_text_tells_it_all() -> None:
    text = repr(trace("stem.conv"))
    assert text.startswith("stem.conv of net: [1, 16, 16, 16]\n")
    assert "    C: 16 = out_channels\n" in text
    assert "H, W: floor((32 + 2*1 - 1*(3 - 1) - 1) / 2) + 1 = 16\n" in text
    assert "of conv5.act [1, 24, 16, 16], body2.act [1, 16, 16, 16], maxpool1 [1, 16, 16, 16]" in repr(trace("concat1"))
    assert "body0 … body2  3 times Conv(channels=16)" in repr(trace("concat1"))
    assert "24 + 16 + 16 = 56" in repr(trace("head"))


def test_layers_that_keep_the_shape_share_a_line() -> None:
    text = repr(cnndsl.trace(ARCHS / "resnet18.yaml", "0"))
    assert "\n  1, 2  BatchNorm2d, ReLU  " in text


# --- paths ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("stem.cnv", "there is no `stem.cnv` in this network; did you mean `stem.conv`?"),
        ("act", "there is no `act` in this network; did you mean `stem.act`?"),
        ("body*.conv", "`body*.conv` could be any of 3; name one of `body0.conv`, `body1.conv`, `body2.conv`"),
        ("*o*", "`*o*` could be any of 16; name one of `body0`, `body1`, `body2`, `conv5`"),
        ("body", "`body` could be any of 9; name one of `body0`, `body1`, `body2`, `body0.conv`"),
        (":6", "`:6` could be any of 5; name one of `stem.conv`"),
        (":1", "no step in this network is written at `:1`"),
        ("quite something else", "there is no `quite something else` in this network; `cnndsl shapes` lists the paths"),
    ],
)
def test_paths_that_lead_nowhere(path: str, message: str) -> None:
    with pytest.raises(NoSuchPath) as caught:
        trace(path)
    assert str(caught.value).startswith(message)
    assert isinstance(caught.value, LookupError)


@pytest.mark.parametrize("path", ["hea", "he*", ":18", "<text>:18", "text>:18:5"])
def test_paths_that_lead_to_one_thing(path: str) -> None:
    assert trace(path).path == "head"


# --- errors in the spec --------------------------------------------------------------------------

WRONG = SPEC.replace("AdaptiveAvgPool2d: 1", "Conv2d: [8, 17]")


def test_a_trace_ends_with_what_fails() -> None:
    found = trace(None, WRONG)
    assert found.path == "conv6" and found.steps[-1].failed
    assert found.steps[-1].input == ((1, 56, 16, 16),)
    assert [diagnostic.code.id for diagnostic in found.diagnostics] == ["CNN030"]
    assert repr(found).startswith("conv6 of net: fails\n")
    assert trace("concat1", WRONG).steps[-1].output == ((1, 56, 16, 16),)
    with pytest.raises(cnndsl.SpecError):
        trace(None, "input: [")


NESTED = "input: [3, 16, 16]\nnetwork: [{name: s, sequential: [Conv2d: [8, 3], Conv2d: [4, 99]]}, {name: late, ReLU: }]"


def test_what_fails_is_inside_of_its_module() -> None:
    found = trace(None, NESTED)
    (module,) = found.steps
    assert module.failed and [step.failed for step in module.steps] == [False, True] and found.path == "s.1"
    assert "\n  1    Conv2d        [1, 8, 14, 14]  fails\n" in repr(found) and "of s.0" not in repr(found)
    with pytest.raises(NoSuchPath, match=r"there is no `late` among the steps before the error in `s\.1`"):
        trace("late", NESTED)


def test_an_input_is_one_thing() -> None:
    assert trace("[xi]*", "input: [3, 4, 4]\nnetwork: [{name: act, ReLU: }]").path == "[xi]*"
    with pytest.raises(NoSuchPath, match=r"`\*` could be any of 2; name one of `input`, `act`"):
        trace("*", "input: [3, 4, 4]\nnetwork: [{name: act, ReLU: }]")


def run(tmp_path: Path, spec: str, *arguments: str) -> Any:
    (tmp_path / "net.yaml").write_text(spec)
    return CliRunner().invoke(verb("trace"), [str(tmp_path / "net.yaml"), *arguments])


def test_the_command(tmp_path: Path) -> None:
    assert run(tmp_path, SPEC, "head").exit_code == 0
    failed = run(tmp_path, WRONG)
    assert failed.exit_code == 1 and "fails" in failed.stdout and "the window does not fit" in failed.stderr
    typo = run(tmp_path, SPEC, "haed")
    assert typo.exit_code == 2 and "did you mean `head`?" in typo.stderr and not typo.stdout
    found = json.loads(run(tmp_path, SPEC, "stem.conv", "--format", "json").stdout)
    conv = found["steps"][0]["steps"][0]
    assert conv["sizes"][1] == {"axis": "H", "arithmetic": "floor((32 + 2*1 - 1*(3 - 1) - 1) / 2) + 1", "size": 16}
    assert conv["from"] == ["input"] and conv["place"].endswith("net.yaml:6:20") and "steps" not in conv
    assert found["inputs"] == {"input": [1, 3, 32, 32]}


def test_nothing_is_cut_in_a_file_and_lines_break_on_a_terminal() -> None:
    from cnndsl.cells import width
    from cnndsl.grid import Medium
    from cnndsl.questions.trace_table import as_text

    found = trace("stem.conv")
    narrow = as_text(found, Medium(48))
    assert max(map(width, narrow.splitlines())) <= 48
    assert " ".join(narrow.split()).count("called at <text>:9:18") == 2
    assert "…" not in repr(found)
