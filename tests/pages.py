"""Pages whose files, commands, outputs and pictures are what happens. ``pytest --update`` writes what does.

What a fenced block of such a page is depends on its language:

``yaml`` or ``python`` with a first line ``# NAME``
    A file. The page writes it, that line included, so that the places in messages are those in a copy of the block. A
    file that a command has made since is shown instead.
``console``
    Commands, each after ``$ ``, with what they print on both streams. Anything of a shell may be used: pipes, ``cat``,
    ``git``. ``cnndsl eval runs/small/*`` names the only run.
``pycon``
    A session of Python, one for the whole page, with ``>>>`` and ``...``.

Any other block is text: excerpts, and what a reader does once, such as ``sh`` with the installation. A picture of the
page has to be the one that a command drew, if one drew a file with its name.

Commands that train, or need what was trained, run under ``pytest -m slow``; what they measure may vary.
"""

from __future__ import annotations

import code
import io
import os
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from click.testing import CliRunner

from cnndsl.cli import cli

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
#: Commands and statements that train, or need what was trained.
SLOW = re.compile(r"cnndsl (train|runs|eval|predict|inspect|export)\b|cnndsl\.(train|load_run)\(|\bruns/")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# ([\w./-]+\.(?:py|yaml|yml))\n")
PICTURE = re.compile(r"!\[[^]]*\]\(([^)#]+)[^)]*\)|<img [^>]*src=\"([^\"]+)\"")
#: A command with its continued lines.
COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)\n?", re.MULTILINE)
#: Commands that may fail, to show what they say then. Any other failure is a mistake in the page.
TELLING = re.compile(r"cnndsl (check|diff|import|fmt|trace|draw)\b|git diff\b")
#: The end of a command of which only some lines are shown.
SOME = re.compile(r" \| (head|tail) -(\d+)$")
#: Who commits, without the settings of the machine.
GIT = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.org"), ("DATE", "2026-01-01T12:00:00Z"))
} | {"GIT_CONFIG_GLOBAL": os.devnull}
#: What only a shell understands.
SHELL = re.compile(r"[|<>;&$`\\]")
#: Times, rates, losses and accuracies: they depend on the machine and on torch's version.
MEASURED = re.compile(r"\d{4}-\d\d-\d\dT[\d-]+|\d[\d,.]*| +|-{2,}|━+")


class Page:
    """A page as it is run in the current folder, which has to be empty."""

    def __init__(self, path: Path, slow: bool) -> None:
        self.path, self.slow = path, slow
        self.text = path.read_text()
        self.written: dict[Path, str] = {}
        self.console = code.InteractiveConsole()
        for folder in ("archs", "cnndsl"):  # as in a clone of the project
            if re.search(rf"^\$ .* {folder}/", self.text, re.MULTILINE):
                Path(folder).symlink_to(ROOT / folder)

    def made(self) -> str:
        """The page as it should be."""
        return FENCE.sub(lambda fence: f"```{fence[1]}\n{self._block(fence[1], fence[2])}```", self.text)

    def _block(self, language: str, text: str) -> str:
        if language == "console":
            return "".join(map(self._told, COMMAND.findall(text), COMMAND.split(text)[2::2]))
        if language == "pycon":
            return self._session(text)
        named = FILE.match(text) if language in ("yaml", "python") else None
        return self._file(Path(named[1]), text, named[0]) if named else text

    def _file(self, path: Path, text: str, header: str) -> str:
        if path.exists() and path.read_text() != self.written.get(path):  # a command made it
            return header + path.read_text()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.written[path] = text
        return text

    def _told(self, command: str, before: str) -> str:
        """A command and what it prints; ``before`` is what the page says that it prints."""
        if not SLOW.search(command):
            return f"$ {command}\n{ran(command)}"
        output = ran(command) if self.slow else before
        return f"$ {command}\n" + (before if same_but_measured(output, before) else output)

    def _session(self, text: str) -> str:
        """A session of Python: the lines after a prompt, and what they print."""
        if SLOW.search(text) and not self.slow:
            return text
        lines = []
        for line in text.splitlines():
            if line.startswith((">>>", "...")):
                told = io.StringIO()
                with redirect_stdout(told), redirect_stderr(told):
                    self.console.push(line[4:])
                assert "Traceback" not in told.getvalue(), f"{self.path.name}: {line}\n{told.getvalue()}"
                lines += [line, *told.getvalue().splitlines()]
        assert not self.console.buffer, f"{self.path.name}: a statement does not end: {self.console.buffer}"
        return "".join(f"{line.rstrip()}\n" for line in lines)

    def pictures(self) -> list[tuple[Path, Path]]:
        """The pictures of the page that a command drew: where they are kept, and what was drawn."""
        kept = [self.path.parent / (image or tag) for image, tag in PICTURE.findall(self.text)]
        return [(path, Path(path.name)) for path in kept if Path(path.name).exists()]


def trains(path: Path) -> bool:
    """Whether a page has commands or statements that train."""
    blocks = FENCE.findall(path.read_text())
    return any(SLOW.search(text) for language, text in blocks if language in ("console", "pycon"))


def ran(command: str) -> str:
    """What a command prints, on both streams. ``cnndsl``, with ``head`` or ``tail`` at most, runs in this process."""
    some = SOME.search(command)
    alone = command[: some.start()] if some else command
    if alone.startswith("cnndsl ") and not SHELL.search(alone):
        status, output = _in_this_process(alone)
    else:
        status, output, some = *_by_the_shell(command), None
    assert status == 0 or (status in (1, 2) and TELLING.search(command)), f"{command} exits with {status}: {output}"
    lines = output.rstrip().splitlines()
    if some:
        lines = lines[: int(some[2])] if some[1] == "head" else lines[-int(some[2]) :]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _in_this_process(command: str) -> tuple[int, str]:
    """The exit code of ``cnndsl``, and what it prints."""
    result = CliRunner().invoke(cli, [path for word in shlex.split(command)[1:] for path in expanded(word)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def expanded(word: str) -> list[str]:
    """The paths that a word names with ``*``, or the word."""
    return sorted(map(str, Path().glob(word)) if "*" in word else []) or [word]


def _by_the_shell(command: str) -> tuple[int, str]:
    """The exit code of a command in bash, and what it prints."""
    python = shlex.quote(sys.executable)
    functions = f'python() {{ {python} "$@"; }}; cnndsl() {{ {python} -m cnndsl "$@"; }}\n'
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    finished = subprocess.run(
        ["bash", "-c", functions + command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **GIT, "PYTHONPATH": path},
    )
    return finished.returncode, finished.stdout


def same_but_measured(a: str, b: str) -> bool:
    """Whether two outputs differ at most in what varies from run to run."""
    return MEASURED.sub("N", a) == MEASURED.sub("N", b)


def words(picture: Path) -> list[str]:
    """The words of an SVG, in alphabetical order: where lines break depends on the fonts of a machine."""
    return sorted(" ".join(re.findall(r">([^<>]+)</text>", picture.read_text())).split())


def is_current(kept: Path, drawn: Path) -> bool:
    """Whether a picture is there, and an SVG has the words of the one that was drawn."""
    return kept.exists() and (kept.suffix != ".svg" or words(kept) == words(drawn))


def check(path: Path, update: bool, slow: bool = False) -> None:
    """Runs a page in the current folder and compares it with what happened, or writes that into it."""
    page = Page(path, slow)
    made = page.made()
    if update:
        path.write_text(made)
    assert made == path.read_text()
    for kept, drawn in page.pictures():
        if update and not (is_current(kept, drawn) and kept.suffix == ".svg"):
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(drawn.read_bytes())
        assert is_current(kept, drawn), f"{kept}: run `pytest tests/test_pages.py --update`"
