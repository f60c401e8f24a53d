"""Shared by the verbs that write pictures: options, and files that are never written over those of others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from cnndsl.cli.common import FilePath, fail
from cnndsl.diagnostics import RunError
from cnndsl.palette import ENDINGS
from cnndsl.terminal import say
from cnndsl.writing import write_file

PICTURE = FilePath(*ENDINGS)
force_option = click.option("--force", is_flag=True, help="Overwrite files that cnndsl did not write.")


@contextmanager
def naming(option: str, words: Iterable[str]) -> Iterator[None]:
    """An error inside tells to write ``option``, if one of the words ends as a picture: it was meant to be written."""
    try:
        yield
    except RunError as error:
        picture = next((word for word in words if word.endswith(ENDINGS)), None)
        if picture is None:
            raise
        found = error.diagnostic
        raise RunError(found.code, found.message, f"to draw {picture}, write `{option} {picture}`") from None


def check_files(*paths: Path | None, force: bool) -> None:
    """Ends the program if one of these files must not or cannot be written."""
    from cnndsl.cli.output import check_free  # here, because most commands write no picture

    given = [path for path in paths if path is not None]
    if len({*given}) < len(given):
        raise click.UsageError(f"two results cannot go to one file: {given[0]}")
    for path in given:
        with _failing(path):
            check_free(path, force)


def write(path: Path, data: bytes, to_stderr: bool = False) -> None:
    """Writes a checked file and prints its name, ``to_stderr`` if stdout has data for programs. Ends the program if it
    cannot be written."""
    from cnndsl.cli.output import sign

    with _failing(path):
        write_file(path, sign(data, path.suffix))
    say(path, err=to_stderr)


@contextmanager
def _failing(path: Path) -> Iterator[None]:
    from cnndsl.cli.output import NotOurs

    try:
        yield
    except NotOurs:
        fail(f"{path} exists and was not written by cnndsl", "choose another name, or use --force")
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}")
