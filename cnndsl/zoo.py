"""The specs that come with the package: found by name from any folder, as ``zoo:resnet50``.

The networks of torchvision and those beyond classification have plain names. The classic ones begin with `classic/`,
which may be left out if no other network has the name: ``zoo:lenet``, but ``zoo:classic/resnet18``.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

PREFIX = "zoo:"
_PACKAGE = Path(__file__).parent
#: In an installed package the specs are inside it, in a checkout beside it.
FOLDER = next((folder for folder in (_PACKAGE / "archs", _PACKAGE.parent / "archs") if folder.is_dir()), _PACKAGE)
_CLASSIC = "classic"


@cache
def specs() -> dict[str, Path]:
    """Every spec by its name, torchvision's first."""
    found: dict[str, Path] = {}
    for folder in ("torchvision", "beyond"):
        found |= {path.stem: path for path in _sorted(FOLDER / folder)}
    return found | {f"{_CLASSIC}/{path.stem}": path for path in _sorted(FOLDER)}


def _sorted(folder: Path) -> list[Path]:
    """Specs in the order of the numbers in their names: VGG-11, VGG-11 with batch normalisation, VGG-13."""

    def words_and_numbers(path: Path) -> list[str | int]:
        return [int(part) if part.isdigit() else part for part in re.findall(r"\d+|\D+", path.stem)]

    return sorted(folder.glob("*.yaml"), key=words_and_numbers)


def is_of_zoo(text: str) -> bool:
    return text.startswith(PREFIX)


def find(text: str) -> Path | None:
    """The file of ``zoo:NAME``, None if there is no such spec."""
    name = text.removeprefix(PREFIX)
    return specs().get(name) or specs().get(f"{_CLASSIC}/{name}")


def family(name: str) -> str:
    """The family of a network: ``resnet`` for ``resnet50``, or its folder if it has no family."""
    folder = specs()[name].parent
    if folder != FOLDER / "torchvision":
        return folder.name if folder != FOLDER else _CLASSIC
    found = re.match(r"(wide_)?[a-z]+", name)
    return found[0] if found else name
