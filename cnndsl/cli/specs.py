"""The specs that the SPECs of a command line name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from cnndsl.cli.common import fail
from cnndsl.limits import LIMITS
from cnndsl.writing import read_file

#: What a folder holds that is a run: its spec is a record of what was trained.
RUN = "run.json"
_SPEC = re.compile(r"^(input|network|extends)[ \t]*:", re.MULTILINE)


def spec_paths(paths: Sequence[Path]) -> list[Path]:
    """The paths, with each folder replaced by the specs in it. Ends the program if a folder has none."""
    return [spec for path in paths for spec in (_inside(path) if path.is_dir() else [path])]


def _inside(folder: Path) -> list[Path]:
    found = [path for path in sorted(folder.rglob("*.yaml")) if _is_spec(path, folder)]
    if not found:
        message = f"there are no specs in the folder {folder}"
        fail(message, "a spec is a .yaml file with `input`, `network` or `extends`")
    return found


def _is_spec(path: Path, folder: Path) -> bool:
    """Whether a file looks like a spec. One that cannot be read counts, so that its error is reported later. Hidden
    folders belong to other tools, and a run's spec is its record."""
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    if hidden or not path.is_file() or (path.parent / RUN).exists():
        return False
    try:
        return looks_like_spec(read_file(path, LIMITS.file).decode("utf-8-sig", "replace"))
    except OSError:
        return True


def looks_like_spec(text: str) -> bool:
    """Whether a YAML file is meant as a spec."""
    return bool(_SPEC.search(text))
