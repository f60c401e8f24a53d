"""Specs at a revision of git, read from its objects: neither the work tree nor the index is touched."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from cnndsl.diagnostics import Code, RunError, did_you_mean, shorten
from cnndsl.spec.files import DISK, Files

#: How many commits are searched for a file.
HISTORY = 1000


class Repository:
    """The repository of git around a folder. Raises :class:`RunError` if there is none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder if folder.is_dir() else Path()
        found, error = self.ask("rev-parse", "--show-toplevel")
        if error:
            help = "to compare two files, leave out the `--`: `cnndsl diff A.yaml B.yaml`"
            _refuse(f"git finds no work tree at {self.folder.absolute()}: {error}", help)
        self.root = Path(os.fsdecode(found.removesuffix(b"\n")))

    def ask(self, *arguments: str, given: bytes = b"") -> tuple[bytes, str]:
        """What a command of git prints, and its error in one line, "" if there is none."""
        import subprocess

        environment = {**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
        try:
            done = subprocess.run(
                ["git", *arguments], cwd=self.folder, input=given, capture_output=True, env=environment, check=False
            )
        except FileNotFoundError:
            _refuse("git is not installed, or not in PATH", "a revision is read by `git`")
        except OSError as error:
            _refuse(f"git cannot be run: {error.strerror}", "a revision is read by `git`")
        lines = done.stderr.decode(errors="replace").strip().split("\n")
        return done.stdout, (lines[0].removeprefix("fatal: ") or "it failed") if done.returncode else ""

    def revision(self, name: str) -> Revision:
        """The revision of a name, such as ``HEAD~1``, a branch or a tag. Raises :class:`RunError` if there is none."""
        found, error = self.ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{tree}}")
        if error:
            known, _ = self.ask("for-each-ref", "--count=1000", "--format=%(refname:short)")
            help = did_you_mean(name, known.decode(errors="replace").split()) or "`git log --oneline` lists revisions"
            _refuse(f"git knows no revision `{shorten(name)}`", help)
        return Revision(self, name, found.decode().strip())

    def holding(self, path: str, blob: str) -> Revision | None:
        """A revision at which the file at ``path``, from the root, is ``blob``: ``HEAD``, or else the last one in its
        history. None if none is found."""
        head, _ = self.ask("rev-parse", "--verify", "--quiet", f"HEAD:./{path}")
        if head.decode().strip() == blob:
            return self.revision("HEAD")
        log, _ = self.ask("log", f"-{HISTORY}", "--format=%H", "--raw", "--no-abbrev", "--no-renames", "--", path)
        commit = ""
        for line in log.decode(errors="replace").splitlines():
            if not line.startswith(":"):
                commit = line or commit
                continue
            before, after = line.split(" ")[2:4]
            if blob in (before, after):
                return self.revision(f"{commit}^" if blob == before else commit)
        return None


class Revision(Files):
    """The files of a revision. Those outside of the repository, as the specs of the zoo are, are read from the disk."""

    def __init__(self, repository: Repository, name: str, tree: str) -> None:
        self.repository, self.name, self.tree = repository, name, tree

    def read(self, path: Path, at_most: int, pipes: bool) -> bytes:
        inside = self._inside(path)
        if inside is None:
            return DISK.read(path, at_most, pipes)
        if "\n" in inside:
            raise OSError(errno.EINVAL, "git cannot be asked for a name with a line break", inside)
        request = os.fsencode(f"{self.tree}:{inside}\n")
        answer, error = self.repository.ask("cat-file", "--batch-check", "--follow-symlinks", given=request)
        number, _, rest = answer.decode(errors="replace").strip().partition(" ")
        kind, _, size = rest.partition(" ")
        if kind != "blob":
            _fail(error or ("it is a folder" if kind == "tree" else ""), inside)
        if int(size) > at_most:  # its size is refused, whatever it contains
            return bytes(at_most)
        return self.repository.ask("cat-file", "blob", number)[0]

    def shown(self, path: Path) -> str:
        inside = self._inside(path)
        return str(path) if inside is None else f"{self.name}:{inside}"

    def _inside(self, path: Path) -> str | None:
        """The path in the repository, None if it is outside."""
        real = Path(os.path.realpath(path.parent)) / path.name
        return real.relative_to(self.repository.root).as_posix() if real.is_relative_to(self.repository.root) else None


class Replaced(Files):
    """Other ``files``, except that the one at ``path`` is read from ``copy``."""

    def __init__(self, files: Files, path: Path, copy: Path, name: str) -> None:
        self.files, self.path, self.copy, self.name = files, path, copy, name

    def read(self, path: Path, at_most: int, pipes: bool) -> bytes:
        return DISK.read(self.copy, at_most, pipes) if path == self.path else self.files.read(path, at_most, pipes)

    def shown(self, path: Path) -> str:
        return self.name if path == self.path else self.files.shown(path)


def revisions(names: Sequence[str]) -> tuple[str, str | None]:
    """The two revisions that arguments as those of ``git diff`` name, None for the work tree: none is ``HEAD``, and
    ``A..B`` is two. Raises ValueError for more."""
    if len(names) == 1 and ".." in names[0] and "..." not in names[0]:
        before, _, after = names[0].partition("..")
        return before or "HEAD", after or "HEAD"
    if len(names) > 2:
        raise ValueError(f"two revisions at most can be compared, got {len(names)}")
    first, *others = names or ("HEAD",)
    return first, others[0] if others else None


def _fail(reason: str, path: str) -> NoReturn:
    if reason:
        raise OSError(errno.EINVAL, reason, path)
    raise FileNotFoundError(errno.ENOENT, "it is not in this revision", path)


def _refuse(message: str, help: str) -> NoReturn:
    raise RunError(Code.FILE, message, help)
