"""The specs in a folder, among other files."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from cnndsl.limits import LIMITS
from cnndsl.writing import read_file

#: What a folder holds that is a run: its spec is a record of what was trained.
RUN = "run.json"
_SPEC = re.compile(r"^(input|network|extends)[ \t]*:", re.MULTILINE)


def looks_like_spec(text: str) -> bool:
    """Whether a YAML file is meant as a spec."""
    return bool(_SPEC.search(text))


def specs_in(
    folder: Path, endings: tuple[str, ...] = (".yaml",), is_spec: Callable[[str], bool] = looks_like_spec
) -> Iterator[Path]:
    """The specs in a folder and those below it: ``is_spec`` tells by their texts. Hidden folders belong to other tools,
    and a run's spec is its record. Links to folders are not followed."""
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if RUN not in files:
            paths = (Path(here, name) for name in sorted(files) if name.endswith(endings) and not name.startswith("."))
            yield from (path for path in paths if _is(path, is_spec))


def _is(path: Path, is_spec: Callable[[str], bool]) -> bool:
    """Whether a file is a spec. One that cannot be read counts, so that its error is reported later."""
    try:
        return path.is_file() and is_spec(read_file(path, LIMITS.file).decode("utf-8-sig", "replace"))
    except OSError:
        return True
