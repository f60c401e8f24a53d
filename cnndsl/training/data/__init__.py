"""Training and test data: ``open_data`` finds a recipe's data set and prepares it for a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from cnndsl.diagnostics import Code, RunError
from cnndsl.recipe import Recipe
from cnndsl.recipe.datasets import DATASETS
from cnndsl.training.data.folder import FolderSplit, Pictures, find_unreadable
from cnndsl.training.data.layout import Files, read_folder, read_test_folder
from cnndsl.training.data.memory import MemorySplit
from cnndsl.training.data.pictures import check_pictures, natural_size, prepare_image
from cnndsl.training.data.places import Places
from cnndsl.training.data.sources import torchvision_set
from cnndsl.training.data.split import Batch, Data, Split
from cnndsl.training.data.synthetic import synthetic
from cnndsl.training.prepare import Preparation, preparation, shape_after

__all__ = ["Batch", "Data", "Places", "Split", "open_data", "prepare_image"]

Shape = tuple[int, ...]


def open_data(
    recipe: Recipe,
    input_shape: Shape,
    output_shape: Shape,
    places: Places,
    device: torch.device,
    trained_for: Sequence[str] = (),
) -> Data:
    """The recipe's data set, prepared for a network whose input and output have these shapes, without the batch.

    The shapes are those of the spec itself. A recipe may change the size of samples, generated ones too: ``Data.shape``
    is the result. Raises :class:`RunError` for data that is missing, cannot be read, or does not match the network.
    """
    if recipe.dataset.name == "ImageFolder":
        return _folder(recipe, input_shape, output_shape, places, device, trained_for)
    return _in_memory(recipe, input_shape, output_shape, places, device)


def _in_memory(recipe: Recipe, input_shape: Shape, output_shape: Shape, places: Places, device: torch.device) -> Data:
    name = recipe.dataset.name
    if name == "Synthetic":
        if len(output_shape) not in (1, len(input_shape)):
            message = f"`Synthetic` has no data for a network from {list(input_shape)} to {list(output_shape)}"
            raise RunError(Code.RECIPE, message, span=recipe.dataset.span.first_line)
        classes = tuple(str(label) for label in range(output_shape[0]))
        sets = synthetic(input_shape, output_shape, recipe.seed, **recipe.dataset.arguments)
    else:
        classes = DATASETS[name].classes
        sets = torchvision_set(name, places)
    for what, samples in zip(("training", "test"), sets):
        _check_labels(recipe, what, samples.labels, output_shape, str)
    shape, prepared = _prepared(recipe, DATASETS[name].shape or input_shape, input_shape, None)
    for what, samples, prepare in zip(("training", "test"), sets, prepared):
        _check_size(recipe, what, tuple(samples.images.shape[1:]), prepare, shape)
    train, test = (MemorySplit.on(device, samples, prepare) for samples, prepare in zip(sets, prepared))
    return Data(name, classes, shape, train, test)


def _folder(
    recipe: Recipe,
    input_shape: Shape,
    output_shape: Shape,
    places: Places,
    device: torch.device,
    trained_for: Sequence[str],
) -> Data:
    check_pictures(input_shape)
    values = DATASETS["ImageFolder"].bind(recipe.dataset.arguments)
    skipped: list[str] = []

    def readable(files: Files) -> Files:
        unreadable = find_unreadable([path for path, _ in files], input_shape[0], places)
        skipped.extend(map(str, unreadable))
        left_out = {found.path for found in unreadable}
        return [file for file in files if file[0] not in left_out]

    sieve = readable if values["skip_unreadable"] else list
    if trained_for:
        folder = read_test_folder(values["root"], places, trained_for, sieve)
    else:
        folder = read_folder(values["root"], places, values["test_fraction"], recipe.seed, sieve)
    shape, prepared = _prepared(recipe, input_shape, input_shape, natural_size(input_shape))

    def split(what: str, files: Files, prepare: Preparation) -> FolderSplit:
        paths, labels = tuple(path for path, _ in files), torch.tensor([label for _, label in files])
        _check_labels(recipe, what, labels, output_shape, paths.__getitem__)
        return FolderSplit(Pictures(paths, labels, input_shape[0], prepare), device, places.processes())

    train, test = split("training", folder.train, prepared[0]), split("test", folder.test, prepared[1])
    return Data(recipe.dataset.name, folder.classes, shape, train, test, tuple(skipped))


def _prepared(
    recipe: Recipe, sample: Shape, input_shape: Shape, size: int | tuple[int, int] | None
) -> tuple[Shape, tuple[Preparation, Preparation]]:
    """The shape of prepared samples, and the preparations for training and testing."""
    train, test = (preparation(recipe, sample, training=training, size=size) for training in (True, False))
    shapes = [shape_after(each, sample, recipe) for each in (train, test)]
    span, name = recipe.dataset.span.first_line, recipe.dataset.name
    if shapes[0] != shapes[1]:
        message = f"samples are {list(shapes[0])} in training and {list(shapes[1])} in tests: both need one shape"
        raise RunError(Code.RECIPE, message, "`resize`, or `CenterCrop`, which applies to tests too", span=span)
    if len(shapes[0]) != len(input_shape) or shapes[0][0] != input_shape[0]:
        message = f"`{name}` gives samples of shape {list(shapes[0])}, the network takes {list(input_shape)}"
        help = f"`augment: [Grayscale: {input_shape[0]}]`" if input_shape[0] in (1, 3) else ""
        raise RunError(Code.RECIPE, message, help, span=span)
    return shapes[0], (train, test)


def _check_size(recipe: Recipe, what: str, found: Shape, prepare: Preparation, shape: Shape) -> None:
    """Raises :class:`RunError` if images have another shape than the data set's own, unless they are resized."""
    if shape_after(prepare, found, recipe) == shape:
        return
    name = recipe.dataset.name
    wanted = DATASETS[name].shape or shape
    message = f"the {what} images of `{name}` have the shape {list(found)}, not {list(wanted)}"
    raise RunError(
        Code.SAMPLE, message, f"replace them with the original files, or resize them: `resize: {wanted[-1]}`"
    )


def _check_labels(recipe: Recipe, what: str, labels: Tensor, output_shape: Shape, of: Callable[[int], str]) -> None:
    """Raises :class:`RunError` if there are no samples, or if the network has no output for a label."""
    name, classes = recipe.dataset.name, output_shape[0]
    if not len(labels):
        raise RunError(Code.SAMPLE, f"`{name}` has no {what} samples")
    if labels.dim() != len(output_shape):
        message = f"the network gives {list(output_shape)}, but `{name}` has one label for each sample"
        raise RunError(Code.RECIPE, message, span=recipe.dataset.span.first_line)
    if labels.dim() > 1:
        return  # generated for this network
    wrong = ((labels < 0) | (labels >= classes)).nonzero()
    if len(wrong):
        first = int(wrong[0])
        label = int(labels[first])
        message = f"{what} sample {of(first)} of `{name}` has label {label}, the network has {classes} classes"
        help = f"labels count from 0: the last layer needs {int(labels.max()) + 1} outputs"
        raise RunError(Code.SAMPLE, message, help)
