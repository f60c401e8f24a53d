"""Definitions, references and renamings. In a text, «...» is every place that names one thing. The same word elsewhere
names something else, and must stay."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from cnndsl.editing.analysis import Analysis, Buffers, analyse
from cnndsl.editing.answers import Renamed
from cnndsl.editing.names import definition, highlights, prepare, references, rename

HEAD = "input: [3, 32, 32]\n"

CASES = {
    "a block": HEAD
    + """
blocks:
  «Block»(c): [Conv2d: [$c, 3, 1, 1]]
  Wrap(layer=«Block»): [$layer: 8, «Block»: 4]
network:
  - «Block»: 4
  - Wrap
  - Wrap: «Block»
  - Wrap: {layer: $(«Block» if 1 else ReLU)}
  - for: b
    in: [«Block», "«Block»"]
    repeat: [$b: 4]
""",
    "a parameter of a block": HEAD
    + """
blocks:
  Block(«c», d=«c» * 2):
    - Conv2d: {out_channels: $«c», kernel_size: 3, padding: "$(max(«c», 1) // «c»)"}
    - Conv2d: [$d, 1]
  Other(c): [Block: {«c»: $c}]
network:
  - Block: {«c»: 4}
  - Other: {c: 3}
  - for: layer
    in: [Block]
    repeat: [$layer: {«c»: 4}]
""",
    "a parameter of the spec": """
input: [$«n», 32, 32]
params: {«n»: 3, twice: $(2 * «n»)}
blocks:
  Block(n): [Conv2d: [$n, 1]]
  Free(k=«n»): [Conv2d: [$k, 1], Conv2d: [$«n», 1]]
network:
  - {name: part$«n», Block: $«n»}
  - from: part$«n»
  - Free
  - let: {n: $(«n» + 1)}
  - Conv2d: [$n, 1] # cnndsl: ignore CNN109
  - Flatten
  - Linear: 10
outputs: [part$«n»]
expect: {output: [$«n», 32, 32]}
""",
    "a `let` in a list, and one inside": HEAD
    + """
network:
  - let: {«a»: 4}
  - repeat:
      - Conv2d: [$«a», 1]
      - let: {a: $(«a» * 2)}
      - Conv2d: [$a, 1]
    times: 2
  - Conv2d: [$«a», 1]
  - sequential: [Conv2d: [$«a», 3]]
""",
    "a `let` that a condition decides on": HEAD
    + """
params: {big: true}
network:
  - let: {«a»: 4}
  - {let: {«a»: 8}, when: $big}
  - Conv2d: [$«a», 1]
""",
    "a name of a loop": HEAD
    + """
params: {i: 2}
network:
  - for: [«w», k]
    in: [[4, 1], [8, 1]]
    repeat:
      - {name: wide$«w», Conv2d: [$«w», $k]}
      - for: w
        in: $(range(«w» // 4))
        repeat: [Conv2d: [$(w + 1), 1]] # cnndsl: ignore CNN109
  - branch:
      - {for: w, in: [1, 2], when: $(w > 0), steps: [Conv2d: [$w, 1]]}
""",
    "a step": HEAD
    + """
blocks:
  Pair(x):
    inputs: [a, b]
    steps: [{branch: [[], [from: b]], merge: add}]
  Far: [{name: a, ReLU: }, {from: a}]
network:
  - {name: «a», Conv2d: [8, 3, 1, 1]}
  - {name: down, Conv2d: [8, 3, 2, 1]}
  - Upsample: {like: «a»}
  - {Pair: 1, inputs: [«a», '«a»']}
  - {from: input}
  - {reuse: «a»}
  - from: «a»
  - Far
outputs: ["«a»", down]
""",
    "a step with values in its name": HEAD
    + """
params: {n: 2}
network:
  - for: i
    in: [1, 2, 3]
    repeat: [{name: «layer»$i, Conv2d: [$i, 3, 1, 1]}]
  - {name: layers, ReLU: }
  - branch: [[from: «layer»1], [from: «layer»$n], [from: «layer»$(n + 1)]]
outputs: [«layer»3, layers]
""",
    "a dict of modules, and a step in it": HEAD
    + """
network:
  - {name: stem, Conv2d: [8, 3, 1, 1]}
  - {name: «heads».box, Conv2d: [4, 1]}
  - {from: stem}
  - {name: «heads».cls, Conv2d: [2, 1]}
outputs: [«heads».box, «heads».cls]
rename: {«heads»: head}
""",
    "an output of a block": HEAD
    + """
blocks:
  Backbone:
    outputs: [«c2», c3]
    steps:
      - {name: «c2», Conv2d: [16, 3, 1, 1]}
      - {name: c3, Conv2d: [32, 3, 2, 1]}
network:
  - {name: backbone, Backbone: }
  - Upsample: {like: backbone.«c2»}
  - {name: again, reuse: backbone, inputs: [input]}
outputs: [backbone.«c2», again.c3]
""",
    "a step that hides an input": """
input: {«x»: [3, 8, 8], y: [3, 8, 8]}
network:
  - branch: [[], [from: «x»]]
  - {name: x, Conv2d: [4, 1]}
  - branch: [[], [from: x], [from: y]]
""",
    "an input of a block": HEAD
    + """
blocks:
  Add2:
    inputs: [x, «skip»]
    steps: [{branch: [[], [from: «skip»]], merge: add}]
network:
  - {name: skip, Conv2d: [4, 1]}
  - {name: main, Conv2d: [4, 1]}
  - {Add2: , inputs: [main, skip]}
""",
    "inputs that a value chooses from": HEAD
    + """
blocks:
  Together:
    inputs: [«p»0, «p»1, other]
    steps:
      - branch: [{for: i, in: [0, 1], steps: [from: «p»$i]}, [from: other]]
        merge: add
network:
  - {name: p0, ReLU: }
  - {Together: , inputs: [p0, p0, p0]}
""",
    "names of a block that is written out": HEAD
    + """
blocks:
  Stem(i):
    - {name: «conv»$i, Conv2d: [4, 3, 1, 1]}
    - ReLU
    - {from: «conv»$i}
network:
  - {Stem: 0, inline: true}
  - {Stem: 1, inline: true}
  - branch: [[from: «conv»0], [from: «conv»1]]
""",
    "paths in `rename` and `freeze`": HEAD
    + """
blocks:
  Block(c):
    - {name: «conv», Conv2d: [$c, 3, 1, 1]}
    - BatchNorm2d
network:
  - {name: stage1, sequential: [Block: 4, Block: 4]}
  - Flatten
  - Linear: 10
rename:
  stage1.0.«conv»: first
  "**.«conv».bias": "**.b"
train: {dataset: CIFAR10, epochs: 1, batch_size: 4, optimizer: SGD, freeze: [stage1.1.«conv», stage1.*.«conv».weight]}
""",
    "a parameter that the recipe hides": HEAD
    + """
params: {«epochs»: 4}
network: [Conv2d: [$«epochs», 1], AdaptiveAvgPool2d: 1, Flatten, Linear: 10]
train: {epochs: $(2 * «epochs»), batch_size: 4, dataset: CIFAR10, optimizer: SGD, scheduler: {StepLR: [$epochs]}}
""",
    "steps of which `when` leaves one": HEAD
    + """
params: {fast: true}
network:
  - {when: $fast, name: «a», Conv2d: [4, 1], else: [{name: «a», Conv2d: [4, 3, 1, 1]}]}
  - ReLU
  - branch: [[], [from: «a»]]
""",
}  # fmt: skip


def taken_apart(marked: str) -> tuple[str, list[tuple[int, int]]]:
    """A text without its marks, and the places of those that name the same thing."""
    text, spans, start = "", [], 0
    for piece in re.split("([«»])", marked):
        if piece == "«":
            start = len(text)
        elif piece == "»":
            spans.append((start, len(text)))
        else:
            text += piece
    return text, spans


def compiled(text: str, path: Path = Path("/nowhere/spec.yaml")) -> Analysis:
    return analyse(path, Buffers({path.resolve(): text}))


def applied(renamed: Renamed, texts: dict[Path, str]) -> dict[Path, str]:
    assert not renamed.refusal
    for path, edits in renamed.edits.items():
        for edit in sorted(edits, key=lambda edit: -edit.span.start):
            texts[path] = texts[path][: edit.span.start] + edit.text + texts[path][edit.span.end :]
    return texts


def fresh(name: str) -> str:
    return "Renamed" if name[0].isupper() else "77" if name.isdigit() else "renamed"


@pytest.mark.parametrize("marked", CASES.values(), ids=CASES)
def test_a_name_is_known_from_each_of_its_places(marked: str) -> None:
    text, places = taken_apart(marked)
    analysis = compiled(text)
    assert not analysis.compilation.errors, analysis.compilation.errors
    random.Random(16).shuffle(places)
    for start, end in places:
        for found in (references(analysis, start), highlights(analysis, end)):
            assert sorted((span.start, span.end) for span in found) == sorted(places)
        assert {(span.start, span.end) for span in definition(analysis, start)} <= {*places}
        span = prepare(analysis, start)
        assert span and (span.start, span.end) == (start, end)


@pytest.mark.parametrize("marked", CASES.values(), ids=CASES)
def test_a_renaming_changes_all_places_and_comes_back(marked: str) -> None:
    text, places = taken_apart(marked)
    path = Path("/nowhere/spec.yaml")
    start, end = random.Random(16).choice(places)
    new = fresh(text[start:end])
    renamed = applied(rename(compiled(text), start, new), {path: text})[path]
    assert renamed == re.sub("«.*?»", new, marked)
    back = applied(rename(compiled(renamed), renamed.index(new), text[start:end]), {path: renamed})[path]
    assert back == text
