"""What is told of a word: its meaning from the tables, and what it is worth in each use, compared with the network."""
# ruff: noqa: RUF001

from __future__ import annotations

import re
from pathlib import Path

import pytest
from completing import CURSOR, at_cursor

import cnndsl
from cnndsl.editing.hover import hover
from cnndsl.emit.reference import function_page, layer_page
from cnndsl.recipe.optimizers import OPTIMIZERS
from cnndsl.spec.words import OPTIONS, WORDS

SPEC = Path(__file__).parent / "unsaved.yaml"
TEXT = """\
input: [3, 32, 32]
params: {width: 16, act: ReLU}
blocks:
  ConvBlock(planes, stride=1):
    - {name: conv, Conv2d: {out_channels: $(2 * planes), kernel_size: 3, stride: $stride, padding: 1}}
    - $act
  Backbone:
    outputs: [c2, c3]
    steps: [{name: c2, ConvBlock: $width}, {name: c3, ConvBlock: [$(width + 8), 2]}]
network:
  - {name: body, Backbone: }
  - from: body.c2
  - repeat:
      - {name: block$i, ConvBlock: "$(2 ** (i + 2))"}
    for: i
    in: $(range(2))
  - residual: [Identity]
  - {AdaptiveAvgPool2d: 1, when: true}
  - Flatten
  - Linear: $(width)
outputs: [body.c3]
init: {Conv2d: xavier_uniform}
train:
  epochs: 3
  optimizer: {SGD: {lr: 0.1}}
"""
#: What is pointed at, between bars, with what is around it, and texts that are told.
CASES = [
    ("|Conv2d|: {", ("`body.c2.conv`: `3×32×32` → `32×32×32`, 896 parameters", layer_page("Conv2d"))),
    ("|kernel_size|: 3", ("Required.", "`kernel_size` = `3` in each of 4 uses")),
    ("|stride|: $stride", ("Default: 1.", "`stride` = `1`, `2` in 4 uses")),
    ("stride: |$stride|", ("`stride`: parameter, default 1", "`stride` = `1`, `2` in 4 uses")),
    ("$(2 * |planes|)", ("`planes` = `16`, `24`, `4`, `8` in 4 uses", "`$(2 * planes)` = `32`, `48`, `8`, `16` in 4")),
    ("$(|width| + 8)", ("parameter, default 16", "`$(width + 8)` = `24`")),
    ('"$(2 ** (|i| + 2))"', ("`i`: in $(range(2))", "`i` = `0`, `1` in 2 uses")),
    ("$(|range|(2))", ("range(start, stop, step)", "`$(range(2))` = `[0, 1]`")),
    ("|$act|", ("parameter, default ReLU",)),
    ("|ConvBlock|(", ("ConvBlock(planes, stride=1)", "896 parameters, 884.74 k MACs in the first of 4 uses")),
    ("(|planes|,", ("`planes`: parameter", "`planes` = `16`, `24`, `4`, `8` in 4 uses")),
    ("c3, |ConvBlock|: [", ("`body.c3`: `32×32×32` → `48×16×16`", "ConvBlock(planes, stride=1)")),
    ("{|width|: 16", ("`width` = `16`",)),
    ("|residual|: [", (WORDS["residual"].description, "add of `16×32×32`, `16×32×32` → `16×32×32`")),
    ("|when|: true", (OPTIONS["when"].description,)),
    ("from: |body.c2|", ("`body.c2`: 32×32×32",)),
    ("outputs: [|body.c3|]", ("`body.c3`: 48×16×16",)),
    ("|Flatten|", ("`flatten1`: `16×1×1` → `16`", layer_page("Flatten"))),
    ("{name: |block$i|", ()),
    ("|epochs|: 3", ("Passes over all training samples",)),
    ("|SGD|: {", (function_page(OPTIMIZERS["SGD"]),)),
    ("|lr|: 0.1", ("A number of at least 0.",)),
    ("|xavier_uniform|", ("xavier_uniform(gain=1.0)",)),
    ("|network|:", ("The steps, in order.", "MACs, output 48×16×16")),
]  # fmt: skip


def told(pointed: str, text: str = TEXT, path: Path = SPEC) -> tuple[str, str]:
    """The Markdown, and the text that it belongs to, in the middle of what is between the bars."""
    before, word, after = pointed.split("|")
    at = text.index(before + word + after) + len(before) + len(word) // 2
    found = hover(*at_cursor(text[:at] + CURSOR + text[at:], path))
    return (found.markdown, found.span.text) if found else ("", word)


@pytest.mark.parametrize(("pointed", "wanted"), CASES)
def test_what_is_told(pointed: str, wanted: tuple[str, ...]) -> None:
    markdown, word = told(pointed)
    for text in wanted:
        assert text.strip() in markdown
    assert word == pointed.split("|")[1]
    assert bool(markdown) is bool(wanted)


@pytest.mark.parametrize("spec", ["densenet", "torchvision/densenet121", "torchvision/mnasnet1_0"])
def test_values_are_those_of_the_network(spec: str) -> None:
    """The oracle is the compiled network: what the convolutions of a line have as their channels, in order."""
    path = Path(__file__).parent.parent / f"archs/{spec}.yaml"
    layers, text = cnndsl.load(path).graph.root.layers, path.read_text()
    expressions = [*re.finditer(r"Conv2d: \{out_channels: (\$\(.+?\)),", text)]
    assert expressions
    for match in expressions:
        line = text.count("\n", 0, match.start()) + 1
        channels = [layer.layer.values["out_channels"] for layer in layers if layer.step.span.line == line]
        shown = ", ".join(f"`{value}`" for value in [*dict.fromkeys(channels)][:6])
        at = match.start(1) + 3
        found = hover(*at_cursor(text[:at] + CURSOR + text[at:], path))
        assert found is not None
        assert f"`{match[1]}` = {shown}" in found.markdown


def test_a_spec_with_faults_is_told_as_far_as_it_is_known() -> None:
    text = TEXT.replace("  - residual: [Identity]\n", "  - residual: [Identity\n  - Fltten\n")
    assert "`body.c2.conv`: `3×32×32` → `32×32×32`" in told("|Conv2d|: {", text)[0]


def test_nothing_is_told_of_comments_numbers_and_blanks() -> None:
    text = TEXT.replace("  - Flatten\n", "  - Flatten  # Conv2d here\n")
    assert told("# |Conv2d| here", text)[0] == ""
    assert told("epochs: |3|")[0] == ""
    assert told("  - |{|name: body")[0] == ""


def test_between_the_words_of_an_expression_all_of_it_is_told() -> None:
    at = TEXT.index("* planes")
    found = hover(*at_cursor(TEXT[:at] + CURSOR + TEXT[at:], SPEC))
    assert found is not None
    assert (found.markdown, found.span.text) == ("`$(2 * planes)` = `32`, `48`, `8`, `16` in 4 uses", "$(2 * planes)")


def test_a_file_is_told_with_its_description(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("description: A base.\ninput: [1, 8, 8]\nnetwork: [ReLU]\n")
    markdown, word = told("|base.yaml|", "extends: base.yaml\n", tmp_path / "spec.yaml")
    assert word == "base.yaml"
    assert markdown == f"`{tmp_path / 'base.yaml'}`\n\nA base."
    markdown, _ = told("|zoo:unet|", "extends: zoo:unet\n", tmp_path / "spec.yaml")
    assert "U-Net for biomedical segmentation" in markdown
    assert told("|../other.yaml|", "extends: ../other.yaml\n", tmp_path / "spec.yaml")[0] == ""


@pytest.mark.parametrize("word", WORDS)
def test_examples_of_words_are_right(word: str) -> None:
    steps = "\n".join(f"  {line}" for line in WORDS[word].example.splitlines())
    assert f"{word}:" in steps
    assert cnndsl.check(cnndsl.Text(f"input: [3, 64, 64]\nnetwork:\n{steps}\n")) == []
