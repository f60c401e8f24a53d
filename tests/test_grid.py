"""The table writer: one line a row at any width, and the order in which columns give way."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

import cnndsl
from cnndsl.cells import head, width
from cnndsl.cli import runs
from cnndsl.emit.table import Row, Table, as_grid, as_plain, as_text, human
from cnndsl.grid import FILE, GONE, Cell, Grid, Medium
from cnndsl.layers import Shape
from cnndsl.printable import one_line

ROOT = Path(__file__).parent.parent
GRID = Grid(
    ("path", "call", ">count"),
    [("layer1.0.conv1", "Conv2d(64, 3, padding=1)", "36,864"), ("fc", "Linear(1000)", "513,000")],
    (("call", 8), (">count", GONE), ("call", GONE)),
)


def lines(grid: Grid, width: int | None = None, encoding: str = "utf-8") -> list[str]:
    return grid.text(Medium(width, encoding)).splitlines()


def test_with_room_nothing_gives_way() -> None:
    whole = [
        "path            call                        count",
        "─────────────────────────────────────────────────",
        "layer1.0.conv1  Conv2d(64, 3, padding=1)   36,864",
        "fc              Linear(1000)              513,000",
    ]
    assert lines(GRID) == lines(GRID, 49) == lines(GRID, 200) == whole


def test_columns_give_way_in_their_order() -> None:
    assert lines(GRID, 48)[2:] == [
        "layer1.0.conv1  Conv2d(64, 3, padding=…   36,864",
        "fc              Linear(1000)             513,000",
    ]
    assert lines(GRID, 33)[2:] == ["layer1.0.conv1  Conv2d(…   36,864", "fc              Linear(…  513,000"]
    # Where a column went, what was cut before has its room.
    assert lines(GRID, 32)[2:] == [
        "layer1.0.conv1  Conv2d(64, 3, p…",
        "fc              Linear(1000)",
        "no room for: count",
    ]
    assert lines(GRID, 23)[2:] == ["layer1.0.conv1", "fc", "no room for: call, count"]


def test_a_column_that_has_to_be_shown_runs_over() -> None:
    assert lines(GRID, 5)[2] == "layer1.0.conv1"


def test_wide_characters_are_aligned_and_never_halved() -> None:
    grid = Grid(("name", ">n"), [("卷积层", "1"), ("e\u0301", "22")], (("name", 4),))
    assert lines(grid) == ["name     n", "──────────", "卷积层   1", "e\u0301       22"]
    assert lines(grid, 9)[2] == "卷积…   1"
    assert lines(grid, 8)[2] == "卷…    1"


def test_what_an_encoding_lacks_is_ascii_and_counted_as_such() -> None:
    grid = Grid(("name", ">n"), [("卷", "1"), ("a" * 20, "22")], (("name", 4),))
    assert lines(grid, 12, "ascii") == ["name       n", "------------", "\\u5377     1", "aaaaaaa~  22"]
    assert all(line.isascii() for line in as_text(shown("resnet18"), Medium(60, "ascii")).splitlines())


def test_a_style_is_painted_around_what_is_left_of_a_text() -> None:
    grid = Grid(("",), [((("Conv2d", "bold"), ("(64, 3)", "dim")),)], (("", 6),))
    assert grid.text(Medium(10), lambda text, style: f"<{style}>{text}</>") == "<bold>Conv2d</><dim>(64</><dim>…</>"


def test_a_column_without_anything_in_it_is_not_missed() -> None:
    grid = Grid(("a", "b", "c"), [("x" * 8, "", "y" * 8)], (("b", GONE), ("c", GONE)))
    assert lines(grid, 18)[2:] == ["xxxxxxxx  yyyyyyyy"]
    assert lines(grid, 17)[2:] == ["xxxxxxxx", "no room for: c"]


def test_nothing_at_all() -> None:
    assert lines(Grid(("a", ">b"), [])) == ["a  b", "────"]
    assert lines(Grid(("", ">"), [])) == []


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(
    st.lists(st.tuples(texts, texts, texts), min_size=1, max_size=5),
    st.integers(1, 60),
    st.sampled_from(["utf-8", "ascii"]),
)
def test_every_row_is_one_line_that_fits_or_holds_only_what_has_to_be_shown(
    rows: list[tuple[Cell, ...]], room: int, encoding: str
) -> None:
    medium = Medium(room, encoding)
    grid = Grid(("kept", "cut", ">gone"), rows, (("cut", 5), (">gone", GONE), ("cut", GONE)))
    printed = [line for line in grid.text(medium).split("\n") if not line.startswith("no room for: ")]
    assert len(printed) == len(rows) + 2
    for line, row in zip(printed[2:], rows):
        line.encode(encoding)
        assert medium.shown(str(row[0])).rstrip() in line
        assert width(line) <= max(room, max(width(medium.shown(str(first))) for first, *_ in rows), 4)


@given(st.text(max_size=30), st.integers(0, 30))
def test_the_beginning_of_a_text(text: str, cells: int) -> None:
    text = one_line(text)
    begun = head(text, cells)
    assert text.startswith(begun) and width(begun) <= cells
    assert begun == text or width(text[: len(begun) + 1]) > cells


@pytest.mark.parametrize("text", ["plain", "卷积", "é", "e\u0301", "│ ├ └ … ─", "한국어", "ñandú"])
def test_cells_are_those_that_rich_counts(text: str) -> None:
    assert width(text) == cell_len(text)


# --- the table of a network ------------------------------------------------------------------------------


def shown(name: str) -> Table:
    return cnndsl.load(f"zoo:{name}").shapes()


def shapes(row: Row) -> list[str]:
    """The outputs of a row, one in each of its lines."""
    if isinstance(row.output, Mapping):
        return [f"{name} {shape}" for name, shape in row.output.items()]
    return [str(row.output) if isinstance(row.output, Shape) else " ".join(map(str, row.output))]


@pytest.mark.parametrize("name", ["resnet50", "googlenet", "densenet121", "efficientnet_b0", "fpn_resnet50", "siamese"])
@pytest.mark.parametrize("room", [60, 80, 200])
def test_names_shapes_and_numbers_never_break(name: str, room: int) -> None:
    table = shown(name)
    medium = Medium(room)
    printed = as_text(table, medium).splitlines()
    start = next(index for index, line in enumerate(printed) if line.startswith("─")) + 1
    gone = next((line.removeprefix("no room for: ").split(", ") for line in printed if "no room" in line), [])
    exact = not as_grid(table).on(medium).hidden
    lines, around = iter(printed[start:]), {0: ""}
    for row in table.rows:
        line, around[row.depth] = next(lines), f"{row.path}."
        assert re.search(rf"(^|[├└] ){re.escape(row.path.removeprefix(around[row.depth - 1]))}( |$)", line)
        for column, number in (("params", row.params), ("MACs", row.macs)):
            assert column in gone or not number or line[1:].count(f" {number:,}" if exact else f" {human(number)}")
        first, *others = shapes(row)
        assert f"  {first}" in line and all(next(lines).endswith(f"  {other}") for other in others)
    assert all(width(line) <= room for line in printed[start:])
    assert "of parameters in float32" in printed[-2] and printed[-1].startswith("activations: ")
    assert "MACs" not in gone or room == 60
    assert printed[-3] == f"{human(table.total.params)} parameters, {human(table.total.macs)} MACs"


def test_arguments_give_way_first_then_digits_then_macs() -> None:
    """The first row of ResNet-50 as there is less and less room."""
    printed = {room: as_text(shown("resnet50"), Medium(room)).splitlines()[4] for room in (100, 90, 70, 60)}
    assert printed == {
        100: "conv1           Conv2d(64, 7, stride=2, padding=3, bi…  [1, 64, 112, 112]       9,408    118,013,952",
        90: "conv1           Conv2d(64, 7, stride=2, pad…  [1, 64, 112, 112]       9,408    118,013,952",
        70: "conv1           Conv2d(64, 7, …  [1, 64, 112, 112]    9.41 k  118.01 M",
        60: "conv1           Conv2d(64, 7, …  [1, 64, 112, 112]    9.41 k",
    }


@pytest.mark.parametrize(
    "name", ["convnext_large", "efficientnet_v2_l", "regnet_y_128gf", "shufflenet_v2_x2_0", "squeezenet1_0"]
)
def test_the_widest_networks_of_the_zoo_fit_into_80_columns(name: str) -> None:
    printed = as_text(shown(name), Medium(80)).splitlines()
    assert max(map(width, printed[2:])) <= 80


# --- on a real terminal, and off one ---------------------------------------------------------------------


def on_terminal(*arguments: str, columns: int) -> str:
    """What a command writes to a terminal."""
    controller, terminal = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns)}
    process = subprocess.Popen(
        [sys.executable, "-m", "cnndsl", *arguments], cwd=ROOT, env=environment, stdout=terminal, stdin=terminal
    )
    os.close(terminal)
    written = b""
    while True:
        try:
            part = os.read(controller, 65536)
        except OSError:  # Linux's end of a terminal
            break
        if not part:
            break
        written += part
    os.close(controller)
    assert process.wait() == 0
    return written.decode().replace("\r\n", "\n")


def piped(*arguments: str, columns: int) -> str:
    environment = {**os.environ, "COLUMNS": str(columns)}
    command = [sys.executable, "-m", "cnndsl", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout


@pytest.mark.parametrize("columns", [20, 200])
def test_plain_is_the_same_on_every_terminal_and_through_a_pipe(columns: int) -> None:
    expected = as_plain(shown("resnet50"))
    assert on_terminal("shapes", "zoo:resnet50", "--format", "plain", columns=columns) == expected
    assert piped("shapes", "zoo:resnet50", "--format", "plain", columns=columns) == expected


def test_where_there_is_only_ascii_a_table_is_ascii() -> None:
    environment = {**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    environment.pop("PYTHONIOENCODING", None)
    command = [sys.executable, "-m", "cnndsl", "shapes", "archs/lenet.yaml"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode("ascii").splitlines()[3] == "-" * len(done.stdout.splitlines()[3])


def test_a_table_through_a_pipe_does_not_depend_on_columns() -> None:
    assert piped("shapes", "zoo:resnet50", columns=20) == as_text(shown("resnet50"), FILE)


def test_a_table_fits_the_terminal() -> None:
    text = on_terminal("shapes", "zoo:resnet50", columns=60)
    assert "\x1b[1m" in text
    unstyled = re.sub(r"\x1b\[\d*m", "", text)
    assert unstyled == as_text(shown("resnet50"), Medium(60))


@pytest.mark.parametrize(
    ("words", "head"),
    [
        ("zoo lenet", "name                          parameters"),
        ("layers", "layer                 arguments"),
    ],
)
def test_lists_fit_a_narrow_terminal_and_use_it(words: str, head: str) -> None:
    listed = re.sub(r"\x1b\[\d*m", "", on_terminal(*words.split(), columns=40)).splitlines()
    assert listed[0] == head
    assert max(map(len, listed[:-1])) <= 40
    assert listed[-1].startswith("no room for: family")


def test_runs_keep_their_path_and_their_best_accuracy() -> None:
    row = ("runs/lenet/2026-01-02T00-00-00", "", "finished", "9/9", "0.1", "0.9", "0.8", "0.8", "1,000", "cpu")
    listed = Grid(runs._COLUMNS, [row], runs._GIVES).text(Medium(40)).splitlines()
    assert listed[2] == "runs/lenet/2026-01-02T00-00-00   0.8"


def test_a_list_of_the_zoo_goes_down_to_its_names() -> None:
    listed = re.sub(r"\x1b\[\d*m", "", on_terminal("zoo", "classic/lenet", columns=20)).splitlines()
    assert listed[0] == "name"
    assert max(map(len, listed[:-1])) <= 20
