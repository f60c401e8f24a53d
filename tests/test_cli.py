"""The command line, in whole processes in an empty folder."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

ARCHS = Path(__file__).parent.parent / "archs"
SMALL = """\
name: small
input: [1, 28, 28]
params: {classes: 10}
network:
  - Conv2d: {out_channels: 6, kernel_size: 5}
  - Flatten
  - Linear: $classes
"""
WRONG = """\
input: [1, 28, 28]
network:
  - Conv2d: [6, 5]
  - MaxPool2d: 40
  - Flatten
"""


def cnndsl(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cnndsl", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=120
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "small.yaml").write_text(SMALL)
    (tmp_path / "wrong.yaml").write_text(WRONG)
    return tmp_path


def test_build_writes_source_diagram_and_shapes(folder: Path) -> None:
    done = cnndsl("build", ARCHS / "vgg11.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    made = folder / "build" / "vgg11"
    assert {path.name for path in made.iterdir()} == {"vgg11.py", "vgg11.svg", "vgg11.csv", ".cnndsl.json"}
    assert "128.81 M parameters, 7.55 G MACs" in done.stdout
    for name in ("vgg11.py", "vgg11.svg", "vgg11.csv"):
        assert str(Path("build/vgg11") / name) in done.stdout
    rows = list(csv.DictReader((made / "vgg11.csv").open()))
    assert sum(int(row["params"]) for row in rows if row["depth"] == "1") == 128_806_154


def test_build_names_its_files_as_draw_does_except_the_module(folder: Path) -> None:
    (folder / "a b.yaml").write_text(SMALL.replace("name: small\n", ""))
    assert cnndsl("build", "a b.yaml", cwd=folder).returncode == 0
    assert cnndsl("draw", "a b.yaml", cwd=folder).returncode == 0
    made = {path.name for path in (folder / "build/a b").iterdir()}
    assert made == {"a_b.py", "a b.svg", "a b.csv", ".cnndsl.json"} and (folder / "a b.svg").exists()


@pytest.mark.parametrize(("module", "verb"), [("click", "--help"), ("cnndsl.network", "check")])
def test_ctrl_c_during_the_imports_is_quiet(module: str, verb: str, folder: Path) -> None:
    code = """
import os, runpy, signal, sys

module = sys.argv.pop(1)

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
runpy.run_module("cnndsl", run_name="__main__")
"""
    command = [sys.executable, "-c", code, module, verb, "small.yaml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr.strip()) == (130, "", "")


def test_ctrl_c_while_python_3_11_names_an_attribute_is_quiet(folder: Path) -> None:
    """It makes a RuntimeError of whatever `__set_name__` raises."""
    code = """
import runpy

class Interrupted:
    def __set_name__(self, owner, name):
        raise KeyboardInterrupt

import cnndsl.cli
cnndsl.cli.main = lambda: type("Layer", (), {"argument": Interrupted()})
runpy.run_module("cnndsl", run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr.strip()) == (130, "", "")


def test_without_a_verb_the_help_is_shown(folder: Path) -> None:
    done = cnndsl(cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == cnndsl("--help", cwd=folder).stdout


def test_build_is_the_same_twice_and_keeps_what_is_not_its_own(folder: Path) -> None:
    assert cnndsl("build", "small.yaml", cwd=folder).returncode == 0
    made = folder / "build" / "small" / "small.py"
    first = made.read_bytes()
    assert cnndsl("build", "small.yaml", cwd=folder).returncode == 0
    assert made.read_bytes() == first
    made.write_text("# changed by hand\n")
    refused = cnndsl("build", "small.yaml", "-p", "classes=3", cwd=folder)
    assert refused.returncode == 2
    assert "--force" in refused.stderr
    assert made.read_text() == "# changed by hand\n"
    assert (folder / "build" / "small" / "small.csv").read_text().endswith("10\n") is False
    assert cnndsl("build", "small.yaml", "--force", cwd=folder).returncode == 0
    assert made.read_bytes() == first


def test_a_folder_that_cannot_be_written_is_said(folder: Path) -> None:
    (folder / "taken").write_text("a file\n")
    done = cnndsl("build", "small.yaml", "-o", "taken/inner", cwd=folder)
    assert done.returncode == 2
    assert "cannot be written" in done.stderr and "Traceback" not in done.stderr
    assert (folder / "taken").read_text() == "a file\n"


def test_nothing_is_written_for_a_spec_with_errors(folder: Path) -> None:
    for command in (("build", "wrong.yaml"), ("draw", "wrong.yaml")):
        done = cnndsl(*command, cwd=folder)
        assert done.returncode == 1
        assert "wrong.yaml:4:16: error[CNN030]" in done.stderr
    assert {path.name for path in folder.iterdir()} == {"small.yaml", "wrong.yaml"}


@pytest.mark.parametrize("stage", ["steps", "graph", "source"])
def test_a_stage_can_be_looked_at(folder: Path, stage: str) -> None:
    done = cnndsl("build", "small.yaml", "--stop-after", stage, cwd=folder)
    assert done.returncode == 0
    assert "Conv2d" in done.stdout
    assert not (folder / "build").exists()


def test_shapes_as_json(folder: Path) -> None:
    done = cnndsl("shapes", "small.yaml", "--format", "json", "--batch", "4", cwd=folder)
    assert done.returncode == 0
    table = json.loads(done.stdout)
    assert table["name"] == "small"
    assert table["input"] == [4, 1, 28, 28]
    conv = table["rows"][0]
    assert {key: conv[key] for key in ("path", "layer", "depth", "input", "output", "params", "macs")} == {
        "path": "0",
        "layer": "Conv2d",
        "depth": 1,
        "input": [4, 1, 28, 28],
        "output": [4, 6, 24, 24],
        "params": 156,
        "macs": 4 * 6 * 24 * 24 * 25,
    }
    assert table["total"]["params"] == 156 + (6 * 24 * 24 + 1) * 10
    assert table["total"]["macs"] == sum(row["macs"] for row in table["rows"])


@pytest.mark.parametrize("form", ["table", "plain", "csv", "markdown"])
def test_shapes_in_other_forms(folder: Path, form: str) -> None:
    done = cnndsl("shapes", ARCHS / "googlenet.yaml", "--depth", "1", "--format", form, cwd=folder)
    assert done.returncode == 0
    assert done.stderr == ""
    assert "832" in done.stdout and "concat" not in done.stdout
    deeper = cnndsl("shapes", ARCHS / "googlenet.yaml", "--format", form, cwd=folder)
    assert "concat" in deeper.stdout


def test_rows_up_to_the_fault_are_shown_with_the_error(folder: Path) -> None:
    done = cnndsl("shapes", "wrong.yaml", "--format", "json", cwd=folder)
    assert done.returncode == 1
    assert [row["layer"] for row in json.loads(done.stdout)["rows"]] == ["Conv2d", "MaxPool2d"]
    assert "wrong.yaml:4:16: error[CNN030]" in done.stderr


def test_params_and_settings(folder: Path) -> None:
    def params(*options: str) -> int:
        done = cnndsl("shapes", "small.yaml", "--format", "json", *options, cwd=folder)
        assert done.returncode == 0, done.stderr
        return int(json.loads(done.stdout)["total"]["params"])

    linear = 6 * 24 * 24 + 1
    assert params("-p", "classes=3") == 156 + 3 * linear
    assert params("--set", "params.classes=3") == 156 + 3 * linear
    assert params("--set", "network.0.Conv2d.bias=false") == 150 + 10 * linear
    wrong = cnndsl("shapes", "small.yaml", "-p", "clases=3", cwd=folder)
    assert wrong.returncode == 2
    assert "did you mean `classes`?" in wrong.stderr


def test_check_says_all_and_exits_by_it(folder: Path) -> None:
    good = cnndsl("check", "small.yaml", cwd=folder)
    assert (good.returncode, good.stdout) == (0, "")
    bad = cnndsl("check", "small.yaml", "wrong.yaml", cwd=folder)
    assert bad.returncode == 1
    assert "wrong.yaml:4:16: error[CNN030]" in bad.stdout
    told = cnndsl("check", "wrong.yaml", "--format", "json", cwd=folder)
    (fault,) = json.loads(told.stdout)
    assert (fault["code"], fault["line"], fault["column"]) == ("CNN030", 4, 16)
    told = cnndsl("check", "wrong.yaml", "none.yaml", "--format", "github", cwd=folder)
    assert told.returncode == 2
    assert [line.split(",")[0] for line in told.stdout.splitlines()] == [
        "::error file=wrong.yaml",
        "::error title=CNN001::none.yaml does not exist",
    ]


def test_a_folder_is_its_specs(folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir()
    (inner / "deep.yaml").write_text(SMALL)
    (inner / "other.yaml").write_text("jobs: {}\n")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "theirs.yaml").write_text(WRONG)
    whole = cnndsl("check", ".", cwd=folder)
    assert whole.returncode == 1
    assert whole.stdout.startswith("wrong.yaml:4:16: error[CNN030]") and whole.stdout.count("error[") == 1
    assert {line for line in whole.stderr.splitlines() if line.endswith(": ok")} == {
        "small.yaml: ok",
        "inner/deep.yaml: ok",
    }
    assert cnndsl("check", "inner", cwd=folder).returncode == 0
    assert cnndsl("fmt", "--check", "inner", cwd=folder).stderr == "inner/deep.yaml: would change\n"


@pytest.mark.parametrize("verb", ["check", "fmt"])
def test_a_folder_without_specs_is_wrong_usage(folder: Path, verb: str) -> None:
    (folder / "empty").mkdir()
    done = cnndsl(verb, "small.yaml", "empty", cwd=folder)
    assert done.returncode == 2
    assert "there are no specs in the folder empty" in done.stderr


def test_explain_shows_the_page_of_a_code(folder: Path) -> None:
    assert cnndsl("explain", "cnn014", cwd=folder).stdout.startswith("# CNN014: an unknown layer")
    assert len(cnndsl("explain", cwd=folder).stdout.splitlines()) > 40
    unknown = cnndsl("explain", "CNN0021", cwd=folder)
    assert (unknown.returncode, unknown.stdout) == (0, cnndsl("explain", "21", cwd=folder).stdout)
    unknown = cnndsl("explain", "CNX021", cwd=folder)
    assert unknown.returncode == 2
    assert "did you mean `CNN021`?" in unknown.stderr


def test_strict_makes_errors_of_warnings(folder: Path) -> None:
    (folder / "idle.yaml").write_text(SMALL.replace("{classes: 10}", "{classes: 10, idle: 1}"))
    lax = cnndsl("check", "idle.yaml", cwd=folder)
    assert (lax.returncode, "warning[CNN101]" in lax.stdout) == (0, True)
    strict = cnndsl("check", "--strict", "idle.yaml", "--format", "concise", cwd=folder)
    assert strict.returncode == 1
    assert strict.stdout == "idle.yaml:3:23: error[CNN101]: the parameter `idle` is never used\n"


@pytest.mark.parametrize(
    "arguments", [["check", "none.yaml"], ["shapes"], ["draw", "small.yaml", "-o", "x.bmp"], ["nothing"]]
)
def test_wrong_usage_and_missing_files_exit_with_2(folder: Path, arguments: list[str]) -> None:
    done = cnndsl(*arguments, cwd=folder)
    assert done.returncode == 2
    assert done.stdout == "" and done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("ending", [".svg", ".png", ".pdf", ".dot"])
def test_draw_by_ending_and_over_its_own_pictures_only(folder: Path, ending: str) -> None:
    if (
        ending in (".png", ".pdf")
        and "no fonts" in cnndsl("draw", "small.yaml", "-o", f"probe{ending}", cwd=folder).stderr
    ):
        pytest.skip("no fonts on this machine")
    path = folder / f"picture{ending}"
    for _ in range(2):
        done = cnndsl("draw", "small.yaml", "-o", path, cwd=folder)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == str(path)
    path.write_bytes(b"mine")
    assert cnndsl("draw", "small.yaml", "-o", path, cwd=folder).returncode == 2
    assert path.read_bytes() == b"mine"
    assert cnndsl("draw", "small.yaml", "-o", path, "--force", cwd=folder).returncode == 0


@pytest.mark.parametrize("command", [["draw", "small.yaml", "-o", "none/x.svg"], ["new", "none/x"]])
def test_only_build_makes_folders(folder: Path, command: list[str]) -> None:
    before = {path.name for path in folder.iterdir()}
    done = cnndsl(*command, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no folder none" in done.stderr
    assert {path.name for path in folder.iterdir()} == before
    assert cnndsl("build", "small.yaml", "-o", "none/inner", cwd=folder).returncode == 0


def test_a_picture_that_becomes_smaller_says_so(folder: Path) -> None:
    many = "input: [8, 2, 2]\nnetwork:\n" + "".join(f"- Conv2d: [{1 + number % 7}, 1]\n" for number in range(300))
    (folder / "many.yaml").write_text(many)
    done = cnndsl("draw", "many.yaml", "-o", "many.png", "--dpi", "300", "--style", "layers", cwd=folder)
    assert (done.returncode, done.stdout) == (0, "many.png\n")
    assert re.fullmatch(r"many.png: .* \d+ dots per inch instead of 300; SVG and PDF have no such limit\n", done.stderr)
    (folder / "more.yaml").write_text(many + many.partition("network:\n")[2] * 4)
    done = cnndsl("draw", "more.yaml", "-o", "more.png", "--style", "layers", cwd=folder)
    assert done.returncode == 2
    assert "use SVG or PDF" in done.stderr and not (folder / "more.png").exists()


def test_draw_needs_no_graphviz_on_the_path(folder: Path) -> None:
    environment = {**os.environ, "PATH": str(folder)}
    command = [sys.executable, "-m", "cnndsl", "draw", "small.yaml"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "<svg" in (folder / "small.svg").read_text()


def test_schema_is_a_schema_that_accepts_our_specs(folder: Path) -> None:
    from cnndsl.source import Source
    from cnndsl.spec.tree import plain, read

    done = cnndsl("schema", cwd=folder)
    schema = json.loads(done.stdout)
    Draft202012Validator.check_schema(schema)
    for path in sorted(ARCHS.glob("*.yaml")):
        tree, _ = read(Source(path.name, path.read_text()))
        Draft202012Validator(schema).validate(plain(tree))


def test_layers_lists_and_explains(folder: Path) -> None:
    listed = cnndsl("layers", cwd=folder)
    assert "Conv2d" in listed.stdout and "StochasticDepth" in listed.stdout
    page = cnndsl("layers", "Conv2d", cwd=folder)
    assert "out_channels" in page.stdout and "dilation" in page.stdout
    unknown = cnndsl("layers", "Conv2D", cwd=folder)
    assert unknown.returncode == 2
    assert "did you mean `Conv2d`?" in unknown.stderr


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_the_list_of_verbs_has_whole_sentences(columns: int) -> None:
    from click.testing import CliRunner

    from cnndsl.cli import VERBS, cli, verb

    listed = CliRunner().invoke(cli, ["--help"], terminal_width=columns).output.partition("Commands:\n")[2]
    assert "..." not in listed
    assert max(map(len, listed.splitlines())) <= columns
    for name in VERBS:
        sentence = (verb(name).help or "").partition("\n\n")[0].removesuffix(".")
        assert f"{name} {sentence}" in " ".join(listed.split())
        if columns == 80:  # one line each
            assert re.search(rf"^  {name} +{re.escape(sentence)}\.$", listed, re.MULTILINE), name


def test_the_verbs_have_the_names_and_sentences_that_the_list_has() -> None:
    from cnndsl.cli import VERBS, verb

    assert [*VERBS] == sorted(VERBS)
    for name, (_, sentence) in VERBS.items():
        assert (verb(name).name, verb(name).get_short_help_str(1_000)) == (name, sentence)


def test_completion_script_is_given() -> None:
    environment = {**os.environ, "_CNNDSL_COMPLETE": "bash_source"}
    command = [sys.executable, "-c", "from cnndsl.cli import cli; cli(prog_name='cnndsl')"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert "_CNNDSL_COMPLETE=bash_complete" in done.stdout


def test_a_file_whose_name_begins_with_a_dash_has_places(folder: Path) -> None:
    (folder / "-p.yaml").write_text(WRONG)
    found = cnndsl("check", "--", "-p.yaml", cwd=folder)
    assert found.returncode == 1
    assert "-p.yaml:4:16: error[CNN030]" in found.stdout + found.stderr


@pytest.mark.parametrize("verb", ["check", "shapes", "draw", "build"])
def test_a_dash_is_no_spec_and_the_help_names_stdin(verb: str, folder: Path) -> None:
    refused = cnndsl(verb, "-", cwd=folder)
    assert refused.returncode == 2
    assert "- does not exist" in refused.stderr and "= help: `/dev/stdin` reads stdin" in refused.stderr


@pytest.mark.parametrize(
    "line", [["fmt", ""], ["check", "small.yaml", ""], ["shapes", ""], ["draw", "small.yaml", "-o", ""], ["eval", ""]]
)
def test_an_empty_path_is_not_the_current_folder(line: list[str], folder: Path) -> None:
    (folder / "small.yaml").write_text(SMALL.replace("network:", "network:   "))
    refused = cnndsl(*line, cwd=folder)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "the path is empty" in refused.stderr
    assert (folder / "small.yaml").read_text() == SMALL.replace("network:", "network:   ")
