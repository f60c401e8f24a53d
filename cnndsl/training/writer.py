"""A run's folder while its training writes it."""

from __future__ import annotations

import json
import os
import socket
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from cnndsl.diagnostics import Code, RunError
from cnndsl.training.progress import Progress, as_csv
from cnndsl.training.run import BEFORE, BEST, DAMAGED, INFO, LAST, LOCK, METRICS, SPEC, list_runs
from cnndsl.writing import clear_unfinished, write_file


class RunWriter:
    """Owns a run's folder: no other process may write it meanwhile. Writes each file whole."""

    def __init__(self, path: Path, info: dict[str, Any]) -> None:
        """Raises :class:`RunError` where another process has it, or it cannot be written."""
        self.path, self.info = path, info
        self.lock = FileLock(path / LOCK, timeout=0)
        try:
            self.lock.acquire()
        except Timeout:
            help = "wait for it, or stop it; without --resume, a new run is started"
            raise RunError(Code.BUSY, f"{path} is being written by another process", help) from None
        except OSError as error:
            raise _unwritable(path, error) from error
        clear_unfinished(path)

    def close(self) -> None:
        self.lock.release()

    def begin(self, spec: str) -> None:
        self.write(SPEC, spec.encode())
        self.note(state="running")

    def note(self, **facts: Any) -> None:
        """Puts facts into ``run.json``."""
        self.info |= facts
        self.write(INFO, (json.dumps(self.info, indent=2) + "\n").encode())

    def set_aside(self) -> None:
        """Puts a damaged last checkpoint away: the next one must not push it over the sound one before."""
        with suppress(FileNotFoundError):
            (self.path / LAST).replace(self.path / DAMAGED)

    def checkpoint(self, data: bytes, best: bool) -> None:
        """Writes the last checkpoint, and the best one before it: a run that dies in between trains to it again."""
        from cnndsl.training.checkpoint import save

        if best:
            save(self.path / BEST, data)
        save(self.path / LAST, data, keep=self.path / BEFORE)

    def metrics(self, progress: Progress) -> None:
        """The epochs so far as a table, as a picture, and their last as the results."""
        from cnndsl.training.curves import curves

        self.write(METRICS, as_csv(progress.epochs).encode())
        for name, data in curves(str(self.info["name"]), progress.epochs).items():
            self.write(name, data)
        best = max(epoch.test_acc for epoch in progress.epochs)
        self.note(results=asdict(progress.epochs[-1]) | {"best_test_acc": best})

    def write(self, name: str, data: bytes) -> None:
        try:
            write_file(self.path / name, data)
        except OSError as error:
            raise _unwritable(self.path / name, error) from error


def new_folder(root: Path, name: str) -> Path:
    """``root/<name>/<time>``, made; runs of one second are told apart by a number. Raises :class:`RunError`."""
    now = datetime.now().strftime("%Y-%m-%dT%H-%M-%S")
    for number in range(1, 1000):
        path = root / name / (now if number == 1 else f"{now}-{number}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise _unwritable(path, error) from error
        return path
    raise RunError(Code.WRITE, f"{root / name} has a thousand runs of this second")


def launcher() -> str:
    """What torchrun's processes have in common over its restarts, empty without it."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return ""
    return f"{os.environ['TORCHELASTIC_RUN_ID']} {socket.gethostname()} {os.getppid()}"


def restarted(root: Path) -> Path | None:
    """The run that this process was training when torchrun had to start it again."""
    if os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0":
        return None
    runs = reversed(list_runs(root))
    return next((run.path for run in runs if run.info.get("launcher") == launcher()), None)


def _unwritable(path: Path, error: OSError) -> RunError:
    return RunError(Code.WRITE, f"{path} cannot be written: {error.strerror}", "choose another folder with `--runs`")
