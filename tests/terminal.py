"""Commands in a terminal whose screen is read, or with streams that fail.

``shown`` gives what a pseudo-terminal shows, rendered by pyte; ``streamed`` what comes out of ordinary streams. Both
fork the command from a server that has imported torch; ``alone`` starts a process of its own, as a shell does.
"""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import forked
import pexpect
import pyte
from pexpect.fdpexpect import fdspawn

#: Enough for what tests read. The rest scrolls away.
LINES = 60
PATIENCE = 120
#: Variables of the environment that would change the output.
_UNWANTED = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "PYTHONIOENCODING")
#: A locale without UTF-8, and Python told not to help.
ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


@dataclass(frozen=True)
class Setting:
    """A terminal and its environment. ``encoding`` is the one that Python takes from the locale."""

    columns: int = 80
    environment: Mapping[str, str] = field(default_factory=dict)
    encoding: str = "utf-8"

    def variables(self) -> dict[str, str]:
        ours = {key: value for key, value in os.environ.items() if key not in _UNWANTED}
        return {**ours, "TERM": "xterm-256color", **self.environment}


@dataclass(frozen=True)
class Screen:
    """What a terminal shows after a command, and what was sent to it. ``frames`` are all earlier screens."""

    code: int
    lines: tuple[str, ...]
    sent: bytes
    colours: frozenset[str]
    frames: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def unbroken(self) -> str:
        """The text with lines joined that the terminal had to break."""
        return "".join(self.lines)


@dataclass(frozen=True)
class Result:
    """The output of a command."""

    code: int
    stdout: str
    stderr: str


def shown(
    arguments: Sequence[str | Path],
    folder: Path,
    setting: Setting = Setting(),
    typed: Mapping[str, str] | None = None,
) -> Screen:
    """Runs a command in a terminal. ``typed`` are keys to press once the screen shows a text."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, setting.columns, 0, 0))
    child = _fork(arguments, folder, setting, (slave, slave, slave))
    os.close(slave)
    watched = fdspawn(master, timeout=PATIENCE)
    try:
        return _watch(watched, setting, dict(typed or {}), lambda: _end(child))
    finally:
        watched.close()


def alone(
    arguments: Sequence[str | Path], folder: Path, setting: Setting = Setting(), typed: Mapping[str, str] | None = None
) -> Screen:
    """The same in a process that is started for it."""
    return program([sys.executable, "-m", "cnndsl", *map(str, arguments)], folder, setting, typed)


def program(
    command: Sequence[str], folder: Path, setting: Setting = Setting(), typed: Mapping[str, str] | None = None
) -> Screen:
    """The same for any program."""
    size = LINES, setting.columns
    child: Any = pexpect.spawn(
        command[0], [*command[1:]], PATIENCE, cwd=str(folder), env=setting.variables(), dimensions=size
    )

    def end() -> int:
        child.close()
        return int(child.exitstatus if child.exitstatus is not None else -child.signalstatus)

    return _watch(child, setting, dict(typed or {}), end)


def _watch(child: Any, setting: Setting, typed: dict[str, str], end: Callable[[], int]) -> Screen:
    screen = pyte.Screen(setting.columns, LINES)
    stream = pyte.ByteStream(screen)
    sent, frames = b"", [""]
    limit = time.monotonic() + PATIENCE
    while True:
        try:
            part = child.read_nonblocking(1 << 16, timeout=limit - time.monotonic())
        except pexpect.EOF:
            break
        stream.feed(part)
        sent += part
        if (now := "\n".join(_lines(screen))) != frames[-1]:
            frames.append(now)
        for text in [text for text in typed if text in now]:
            child.send(typed.pop(text))
    colours = frozenset(char.fg for row in screen.buffer.values() for char in row.values())
    return Screen(end(), _lines(screen), sent, colours - {"default"}, tuple(frames))


def _lines(screen: pyte.Screen) -> tuple[str, ...]:
    return tuple("\n".join(line.rstrip() for line in screen.display).rstrip().split("\n"))


# --- streams -------------------------------------------------------------------------------------


def streamed(
    arguments: Sequence[str | Path],
    folder: Path,
    setting: Setting = Setting(),
    stdin: str = "",
    stdout: str = "",
    stderr: str = "",
) -> Result:
    """Runs a command on files. A stream is ``closed``, ``full``, or ``gone``: a pipe that nobody reads."""
    given = {"stdin": stdin, "stdout": stdout, "stderr": stderr}
    files = {name: folder / f".{name}" for name in given}
    for path in files.values():
        path.write_bytes(b"")
    with _opened(given, files) as streams:
        code = _end(_fork(arguments, folder, setting, streams))
    out, err = (files[name].read_bytes().decode(setting.encoding) for name in ("stdout", "stderr"))
    return Result(code, out, err)


@contextmanager
def _opened(states: Mapping[str, str], files: Mapping[str, Path]) -> Iterator[list[int | None]]:
    opened: list[int | None] = []
    for name, state in states.items():
        flags = os.O_RDONLY if name == "stdin" else os.O_WRONLY | os.O_TRUNC
        if state == "closed":
            opened.append(None)
        elif state == "gone":
            reader, writer = os.pipe()
            os.close(reader)
            opened.append(writer)
        else:
            opened.append(os.open("/dev/full" if state == "full" else files[name], flags))
    try:
        yield opened
    finally:
        for descriptor in filter(None, opened):
            os.close(descriptor)


def started(
    command: str, folder: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Runs a line of a shell in which ``cnndsl`` is the command."""
    script = f'set -o pipefail; cnndsl() {{ "{sys.executable}" -m cnndsl "$@"; }}; {command}'
    variables = Setting(environment=environment or {}).variables()
    return subprocess.run(["bash", "-c", script], cwd=folder, env=variables, capture_output=True, timeout=PATIENCE)


# --- processes -----------------------------------------------------------------------------------

_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(forked.PRELOAD)


def _fork(arguments: Sequence[str | Path], folder: Path, setting: Setting, streams: Sequence[int | None]) -> Any:
    descriptors = [None if stream is None else forked.Descriptor(stream) for stream in streams]
    given = [*map(str, arguments)], str(folder), setting.variables(), setting.encoding, descriptors
    child = _server.Process(target=forked.run, args=given)
    child.start()
    return child


def _end(child: Any) -> int:
    child.join(PATIENCE)
    if child.exitcode is None:
        child.kill()
    return -1 if child.exitcode is None else int(child.exitcode)
