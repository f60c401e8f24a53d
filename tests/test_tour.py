"""The notebook that tours the project runs, and shows what it showed."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "docs"))

import notebook

#: The most bytes of the notebook.
MOST = 1_000_000


def outputs(cell: Any) -> list[tuple[str, object]]:
    """What a cell shows. Numbers with decimals come from a training, and other processors round otherwise. The bytes of
    a picture depend on fonts."""
    found: list[tuple[str, object]] = []
    for output in cell.get("outputs", ()):
        texts = {"text": output.text} if "text" in output else output.data
        for kind, content in sorted(texts.items()):
            is_text = kind.startswith("text")
            found.append((kind, re.sub(r"\d+\.\d+", "#", content) if is_text else ""))
    return found


def test_the_tour_runs_and_shows_what_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    stored = nbformat.read(notebook.TOUR, as_version=4)
    made = notebook.executed(notebook.cells(notebook.SOURCE.read_text()))
    assert made.metadata == stored.metadata
    for new, old in zip(made.cells, stored.cells, strict=True):
        assert (new.id, new.cell_type, new.source) == (old.id, old.cell_type, old.source), "run `make tour`"
        assert outputs(new) == outputs(old), f"run `make tour`: {old.source}"


def test_the_stored_tour_is_small_and_says_nothing_of_the_machine() -> None:
    text = notebook.TOUR.read_text()
    assert len(text) < MOST
    assert not re.search(r"/home/|/root/|/tmp/|\d{4}-\d\d-\d\dT|object at 0x|examples/s\b|\"execution\":", text)
    stored = nbformat.read(notebook.TOUR, as_version=4)
    nbformat.validate(stored)
    kinds = {kind for cell in stored.cells for kind, _ in outputs(cell)}
    assert {"image/svg+xml", "image/png", "text/html", "text/plain", "text"} <= kinds
