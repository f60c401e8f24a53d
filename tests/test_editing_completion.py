"""Completion: what fits at a cursor is offered, nothing else, and what is accepted is valid."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from completing import CURSOR, accepted, analysed, at_cursor, words

from cnndsl.diagnostics import Code
from cnndsl.editing.completion import complete
from cnndsl.layers import LAYERS
from cnndsl.layers.kinds import POSITIVE, Choice
from cnndsl.layers.table import Layer, argument
from cnndsl.network import check
from cnndsl.recipe.datasets import DATASETS
from cnndsl.recipe.optimizers import OPTIMIZERS
from cnndsl.spec.document import Text
from cnndsl.spec.functions import FUNCTIONS
from cnndsl.spec.recipe_keys import KEYS
from cnndsl.spec.words import COMMON, WORDS

ROOT = Path(__file__).parent.parent
SPEC = Path(__file__).parent / "unsaved.yaml"

HEAD = "input: [3, 32, 32]\nparams: {width: 8, act: ReLU, fast: true}\n"
BLOCKS = """\
blocks:
  ConvBlock(channels, stride=1, act=ReLU, how=add):
    - {name: conv, Conv2d: {out_channels: $channels, kernel_size: 3, stride: $stride, padding: 1}}
    - $act
    - {branch: [[], []], merge: $how}
  Backbone:
    outputs: [c2, c3]
    steps: [{name: c2, ConvBlock: 8}, {name: c3, ConvBlock: [16, 2]}]
"""
NETWORK = HEAD + BLOCKS + "network:\n"

#: A text with a cursor, labels that are offered there, and labels that are not.
CASES = {
    "a step": (NETWORK + "  - Con‸", "Conv2d ConvBlock residual name when", "out_channels merge $width else"),
    "a step, no dash": (NETWORK + "  - ReLU\n  ‸\n  - ReLU", "Conv2d repeat", "merge"),
    "a step in brackets": (NETWORK + "  - branch: [[Conv2d: 8, Re‸\n  - ReLU", "ReLU Conv2d dense", "kernel_size"),
    "a step that is a value": (NETWORK + "  - $‸", "$act", "$width $fast"),
    "the word of a step": (NETWORK + "  - name: stem\n    Con‸", "Conv2d from", "times name"),
    "an option": (NETWORK + "  - Conv2d: 8\n    par‸", "parametrization name when", "inputs Conv2d merge else"),
    "an option of a block": (NETWORK + "  - {ConvBlock: 8, in‸}", "inline inputs name", "parametrization"),
    "an option of a layer without weights": (NETWORK + "  - {ReLU: , ‸}", "name", "parametrization inline"),
    "else after when": (NETWORK + "  - {when: $fast, ReLU: , ‸}", "else name", "when"),
    "an option of a branch": (NETWORK + "  - {branch: [[], []], merge: add, ‸}", "split name", "dim times merge"),
    "an option of a loop": (NETWORK + "  - {repeat: [ReLU], for: i, ‸}", "in name", "times merge"),
    "an argument": (NETWORK + "  - Conv2d: {out_channels: 8, k‸", "kernel_size bias in_channels", "out_channels name"),
    "an argument before others": (NETWORK + "  - Conv2d: {‸, kernel_size: 3}", "out_channels", "kernel_size"),
    "an argument of a block": (NETWORK + "  - ConvBlock:\n      cha‸", "channels stride act", "out_channels"),
    "an argument of a layer in a value": (NETWORK + "  - $act: {inp‸}", "inplace", "channels"),
    "a choice": (NETWORK + "  - Conv2d: {padding_mode: re‸}", "reflect zeros $width", "true ReLU"),
    "a boolean": (NETWORK + "  - Conv2d: {bias: ‸}", "true false $fast", "reflect"),
    "a merge": (NETWORK + "  - branch: [[], []]\n    merge: ‸", "add concat $width", "true"),
    "a condition": (NETWORK + "  - {ReLU: , when: ‸}", "true false $fast", "null"),
    "a layer as a value": (NETWORK + "  - ConvBlock: {channels: 8, act: GE‸}", "GELU null Conv2d", "add true residual"),
    "a merge as a value": (NETWORK + "  - ConvBlock: {channels: 8, how: ‸}", "add multiply", "ReLU true"),
    "a number as a value": (NETWORK + "  - ConvBlock: {channels: ‸}", "$width", "ReLU true"),
    "a boolean as a value": (HEAD.replace("true", "tr‸") + "network: [{ReLU: , when: $fast}]", "true", "ReLU"),
    "torch's name": (NETWORK + "  - nn.Con‸", "Conv2d", "nn.Conv2d"),
    "no step inside itself": (HEAD + BLOCKS.replace("- $act\n", "- Back‸\n", 1), "Conv2d", "Backbone ConvBlock"),
    "an earlier step": (NETWORK + "  - {name: a, ReLU: }\n  - from: ‸\n  - {name: b, ReLU: }", "a input", "b ReLU"),
    "an output of a module": (NETWORK + "  - {name: body, Backbone: }\n  - from: body.‸", "body.c2 body.c3 body", "c2"),
    "no step of another module": (
        NETWORK + "  - {name: a, sequential: [{name: inner, ReLU: }]}\n  - from: ‸",
        "a input",
        "inner conv c2",
    ),
    "a step in a loop": (
        NETWORK + "  - {repeat: [{name: s$i, ReLU: }], for: i, in: [0, 1]}\n  - from: ‸",
        "s0 s1",
        "conv",
    ),
    "a module again": (NETWORK + "  - {name: a, ReLU: }\n  - {name: mark}\n  - reuse: ‸", "a", "mark input"),
    "the inputs of a block": (
        HEAD + "blocks: {Gate: {inputs: [x, skip], steps: [{branch: [[], [from: ‸]]}]}}\nnetwork: [ReLU]",
        "x skip input",
        "Gate",
    ),
    "inputs of a call": (NETWORK + "  - {name: a, ReLU: }\n  - {ConvBlock: 8, inputs: [‸]}", "a input", "ReLU"),
    "outputs": ("outputs: [‸]\n" + NETWORK + "  - {name: body, Backbone: }", "body body.c2", "input c2"),
    "like": (NETWORK + "  - {name: a, ReLU: }\n  - Upsample: {like: ‸}", "a input", "true"),
    "a value": (NETWORK + "  - Conv2d: {out_channels: $w‸}", "$width", "width ReLU $act"),
    "a value in a name": (NETWORK + "  - repeat: [{name: layer$‸, ReLU: }]\n    for: i\n    in: [1]", "$i $width", "i"),
    "an expression": (
        NETWORK + "  - Linear: $(2 * wi‸)",
        "width max input.channels input.shape True",
        "$width residual channels or",
    ),
    "an open expression": (NETWORK + "  - Linear: {out_features: $(max(‸\n  - ReLU", "width min", "kernel_size"),
    "an operator": (NETWORK + "  - {ReLU: , when: $(fast ‸)}", "and or if", "width max"),
    "a value of a block": (
        HEAD + "blocks:\n  A(c):\n    - let: {twice: $(2 * c)}\n    - Conv2d: [$‸, 1]\nnetwork: [A: 1]",
        "$c $twice $width",
        "$input",
    ),
    "a value before its let": (
        HEAD + "network:\n  - Conv2d: $‸\n  - let: {late: 1}",
        "$width",
        "$late",
    ),
    "a default": (
        HEAD + "blocks:\n  SE(channels, squeeze=‸): [ReLU]\nnetwork: [ReLU]",
        "channels width max",
        "squeeze input.channels",
    ),
    "a new parameter": (HEAD + "blocks:\n  SE(channels, squ‸): [ReLU]\nnetwork: [ReLU]", "", "channels width"),
    "a section": ("net‸", "network input blocks train", "Conv2d"),
    "a section that is not there yet": (HEAD + "‸\nnetwork: [ReLU]", "train blocks", "params input network"),
    "keys of a block": (HEAD + "blocks:\n  A:\n    ste‸\n", "steps inputs outputs Conv2d", "merge"),
    "keys of a branch": (NETWORK + "  - branch: [{steps: [ReLU], ‸}]", "when times for", "steps merge name"),
    "a contract": (HEAD + "expect: {‸}", "output params macs", "epochs"),
    "an initializer": (HEAD + "init: {Conv2d: xa‸}", "xavier_uniform constant", "SGD"),
    "a layer to initialise": (HEAD + "init: {Con‸}", "Conv2d BatchNorm2d", "ReLU"),
    "a tensor to initialise": (HEAD + "init: {Conv2d: {wei‸}}", "weight bias ones", "lr"),
    "arguments of an initializer": (HEAD + "init: {Conv2d: {normal: {‸}}}", "mean std", "weight"),
    "a parametrization": (NETWORK + "  - {Conv2d: 8, parametrization: ‸}", "weight_norm spectral_norm", "true"),
    "arguments of a parametrization": (NETWORK + "  - {Conv2d: 8, parametrization: {weight_norm: {‸}}}", "dim", "eps"),
    "a recipe": ("train:\n  opt‸", " ".join(KEYS), "lr SGD"),
    "an optimizer": ("train:\n  optimizer: ‸", " ".join(OPTIMIZERS), "StepLR lr FashionMNIST"),
    "its arguments": ("train: {optimizer: {SGD: {lr: 0.1, ‸}}}", "momentum nesterov", "lr betas"),
    "its values": ("train: {optimizer: {SGD: {nesterov: ‸}}}", "true false $epochs", "lr"),
    "schedulers in one": ("train: {scheduler: {SequentialLR: {schedulers: [Lin‸]}}}", "LinearLR", "SequentialLR SGD"),
    "a data set": ("train: {dataset: ‸}", " ".join(DATASETS), "SGD"),
    "transforms": ("train:\n  augment:\n    - Ran‸", "RandomCrop RandomHorizontalFlip", "SGD"),
    "a precision": ("train: {precision: ‸}", "fp32 bf16 $epochs", "fp64"),
    "a figure": ("train: {early_stopping: {monitor: ‸}}", "test_loss test_acc", "lr"),
    "a comment": (NETWORK + "  - ReLU  # Con‸", "", "Conv2d"),
    "a name": (NETWORK + "  - name: ‸", "", "Conv2d name"),
    "a text": ("description: Con‸", "", "Conv2d"),
    "after faults": (HEAD + "train: {a: }}\n" + BLOCKS + "network:\n  - R\n  - Conv2d: {ker‸}", "kernel_size", "name"),
}  # fmt: skip


def labels(text: str, path: Path = SPEC) -> list[str]:
    return [found.label for found in complete(*at_cursor(text, path))]


@pytest.mark.parametrize("name", CASES)
def test_what_fits_is_offered_and_nothing_else(name: str) -> None:
    text, wanted, unwanted = CASES[name]
    found = labels(text)
    assert not {*wanted.split()} - {*found}
    assert not {*unwanted.split()} & {*found}
    assert len(found) == len({*found})


#: Faults that an accepted completion must not have: they are about words.
WORDY = (Code.SYNTAX, Code.DUPLICATE_KEY, Code.KEY, Code.STEP, Code.LAYER, Code.ARGUMENT)


@pytest.mark.parametrize("name", CASES)
def test_what_is_accepted_is_valid(name: str) -> None:
    """Of a hundred layers at one place, every tenth is tried."""
    text, _, _ = CASES[name]
    plain = text.replace(CURSOR, "")
    found = complete(*at_cursor(text, SPEC))
    layers = [one for one in found if one.kind == "layer"]
    rarely = layers[len(name) % 10 :: 10]
    for completion in (*(one for one in found if one.kind != "layer"), *rarely):
        changed = accepted(plain, completion)
        after = len(changed) - len(plain) + completion.span.end
        faults = [
            fault
            for fault in check(Text(changed, ROOT))
            if fault.code in WORDY and fault.span and completion.span.start <= fault.span.start < after
        ]
        assert not faults, f"{completion.label}: {faults[0].render()}\n{changed}"


SPECS = (
    *("resnet18", "unet", "densenet", "googlenet", "torchvision/mobilenet_v2", "torchvision/densenet121"),
    *("timm/resnet50d", "segmentation/deeplabv3_resnet50", "detection/yolov8n", "beyond/siamese"),
)


@pytest.mark.parametrize("spec", SPECS)
def test_the_word_that_was_there_is_offered(spec: str) -> None:
    """Deletes the tails of words. A name with values in it is offered as a whole."""
    path = ROOT / "archs" / f"{spec}.yaml"
    text, rng = path.read_text(), random.Random(16)
    found = [*words(path)]
    for start, end, label in rng.sample(found, min(len(found), 12)):
        kept = rng.randrange(start, end)
        offered = complete(analysed(text[:kept] + text[end:], path), kept)
        assert any(one.label.startswith(label) for one in offered), (
            f"{label} at {path}:{text.count(chr(10), 0, start) + 1}"
        )


# --- how it is written ---------------------------------------------------------------------------

SNIPPETS = {
    (NETWORK + "  - Con‸", "Conv2d"): "Conv2d: {out_channels: $1, kernel_size: $2}",
    (NETWORK + "  - Con‸", "ConvBlock"): "ConvBlock: {channels: $1}",
    (NETWORK + "  - Re‸", "ReLU"): "",
    (NETWORK + "  - Conv2d‸: {out_channels: 8}", "ConvTranspose2d"): "",
    (NETWORK + "  - name: stem\n    Con‸", "Conv2d"): "Conv2d: {out_channels: $1, kernel_size: $2}",
    (NETWORK + "  - name: stem\n    Re‸", "ReLU"): "ReLU: ",
    (NETWORK + "  - rep‸", "repeat"): "repeat:\n    - $1\n  times: $2",
    (NETWORK + "  - bra‸", "branch"): "branch:\n    - - $1\n    - - $2",
    (NETWORK + "  - name: a\n    rep‸", "repeat"): "repeat:\n  - $1\ntimes: $2",
    (NETWORK + "  - residual: [rep‸]", "repeat"): "{repeat: [$1], times: $2}",
    (NETWORK + "  ‸", "Conv2d"): "- Conv2d: {out_channels: $1, kernel_size: $2}",
    (NETWORK + "  - Linear: $(‸)", "max"): "max($1)",
    (NETWORK + "  - Linear: $(‸(1, 2))", "max"): "",
    (NETWORK + "  - Linear: $‸", "$width"): r"\$width",
    (NETWORK + "  - ConvBlock: {channels: 1, act: L‸}", "Softmax2d"): "",
    (NETWORK + "  - ConvBlock: {channels: 1, act: L‸}", "Conv2d"): "{Conv2d: {out_channels: $1, kernel_size: $2}}",
    ("train: {optimizer: SG‸}", "SGD"): "",
    ("train: {scheduler: St‸}", "StepLR"): "{StepLR: {step_size: $1}}",
    ("train:\n  augment: [Ra‸]", "RandomCrop"): "RandomCrop: {size: $1}",
    ("net‸", "network"): "network:\n  - $1",
    ("bl‸", "blocks"): "blocks:\n  $1",
    ("inp‸", "input"): "input: [$1]",
}


@pytest.mark.parametrize(("text", "label"), SNIPPETS)
def test_snippets(text: str, label: str) -> None:
    (found,) = [one for one in complete(*at_cursor(text, SPEC)) if one.label == label]
    assert found.snippet == SNIPPETS[text, label]


def test_what_is_needed_comes_first_and_then_what_the_file_uses() -> None:
    found = labels(NETWORK + "  - Conv2d: {‸}")
    assert found[:2] == ["kernel_size", "out_channels"]
    assert found[-1] == "in_channels"
    found = labels(NETWORK + "  - ‸\n  - BatchNorm2d")
    assert found.index("BatchNorm2d") < found.index("Affine")


def test_a_completion_replaces_the_whole_word_with_its_prefix() -> None:
    found = complete(*at_cursor(NETWORK + "  - nn.Con‸v2: 8", SPEC))
    (conv,) = [one for one in found if one.label == "Conv2d"]
    assert (conv.span.text, conv.filter, conv.snippet) == ("nn.Conv2", "nn.Conv2d", "")
    assert "Conv2d(out_channels, kernel_size" in conv.detail
    assert "| `kernel_size` |" in conv.markdown


def test_names_in_expressions_and_functions_are_all_there() -> None:
    assert {*FUNCTIONS} <= {*labels(NETWORK + "  - Linear: $(‸)")}
    assert {*WORDS} <= {*labels(NETWORK + "  - ‸")}
    assert {*COMMON} - {"else"} <= {*labels(NETWORK + "  - {ReLU: , ‸}")}


def test_a_new_layer_is_completed_without_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    class Blur3d(Layer):
        """Blurs."""

        family = "pooling"
        radius = argument(POSITIVE)
        edge = argument(Choice("mirror", "wrap"), "wrap")
        example = {"radius": 1}

    monkeypatch.setitem(LAYERS, "Blur3d", Blur3d)
    (found,) = [one for one in complete(*at_cursor(NETWORK + "  - Bl‸", SPEC)) if one.label == "Blur3d"]
    assert found.snippet == "Blur3d: {radius: $1}"
    assert labels(NETWORK + "  - Blur3d: {edge: ‸}")[:2] == ["mirror", "wrap"]


# --- files ---------------------------------------------------------------------------------------


def test_files_of_the_project_and_of_the_zoo(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    spec = tmp_path / "nets" / "own.yaml"
    (tmp_path / "nets" / "blocks").mkdir(parents=True)
    for name in ("nets/other.yaml", "nets/blocks/se.yaml", "top.yaml", "nets/notes.txt", "nets/.hidden.yaml"):
        (tmp_path / name).touch()
    found = labels("use: ‸", spec)
    assert {"other.yaml", "blocks/", "zoo:resnet50", "zoo:classic/lenet"} <= {*found}
    assert not {"own.yaml", "notes.txt", ".hidden.yaml", "blocks/se.yaml"} & {*found}
    assert "blocks/se.yaml" in labels("use: [other.yaml, blocks/‸]", spec)
    assert "../top.yaml" in labels("extends: ../t‸", spec)
    assert not [name for name in labels("extends: ../../‸", spec) if not name.startswith("zoo:")]
    (zoo,) = [one for one in complete(*at_cursor("extends: zoo:resn‸et", spec)) if one.label == "zoo:resnet50"]
    assert zoo.span.text == "zoo:resnet"
