"""The specs that come with the package: found by name from any folder, as ``zoo:resnet50``.

Each has a source, and a name: ``zoo:torchvision/resnet50``. The networks of timm and the classic ones are listed by
both, the others by their plain names. The source may always be left out if no other network has the name:
``zoo:lenet``, but ``zoo:classic/resnet18``.
"""

from __future__ import annotations

import os.path
import re
from functools import cache
from pathlib import Path

PREFIX = "zoo:"
_PACKAGE = Path(__file__).parent
#: In an installed package the specs are inside it, in a checkout beside it.
FOLDER = next((folder for folder in (_PACKAGE / "archs", _PACKAGE.parent / "archs") if folder.is_dir()), _PACKAGE)
#: The sources, in the order of the list, and their folders.
SOURCES = {
    "torchvision": "torchvision",
    "segmentation": "segmentation",
    "detection": "detection",
    "beyond": "beyond",
    "weights": "weights",
    "timm": "timm",
    "classic": ".",
}
#: Sources whose networks are listed by their plain names.
_PLAIN = ("torchvision", "segmentation", "detection", "beyond", "weights")
#: Sources whose networks are all of one family.
_ONE_FAMILY = ("segmentation", "detection", "beyond", "classic")
#: A name as far as its size or version, without who trained it: ``wide_resnet50_2``, ``tf_efficientnet_b0``,
#: ``res2net50_26w_4s``, ``convnextv2_atto``.
_FAMILY = r"(?:tf_|ese_)?((?:wide_)?[a-z]+?(?:\d[a-z]{3,}|(?=v?\d|_|$)))"


@cache
def specs() -> dict[str, Path]:
    """Every spec by the name that it is listed by, source by source."""
    return {
        path.stem if source in _PLAIN else f"{source}/{path.stem}": path
        for source, folder in SOURCES.items()
        for path in _sorted(FOLDER / folder)
    }


@cache
def libraries() -> dict[str, Path]:
    """The files of blocks that specs of the zoo use, by name: ``torchvision/blocks/common``."""
    return {
        f"{source}/blocks/{path.stem}": path
        for source, folder in SOURCES.items()
        for path in _sorted(FOLDER / folder / "blocks")
    }


def name_of(path: Path) -> str:
    """``zoo:NAME`` of a file of the zoo, "" for any other."""
    files = {**specs(), **libraries()}.items()
    return next((f"{PREFIX}{name}" for name, file in files if file.resolve() == path), "")


def _sorted(folder: Path) -> list[Path]:
    """Specs in the order of the numbers in their names: VGG-11, VGG-11 with batch normalisation, VGG-13."""

    def words_and_numbers(path: Path) -> list[str | int]:
        return [int(part) if part.isdigit() else part for part in re.findall(r"\d+|\D+", path.stem)]

    return sorted(folder.glob("*.yaml"), key=words_and_numbers)


def is_of_zoo(text: str) -> bool:
    return text.startswith(PREFIX)


def find(text: str) -> Path | None:
    """The file of ``zoo:NAME``, None if there is no such spec or library, or if several sources have one."""
    name = text.removeprefix(PREFIX)
    if name in libraries():
        return libraries()[name]
    listed = [name] if name in specs() else called(name)
    return specs()[listed[0]] if len(listed) == 1 else None


def called(name: str) -> list[str]:
    """The listed names of the networks that have this name, with their source or without."""
    return [listed for listed, path in specs().items() if name in (path.stem, f"{source(listed)}/{path.stem}")]


def shown(path: str) -> str:
    """What people call a file: ``zoo:NAME`` if its absolute path is that of a spec of the package."""
    if not path.startswith(str(FOLDER)):
        return path
    return _shown().get(Path(os.path.normpath(path)), path)


@cache
def _shown() -> dict[Path, str]:
    return {path: f"{PREFIX}{name}" for name, path in specs().items()}


def source(name: str) -> str:
    """The source of a listed network."""
    folder = specs()[name].parent
    return next(source for source, inside in SOURCES.items() if folder == FOLDER / inside)


def family(name: str) -> str:
    """The family of a listed network: ``resnet`` for ``resnet50``, or its source if that has one family."""
    found = re.match(_FAMILY, specs()[name].stem)
    return source(name) if source(name) in _ONE_FAMILY or not found else found[1]
