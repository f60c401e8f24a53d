"""Finds torchvision's data sets that fit in memory, and reads them as tensors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from cnndsl.diagnostics import Code, RunError
from cnndsl.training.data.idx import read_samples
from cnndsl.training.data.memory import Samples
from cnndsl.training.data.places import Places, Wanted, files_of

Splits = tuple[Samples, Samples]

IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_CIFAR10 = ("batches.meta", "test_batch", *(f"data_batch_{number}" for number in range(1, 6)))
#: The names of the others' files in torchvision's folder.
FILES = {
    "CIFAR10": [f"cifar-10-batches-py/{name}" for name in _CIFAR10],
    "CIFAR100": [f"cifar-100-python/{name}" for name in ("meta", "test", "train")],
    "SVHN": ["train_32x32.mat", "test_32x32.mat"],
}
#: Where a package of the system puts a data set, and the package.
PACKAGED = {"FashionMNIST": (Path("/usr/share/datasets/fashion-mnist"), "dataset-fashion-mnist")}


def torchvision_set(name: str, places: Places) -> Splits:
    """The training and test samples of a set. Raises :class:`RunError` if it is missing or damaged."""
    return _read_torchvision(name, places) if name in FILES else _read_idx(name, places)


def _read_idx(name: str, places: Places) -> Splits:
    """Reads files in MNIST's format, from torchvision's folder or directly from one that the user named. It avoids
    torchvision, which takes long to import."""
    looked = [place for folder in places.given() for place in (folder / name / "raw", folder)]
    looked.append(places.cache / name / "raw")
    tip = ""
    if name in PACKAGED:
        folder, package = PACKAGED[name]
        looked.append(folder)
        tip = f"`apt-get install {package}` on Debian and Ubuntu"

    def download(root: Path) -> None:
        _class(name)(root, train=True, download=True)

    files = files_of(Wanted(name, IDX, looked, download, tip), places)
    train, train_labels, test, test_labels = (files[file] for file in IDX)
    return read_samples(train, train_labels), read_samples(test, test_labels)


def _read_torchvision(name: str, places: Places) -> Splits:
    """Reads with torchvision's own class, which verifies the files' checksums."""
    looked = [root for folder in places.folders() for root in (folder, folder / name)]
    splits = [{"split": split} if name == "SVHN" else {"train": split == "train"} for split in ("train", "test")]

    def download(root: Path) -> None:
        for split in splits:
            _class(name)(root, download=True, **split)

    first = FILES[name][0]
    files = files_of(Wanted(name, FILES[name], looked, download), places)
    root = files[first].parents[first.count("/")]
    try:
        train, test = (_as_tensors(_class(name)(root, **split)) for split in splits)
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        message = f"reading `{name}` needs {package}, which is not installed"
        raise RunError(Code.DATA, message, f"`pip install {package}`") from error
    except Exception as error:  # torchvision and its readers raise almost anything for wrong files
        why = "a file is damaged" if isinstance(error, RuntimeError) else error
        message = f"the data set `{name}` in {root} cannot be read: {why}"
        raise RunError(Code.SAMPLE, message, "replace it with a complete copy") from error
    return train, test


def _as_tensors(dataset: Any) -> Samples:
    """Torchvision has CIFAR's images as (N, H, W, C), and SVHN's as (N, C, H, W)."""
    images, labels = torch.from_numpy(dataset.data), getattr(dataset, "targets", None)
    if labels is not None:
        return Samples(images.permute(0, 3, 1, 2).contiguous(), torch.tensor(labels))
    return Samples(images.contiguous(), torch.from_numpy(dataset.labels).long())


def _class(name: str) -> Callable[..., Any]:
    from torchvision import datasets

    found: Callable[..., Any] = getattr(datasets, name)
    return found
