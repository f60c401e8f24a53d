"""Texts with faults: what is half typed keeps the rest alive. :mod:`marked` tells what the marks in texts mean."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from marked import read

from cnndsl.diagnostics import Code
from cnndsl.editing.analysis import Analysis, Buffers, analyse
from cnndsl.editing.hints import hints
from cnndsl.editing.written import written

ROOT = Path(__file__).parent.parent
HEAD = """
input: [3, 8, 8]
blocks:
  Block(channels):
    - Conv2d: [$channels, 3, 1, 1]{}
    - ReLU{}
network:
"""

#: Each has a fault. The hints are those that stay.
CASES = {
    "a misspelt layer": """
input: [3, 8, 8]
network:
  - Conv2d: [4, 1]«4x8x8»
  - Rleu
  - Conv2d: [6, 1]«6x8x8»
  - {name: bn, BatchNrm2d: }
  - {name: skip, Relu2: {inplace: true}}
  - branch: [[], [from: skip]]«12x8x8»
""",
    "an argument": """
input: [3, 8, 8]
network:
  - Conv2d: {out_channels: 4, kernel_size: 3, padd: 1}«4x6x6»
  - Conv2d:«5x6x6»
      strde: 2
      out_channels: 5
      kernel_size: 1
      groups: $gruops
  - Conv2d: [6, 1, oops]«6x6x6»
  - Conv2d: {out_channels: 6}
  - Flatten«216»
""",
    "a list that loses its last step": """
input: [3, 8, 8]
network:
  - sequential: [Conv2d: [4, 1], Rleu]«4x8x8»
  - sequential:
      - Rleu
  - ReLU«4x8x8»
""",
    "a region": """
input: [3, 8, 8]
network:
  - residual:«4x4x4»
      - Conv2d: [4, 3, 2, 1]«4x4x4»
    shortcut: [AvgPool2d: 2]«3x4x4»
  - ReLU«4x4x4»
  - {residual: [Conv2d: [8, 1]], shortcut: true}«8x4x4»
  - {repeat: [ReLU], tims: 3}«8x4x4»
  - branch:
      - - Conv2d: [2, 3]«2x2x2»
      - - Conv2d: [2, 1]«2x4x4»
  - Flatten«128»
""",
    "a loop without its end": """
input: [3, 8, 8]
network:
  - repeat:«5x4x4»
      - AvgPool2d: 2«3x4x4»
      - Conv2d: [5, 1]«5x4x4»
      - """,
    "a bracket": """
input: [3, 8, 8]
network:
  - Conv2d: [4, 1]«4x8x8»
  - {name: a, Conv2d: {out_channels: 9, kernel_si
  - Conv2d: [5, 1]«5x8x8»
  - {name: b, Conv2d: {out_channels: "$([6, 7][0])", kernel_size: 1, pa«6x8x8»
  - ReLU«6x8x8»
  - MaxPool2d: [2
  - ReLU«6x8x8»
""",
    "a quote": """
input: [3, 8, 8]
network:
  - Conv2d: [4, 1]«4x8x8»
  - Conv2d: ["$(4, 1]
  - ReLU«4x8x8»
  - {name: b, ReLU: }«4x8x8»
""",
    "a key": """
input: [3, 8, 8]
network:
  - name: a
    Conv2d:«4x6x6»
      out_channels: 4
      kernel_size: 3
      strid
  - resid
  - ReLU«4x6x6»
  - repeat
      - ReLU
    times: 3
  - Flatten«144»
""",
    "another indentation": """
input: [3, 8, 8]
network:
  - Conv2d: [4, 1]«4x8x8»
   - ReLU
  - AvgPool2d: 2«4x4x4»
\t- ReLU
  - ReLU«4x4x4»
""",
    "a dash": HEAD.format("«5x8x8»", "«5x8x8»")
    + """
  - Block: 5«5x8x8»
  -
  - ReLU«5x8x8»
  - residual:
      -
  - ReLU«5x8x8»
""",
    "a call": HEAD.format("«5x8x8»", "«5x8x8»")
    + """
  - {name: first, Block: }
  - Block: 5«5x8x8»
  - Blok: 7
  - ReLU«5x8x8»
""",
    "a block": """
input: [3, 8, 8]
blocks:
  Half(channels, stri
  Block(channels):
    - Conv2d: [$chanels, 3, 1, 1]
    - Conv2d: [5, 1]«5x8x8»
network:
  - Block: 5«5x8x8»
""",
    "a use that does not fit": HEAD.replace(", 1, 1]", "]").format("«5x6x6 +2»", "«5x6x6 +2»")
    + """
  - Block: 5«5x6x6»
  - Block: 6«6x4x4»
  - Block: 7«7x2x2»
  - Block: 8
  - ReLU
""",
    "what is no step": """
input: [3, 8, 8]
params: {c: 4}
network:
  - Conv2d: [$c, 1]«4x8x8»
  - ReLU«4x8x8»
init: {Conv2d: xavier}
train: {dataset: [}
""",
}


@pytest.mark.parametrize("marked", CASES.values(), ids=CASES.keys())
def test_a_fault_leaves_the_shapes_of_the_rest(marked: str, tmp_path: Path) -> None:
    analysis, _, expected = read(marked, tmp_path / "spec.yaml")
    assert analysis.compilation.errors
    assert {hint.offset: hint.text for hint in hints(analysis)} == expected
    assert_is_as_long(analysis)


def assert_is_as_long(analysis: Analysis) -> None:
    """What is alive differs from the text by blanks, brackets that are closed, and words that became `steps`."""
    if analysis.alive.document is None:
        return
    text, alive = analysis.source.text, analysis.alive.document.source.text
    assert re.sub(r"[^\r\n]", " ", text) == re.sub(r"[^\r\n]", " ", alive)
    became = {place for found in re.finditer("steps", alive) for place in range(*found.span())}
    assert all(new in (" ", "]", "}", old) or place in became for place, (old, new) in enumerate(zip(text, alive)))


#: Networks without loops, whose steps have one shape whatever comes later.
PLAIN = ["archs/nin.yaml", "archs/googlenet.yaml", "archs/lenet.yaml"]


@pytest.mark.parametrize("spec", PLAIN)
def test_a_text_that_is_cut_off_has_the_shapes_of_the_steps_before(spec: str) -> None:
    path = ROOT / spec
    whole = analyse(path, Buffers({}))
    text, document = whole.source.text, whole.alive.document
    assert document is not None
    start = document.tree.keys["network"].span.end
    ends: dict[int, int] = {}
    for item in written(document.tree).values():
        if item.word.source.name == whole.source.name:
            line = item.word.line
            ends[line] = max(ends.get(line, 0), item.whole.end)
    steps = [hint for hint in hints(whole) if hint.offset > start]
    for cut in range(start, len(text), 37):
        found = {hint.offset: hint.text for hint in hints(analyse(path, Buffers({path: text[:cut]})))}
        done = [hint for hint in steps if ends[whole.source.position(hint.offset)[0]] < cut]
        assert {hint.offset: found.get(hint.offset) for hint in done} == {hint.offset: hint.text for hint in done}


TYPED = [
    "  - {name: extra, Conv2d: {out_channels: 64, kernel_size: 3, padding: 1}}",
    "  - name: extra\n    Conv2d:\n      out_channels: $(64)\n      kernel_size: 1",
    "  - residual:\n      - Conv2d: [64, 3, 1, 1]\n      - ReLU\n    shortcut: [Conv2d: [64, 1]]",
    "  - branch:\n      - []\n      - - Block: 64\n        - reuse: relu\n    merge: add",
    "  - {when: $(classes > 3), sequential: [Conv2d: [64, 1], ReLU]}",
    '  - repeat:\n      - Block: [64, "$(1)"]\n    times: 2',
]


@pytest.mark.parametrize("typed", TYPED)
def test_what_is_typed_into_a_spec_leaves_all_other_hints(typed: str) -> None:
    path = ROOT / "archs/torchvision/resnet18.yaml"
    text = path.read_text()
    above = text.index("  - repeat:")
    before = {line_of(text, hint.offset) for hint in hints(analyse(path, Buffers({})))}
    first = line_of(text, above)
    for length in range(0, len(typed), 3):
        analysis = analyse(path, Buffers({path: text[:above] + typed[:length] + "\n" + text[above:]}))
        lines = {line_of(analysis.source.text, hint.offset) for hint in hints(analysis)}
        more = typed[:length].count("\n") + 1
        assert {line if line < first else line + more for line in before} <= lines, typed[:length]


def line_of(text: str, offset: int) -> int:
    return text.count("\n", 0, offset)


def test_edits_at_random_leave_every_offset() -> None:
    path, chance = ROOT / "archs/unet.yaml", random.Random(3)
    text = path.read_text()
    for _ in range(60):
        place, length = chance.randrange(len(text)), chance.choice((0, 1, 1, 9))
        edited = text[:place] + chance.choice(("", "x", "{", '"', "- ", "\n", "\r\n  ")) + text[place + length :]
        analysis = analyse(path, Buffers({path: edited}))
        assert_is_as_long(analysis)
        offsets = [hint.offset for hint in hints(analysis, place)]
        assert len({*offsets}) == len(offsets)


def test_a_fault_in_a_used_file_belongs_to_it_and_leaves_the_rest(tmp_path: Path) -> None:
    library, user = tmp_path / "library.yaml", tmp_path / "user.yaml"
    library.write_text("blocks:\n  Double(channels):\n    - Conv2d: [$channels, 1]\n    - Conv2d: {out_channels: 7\n")
    text = "use: library.yaml\ninput: [3, 8, 8]\nnetwork:\n  - Double: 4\n  - Flatten\n"
    analysis = analyse(user, Buffers({user: text}))
    (fault,) = analysis.compilation.errors
    assert fault.code is Code.SYNTAX and fault.span is not None and fault.span.source.name == str(library)
    assert [hint.text for hint in hints(analysis)] == ["4\u00d78\u00d78", "256"]


def test_a_file_that_is_only_in_the_editor(tmp_path: Path) -> None:
    untitled = tmp_path / "nowhere" / "untitled.yaml"
    analysis = analyse(untitled, Buffers({untitled: "input: [3, 8]\nnetwork: [Flatten]\n"}))
    assert not analysis.compilation.diagnostics
    assert [hint.text for hint in hints(analysis)] == ["24"]
    (fault,) = analyse(untitled, Buffers({})).compilation.diagnostics
    assert fault.code is Code.FILE


def test_a_file_of_blocks_needs_no_network(tmp_path: Path) -> None:
    path = tmp_path / "blocks.yaml"
    blocks = "blocks:\n  Double: [ReLU, ReLU]\n"
    assert analyse(path, Buffers({path: blocks})).compilation.diagnostics == []
    for text in ("name: a\n", blocks + "input: [3]\n", blocks + "network: [ReLU]\n"):
        assert {Code.MISSING} == {item.code for item in analyse(path, Buffers({path: text})).compilation.errors}
    (fault,) = analyse(path, Buffers({path: blocks.replace("ReLU, ReLU", "ReLU: [")})).compilation.diagnostics
    assert fault.code is Code.SYNTAX
