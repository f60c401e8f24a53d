"""``cnndsl diff --git``: what git calls to show how a spec changed.

Git calls a driver with the path, then file, hash and mode of the old version and of the new one, and for a renamed file
its new path and how similar the two are: see "Defining an external diff driver" in gitattributes(5).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from cnndsl.compare.compare import Summary, compare, notes
from cnndsl.compare.revision import Replaced, Repository
from cnndsl.compare.text import EQUAL, as_text, described
from cnndsl.diagnostics import RunError, SpecError
from cnndsl.limits import Limits
from cnndsl.network import Compilation, compile_spec
from cnndsl.printable import lines
from cnndsl.record import Record
from cnndsl.spec.document import Kept
from cnndsl.spec.files import DISK
from cnndsl.spec.folder import looks_like_spec
from cnndsl.terminal import medium, paint, show_painted
from cnndsl.writing import read_file

#: What git gives for a version that does not exist.
NOTHING = "/dev/null"


class Version(Record, frozen=True):
    """One version of a file: where its content is, its hash in git, and its name, which begins with ``a/`` or ``b/``.
    The hash is zero for the file in the work tree."""

    path: str
    file: str
    blob: str
    name: str

    @property
    def text(self) -> str:
        return "" if self.file == NOTHING else read_file(self.file).decode("utf-8", "replace")


def show_git(given: Sequence[str], limits: Limits) -> None:
    """Shows how a file changed: its network, or its text if it has none, or if only the text differs. Git would stop
    at any exit code but 0."""
    if os.environ.get("GIT_PAGER_IN_USE"):
        os.environ.setdefault("CLICOLOR_FORCE", "1")
    if len(given) == 1:
        show_painted(lines(f"* Unmerged path {given[0]}\n"))
        return
    if len(given) not in (7, 9):
        raise click.UsageError(f"git gives a path and 6 or 8 words after it, got {len(given)}; see docs/diff.md")
    path, old, old_blob, _, new, new_blob, _, *renamed = given
    after = renamed[0] if renamed else path
    versions = Version(path, old, old_blob, f"a/{path}"), Version(after, new, new_blob, f"b/{after}")
    show_painted("".join(_shown(versions, limits)))


def _shown(versions: Sequence[Version], limits: Limits) -> Iterator[str]:
    there = [version for version in versions if version.file != NOTHING]
    yield paint()(medium().shown(f"diff --cnndsl {versions[0].name} {versions[1].name}"), "bold") + "\n"
    if not any(looks_like_spec(version.text) for version in there):
        yield from _text(versions)
        return
    compiled = [_compiled(version, limits) for version in there]
    graphs = [compilation.sound for compilation in compiled if compilation and compilation.sound]
    for version, compilation in zip(there, compiled):
        if compilation is None or compilation.sound is None:
            yield lines(f"{version.name} has errors, so the text is shown\n")
    if len(there) == len(graphs) == 1:
        what = "new" if versions[0].file == NOTHING else "deleted"
        yield lines(f"{what}: {described(Summary.of(graphs[0], graphs[0].document.name))}\n")
    elif len(graphs) == 2:
        before, after = graphs
        noted = notes(*filter(None, compiled))
        found = compare(before, after, [version.name for version in versions], noted)
        if found:
            yield as_text(found, medium(), paint())
            return
        yield from (lines(f"{line}\n") for line in (EQUAL, *noted))
    yield from _text(versions)


def _compiled(version: Version, limits: Limits) -> Compilation | None:
    """The network of a version, None if it cannot be read. What it extends is from a revision that has this version."""
    path = Path(version.path)
    try:
        there = Repository(Path()).holding(version.path, version.blob) if version.blob.strip("0") else None
        files = Replaced(there or DISK, path, Path(version.file), version.name)
        return compile_spec(Kept(path, files), limits=limits)
    except (SpecError, RunError):
        return None


def _text(versions: Sequence[Version]) -> Iterator[str]:
    """How the text differs."""
    import difflib

    old, new = ([f"{line}\n" for line in version.text.splitlines()] for version in versions)
    before, after = (lines(version.name) if version.file != NOTHING else NOTHING for version in versions)
    styles = {"+": "added", "-": "removed", "@": "changed"}
    for line in difflib.unified_diff(old, new, before, after):
        yield paint()(lines(line.removesuffix("\n")), styles.get(line[0], "")) + "\n"
