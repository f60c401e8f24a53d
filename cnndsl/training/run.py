"""Runs: the folders that trainings write. Listing them needs no torch."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnndsl.diagnostics import Code, RunError
from cnndsl.network import Network, loads
from cnndsl.writing import given_path, read_file

if TYPE_CHECKING:
    from torch import nn

    from cnndsl.training.checkpoint import Checkpoint
    from cnndsl.training.evaluate import Evaluation
    from cnndsl.training.export import Exported
    from cnndsl.training.predict import Prediction

#: The files of a run. ``BEFORE`` is the checkpoint before the last, in case the last is damaged, which then becomes
#: ``DAMAGED``.
SPEC, INFO, METRICS, LOCK = "spec.yaml", "run.json", "metrics.csv", ".lock"
LAST, BEFORE, BEST, DAMAGED = "last.pt", "last.before.pt", "best.pt", "last.damaged.pt"
CHECKPOINTS = {"last": (LAST, BEFORE), "best": (BEST,)}


class OlderCheckpoint(UserWarning):
    """A checkpoint cannot be loaded, and the one before it is used."""


@dataclass(frozen=True)
class Run:
    """A run: ``path`` is its folder, or one of its checkpoints."""

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
        from filelock import FileLock, Timeout

        if not (self.path / LOCK).exists():
            return False
        try:
            with FileLock(self.path / LOCK, timeout=0):
                return False
        except Timeout:
            return True
        except OSError:  # another user's folder
            return False

    def checkpoint(self, which: str = "best") -> Checkpoint:
        """The checkpoint with the best test accuracy, or the last, also if there is no best one yet.

        Raises :class:`RunError` if none can be loaded.
        """
        from cnndsl.training.checkpoint import load as load_checkpoint

        if self.path.is_file():
            return load_checkpoint(self.path)
        names = CHECKPOINTS[which] if which == "last" or (self.path / BEST).exists() else CHECKPOINTS["last"]
        present = [self.path / name for name in names if (self.path / name).exists()]
        if not present:
            help = "`cnndsl runs` lists the runs"
            raise RunError(Code.CHECKPOINT, f"{self.path} has no checkpoint", help)
        errors = []
        for path in present:
            try:
                found = load_checkpoint(path)
            except RunError as error:
                errors.append(error)
                continue
            if errors:
                warnings.warn(f"{errors[0].diagnostic.message}; using {path.name}", OlderCheckpoint, stacklevel=2)
            return found
        raise errors[0]

    def network(self, which: str = "best") -> Network:
        """The network at the size at which it was trained."""
        return network_of(self.checkpoint(which))

    def module(self, which: str = "best") -> nn.Module:
        """The trained module, in evaluation mode, on the CPU."""
        checkpoint = self.checkpoint(which)
        module = network_of(checkpoint).module()
        module.load_state_dict(dict(checkpoint.module))
        return module.eval()

    def evaluate(self, which: str = "best", *, device: str | None = None, data_dir: Path | None = None) -> Evaluation:
        """Loss and accuracy on the test set, with those of each class. Raises :class:`RunError`."""
        from cnndsl.training.evaluate import evaluate_trained
        from cnndsl.training.trained import Trained

        return evaluate_trained(Trained.of(self, which), device, data_dir)

    def predict(self, *pictures: str | Path, which: str = "best", device: str | None = None) -> list[Prediction]:
        """What each picture file shows, the most probable class first. Raises :class:`RunError`."""
        from cnndsl.training.predict import Predictor
        from cnndsl.training.trained import Trained

        return list(map(Predictor(Trained.of(self, which), device), map(Path, pictures)))

    def export(self, path: str | Path, form: str, which: str = "best", *, batch: int | None = None) -> Exported:
        """Writes the module as ``onnx``, ``pt2``, ``torchscript`` or ``safetensors``, replacing an existing file, for
        batches of any size or of ``batch``. Raises :class:`RunError` if the file's outputs differ from the module's."""
        from cnndsl.training.export import export
        from cnndsl.training.trained import Trained

        return export(Trained.of(self, which), form, Path(path), batch)


def network_of(checkpoint: Checkpoint) -> Network:
    """The network of a checkpoint, compiled from the spec in it."""
    return loads(checkpoint.spec).at_size(checkpoint.sample)


def load_run(path: str | Path) -> Run:
    """A run from its folder, or from one of its checkpoints, wherever they are.

    >>> net = cnndsl.load_run("runs/lenet/2026-11-25T10-00-00").module()

    Raises :class:`RunError` if there is neither.
    """
    path = given_path(path)
    if path.is_dir() and not any((path / name).exists() for name in (INFO, LAST, BEFORE, BEST)):
        raise RunError(Code.CHECKPOINT, f"{path} is not a run", "`cnndsl runs` lists the runs")
    if not path.exists():
        raise RunError(Code.CHECKPOINT, f"{path} does not exist", "`cnndsl runs` lists the runs")
    return Run(path)


def list_runs(root: Path) -> list[Run]:
    """The runs in a folder, ``root/<name>/<time>/``, the oldest first."""
    folders = [path.parent for path in root.glob(f"*/*/{INFO}")]
    return [Run(path) for path in sorted(folders, key=lambda path: (path.name, path.parent.name))]
