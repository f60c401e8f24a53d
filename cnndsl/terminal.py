"""Printing: the only module that writes to stdout and stderr.

A terminal gets no escape sequence from any text: they are shown as escapes, and our own are added after that.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TextIO

import click

from cnndsl.grid import Grid, Medium, Paint, unpainted
from cnndsl.printable import lines, one_line

if TYPE_CHECKING:
    from rich.console import Console

#: The width of a file or a pipe, where rows need not be broken.
WIDE = 200

_STYLES: Mapping[str, Mapping[str, Any]] = {
    "bold": {"bold": True},
    "dim": {"dim": True},
    "failed": {"fg": "red", "bold": True},
    "added": {"fg": "green"},
    "removed": {"fg": "red"},
    "changed": {"fg": "yellow"},
}


def say(text: object = "", *, err: bool = False, fg: str | None = None, bold: bool = False) -> None:
    """Prints one line, a message to stderr with ``err``. A line break within it, as in a file's name, is escaped."""
    stream = sys.stderr if err else sys.stdout
    line = one_line(str(text))
    if line and (fg or bold) and coloured(stream):
        line = click.style(line, fg=fg, bold=bold)
    put(f"{line}\n", stream)


def show(text: str) -> None:
    """Prints a text of any number of lines."""
    put(lines(text if text.endswith("\n") or not text else f"{text}\n"), sys.stdout)


def show_exactly(text: str) -> None:
    """Prints the text of a file: as UTF-8 and unchanged, whatever the terminal can show."""
    sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr]
    put(text, sys.stdout)


def show_grid(grid: Grid, form: str = "table") -> None:
    """Prints a grid as ``table`` or ``plain``."""
    show_painted(f"{grid.plain() if form == 'plain' else grid.text(medium(), paint())}\n")


def show_painted(text: str) -> None:
    """Prints a text that was made for :func:`medium`, with the styles of :func:`paint`."""
    put(text, sys.stdout)


def medium() -> Medium:
    """What tables are printed to. Only a terminal has a width to which rows are cut."""
    if not sys.stdout.isatty():
        return Medium(None, sys.stdout.encoding or "utf-8")
    import shutil

    return Medium(shutil.get_terminal_size().columns, sys.stdout.encoding or "utf-8")


def paint() -> Paint:
    return _styled if coloured(sys.stdout) else unpainted


def _styled(text: str, style: str) -> str:
    return click.style(text, **_STYLES[style]) if style else text


def put(text: str, stream: TextIO) -> None:
    """Prints text that is printable already, perhaps with styles."""
    stream.write(text)
    stream.flush()


def coloured(stream: TextIO) -> bool:
    """Whether text is coloured or bold on a stream: on terminals, unless the environment forbids it.

    See https://no-color.org, https://force-color.org and https://bixense.com/clicolors, in this order.
    """
    environment = os.environ
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR") or environment.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return environment.get("CLICOLOR") != "0" and moves(stream)


def moves(stream: TextIO) -> bool:
    """Whether a stream is a terminal that understands escape sequences."""
    return stream.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")


def console() -> Console:
    """Rich's console on stdout, which draws boxes in ASCII if the encoding has no others. A file or a pipe is
    :data:`WIDE` columns wide."""
    from rich.console import Console

    stream = sys.stdout
    colours = ("auto" if moves(stream) else "standard") if coloured(stream) else None
    return Console(
        file=stream,
        force_terminal=stream.isatty(),
        color_system=colours,  # type: ignore[arg-type]
        width=None if stream.isatty() else WIDE,
        markup=False,
        emoji=False,
        highlight=False,
    )
