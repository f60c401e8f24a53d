"""The table: its rows, its numbers, and each form in which it prints."""

from __future__ import annotations

import csv
import io
import json
import re
import time

import pytest
from msgspec.structs import replace

import cnndsl
from cnndsl.emit.table import Row, Table, as_markdown, as_plain, as_text, human, rows
from cnndsl.emit.table.page import as_html
from cnndsl.emit.table.programs import CSV_HEADER, as_csv, as_json
from cnndsl.graph.cost import Cost
from cnndsl.layers import Shape

#: A bit of everything that makes a row, with numbers that can be worked out by hand.
SPEC = """
name: mixed
input: [2, 8, 8]
blocks:
  Half(channels):
    - residual:
        - {name: conv, Conv2d: {out_channels: $channels, kernel_size: 3, stride: 2, padding: 1, bias: false}}
        - BatchNorm2d
      shortcut: [{name: project, Conv2d: [$channels, 1, 2]}]
network:
  - {name: stem, Half: 4}
  - branch:
      - [Conv2d: [6, 1]]
      - []
  - branch: [[ReLU], [Sigmoid]]
    split: true
    merge: add
  - Flatten
  - {name: head, Linear: 3}
"""


def table(text: str, depth: int | None = None) -> Table:
    return Table.of(cnndsl.loads(text).graph, depth)


def row(text: str, path: str) -> Row:
    return next(row for row in table(text).rows if row.path == path)


def test_every_operation_has_a_row_a_module_before_what_is_in_it() -> None:
    assert [(row.depth, row.path, row.layer) for row in table(SPEC).rows] == [
        (1, "stem", "Half"),
        (2, "stem.conv", "Conv2d"),
        (2, "stem.bn1", "BatchNorm2d"),
        (2, "stem.project", "Conv2d"),
        (2, "stem.add1", "add"),
        (1, "conv1", "Conv2d"),
        (1, "concat1", "concat"),
        (1, "split1", "split"),
        (1, "relu1", "ReLU"),
        (1, "sigmoid1", "Sigmoid"),
        (1, "add1", "add"),
        (1, "flatten1", "Flatten"),
        (1, "head", "Linear"),
    ]


def test_depth_leaves_out_what_is_deeper_and_keeps_the_numbers() -> None:
    whole, top = table(SPEC), table(SPEC, depth=1)
    assert [row.path for row in top.rows] == [row.path for row in whole.rows if row.depth == 1]
    assert top.rows == tuple(row for row in whole.rows if row.depth == 1)
    assert top.total == whole.total


def test_numbers_are_those_worked_out_by_hand() -> None:
    conv = row(SPEC, "stem.conv")
    assert (conv.params, conv.buffers, conv.macs) == (4 * 2 * 9, 0, 4 * 4 * 4 * 2 * 9)
    norm = row(SPEC, "stem.bn1")
    assert (norm.params, norm.buffers, norm.macs) == (8, 9, 0)
    project = row(SPEC, "stem.project")
    assert (project.params, project.macs) == (4 * 2 + 4, 4 * 4 * 4 * 2)
    stem = row(SPEC, "stem")
    assert (stem.params, stem.buffers, stem.macs) == (72 + 8 + 12, 9, 1152 + 128)
    head = row(SPEC, "head")
    assert (head.params, head.macs) == (5 * 16 * 3 + 3, 5 * 16 * 3)


@pytest.mark.parametrize("arch", ["resnet18", "densenet", "googlenet", "unet"])
def test_rows_of_each_depth_add_up(arch: str) -> None:
    graph = cnndsl.load(f"archs/{arch}.yaml").graph
    shown = Table.of(graph)
    inner = {row.path for row, below in zip(shown.rows, shown.rows[1:]) if below.depth > row.depth}
    leaves = [row for row in shown.rows if row.path not in inner]
    for added in ([row for row in shown.rows if row.depth == 1], leaves):
        sums = (sum(getattr(row, name) for row in added) for name in ("params", "buffers", "macs"))
        assert Cost(*sums) == graph.root.cost
    assert shown.total == graph.root.cost


def test_a_merge_takes_several_shapes_and_a_split_gives_several() -> None:
    assert row(SPEC, "concat1").input == (Shape((1, 6, 4, 4)), Shape((1, 4, 4, 4)))
    assert row(SPEC, "concat1").output == Shape((1, 10, 4, 4))
    assert row(SPEC, "stem.add1").input == (Shape((1, 4, 4, 4)), Shape((1, 4, 4, 4)))
    split = row(SPEC, "split1")
    assert split.input == Shape((1, 10, 4, 4))
    assert split.output == (Shape((1, 5, 4, 4)), Shape((1, 5, 4, 4)))
    assert row(SPEC, "stem").input == Shape((1, 2, 8, 8))


def test_arguments_are_those_that_neither_the_input_nor_torch_tells() -> None:
    assert row(SPEC, "stem.conv").call == "Conv2d(4, 3, stride=2, padding=1, bias=False)"
    assert row(SPEC, "stem.bn1").call == "BatchNorm2d"
    assert row(SPEC, "stem").call == "Half(channels=4)"
    assert row(SPEC, "split1").call == "split(sizes=[5, 5])"
    assert row(SPEC, "concat1").call == "concat"
    other = SPEC.replace("- branch:\n      - [Conv2d: [6, 1]]\n      - []", "- {branch: [[], []], dim: 2}")
    assert row(other, "concat1").call == "concat(dim=2)"
    assert row("input: [4]\nnetwork:\n- sequential: [ReLU]", "0").call == "Sequential"


def test_a_module_used_again_costs_macs_again_but_no_parameters() -> None:
    text = "input: [2, 4, 4]\nnetwork:\n- {name: a, sequential: [Conv2d: [2, 1]]}\n- {name: b, reuse: a}"
    first, inner, again, inner_again = table(text).rows
    assert (first.params, inner.params, again.params, inner_again.params) == (6, 6, 0, 0)
    assert first.macs == again.macs == inner_again.macs == 4 * 16
    assert table(text).total == Cost(6, 0, 2 * 4 * 16)


def test_the_rows_of_a_network_that_fails_end_at_the_fault() -> None:
    text = "input: [2, 8, 8]\nnetwork:\n- Conv2d: [4, 3]\n- sequential: [ReLU, Conv2d: [4, 9], ReLU]\n- ReLU"
    with pytest.raises(cnndsl.SpecError) as raised:
        cnndsl.loads(text)
    partial = Table.partial(raised.value.partial)  # type: ignore[arg-type]
    assert [(row.path, row.failed) for row in partial.rows] == [
        ("0", False),
        ("1", False),
        ("1.0", False),
        ("1.1", True),
    ]
    assert partial.rows[1].output == Shape()
    assert as_plain(partial).splitlines()[4].split() == ["1", "Sequential", "?"]
    assert as_plain(partial).splitlines()[6].split() == ["1.1", "Conv2d", "fails"]
    assert json.loads(as_json(partial))["rows"][1]["output"] is None
    assert json.loads(as_json(partial))["rows"][3]["failed"] is True
    assert partial.total == Cost(4 * 2 * 9 + 4, 0, 4 * 36 * 18)


@pytest.mark.parametrize(
    ("steps", "failing"),
    [
        ("- MaxPool2d: 40", ("1", "MaxPool2d")),
        ("- Conv2dd: [6, 5]", ("1", "Conv2dd")),
        ("- {name: odd, Conv2d: [6, 5, 0]}", ("odd", "Conv2d")),
        ("- Conv2d: {out_channels: $none, kernel_size: 1}", ("1", "Conv2d")),
        ("- branch: [[Conv2d: [6, 5]], [Conv2d: [6, 3]]]", ("concat1", "concat")),
        ("- {branch: [[], []], split: [1, 2]}", ("split1", "split")),
        ("- residual: [Conv2d: [6, 5]]", ("add1", "add")),
        ("- dense: [Conv2d: [6, 5]]\n  times: 2", ("concat1", "concat")),
        ("- {reuse: first}\n- {reuse: first}", ("first", "Conv2d")),
        ("- {name: inner, sequential: [ReLU, MaxPool2d: 40, ReLU]}", ("inner.1", "MaxPool2d")),
    ],
)
def test_what_fails_is_marked_once_and_the_total_is_one_so_far(steps: str, failing: tuple[str, str]) -> None:
    text = f"input: [3, 9, 9]\nnetwork:\n- {{name: first, Conv2d: [4, 3]}}\n{steps}\n- ReLU"
    with pytest.raises(cnndsl.SpecError) as raised:
        cnndsl.loads(text)
    partial = Table.partial(raised.value.partial)  # type: ignore[arg-type]
    assert [(row.path, row.layer) for row in partial.rows if row.failed] == [failing]
    assert partial.total.params >= 4 * 27 + 4
    assert "\ntotal so far " in as_plain(partial) and "\ntotal so far " in as_text(partial)
    assert as_plain(partial).endswith(" MACs, so far\n")
    assert "| **total so far** |" in as_markdown(partial)
    assert json.loads(as_json(partial))["complete"] is False


def test_a_network_without_faults_has_a_whole_total() -> None:
    assert "so far" not in as_plain(table(SPEC)) + as_text(table(SPEC)) + as_markdown(table(SPEC))
    assert json.loads(as_json(table(SPEC)))["complete"] is True


# --- forms ---------------------------------------------------------------------------------------


def test_json_has_shapes_as_lists_with_the_batch() -> None:
    data = json.loads(as_json(table(SPEC)))
    assert (data["name"], data["input"]) == ("mixed", [1, 2, 8, 8])
    assert data["total"] == {"params": 92 + 30 + 243, "buffers": 9, "macs": 1280 + 384 + 240}
    rows = {row["path"]: row for row in data["rows"]}
    assert rows["stem.conv"] == {
        "path": "stem.conv",
        "layer": "Conv2d",
        "depth": 2,
        "arguments": {"out_channels": 4, "kernel_size": 3, "stride": 2, "padding": 1, "bias": False},
        "input": [1, 2, 8, 8],
        "output": [1, 4, 4, 4],
        "params": 72,
        "buffers": 0,
        "macs": 1152,
    }
    assert rows["concat1"]["input"] == [[1, 6, 4, 4], [1, 4, 4, 4]]
    assert rows["split1"]["output"] == [[1, 5, 4, 4], [1, 5, 4, 4]]


def test_json_names_the_inputs_where_there_are_several() -> None:
    text = (
        "input: {left: [2], right: [3]}\nnetwork:\n- {name: a, Linear: 3}\n- branch: [[], [from: right]]\n  merge: add"
    )
    assert json.loads(as_json(table(text)))["input"] == {"left": [1, 2], "right": [1, 3]}
    assert as_plain(table(text)).splitlines()[0].endswith("input left [1, 2], right [1, 3]")


def test_json_has_a_line_for_each_row_and_takes_a_network_without_any() -> None:
    assert len(as_json(table(SPEC)).splitlines()) == len(table(SPEC).rows) + 9
    assert json.loads(as_json(replace(table(SPEC), rows=())))["rows"] == []


def test_json_takes_a_layer_as_a_blocks_argument() -> None:
    text = "input: [4]\nblocks:\n  B(act): [$act]\nnetwork:\n- B: {act: {LeakyReLU: {negative_slope: 0.1}}}"
    assert "LeakyReLU" in json.dumps(json.loads(as_json(table(text)))["rows"][0]["arguments"])


def test_csv_columns_add_up_to_the_total() -> None:
    shown = table(SPEC, depth=1)
    header, *rows = csv.reader(io.StringIO(as_csv(shown)))
    assert tuple(header) == CSV_HEADER == ("path", "layer", "depth", "input", "output", "params", "macs")
    assert len(rows) == len(shown.rows)
    assert rows[2] == ["concat1", "concat", "1", "[1, 6, 4, 4], [1, 4, 4, 4]", "[1, 10, 4, 4]", "0", "0"]
    assert sum(int(row[5]) for row in rows) == shown.total.params
    assert sum(int(row[6]) for row in rows) == shown.total.macs


def test_plain_is_aligned_text() -> None:
    assert as_plain(table(SPEC)) == str(table(SPEC))
    assert (
        as_plain(table(SPEC, depth=2))
        == """\
mixed, input [1, 2, 8, 8]

path            layer                                          output                      params   MACs
stem            Half(channels=4)                               [1, 4, 4, 4]                    92  1,280
  stem.conv     Conv2d(4, 3, stride=2, padding=1, bias=False)  [1, 4, 4, 4]                    72  1,152
  stem.bn1      BatchNorm2d                                    [1, 4, 4, 4]                     8
  stem.project  Conv2d(4, 1, stride=2)                         [1, 4, 4, 4]                    12    128
  stem.add1     add                                            [1, 4, 4, 4]
conv1           Conv2d(6, 1)                                   [1, 6, 4, 4]                    30    384
concat1         concat                                         [1, 10, 4, 4]
split1          split(sizes=[5, 5])                            [1, 5, 4, 4], [1, 5, 4, 4]
relu1           ReLU                                           [1, 5, 4, 4]
sigmoid1        Sigmoid                                        [1, 5, 4, 4]
add1            add                                            [1, 5, 4, 4]
flatten1        Flatten                                        [1, 80]
head            Linear(3)                                      [1, 3]                         243    240
total                                                                                         365  1,904

365 parameters, 1.90 k MACs
1.46 kB of parameters in float32
activations: 1.79 kB in inference, 2.34 kB in training
"""
    )


def test_markdown_is_a_table_as_wide_in_every_line() -> None:
    lines = [line for line in as_markdown(table(SPEC)).splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines} == {6}
    assert lines[1] == "| --- | --- | --- | ---: | ---: |"
    assert lines[-1] == "| **total** | | | **365** | **1,904** |"
    assert len(lines) == len(table(SPEC).rows) + 3


def test_html_is_well_formed_with_a_line_for_each_row() -> None:
    from xml.etree import ElementTree

    root = ElementTree.fromstring(as_html(table(SPEC)))
    assert len(list(root.iter("tr"))) == len(table(SPEC).rows) + 2
    assert [cell.text for cell in root.findall("tfoot/tr/th")] == ["total", None, None, "365", "1,904"]


def test_text_shows_a_tree_with_totals() -> None:
    lines = _printed(table(SPEC)).splitlines()
    names = [line.split("  ")[0] for line in lines if any(mark in line for mark in ("├", "└"))]
    assert names == ["├ conv", "├ bn1", "├ project", "└ add1"]
    assert "mixed" in lines[0]
    assert "input [1, 2, 8, 8]" in lines[0]
    assert any(line.split() == ["total", "365", "1,904"] for line in lines)
    assert any("Conv2d(4, 3, stride=2, padding=1, bias=False)" in line for line in lines)


def test_text_draws_no_line_past_the_last_of_a_module() -> None:
    text = "input: [4]\nnetwork:\n- {name: a, sequential: [sequential: [ReLU, ReLU], ReLU]}\n"
    text += "- {name: b, sequential: [sequential: [ReLU]]}"
    lines = _printed(table(text)).splitlines()
    first = next(number for number, line in enumerate(lines) if line.split()[:1] == ["a"])
    shown = [re.split("  +(ReLU|Seq)", line)[0].strip() for line in lines[first : first + 7]]
    assert shown == ["a", "├ 0", "│ ├ 0", "│ └ 1", "└ 1", "b", "└ 0"]


#: A module that returns two tensors, and one that takes two.
SEVERAL = """
name: several
input: [3, 8, 8]
blocks:
  Backbone:
    outputs: [c2, c3]
    steps:
      - {name: c2, Conv2d: [4, 1]}
      - {name: c3, Conv2d: [4, 2, 2]}
  Join:
    inputs: [x, skip]
    steps: [{branch: [[Upsample: {scale_factor: 2}], [from: skip]], merge: add}]
network:
  - {name: body, Backbone: }
  - {name: sum, Join: , inputs: [body.c3, body.c2]}
"""


def test_the_row_of_a_module_with_several_tensors_lists_each_by_its_name() -> None:
    c2, c3 = Shape((1, 4, 8, 8)), Shape((1, 4, 4, 4))
    assert row(SEVERAL, "body").input == Shape((1, 3, 8, 8)) and row(SEVERAL, "body").output == {"c2": c2, "c3": c3}
    assert row(SEVERAL, "sum").input == {"x": c3, "skip": c2} and row(SEVERAL, "sum").output == c2


def test_several_tensors_have_a_line_each_for_people_and_their_names_for_programs() -> None:
    shown = table(SEVERAL)
    named = {"c2": [1, 4, 8, 8], "c3": [1, 4, 4, 4]}
    assert {row["path"]: row for row in json.loads(as_json(shown))["rows"]}["body"]["output"] == named
    assert [*csv.reader(io.StringIO(as_csv(shown)))][1][3:5] == ["[1, 3, 8, 8]", "c2 [1, 4, 8, 8], c3 [1, 4, 4, 4]"]
    assert "| c2 [1, 4, 8, 8]<br>c3 [1, 4, 4, 4] |" in as_markdown(shown)
    assert ">c2 [1, 4, 8, 8]<br/>c3 [1, 4, 4, 4]<" in as_html(shown)
    plain = as_plain(shown).splitlines()
    assert [line.split()[:2] for line in plain[3:5]] == [["body", "Backbone"], ["c3", "[1,"]]
    assert plain[3].index("c2 [") == plain[4].index("c3 [") == plain[5].index("[1, 4, 8, 8]")
    printed = _printed(shown).splitlines()
    body = next(number for number, line in enumerate(printed) if line.startswith("body"))
    assert [line.split("  ")[0] for line in printed[body : body + 5]] == ["body", "│", "├ c2", "└ c3", "sum"]


HOSTILE = '[red]a[/red] | <b>`x`</b> *y* \x1b[31m\nz & "q"'


@pytest.mark.parametrize("form", [as_plain, as_markdown, as_html, as_csv, as_json])
def test_names_cannot_break_a_form(form) -> None:  # type: ignore[no-untyped-def]
    shown = table(SPEC)
    hostile = replace(shown, name=HOSTILE, rows=(replace(shown.rows[0], path=HOSTILE, layer=HOSTILE), *shown.rows[1:]))
    text = form(hostile)
    assert "\x1b" not in text or form is as_csv
    if form is as_json:
        assert json.loads(text)["rows"][0]["path"] == HOSTILE
    elif form is as_csv:
        assert list(csv.reader(io.StringIO(text)))[1][0] == HOSTILE
    else:
        assert len(text.splitlines()) == len(form(shown).splitlines())
    if form is as_markdown:
        assert r"\| \<b\>" in text
    if form is as_html:
        assert "<b>" not in text


def test_text_takes_names_literally() -> None:
    shown = table(SPEC)
    hostile = replace(shown, name=HOSTILE, rows=(replace(shown.rows[0], path=HOSTILE), *shown.rows[1:]))
    assert r'[red]a[/red] | <b>`x`</b> *y* \x1b[31m\nz & "q"' in _printed(hostile)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.00 k"),
        (11_689_512, "11.69 M"),
        (7_610_000_000, "7.61 G"),
        (3 * 10**12, "3.00 T"),
    ],
)
def test_human(number: int, text: str) -> None:
    assert human(number) == text


def test_no_operation_is_counted_once_for_each_module_around_it() -> None:
    """7,000 layers in blocks 30 deep: a cost for each row that walks all below it would take long."""
    blocks = "\n".join(f"  B{i}(): [Conv2d: [1, 1], B{i + 1}]" for i in range(29))
    last = "  B29():\n  - repeat: [Conv2d: [1, 1]]\n    times: 300"
    text = f"input: [1, 2, 2]\nblocks:\n{blocks}\n{last}\nnetwork:\n- repeat: [B0]\n  times: 20"
    graph = cnndsl.loads(text).graph
    start = time.process_time()
    shown = rows(graph.root)
    assert time.process_time() - start < 3
    assert len(shown) == 20 * (30 + 29 + 300)
    assert sum(row.params for row in shown if row.depth == 1) == 20 * (29 + 300) * 2


def _printed(shown: Table) -> str:
    return as_text(shown)
