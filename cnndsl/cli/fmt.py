"""``cnndsl fmt``: formats specs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from cnndsl.cli.common import ERRORS, PATH, USAGE, fail, plugin_option, tell
from cnndsl.cli.specs import spec_paths
from cnndsl.cli.streams import Lost
from cnndsl.diagnostics import Code, Diagnostic, SpecError
from cnndsl.fmt import Unchanged, format
from cnndsl.printable import one_line
from cnndsl.spec.files import read_text
from cnndsl.spec.tree import Unreadable
from cnndsl.terminal import say, show, show_exactly
from cnndsl.writing import write_file


@click.command()
@click.argument("specs", nargs=-1, required=True, type=PATH, metavar="SPEC...")
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if a file would change.")
@click.option("--diff", is_flag=True, help="Write nothing; show what would change.")
@plugin_option
def fmt(specs: Sequence[Path], check: bool, diff: bool) -> None:
    """Format SPECs and keep their comments.

    For a folder, all specs in it are formatted; `-` reads stdin and writes stdout. A file whose meaning would
    change is left as it is.
    """
    worst, changed = 0, 0
    for path in spec_paths(specs):
        try:
            changed += _format(path, check, diff)
        except (SpecError, Unreadable) as error:
            found = list(error.diagnostics)
            tell(found)
            worst = max(worst, USAGE if any(fault.code is Code.FILE for fault in found) else ERRORS)
        except Unchanged as reason:
            say(f"{path}: left as it is, {reason}", err=True)
            worst = max(worst, ERRORS)
    if worst or (check and changed):
        sys.exit(worst or ERRORS)


def _format(path: Path, check: bool, diff: bool) -> bool:
    """Formats one file. Returns whether it changes."""
    piped = str(path) == "-"
    in_place = not (piped or check or diff)
    if in_place and path.exists() and not path.is_file():
        fail(f"{path} cannot be written: it is not a regular file", "`cnndsl fmt -` reads stdin and writes stdout")
    old = _stdin() if piped else read_text(path).text
    new = format(old, "<stdin>" if piped else str(path))
    marked = path.is_file() and path.stat().st_size != len(old.encode())  # with a byte order mark
    changed = marked or old != new
    if diff:
        import difflib

        name = one_line(str(path))
        lines = difflib.unified_diff(old.splitlines(True), new.splitlines(True), name, f"{name}, formatted")
        show("".join(line if line.endswith("\n") else f"{line}\n" for line in lines))
    elif piped and not check:
        show_exactly(new)
    elif changed and check:
        say(f"{path}: would change", err=True)
    elif changed:
        _write(path, new)
        say(f"{path}: formatted", err=True)
    return changed


def _stdin() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except OSError as error:
        raise Lost("stdin cannot be read", error) from None
    except UnicodeDecodeError as error:
        fault = Diagnostic(Code.ENCODING, f"the text is not UTF-8, at offset {error.start}", help="save it as UTF-8")
        raise Unreadable(fault) from None


def _write(path: Path, text: str) -> None:
    target = path.resolve()  # a link's target
    try:
        mode = path.stat().st_mode
        write_file(target, text.encode())
        target.chmod(mode & 0o7777)
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror or error}")
