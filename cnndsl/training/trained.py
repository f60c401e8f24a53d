"""A trained network ready for use: its module, its recipe and its data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from msgspec.structs import replace
from torch import nn

from cnndsl.diagnostics import Code, RunError
from cnndsl.network import Network, loads
from cnndsl.recipe import Recipe
from cnndsl.training import devices
from cnndsl.training.checkpoint import Checkpoint, checkpoint_of
from cnndsl.training.data import Data, Places, open_data
from cnndsl.training.data.layout import listed
from cnndsl.training.run_folder import RunFolder


@dataclass(frozen=True)
class Trained:
    """A ``checkpoint``, and ``spec``, the network of its spec, whose input may have another size than in training."""

    checkpoint: Checkpoint
    spec: Network

    @classmethod
    def of(cls, run: RunFolder, which: str = "best") -> Trained:
        """Raises :class:`RunError` if no checkpoint can be loaded."""
        checkpoint = checkpoint_of(run, which)
        return cls(checkpoint, loads(checkpoint.spec))

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def recipe(self) -> Recipe:
        recipe = self.spec.recipe
        assert recipe is not None  # it was trained
        return recipe

    @property
    def epoch(self) -> int:
        """The number of epochs that it was trained for."""
        return len(self.checkpoint.progress.epochs)

    @property
    def title(self) -> str:
        """Its name, and how long it was trained for: ``lenet after 2 epochs``."""
        batches = self.checkpoint.progress.batches
        begun = f" and {batches} batch{'es' * (batches != 1)}" if batches else ""
        return f"{self.name} after {self.epoch} epoch{'s' * (self.epoch != 1)}{begun}"

    @cached_property
    def network(self) -> Network:
        """The network at the size at which it was trained."""
        return self.spec.at_size(self.checkpoint.sample)

    @property
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The spec's input and output shapes, without the batch, for which data is prepared."""
        (x,), (out,) = self.spec.graph.inputs.values(), self.spec.graph.outputs.values()
        return x.shape.sample, out.shape.sample

    def module(self, device: torch.device) -> nn.Module:
        """The trained module on a device, in evaluation mode."""
        module = self.network.module()
        module.load_state_dict(dict(self.checkpoint.module))
        # The memory format of the training: other kernels may round differently.
        return devices.placed(module, device, self.recipe.precision).eval()

    def data(
        self, places: Places, device: torch.device, folder: str | None = None, skip_unreadable: bool = False
    ) -> Data:
        """Its training data, or pictures of the same classes in ``folder``. Raises :class:`RunError`."""
        dataset = self.recipe.dataset
        if folder is not None:
            kept = dataset.arguments if dataset.name == "ImageFolder" else {}
            dataset = replace(dataset, name="ImageFolder", arguments={**kept, "root": folder})
        if skip_unreadable and dataset.name == "ImageFolder":
            dataset = replace(dataset, arguments={**dataset.arguments, "skip_unreadable": True})
        trained_for = self.checkpoint.classes if folder is not None else ()
        data = open_data(replace(self.recipe, dataset=dataset), *self.shapes, places, device, trained_for)
        if data.classes != self.checkpoint.classes:
            trained, found = listed(self.checkpoint.classes), listed(data.classes)
            message = f"{folder or data.name} does not have the classes that `{self.name}` was trained for"
            raise RunError(Code.SAMPLE, message, notes=[f"trained for {trained}", f"found {found}"])
        return data
