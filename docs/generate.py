"""Writes the generated pages and pictures of docs/: `make docs`."""

from __future__ import annotations

from pathlib import Path

import cnndsl
from cnndsl.emit.recipe_reference import recipe_reference
from cnndsl.emit.reference import layer_reference

DOCS = Path(__file__).parent
ARCHS = DOCS.parent / "archs"


def main() -> None:
    (DOCS / "layers.md").write_text(layer_reference())
    (DOCS / "recipes.md").write_text(recipe_reference())
    images = DOCS / "images"
    images.mkdir(exist_ok=True)
    for path in sorted(ARCHS.glob("*.yaml")):
        cnndsl.load(path).diagram().save(images / f"{path.stem}.svg")


if __name__ == "__main__":
    main()
