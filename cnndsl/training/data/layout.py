"""The layout of a folder of pictures: classes, training and test pictures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from cnndsl.diagnostics import Code, RunError
from cnndsl.training.augment import blend
from cnndsl.training.data.places import Places

#: Files with their labels.
Files = list[tuple[str, int]]
#: Removes the files that must not be used.
Sieve = Callable[[Files], Files]
#: The folder that macOS adds to archives, with metadata of each file.
_SHADOWS = "__MACOSX"
LAYOUT = "ROOT/train/CLASS/PICTURE and ROOT/test/CLASS/PICTURE, or ROOT/CLASS/PICTURE"


@dataclass(frozen=True)
class Folder:
    """The classes, which are the sorted names of subfolders, and the training and test files."""

    classes: tuple[str, ...]
    train: Files
    test: Files


def read_folder(root: str, places: Places, test_fraction: float, seed: int, sieve: Sieve = list) -> Folder:
    """``root/train/<class>/`` with ``root/test`` or ``root/val``. Without the latter, a share of each class in
    ``root/train`` or ``root`` is held out, chosen by the seed. Raises :class:`RunError` if there is nothing to read."""
    top = find_root(root, places)
    try:
        return _read(top, test_fraction, seed, sieve)
    except OSError as error:
        raise RunError(Code.DATA, f"the pictures in {top} cannot be read: {error}") from error


def read_test_folder(root: str, places: Places, classes: Sequence[str], sieve: Sieve = list) -> Folder:
    """Pictures to test a network of ``classes`` with: all of ``root/test``, ``root/val``, ``root/train`` or ``root``,
    whichever first has folders of classes. Raises :class:`RunError` for other classes than these."""
    top = find_root(root, places)
    try:
        inner = (top / name for name in ("test", "val", "train"))
        place = next((folder for folder in inner if folder.is_dir() and _subfolders(folder)), top)
        found = _subfolders(place)
        if not found or not {*found} <= {*classes}:
            notes = [f"trained for {listed(classes)}", f"there are {listed(found) or 'no folders'}"]
            message = f"{place} does not have the classes that the network was trained for"
            raise RunError(Code.SAMPLE, message, "the folder of a class needs its name", notes)
        files = sieve(_labelled(place, classes))
    except OSError as error:
        raise RunError(Code.DATA, f"the pictures in {top} cannot be read: {error}") from error
    return Folder(tuple(classes), files, files)


def listed(names: Sequence[str]) -> str:
    """Names of classes as a message shows them."""
    return f"{', '.join(names[:10])}{', …' * (len(names) > 10)}"


def _read(top: Path, test_fraction: float, seed: int, sieve: Sieve) -> Folder:
    train = top / "train" if (top / "train").is_dir() else top
    tests = [top / name for name in ("test", "val") if train != top and (top / name).is_dir()]
    classes = _subfolders(train)
    if not classes:
        raise RunError(Code.SAMPLE, f"{train} has no folders: each class needs one", f"put pictures in {LAYOUT}")
    files = sieve(_files(train, classes))
    empty = sorted(set(range(len(classes))) - {label for _, label in files})
    if empty:
        shown = ", ".join(f"`{classes[label]}`" for label in empty[:5])
        raise RunError(Code.SAMPLE, f"there are no pictures in {train} for {shown}", "add some, or remove the folder")
    if not tests:
        return Folder(classes, *_held_out(train, files, classes, test_fraction, seed))
    return Folder(classes, files, sieve(_test_files(tests[0], train, classes)))


def find_root(root: str, places: Places) -> Path:
    """The folder, relative to the current one or to the data folders."""
    path = Path(root).expanduser()
    looked = [path, *(folder / path for folder in places.folders() if not path.is_absolute())]
    for folder in looked:
        if folder.is_dir():
            return folder
    notes = [f"there is no folder {folder}" for folder in looked]
    raise RunError(Code.DATA, "the pictures of `ImageFolder` were not found", f"`--data FOLDER`, with {LAYOUT}", notes)


def _test_files(folder: Path, train: Path, classes: tuple[str, ...]) -> Files:
    unknown = sorted(set(_subfolders(folder)) - set(classes))
    if unknown:
        message = f"{folder} has a class `{unknown[0]}`, which {train} does not have"
        raise RunError(Code.SAMPLE, message, "the folder of a class needs the same name in both")
    return _labelled(folder, classes)


def _labelled(folder: Path, classes: Sequence[str]) -> Files:
    """The pictures of a folder that need not have all of the ``classes``."""
    files = _files(folder, tuple(name for name in classes if (folder / name).is_dir()))
    labels = {name: label for label, name in enumerate(classes)}
    return [(path, labels[Path(path).relative_to(folder).parts[0]]) for path, _ in files]


def _subfolders(folder: Path) -> tuple[str, ...]:
    """The sorted names of folders that are not hidden."""
    return tuple(sorted(path.name for path in folder.iterdir() if path.is_dir() and not _hidden(path.name)))


def _files(folder: Path, classes: tuple[str, ...]) -> Files:
    """The files that torchvision takes for pictures, in its order, without hidden files and folders: notebooks, macOS
    and photo managers leave copies there."""
    from torchvision.datasets.folder import IMG_EXTENSIONS  # takes a second

    return [
        (str(Path(path, name)), label)
        for inner, label in sorted((inner, label) for label, inner in enumerate(classes))
        for path, names in sorted(_walk(str(folder / inner)))
        for name in sorted(names)
        if name.lower().endswith(IMG_EXTENSIONS) and not _hidden(name)
    ]


def _walk(folder: str, around: tuple[Path, ...] = ()) -> Iterator[tuple[str, list[str]]]:
    """A folder and those in it, with their files. A link to a folder ``around`` it is not followed: that has no end."""
    here = Path(folder).resolve()
    if any(other.is_relative_to(here) for other in around):
        return
    _, inner, files = next(os.walk(folder), (folder, [], []))
    yield folder, files
    for name in inner:
        if not _hidden(name):
            yield from _walk(str(Path(folder, name)), (*around, here))


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == _SHADOWS


def _held_out(folder: Path, files: Files, classes: tuple[str, ...], fraction: float, seed: int) -> tuple[Files, Files]:
    """Training and test files: at least one of each class in both."""
    train, test = [], []
    for label, name in enumerate(classes):
        mine = [file for file in files if file[1] == label]
        if len(mine) < 2:
            message = f"there is only one picture in {folder / name}: training and testing need one each"
            raise RunError(Code.SAMPLE, message, "add some, or remove the folder")
        order = torch.randperm(len(mine), generator=torch.Generator().manual_seed(blend(seed, label))).tolist()
        count = min(max(round(len(mine) * fraction), 1), len(mine) - 1)
        test += [mine[index] for index in sorted(order[:count])]
        train += [mine[index] for index in sorted(order[count:])]
    return train, test
