"""Every kind of error, with its place and its message."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from error_cases import FOLDER, actual, diagnose, expected, rewrite

import cnndsl
from cnndsl.diagnostics import MOST, Code, Diagnostic, SpecError, did_you_mean, got, shorten
from cnndsl.network import compile_spec
from cnndsl.source import Source, Span

CASES = sorted(FOLDER.glob("*.yaml"))
MESSAGES = FOLDER / "messages.txt"
NETWORK = "input: [1, 8, 8]\nnetwork: [Flatten]\n"


# --- specs with their errors in them -------------------------------------------------------------


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_faulty_spec_gives_the_errors_that_it_names(path: Path, update: bool) -> None:
    if update:
        rewrite(path)
    wanted, found = expected(path), actual(path)
    if len(wanted) == len(found):
        wanted = [w if w.column else w._replace(column=f.column) for w, f in zip(wanted, found)]
    assert list(map(str, found)) == list(map(str, wanted))
    assert path.stem.split("-")[0] in {item.code for item in found}


def test_errors_are_told_in_full_as_was_reviewed(update: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Carets, ways, notes and help of every case."""
    monkeypatch.chdir(FOLDER)
    told = [item.render() for path in CASES for item in diagnose(Path(path.name))]
    text = "\n\n".join(told) + "\n"
    if update:
        MESSAGES.write_text(text)
    assert text == MESSAGES.read_text()


def test_ten_independent_faults_give_ten_messages() -> None:
    found = [item for item in actual(FOLDER / "CNN010-ten-faults.yaml") if item.severity == "error"]
    assert len(found) == 10
    assert len({item.code for item in found}) == 10
    assert len({(item.line, item.column) for item in found}) == 10


def test_every_code_has_a_case() -> None:
    in_cases = {item.code for path in CASES for item in expected(path)}
    in_files = {case.code.id for case in FILES}
    of_runs = {code.id for code in Code if code.id > "CNN2"}  # test_faults.py
    others = {Code.PARAM.id, Code.LEFT_OUT.id}  # test_document.py, test_import_command.py
    assert in_cases | in_files | of_runs | others >= {code.id for code in Code}


# --- files ---------------------------------------------------------------------------------------


def spec(head: str) -> Callable[[Path], object]:
    """Writes a spec that begins with ``head``."""
    return lambda folder: (folder / "net.yaml").write_text(head + NETWORK)


def outside(folder: Path) -> None:
    (folder.parent / "outside.yaml").write_text(NETWORK)
    spec("extends: ../outside.yaml\n")(folder)


def link_out(folder: Path) -> None:
    (folder.parent / "outside.yaml").write_text(NETWORK)
    (folder / "link.yaml").symlink_to(folder.parent / "outside.yaml")
    spec("extends: link.yaml\n")(folder)


def link_ring(folder: Path) -> None:
    (folder / "a.yaml").symlink_to(folder / "b.yaml")
    (folder / "b.yaml").symlink_to(folder / "a.yaml")
    spec("use: a.yaml\n")(folder)


def ring(folder: Path) -> None:
    (folder / "other.yaml").write_text("extends: net.yaml\n" + NETWORK)
    spec("extends: other.yaml\n")(folder)


def folder_used(folder: Path) -> None:
    (folder / "parts").mkdir()
    spec("use: parts\n")(folder)


def fifo_used(folder: Path) -> None:
    os.mkfifo(folder / "pipe.yaml")
    spec("use: [pipe.yaml]\n")(folder)


def list_extended(folder: Path) -> None:
    (folder / "list.yaml").write_text("- ReLU\n")
    spec("extends: list.yaml\n")(folder)


def clash(folder: Path) -> None:
    (folder / "one.yaml").write_text("blocks: {Stem: [ReLU]}\n")
    (folder / "two.yaml").write_text("blocks:\n  Stem(width): [ReLU]\n")
    spec("use: [one.yaml, two.yaml]\n")(folder)


def blockless(folder: Path) -> None:
    (folder / "other.yaml").write_text(NETWORK)
    spec("use: other.yaml\n")(folder)


def large_in_all(folder: Path) -> None:
    (folder / "other.yaml").write_text("blocks:\n  Stem: [ReLU]\n" + "#" * 200_000)
    spec("use: other.yaml\n" + "#" * 100_000 + "\n")(folder)


class FileCase(NamedTuple):
    name: str
    make: Callable[[Path], object]
    code: Code
    place: str
    message: str


FILES = [
    FileCase("not UTF-8", lambda f: (f / "net.yaml").write_bytes(b"# \xc3\xa9\nname: caf\xe9\n"), Code.ENCODING,
             "net.yaml:2:10", "the text is not UTF-8: byte 0xE9 at offset 14"),
    FileCase("UTF-16", lambda f: (f / "net.yaml").write_text(NETWORK, encoding="utf-16"), Code.ENCODING,
             "net.yaml:1:1", "the text is not UTF-8: byte 0xFF at offset 0"),
    FileCase("NUL", lambda f: (f / "net.yaml").write_bytes(b"name: a\nx: \0\n"), Code.ENCODING,
             "net.yaml:2:4", "character U+0000 at offset 11 is not allowed in YAML"),
    FileCase("escape", spec("description: \x1b[31mred\n"), Code.ENCODING,
             "net.yaml:1:14", "character U+001B at offset 13 is not allowed in YAML"),
    FileCase("line separator", spec("# a comment\u2028name: net\n"), Code.ENCODING,
             "net.yaml:1:12", "the invisible character U+2028 makes the text look different from what is read"),
    FileCase("large", spec("#" * 300_000 + "\n"), Code.LIMIT, "net.yaml:1:1", "net.yaml is larger than 256 KiB"),
    FileCase("large in all", large_in_all, Code.LIMIT, "other.yaml:1:1",
             "more than 256 KiB, with everything that it extends and uses"),
    FileCase("missing", spec("extends: none.yaml\n"), Code.FILE, "net.yaml:1:10", "none.yaml does not exist"),
    FileCase("folder", folder_used, Code.FILE, "net.yaml:1:6", "parts cannot be read: it is a folder"),
    FileCase("FIFO", fifo_used, Code.FILE, "net.yaml:1:7", "pipe.yaml cannot be read: it is not a regular file"),
    FileCase("out by ..", outside, Code.PATH, "net.yaml:1:10", "`../outside.yaml` is outside the project"),
    FileCase("absolute", spec("use: /etc/passwd\n"), Code.PATH, "net.yaml:1:6",
             "`/etc/passwd` is outside the project"),
    FileCase("URL", spec("extends: https://example.org/net.yaml\n"), Code.PATH, "net.yaml:1:10",
             "`https://example.org/net.yaml` is outside the project"),
    FileCase("out by a link", link_out, Code.PATH, "net.yaml:1:10", "`link.yaml` is outside the project"),
    FileCase("ring of links", link_ring, Code.PATH, "net.yaml:1:6", "`a.yaml` is outside the project"),
    FileCase("NUL in a path", spec('use: "a\\0b"\n'), Code.PATH, "net.yaml:1:6",
             "`a\\x00b` is outside the project"),
    FileCase("ring", ring, Code.CYCLE, "other.yaml:1:10", "specs in a cycle: net.yaml → other.yaml → net.yaml"),
    FileCase("itself", spec("extends: net.yaml\n"), Code.CYCLE, "net.yaml:1:10",
             "specs in a cycle: net.yaml → net.yaml"),
    FileCase("no mapping", list_extended, Code.TYPE, "list.yaml:1:1", "list.yaml is not a spec: a spec is a mapping"),
    FileCase("a clash of blocks", clash, Code.DUPLICATE, "net.yaml:1:17",
             "`use` imports the block `Stem`, which is already defined"),
    FileCase("nothing to use", blockless, Code.UNUSED, "net.yaml:1:6", "other.yaml has no blocks to import"),
    FileCase("a list of files", spec("extends: [a.yaml]\n"), Code.TYPE, "net.yaml:1:10",
             '`extends` expects a string, got ["a.yaml"]'),
    FileCase("no path", spec("use: {a: b}\n"), Code.TYPE, "net.yaml:1:6",
             "`use` expects a path or a list of paths, got a mapping"),
]  # fmt: skip


@pytest.mark.parametrize("case", FILES, ids=lambda case: case.name)
def test_files_that_are_not_as_they_should_be(case: FileCase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    case.make(folder)
    (fault,) = [item for item in cnndsl.check("net.yaml") if not item.message.startswith("the block")]
    assert (fault.code, str(fault.span), fault.message) == (case.code, case.place, case.message)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "net.yaml does not exist"),
        (lambda path: path.mkdir(), "net.yaml cannot be read: it is a folder"),
        (os.mkfifo, "net.yaml cannot be read: it is a pipe without a writer"),
        (lambda path: path.symlink_to("/dev/zero"), "net.yaml cannot be read: it is not a regular file"),
        (lambda path: path.symlink_to(path), "net.yaml cannot be read: Too many levels of symbolic links"),
    ],
    ids=["missing", "folder", "FIFO", "/dev/zero", "ring of links"],
)
def test_where_there_is_no_file_to_read(
    make: Callable[[Path], object], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make(Path("net.yaml").absolute())
    with pytest.raises(SpecError) as caught:
        cnndsl.check("net.yaml")
    (fault,) = caught.value.diagnostics
    assert (fault.code, fault.span, fault.message) == (Code.FILE, None, message)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(NETWORK)
    path.chmod(0)
    with pytest.raises(SpecError, match="Permission denied"):
        cnndsl.check(path)


@pytest.mark.parametrize("path", ["a\0b", "a" * 5000, "", "x/" * 3000])
def test_paths_that_name_no_file(path: str) -> None:
    with pytest.raises(SpecError):
        cnndsl.check(path)


def test_what_could_not_be_read_silences_what_would_come_from_it(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text("use: none.yaml\ninput: [1, 8, 8]\nnetwork: [Stem, {Linear: $clases}]\n")
    assert [item.code for item in cnndsl.check(path)] == [Code.FILE, Code.UNDEFINED]
    path.write_text("extends: none.yaml\nparams: {classes: 10}\n")
    assert [item.code for item in cnndsl.check(path, width=3)] == [Code.FILE]


# --- how errors are told -------------------------------------------------------------------------


def test_errors_are_sorted_by_place_and_each_is_told_once() -> None:
    source = Source("net.yaml", "one\ntwo\n")
    late, early = Span(source, 4, 7), Span(source, 0, 3)
    way = ("round 1 of 2",)
    faults = [
        Diagnostic(Code.SHAPE, "[1, 8]", late, trail=way),
        Diagnostic(Code.SHAPE, "[1, 4]", late, trail=("round 2 of 2",)),
        Diagnostic(Code.MISSING, "`a`", early),
        Diagnostic(Code.MISSING, "`b`", early),
        Diagnostic(Code.MISSING, "`b`", early),
    ]
    assert [item.message for item in SpecError(faults).diagnostics] == ["`a`", "`b`", "[1, 8]"]


def test_an_exception_tells_of_fifty_errors_at_the_most() -> None:
    text = "input: [1, 8, 8]\nnetwork:\n" + "  - Conv2D\n" * 60
    with pytest.raises(SpecError) as caught:
        cnndsl.loads(text)
    assert len(caught.value.diagnostics) == 60
    assert str(caught.value).count("error[CNN014]") == MOST
    assert str(caught.value).endswith("10 more are not shown")


def test_a_diagnostic_as_data() -> None:
    (fault,) = cnndsl.check(cnndsl.Text("input: [1, 8, 8]\nnetwork:\n  - {name: a, ReLU: }\n  - {name: a, ReLU: }\n"))
    assert json.loads(json.dumps(fault.as_dict())) == {
        "code": "CNN017",
        "severity": "error",
        "message": "two steps of one module are named `a`",
        "file": "<text>",
        "line": 4,
        "column": 12,
        "end_line": 4,
        "end_column": 13,
        "help": "rename one of the two",
        "remedies": [],
        "notes": [
            {
                "message": "it is first defined here",
                "file": "<text>",
                "line": 3,
                "column": 12,
                "end_line": 3,
                "end_column": 13,
            }
        ],
        "trail": [],
    }


def test_a_long_way_is_cut_in_its_middle() -> None:
    fault = Diagnostic(Code.SHAPE, "wrong", trail=tuple(f"block {number}" for number in range(9)))
    told = [line.removeprefix("  = in ") for line in fault.render().splitlines()[1:]]
    assert told == ["block 0", "block 1", "block 2", "…", "block 7", "block 8"]


def test_carets_stand_below_wide_characters_and_tabs() -> None:
    source = Source("net.yaml", "\t層: bad\n")
    assert Diagnostic(Code.TYPE, "wrong", Span(source, 4, 7)).render().splitlines()[2:] == [
        " 1 | \t層: bad",
        "   | \t    ^^^",
    ]


def test_carets_stay_in_a_line_that_is_cut() -> None:
    source = Source("net.yaml", "x" * 500 + "bad" + "y" * 500)
    _, _, line, carets = Diagnostic(Code.TYPE, "wrong", Span(source, 500, 503)).render().splitlines()
    assert line[carets.index("^") : carets.rindex("^") + 1] == "bad"
    assert len(line) < 200


def test_nothing_of_a_spec_reaches_the_terminal_as_it_is() -> None:
    assert shorten("\x1b[31m\n\u202e") == "\\x1b[31m\\n\\u202e"
    assert shorten("a" * 100_000) == "a" * 60 + "… (100000 characters)"
    source = Source("net.yaml", "\x1b[2J\n")
    assert "\x1b" not in Diagnostic(Code.ENCODING, "wrong", Span(source, 0, 1)).render()


def test_suggestions() -> None:
    known = ["Conv2d", "ConvTranspose2d", "ReLU"]
    assert did_you_mean("conv2D", known) == "did you mean `Conv2d`?"
    assert did_you_mean("Relu", known) == "did you mean `ReLU`?"
    assert did_you_mean("Transformer", ["ReLU"]) == ""
    assert did_you_mean("a" * 100_000, known) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"), (True, "true"), (3, "3"), (2.5, "2.5"), ("3", '"3"'),
        ({}, "an empty mapping"), ({"a": 1}, "a mapping"),
        ((1, "a"), '[1, "a"]'), (list(range(9)), "a list of 9"), ("a" * 70, '"' + "a" * 60 + '… (70 characters)"'),
    ],
)  # fmt: skip
def test_what_was_got_is_shown_as_a_spec_writes_it(value: object, text: str) -> None:
    assert got(value) == text


def test_deep_nesting_does_not_exhaust_the_stack() -> None:
    """The limit on nesting leaves room in Python's stack, and in that of whoever calls."""
    deep = FOLDER / "CNN007-nested-blocks.yaml"
    depth = len(_frames())
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + 850)
    try:
        assert {item.code for item in compile_spec(deep).diagnostics} == {Code.LIMIT}
    finally:
        sys.setrecursionlimit(before)


def _frames() -> list[object]:
    frames, frame = [], sys._getframe()
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back  # type: ignore[assignment]
    return frames
