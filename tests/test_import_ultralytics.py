"""Model files of Ultralytics as specs: the costs of those by hand, and what Ultralytics itself makes of them."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from random import Random
from typing import Any

import oracle_ultralytics as oracle
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn
from ultralytics_files import CASES, FUSED, MANY, RESNET, YOLOV5, YOLOV8, Case

import cnndsl
from cnndsl.diagnostics import Diagnostic, SpecError
from cnndsl.importing.ultralytics import spec_text
from cnndsl.importing.ultralytics.library import library
from cnndsl.importing.ultralytics.modules import HEADS, blocks

DETECTION = Path(__file__).parent.parent / "archs" / "detection"
RECORDED = json.loads(oracle.RECORDED.read_text())
ids = [case.stem for case in CASES]


def written(folder: Path, text: str, name: str = "yolov8n.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def imported(folder: Path, case: Case) -> str:
    return spec_text(written(folder, case.text, f"{case.stem}.yaml"))


def refused(folder: Path, text: str, name: str = "model.yaml", scale: str | None = None) -> list[Diagnostic]:
    with pytest.raises(SpecError) as caught:
        spec_text(written(folder, text, name), scale)
    return caught.value.diagnostics


def rows(*lines: str, head: str = "[]", above: str = "nc: 8") -> str:
    return "\n".join([above, "backbone:", *(f"  - {line}" for line in lines), f"head: {head}", ""])


# --- what comes out ------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_parameters_operations_names_and_outputs_are_those_of_ultralytics(tmp_path: Path, case: Case) -> None:
    def outputs(module: nn.Module, picture: torch.Tensor) -> list[torch.Tensor]:
        found = module(picture)
        return [found] if isinstance(found, torch.Tensor) else [*found.values()]

    network = cnndsl.loads(imported(tmp_path, case))
    found, expected = oracle.figures(network.module(), outputs), RECORDED[case.stem]
    assert {**found, "outputs": None} == {**expected, "outputs": None}
    assert found["params"] == network.cost.params
    assert [output["shape"] for output in found["outputs"]] == [output["shape"] for output in expected["outputs"]]
    for ours, theirs in zip(found["outputs"], expected["outputs"]):
        assert ours["mean"] == pytest.approx(theirs["mean"], rel=1e-4)
        assert ours["wave"] == pytest.approx(theirs["wave"], rel=1e-3, abs=1e-4 * theirs["mean"])


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ultralytics") is None, reason="see oracle_ultralytics.py")
@pytest.mark.parametrize("case", CASES, ids=ids)
def test_what_is_recorded_is_what_ultralytics_makes(case: Case) -> None:
    assert oracle.theirs(case) == RECORDED[case.stem]


@pytest.mark.parametrize("scale", "nsmlx")
def test_every_scale_costs_what_the_spec_by_hand_costs(tmp_path: Path, scale: str) -> None:
    whole = spec_text(written(tmp_path, YOLOV8, "yolov8.yaml"))
    by_hand = cnndsl.load(DETECTION / f"yolov8{scale}.yaml")
    for text, params in ((whole, {"scale": scale}), (imported(tmp_path, Case(f"yolov8{scale}", YOLOV8)), {})):
        ours = cnndsl.loads(text, **params)
        assert (ours.cost.params, ours.cost.macs) == (by_hand.cost.params, by_hand.cost.macs)


def test_its_checkpoints_load_and_its_outputs_are_bit_equal_to_those_of_the_spec_by_hand(tmp_path: Path) -> None:
    by_hand = cnndsl.load(DETECTION / "yolov8n.yaml").module().eval()
    ours = cnndsl.loads(imported(tmp_path, Case("yolov8n", YOLOV8))).module().eval()
    ours.load_state_dict(by_hand.state_dict())
    picture = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        found, expected = ours(picture), by_hand(picture)
    assert found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)


#: As YOLOv5's repository says.
@pytest.mark.parametrize(
    "depth, width, params",
    [(0.33, 0.25, 1872157), (0.33, 0.5, 7235389), (0.67, 0.75, 21190557), (1.0, 1.0, 46563709), (1.33, 1.25, 86749405)],
)
def test_yolov5_with_anchors_and_multiples(tmp_path: Path, depth: float, width: float, params: int) -> None:
    text = YOLOV5.replace("depth_multiple: 0.33", f"depth_multiple: {depth}")
    text = text.replace("width_multiple: 0.50", f"width_multiple: {width}")
    assert cnndsl.loads(spec_text(written(tmp_path, text))).cost.params == params


def test_the_spec_reads_like_its_model_file(tmp_path: Path) -> None:
    text = imported(tmp_path, Case("yolov8n", YOLOV8))
    assert text.partition("network:\n")[2].splitlines()[:12] == [
        "  - {name: model.0, Conv: [$c64, 3, 2]}  # half",
        "  - {name: model.1, Conv: [$c128, 3, 2]}",
        "  - {name: model.2, C2f: [$c128, $n3, true]}",
        "  - {name: model.3, Conv: [$c256, 3, 2]}  # 3, an eighth",
        "  - {name: model.4, C2f: [$c256, $n6, true]}",
        "  - {name: model.5, Conv: [$c512, 3, 2]}",
        "  - {name: model.6, C2f: [$c512, $n6, true]}",
        "  - {name: model.7, Conv: [$c1024, 3, 2]}",
        "  - {name: model.8, C2f: [$c1024, $n3, true]}",
        "  - {name: model.9, SPPF: [$c1024, 5]}  # 9",
        "  - {name: model.10, Upsample: {scale_factor: 2}}",
        "  - branch: [[], [from: model.6]]",
    ]
    assert "  - {name: model.22, Detect: $nc, inputs: [model.15, model.18, model.21]}\n" in text
    assert "  s: [0.33, 0.5, 1024]\n" in text and "  c64: $(ceil(min(64, max_channels) * width / 8) * 8)\n" in text


@pytest.mark.parametrize("case", [*CASES, Case("yolov5s", YOLOV5)], ids=[*ids, "yolov5s"])
def test_it_is_laid_out_and_has_no_warnings(tmp_path: Path, case: Case) -> None:
    text = imported(tmp_path, case)
    assert cnndsl.format(text) == text
    assert cnndsl.check(cnndsl.Text(text)) == []


@pytest.mark.parametrize(
    "name, asked, called, scale",
    [
        ("yolov8.yaml", None, "yolov8n", "n"),
        ("yolov8.yaml", "m", "yolov8m", "m"),
        ("yolov8x.yaml", None, "yolov8x", "x"),
        ("yolov8x.yaml", "s", "yolov8x", "s"),
        ("yolov8l-own.yaml", None, "yolov8l_own", "l"),
        ("other.yaml", None, "other", "n"),
    ],
)
def test_the_scale_is_asked_for_or_in_the_name_or_the_first(
    tmp_path: Path, name: str, asked: str | None, called: str, scale: str
) -> None:
    text = spec_text(written(tmp_path, YOLOV8, name), asked)
    assert f"\nname: {called}\n" in text and f"\n  scale: {scale}\n" in text
    assert "\nname: mine\n" in spec_text(tmp_path / name, asked, "mine")


def test_a_file_with_a_letter_is_read_from_the_one_without(tmp_path: Path) -> None:
    written(tmp_path, YOLOV8, "yolov8.yaml")
    assert "\nname: yolov8s\n" in (text := spec_text(tmp_path / "yolov8s.yaml"))
    assert cnndsl.loads(text).cost.params == 11166560


def test_the_number_of_a_module_that_does_not_repeat_itself(tmp_path: Path) -> None:
    """One alone is the module, several are in an ``nn.Sequential``, and the scale decides."""
    above = "nc: 8\nscales: {n: [0.4, 1.0, 64], s: [1.0, 1.0, 64]}"
    text = spec_text(written(tmp_path, rows("[-1, 1, Conv, [8]]", "[-1, 3, Conv, [8, 3]]", above=above)))
    for scale, key in (("n", "model.1.conv.weight"), ("s", "model.1.2.conv.weight")):
        assert key in cnndsl.loads(text, scale=scale).module().state_dict()
    plain = spec_text(written(tmp_path, rows("[-1, 2, Conv, [8]]")))
    assert "model.0.1.bn.bias" in cnndsl.loads(plain).module().state_dict()


def test_a_kernel_of_two_sizes_is_padded_on_both_sides(tmp_path: Path) -> None:
    text = spec_text(written(tmp_path, rows("[-1, 1, Conv, [8, [3, 5]]]", "[-1, 1, Conv, [8, [5, 1], 1, null, 1, 2]]")))
    assert cnndsl.loads(text).graph.outputs["output"].shape == (1, 8, 640, 640)
    assert "Conv: {channels: 8, kernel_size: [3, 5], padding: [1, 2]}" in text


def test_nothing_in_the_file_is_executed(tmp_path: Path) -> None:
    mark = tmp_path / "made"
    call = f"__import__('pathlib').Path('{mark}').touch()"
    for text in (
        f'activation: "{call}"\n{YOLOV8}',
        YOLOV8.replace("nearest]]\n", f'"{call}"]]\n', 1),
        YOLOV8.replace("[nc]]", f'["{call}"]]'),
        YOLOV8.replace("SPPF", f'"{call}"'),
    ):
        assert refused(tmp_path, text)
    assert not mark.exists()


def test_a_model_file_cannot_write_expressions_of_the_language(tmp_path: Path) -> None:
    for text in ('[-1, 1, nn.Upsample, [null, 2, "$(nc)"]]', '[-1, 1, nn.ReflectionPad2d, [["$nc", 1, 1, 1]]]'):
        assert "expects a number, a word" in refused(tmp_path, rows(text))[0].message


# --- what is refused -----------------------------------------------------------------------------

FIRST = "[-1, 1, Conv, [8, 3]]"
WRONG = [
    # (text, line, column, code, message, help)
    (rows("[-1, 1, Convv, [8]]"), 3, 13, "CNN222", "unknown module `Convv`", "did you mean `Conv`?"),
    (rows("[-1, 1, nn.Conv2, [8]]"), 3, 13, "CNN222", "unknown module `nn.Conv2`", "did you mean `nn.Conv2d`?"),
    (rows("[-1, 1, Conv2d, [8, 8, 3]]"), 3, 13, "CNN222", "unknown module `Conv2d`", "written `nn.Conv2d`"),
    (rows("[-1, 1, os.system, [ls]]"), 3, 13, "CNN222", "unknown module `os.system`", ""),
    (rows(FIRST, "[-1, 1, C2PSA, [8]]"), 4, 13, "CNN218", "`C2PSA` computes attention", "`--leaf C2PSA`"),
    (rows("[-1, 1, AIFI, [8]]"), 3, 13, "CNN218", "`AIFI` computes attention", "`--leaf AIFI`"),
    (rows("[-1, 1, nn.MultiheadAttention, [8]]"), 3, 13, "CNN218", "computes attention", "`--leaf MultiheadAttention`"),
    (rows("[-1, 1, C3k2, [8, False, 0.5, True]]"), 3, 35, "CNN218", "`attention` expects `False`", ""),
    (rows("[-1, 1, HGStem, [8, 8]]"), 3, 13, "CNN222", "`HGStem` of Ultralytics has no", "import the module"),
    (rows("[-1, 1, Head, [8, 8]]"), 3, 13, "CNN222", "`Head` of Ultralytics has no translation", "import the module"),
    (rows("[-1, 1, Conv, []]"), 3, 13, "CNN222", "`Conv` needs `channels`", ""),
    (rows("[-1, 1, AConv, [8, 3]]"), 3, 24, "CNN222", "`AConv` takes one argument", "these are `channels`"),
    (rows("[-1, 1, SCDown, [8, 3, 2, 1]]"), 3, 31, "CNN222", "takes at most 3 arguments", "`kernel_size`, `stride`"),
    (rows("[-1, 1, nn.ReLU, [True, 1]]"), 3, 29, "CNN222", "`nn.ReLU` takes one argument", "`inplace`"),
    (rows("[-1, 1, Conv, [0, 3]]"), 3, 20, "CNN222", "`channels` expects a positive integer, got 0", ""),
    (rows("[-1, 1, Conv, [8, 3.5]]"), 3, 23, "CNN222", "`kernel_size` expects a positive integer or two, got 3.5", ""),
    (rows("[-1, 1, Conv, [8, 3, 1, -1]]"), 3, 29, "CNN222", "`padding` expects an integer, two, or `None`", ""),
    (rows("[-1, 1, Conv, [8, 3, 1, 1, 1, 1, nn.ReLU()]]"), 3, 38, "CNN222", "`act` expects `True` or `False`", ""),
    (rows("[-1, 1, C2f, [8, 1]]"), 3, 22, "CNN222", "`shortcut` expects `True` or `False`, got 1", ""),
    (rows("[-1, 1, C2f, [8, True, 1, 0]]"), 3, 31, "CNN222", "`expansion` expects a positive number, got 0", ""),
    (rows("[-1, 1, SPP, [8, 5]]"), 3, 22, "CNN222", "`kernel_sizes` expects a list of positive integers, got 5", ""),
    (rows(head="[[[0], 1, Detect, [nc]]]"), 3, 10, "CNN222", "takes the tensor of row 0, which is not before it", "-1"),
    (rows(FIRST, "[1, 1, Conv, [8]]"), 4, 6, "CNN222", "row 1 takes the tensor of row 1", "0 to 0, or count back"),
    (rows(FIRST, "[-3, 1, Conv, [8]]"), 4, 6, "CNN222", "row 1 takes the tensor of row -3", "from -1 to -1"),
    (rows(FIRST, "[x, 1, Conv, [8]]"), 4, 6, "CNN222", '`from` of row 1 expects the number of a row, got "x"', "`-1`"),
    (rows(FIRST, "[[], 1, Concat, [1]]"), 4, 6, "CNN222", "`from` of row 1 expects the numbers of rows", "`-1`"),
    (rows(FIRST, "[[-1, 0], 1, Conv, [8]]"), 4, 5, "CNN222", "`Conv` takes one tensor, and not a list", "one number"),
    (rows("[-1, 0, Conv, [8]]"), 3, 10, "CNN222", "the number of row 0 expects a positive integer, got 0", ""),
    (rows("[-1, 1, 5, [8]]"), 3, 13, "CNN222", "the module of row 0 expects a name, got 5", ""),
    (rows("[-1, 1, Conv, 8]"), 3, 19, "CNN222", "`args` of row 0 expects a list, got 8", ""),
    (rows("[-1, 1, Conv]"), 3, 5, "CNN222", 'row 0 expects four items, got [-1, 1, "Conv"]', "[from, number, module"),
    (rows(FIRST, head="[[[0], 1, Detect, [classes]]]"), 4, 26, "CNN222", "expects `nc` or a positive integer", ""),
    (rows(FIRST, head="[[[0], 1, Detect, [nc]]]", above="ch: 3"), 4, 26, "CNN222", "has no `nc`", "`nc: 80`"),
    (rows(FIRST, head="[[[0], 1, Detect, [nc]]]", above="nc: 0"), 1, 5, "CNN222", "a positive integer, got 0", ""),
    (
        rows(FIRST, head="[[[0], 1, Detect, [nc]], [[0], 1, Detect, [nc]]]"),
        4, 32, "CNN222", "the heads of rows 1 and 2 both have an output `distances`", "keep one head",
    ),
    (rows(FIRST, head="[[[0], 2, Detect, [nc]]]"), 4, 8, "CNN222", "`Detect` is a head, of which", "write 1"),
    (rows(FIRST, head="[[[0], 1, Pose, [nc]]]", above="nc: 1\nend2end: true"), 5, 17, "CNN222", "with `end2end`", ""),
    (rows(FIRST, head="[[[0], 1, Detect, [nc]], [-1, 1, Conv, [8]]]"), 4, 32, "CNN222", "row 1, which is a head", ""),
    (rows(FIRST, "[0, 1, CBLinear, [[4, 4]]]", "[1, 1, Conv, [8]]"), 5, 5, "CNN222", "only `CBFuse` takes", ""),
    (rows(FIRST, FIRST, "[[0, 1], 1, CBFuse, [[0]]]"), 5, 26, "CNN222", "tensor 0 of row 0, which is not a `CBL", ""),
    (rows(FIRST, FIRST, "[[0, 1], 1, CBFuse, [[0, 1]]]"), 5, 26, "CNN222", "`CBFuse` needs a list, a", "there is one"),
    (rows(FIRST, head="[[[0], 1, Detect, [nc, anchors]]]", above="anchors: 3"), 4, 26, "CNN222", "has no `nc`", ""),
    (rows(FIRST, above="activation: ReLU6"), 1, 13, "CNN222", "`activation` expects a layer of torch", ""),
    (rows(FIRST, above="nc: many"), 1, 5, "CNN222", '`nc` expects a positive integer, got "many"', ""),
    (rows(FIRST, above="width_multiple: 0"), 1, 17, "CNN222", "`width_multiple` expects a positive number, got 0", ""),
    (rows(FIRST, above="scals: {n: [1, 1, 64]}"), 1, 1, "CNN222", "unknown key `scals`", "did you mean `scales`?"),
    (rows(FIRST, above="scales: {n: [1, 1]}"), 1, 13, "CNN222", "the scale `n` expects depth, width and", "1024"),
    (rows(FIRST, above="scales: {depth: [1, 1, 64]}"), 1, 10, "CNN222", "cannot be called `depth`", "`n`"),
    (rows(FIRST, above="scales: 3"), 1, 9, "CNN222", "`scales` expects a mapping, got 3", ""),
    (rows(FIRST, above="kpt_shape: 17"), 1, 12, "CNN222", "`kpt_shape` expects two positive integers, got 17", ""),
    (rows(FIRST).replace("head: []", ""), 1, 1, "CNN222", "the model file has no `head`", "a model file has"),
    (rows(FIRST).replace("head: []", "head: 3"), 4, 7, "CNN222", "`head` expects a list of rows, got 3", "a row is"),
    ("nc: 3\nbackbone: []\nhead: []\n", 1, 1, "CNN222", "the model file has no rows", "a row is"),
    ("# nothing\n\n", 1, 1, "CNN222", "the file is empty", "a model file has"),
    ("- 3\n", 1, 1, "CNN222", "a model file expects keys, got [3]", "a model file has"),
    ("input: [3, 8, 8]\nnetwork: [ReLU]\n", 2, 1, "CNN222", "the file is a spec already", "`backbone` and `head`"),
    # of the YAML, and of the spec that came out
    (rows("[-1, 1, Conv, [8"), 3, 19, "CNN003", "this `[` is not closed", "missing"),
    (rows(FIRST, above="nc: 3\nnc: 4"), 2, 1, "CNN004", "the key `nc` appears twice", "keep one"),
    (rows(FIRST, "[-1, 1, Conv, [8, 3, 2]]", "[[-1, 0], 1, Concat, [1]]"), 5, 5, "CNN032", "be concatenated", "equal"),
    (rows(FIRST, "[-1, 1, C2f, [8, True, 7]]"), 4, 5, "CNN030", "is not divisible by groups 7", ""),
    (rows("[-1, 1, Conv, [16]]", "[-1, 1, DWConv, [24]]"), 4, 5, "CNN030", "divisible by groups 16", "1, 2, 4, 8"),
    (rows(FIRST, "[-1, 3, Conv, [8, 3, 1, 0, 7]]"), 4, 5, "CNN030", "is not divisible by groups 7", ""),
    (rows("[-1, 1, nn.Conv2d, [4, 8, 3]]"), 3, 5, "CNN031", "`in_channels` is 4, but", "write `3`"),
]  # fmt: skip


@pytest.mark.parametrize("text, line, column, code, message, help", WRONG, ids=[f"{row[3]}: {row[4]}" for row in WRONG])
def test_what_cannot_be_imported_is_told_at_its_place(
    tmp_path: Path, text: str, line: int, column: int, code: str, message: str, help: str
) -> None:
    said = refused(tmp_path, text)[0]
    assert said.span is not None and said.span.source.name == str(tmp_path / "model.yaml")
    assert (said.code.id, said.span.line, said.span.column) == (code, line, column)
    assert message in said.message and help in said.help


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    text = rows("[-1, 1, Convv, [8]]", "[9, 1, Conv, [8]]", "[-1, 1, PSA, [8]]", above="nc: x\nactivation: 3")
    assert [said.span and said.span.line for said in refused(tmp_path, text)] == [1, 2, 4, 5, 6]


def test_a_scale_that_the_file_does_not_have(tmp_path: Path) -> None:
    for text, help in ((YOLOV8, "it has `n`, `s`, `m`, `l`, `x`"), (YOLOV5, "it has no `scales`")):
        said = refused(tmp_path, text, scale="q")
        assert [(item.message, item.help) for item in said] == [("the file has no scale `q`", help)]
    assert refused(tmp_path, MANY, "yolov8x.yaml")[0].message == "the file has no scale `x`"


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"does not exist"):
        spec_text(tmp_path / "yolov8n.yaml")


# --- the library, and files that are broken -------------------------------------------------------


def test_the_library_is_laid_out_like_the_specs_that_it_is_copied_into() -> None:
    text = Path(cnndsl.__file__).parent.joinpath("importing", "ultralytics", "blocks.yaml").read_text()
    assert cnndsl.format(text) == text


def test_the_tests_use_every_block_of_the_library(tmp_path: Path) -> None:
    extra = rows(FIRST, "[-1, 1, RepC3, [8]]", "[-1, 1, SPPELAN, [8, 4]]", "[-1, 1, C3, [8]]")
    files = [*(case.text for case in CASES), YOLOV5, extra]
    copied = {
        line.strip().partition("(")[0].rstrip(":")
        for number, text in enumerate(files)
        for line in spec_text(written(tmp_path, text, f"{number}.yaml")).splitlines()
        if line.startswith("  ") and line[2:3].isupper()
    }
    assert copied == set(library())
    assert blocks() | HEADS.keys() <= {word for text in files for word in text.replace(",", " ").split()}


PIECES = [
    "",
    "-1",
    "99",
    "nc",
    "Conv",
    "[",
    "]",
    "{",
    "}",
    ": ",
    "- ",
    "null",
    "1e400",
    "'",
    "$(1)",
    "\n",
    "&a",
    "*a",
    "é",
]


@given(st.randoms(use_true_random=False), st.sampled_from([MANY, FUSED, RESNET, YOLOV5]))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_broken_file_is_a_spec_or_told(tmp_path: Path, random: Random, text: str) -> None:
    """A few words, brackets and lines are replaced, doubled or lost."""
    words = text.replace(",", " , ").split(" ")
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(words))
        words[at] = random.choice([*PIECES, random.choice(words), f"{words[at]} {words[at]}"])
    try:
        found: Any = spec_text(written(tmp_path, " ".join(words)))
    except SpecError as error:
        assert all(said.span and said.span.source.name.endswith("yolov8n.yaml") for said in error.diagnostics)
    else:
        assert not [said for said in cnndsl.check(cnndsl.Text(found)) if said.is_error]
