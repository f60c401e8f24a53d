"""How a training is run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from torch import Tensor


@dataclass(frozen=True)
class Options:
    """How a training is run, as opposed to what is trained.

    ``runs`` is the folder of all runs, ``data_dir`` one with data sets, ``workers`` the number of processes
    that decode pictures (None: as many as there are cores), ``resume`` a run to go on with. A checkpoint
    is written after each epoch, and in it every ``checkpoint_every`` batches. ``weights`` are what a training that
    is not resumed begins with, all of them or, with ``partial``, those that fit.
    """

    runs: Path = Path("runs")
    data_dir: Path | None = None
    workers: int | None = None
    device: str | None = None
    resume: Path | None = None
    checkpoint_every: int = 0
    tensorboard: bool = False
    quiet: bool = False
    weights: str | os.PathLike[str] | Mapping[str, Tensor] | None = None
    partial: bool = False
