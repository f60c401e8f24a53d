"""Layers that work in place, against torch: which tensors share memory, and which a backward pass reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import torch
from emitting import torch_layer
from torch import Tensor
from values import assert_values

import cnndsl
from cnndsl.graph.graph import Apply, walk
from cnndsl.layers import LAYERS, Layer, Shape
from cnndsl.spec.values import Literal

ARCHS = Path(__file__).parent.parent / "archs"
SLOPES = [-0.5, 0.0, 0.5]
#: Arguments beside those of the examples by which layers share memory or not, or have a backward pass or not.
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((name, {"p": p}) for name in ("Dropout", "Dropout2d", "AlphaDropout", "FeatureAlphaDropout") for p in (0.0, 1.0)),
    *(("StochasticDepth", {"p": 0.0, "mode": mode}) for mode in ("row", "batch")),
    ("DropBlock2d", {"p": 0.0, "block_size": 3}),
    *(("LeakyReLU", {"negative_slope": slope}) for slope in SLOPES),
    *((name, {"alpha": slope}) for name in ("ELU", "CELU") for slope in SLOPES if name == "ELU" or slope),
    *(("RReLU", {"lower": lower, "upper": lower + 0.3}) for lower in (-0.4, -0.1, 0.1)),
    ("PixelShuffle", {"upscale_factor": 1}),
    ("PixelUnshuffle", {"downscale_factor": 1}),
    ("ChannelShuffle", {"groups": 1}),
    *((f"{kind}Pad2d", {"padding": size}) for kind in ("Zero", "Reflection", "Circular") for size in (0, -1)),
    ("Upsample", {"scale_factor": 1}),
    ("AvgPool2d", {"kernel_size": 1}),
    ("MaxPool2d", {"kernel_size": 1}),
    ("AdaptiveAvgPool2d", {"output_size": 32}),
    ("Flatten", {"start_dim": 2}),
    ("Hardtanh", {"min_val": 0, "max_val": 6}),
]


def layers() -> Iterator[Layer]:
    """Every layer as in its example, and its variants, out of place and in place."""
    for name, arguments in [*((name, dict(kind.example)) for name, kind in LAYERS.items()), *VARIANTS]:
        kind = LAYERS[name]
        if "inplace" in kind.arguments:
            yield kind.bind({**arguments, "inplace": True}, Shape(kind.example_input))
        yield kind.bind(arguments, Shape(kind.example_input))


def fails(backward: Tensor) -> bool:
    try:
        backward.sum().backward()
    except RuntimeError:
        return True
    return False


@pytest.mark.parametrize("layer", [*layers()], ids=repr)
def test_the_table_tells_what_torch_does_with_memory(layer: Layer) -> None:
    shares, overwrites, irreversible, reads = [], [], [], []
    for training in (True, False):
        module = torch_layer(layer).train(training)
        leaf = torch.randn(2, *layer.example_input[1:], requires_grad=True)
        given = leaf * 1
        out = module(given)
        overwrites.append(given._version > 0)
        shares.append(out.untyped_storage().data_ptr() == given.untyped_storage().data_ptr())
        irreversible.append(fails(out))
        out = module(leaf * 1)
        out.mul_(2)
        reads.append(fails(out))
    assert any(overwrites) <= layer.works_in_place()
    assert any(shares) <= (layer.shares_memory or layer.works_in_place())
    assert any(irreversible) == (layer.works_in_place() and layer.irreversible() != "")
    if not any(irreversible):
        assert any(reads) == layer.reads_output()
    if layer.works_in_place():
        quiet = torch_layer(layer.out_of_place())
        assert not quiet.inplace
        quiet(given := torch.randn(2, *layer.example_input[1:]))
        assert given._version == 0


@pytest.mark.parametrize("path", sorted(ARCHS.rglob("*.yaml")), ids=lambda path: path.stem)
def test_what_we_ship_works_in_place_where_it_says_so(path: Path) -> None:
    if path.parent.name == "blocks":
        return
    assert not [item for item in cnndsl.check(path) if item.code.id in ("CNN101", "CNN108")]
    for _, item in walk(cnndsl.load(path).graph.root.body):
        written = item.written.get("inplace") if isinstance(item, Apply) else None
        if isinstance(written, Literal):  # an expression may ask for either
            assert item.layer.values["inplace"] is written.value


def in_place(text: str) -> dict[str, bool]:
    """Which of the layers that are asked to work in place do, by their paths."""
    net = cnndsl.loads(dedent(text))
    assert_values(net)
    applied = [item for _, item in walk(net.graph.root.body) if isinstance(item, Apply)]
    return {item.path: item.layer.works_in_place() for item in applied if "inplace" in item.written}


CONV = "Conv2d: [4, 1]"
RELU = "ReLU: {inplace: true}"
#: Steps, and which of the layers among them that are to work in place do.
CASES: dict[str, tuple[str, list[bool]]] = {
    "nothing else reads": (f"[{CONV}, BatchNorm2d, {RELU}, {CONV}, {RELU}]", [True, True]),
    "the caller's": (f"[{RELU}, {CONV}]", [False]),
    "a view of the caller's": (f"[Flatten: [1, 1], Dropout: {{inplace: true}}, {CONV}]", [False]),
    "subtracted": (f"[{CONV}, {{branch: [[], [{RELU}]], merge: subtract}}]", [False]),
    "the larger": (f"[{CONV}, {{branch: [[{CONV}], [Tanh]], merge: maximum}}, {RELU}]", [True]),
    "divided": (f"[{CONV}, {{branch: [[{CONV}], [Softplus]], merge: divide}}, {RELU}]", [True]),
    "a largest value": (f"[{CONV}, Amax: {{dim: 2, keepdim: true}}, {RELU}]", [False]),
    "a backward pass": (f"[{CONV}, Sigmoid, {RELU}]", [False]),
    "a backward pass through a view": (f"[{CONV}, Softmax: 1, Slice: [0, 2], {RELU}]", [False]),
    "one after another": (f"[{CONV}, {RELU}, Dropout: {{p: 0.5, inplace: true}}]", [True, False]),
    "one after another, from their inputs": (f"[{CONV}, SiLU: [true], Dropout: {{inplace: true}}]", [True, True]),
    "a merge of one": (f"[{{name: a, {CONV}}}, branch: [[Dropout]], {RELU}, branch: [[], [from: a]]]", [False]),
    "a part of a split": (f"[{CONV}, {{branch: [[{RELU}], []], split: true}}]", [False]),
    "behind a part of a split": (f"[{CONV}, {{branch: [[{CONV}, {RELU}], []], split: true}}]", [True]),
    "an identity in evaluation": (f"[{CONV}, residual: [Dropout: 0.5, {RELU}, {CONV}]]", [False]),
    "a sum": (f"[{CONV}, residual: [{CONV}], {RELU}]", [True]),
    "returned": (f"[{{name: a, {CONV}}}, {RELU}, from: a]", [False]),
    "an empty shortcut of a module": (f"[{CONV}, sequential: [], residual: [sequential: [{RELU}]]]", [False]),
    "dense": (f"[{CONV}, {{dense: [{RELU}, {CONV}], times: 2}}]", [False, False]),
    "one of two rounds": (f"[{CONV}, Tanh, {{repeat: [{RELU}, {CONV}], times: 2}}, Tanh]", [False, False]),
    "one of two uses": (f"[{{name: r, {RELU}}}, {CONV}, reuse: r]", [False]),
    "a negative slope": (f"[{CONV}, ELU: [-1, true], {RELU}]", [False, True]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_layer_works_in_place_where_nothing_else_reads_its_input(name: str) -> None:
    network, wanted = CASES[name]
    text = f"input: [4, 6, 6]\nnetwork: {network}\n"
    found = in_place(text)
    assert [*found.values()] == wanted
    assert all(wanted) == ("CNN108" not in {item.code.id for item in cnndsl.check(cnndsl.Text(text))})


def test_a_step_of_a_block_works_in_place_in_all_of_its_uses_or_in_none() -> None:
    text = """
    input: [4, 6, 6]
    blocks:
      Plain(act): [Conv2d: [4, 1], $act]
      Act(first): [{BatchNorm2d: , when: $first}, ReLU: {inplace: $(1 > 0)}]
    network:
      - Plain: {act: {ReLU: {inplace: true}}}
      - Act: true
      - Tanh
      - Act: false
    """
    assert in_place(text) == {"0.1": True, "1.1": False, "3.0": False}
    (warning,) = [item for item in cnndsl.check(cnndsl.Text(dedent(text))) if item.code.id == "CNN108"]
    assert warning.span is not None and warning.span.text == "$(1 > 0)"


def test_two_outputs_and_an_input_that_nobody_overwrites() -> None:
    text = """
    input: {x: [4, 6, 6], y: [4, 6, 6]}
    network:
      - {name: a, Conv2d: [4, 1]}
      - {name: view, Flatten: }
      - {name: b, Hardswish: [true]}
      - {name: c, Mish: [true]}
      - from: y
      - {name: d, Dropout: {inplace: true}}
    outputs: [view, c, d]
    """
    assert in_place(text) == {"b": False, "c": True, "d": False}


def test_a_warning_says_who_reads_and_where() -> None:
    text = "input: [4, 6, 6]\nnetwork:\n  - Conv2d: [4, 1]\n  - residual: [{ReLU6: {inplace: true}}]\n"
    (warning,) = cnndsl.check(cnndsl.Text(text))
    assert warning.span is not None and (warning.span.line, warning.span.text) == (4, "true")
    assert warning.message == "this `ReLU6` does not work in place: `add1` reads the same tensor"
    assert [(note.message, note.span and note.span.line) for note in warning.notes] == [("`add1` reads it here", 4)]
    assert cnndsl.check(cnndsl.Text(f"{text[:-1]}  # cnndsl: ignore CNN108\n")) == []
