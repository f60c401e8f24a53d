"""Training from Python."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from cnndsl.diagnostics import SpecError
from cnndsl.spec.document import Spec
from cnndsl.spec.merge import written
from cnndsl.spec.tree import Unreadable
from cnndsl.training.options import Options
from cnndsl.training.run import Run
from cnndsl.training.train import run_training
from cnndsl.writing import given_path


def train(
    spec: Spec | None = None,
    *,
    runs: str | os.PathLike[str] = "runs",
    data_dir: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    device: str | None = None,
    resume: str | os.PathLike[str] | None = None,
    checkpoint_every: int = 0,
    tensorboard: bool = False,
    quiet: bool = False,
    weights: str | os.PathLike[str] | Mapping[str, Tensor] | None = None,
    partial: bool = False,
    **recipe: Any,
) -> Run:
    """Trains the network of a spec by the recipe in its ``train``, and returns the run. The spec is a path,
    ``zoo:NAME``, or text as ``cnndsl.Text(text)``.

    ``recipe`` are keys of the recipe that replace the spec's; the other arguments are those of :class:`Options`. With
    ``resume`` the spec may be omitted. Raises :class:`SpecError` for errors of the spec, :class:`RunError` for errors
    of the data or the run, ValueError for an argument out of its range.

    >>> run = cnndsl.train("archs/lenet.yaml", epochs=3, optimizer={"SGD": {"lr": 0.5}})
    >>> net = run.module()
    """
    options = Options(
        given_path(runs),
        given_path(data_dir) if data_dir else None,
        workers,
        device,
        given_path(resume) if resume else None,
        checkpoint_every,
        tensorboard,
        quiet,
        weights,
        partial,
    )
    try:
        settings = [f"train.{key}={written(key, value)}" for key, value in recipe.items()]
    except Unreadable as unreadable:
        raise SpecError(unreadable.diagnostics) from None
    return run_training(spec, settings, options)
