"""What is done with a run from Python: its network, its module, tests, predictions and other formats."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from cnndsl.diagnostics import Code, RunError
from cnndsl.network import Network
from cnndsl.training.checkpoint import Checkpoint, checkpoint_of
from cnndsl.training.evaluate import Evaluation, evaluate_trained
from cnndsl.training.export import Exported, export
from cnndsl.training.insight import Features, Filters, filters_of
from cnndsl.training.predict import Prediction, Predictor
from cnndsl.training.run_folder import RunFolder, find_run
from cnndsl.training.trained import Trained

if TYPE_CHECKING:
    from cnndsl.picture import Picture


@dataclass(frozen=True)
class Run(RunFolder):
    """A run: ``path`` is its folder, or one of its checkpoints."""

    def checkpoint(self, which: str = "best") -> Checkpoint:
        """The checkpoint with the best test accuracy, or the last, also if there is no best one yet.

        Raises :class:`RunError` if none can be loaded.
        """
        return checkpoint_of(self, which)

    def network(self, which: str = "best") -> Network:
        """The network at the size at which it was trained."""
        return Trained.of(self, which).network

    def module(self, which: str = "best") -> nn.Module:
        """The trained module, in evaluation mode, on the CPU."""
        trained = Trained.of(self, which)
        module = trained.network.module()
        module.load_state_dict(dict(trained.checkpoint.module))
        return module.eval()

    def evaluate(
        self, which: str = "best", *, device: str | None = None, data_dir: Path | None = None, mistakes: int = 0
    ) -> Evaluation:
        """Loss and accuracy on the test set, with those of each class, and the worst ``mistakes``. Raises
        :class:`RunError`."""
        return evaluate_trained(Trained.of(self, which), device, data_dir, mistakes=mistakes)

    def predict(self, *pictures: str | Path, which: str = "best", device: str | None = None) -> list[Prediction]:
        """What each picture file shows, the most probable class first. Raises :class:`RunError`."""
        return list(map(Predictor(Trained.of(self, which), device), map(Path, pictures)))

    def features(self, picture: str | Path, layer: str, which: str = "best", *, device: str | None = None) -> Features:
        """The output of a layer, by its name in the module, for a picture file. Raises :class:`RunError`."""
        return Predictor(Trained.of(self, which), device).features(Path(picture), layer)

    def filters(self, layer: str | None = None, which: str = "best") -> Filters:
        """The filters of a convolution, by default the first. Raises :class:`RunError` if it is not one."""
        return filters_of(Trained.of(self, which).name, self.module(which), layer)

    def curves(self) -> Picture:
        """Loss and accuracy over the epochs. Raises :class:`RunError` if there is none yet."""
        from cnndsl.training.figures.curves import curves  # matplotlib takes half a second
        from cnndsl.training.plot import read_epochs

        epochs = read_epochs(self)
        if not epochs:
            raise RunError(Code.CHECKPOINT, f"{self.path} has not finished an epoch")
        return curves(str(self.info.get("name", self.path.parent.name)), epochs)

    def export(self, path: str | Path, form: str, which: str = "best", *, batch: int | None = None) -> Exported:
        """Writes the module as ``onnx``, ``pt2``, ``torchscript`` or ``safetensors``, replacing an existing file, for
        batches of any size or of ``batch``. Raises :class:`RunError` if the file's outputs differ from the module's."""
        return export(Trained.of(self, which), form, Path(path), batch)


def load_run(path: str | Path) -> Run:
    """A run from its folder, or from one of its checkpoints, wherever they are.

    >>> net = cnndsl.load_run("runs/lenet/2026-11-25T10-00-00").module()

    Raises :class:`RunError` if there is neither.
    """
    return Run(find_run(path).path)
