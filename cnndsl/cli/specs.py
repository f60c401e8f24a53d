"""The specs that the SPECs of a command line name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cnndsl.cli.common import fail
from cnndsl.spec.folder import specs_in


def spec_paths(paths: Sequence[Path]) -> list[Path]:
    """The paths, with each folder replaced by the specs in it. Ends the program if a folder has none."""
    return [spec for path in paths for spec in (_inside(path) if path.is_dir() else [path])]


def _inside(folder: Path) -> list[Path]:
    found = sorted(specs_in(folder))
    if not found:
        message = f"there are no specs in the folder {folder}"
        fail(message, "a spec is a .yaml file with `input`, `network` or `extends`")
    return found
