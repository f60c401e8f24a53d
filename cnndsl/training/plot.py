"""Plots what runs have written. This module needs no torch."""

from __future__ import annotations

import warnings
from os import PathLike

from cnndsl.diagnostics import Code, RunError, unreadable
from cnndsl.picture import Picture
from cnndsl.training.figures.comparison import LOOKS, Curve, comparison
from cnndsl.training.labels import labels
from cnndsl.training.progress import Epoch, best_of, from_csv
from cnndsl.training.run_folder import METRICS, RunFolder, find_run
from cnndsl.writing import read_file


class LeftOut(UserWarning):
    """Runs that a picture does not show."""


def read_epochs(run: RunFolder) -> list[Epoch]:
    """The finished epochs of a run. Raises :class:`RunError` if its table is damaged."""
    path = run.path / METRICS
    try:
        return from_csv(read_file(path).decode())
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise RunError(Code.CHECKPOINT, f"{path} {unreadable(error)}") from None


def plot_runs(*paths: str | PathLike[str]) -> Picture:
    """Loss and accuracy of several runs over the epochs. Their labels are what differs in their recipes.

    Runs without a finished epoch, and all but the best if there are too many for the colours, are left out with a
    :class:`LeftOut`. Raises :class:`RunError` if a path is not a run, or none has an epoch.

    >>> cnndsl.plot_runs("runs/lenet/2026-11-25T10-00-00", "runs/lenet/2026-11-25T11-00-00").save("runs.svg")
    """
    runs = [find_run(path) for path in paths]
    read = {run: epochs for run in runs if (epochs := read_epochs(run))}
    if not read:
        raise RunError(Code.CHECKPOINT, "none of these runs has finished an epoch", "`cnndsl runs` lists the runs")
    best = sorted(read, key=lambda run: best_of(read[run]).test_acc, reverse=True)[: len(LOOKS)]
    drawn = [run for run in read if run in best]
    for run in runs:
        if run not in read:
            warnings.warn(f"{run.path} has not finished an epoch", LeftOut, stacklevel=2)
    if len(drawn) < len(read):
        warnings.warn(f"the best {len(drawn)} of {len(read)} runs are drawn", LeftOut, stacklevel=2)
    names = {str(run.info.get("name", run.path.parent.name)) for run in drawn}
    curves = [Curve(label, read[run]) for label, run in zip(labels(drawn), drawn)]
    return comparison(curves, names.pop() if len(names) == 1 else "")
