"""Training from Python. Nothing here imports torch until a training begins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnndsl.training.options import Options
from cnndsl.training.run import Run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor


def train(
    path_or_text: str | Path | None = None,
    /,
    *,
    runs: str | Path = "runs",
    data_dir: str | Path | None = None,
    workers: int | None = None,
    device: str | None = None,
    resume: str | Path | None = None,
    checkpoint_every: int = 0,
    tensorboard: bool = False,
    quiet: bool = False,
    weights: str | Path | Mapping[str, Tensor] | None = None,
    partial: bool = False,
    **recipe: Any,
) -> Run:
    """Trains the network of a spec by its recipe, the spec's ``train``, and gives the run.

    ``recipe`` are keys of the recipe with other values than the spec's; the other arguments are those of
    :class:`Options`. With ``resume`` the spec may be left out. Raises :class:`SpecError` for the spec,
    :class:`RunError` for data and run.

    >>> run = cnndsl.train("archs/lenet.yaml", epochs=3, optimizer={"SGD": {"lr": 0.5}})
    >>> net = run.module()
    """
    from cnndsl.training.train import run_training

    options = Options(
        Path(runs),
        Path(data_dir) if data_dir else None,
        workers,
        device,
        Path(resume) if resume else None,
        checkpoint_every,
        tensorboard,
        quiet,
        weights,
        partial,
    )
    return run_training(path_or_text, [f"train.{key}={json.dumps(value)}" for key, value in recipe.items()], options)
