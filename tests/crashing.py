"""Trainings that die: a process that forks them, kills them, and checks what they leave.

``python crashing.py kills FOLDER COUNT`` kills trainings at random moments and resumes them; ``saves FOLDER``
ends a process at each file operation of a save. Children are forked, so that torch is imported once.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from training_cases import SPEC, assert_same_weights

import cnndsl
from cnndsl.training.checkpoint import encode, save
from cnndsl.training.resume import last_checkpoint
from cnndsl.training.run_folder import list_runs

LONG = SPEC.replace("epochs: 3", "epochs: 4").replace("size: 150", "size: 300")


def forked(work: Callable[[], Any]) -> int:
    """Runs ``work`` in a child process, and returns its process id."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return child


def ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def training(runs: Path, resume: Path | None = None) -> Callable[[], Any]:
    spec = None if resume else cnndsl.Text(LONG)
    return lambda: cnndsl.train(spec, runs=runs, resume=resume, checkpoint_every=2, quiet=True, device="cpu")


def kills(folder: Path, count: int) -> None:
    """Each run is killed at random moments and resumed, until it finishes."""
    training(folder / "warm")()  # imports here, so that no child has to
    began = time.monotonic()
    assert ended(forked(training(folder / "whole"))) == 0
    duration = time.monotonic() - began
    (whole,) = folder.glob("whole/*/*")
    wanted = cnndsl.load_run(whole).module("last")
    moments = random.Random(0)
    killed = number = 0
    while killed < count:
        number += 1
        runs = folder / f"run{number}"
        patience = duration
        while True:
            started = next(iter(runs.glob("*/*/last.pt")), None)
            child = forked(training(runs, started.parent if started else None))
            time.sleep(moments.random() * patience)
            os.kill(child, signal.SIGKILL)
            finished = ended(child) == 0
            if finished or any(run.state == "finished" for run in list_runs(runs)):  # killed after its end
                break
            killed += 1
            patience *= 1.2  # the machine may be slower now than when the duration was measured
        path = max(runs.glob("*/*"), key=lambda path: (path / "last.pt").exists())
        assert cnndsl.load_run(path).state == "finished"
        assert_same_weights(cnndsl.load_run(path).module("last"), wanted)
    print(f"{killed} killed, {number} runs resumed to the same weights")


def saves(folder: Path) -> None:
    """Ends a child at the n-th file operation of a save, for every n, and loads the checkpoint."""
    run = cnndsl.train(cnndsl.Text(LONG), runs=folder, epochs=1, quiet=True, device="cpu")
    before = run.checkpoint("last")
    after = encode(before)
    operation, survived = 0, False
    while not survived:
        operation += 1
        for name in ("last.pt", "last.before.pt"):
            (run.path / name).unlink(missing_ok=True)
        save(run.path / "last.pt", after)
        survived = ended(forked(partial(_save_and_die, run.path, after, operation))) == 0
        found, trouble = last_checkpoint(run.path)
        assert found.progress == before.progress
        assert not trouble or "does not exist" in trouble, trouble
    print(f"{operation - 1} operations")


def _save_and_die(path: Path, data: bytes, operation: int) -> None:
    left = operation

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event in ("open", "os.rename", "os.chmod", "os.remove", "os.mkdir", "os.listdir"):
            left -= 1
            if left == 0:
                os._exit(9)

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            count("open", ())
            return real(*arguments)

        return call

    sys.addaudithook(count)
    os.fsync = counted(os.fsync)
    os.fdopen = counted(os.fdopen)
    save(path / "last.pt", data, keep=path / "last.before.pt")


if __name__ == "__main__":
    torch.set_num_threads(1)
    verb, where, *more = sys.argv[1:]
    if verb == "kills":
        kills(Path(where), int(more[0]))
    else:
        saves(Path(where))
