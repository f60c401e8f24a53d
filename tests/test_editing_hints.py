"""Hints and lenses. :mod:`marked` tells what the marks in texts mean."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from marked import pretty, read

from cnndsl.editing.analysis import Buffers, analyse
from cnndsl.editing.hints import hints, lenses
from cnndsl.emit.table import human
from cnndsl.network import Network

ROOT = Path(__file__).parent.parent

BLOCK = """
input: [3, 8, 8]
blocks:
  Block(channels, stride=1):
    - Conv2d: [$channels, 3, $stride, 1]{conv}
    - Inner{inner}
  Inner:
    - ReLU{relu}
network:
"""

CASES = {
    "one line each": """
input: [3, 32, 32]
network:
  - Conv2d: {out_channels: 8, kernel_size: 3, padding: 1}«8x32x32»
  - {name: pool, MaxPool2d: 2}«8x16x16»
  - ReLU«8x16x16»
  - Flatten«2048»
  - Linear: 10«10»
""",
    "comments and quotes": """
input: [3, 4, 4]  # an image
network:
  - Conv2d: [8, 1]«8x4x4»  # cnndsl: ignore CNN102
  - Conv2d: ["$(4 if 1 else 2)", 1]«4x4x4»   # "four"
  - {name: it, Conv2d: {padding_mode: 'zeros', kernel_size: 1, out_channels: 2}}«2x4x4» # it's small
""",
    "arguments with lines of their own": """
input: [3, 8, 8]
network:
  - name: conv
    Conv2d:«4x6x6»
      out_channels: 4
      kernel_size: 3
  - when: true
    ReLU:«4x6x6»
  - {name: b,
     BatchNorm2d: ,«4x6x6»
     when: true}
""",
    "regions": """
input: [4, 8, 8]
network:
  - sequential:«6x8x8»
      - Conv2d: [6, 1]«6x8x8»
  - residual:«6x4x4»
      - Conv2d: [6, 3, 2, 1]«6x4x4»
    shortcut:
      - AvgPool2d: 2«6x4x4»
  - branch:«12x4x4»
      - []
      - - Conv2d: [3, 1]«3x4x4»
      - [Conv2d: [8, 1], Conv2d: [3, 1]]«3x4x4»
  - branch: [[], [Conv2d: [1, 1], Sigmoid]]«12x4x4»
    merge: multiply
  - dense:«16x4x4»
      - Conv2d: [2, 1]«2x4x4»
    times: 2
  - steps: [AvgPool2d: 2, ReLU]«16x2x2»
    when: true
""",
    "several on a line": """
input: [4, 8, 8]
network: [Conv2d: [8, 1], AvgPool2d: 2, {sequential: [Flatten, Linear: 7]}, ReLU]«7»
""",
    "one list over several lines": """
input: [4, 8, 8]
network: [Conv2d: [8, 1], AvgPool2d: 2,«8x4x4»
          Flatten, {name: last, Linear: 7}]«7»
""",
    "what does not run": """
input: [4, 8, 8]
network:
  - {Conv2d: [8, 1], when: false}
  - {Conv2d: [8, 1], when: false, else: [Conv2d: [6, 1]]}«6x8x8»
  - {Conv2d: [8, 1], when: true, else: [Conv2d: [6, 1]]}«8x8x8»
  - let: {a: 3}
  - name: here
  - repeat: [ReLU]
    times: 0
  - branch:«16x8x8»
      - {when: false, steps: [ReLU]}
      - []
      - [from: here]«8x8x8»
""",
    "rounds of loops": """
input: [4, 8, 8]
network:
  - repeat:«9x2x2»
      - Conv2d: [$c, 1]«8x8x8 ... 9x4x4»
      - repeat: [ReLU]«8x8x8 ... 9x4x4»
        times: 3
      - {AvgPool2d: 2, when: true}«8x4x4 ... 9x2x2»
      - {Conv2d: [5, 1], when: $(c == 6)}
    for: c
    in: [8, 9]
""",
    "what a loop ends with": """
input: [4, 8, 8]
network:
  - {name: a, Conv2d: [3, 1]}«3x8x8»
  - steps:«3x8x8»
      - AvgPool2d: 2«3x4x4»
      - from: a«3x8x8»
    when: true
  - residual: [Conv2d: [7, 1], from: a]«3x8x8»
    shortcut: false
""",
    "equal calls, and one of another shape": """
input: [3, 8, 8]
blocks:
  Skip:
    - {name: a, Conv2d: [3, 1]}«3x8x8 +2»
    - steps:«3x8x8 +2»
        - AvgPool2d: 2«3x4x4 +2»
        - from: a«3x8x8 +2»
      when: true
network:
  - Skip«3x8x8»
  - {name: skip, Skip: }«3x8x8»
  - AvgPool2d: 2«3x4x4»
  - reuse: skip«3x4x4»
""",
    "names": """
input: {left: [4, 8, 8], right: [4, 6, 6]}
blocks:
  Pair:
    outputs: [first, second]
    steps:
      - {name: first, Conv2d: [8, 1]}«8x8x8»
      - {name: second, AvgPool2d: 2}«8x4x4»
network:
  - {name: pair, Pair: }«first 8x8x8, second 8x4x4»
  - from: pair.first«8x8x8»
  - {name: pool, AdaptiveAvgPool2d: 3}«8x3x3»
  - from: right«4x6x6»
  - reuse: pool«4x3x3»
outputs: [pair.second, pool]
""",
    "a block that is used twice": BLOCK.format(conv="«4x8x8 +1»", inner="«4x8x8 +1»", relu="«4x8x8 +1»")
    + """
  - Block: 4«4x8x8»
  - Block: [6, 2]«6x4x4»
""",
    "a block that is used twice with one shape": BLOCK.format(conv="«4x8x8»", inner="«4x8x8»", relu="«4x8x8»")
    + """
  - Block: 4«4x8x8»
  - Block: [4, 1]«4x8x8»
""",
    "the call at the cursor": BLOCK.format(conv="«6x4x4»", inner="«6x4x4»", relu="«6x4x4»")
    + """
  - Block: 4«4x8x8»
  - Block: [¦6, 2]«6x4x4»
  - Block: 9«9x4x4»
""",
    "the call at the cursor, in a loop": BLOCK.format(
        conv="«5x4x4 ... 4x4x4»", inner="«5x4x4 ... 4x4x4»", relu="«5x4x4 ... 4x4x4»"
    )
    + """
  - Block: [6, 2]«6x4x4»
  - repeat:«4x4x4»
      - ¦Block: $c«5x4x4 ... 4x4x4»
    for: c
    in: [5, 4]
""",
    "the chain of calls at the cursor": """
input: [3, 8, 8]
blocks:
  Outer(c):
    - Inner: $c«4x8x8 +2»
    - ¦Inner: $(2 * c)«8x8x8 +2»
  Inner(c):
    - Conv2d: [$c, 1]«8x8x8 +2»
network:
  - Outer: 4«8x8x8»
  - Outer: 5«10x8x8»
  - sequential:«12x8x8»
      - Outer: 6«12x8x8»
""",
    "the call that is nearest": """
input: [3, 8, 8]
blocks:
  Inner(c):
    - Conv2d: [$c, 1]«5x8x8»
network:
  - sequential:«5x8x8»
      - Inner: 4«4x8x8»
      - Inner: 5¦«5x8x8»
""",
    "the cursor elsewhere": BLOCK.format(conv="«4x8x8 +1»", inner="«4x8x8 +1»", relu="«4x8x8 +1»")
    + """
  - Block: 4«4x8x8»
  - Re¦LU«4x8x8»
  - Block: [6, 2]«6x4x4»
""",
    "a block that is written out": """
input: [3, 8, 8]
blocks:
  Pair(c): [Conv2d: [$c, 1], ReLU]«4x8x8 +1»
network:
  - {Pair: 4, inline: true}«4x8x8»
  - {Pair: 5, inline: true}«5x8x8»
""",
    "values": """
input: [3, 8]
params: {act: ReLU, norm: null}
network:
  - $act«3x8»
  - {$norm: , when: $(norm is not None)}
  - $(GELU if act else ReLU)«3x8»
""",
}


@pytest.mark.parametrize("marked", CASES.values(), ids=CASES.keys())
def test_hints_are_where_and_what_a_person_expects(marked: str, tmp_path: Path) -> None:
    analysis, cursor, expected = read(marked, tmp_path / "spec.yaml")
    assert not analysis.compilation.errors
    found = hints(analysis, cursor)
    assert {hint.offset: hint.text for hint in found} == expected
    assert len(found) == len(expected)


ZOO = ["archs/resnet18.yaml", "archs/googlenet.yaml", "archs/densenet.yaml", "archs/torchvision/mobilenet_v2.yaml"]
#: A line of a tooltip: path, shapes of inputs, shapes of outputs.
_TOLD = re.compile(r"(?:- )?`([\w.]+)`: (.*) → (.*)")


@pytest.mark.parametrize("spec", ZOO)
def test_tooltips_tell_what_torch_computes(spec: str) -> None:
    analysis = analyse(ROOT / spec, Buffers({}))
    assert analysis.compilation.graph is not None
    module = Network(analysis.compilation.graph).module().eval()
    shapes: dict[str, list[tuple[str, str]]] = {}
    for path, child in module.named_modules():
        child.register_forward_hook(
            lambda _, given, made, path=path: shapes.setdefault(path, []).append((shown(given[0]), shown(made)))
        )
    module(torch.empty(1, *analysis.compilation.graph.root.input.shape.sample))
    told = [found for hint in hints(analysis) for line in hint.tooltip.split("\n") if (found := _TOLD.fullmatch(line))]
    assert len(told) > 20
    for path, given, made in (found.groups() for found in told):
        output, *costs = made.split(", ")
        assert (given, output) in [(f"`{before}`", f"`{after}`") for before, after in shapes[path]]
        params = sum(parameter.numel() for parameter in module.get_submodule(path).parameters())
        assert f"{human(params)} parameters" in costs or not params


def shown(tensor: torch.Tensor) -> str:
    return pretty("x".join(map(str, tensor.shape[1:])))


@pytest.mark.parametrize("spec", ZOO)
def test_the_last_hint_of_a_network_is_its_output(spec: str) -> None:
    analysis = analyse(ROOT / spec, Buffers({}))
    assert analysis.compilation.graph is not None and analysis.compilation.document is not None
    key = analysis.compilation.document.tree.keys["network"].span.end
    assert [hint.text for hint in hints(analysis) if hint.offset > key][-1] == str(
        analysis.compilation.graph.root.output.shape.features
    )


def test_lenses_tell_costs(tmp_path: Path) -> None:
    analysis, _, _ = read(
        BLOCK.format(conv="", inner="", relu="") + "  - Block: 4\n  - Block: 4\n  - Block: [6, 2]\n",
        tmp_path / "a.yaml",
    )
    conv = 3 * 4 * 9 + 4, 4 * 4 * 9 + 4, 4 * 6 * 9 + 6
    macs = 64 * 3 * 4 * 9, 64 * 4 * 4 * 9, 16 * 4 * 6 * 9
    assert [lens.text for lens in lenses(analysis)] == [
        f"{conv[0]} parameters, {human(macs[0])} MACs in the first of 3 uses",
        "no parameters in each of 3 uses",
        f"{human(sum(conv))} parameters, {human(sum(macs))} MACs, output {pretty('6x4x4')}",
    ]
    block, inner, network = lenses(analysis)
    assert [span.line for span in block.uses] == [10, 11, 12]
    assert [span.text for span in (block.span, inner.span, network.span)] == [
        "Block(channels, stride=1)",
        "Inner",
        "network",
    ]


def test_a_block_that_nothing_uses(tmp_path: Path) -> None:
    analysis, _, _ = read(BLOCK.format(conv="", inner="", relu="") + "  - ReLU\n", tmp_path / "a.yaml")
    assert [lens.text for lens in lenses(analysis)] == [
        "not used",
        "not used",
        f"no parameters, output {pretty('3x8x8')}",
    ]


LIBRARY = """
blocks:
  Double(channels):
    - Conv2d: [$channels, 3, 1, 1]
    - ReLU
"""


def test_a_file_of_blocks_has_the_shapes_of_the_first_spec_that_uses_it(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    library, user, other = tmp_path / "parts/library.yaml", tmp_path / "user.yaml", tmp_path / "parts/other.yaml"
    texts = {
        library: LIBRARY,
        user: "use: parts/library.yaml\ninput: [3, 8, 8]\nnetwork: [Double: 4]\n",
        other: "use: ../parts/library.yaml\ninput: [3, 6, 6]\nnetwork: [Double: 5, Double: 6]\n",
    }
    files = Buffers({path.resolve(): text for path, text in texts.items()})
    shown, first, second = (analyse(path, files) for path in texts)
    assert shown.compilation.diagnostics == []
    assert not hints(shown) and not lenses(shown)
    assert [hint.text for hint in hints(shown, others=[first])] == [pretty("4x8x8"), pretty("4x8x8")]
    assert [hint.text for hint in hints(shown, others=[second, first])] == [pretty("5x6x6 +1"), pretty("5x6x6 +1")]
    assert [lens.text for lens in lenses(shown, [second])] == ["140 parameters, 4.86 k MACs in the first of 2 uses"]
    assert [hint.text for hint in hints(first, others=[second])] == [pretty("4x8x8")]


def test_a_spec_that_read_another_text_of_the_file_gives_no_shapes_for_it(tmp_path: Path) -> None:
    library, user = tmp_path / "library.yaml", tmp_path / "user.yaml"
    texts = {library: LIBRARY, user: "use: library.yaml\ninput: [3, 8, 8]\nnetwork: [Double: 4]\n"}
    before = analyse(user, Buffers({path.resolve(): text for path, text in texts.items()}))
    shown = analyse(library, Buffers({library.resolve(): "\n\n" + LIBRARY}))
    assert hints(shown, others=[before]) == ()


def test_a_spec_that_extends_another_shows_only_its_own_steps(tmp_path: Path) -> None:
    base, spec = tmp_path / "base.yaml", tmp_path / "spec.yaml"
    base.write_text(BLOCK.format(conv="", inner="", relu="") + "  - Block: 4\n")
    analysis, _, expected = read("extends: base.yaml\nblocks:\n  Inner: [AvgPool2d: 2]«4x4x4»\n", spec)
    assert {hint.offset: hint.text for hint in hints(analysis)} == expected


def test_a_network_that_breaks_its_contract_is_whole(tmp_path: Path) -> None:
    text = "input: [3, 8]\nexpect: {output: [4]}\nnetwork: [Flatten, Linear: 5]\n"
    analysis, _, _ = read(text, tmp_path / "a.yaml")
    assert analysis.compilation.errors
    assert [lens.text for lens in lenses(analysis)] == ["125 parameters, 120 MACs, output 5"]


def test_a_network_with_a_fault_is_told_as_far_as_it_is_known(tmp_path: Path) -> None:
    text = "input: [3, 8]\nnetwork: [Flatten, Linear: 5, Linear: {out_features: x}]\n"
    analysis, _, _ = read(text, tmp_path / "a.yaml")
    assert [lens.text for lens in lenses(analysis)] == ["125 parameters, 120 MACs so far"]
