"""The outline of a spec, and the parts that an editor folds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cnndsl.editing.analysis import Analysis, Buffers, analyse
from cnndsl.editing.answers import Symbol
from cnndsl.editing.outline import folds, outline

ARCHS = Path(__file__).parent.parent / "archs"
SPECS = sorted(ARCHS.glob("*.yaml"))

TEXT = """\
# Two lines
# of a comment
use: blocks.yaml
input: {left: [3, 8, 8], right: [3, 8, 8]}
params: {n: 2}
blocks:
  Pair(c, d=2 * c):
    inputs: [x, y]
    steps:
      - branch:
          - []
          - {when: $(d > 1), steps: [from: y]}
        merge: add
  Plain: [ReLU]
network:
  - {name: stem, Conv2d: [4, 1]}
  - residual:
      - Conv2d: {out_channels: 4, kernel_size: 1}
    shortcut: [Identity]
  - {repeat: [ReLU, {name: last$i, Dropout: }], for: i, in: [1, 2]}
  - from: stem
train: {epochs: 1}
"""

OUTLINE = """\
file use blocks.yaml
section input {left: [3, 8, 8], right: [3, 8, 8]}
  parameter left [3, 8, 8]
  parameter right [3, 8, 8]
section params {n: 2}
  parameter n 2
section blocks
  block Pair (c, d=2 * c)
    parameter c
    parameter d 2 * c
    step branch merge: add
      step branch 1
      step branch 2 when: $(d > 1)
        step from y
  block Plain
    step ReLU
section network
  step stem Conv2d [4, 1]
  step residual
    step Conv2d {out_channels: 4, kernel_size: 1}
    step shortcut
      step Identity
  step repeat for: i, in: [1, 2]
    step ReLU
    step last$i Dropout
  step from stem
section train {epochs: 1}
  section epochs 1
"""


def analysed(text: str) -> Analysis:
    path = Path("/nowhere/spec.yaml")
    return analyse(path, Buffers({path: text}))


def told(symbols: tuple[Symbol, ...], indent: str = "") -> Iterator[str]:
    for symbol in symbols:
        yield f"{indent}{symbol.kind} {symbol.name} {symbol.detail}".rstrip()
        yield from told(symbol.children, f"{indent}  ")


def everything(symbols: tuple[Symbol, ...]) -> Iterator[Symbol]:
    for symbol in symbols:
        yield symbol
        yield from everything(symbol.children)


def test_an_outline_has_sections_blocks_and_steps() -> None:
    assert [*told(outline(analysed(TEXT)))] == OUTLINE.splitlines()


def test_parts_of_several_lines_fold() -> None:
    found = folds(analysed(TEXT))
    lines = [(span.line, span.source.position(span.end)[0]) for span in found]
    assert lines == [(1, 2), (6, 14), (7, 13), (9, 13), (10, 13), (15, 21), (17, 19)]


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_an_outline_is_nested_as_editors_want_it(path: Path) -> None:
    """A name is inside of its symbol, and symbols inside of their parents; each named step and block is there once."""
    analysis = analyse(path, Buffers({}))
    symbols = outline(analysis)
    for symbol in everything(symbols):
        assert symbol.span.start <= symbol.name_span.start < symbol.name_span.end <= symbol.span.end
        for child in symbol.children:
            assert symbol.span.start <= child.span.start and child.span.end <= symbol.span.end
    plain = yaml.safe_load(analysis.source.text)
    assert [symbol.name for symbol in symbols] == [*plain]
    blocks = [symbol.name for symbol in everything(symbols) if symbol.kind == "block"]
    assert blocks == [key.partition("(")[0] for key in plain.get("blocks", {})]


def test_the_outline_of_a_text_that_cannot_be_read_has_the_rest() -> None:
    broken = TEXT.replace("  - from: stem\n", "  - from: [stem\n")
    names = [symbol.name for symbol in everything(outline(analysed(broken)))]
    assert {"use", "blocks", "Pair", "stem", "residual"} <= {*names}


@pytest.mark.parametrize("text", ["", "# only\n# comments\n", "- a\n- b\n", "12", "network:", "blocks: {A(: }", "\t"])
def test_unlikely_texts_have_an_outline(text: str) -> None:
    analysis = analysed(text)
    assert all(symbol.name for symbol in outline(analysis))
    assert all("\n" in span.text for span in folds(analysis))
