"""``cnndsl fmt``: specs in one layout."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from cnndsl.cli.common import ERRORS, USAGE, fail, plugin_option, tell
from cnndsl.diagnostics import Code, Diagnostic, SpecError
from cnndsl.fmt import Unchanged, format
from cnndsl.limits import LIMITS
from cnndsl.spec.files import read_text
from cnndsl.spec.tree import Unreadable
from cnndsl.writing import read_file, write_file

_SPEC = re.compile(r"^(input|network|extends)[ \t]*:", re.MULTILINE)


@click.command()
@click.argument("specs", nargs=-1, required=True, type=click.Path(path_type=str), metavar="SPEC...")
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 where a file would change.")
@click.option("--diff", is_flag=True, help="Write nothing; show what would change.")
@plugin_option
def fmt(specs: Sequence[str], check: bool, diff: bool) -> None:
    """Write SPECs in the one layout, and all specs of a folder; `-` is stdin to stdout.

    Comments are kept. A file whose meaning would change is left as it is.
    """
    worst, changed = 0, 0
    for name in specs:
        for path in _files(name):
            try:
                changed += _format(path, check, diff)
            except (SpecError, Unreadable) as error:
                found = list(error.diagnostics)
                tell(found)
                worst = max(worst, USAGE if any(fault.code is Code.FILE for fault in found) else ERRORS)
            except Unchanged as reason:
                click.echo(f"{path}: left as it is, {reason}", err=True)
                worst = max(worst, ERRORS)
    if worst or (check and changed):
        sys.exit(worst or ERRORS)


def _files(name: str) -> Iterator[Path]:
    folder = Path(name)
    if name == "-" or not folder.is_dir():
        yield folder
        return
    for path in sorted(folder.rglob("*.yaml")):
        if path.is_file() and _is_spec(path):
            yield path


def _is_spec(path: Path) -> bool:
    """Whether a file looks like a spec; one that cannot be read may be, and its fault is told later."""
    try:
        return bool(_SPEC.search(read_file(path, LIMITS.file).decode("utf-8-sig", "replace")))
    except OSError:
        return True


def _format(path: Path, check: bool, diff: bool) -> bool:
    """Formats one file; whether it changes."""
    piped = str(path) == "-"
    old = _stdin() if piped else read_text(path).text
    new = format(old, "<stdin>" if piped else str(path))
    marked = path.is_file() and path.stat().st_size != len(old.encode())  # with a byte order mark
    changed = marked or old != new
    if diff:
        lines = difflib.unified_diff(old.splitlines(True), new.splitlines(True), str(path), f"{path}, formatted")
        click.echo("".join(line if line.endswith("\n") else f"{line}\n" for line in lines), nl=False)
    elif piped and not check:
        click.echo(new, nl=False)
    elif changed:
        click.echo(f"{path}: would change" if check else f"{path}: formatted", err=True)
    if changed and not (piped or check or diff):
        _write(path, new)
    return changed


def _stdin() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        fault = Diagnostic(Code.ENCODING, f"the text is not UTF-8, at offset {error.start}", help="save it as UTF-8")
        raise Unreadable(fault) from None


def _write(path: Path, text: str) -> None:
    target = path.resolve()  # of a link
    try:
        mode = path.stat().st_mode
        write_file(target, text.encode())
        target.chmod(mode & 0o7777)
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror or error}")
