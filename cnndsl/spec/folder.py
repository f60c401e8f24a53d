"""The specs in a folder, among other files."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from cnndsl.limits import LIMITS
from cnndsl.writing import read_file

#: The endings of specs' names.
ENDINGS = (".yaml", ".yml")
#: What a folder holds that is a run: its spec is a record of what was trained.
RUN = "run.json"
_SPEC = re.compile(r"^(input|network|extends)[ \t]*:", re.MULTILINE)


def looks_like_spec(text: str) -> bool:
    """Whether a YAML file is meant as a spec."""
    return bool(_SPEC.search(text))


def specs_in(
    folder: Path, endings: tuple[str, ...] = (".yaml",), is_spec: Callable[[str], bool] = looks_like_spec
) -> Iterator[Path]:
    """The specs in a folder and those below it: ``is_spec`` tells by their texts."""
    return (path for path in yaml_in(folder, endings) if _is(path, is_spec))


def yaml_in(folder: Path, endings: tuple[str, ...] = ENDINGS, skipped: Collection[str] = ()) -> Iterator[Path]:
    """The YAML files in a folder and those below it, without folders of the names that are ``skipped``. Hidden files
    and folders belong to other tools, and a run's spec is its record. Links to folders are not followed."""
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in skipped)
        if RUN not in files:
            yield from (Path(here, name) for name in sorted(files) if _is_named(name, endings))


def _is_named(name: str, endings: tuple[str, ...]) -> bool:
    return name.endswith(endings) and not name.startswith(".")


def _is(path: Path, is_spec: Callable[[str], bool]) -> bool:
    """Whether a file is a spec. One that cannot be read counts, so that its error is reported later."""
    try:
        return path.is_file() and is_spec(read_file(path, LIMITS.file).decode("utf-8-sig", "replace"))
    except OSError:
        return True
