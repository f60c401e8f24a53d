"""Reading specs from disk: bounded, within the project, and with ``extends`` and ``use`` followed."""

from __future__ import annotations

import stat
from pathlib import Path

from cnndsl.diagnostics import Code, Diagnostic, Note, shorten
from cnndsl.source import Source, Span
from cnndsl.spec.merge import merged, with_entry, without
from cnndsl.spec.tree import MAX_FILE, Listing, Mapping, Scalar, Tree, Unreadable, read

#: What marks the folder that a spec's ``extends`` and ``use`` may not leave.
PROJECT_MARKS = (".git", "pyproject.toml")


class FileFault(Unreadable):
    """A file that cannot be read at all, which is not the spec's fault."""


def read_text(path: Path, span: Span | None = None) -> Source:
    """The text of a spec, without a byte order mark. Raises :class:`FileFault`."""

    def fault(reason: str, code: Code = Code.FILE, help: str = "") -> Unreadable:
        kind = Unreadable if span else FileFault
        return kind(Diagnostic(code, f"{shorten(str(path))} {reason}", span, help))

    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise fault("is a folder" if path.is_dir() else "is no regular file")
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except FileNotFoundError:
        raise fault("does not exist") from None
    except (OSError, ValueError) as error:
        raise fault(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > MAX_FILE:
        raise fault(f"is larger than {MAX_FILE // 1024} KiB", Code.LIMIT)
    try:
        return Source(str(path), data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise fault(f"is not UTF-8: byte 0x{data[error.start]:02X} at offset {error.start}", Code.ENCODING) from None


def project_root(folder: Path) -> Path:
    """The nearest folder, from ``folder`` up, that holds a project; else ``folder`` itself."""
    folder = folder.resolve()
    for candidate in (folder, *folder.parents):
        if any((candidate / mark).exists() for mark in PROJECT_MARKS):
            return candidate
    return folder


class Assembly:
    """The tree of a spec with all that it extends and uses in it. ``faults`` are reported with it."""

    def __init__(self, folder: Path) -> None:
        self.root = project_root(folder)
        self.faults: list[Diagnostic] = []

    def assemble(self, source: Source, folder: Path, chain: tuple[Path, ...] = ()) -> Tree:
        tree, faults = read(source)
        self.faults += faults
        if not isinstance(tree, Mapping):
            return tree
        used = self._used(tree, folder, chain)
        own = without(tree, "extends", "use")
        for block, value in used:
            blocks = own.get("blocks") or Mapping((), block.span)
            if not isinstance(blocks, Mapping):
                break
            twin = next((k for k in blocks.keys.values() if _defines(k) == _defines(block)), None)
            if twin is not None:
                message = f"`use` brings in a block `{shorten(_defines(block))}` that is defined already"
                self.faults.append(Diagnostic(Code.DUPLICATE, message, twin.span, "", (Note("the other one", block.span),)))
                continue
            own = with_entry(own, "blocks", Scalar("blocks", block.span), with_entry(blocks, str(block.value), block, value))
        extends = tree.get("extends")
        if not isinstance(extends, Scalar) or not isinstance(extends.value, str):
            return own if extends is None else with_entry(own, "extends", tree.keys["extends"], extends)
        base = self._follow(extends, folder, chain)
        return own if base is None else merged(_without_name(base), own)

    def _used(self, tree: Mapping, folder: Path, chain: tuple[Path, ...]) -> list[tuple[Scalar, Tree]]:
        use = tree.get("use")
        paths = use.items if isinstance(use, Listing) else (use,)
        blocks: list[tuple[Scalar, Tree]] = []
        for path in paths:
            if isinstance(path, Scalar) and isinstance(path.value, str):
                other = self._follow(path, folder, chain)
                found = other.get("blocks") if isinstance(other, Mapping) else None
                blocks += found.entries if isinstance(found, Mapping) else ()
        return blocks

    def _follow(self, written: Scalar, folder: Path, chain: tuple[Path, ...]) -> Tree | None:
        """The tree of the file that ``written`` names, None where there is a fault."""
        text = str(written.value)
        path = folder / text
        if Path(text).is_absolute() or "://" in text or not path.resolve().is_relative_to(self.root):
            message = f"`{shorten(text)}` is outside of the project"
            help = f"a path relative to this file, within {self.root.name or 'the project'}"
            self.faults.append(Diagnostic(Code.PATH, message, written.span, help))
            return None
        target = path.resolve()
        if target in chain:
            ring = " → ".join(file.name for file in (*chain[chain.index(target) :], target))
            self.faults.append(Diagnostic(Code.CYCLE, f"specs in a ring: {ring}", written.span))
            return None
        try:
            return self.assemble(read_text(path, written.span), path.parent, (*chain, target))
        except Unreadable as unreadable:
            self.faults.append(unreadable.diagnostic)
            return None


def _defines(key: Scalar) -> str:
    return str(key.value).partition("(")[0]


def _without_name(tree: Tree) -> Tree:
    """A spec inherits everything but the name."""
    return without(tree, "name") if isinstance(tree, Mapping) else tree
