"""Reads specs from disk: bounded, within the project, and following ``extends`` and ``use``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from cnndsl.diagnostics import SHOWN, Code, Diagnostic, Note, did_you_mean, shorten, unreadable
from cnndsl.limits import LIMITS, Limits, how_to_raise
from cnndsl.printable import one_line
from cnndsl.source import Source, Span
from cnndsl.spec.merge import cleared, defined_name, merged, with_entry, without
from cnndsl.spec.repair import respelt
from cnndsl.spec.schema import document
from cnndsl.spec.tree import Listing, Mapping, Scalar, Tree, Unreadable, measure, read
from cnndsl.writing import read_file
from cnndsl.zoo import FOLDER, PREFIX, called, find, is_of_zoo, specs

#: The files that mark the folder that ``extends`` and ``use`` may not leave.
PROJECT_MARKS = (".git", "pyproject.toml")
#: The keys that a spec does not inherit. A contract describes one network.
_OWN = ("name", "extends", "use", "expect")
#: The longest chain of files by `extends` and `use`.
MAX_CHAIN = 100


class FileFault(Unreadable):
    """There is no file to read, which is not a fault of the spec."""


class Files:
    """The files on the disk. Subclasses read specs from elsewhere, such as a revision of git."""

    def read(self, path: Path, at_most: int, pipes: bool) -> bytes:
        """See :func:`cnndsl.writing.read_file`. Raises OSError or ValueError."""
        return read_file(path, at_most, pipes=pipes)

    def shown(self, path: Path) -> str:
        """The name of a file in diagnostics."""
        return str(path)


DISK = Files()


def read_text(path: Path, span: Span | None = None, limits: Limits = LIMITS, files: Files = DISK) -> Source:
    """The text of a spec, without a byte order mark. ``span`` is the place of the path in a spec, which may come
    from anybody and may name only regular files.

    Raises :class:`FileFault` if there is no such file and no span, otherwise :class:`Unreadable`.
    """
    shown = files.shown(path)
    name = _short(shown)
    try:
        data = files.read(path, limits.file + 4, span is None)
    except (OSError, ValueError) as error:
        help = "`/dev/stdin` reads stdin" if name == "-" and span is None else ""
        fault = Diagnostic(Code.FILE, f"{name} {unreadable(error)}", span, help)
        raise (Unreadable if span else FileFault)(fault) from None
    if len(data) > limits.file:
        message = f"{name} is larger than {limits.file // 1024} KiB"
        raise Unreadable(Diagnostic(Code.LIMIT, message, span or Span(Source(shown, ""), 0, 0), how_to_raise("file")))
    try:
        return Source(shown, data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        message = f"the text is not UTF-8: byte 0x{data[error.start]:02X} at offset {error.start}"
        source = Source(shown, data.decode("utf-8", "replace"))
        start = len(data[: error.start].decode("utf-8"))
        help = "save it as UTF-8"
        raise Unreadable(Diagnostic(Code.ENCODING, message, Span(source, start, start + 1), help)) from None


def _short(path: str) -> str:
    """A path as a message shows it: of a long one the end, which has the file's name."""
    return shorten(path) if len(path) <= SHOWN else f"…{one_line(path[1 - SHOWN :])}"


def named_files(tree: Tree | None) -> Iterator[tuple[str, Scalar]]:
    """The names of other files in a spec, each with its key, ``extends`` or ``use``."""
    for key in ("extends", "use"):
        written = tree.get(key) if isinstance(tree, Mapping) else None
        for one in written.items if isinstance(written, Listing) else (written,):
            if isinstance(one, Scalar):
                yield key, one


def project_root(folder: Path) -> Path:
    """The nearest folder, from ``folder`` up, that contains a project, or else ``folder`` itself."""
    folder = folder.resolve()
    for candidate in (folder, *folder.parents):
        if any(os.path.lexists(candidate / mark) for mark in PROJECT_MARKS):
            return candidate
    return folder


def not_in_zoo(text: str, span: Span | None = None) -> Diagnostic:
    """The fault that there is no such ``zoo:NAME``."""
    name = shorten(text.removeprefix(PREFIX))
    if several := called(name):
        help = f"write {' or '.join(f'`{PREFIX}{listed}`' for listed in several)}"
        return Diagnostic(Code.FILE, f"the zoo has {len(several)} specs called `{name}`", span, help)
    names = dict.fromkeys((*specs(), *(path.stem for path in specs().values())))
    help = did_you_mean(name, names) or "`cnndsl zoo` lists the specs"
    return Diagnostic(Code.FILE, f"there is no spec `{name}` in the zoo", span, help)


class Assembly:
    """The tree of a spec, including everything that it extends and uses.

    ``faults`` are reported with it. ``missing`` contains ``extends`` or ``use`` if one of them could
    not be followed, so an undefined name may come from there.
    """

    def __init__(self, folder: Path, limits: Limits = LIMITS, files: Files = DISK) -> None:
        self.folder = folder
        self.place = files
        self.limits = limits
        self.faults: list[Diagnostic] = []
        self.missing: set[str] = set()
        self.files = self.characters = self.nodes = 0
        self.done: dict[Path, Tree] = {}
        self.stopped = False

    @cached_property
    def root(self) -> Path:
        return project_root(self.folder)

    def assemble(self, source: Source, folder: Path, chain: tuple[Path, ...] = ()) -> Tree:
        """``chain`` holds the files that led here, this one last. Raises :class:`Unreadable`."""
        tree, faults = read(source, self.limits)
        self.faults += faults
        self._spend(source, tree)
        if not isinstance(tree, Mapping):
            return tree
        meant = respelt(tree, document()["properties"])  # so that a misspelt `extends` does not lose its contents
        tree = self._with_used(tree, meant.get("use"), folder, chain)
        extends = meant.get("extends")
        if not isinstance(extends, Scalar) or not isinstance(extends.value, str):
            return tree
        base = self._follow(extends, "extends", folder, chain)
        return tree if base is None else cleared(merged(without(base, *_OWN), tree))

    def _spend(self, source: Source, tree: Tree) -> None:
        """Counts what is read; the limits apply to all files together."""
        self.characters += len(source.text)
        if self.characters > self.limits.file:
            message = f"more than {self.limits.file // 1024} KiB, with everything that it extends and uses"
            self._stop(message, tree.span.first_line, "file")
        self._spend_nodes(measure(tree, self.limits.nodes)[0], tree.span)

    def _spend_nodes(self, count: int, span: Span) -> None:
        self.nodes += count
        if self.nodes > self.limits.nodes:
            message = f"more than {self.limits.nodes} YAML nodes, with everything that it extends and uses"
            self._stop(message, span.first_line, "nodes")

    def _spend_file(self, written: Scalar, depth: int) -> None:
        self.files += 1
        if depth > MAX_CHAIN:
            self._stop(f"more than {MAX_CHAIN} files that extend or use each other in a chain", written.span)
        if self.files > self.limits.files:
            self._stop(f"more than {self.limits.files} files that a spec extends and uses", written.span, "files")

    def _stop(self, message: str, span: Span, limit: str = "") -> None:
        """A limit is exceeded: no more files are read."""
        self.stopped = True
        raise Unreadable(Diagnostic(Code.LIMIT, message, span, how_to_raise(limit)))

    def _with_used(self, tree: Mapping, use: Tree | None, folder: Path, chain: tuple[Path, ...]) -> Mapping:
        """The tree with the blocks of the specs that it uses. Two definitions of a name are a fault, but the same block
        may be imported twice."""
        blocks = tree.get("blocks") or Mapping((), tree.span)
        if use is None or not isinstance(blocks, Mapping):
            return tree
        entries = list(blocks.entries)
        defined = {defined_name(key): key for key, _ in reversed(entries)}
        for path in use.items if isinstance(use, Listing) else (use,):
            if not isinstance(path, Scalar) or not isinstance(path.value, str):
                continue
            other = self._follow(path, "use", folder, chain)
            found = other and other.get("blocks")
            if other and not (isinstance(found, Mapping) and found.entries):
                message = f"{shorten(path.value)} has no blocks to import"
                self.faults.append(Diagnostic(Code.UNUSED, message, path.span))
            if not isinstance(found, Mapping):
                continue
            self._spend_nodes(len(found.entries), path.span)
            for key, value in found.entries:
                if (twin := defined.get(name := defined_name(key))) is None:
                    defined[name] = key
                    entries.append((key, value))
                elif twin.span != key.span:
                    message = f"`use` imports the block `{shorten(name)}`, which is already defined"
                    notes = (Note("one is here", twin.span), Note("the other is here", key.span))
                    self.faults.append(Diagnostic(Code.DUPLICATE, message, path.span, "rename one of the two", notes))
        key = tree.keys.get("blocks") or Scalar("blocks", use.span)
        return with_entry(tree, key, Mapping(tuple(entries), blocks.span)) if entries else tree

    def _follow(self, written: Scalar, key: str, folder: Path, chain: tuple[Path, ...]) -> Mapping | None:
        """The tree of the file that ``written`` names, None if there is a fault."""
        tree: Tree | None = None
        if self.stopped:
            self.missing.add(key)
            return None
        try:
            target = self._target(folder, str(written.value))
            if target is None and is_of_zoo(str(written.value)):
                self.faults.append(not_in_zoo(str(written.value), written.span))
            elif target is None:
                message = f"`{shorten(str(written.value))}` is outside the project"
                help = f"use a path relative to this file, within the folder `{self.root.name or self.root}`"
                self.faults.append(Diagnostic(Code.PATH, message, written.span, help))
            elif target in chain:
                ring = " → ".join(file.name for file in (*chain[chain.index(target) :], target))
                self.faults.append(Diagnostic(Code.CYCLE, f"specs in a cycle: {ring}", written.span))
            elif target in self.done:
                tree = self.done[target]
            else:
                self._spend_file(written, len(chain))
                path = target if is_of_zoo(str(written.value)) else folder / str(written.value)
                tree = self.done[target] = self.assemble(
                    read_text(path, written.span, self.limits, self.place), path.parent, (*chain, target)
                )
                if not isinstance(tree, Mapping):
                    message = f"{shorten(self.place.shown(path))} is not a spec: a spec is a mapping"
                    self.faults.append(Diagnostic(Code.TYPE, message, tree.span.first_line))
        except Unreadable as unreadable:
            self.faults += unreadable.diagnostics
        if not isinstance(tree, Mapping):
            self.missing.add(key)
            return None
        return tree

    def _target(self, folder: Path, text: str) -> Path | None:
        """The file of a path, with links followed; None if it is outside the project."""
        if is_of_zoo(text):
            found = find(text)
            return found and found.resolve()
        if Path(text).is_absolute() or "://" in text:
            return None
        try:
            target = (folder / text).resolve()
        except (OSError, RuntimeError, ValueError):  # a cycle of links, a NUL
            return None
        return target if target.is_relative_to(self.root) or target.is_relative_to(FOLDER.resolve()) else None
