"""Which specs are meant by the SPECs of a command line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from cnndsl.cli.common import fail
from cnndsl.limits import LIMITS
from cnndsl.writing import read_file

_SPEC = re.compile(r"^(input|network|extends)[ \t]*:", re.MULTILINE)


def spec_paths(paths: Sequence[Path]) -> Iterator[Path]:
    """The paths unchanged, but for a folder the specs in it. Ends the program if a folder has none."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        found = [inner for inner in sorted(path.rglob("*.yaml")) if _is_spec(inner, path)]
        if not found:
            message = f"there are no specs in the folder {path}"
            fail(message, "a spec is a .yaml file with `input`, `network` or `extends`")
        yield from found


def _is_spec(path: Path, folder: Path) -> bool:
    """Whether a file looks like a spec; one that cannot be read may be, and its fault is told later. Hidden folders
    hold what other tools keep."""
    if any(part.startswith(".") for part in path.relative_to(folder).parts) or not path.is_file():
        return False
    try:
        return bool(_SPEC.search(read_file(path, LIMITS.file).decode("utf-8-sig", "replace")))
    except OSError:
        return True
