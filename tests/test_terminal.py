"""Every command in a terminal, and with unusual streams, names or locales."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from PIL import Image
from terminal import ASCII, Screen, Setting, alone, shown, started, streamed

from cnndsl.cli import cli
from cnndsl.printable import one_line

ROOT = Path(__file__).parent.parent
TINY = """\
name: tiny
input: [1, 8, 8]
network:
  - Conv2d: {out_channels: 2, kernel_size: 3}   # 卷积
  - Flatten
  - Linear: 2
train:
  dataset: {Synthetic: {size: 40, test_size: 20}}
  epochs: 2
  batch_size: 10
  optimizer: {SGD: {lr: 0.1}}
"""
WIDE = TINY.replace("out_channels: 2", "out_channels: $width") + "params: {width: 2}\n"
WRONG = TINY.replace("kernel_size: 3", "kernel_size: 9")
#: Networks to import, one of which reads values.
PYTHON = """\
from torch import nn

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 2))

class Odd(Net):
    def forward(self, x):
        return super().forward(x if x.sum() > 0 else -x)  # 卷积
"""
#: Trains until it is stopped.
LONG = TINY.replace("size: 40", "size: 40000").replace("epochs: 2", "epochs: 90")

#: Terminals: narrow, usual without colours, wide in a locale without UTF-8.
SETTINGS = {
    "60": Setting(60),
    "80-no-color": Setting(80, {"NO_COLOR": "1"}),
    "200-ascii": Setting(200, ASCII, "ascii"),
}


@dataclass(frozen=True)
class Command:
    """A command line, a text that its screen shows, and its exit code. ``silent``: nothing goes to stdout."""

    line: str
    shows: str
    code: int = 0
    silent: bool = False

    @property
    def arguments(self) -> list[str]:
        return self.line.split()


COMMANDS = [
    Command("build tiny.yaml", "the network in PyTorch"),
    Command("build tiny.yaml --stop-after source", "class Tiny"),
    Command("build wrong.yaml", "error[CNN030]", 1, silent=True),
    Command("shapes tiny.yaml", "Conv2d"),
    Command("shapes wrong.yaml", "error[CNN030]", 1),
    Command("shapes tiny.yaml --columns path,params,%,memory,field,stride --sort macs", "shown"),
    Command("shapes tiny.yaml --columns parms", "did you mean `params`?", 2),
    Command("diff tiny.yaml tiny.yaml", "the networks are equal"),
    Command("diff tiny.yaml --right-set input=[1,9,9]", "input: [1, 8, 8]", 1),
    Command("diff tiny.yaml wrong.yaml", "error[CNN030]", 2, silent=True),
    Command("draw tiny.yaml", "tiny.svg"),
    Command("draw tiny.yaml --fit a4", "a4: compact"),
    Command("draw tiny.yaml --fit a44", "a44 is not a page", 2, silent=True),
    Command("draw tiny.yaml --format mermaid", "flowchart TB"),
    Command("draw tiny.yaml --style volumes -o tiny.tex", "tiny.tex"),
    Command("check tiny.yaml", "tiny.yaml: ok", silent=True),
    Command("check wrong.yaml", "wrong.yaml:4:44: error[CNN030]", 1),
    Command("check wrong.yaml --format json", '"CNN030"', 1),
    Command("check wrong.yaml --format sarif", '"CNN030"', 1),
    Command("explain", "CNN212"),
    Command("explain 21", "CNN021: an undefined name"),
    Command("explain zz", "there is no code", 2, silent=True),
    Command("fmt tiny.yaml", "tiny.yaml: formatted", silent=True),
    Command("fmt --diff tiny.yaml", "tiny.yaml, formatted"),
    Command("lsp --log none/lsp.log", "none/lsp.log cannot be written", 2, silent=True),
    Command("trace tiny.yaml", "out_channels"),
    Command("trace wrong.yaml", "fails", 1),
    Command("trace tiny.yaml nothing", "there is no `nothing`", 2, silent=True),
    Command("sizes tiny.yaml", "smallest input"),
    Command("sweep wide.yaml -p width=2,4,8 -o sweep.svg", "3 combinations"),
    Command("train tiny.yaml --device cpu", "examples/sec on cpu"),
    Command("runs", "finished"),
    Command("runs tiny --plot -o plot.png", "plot.png"),
    Command("runs --plot tinny", "did you mean `tiny`?", 2, silent=True),
    Command("eval run --device cpu", "test acc"),
    Command("eval run --device cpu --confusion confusion.svg --mistakes mistakes.png", "confusion.svg"),
    Command("eval run --confusion picture.png", "was not written by cnndsl", 2, silent=True),
    Command("predict run picture.png --device cpu", "picture.png"),
    Command("predict run picture.png --device cpu --features 0", "picture-0.png"),
    Command("import net.py:Net --input 1,8,8", "Conv2d"),
    Command("import net.py:Odd --input 1,8,8", "error[CNN217]", 1, silent=True),
    Command("inspect run", "0.weight"),
    Command("inspect run 0 --filters filters.png", "filters.png"),
    Command("export run --format safetensors", "tiny.safetensors"),
    Command("layers", "Upsample"),
    Command("layers Conv2d", "out_channels"),
    Command("zoo lenet_bn", "classic/lenet_bn"),
    Command("new mine", "mine.yaml: edit it"),
    Command("schema", "downscale_factor"),
    Command("serve nothing.yaml", "nothing.yaml does not exist", 2, silent=True),
    *(Command(f"{verb} --help", "-h, --help") for verb in cli.commands),
    Command("--help", "Usage: cnndsl"),
    Command("--version", "version"),
    Command("nothing", "No such command 'nothing'", 2, silent=True),
]
LINES = [command.line for command in COMMANDS]
#: One for each verb that prints to stdout.
PRINTING = {command.arguments[0]: command for command in reversed(COMMANDS) if not command.silent and not command.code}


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with specs, a picture and a run."""
    folder = tmp_path_factory.mktemp("terminal")
    for name, text in {"tiny": TINY, "wide": WIDE, "wrong": WRONG, "long": LONG}.items():
        (folder / f"{name}.yaml").write_text(text)
    (folder / "net.py").write_text(PYTHON, encoding="utf-8")
    Image.new("L", (8, 8), 200).save(folder / "picture.png")
    assert streamed(["train", "tiny.yaml", "--device", "cpu"], folder).code == 0
    (run,) = folder.glob("runs/tiny/*")
    (folder / "run").symlink_to(run.relative_to(folder))
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    """A copy of the folder for one test."""
    return shutil.copytree(trained, tmp_path / "folder", symlinks=True)


# --- what terminals show -------------------------------------------------------------------------


def test_every_verb_goes_through_a_terminal_and_every_stream() -> None:
    assert {command.arguments[0] for command in COMMANDS if not command.line.endswith("--help")} >= {*cli.commands}
    assert {*PRINTING} >= {*cli.commands} - {"check"}  # which prints only errors to stdout


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("command", COMMANDS, ids=LINES)
def test_every_command_on_every_terminal(folder: Path, command: Command, name: str) -> None:
    setting = SETTINGS[name]
    screen = shown(command.arguments, folder, setting)
    assert screen.code == command.code, screen.text
    assert command.shows in screen.unbroken
    assert "Traceback" not in screen.text
    if "NO_COLOR" in setting.environment:
        assert not screen.colours
        assert not re.search(rb"\x1b\[[\d;]*m", screen.sent)
    if setting.encoding == "ascii":
        assert screen.sent.isascii()


def test_errors_are_red_where_colours_are_wanted_and_nowhere_else(folder: Path) -> None:
    command = ["check", "wrong.yaml"]

    def coloured(**environment: str) -> bool:
        on_terminal = shown(command, folder, Setting(environment=environment))
        return "red" in on_terminal.colours

    def coloured_in_file(**environment: str) -> bool:
        return "\x1b[31m" in streamed(command, folder, Setting(environment=environment)).stdout

    assert coloured()
    assert coloured(NO_COLOR="", CLICOLOR="1")
    assert not coloured(NO_COLOR="1", FORCE_COLOR="1")
    assert not coloured(CLICOLOR="0")
    assert not coloured(TERM="dumb")
    assert not coloured_in_file()
    assert not coloured_in_file(CLICOLOR_FORCE="0")
    assert not coloured_in_file(NO_COLOR="1", CLICOLOR_FORCE="1")
    assert coloured_in_file(FORCE_COLOR="1")
    assert coloured_in_file(CLICOLOR_FORCE="1")


@pytest.mark.parametrize("command", ["shapes tiny.yaml", "zoo lenet_bn", "layers Conv2d"])
def test_tables_and_pages_follow_the_same_rules(folder: Path, command: str) -> None:
    def styled(**environment: str) -> bool:
        return b"\x1b[" in shown(command.split(), folder, Setting(environment=environment)).sent

    assert styled()
    assert not styled(NO_COLOR="1")
    assert not styled(TERM="dumb")
    assert "\x1b" not in streamed(command.split(), folder).stdout


# --- training ------------------------------------------------------------------------------------


def ends_well(screen: Screen) -> None:
    assert screen.code == 0, screen.text
    assert re.fullmatch(r"loss \d\.\d{3}, train acc \d\.\d{3}, test acc \d\.\d{3}", screen.lines[-2])
    assert re.fullmatch(r"[\d.]+ examples/sec on cpu", screen.lines[-1])


def bars(screen: Screen) -> list[str]:
    """The line of every bar that was shown."""
    return [line for frame in screen.frames for line in frame.split("\n") if re.match(r"epoch \d+/\d+ ", line)]


@pytest.mark.parametrize("columns", [20, 80])
def test_train_shows_a_bar_and_then_a_line_for_each_epoch(folder: Path, columns: int) -> None:
    screen = shown(["train", "tiny.yaml", "--device", "cpu"], folder, Setting(columns))
    if columns > 20:
        ends_well(screen)
        assert any("epoch 1/2" in bar for bar in bars(screen)) and any("epoch 2/2" in bar for bar in bars(screen))
    assert screen.code == 0
    assert re.search(r"epoch 1/2: loss .*epoch 2/2: loss .*examples/sec", screen.unbroken)
    assert not any("━" in line for line in screen.lines)


def test_train_goes_on_with_a_run_and_writes_for_tensorboard(folder: Path) -> None:
    resumed = ["train", "--resume", "run", "--epochs", "4", "--tensorboard", "--device", "cpu"]
    screen = shown(resumed, folder, Setting(100))
    ends_well(screen)
    assert "from epoch 3" in screen.unbroken
    assert any("epoch 3/4" in bar for bar in bars(screen)) and any("epoch 4/4" in bar for bar in bars(screen))
    assert [*(folder / "run" / "tensorboard").iterdir()]


def test_train_on_a_dumb_terminal_and_in_a_file_prints_lines_alone(folder: Path) -> None:
    command = ["train", "tiny.yaml", "--device", "cpu"]
    screen = shown(command, folder, Setting(environment={"TERM": "dumb"}))
    ends_well(screen)
    assert b"\x1b" not in screen.sent
    result = streamed(command, folder, Setting(environment={"FORCE_COLOR": "1"}))
    assert (result.code, result.stderr) == (0, "")
    assert len(result.stdout.splitlines()) == 5 and "\x1b" not in result.stdout


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_ctrl_c_leaves_no_bar_and_says_how_to_go_on(folder: Path, setting: Setting) -> None:
    screen = shown(["train", "long.yaml", "--device", "cpu"], folder, setting, typed={"loss": "\x03"})
    assert screen.code == 130
    assert any("^C" in frame for frame in screen.frames)
    first, last = screen.unbroken.split("stopped by SIGINT; continue with ")
    run = first.split(": ")[1]
    assert last == f"`cnndsl train --resume {run}`"
    assert json.loads((folder / run / "run.json").read_text())["state"] == "interrupted"


def test_a_run_that_ctrl_c_stopped_goes_on_where_it_was(folder: Path) -> None:
    screen = shown(["train", "long.yaml", "--device", "cpu"], folder, Setting(200), typed={"loss": "\x03"})
    run = screen.text.split("--resume ")[1].strip("`")
    screen = shown(["train", "--resume", run, "--device", "cpu"], folder, Setting(200), typed={"acc": "\x03\x03"})
    assert screen.code == 130
    assert re.search(f"{run}, from epoch 1, batch ", screen.lines[0])
    assert len(screen.lines) == 2


def test_ctrl_c_ends_other_commands_quietly(folder: Path) -> None:
    (folder / "slow.py").write_text("import time\nprint('waiting', flush=True)\ntime.sleep(100)\n")
    screen = shown(["shapes", "tiny.yaml", "--plugin", "slow"], folder, typed={"waiting": "\x03"})
    assert screen.code == 130
    assert screen.text == "waiting\n^C"


# --- streams -------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["full", "closed", "gone"])
@pytest.mark.parametrize("verb", PRINTING)
def test_stdout_that_cannot_be_written_ends_a_command_with_one_line(folder: Path, verb: str, state: str) -> None:
    result = streamed(PRINTING[verb].arguments, folder, stdout=state)
    assert result.stdout == ""
    if state == "gone":
        assert (result.code, result.stderr) == (141, "")
    else:
        reason = {"full": "No space left on device", "closed": "Bad file descriptor"}[state]
        assert (result.code, result.stderr) == (2, f"cnndsl: stdout cannot be written: {reason}\n")


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github", "concise"])
def test_check_too(folder: Path, form: str) -> None:
    result = streamed(["check", "tiny.yaml", "wrong.yaml", "--format", form], folder, stdout="full")
    assert (result.code, result.stderr) == (2, "cnndsl: stdout cannot be written: No space left on device\n")


@pytest.mark.parametrize("stream", ["stdin", "stderr"])
@pytest.mark.parametrize("verb", PRINTING)
def test_other_streams_are_not_needed(folder: Path, verb: str, stream: str) -> None:
    result = streamed(PRINTING[verb].arguments, folder, **{stream: "closed"})
    assert result.code == 0
    assert PRINTING[verb].shows in result.stdout
    assert stream == "stderr" or "Bad file" not in result.stderr


def test_messages_that_nobody_takes_do_not_change_the_exit_code(folder: Path) -> None:
    for state in ("closed", "full", "gone"):
        assert streamed(["explain", "zz"], folder, stderr=state).code == 2
        assert streamed(["nothing"], folder, stderr=state).code == 2
        assert streamed(["build", "wrong.yaml"], folder, stderr=state).code == 1
        assert streamed(["shapes", "tiny.yaml"], folder, stdout="full", stderr=state).code == 2
    assert streamed(["build", "tiny.yaml"], folder, stdin="closed", stdout="closed", stderr="closed").code == 2
    assert (folder / "build" / "tiny" / "tiny.py").read_text().startswith("# Generated")


def test_fmt_of_a_closed_stdin_is_one_line(folder: Path) -> None:
    result = streamed(["fmt", "-"], folder, stdin="closed")
    assert (result.code, result.stderr) == (2, "cnndsl: stdin cannot be read: Bad file descriptor\n")


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        ("cnndsl schema > /dev/full", 2, b"cnndsl: stdout cannot be written: No space left on device\n"),
        ("cnndsl shapes tiny.yaml >&-", 2, b"cnndsl: stdout cannot be written: Bad file descriptor\n"),
        ("cnndsl --help > /dev/full 2>&1", 2, b""),
        ("cnndsl shapes zoo:densenet201 | true", 141, b""),
        ("cnndsl check wrong.yaml > /dev/null 2>&-", 1, b""),
    ],
)
def test_processes_end_without_a_word_of_pythons(folder: Path, command: str, code: int, says: bytes) -> None:
    done = started(command, folder)
    assert (done.returncode, done.stderr) == (code, says)


def test_no_file_takes_the_place_of_a_closed_stream(folder: Path) -> None:
    """If descriptor 1 were free, a library would print into the next file that is opened."""
    code = "import os, sys; from cnndsl.cli.streams import standard_streams\nwith standard_streams(): file = open('x', 'w'); sys.exit(file.fileno())"  # noqa: E501
    (folder / "opens.py").write_text(code)
    assert started(f'"{sys.executable}" opens.py >&- 2>&-', folder).returncode > 2


# --- encodings -----------------------------------------------------------------------------------

ENCODINGS = {
    "C": ASCII,
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_what_an_encoding_cannot_say_is_an_escape(folder: Path, name: str) -> None:
    """In new processes: Python chooses its encoding at its start."""
    commands = "cnndsl check wrong.yaml; cnndsl shapes tiny.yaml; cnndsl fmt --diff tiny.yaml"
    check = started(commands, folder, ENCODINGS[name])
    assert check.returncode == 0 and b"Traceback" not in check.stderr
    assert check.stdout.isascii()
    assert rb"# \u5377\u79ef" in check.stdout
    assert b"-----" in check.stdout


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "koi8-r"])
@pytest.mark.parametrize("verb", PRINTING)
def test_every_verb_speaks_every_encoding(folder: Path, verb: str, encoding: str) -> None:
    result = streamed(PRINTING[verb].arguments, folder, Setting(encoding=encoding))
    assert result.code == 0, result.stderr
    assert PRINTING[verb].shows in result.stdout


def test_carets_stand_under_what_they_mean_behind_escapes(folder: Path) -> None:
    (folder / "wide.yaml").write_text("input: [1, 8, 8]\nnetwork:\n  - {Linear: 2, 卷: 3}\n")
    for encoding, line, caret in (("utf-8", "卷", "^^"), ("ascii", r"\u5377", "^^^^^^")):
        lines = streamed(["check", "wide.yaml"], folder, Setting(encoding=encoding)).stdout.splitlines()
        at = next(index for index, text in enumerate(lines) if line in text and text.startswith(" 3 |"))
        assert lines[at + 1].rstrip().endswith(caret)
        assert lines[at + 1].index("^") == lines[at].index(line)


def test_files_and_the_text_of_fmt_are_utf_8_whatever_the_locale(folder: Path) -> None:
    old = (folder / "tiny.yaml").read_bytes()
    piped = started("cnndsl fmt - < tiny.yaml", folder, ASCII)
    assert started("cnndsl fmt tiny.yaml && cnndsl build tiny.yaml -o made", folder, ASCII).returncode == 0
    assert (folder / "tiny.yaml").read_bytes() == piped.stdout != old
    assert "# 卷积" in piped.stdout.decode("utf-8")


def test_json_is_ascii_and_reads_back(folder: Path) -> None:
    (folder / "odd.yaml").write_text("input: [1, 8, 8]\nnetwork: [{卷é😀: 3}]\n")
    result = streamed(["check", "odd.yaml", "--format", "json"], folder, Setting(encoding="ascii"))
    assert "`卷é😀`" in json.loads(result.stdout)[0]["message"]


# --- names that would steer a terminal -----------------------------------------------------------

#: Sets a title, clears the screen, starts a new line; bytes of another encoding; text from right to left.
NAMES = ["\x1b]0;title\x07\x1b[2J\n\x9b31m\u202e.yaml", os.fsdecode(b"c\xff.yaml")]
#: Commands with the name of a file in it.
NAMING = [
    "build {}",
    "shapes {}",
    "draw {}",
    "check {}",
    *(f"check {{}} --format {form}" for form in ("concise", "json", "github", "sarif")),
    "fmt {}",
    "fmt --check {}",
    "fmt --diff {}",
    "train {} --device cpu",
    "train tiny.yaml --runs {} --device cpu",
    "train tiny.yaml --runs {} --tensorboard --device cpu",
    "train tiny.yaml --weights {} --device cpu",
    "train tiny.yaml --data {} --device cpu",
    "train --resume {}",
    "runs {}",
    "runs --runs {}",
    "eval {}",
    "eval run --data {}",
    "predict run {} --device cpu",
    "inspect {}",
    "inspect run {}",
    "export run --format safetensors -o {}",
    "new {}",
    "new mine --from {}",
    "explain {}",
    "layers {}",
    "layers --plugin {}",
    "zoo {}",
    "shapes tiny.yaml -p {}",
    "shapes tiny.yaml --set {}=3",
    "shapes tiny.yaml --limits {}",
    "shapes tiny.yaml {}",
    "schema {}",
    "{}",
]


def is_harmless(sent: bytes) -> bool:
    """Whether a terminal got only text, our own styles, and lines of the bar."""
    text = re.sub(rb"\x1b\[(\d+;?)*m|\x1b\[\?25[lh]|\x1b\[\d*[AK]", b"", sent).decode("utf-8")
    return all(character in "\r\n\t" or character.isprintable() for character in text)


@pytest.mark.parametrize("line", NAMING)
def test_names_of_files_are_shown_escaped(folder: Path, line: str) -> None:
    for name in NAMES:
        (folder / name).write_text(TINY)
        arguments = [word.replace("{}", name) for word in line.split()]
        screen = shown(arguments, folder, Setting(200, {"NO_COLOR": "1"}))
        assert "Traceback" not in screen.text, screen.text
        assert screen.code in (0, 1, 2)
        assert is_harmless(screen.sent), screen.sent


def test_names_in_messages_are_whole_and_on_one_line(folder: Path) -> None:
    for name in NAMES:
        (folder / name).write_text(WRONG)
        written = one_line(name)
        check = streamed(["check", name, "--format", "concise"], folder).stdout
        assert check.startswith(f"{written}:4:44: error[CNN030]: ")
        assert streamed(["fmt", "--check", name], folder).stderr == f"{written}: would change\n"
        missing = streamed(["check", f"no{name}"], folder).stderr
        assert missing.startswith(f"error[CNN001]: no{written} does not exist\n")
        github = streamed(["check", name, "--format", "github"], folder).stdout
        assert "file={}".format(written.replace("\\n", "%0A")) in github
        sarif = json.loads(streamed(["check", name, "--format", "sarif"], folder).stdout)
        (result,) = sarif["runs"][0]["results"]
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert os.fsencode(name) == unquote_to_bytes(uri)
        assert json.loads(streamed(["check", name, "--format", "json"], folder).stdout)[0]["file"] == name


@pytest.mark.parametrize("command", ["build", "shapes", "shapes --format csv"])
@pytest.mark.parametrize("where", ["name", "block", "layer", "argument", "param", "description", "class"])
def test_what_a_spec_says_does_not_steer_a_terminal(folder: Path, command: str, where: str) -> None:
    evil = json.dumps("e\x1b]0;t\x07\x9b2J\u202ex")
    specs = {
        "name": f"name: {evil}\ninput: [1, 8, 8]\nnetwork: [Flatten]\n",
        "block": f"input: [1, 8, 8]\nblocks: {{{evil}: [Flatten]}}\nnetwork: [Flatten]\n",
        "layer": f"input: [1, 8, 8]\nnetwork: [{{{evil}: 3}}]\n",
        "argument": f"input: [1, 8, 8]\nnetwork: [{{Conv2d: {{{evil}: 3}}}}]\n",
        "param": f"input: [1, 8, 8]\nparams: {{{evil}: 3, b: {evil}}}\nnetwork: [Flatten]\n",
        "description": f"input: [1, 8, 8]\ndescription: {evil}\nnetwork: [Flatten]\n",
        "class": f"input: [1, 8, 8]\nnetwork: [{{Conv2d: [2, 3, {{padding_mode: {evil}}}]}}, {{Linear: {evil}}}]\n",
    }
    (folder / "evil.yaml").write_text(specs[where])
    verb, *options = command.split()
    screen = shown([verb, "evil.yaml", *options], folder, Setting(200, {"NO_COLOR": "1"}))
    assert "Traceback" not in screen.text
    assert is_harmless(screen.sent), screen.sent


# --- processes of their own ----------------------------------------------------------------------


def test_a_process_of_its_own_trains_on_a_terminal(folder: Path) -> None:
    screen = alone(["train", "tiny.yaml", "--epochs", "1", "--device", "cpu"], folder)
    ends_well(screen)


@pytest.mark.slow
def test_lenet_trains_on_a_terminal(tmp_path: Path) -> None:
    command = f"{sys.executable} -m cnndsl train {ROOT / 'archs' / 'lenet_bn.yaml'} --epochs 1 --device cpu"
    done = started(f"script -qec '{command}' /dev/null", tmp_path)
    assert done.returncode == 0
    assert re.search(rb"loss [^\n]*\n[\d.]+ examples/sec on cpu\s*$", done.stdout)
