"""Writes the folder of a run."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from cnndsl.diagnostics import Code, RunError
from cnndsl.json_text import json_text
from cnndsl.training.checkpoint import save
from cnndsl.training.progress import Epoch, Progress, as_csv
from cnndsl.training.run_folder import BEFORE, BEST, DAMAGED, INFO, LAST, LOCK, METRICS, SPEC, list_runs
from cnndsl.writing import clear_unfinished, write_file

#: Seconds between two drawings of the curves during a training: one takes as long as an epoch of a small network can.
PAUSE = 30
#: The formats of the curves.
CURVES = (".svg", ".png")


class RunWriter:
    """Locks a run's folder, so that no other process can write it. Writes each file completely or not at all."""

    def __init__(self, path: Path, info: dict[str, Any]) -> None:
        """Raises :class:`RunError` if another process has locked the folder, or it cannot be written."""
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
        #: Epochs to draw, and when the last ones were drawn, or the writing began.
        self.undrawn: tuple[Epoch, ...] = ()
        self.drawn = time.monotonic()

    def close(self) -> None:
        self.lock.release()

    def begin(self, spec: str) -> None:
        self.write(SPEC, spec.encode())
        self.note(state="running")

    def note(self, **facts: Any) -> None:
        """Adds facts to ``run.json``."""
        self.info |= facts
        self.write(INFO, (json_text(self.info) + "\n").encode())

    def set_aside(self) -> None:
        """Renames a damaged last checkpoint, so that it does not replace the intact one before it."""
        with suppress(FileNotFoundError):
            (self.path / LAST).replace(self.path / DAMAGED)

    def checkpoint(self, data: bytes, best: bool) -> None:
        """Writes the best checkpoint first and then the last: a run that dies in between trains to the best again."""
        if best:
            save(self.path / BEST, data)
        save(self.path / LAST, data, keep=self.path / BEFORE)

    def metrics(self, progress: Progress) -> None:
        """Writes the epochs so far as a table, and the last one as the results. Draws them if it is time to."""
        self.write(METRICS, as_csv(progress.epochs).encode())
        best = max(epoch.test_acc for epoch in progress.epochs)
        self.note(results=asdict(progress.epochs[-1]) | {"best_test_acc": best})
        self.undrawn = progress.epochs
        if time.monotonic() - self.drawn > PAUSE:
            self._draw()

    def end(self, state: str, message: str) -> None:
        """Notes how the training ended, and draws what is not drawn yet."""
        self.note(state=state, message=message)
        self._draw()

    def _draw(self) -> None:
        """Draws the curves of all epochs, if there are new ones."""
        if not self.undrawn:
            return
        # matplotlib takes half a second, and a training may never get here
        from cnndsl.training.figures.curves import curves

        picture = curves(str(self.info["name"]), self.undrawn)
        for ending in CURVES:
            self.write(f"curves{ending}", picture.data(ending))
        self.undrawn, self.drawn = (), time.monotonic()

    def write(self, name: str, data: bytes) -> None:
        try:
            write_file(self.path / name, data)
        except OSError as error:
            raise _unwritable(self.path / name, error) from error


def new_folder(root: Path, name: str) -> Path:
    """Makes ``root/<name>/<time>``; runs of the same second get a number. Raises :class:`RunError`."""
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
    """What identifies torchrun's processes across its restarts; empty without torchrun."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return ""
    return f"{os.environ['TORCHELASTIC_RUN_ID']} {socket.gethostname()} {os.getppid()}"


def restarted(root: Path) -> Path | None:
    """The run that this process was training before torchrun restarted it."""
    if os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0":
        return None
    runs = reversed(list_runs(root))
    return next((run.path for run in runs if run.info.get("launcher") == launcher()), None)


def _unwritable(path: Path, error: OSError) -> RunError:
    return RunError(Code.WRITE, f"{path} cannot be written: {error.strerror}", "choose another folder with `--runs`")
