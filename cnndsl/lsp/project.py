"""The other specs of a project, which a renaming must not forget."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from cnndsl.editing.analysis import Analysis, Buffers
from cnndsl.limits import LIMITS
from cnndsl.lsp.recognition import is_spec
from cnndsl.lsp.texts import Texts
from cnndsl.lsp.workbench import Analysed, analysed
from cnndsl.spec.files import project_root
from cnndsl.spec.folder import yaml_in

#: The most YAML files of a project that are looked at.
MOST = 5000
_FOLLOWS = re.compile(r"^(extends|use)[ \t]*:", re.MULTILINE)
#: Folders of other tools with many files.
_FOREIGN = {"node_modules", "venv", "site-packages", "__pycache__"}


def related(spec: Analysed, texts: Texts) -> Iterator[Analysis]:
    """The other specs of the project that are made of a file of this one: what uses it, or uses the same."""
    own, files = spec.analysis.path, spec.seen.keys()
    names = {file.name for file in files}
    for path in _specs(project_root(own.parent), texts):
        if path == own.resolve():
            continue
        text = _text(path, texts)
        follows = _FOLLOWS.search(text) is not None and any(name in text for name in names)
        if is_spec(text, "yaml") and (follows or path in files):
            other = analysed(path, texts)
            if not files.isdisjoint(other.seen):
                yield other.analysis


def user(library: Analysed, texts: Texts) -> Path | None:
    """A spec of the project that is made of a file of blocks and has a network, if there is one."""
    found = (other for other in related(library, texts) if other.alive.partial is not None)
    return next((other.path.resolve() for other in found), None)


def _specs(root: Path, texts: Texts) -> Iterator[Path]:
    """The open YAML files below a folder, which may not be on the disk, and the others there."""
    opened = [path for path in texts if path.is_relative_to(root)]
    found = (path.resolve() for path in yaml_in(root, skipped=_FOREIGN))
    yield from islice(dict.fromkeys([*opened, *islice(found, MOST)]), MOST)


def _text(path: Path, texts: Texts) -> str:
    if path in texts:
        return texts[path].source.text
    try:
        return Buffers({}).read(path, LIMITS.file, False).decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""
