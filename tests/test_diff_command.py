# ruff: noqa: RUF001
"""``cnndsl diff`` as a command: what it says of known networks, its formats, and revisions of git."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from terminal import Setting, shown

import cnndsl
from cnndsl.cli import cli
from cnndsl.emit.diagram.themes import THEMES

ARCHS = Path(__file__).parent.parent / "archs"
BASE = """\
input: [3, 32, 32]
params: {width: 32, depth: 2}
blocks:
  Block(channels):
    - residual:
        - Conv2d: {out_channels: $channels, kernel_size: 3, padding: 1, bias: false}
        - BatchNorm2d
        - ReLU
    - ReLU
network:
  - Conv2d: {out_channels: $width, kernel_size: 3, padding: 1}
  - repeat: [Block: $width]
    times: $depth
  - AdaptiveAvgPool2d: 1
  - Flatten
  - Linear: 10
"""
NET = "extends: base.yaml\nname: net\nparams: {depth: 3}\n"

Diff = Callable[..., Result]


@pytest.fixture
def diff(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Diff:
    """Runs the command in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(cli, ["diff", *map(str, arguments)])

    return run


def told(result: Result) -> list[str]:
    """The lines that tell changes: from the first blank line to the next."""
    return result.output.split("\n\n")[1].splitlines()


# --- what it says ----------------------------------------------------------------------------------------


def test_vgg(diff: Diff) -> None:
    found = diff("zoo:torchvision/vgg11", "zoo:torchvision/vgg16")
    assert found.exit_code == 1
    assert told(found) == [
        "+ features (+5.49 M params)",
        "    5 × (Conv2d, ReLU) added",
        "    1 → 2 at 2–3, 7–8",
        "    2 → 3 at 14–15, 21–22, 28–29",
    ]
    assert "parameters       132.86 M  138.36 M  +4.14 %" in found.output
    assert "receptive field   150×150   212×212" in found.output
    assert told(diff(ARCHS / "vgg11.yaml", ARCHS / "vgg16.yaml")) == [
        "~ 5 × VGGBlock: convolutions 1 → 2 (0, 1), 2 → 3 (2, 3, 4) (+5.49 M params)"
    ]


def test_resnet(diff: Diff) -> None:
    assert told(diff("zoo:torchvision/resnet18", "zoo:torchvision/resnet34")) == [
        "+ layer1: 2 → 3 × Block (layer1.2) (+73.98 k params)",
        "+ layer2: 2 → 4 × Block (layer2.2–3) (+590.85 k params)",
        "+ layer3: 2 → 6 × Block (layer3.2–5) (+4.72 M params)",
        "+ layer4: 2 → 3 × Block (layer4.2) (+4.72 M params)",
    ]


def test_resnext(diff: Diff) -> None:
    """Equal changes of sixteen blocks are told once."""
    assert told(diff("zoo:torchvision/resnet50", "zoo:torchvision/resnext50_32x4d")) == [
        "~ Block.conv1 in 16 blocks (+4.33 M params)",
        "    out_channels ×2 (64 → 128, 128 → 256, 256 → 512, 512 → 1024)",
        "~ Block.conv2 in 16 blocks (-9.90 M params)",
        "    out_channels ×2 (64 → 128, 128 → 256, 256 → 512, 512 → 1024)",
        "    groups 1 → 32",
    ]


def test_one_inception_of_googlenet(diff: Diff, tmp_path: Path) -> None:
    shutil.copy(ARCHS / "inception.yaml", tmp_path)
    text = (ARCHS / "googlenet.yaml").read_text()
    (tmp_path / "other.yaml").write_text(text.replace("Inception: [160, [112, 224]", "Inception: [192, [112, 224]"))
    found = diff(ARCHS / "googlenet.yaml", "other.yaml")
    assert told(found) == ["~ 3.1 Inception: c1 160 → 192 (+16.42 k params)"]
    assert "which changes\n~ 3.1.conv1 Conv2d: out_channels 160 → 192 (+16.42 k params)\n" in found.output
    assert "So 3 layers have other output shapes and 4 layers have other numbers of parameters." in found.output


def test_a_layer_moved(diff: Diff, tmp_path: Path) -> None:
    steps = ["Conv2d: [8, 3]", "BatchNorm2d", "ReLU", "Dropout", "Flatten", "Linear: 10"]
    for name, order in {"a": steps, "b": [steps[i] for i in (0, 2, 1, 3, 4, 5)], "c": [*steps[:3], *steps[4:]]}.items():
        lines = "\n".join(f"  - {step}" for step in order)
        (tmp_path / f"{name}.yaml").write_text(f"input: [3, 8, 8]\nnetwork:\n{lines}\n")
    assert told(diff("a.yaml", "b.yaml")) == ["> 1: ReLU, moved from 2 to 1; was after 1, is after 0"]
    assert told(diff("a.yaml", "c.yaml")) == ["- 3: Dropout"]
    assert told(diff("c.yaml", "a.yaml")) == ["+ 3: Dropout"]


def test_a_skip_from_elsewhere(diff: Diff, tmp_path: Path) -> None:
    text = """\
input: [8, 8, 8]
network:
  - {name: one, Conv2d: [8, 1]}
  - {name: two, Conv2d: [8, 1]}
  - {name: three, Conv2d: [8, 1]}
  - {name: join, branch: [[from: one], []], merge: add}
"""
    (tmp_path / "a.yaml").write_text(text)
    (tmp_path / "b.yaml").write_text(text.replace("from: one", "from: two"))
    assert told(diff("a.yaml", "b.yaml")) == ["~ join: input: one → two"]


def test_other_parameters(diff: Diff) -> None:
    found = diff("zoo:torchvision/resnet18", "-p", "classes=5", "-P", "classes=7")
    assert found.exit_code == 1
    assert "params: classes 5 → 7" in found.output
    assert told(found) == ["~ fc Linear: out_features 5 → 7 (+1.03 k params)"]
    assert diff("zoo:torchvision/resnet18", "-p", "classes=5", "-P", "classes=5").exit_code == 0
    found = diff("zoo:torchvision/resnet18", "--right-set", "input=[3, 96, 96]")
    assert told(found) == ["~ input: [3, 224, 224] → [3, 96, 96]"]


def test_the_docs_are_current(diff: Diff) -> None:
    text = (ARCHS.parent / "docs" / "diff.md").read_text()
    runs = re.findall(r"```console\n\$ cnndsl diff (zoo:.*)\n((?s:.*?))```", text)
    assert len(runs) >= 5
    for line, output in runs:
        if "--weights" not in line:
            assert diff(*line.split()).output == output


def test_another_recipe_is_told_but_is_no_difference(diff: Diff) -> None:
    for form in ("text", "markdown"):
        found = diff(ARCHS / "lenet.yaml", "--right-set", "train.epochs=3", "--format", form)
        assert found.exit_code == 0
        assert "the networks are equal\n\nThe specs also differ in train.\n" in found.output
    found = diff("zoo:lenet", "--right-set", 'rename={"1": conv1}', "--right-set", "train.epochs=3")
    assert found.exit_code == 0
    assert "The specs also differ in rename and train." in found.output


SGD = "{SGD: {lr: 0.1}}"
SCHEDULE = (
    "{SequentialLR: {schedulers: [{LinearLR: {total_iters: 1%s}}, {CosineAnnealingLR: {T_max: 2}}], milestones: [1]}}"
)


@pytest.mark.parametrize(
    ("train", "same"),
    [
        ({"loss": "CrossEntropyLoss"}, True),
        ({"loss": "{CrossEntropyLoss: {label_smoothing: 0.0}}"}, True),
        ({"loss": "{CrossEntropyLoss: {label_smoothing: 0.1}}"}, False),
        ({"seed": 0, "optimizer": "{SGD: {momentum: 0, lr: 1e-1}}"}, True),
        ({"optimizer": "{SGD: {momentum: 0.9, lr: 0.1}}"}, False),
        ({"scheduler": SCHEDULE % ", end_factor: 1.0"}, True),
        ({"scheduler": SCHEDULE % ", end_factor: 0.5"}, False),
        ({"optimizer": "{SGD: {lr: $(1 / 10)}}", "augment": "[]"}, True),
        ({"optimizer": "{SGD: {lr: 0}, Adam: {}}"}, False),
    ],
)
def test_recipes_that_mean_the_same_are_equal(train: dict[str, object], same: bool, diff: Diff, tmp_path: Path) -> None:
    common = {"dataset": "FashionMNIST", "epochs": 3, "batch_size": 8, "optimizer": SGD}
    common |= {"scheduler": SCHEDULE % ""} if "scheduler" in train else {}
    for name, recipe in (("one", common), ("other", common | train)):
        lines = "".join(f"  {key}: {value}\n" for key, value in recipe.items())
        (tmp_path / f"{name}.yaml").write_text(f"input: [1, 28, 28]\nnetwork: [Flatten, Linear: 10]\ntrain:\n{lines}")
    for names in (("one", "other"), ("other", "one")):
        found = diff(*(tmp_path / f"{name}.yaml" for name in names))
        assert found.exit_code == 0
        assert ("The specs also differ in train." in found.output) != same


def test_a_summary_has_the_figures_alone(diff: Diff) -> None:
    whole, summary = (diff("zoo:alexnet", "zoo:vgg11", *more).output for more in ((), ("--summary",)))
    head, _, changes = whole.partition("\n\n")
    figures = re.search(r"^ +alexnet +vgg11 +by\n(?s:.*)", changes, re.M)
    assert figures and summary == f"{head}\n\n{figures[0]}"
    whole, summary = (
        diff("zoo:alexnet", "zoo:vgg11", "--format", "markdown", *more).output.rstrip().split("\n\n")
        for more in ((), ("--summary",))
    )
    assert [part[:2] for part in summary] == ["**", "| ", "Co"] and set(summary) <= set(whole)
    assert "the networks are equal" in diff("zoo:alexnet", "zoo:alexnet", "--summary").output
    assert diff("zoo:alexnet", "zoo:vgg11", "--summary", "--format", "json").exit_code == 2


def test_long_names_are_no_heads(diff: Diff) -> None:
    """Or the table would be wider than its figures."""
    given = ("zoo:torchvision/resnet18", "--right-set", "input=[3, 64, 64]", "--right-set", "description=small images")
    head, *_, table = diff(*given).output.partition("\n\n  ")
    assert head.startswith("resnet18 → resnet18, input=[3, 64, 64], description=small images\n")
    assert table.splitlines()[0].split() == ["left", "right", "by"]


def test_a_picture_without_its_option_is_told(diff: Diff) -> None:
    for specs in (("zoo:lenet", "zoo:alexnet", "a.svg"), ("zoo:lenet", "a.svg")):
        found = diff(*specs)
        assert found.exit_code == 2 and "a.svg is not a spec: `-o a.svg` draws what differs" in found.output


THREE = """\
input: [8, 16, 16]
network:
  - {name: c1, Conv2d: [8, 3, 1, 1]}
  - {name: c2, Conv2d: [8, 3, 1, 1]}
  - {name: c3, Conv2d: [8, 3, 1, 1]}
"""
TWO = """\
input: {p: [4, 8, 8], q: [4, 8, 8]}
blocks:
  Two: {outputs: [u, v], steps: [{name: u, Conv2d: [4, 1]}, {name: v, ReLU: }]}
network:
  - from: p
  - {name: bb, Two: }
  - from: bb.u
  - {name: one, Conv2d: [4, 1]}
  - from: q
  - {name: two, Conv2d: [4, 1]}
  - {name: last, branch: [[from: one], [from: two], [from: bb.v]], merge: add}
"""


@pytest.mark.parametrize(
    ("text", "edit", "wanted"),
    [
        (THREE, ("", "outputs: [c3, c2]"), "~ outputs: c3 → c3, c2"),
        (THREE, ("", "outputs: [c2]"), "~ outputs: c3 → c2"),
        (THREE, ("[8, 16, 16]", "{img: [8, 16, 16]}"), "~ inputs: x → img"),
        (THREE, ("", "init: {Conv2d: zeros}"), "~ init Conv2d.weight: torch's default → zeros"),
        (THREE, ("", "init: {Linear: zeros}"), ""),
        (THREE, ("", "  - Linear: 3\ninit: {Linear: zeros}"), "~ init Linear.weight: torch's default → zeros"),
        (THREE, ("c3, Conv2d: [8, 3, 1, 1]", "c3, reuse: c2"), "~ c3: its own Conv2d → c2 again (-584 params)"),
        (THREE + "  - reuse: c1\n", ("reuse: c1", "reuse: c2"), "~ c2: c1 again → c2 again"),
        (TWO, ("[u, v]", "[v, u]"), "~ bb: outputs: u, v → v, u"),
        (TWO, ("from: bb.u", "from: bb.v"), "~ one: input: bb.u → bb.v"),
        (TWO, ("  - from: p", "  - from: q"), "~ bb: input: the input p → the input q"),
        (TWO, ("{p: [4, 8, 8], q: [4, 8, 8]}", "{q: [4, 8, 8], p: [4, 8, 8]}"), "~ inputs: p, q → q, p"),
        (TWO, ("[from: one], [from: two]", "[from: two], [from: one]"), ""),
        (TWO, ("[from: two]", "[from: p]"), "~ last: input: two → the input p"),
    ],
)  # fmt: skip
def test_what_is_seen_from_outside(diff: Diff, tmp_path: Path, text: str, edit: tuple[str, str], wanted: str) -> None:
    """What a network takes and returns, how its weights start, and which are the same."""
    old, new = edit
    (tmp_path / "a.yaml").write_text(text)
    (tmp_path / "b.yaml").write_text(text.replace(old, new, 1) if old else f"{text}{new}\n")
    found = diff("a.yaml", "b.yaml")
    assert found.exit_code == bool(wanted), found.output
    assert told(found)[0] == (wanted or "the networks are equal")


SWAPPED = ("{p: [4, 8, 8], q: [4, 8, 8]}", "{q: [4, 8, 8], p: [4, 8, 8]}")


@pytest.mark.parametrize(
    ("edits", "wanted"),
    [
        ([], []),
        ([("from: q", "from: p")], ["~ two: input: the input q → the input p"]),
        ([("one, Conv2d: [4, 1]", "one, ReLU: ")], ["~ one: Conv2d(4, 1) → ReLU (-20 params)"]),
        (
            [("from: p", "from: r"), ("from: q", "from: p"), ("from: r", "from: q")],
            ["~ bb: input: the input p → the input q", "~ two: input: the input q → the input p"],
        ),
    ],
)
def test_inputs_in_another_order(diff: Diff, tmp_path: Path, edits: list[tuple[str, str]], wanted: list[str]) -> None:
    """The order is one change, and tensors are compared by the names of the inputs."""
    text = TWO
    (tmp_path / "a.yaml").write_text(text)
    for old, new in (SWAPPED, *edits):
        text = text.replace(old, new, 1)
    (tmp_path / "b.yaml").write_text(text)
    assert told(diff("a.yaml", "b.yaml")) == ["~ inputs: p, q → q, p", *wanted]


def test_inputs_in_another_order_with_each_others_shapes(diff: Diff, tmp_path: Path) -> None:
    """What follows from the shapes is told."""
    steps = "from: p, {name: a, Conv2d: [4, 1]}, from: q, {name: b, Conv2d: [4, 1]}"
    text = f"input: {{%s}}\nnetwork: [{steps}]\noutputs: [a, b]\n"
    (tmp_path / "a.yaml").write_text(text % "p: [3, 8, 8], q: [1, 8, 8]")
    (tmp_path / "b.yaml").write_text(text % "q: [3, 8, 8], p: [1, 8, 8]")
    found = json.loads(diff("a.yaml", "b.yaml", "--format", "json").output)
    assert [change["what"] for change in found["changes"]] == ["changed"] * 3
    assert len(found["consequences"]) == 2


def test_names_that_nobody_wrote_are_told_if_they_are_all(diff: Diff, tmp_path: Path) -> None:
    """Weights have other names then."""
    (tmp_path / "a.yaml").write_text("input: [4, 8, 8]\nnetwork: [Conv2d: [4, 1], ReLU]\n")
    (tmp_path / "b.yaml").write_text("input: [4, 8, 8]\nnetwork: [from: input, Conv2d: [4, 1], ReLU]\n")
    states = [[*cnndsl.load(tmp_path / name).module().state_dict()] for name in ("a.yaml", "b.yaml")]
    found = diff("a.yaml", "b.yaml")
    assert found.exit_code == (states[0] != states[1])
    assert told(found) == ["~ conv1: renamed: 0 → conv1", "~ relu1: renamed: 1 → relu1"]


POOLS = "AvgPool2d: 2, ReLU, Conv2d: [4, 1], AvgPool2d: 2"


@pytest.mark.parametrize(
    ("steps", "old", "new", "wanted"),
    [
        (
            "{name: n, BatchNorm2d: }, {name: r, ReLU: }",
            "{name: n, BatchNorm2d: }, {name: r, ReLU: }",
            "{name: r, ReLU: }, {name: n, BatchNorm2d: }",
            "> r: ReLU, moved; was after n, is after first",
        ),
        (POOLS, "AvgPool2d", "MaxPool2d", "~ 2 × MaxPool2d (maxpool1, maxpool2): AvgPool2d(2) → MaxPool2d(2)"),
        (
            "Flatten, Linear: 84, Sigmoid, Linear: 80, Sigmoid",
            ", Linear: 80, Sigmoid",
            "",
            "- the network: 2 → 1 × (Linear, Sigmoid) (linear2–sigmoid2: Linear(80), Sigmoid) (-6.80 k params)",
        ),
    ],
)
def test_sentences(diff: Diff, tmp_path: Path, steps: str, old: str, new: str, wanted: str) -> None:
    text = "input: [4, 8, 8]\nnetwork: [from: input, {name: first, Conv2d: [4, 1]}, %s]\n"
    (tmp_path / "a.yaml").write_text(text % steps)
    (tmp_path / "b.yaml").write_text(text % steps.replace(old, new))
    assert told(diff("a.yaml", "b.yaml")) == [wanted]


def test_blocks_by_another_name(diff: Diff, tmp_path: Path) -> None:
    """Their places are told, and no module that only some are in."""
    modules = ", ".join(f"{{name: {name}, sequential: [A: , A: ]}}" for name in ("s1", "s2"))
    text = f"input: [4, 8, 8]\nblocks: {{A: [Conv2d: [4, 1], ReLU]}}\nnetwork: [{modules}]\n"
    (tmp_path / "a.yaml").write_text(text)
    (tmp_path / "b.yaml").write_text(text.replace("A:", "B:"))
    assert told(diff("a.yaml", "b.yaml")) == ["~ 4 × B (s1.0, s1.1, s2.0, s2.1): A → B"]


def test_a_network_that_breaks_its_spec_is_compared(diff: Diff) -> None:
    """Its `expect` and its recipe do not keep it from being a network."""
    eight = ("--right-set", "network.1={Conv2d: [8, 5, 1, 2]}")
    for form in ("text", "markdown"):
        found = diff(ARCHS / "lenet.yaml", *eight, "--format", form)
        assert found.exit_code == 1
        assert "out_channels 6 → 8" in found.output
        assert re.search(r"right: .*CNN037.*62,558 params, not 61706 as", found.output.replace("\n", " "))
    (note,) = json.loads(diff(ARCHS / "lenet.yaml", *eight, "--format", "json").output)["notes"]
    assert note.startswith("right: ") and "zoo:classic/lenet:30:32: error[CNN037]" in note
    found = diff(ARCHS / "lenet.yaml", "--set", "train.epochs=-1", "-P", "classes=12")
    assert found.exit_code == 1
    assert "\nleft: --set train.epochs: error[CNN010]" in found.output


# --- formats ---------------------------------------------------------------------------------------------


def test_json(diff: Diff) -> None:
    found = json.loads(diff("zoo:torchvision/resnet18", "zoo:torchvision/resnet34", "--format", "json").output)
    assert found["equal"] is False
    assert found["left"]["params"] == 11689512 and found["right"]["params"] == 21797672
    assert [change["what"] for change in found["changes"]] == ["added"] * 4
    assert found["changes"][0]["count"] == {"unit": ["Block"], "before": 2, "after": 3}
    assert found["left"]["field"] == [435, 435]
    assert [group["title"] for group in found["groups"]] == ["layer1", "layer2", "layer3", "layer4"]


def test_markdown(diff: Diff) -> None:
    found = diff("zoo:torchvision/resnet50", "zoo:torchvision/resnext50_32x4d", "--format", "markdown").output
    assert found.startswith("**`resnet50` → `resnext50_32x4d`**\n\n- `Block.conv1 in 16 blocks`: out_channels ×2")
    assert "| parameters | 25.56 M | 25.03 M | -2.07 % |" in found
    assert found.count("<details>") == found.count("</details>") == 1


def test_text_of_a_spec_is_escaped(diff: Diff, tmp_path: Path) -> None:
    """The name of a file may hold anything."""
    name = "<b>|`x`\x1b[31m.yaml"
    (tmp_path / name).write_text("name: net\ninput: [4, 4, 4]\nnetwork: [Conv2d: [4, 1]]\n")
    (tmp_path / "b.yaml").write_text("name: net\ninput: [4, 4, 4]\nnetwork: [Conv2d: [5, 1]]\n")
    assert "<b>|`x`\\x1b[31m.yaml → b.yaml\n" in diff(name, "b.yaml").output
    output = diff(name, "b.yaml", "--format", "markdown").output
    assert output.startswith("**`` <b>|`x`\\x1b[31m.yaml `` → `b.yaml`**\n")
    assert "|  | \\<b\\>\\|\\`x\\`\\\\x1b[31m.yaml | b.yaml | by |" in output
    assert json.loads(diff(name, "b.yaml", "--format", "json").output)["left"]["name"] == name


@pytest.mark.parametrize("columns", [40, 60])
def test_narrow_terminals(tmp_path: Path, columns: int) -> None:
    screen = shown(["diff", "zoo:torchvision/resnet50", "zoo:resnext50_32x4d"], tmp_path, Setting(columns))
    assert screen.code == 1
    assert "groups 1 → 32" in screen.text
    assert screen.colours
    assert max(map(len, screen.lines)) <= columns
    assert "-2.07 %" in screen.text


def test_from_python() -> None:
    found = cnndsl.diff("zoo:torchvision/resnet18", cnndsl.load("zoo:torchvision/resnet18", depths=(2, 2, 3, 2)))
    assert bool(found) and "layer3: 2 → 3 × Block" in repr(found)
    assert found._repr_html_().startswith("<pre>resnet18 → resnet18")
    assert not cnndsl.diff("zoo:lenet", "zoo:lenet")
    with pytest.raises(cnndsl.SpecError):
        cnndsl.diff("zoo:lenet", "nothing.yaml")


def test_weights(diff: Diff, tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.save(cnndsl.load(ARCHS / "lenet.yaml").module().state_dict(), tmp_path / "lenet.pt")
    arguments = (ARCHS / "lenet.yaml", "five.yaml", "--weights", "lenet.pt")
    text = (ARCHS / "lenet.yaml").read_text().partition("init:")[0].replace("$classes", "5")
    (tmp_path / "five.yaml").write_text(text)
    found = diff(*arguments)
    assert found.exit_code == 1
    assert "lenet.pt: 8 tensors fit, 2 of another shape" in found.output
    assert "12.weight, [10, 84] there, [5, 84] here" in found.output
    weights = json.loads(diff(*arguments, "--format", "json").output)["weights"]
    assert len(weights["fit"]) == 8 and weights["missing"] == []
    assert "rename" not in found.output
    found = diff(ARCHS / "lenet.yaml", ARCHS / "lenet_bn.yaml", "--weights", "lenet.pt", "--format", "markdown")
    assert "<summary>Tensors that do not fit</summary>" in found.output


def test_weights_by_other_names(diff: Diff, tmp_path: Path) -> None:
    """The line that is told loads them."""
    text = "input: [4, 8, 8]\nblocks: {B: [{name: c, Conv2d: [4, 1]}]}\nnetwork: [{name: one, B: }, Conv2d: [8, 1]]\n"
    new = text.replace("name: one", "name: two").replace("Conv2d: [8, 1]", "ReLU, Conv2d: [8, 1]")
    (tmp_path / "a.yaml").write_text(text)
    (tmp_path / "b.yaml").write_text(new)
    module = cnndsl.load("a.yaml").module()
    torch.save(module.state_dict(), "a.pt")
    found = diff("a.yaml", "b.yaml", "--weights", "a.pt")
    line = '  rename: {two: one, "2": "1"}'
    assert "0 tensors fit, 4 missing, 4 unexpected\n" in found.output
    assert found.output.endswith(f"\n4 tensors fit with this line in the right spec:\n{line}\n")
    assert (
        json.loads(diff("a.yaml", "b.yaml", "--weights", "a.pt", "--format", "json").output)["weights"]["renamed"] == 4
    )
    (tmp_path / "b.yaml").write_text(new + line.strip())
    loaded = cnndsl.load("b.yaml").module("a.pt").state_dict()
    for tensor, same in zip(module.state_dict().values(), loaded.values()):
        assert torch.equal(tensor, same)


# --- wrong usage -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected two specs"),
        (["zoo:lenet"], "is compared with nothing"),
        (["a", "b", "c"], "expected two specs, or one with -p or -P, got 3"),
        (["zoo:lenet", "none.yaml"], "none.yaml does not exist"),
        (["HEAD", "net.yaml"], "`cnndsl diff HEAD -- net.yaml`"),
        (["HEAD", "--", "net.yaml"], "git finds no work tree"),
        (["zoo:lenet", "wrong.yaml"], "error[CNN"),
        (["zoo:lenet", "-P", "clases=3"], "-P clases: error"),
        (["zoo:lenet", "-p", "clases=3"], "-p clases: error"),
        (["zoo:lenet", "-P", "clases"], "`-P clases` is not of the form"),
        (["zoo:lenet", "--right-set", "nam=3"], "--right-set nam: error"),
        (["HEAD", "--", "zoo:lenet"], "has no revisions"),
        (["HEAD", "--", "a.yaml", "b.yaml"], "expected one spec after the `--`, got 2"),
        (["1", "2", "3", "--", "a.yaml"], "two revisions at most"),
        (["zoo:lenet", "zoo:alexnet", "--weights", "none.pt"], "none.pt does not exist"),
        (["--git", "a", "b"], "git gives a path and 6 or 8 words after it, got 2"),
    ],
)
def test_wrong_usage(diff: Diff, tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "net.yaml").write_text(BASE)
    (tmp_path / "wrong.yaml").write_text(BASE.replace("kernel_size: 3, padding: 1}", "kernel_size: 33}"))
    found = diff(*arguments)
    assert found.exit_code == 2
    assert message in found.output


# --- git -------------------------------------------------------------------------------------------------


def git(*arguments: str, folder: Path | str = ".", **environment: str) -> str:
    """What git prints."""
    home = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "TERM": "dumb"}
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.com", "-c", "commit.gpgsign=false"]
    variables = os.environ | home | {"PYTHONPATH": str(ARCHS.parent)} | environment
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, env=variables, capture_output=True, check=True)
    return done.stdout.decode()


@pytest.fixture
def repository(diff: Diff, tmp_path: Path) -> Path:
    """Two commits: the first has depth 3 and no bias, the second depth 4 and a bias. Uncommitted: depth 5 and GELU."""
    folder = tmp_path / "nets"
    folder.mkdir()
    git("init", "-q")
    (folder / "base.yaml").write_text(BASE)
    (folder / "net.yaml").write_text(NET)
    git("add", "-A")
    git("commit", "-qm", "one")
    (folder / "base.yaml").write_text(BASE.replace("bias: false", "bias: true"))
    (folder / "net.yaml").write_text(NET.replace("3", "4"))
    git("commit", "-qam", "two")
    (folder / "base.yaml").write_text(BASE.replace("bias: false", "bias: true").replace("- ReLU", "- GELU"))
    (folder / "net.yaml").write_text(NET.replace("3", "5"))
    return tmp_path


def test_revisions(diff: Diff, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a spec extends is of the same revision, and nothing is touched."""
    before = git("status", "--porcelain=v2")
    for revisions in (["HEAD~1", "HEAD"], ["HEAD~1..HEAD"], ["HEAD~1.."]):
        found = diff(*revisions, "--", "nets/net.yaml")
        assert found.exit_code == 1, found.output
        assert told(found) == [
            "~ Block.conv1 in 3 blocks: bias False → True (+96 params)",
            "+ the network: 3 → 4 × Block (4) (+9.31 k params)",
        ]
    for revisions in (["HEAD"], []):
        found = diff(*revisions, "--", "nets/net.yaml")
        assert "Block.gelu1 in 4 blocks: ReLU → GELU" in found.output
        assert "params: depth 4 → 5" in found.output
        assert "HEAD:nets/net.yaml → nets/net.yaml" in found.output
    assert diff("HEAD", "HEAD", "--", "nets/net.yaml").exit_code == 0
    monkeypatch.chdir(repository / "nets")
    assert told(diff("HEAD~1", "HEAD", "--", "base.yaml")) == [
        "~ Block.conv1 in 2 blocks: bias False → True (+64 params)"
    ]
    assert git("status", "--porcelain=v2", folder=repository) == before
    shutil.rmtree(repository / "nets")
    monkeypatch.chdir(repository)
    assert diff("HEAD~1", "HEAD", "--", "nets/net.yaml").exit_code == 1


def test_links_of_a_revision(diff: Diff, repository: Path) -> None:
    Path("nets/link.yaml").symlink_to("base.yaml")
    Path("nets/net.yaml").write_text(NET.replace("base", "link"))
    git("add", "-A")
    git("commit", "-qm", "three")
    assert diff("HEAD", "--", "nets/net.yaml").exit_code == 0
    assert diff("HEAD", "--", "nets/link.yaml").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["HEAD~9", "--", "nets/net.yaml"], "git knows no revision `HEAD~9`"),
        (["mian", "--", "nets/net.yaml"], "did you mean `main`?"),
        (["HEAD", "--", "nets/none.yaml"], "HEAD:nets/none.yaml does not exist"),
        (["HEAD", "--", "nets"], "HEAD:nets cannot be read: it is a folder"),
        (["HEAD", "HEAD", "--", "--version"], "HEAD:--version does not exist"),
        (["broken", "--", "nets/net.yaml"], "broken:nets/base.yaml:14:5: error[CNN"),
        (["lost", "--", "nets/net.yaml"], "lost:nets/base.yaml does not exist"),
    ],
)
def test_wrong_revisions(diff: Diff, repository: Path, arguments: list[str], message: str) -> None:
    git("branch", "-m", "main")
    Path("nets/base.yaml").write_text(BASE.replace("AdaptiveAvgPool2d: 1", "AdaptiveAvgPool: 1"))
    git("commit", "-qam", "three")
    git("tag", "broken")
    git("rm", "-q", "nets/base.yaml")
    git("commit", "-qm", "four")
    git("tag", "lost")
    found = diff(*arguments)
    assert found.exit_code == 2
    assert message in found.output


def test_without_git(diff: Diff, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository / "nets"))
    found = diff("HEAD", "--", "nets/net.yaml")
    assert found.exit_code == 2
    assert "git is not installed, or not in PATH" in found.output


# --- git diff --------------------------------------------------------------------------------------------


@pytest.fixture
def driver(repository: Path) -> Path:
    """The repository with the driver in use, as docs/diff.md says."""
    (repository / ".gitattributes").write_text("*.yaml diff=cnndsl\n")
    git("config", "diff.cnndsl.command", f"{shlex.quote(sys.executable)} -m cnndsl diff --git")
    return repository


def test_git_diff(driver: Path) -> None:
    found = git("diff", "HEAD")
    assert "diff --cnndsl a/nets/net.yaml b/nets/net.yaml\na/nets/net.yaml → b/nets/net.yaml\n" in found
    assert "~ Block.gelu1 in 4 blocks: ReLU → GELU\n" in found
    found = git("diff", "HEAD~1", "HEAD")  # the base of each side is that of its revision
    assert "~ Block.conv1 in 3 blocks: bias False → True (+96 params)\n" in found
    assert git("log", "-p", "-1", "--ext-diff", folder=driver / "nets").endswith(found.partition("\n")[2])
    assert git("diff", "HEAD~1", "HEAD", folder=driver / "nets") == found


def test_git_diff_of_files_that_come_and_go(driver: Path) -> None:
    git("commit", "-qam", "three")
    git("mv", "nets/net.yaml", "nets/other.yaml")
    Path("nets/third.yaml").write_text(BASE)
    git("add", "-A")
    git("commit", "-qm", "four")
    found = git("diff", "-M", "HEAD~1", "HEAD", "--", "nets")
    assert "new: third, [3, 32, 32] → [10]" in found and "+++ b/nets/third.yaml" in found
    assert "diff --cnndsl a/nets/net.yaml b/nets/other.yaml\nthe networks are equal\n" in found
    git("rm", "-q", "nets/third.yaml")
    found = git("diff", "--cached")
    assert "deleted: third" in found and "+++ /dev/null" in found


def test_git_diff_of_what_is_not_a_network(driver: Path) -> None:
    """Its text is shown, as git would show it."""
    git("commit", "-qam", "three")
    Path("other.yaml").write_text("a: 1\nb: 2\n")
    Path("nets/base.yaml").write_text(Path("nets/base.yaml").read_text() + "# a comment\n")
    Path("nets/net.yaml").write_text(NET.replace("name: net", "nam: net"))
    git("add", "-A")
    found = git("diff", "HEAD")
    assert "--- /dev/null\n+++ b/other.yaml\n@@ -0,0 +1,2 @@\n+a: 1\n+b: 2\n" in found
    assert "b/nets/net.yaml has errors, so the text is shown\n" in found and "+nam: net\n" in found
    assert "the networks are equal\n--- a/nets/base.yaml" in found and "+# a comment\n" in found


def test_git_diff_in_colour(driver: Path) -> None:
    assert "\x1b[" in git("diff", "HEAD", GIT_PAGER_IN_USE="1")
    assert "\x1b[" not in git("diff", "HEAD", GIT_PAGER_IN_USE="1", NO_COLOR="1")
    assert "\x1b[" not in git("diff", "HEAD")


def test_git_diff_of_a_conflict(driver: Path) -> None:
    git("commit", "-qam", "three")
    git("checkout", "-qb", "side", "HEAD~1")
    Path("nets/net.yaml").write_text(NET.replace("3", "7"))
    git("commit", "-qam", "side")
    with pytest.raises(subprocess.CalledProcessError):
        git("merge", "-")
    assert "* Unmerged path nets/net.yaml" in git("diff", "--cached")


# --- figures ---------------------------------------------------------------------------------------------

#: The fills of Graphviz for what is added, removed and changed, in the light theme.
FILLS = {mark: fill for mark, (fill, _) in THEMES["light"].marks.items()}


def test_a_figure(diff: Diff, tmp_path: Path) -> None:
    path = tmp_path / "diff.svg"
    assert diff("zoo:torchvision/resnet18", "zoo:torchvision/resnet34", "-o", path).exit_code == 1
    text = path.read_text()
    assert "resnet18 → resnet34" in text and "added" in text and "removed" not in text
    assert text.count(f'fill="{FILLS["added"].lower()}"') == 4 + 4 + 1  # a box a layer, a block opened, the legend
    first = path.read_bytes()
    diff("zoo:torchvision/resnet18", "zoo:torchvision/resnet34", "-o", path)
    assert path.read_bytes() == first
    assert diff("zoo:torchvision/resnet34", "zoo:torchvision/resnet18", "-o", path).exit_code == 1
    text = path.read_text()
    assert "resnet18" in text and "resnet34" in text and "→" not in text
    assert text.count(f'fill="{FILLS["removed"].lower()}"') == 4 + 4 + 1


@pytest.mark.parametrize("ending", [".png", ".pdf", ".dot"])
def test_formats_of_figures(diff: Diff, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"diff{ending}"
    assert diff("zoo:lenet", "zoo:lenet_bn", "-o", path).exit_code == 1
    assert path.read_bytes().startswith({".png": b"\x89PNG", ".pdf": b"%PDF", ".dot": b"//"}[ending])


def test_files_of_others_are_kept(diff: Diff, tmp_path: Path) -> None:
    path = tmp_path / "diff.svg"
    path.write_text("mine")
    found = diff("zoo:lenet", "zoo:lenet_bn", "-o", path)
    assert found.exit_code == 2 and "was not written by cnndsl" in found.output
    assert path.read_text() == "mine"
    assert diff("zoo:lenet", "zoo:lenet_bn", "-o", path, "--force").exit_code == 1
    assert diff("zoo:lenet", "zoo:lenet_bn", "-o", tmp_path / "none" / "diff.svg").exit_code == 2
    assert diff("zoo:lenet", "zoo:lenet_bn", "-o", tmp_path / "diff.gif").exit_code == 2


def test_one_layer_of_a_box_in_a_figure(diff: Diff, tmp_path: Path) -> None:
    """Its text has the colour, and the box is that of a change."""
    text = "input: [8, 8, 8]\nnetwork: [Conv2d: [8, 1], ReLU, Dropout: 0.1, Conv2d: [8, 1]%s]\n"
    (tmp_path / "a.yaml").write_text(text % "")
    (tmp_path / "b.yaml").write_text(text.replace("Dropout: 0.1, ", "") % ", BatchNorm2d")
    diff("a.yaml", "b.yaml", "-o", tmp_path / "diff.dot")
    dot = (tmp_path / "diff.dot").read_text()
    for mark, layer in (("removed", "Dropout"), ("added", "BN")):
        fill, border = THEMES["light"].marks[mark]
        assert re.search(f'COLOR="{border}"><B>{layer}', dot)
        assert dot.count(fill) == 1  # that of the legend
    assert dot.count(THEMES["light"].marks["changed"][0]) == 2 * 2
