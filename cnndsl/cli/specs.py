"""Which specs are meant by the SPECs of a command line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from cnndsl.cli.common import fail
from cnndsl.limits import LIMITS

_SPEC = re.compile(r"^(input|network|extends)[ \t]*:", re.MULTILINE)


def spec_paths(names: Sequence[str]) -> list[str]:
    """The names as they are, but for a folder the specs in it. Ends the program where a folder has none."""
    return [path for name in names for path in (_inside(name) if Path(name).is_dir() else [name])]


def _inside(folder: str) -> list[str]:
    found = [str(path) for path in sorted(Path(folder).rglob("*.yaml")) if _is_spec(path, Path(folder))]
    if not found:
        fail(
            f"there are no specs in the folder {folder}", "a spec is a .yaml file with `input`, `network` or `extends`"
        )
    return found


def _is_spec(path: Path, folder: Path) -> bool:
    """Whether a file looks like a spec; one that cannot be read may be, and its fault is told later. Hidden folders
    hold what other tools keep."""
    if any(part.startswith(".") for part in path.relative_to(folder).parts) or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return bool(_SPEC.search(file.read(LIMITS.file).decode("utf-8-sig", "replace")))
    except OSError:
        return True
