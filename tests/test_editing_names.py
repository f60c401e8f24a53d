"""Definitions, references and renamings. In a text, «...» is every place that names one thing. The same word elsewhere
names something else, and must stay."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from same_graph import Reader

from cnndsl.editing.analysis import Analysis, Buffers, analyse
from cnndsl.editing.answers import Renamed
from cnndsl.editing.names import definition, highlights, prepare, references, rename
from cnndsl.editing.naming.project import Project
from cnndsl.network import Network

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


# --- names of several files ----------------------------------------------------------------------

PROJECT = {
    "blocks.yaml": """
blocks:
  Block(c): [{name: conv, Conv2d: [$c, 3, 1, 1]}, Conv2d: [$width, 1]]
  Unused: [Block: {c: 3}]
""",
    "base.yaml": """
use: blocks.yaml
input: {left: [3, 8, 8], right: [3, 8, 8]}
params: {width: 8, unread: 1}
blocks:
  Head: [Flatten, Linear: 10]
network: [{name: first, Block: {c: $width}}, {branch: [[], [from: right, Conv2d: [8, 1]]]}, {name: head, Head: }]
rename: {first.conv: conv1}
""",
    "wide.yaml": """
extends: base.yaml
params: {width: 16}
blocks:
  Head: [Flatten, Linear: 20]
rename: {head: fc}
""",
    "other.yaml": """
use: blocks.yaml
input: [3, 8, 8]
params: {width: 4}
network: [Block: 5, Unused]
""",
}


def project(folder: Path) -> dict[str, Analysis]:
    (folder / "pyproject.toml").touch()
    files = Buffers({folder / name: text for name, text in PROJECT.items()})
    return {name: analyse(folder / name, files) for name in PROJECT}


@pytest.mark.parametrize(
    ("file", "at", "new", "places"),
    [
        ("wide.yaml", "width", "w", {"blocks.yaml": 1, "base.yaml": 2, "wide.yaml": 1, "other.yaml": 1}),
        ("blocks.yaml", "Block", "Renamed", {"blocks.yaml": 2, "base.yaml": 1, "other.yaml": 1}),
        ("other.yaml", "Unused", "Used", {"blocks.yaml": 1, "other.yaml": 1}),
        ("blocks.yaml", "c)", "channels", {"blocks.yaml": 3, "base.yaml": 1}),
        ("base.yaml", "Head", "Renamed", {"base.yaml": 2, "wide.yaml": 1}),
        ("wide.yaml", "head", "top", {"base.yaml": 1, "wide.yaml": 1}),
        ("blocks.yaml", "conv,", "inner", {"blocks.yaml": 1, "base.yaml": 1}),
        ("base.yaml", "right", "other", {"base.yaml": 2}),
    ],
)
def test_a_renaming_reaches_all_files(file: str, at: str, new: str, places: dict[str, int], tmp_path: Path) -> None:
    specs = project(tmp_path)
    others = [analysis for name, analysis in specs.items() if name != file]
    offset = specs[file].source.text.index(at)
    renamed = rename(specs[file], offset, new, others)
    assert not renamed.refusal
    assert {path.name: len(edits) for path, edits in renamed.edits.items()} == places
    texts = applied(renamed, {tmp_path / name: text for name, text in PROJECT.items()})
    found = {name: analyse(tmp_path / name, Buffers(texts)) for name in PROJECT}
    for name, analysis in found.items():
        before = [one.message for one in specs[name].compilation.diagnostics]
        assert len(analysis.compilation.diagnostics) == len(before), analysis.compilation.diagnostics
        reader = Reader()
        assert computations(analysis, reader) == computations(specs[name], reader)
    back = texts[tmp_path / file].index(new)
    old = specs[file].source.text[offset:][: len(at.rstrip("),"))]
    again = rename(found[file], back, old, [one for name, one in found.items() if name != file])
    assert applied(again, texts) == {tmp_path / name: text for name, text in PROJECT.items()}


def test_without_others_only_what_a_spec_is_made_of_is_known(tmp_path: Path) -> None:
    base = project(tmp_path)["base.yaml"]
    found = references(base, base.source.text.index("width"))
    assert {Path(span.source.name).name for span in found} == {"base.yaml", "blocks.yaml"}


def test_the_name_of_a_file_leads_to_it(tmp_path: Path) -> None:
    specs = project(tmp_path)
    for name, key, target in (("wide.yaml", "base.yaml", "base.yaml"), ("base.yaml", "blocks.yaml", "blocks.yaml")):
        (span,) = definition(specs[name], specs[name].source.text.index(key))
        assert (Path(span.source.name), span.start) == (tmp_path / target, 0)
        assert span.source.text == PROJECT[target]


# --- refusals ------------------------------------------------------------------------------------

REFUSED = (
    HEAD
    + """
params: {n: 4, other: 2}
blocks:
  Block(c, free=1): [Conv2d: [$c, 1], Conv2d: [$n, 1]]
  Second: [ReLU]
network:
  - {name: a, Block: $n}
  - {name: b, Second: }
  - let: {local: $(n + other)}
  - {name: x$n, Conv2d: [$local, 1]}
  - {from: $('a' if n > 3 else 'b')}
  - {name: "c\\x64", ReLU: }
  - {from: cd}
  - {name: solo, ReLU: }
outputs: [b, x4]
"""
)


@pytest.mark.parametrize(
    ("at", "new", "why"),
    [
        ("n: 4", "class", "`class` is a keyword of Python"),
        ("n: 4", "N", "begins like a layer name; parameters begin with a lowercase letter; `n` can be a name"),
        ("n: 4", "input", "is the tensor that enters a step"),
        ("n: 4", "true", "is a value"),
        ("n: 4", "2n", "begins with a digit"),
        ("n: 4", "", "is empty"),
        ("n: 4", "other", "`other` is already a parameter of the spec, at spec.yaml:3:16"),
        ("n: 4", "c", "`c` is already a parameter, at spec.yaml:5:9"),
        ("n: 4", "local", "`local` is already a `let` name, at spec.yaml:10:11"),
        ("local", "n", "`n` is already a parameter of the spec, at spec.yaml:3:10"),
        ("c,", "n", "`n` is already a parameter of the spec, at spec.yaml:3:10"),
        ("free", "c", "appears twice in the signature"),
        ("Block", "Second", "`Second` is defined twice"),
        ("Block", "block", "does not begin with a capital letter"),
        ("Block", "Conv2d", "is a layer of torch"),
        ("Block", "None", "is a value, not a name"),
        ("Block", "x-y", "is not an identifier"),
        ("solo", "b", "two steps of one module are named `b`"),
        ("solo", "forward", "is already an attribute of torch.nn.Module"),
        ("solo", "b c", "is not an identifier"),
        ("Conv2d", "Conv", "`Conv2d` is a layer of torch: its name cannot change"),
        ("params", "x", "`params` is not the name of a block, a parameter, a step or an input"),
        ("[3", "x", "there is no name here"),
        ("a,", "z", "a value gives this name"),
        ("cd", "z", "is not written as one word"),
    ],
)  # fmt: skip
def test_what_cannot_be_renamed_is_refused_with_a_reason(at: str, new: str, why: str) -> None:
    analysis = compiled(REFUSED)
    assert not analysis.compilation.errors
    renamed = rename(analysis, REFUSED.index(at), new)
    assert not renamed.edits and why in renamed.refusal


def test_names_of_the_zoo_stay(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    analysis = analyse(path, Buffers({path: "extends: zoo:resnet18\nparams: {classes: 5}\n"}))
    renamed = rename(analysis, analysis.source.text.index("classes"), "labels")
    assert "a file outside of the project" in renamed.refusal and "resnet18.yaml" in renamed.refusal


def test_blocks_that_write_each_other_out_have_names() -> None:
    text = HEAD + "network: [A]\nblocks:\n  A: [{name: a, ReLU: }, {B: , inline: true}, from: a]\n"
    text += "  B: [{A: , inline: true}]\n"
    assert len(references(compiled(text), text.index("a, ReLU"))) == 2


def test_a_text_that_cannot_be_read_is_not_renamed() -> None:
    analysis = compiled("input: [1, 8\nblocks: {Block: [ReLU]}\n")
    assert "the text cannot be read" in rename(analysis, 22, "Other").refusal


# --- the proof -----------------------------------------------------------------------------------


def computations(analysis: Analysis, reader: Reader) -> tuple[set[int], list[int]]:
    """What a spec computes, in the numbers of ``reader``, which knows no names: the layers that hold weights are called
    after their order."""
    network = Network(analysis.compilation.graph) if analysis.compilation.graph else None
    paths = dict.fromkeys(layer.path for layer in network.graph.root.layers) if network else {}
    order = {path: str(number) for number, path in enumerate(paths)}
    return reader.read(network, order.__getitem__) if network else (set(), [])


def every_name(path: Path) -> Iterator[tuple[Analysis, int, str]]:
    """A place of each name of a spec, in random order, and a new name for it."""
    files = Buffers({})
    project = Project.of(analyse(path, files))
    names = [*project.names]
    random.Random(16).shuffle(names)
    for name in names:
        span = random.Random(len(name.mentions)).choice(name.spans)
        if name.stem:
            yield analyse(Path(span.source.name), files), span.start, fresh(name.stem)


ARCHS = Path(__file__).parent.parent / "archs"
QUICK = ("lenet_bn", "resnet18", "unet", "densenet")
SLOW = (
    "googlenet", "inception", "torchvision/mobilenet_v3_large", "torchvision/efficientnet_b0",
    "torchvision/densenet121", "segmentation/lraspp_mobilenet_v3_large", "detection/retinanet_resnet50_fpn",
    "timm/repvgg_a0", "timm/resnest14d", "timm/selecsls42b", "beyond/unetplusplus",
)  # fmt: skip


@pytest.mark.parametrize("spec", [*QUICK, *(pytest.param(spec, marks=pytest.mark.slow) for spec in SLOW)])
def test_every_name_of_a_spec_can_be_changed_and_nothing_else_changes(spec: str) -> None:
    """After each renaming the spec has the same diagnostics and computes the same; renamed back, its
    files are the same byte for byte."""
    path = ARCHS / f"{spec}.yaml"
    main = analyse(path, Buffers({}))
    reader = Reader()
    computed = computations(main, reader)
    assert computed[1]
    for analysis, offset, new in every_name(path):
        renamed = rename(analysis, offset, new, [main])
        assert not renamed.refusal
        before = {file: file.read_text() for file in renamed.edits}
        texts = applied(renamed, {**before})
        after = analyse(path, Buffers(texts))
        assert len(after.compilation.diagnostics) == len(main.compilation.diagnostics)
        assert computations(after, reader) == computed
        file = next(iter(renamed.edits))
        at = min(edit.span.start for edit in renamed.edits[file])
        old = renamed.edits[file][0].span.text
        again = rename(analyse(file, Buffers(texts)), at, old, [after])
        assert applied(again, texts) == before
