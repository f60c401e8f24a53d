"""The folders that trainings write. Nothing here needs torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

from cnndsl.diagnostics import Code, RunError, did_you_mean, shorten
from cnndsl.writing import given_path, read_file

#: The files of a run. ``BEFORE`` is the checkpoint before the last, in case the last is damaged, which then becomes
#: ``DAMAGED``.
SPEC, INFO, METRICS, LOCK = "spec.yaml", "run.json", "metrics.csv", ".lock"
LAST, BEFORE, BEST, DAMAGED = "last.pt", "last.before.pt", "best.pt", "last.damaged.pt"
#: The most runs that an error names.
FEW = 5
CHECKPOINTS = {"last": (LAST, BEFORE), "best": (BEST,)}


@dataclass(frozen=True)
class RunFolder:
    """A run as files: ``path`` is its folder, or one of its checkpoints."""

    path: Path

    @cached_property
    def info(self) -> Mapping[str, Any]:
        """The content of ``run.json``: name, state, seed, device, versions, recipe, results."""
        try:
            info = json.loads(read_file(self.path / INFO))
        except (OSError, ValueError):
            return {}
        return info if isinstance(info, dict) else {}

    @property
    def state(self) -> str:
        """``finished``, ``running``, ``interrupted``, ``failed``, or ``killed``: marked as running, but without a
        process."""
        state = str(self.info.get("state", "unknown"))
        return "killed" if state == "running" and not self.busy else state

    @property
    def busy(self) -> bool:
        """Whether a process is writing this run."""
        if not (self.path / LOCK).exists():
            return False
        from filelock import FileLock, Timeout  # here, because most runs have ended

        try:
            with FileLock(self.path / LOCK, timeout=0):
                return False
        except Timeout:
            return True
        except OSError:  # another user's folder
            return False


def find_run(path: str | PathLike[str]) -> RunFolder:
    """A run from its folder, or from one of its checkpoints, wherever they are.

    Raises :class:`RunError` if there is neither.
    """
    path = given_path(path)
    if path.is_dir() and not any((path / name).exists() for name in (INFO, LAST, BEFORE, BEST)):
        raise RunError(Code.CHECKPOINT, f"{path} is not a run", _runs_within(path) or "`cnndsl runs` lists the runs")
    if not path.exists():
        raise RunError(Code.CHECKPOINT, f"{path} does not exist", "`cnndsl runs` lists the runs")
    return RunFolder(path)


def _runs_within(folder: Path) -> str | None:
    """Help for the folder of a network's runs: which it has, the newest first. None for another folder."""
    runs = sorted((path.parent for path in folder.glob(f"*/{INFO}")), reverse=True)
    named = ", ".join(f"`{run}`" for run in runs[:FEW])
    more = f" and {len(runs) - FEW} more" if len(runs) > FEW else ""
    return f"name one of its runs, the newest first: {named}{more}" if runs else None


def list_runs(root: Path) -> list[RunFolder]:
    """The runs in a folder, ``root/<name>/<time>/``, the oldest first."""
    folders = [path.parent for path in root.glob(f"*/*/{INFO}")]
    return [RunFolder(path) for path in sorted(folders, key=lambda path: (path.name, path.parent.name))]


def named_runs(root: Path, names: Sequence[str]) -> list[RunFolder]:
    """The runs that the names mean, those of the first name first. A name is a network's, a run's folder, or its path
    or its last part in ``root``. Raises :class:`RunError` if there are none of a name."""
    known = list_runs(root)
    found: dict[Path, RunFolder] = {}
    for name in names:
        path = given_path(name)
        meant = [run for run in known if name in (run.path.parent.name, run.path.name) or root / path == run.path]
        if (path / INFO).is_file():
            meant = [RunFolder(path)]
        if not meant:
            raise _unknown(name, root, known)
        for run in meant:
            found.setdefault(run.path.resolve(), run)
    return [*found.values()]


def _unknown(name: str, root: Path, known: Sequence[RunFolder]) -> RunError:
    names = {word for run in known for word in (run.path.parent.name, run.path.name, str(run.path))}
    help = did_you_mean(name, names) or "`cnndsl runs` lists all"
    return RunError(Code.CHECKPOINT, f"there are no runs of `{shorten(name)}` in {root}", help)
