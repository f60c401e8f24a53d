"""Writes tour.ipynb from tour.py: `make tour`. The same source gives the same notebook."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

DOCS = Path(__file__).parent
SOURCE, TOUR = DOCS / "tour.py", DOCS / "tour.ipynb"
#: The seconds that one cell may take.
PATIENCE = 300
#: What differs from run to run, and what is written instead: how long something took, when and where it was.
_CHANGING = {
    r", [\d,]+ examples/s(, [\d.]+ s)?": "",
    r"[\d.]+ examples/sec on cpu\n": "",
    r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d": "TIME",
    r" at 0x[0-9a-f]+": "",
    re.escape(f"{DOCS.parent}/"): "",
}


def main() -> None:
    nbformat.write(executed(cells(SOURCE.read_text())), TOUR)


def cells(text: str) -> NotebookNode:
    """The notebook of a source: what is above the first `# %%` is for its readers only."""
    parts = re.split(r"^# %%(.*)\n", text, flags=re.MULTILINE)[1:]
    made = [
        new_markdown_cell(re.sub(r"^# ?", "", body.strip(), flags=re.MULTILINE))
        if "markdown" in kind
        else new_code_cell(body.strip())
        for kind, body in zip(parts[::2], parts[1::2], strict=True)
    ]
    for number, cell in enumerate(made):
        cell.id = f"cell-{number}"
    return new_notebook(
        cells=made,
        metadata={
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
    )


def executed(notebook: NotebookNode) -> NotebookNode:
    """The notebook with its outputs. Raises :class:`nbclient.exceptions.CellExecutionError` if a cell fails."""
    NotebookClient(
        notebook, timeout=PATIENCE, kernel_name="python3", record_timing=False, coalesce_streams=True
    ).execute()
    notebook.metadata.language_info = {"name": "python"}  # not the version of this machine's Python
    for output in outputs(notebook):
        if "text" in output:
            output.text = _settled(output.text)
        for kind, content in output.get("data", {}).items():
            if kind.startswith("text/"):
                output.data[kind] = _settled(content)
    return notebook


def outputs(notebook: NotebookNode) -> Iterator[Any]:
    return (output for cell in notebook.cells for output in cell.get("outputs", ()))


def _settled(text: str) -> str:
    for pattern, instead in _CHANGING.items():
        text = re.sub(pattern, instead, text)
    return text


if __name__ == "__main__":
    main()
