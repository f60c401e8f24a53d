"""Stdout as tables meet it: how wide it is, and which characters it takes."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from typing import Any

import click

from cnndsl.grid import Grid, Medium, Paint, unpainted

_STYLES: Mapping[str, Mapping[str, Any]] = {
    "bold": {"bold": True},
    "dim": {"dim": True},
    "failed": {"fg": "red", "bold": True},
}


def medium() -> Medium:
    """A terminal has a width. A file or a pipe has none that a row would have to be cut for."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    return Medium(width, sys.stdout.encoding or "utf-8")


def paint() -> Paint:
    """Styles for a terminal; whether it gets them, `click.echo` decides."""
    return _styled if sys.stdout.isatty() else unpainted


def _styled(text: str, style: str) -> str:
    return click.style(text, **_STYLES[style]) if style else text


def show_grid(grid: Grid, form: str = "table") -> None:
    """Prints a grid as ``table`` or ``plain``."""
    click.echo(grid.plain() if form == "plain" else grid.text(medium(), paint()))
