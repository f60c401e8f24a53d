"""What a page may read and write: the specs of one project, and those of the zoo to read."""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from itertools import islice
from pathlib import Path, PurePath, PurePosixPath

from msgspec.structs import replace

from cnndsl.diagnostics import did_you_mean, shorten, unreadable
from cnndsl.editing.buffers import Buffers
from cnndsl.limits import LIMITS, Limits
from cnndsl.record import Record
from cnndsl.serve.messages import Refusal, Refused
from cnndsl.serve.portable import portable
from cnndsl.spec.files import not_in_zoo, project_root
from cnndsl.spec.folder import ENDINGS, looks_like_spec, specs_in
from cnndsl.spec.starter import starter
from cnndsl.writing import read_file, write_file
from cnndsl.zoo import FOLDER, PREFIX, find, is_of_zoo, name_of, specs

#: A text that is not saved is compiled as if it had this name in the project's folder.
UNTITLED = "untitled.yaml"
#: The most specs of a project that are listed.
LISTED = 500
_LINE_END = re.compile(r"\r\n|\r|\n")


class Denied(Exception):
    """A page asked for what it does not get. ``digest`` is that of what is in the file, for a conflict."""

    def __init__(self, code: Refusal, message: str, help: str = "", digest: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.help, self.digest = code, message, help, digest

    def told(self, about: str, id: int = 0) -> Refused:
        """The answer to a message of the type ``about``."""
        return Refused(about, self.code, self.message, self.help, id, self.digest)


class Stored(Record, frozen=True):
    """A spec on the disk: its text with ``\\n`` for line ends, and what the file has for these and before the text. A
    new text has the digest ""."""

    text: str = ""
    digest: str = ""
    newline: str = "\n"
    mark: bytes = b""

    @classmethod
    def of(cls, data: bytes) -> Stored:
        """Raises UnicodeDecodeError."""
        mark = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
        text = data.removeprefix(mark).decode()
        end = _LINE_END.search(text)
        return cls(_LINE_END.sub("\n", text), digest_of(data), end[0] if end else "\n", mark)

    def data(self, text: str) -> bytes:
        """Another text as the file would have it. Raises UnicodeEncodeError."""
        return self.mark + text.replace("\n", self.newline).encode()


def _may_become_spec(text: str) -> bool:
    return looks_like_spec(text) or not text.strip()


def is_utf_8(name: str) -> bool:
    """Whether a page can name a file."""
    try:
        return bool(name.encode())
    except UnicodeEncodeError:
        return False


def digest_of(data: bytes) -> str:
    return sha256(data).hexdigest()


class Project:
    """The folder that a page works in. ``named`` is the spec that the server was started with, wherever it is."""

    def __init__(self, folder: Path, named: Path | None = None, limits: Limits = LIMITS) -> None:
        self.root = project_root(named.parent if named else folder)
        self.named = named.parent.resolve() / named.name if named else None
        self.limits = limits

    # --- names -----------------------------------------------------------------------------------

    def spec_of(self, path: Path) -> str:
        """The name of a spec at an absolute path."""
        if path.is_relative_to(self.root):
            return path.relative_to(self.root).as_posix()
        return name_of(path) or path.name

    def path_of(self, spec: str) -> Path:
        """The absolute path of a spec, not resolved. Raises :class:`Denied`."""
        if spec == "":
            return self.root / UNTITLED
        if is_of_zoo(spec):
            if found := find(spec):
                return found
            fault = not_in_zoo(spec)
            raise Denied("missing", fault.message, fault.help)
        if self.named and spec == self.spec_of(self.named):
            return self.named
        return self._inside(spec)

    def _inside(self, spec: str) -> Path:
        path = PurePosixPath(spec)
        if "\0" in spec or path.is_absolute() or PurePath(spec).anchor or ".." in path.parts:
            raise self._outside(spec)
        if path.suffix not in ENDINGS:
            raise Denied("outside", "the name of a spec ends in .yaml or .yml", f"`{shorten(spec)}.yaml`")
        if any(part.startswith(".") for part in path.parts):
            raise Denied("outside", f"{shorten(spec)} is hidden", "use a name that does not begin with a dot")
        target = self.root / path
        if not self.allows(target):
            raise self._outside(spec)
        return target

    def _outside(self, spec: str) -> Denied:
        help = f"use a path within the folder `{self.root.name or self.root}`, without hidden folders"
        return Denied("outside", f"{shorten(spec)} is outside the project", help)

    def allows(self, path: Path) -> bool:
        """Whether the file behind a path, with links followed, may be read: a spec of the project or of the zoo."""
        try:
            target = path.resolve()
            if self.named and target == self.named.resolve():
                return True
        except (OSError, RuntimeError, ValueError):  # a cycle of links, a NUL
            return False
        if target.suffix not in ENDINGS:
            return False
        if target.is_relative_to(self.root):
            return not any(part.startswith(".") for part in target.relative_to(self.root).parts)
        return target.is_relative_to(FOLDER.resolve())

    def listed(self) -> tuple[tuple[str, ...], bool]:
        """The specs of the project, and whether these are all."""
        names = (self.spec_of(path) for path in specs_in(self.root, ENDINGS, _may_become_spec) if self.allows(path))
        found = [*islice(filter(is_utf_8, names), LISTED + 1)]
        return tuple(found[:LISTED]), len(found) <= LISTED

    # --- files -----------------------------------------------------------------------------------

    def read(self, spec: str) -> Stored:
        """A spec on the disk. Raises :class:`Denied`."""
        if spec == "":
            return Stored(starter(PurePath(UNTITLED).stem))
        data = self._data(self.path_of(spec), spec)
        if data is None:
            names = [*self.listed()[0], *(f"{PREFIX}{name}" for name in specs())]
            raise Denied("missing", f"{shorten(spec)} does not exist", did_you_mean(spec, names))
        try:
            stored = Stored.of(data)
            return replace(stored, text=portable(stored.text, self.path_of(spec))) if is_of_zoo(spec) else stored
        except UnicodeDecodeError:
            raise Denied("unreadable", f"{shorten(spec)} is not UTF-8", "save it as UTF-8") from None

    def _data(self, path: Path, spec: str) -> bytes | None:
        """The bytes of a file, None if there is none. Raises :class:`Denied`."""
        try:
            data = read_file(path.resolve(), self.limits.file + 1)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise Denied("unreadable", f"{shorten(spec)} {unreadable(error)}") from None
        self.check_size(len(data), spec)
        return data

    def check_size(self, size: int, spec: str) -> None:
        """Raises :class:`Denied` for a text of more bytes than a spec may have."""
        if size > self.limits.file:
            what = shorten(spec) or "the text"
            raise Denied("too_large", f"{what} is larger than {self.limits.file // 1024} KiB")

    def write(self, spec: str, text: str, base: str) -> Stored:
        """Writes a spec whole, if the file has the digest ``base``, or is not there and ``base`` is "". The file keeps
        the line ends that it has. Raises :class:`Denied`."""
        if spec == "" or is_of_zoo(spec):
            help = "save it in the project: a name such as `mine.yaml`"
            raise Denied("outside", "the zoo cannot be changed" if spec else "the text has no name yet", help)
        path = self.path_of(spec)
        data = self._data(path, spec)
        there = digest_of(data) if data is not None else ""
        if there != base:
            raise Denied("conflict", self._conflict(spec, base, there), digest=there)
        if not path.parent.is_dir():
            folder = PurePosixPath(spec).parent
            raise Denied(
                "unwritable", f"there is no folder {shorten(str(folder))}", f"make it first: `mkdir -p {folder}`"
            )
        try:
            written = Stored.of(data or b"").data(text)
            self.check_size(len(written), spec)
            _replace(path.resolve(), written)
        except UnicodeError:
            raise Denied("unwritable", "the text cannot be written as UTF-8") from None
        except OSError as error:
            raise Denied("unwritable", f"{shorten(spec)} cannot be written: {error.strerror}") from None
        return Stored.of(written)

    def _conflict(self, spec: str, base: str, there: str) -> str:
        if not there:
            return f"{shorten(spec)} does not exist any more"
        return f"{shorten(spec)} was changed by another program" if base else f"{shorten(spec)} already exists"


def _replace(path: Path, data: bytes) -> None:
    """Writes a file, which keeps its permissions. Raises OSError."""
    mode = path.stat().st_mode if path.exists() else None
    write_file(path, data)
    if mode is not None:
        path.chmod(mode & 0o7777)


class Shelf(Buffers):
    """The files that a compile of a page's text reads: its text, the specs of the project, and the zoo. ``asked`` are
    the digests of those on the disk that were asked for, "" if one cannot be read."""

    def __init__(self, texts: Mapping[Path, str], project: Project) -> None:
        super().__init__({path.resolve(): text for path, text in texts.items()})
        self.project = project
        self.asked: dict[Path, str] = {}

    def but(self, texts: Mapping[Path, str]) -> Shelf:
        shelf = Shelf({**self.texts, **texts}, self.project)
        shelf.asked = self.asked
        return shelf

    def read(self, path: Path, at_most: int, pipes: bool) -> bytes:
        if path.resolve() in self.texts:
            return super().read(path, at_most, pipes)
        self.asked[path] = ""
        if not self.project.allows(path):
            raise PermissionError(errno.EACCES, "it is not a spec of the project", str(path))
        data = super().read(path, at_most, False)
        self.asked[path] = digest_of(data)
        return data

    def is_current(self) -> bool:
        """Whether the files on the disk are still what they were."""
        then = dict(self.asked)
        for path in then:
            with suppress(OSError, ValueError):
                self.read(path, self.project.limits.file + 4, False)
        return self.asked == then
