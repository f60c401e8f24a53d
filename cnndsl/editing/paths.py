"""The specs that ``extends`` and ``use`` may name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from cnndsl.editing.analysis import Analysis
from cnndsl.editing.context import Context
from cnndsl.editing.offers import Offer
from cnndsl.source import Span
from cnndsl.spec.files import project_root, read_text
from cnndsl.spec.folder import ENDINGS
from cnndsl.spec.tree import Mapping, Scalar, Unreadable, read
from cnndsl.zoo import PREFIX, family, find, is_of_zoo, specs

#: The most entries of a folder that are looked at.
_MOST = 1000


def paths(analysis: Analysis, at: Context) -> Iterator[Offer]:
    """The specs in the folder that is typed so far, its folders, and those of the zoo."""
    yield from (Offer(f"{PREFIX}{name}", "file", family(name), rank=1) for name in specs())
    written = at.before + at.begun
    above = written[: written.rfind("/") + 1]
    folder = (analysis.path.parent / above).resolve()
    if written.startswith(PREFIX) or Path(above).is_absolute() or not folder.is_relative_to(_root(analysis)):
        return
    for name, is_folder in _entries(folder):
        if is_folder:
            yield Offer(f"{above}{name}/", "file", "folder", rank=2)
        elif name.endswith(ENDINGS) and folder / name != analysis.path.resolve():
            yield Offer(f"{above}{name}", "file", "spec")


def described(analysis: Analysis, written: str) -> str:
    """The file that ``extends`` or ``use`` names, with its description."""
    path = find(written) if is_of_zoo(written) else (analysis.path.parent / written).resolve()
    if path is None or not (is_of_zoo(written) or path.is_relative_to(_root(analysis))):
        return ""
    with suppress(Unreadable):
        tree, _ = read(read_text(path, Span(analysis.source, 0, 0), files=analysis.files))
        description = tree.get("description") if isinstance(tree, Mapping) else None
        return f"`{path}`" + (f"\n\n{description.value}" if isinstance(description, Scalar) else "")
    return ""


def _root(analysis: Analysis) -> Path:
    return project_root(analysis.path.parent)


def _entries(folder: Path) -> Iterator[tuple[str, bool]]:
    """The names in a folder, without hidden ones, and which are folders; none if it cannot be read."""
    with suppress(OSError), os.scandir(folder) as entries:
        for _, entry in zip(range(_MOST), entries):
            if not entry.name.startswith("."):
                yield entry.name, entry.is_dir()
