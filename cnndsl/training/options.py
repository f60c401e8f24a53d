"""The options of a training."""

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
    """How a training runs, as opposed to what is trained.

    ``runs`` is the folder of all runs, ``data_dir`` a folder with data sets, ``workers`` the number of processes that
    decode pictures (None: one for each core), ``resume`` a run to continue. A checkpoint is written after each epoch,
    and every ``checkpoint_every`` batches within it (0: never). A training that is not resumed starts from ``weights``:
    from all of them or, with ``partial``, from those that fit.
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

    def __post_init__(self) -> None:
        """Raises ValueError for a negative number. The command line refuses them itself, in its own words."""
        if self.workers is not None and self.workers < 0:
            raise ValueError(f"`workers` must be 0 or more, or None for one for each core, not {self.workers}")
        if self.checkpoint_every < 0:
            raise ValueError(f"`checkpoint_every` must be a number of batches, or 0, not {self.checkpoint_every}")
