"""The costs of a network with several values of its parameters."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

import cnndsl
from cnndsl.cli import verb
from cnndsl.grid import Medium
from cnndsl.measure.memory import peak
from cnndsl.questions.sweep import MOST, listed
from cnndsl.questions.sweep_table import Sweep, as_text

ARCHS = Path(__file__).parent.parent / "archs"
SPEC = """\
name: net
input: [3, 16, 16]
params: {width: 8, depth: 1, act: ReLU, sizes: [3]}
network:
  - repeat:
      - Conv2d: [$width, "$(sizes[0])", "$(2 if depth > 2 else 1)"]
      - $act
    times: $depth
  - Flatten
  - Linear: 10
"""
TEXT = cnndsl.Text(SPEC)


@pytest.fixture
def net(tmp_path: Path) -> Path:
    (tmp_path / "net.yaml").write_text(SPEC)
    return tmp_path / "net.yaml"


def run(*arguments: object) -> Any:
    return CliRunner().invoke(verb("sweep"), [*map(str, arguments)])


def test_each_row_is_the_network_with_these_values() -> None:
    values = {"width": [16, 32], "depth": [1, 2, 4]}
    found = cnndsl.sweep(ARCHS / "beyond/unet.yaml", values)
    assert found.names == ("width", "depth") and found.name == "unet"
    for row, (width, depth) in zip(found.rows, product(*values.values()), strict=True):
        alone = cnndsl.load(ARCHS / "beyond/unet.yaml", width=width, depth=depth)
        assert row.values == (str(width), str(depth))
        assert (row.params, row.macs, row.memory) == (alone.cost.params, alone.cost.macs, peak(alone.graph))
        assert row.output == {name: tensor.shape for name, tensor in alone.graph.outputs.items()}


def test_errors_of_a_combination_are_in_its_row(net: Path) -> None:
    found = cnndsl.sweep(TEXT, {"sizes": [[3], [17]], "depth": [1, 2]})
    assert [row.error and row.error.code.id for row in found.rows] == [None, None, "CNN030", "CNN030"]
    result = run(net, "-p", "sizes=[3],[17]", "--format", "plain")
    assert result.exit_code == 0 and "net: 2 combinations, 1 with errors" in result.stdout
    assert "CNN030: `Conv2d`: the window does not fit" in result.stdout and "net.yaml:6:26)" in result.stdout


def test_what_has_nothing_to_do_with_the_values_is_an_error(net: Path, tmp_path: Path) -> None:
    typo = run(net, "-p", "wdth=8,16")
    assert typo.exit_code == 2 and "did you mean `width`?" in typo.stderr and typo.stderr.count("error[") == 1
    with pytest.raises(cnndsl.SpecError, match="wdth"):
        cnndsl.sweep(TEXT, {"wdth": [8]})
    (tmp_path / "wrong.yaml").write_text(SPEC.replace("Linear: 10", "Linaer: 10"))
    wrong = run(tmp_path / "wrong.yaml", "-p", "width=8,16")
    assert wrong.exit_code == 1 and "did you mean `Linear`?" in wrong.stderr and not wrong.stdout
    assert run(tmp_path / "none.yaml", "-p", "width=8").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "name the parameters to change"),
        (["-p", "width"], "is not of the form"),
        (["-p", "width=1..5000"], f"the limit is {MOST}"),
        (["-p", "width=4..1"], "the range 4..1 is empty"),
        (["-p", "width=1..10..0"], "the step of the range 1..10..0 must not be 0"),
        (["-p", "width=1.5..3"], "the range 1.5..3 needs a step, such as 1.5..3..0.1"),
        (["-p", "width=0..1..1e-9"], f"the range 0..1..1e-9 has too many values, the limit is {MOST}"),
        (["-p", "width=1.."], "the range 1.. is not of the form 1..4"),
        (["-p", "width=1..2..3..4"], "the range 1..2..3..4 is not of the form 1..4"),
        (["-p", "width=1..100", "-p", "depth=1..11"], f"there are 1100 combinations, the limit is {MOST}"),
        (["-p", "width=8", "--sort", "widht"], "did you mean `width`?"),
        (["-p", "width=8", "-o", "picture.gif"], "must end in one of .png, .svg, .pdf"),
    ],
)
def test_wrong_usage(net: Path, arguments: list[str], says: str) -> None:
    result = run(net, *arguments)
    assert result.exit_code == 2 and says in result.stderr and not result.stdout


@pytest.mark.parametrize(
    ("text", "lists", "values"),
    [
        ("32,64,128", False, ["32", "64", "128"]),
        ("[32, 64]", False, ["32", "64"]),
        ("[2, 2, 2, 2]", True, ["[2, 2, 2, 2]"]),
        ("[2, 2],[3, 4]", True, ["[2, 2]", "[3, 4]"]),
        ("[[2, 2], [3, 4]]", False, ["[2, 2]", "[3, 4]"]),
        ("1..4", False, ["1", "2", "3", "4"]),
        ("16..64..16", False, ["16", "32", "48", "64"]),
        ("3..1..-1", False, ["3", "2", "1"]),
        ("8,16..18", False, ["8", "16", "17", "18"]),
        ("ReLU, {LeakyReLU: {negative_slope: 0.1, inplace: true}}", False, None),
        ("'a, b', \"c,d\"", False, ["'a, b'", '"c,d"']),
        ("0.5,1.0", False, ["0.5", "1.0"]),
        ("0.1..0.5..0.2", False, ["0.1", "0.3", "0.5"]),
        ("0.1..0.3..0.1", False, ["0.1", "0.2", "0.3"]),
        ("1..0..-0.5", False, ["1.0", "0.5", "0.0"]),
        ("1e-3..3e-3..1e-3", False, ["0.001", "0.002", "0.003"]),
        ("../a..b", False, ["../a..b"]),
        ("", False, [""]),
    ],
)
def test_values_on_a_command_line(text: str, lists: bool, values: list[str] | None) -> None:
    assert listed(text, lists) == (values or text.split(", ", 1))


def test_a_parameter_that_holds_a_list_keeps_it(net: Path) -> None:
    rows = json.loads(run(net, "-p", "sizes=[3]", "-p", "act=ReLU,{LeakyReLU: 0.2}", "--format", "json").stdout)["rows"]
    assert [row["values"] for row in rows] == [
        {"sizes": [3], "act": "ReLU"},
        {"sizes": [3], "act": {"LeakyReLU": 0.2}},
    ]
    assert all(row["error"] is None for row in rows)


def test_values_for_programs_have_types(net: Path) -> None:
    values = "-p", "width=8..9", "-p", "act=ReLU", "-p", "sizes=[3],[3, 17]", "-p", "depth=1"
    rows = json.loads(run(net, *values, "--format", "json").stdout)["rows"]
    wanted = [
        {"width": width, "act": "ReLU", "sizes": sizes, "depth": 1} for width in (8, 9) for sizes in ([3], [3, 17])
    ]
    assert [row["values"] for row in rows] == wanted
    from cnndsl.questions.sweep_table import as_json

    rows = json.loads(as_json(cnndsl.sweep(TEXT, {"act": ["10", "ReLU"], "width": [8], "sizes": [(3,)]})))["rows"]
    assert rows[0]["values"] == {"act": "10", "width": 8, "sizes": [3]} and rows[0]["error"]


def test_order(net: Path) -> None:
    found = cnndsl.sweep(TEXT, {"width": [8, 100, 20], "depth": [1, 9, 3]})
    failed = [row for row in found.rows if row.error]
    assert failed and found.sorted("macs").rows[-len(failed) :] == tuple(failed)
    sound = [row for row in found.sorted("params").rows if not row.error]
    assert [row.params for row in sound] == sorted((row.params or 0 for row in sound), reverse=True)
    assert [row.values[0] for row in found.sorted("width").rows if not row.error] == [
        "8",
        "8",
        "20",
        "20",
        "100",
        "100",
    ]
    plain = run(net, "-p", "width=8,16", "--sort", "-width", "--format", "csv").stdout
    assert [row["width"] for row in csv.DictReader(io.StringIO(plain))] == ["16", "8"]


def test_formats_agree(net: Path) -> None:
    arguments = (net, "-p", "width=8,16", "-p", "sizes=[3],[17]", "--format")
    rows = [*csv.DictReader(io.StringIO(run(*arguments, "csv").stdout))]
    as_json = json.loads(run(*arguments, "json").stdout)["rows"]
    assert [row["params"] for row in rows] == [str(row["params"] or "") for row in as_json]
    assert as_json[1]["error"]["code"] == "CNN030" and rows[1]["error"].startswith("CNN030")
    markdown = run(*arguments, "markdown").stdout.splitlines()
    assert markdown[0] == "| width | sizes | params | MACs | memory | output |" and len(markdown) == 6
    assert markdown[2] == "| 8 | [3] | 15.91 k | 58.02 k | 15.62 kB | [1, 10] |"
    assert repr(cnndsl.sweep(TEXT, {"width": [8]})) == run(net, "-p", "width=8", "--format", "plain").stdout


def test_parameters_that_are_called_as_costs_are() -> None:
    spec = cnndsl.Text("input: [8]\nparams: {memory: 2, output: 3}\nnetwork: [Linear: $memory, Linear: $output]")
    found = cnndsl.sweep(spec, {"memory": [2, 4], "output": [3, 5]})
    assert repr(found).splitlines()[2].split() == ["-p", "memory", "-p", "output", "params", "MACs", "memory", "output"]
    assert [row.values[0] for row in found.sorted("-memory").rows] == ["4", "4", "2", "2"]


def test_errors_that_have_no_room_are_told_below() -> None:
    found = cnndsl.sweep(TEXT, {"sizes": [[17], [3], [18], [19], [20], [21]]})
    narrow = as_text(found, Medium(60)).splitlines()
    assert max(map(len, narrow)) <= 60
    text = " ".join(" ".join(narrow).split())
    assert "sizes = [17]: CNN030: `Conv2d`: the window does not fit: it spans 17, its padded input 16 + 0 = 16" in text
    assert text.count("the window does not fit") == 3 and "`--format plain` shows the other 2" in text
    assert "shows the other" not in as_text(found)


# --- the picture ---------------------------------------------------------------------------------


def texts(svg: bytes) -> list[str]:
    """The texts of a picture, which matplotlib writes as comments above their outlines."""
    parser = ET.XMLParser(target=ET.TreeBuilder(insert_comments=True))
    root = ET.fromstring(svg, parser)
    return [(node.text or "").strip() for node in root.iter() if not isinstance(node.tag, str)]


def picture(sweep: Sweep, ending: str) -> bytes:
    return sweep.picture().data(ending)


def found(**values: list[Any]) -> Sweep:
    return cnndsl.sweep(TEXT, values)


def test_the_picture_has_a_line_for_each_width_and_a_label_for_each_depth() -> None:
    written = texts(picture(found(width=[8, 16, 32], depth=[1, 2, 3]), ".svg"))
    assert {"width = 8", "width = 16", "width = 32", "labels: depth", "parameters", "MACs", "net"} <= {*written}
    assert [written.count(depth) for depth in "123"] == [3, 3, 3]


def test_the_same_sweep_gives_the_same_bytes() -> None:
    for ending in (".svg", ".pdf", ".png"):
        assert picture(found(width=[8, 16]), ending) == picture(found(width=[8, 16]), ending)


def test_texts_of_a_spec_are_no_markup() -> None:
    """matplotlib reads `$...$` as a formula."""
    written = texts(picture(found(act=["ReLU", {"LeakyReLU": 0.2}], width=[8, 16]), ".svg"))
    assert 'act = {"LeakyReLU": 0.2}' in written
    sound = found(width=[8, 16], depth=[1, 2]).rows
    rows = tuple(replace(row, values=(f"$x_{{{index % 2}$", f"$y^{index}$")) for index, row in enumerate(sound))
    written = texts(picture(Sweep("a$_b$", ("w", "d"), rows), ".svg"))
    assert {"a$_b$", "w = $x_{0$", "$y^3$"} <= {*written}


def test_labels_cover_no_point_and_no_other_label() -> None:
    """Many points in a small space: labels without room are left out."""
    written = texts(picture(found(width=[*range(8, 68)]), ".svg"))
    assert "8" in written or "67" in written
    assert sum(text.isdigit() for text in written) < 70


def test_a_picture_is_written_whole_and_over_no_file_of_others(net: Path, tmp_path: Path) -> None:
    target = tmp_path / "sweep.png"
    assert run(net, "-p", "width=8,16", "-o", target).exit_code == 0
    assert target.read_bytes().startswith(b"\x89PNG") and b"Generated by cnndsl" in target.read_bytes()
    assert run(net, "-p", "width=8,16", "-o", target).exit_code == 0
    target.write_bytes(b"mine")
    refused = run(net, "-p", "width=8,16", "-o", target)
    assert refused.exit_code == 2 and target.read_bytes() == b"mine"
    assert run(net, "-p", "width=8,16", "-o", target, "--force").exit_code == 0
    assert run(net, "-p", "width=8,16", "-o", tmp_path / "none" / "x.svg").exit_code == 2
