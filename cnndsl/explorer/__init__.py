"""The explorer: a network as one HTML file, to look around in.

``data`` makes the data, ``page`` puts it into one file with the page, which is built from ``explorer/`` beside the
package and kept in ``built/``. The file needs no network and forbids itself any.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cnndsl.record import Record

if TYPE_CHECKING:
    from cnndsl.network import Network

__all__ = ["Page", "explore"]


class Page(Record, frozen=True):
    """A page that shows a network. ``html`` is all of it."""

    name: str
    html: str

    def save(self, path: str | Path) -> Path:
        """Writes the page to a file, and returns its path. Raises OSError."""
        from cnndsl.writing import given_path, write_file

        file = given_path(path)
        write_file(file, self.html.encode())
        return file

    def __repr__(self) -> str:
        return f"<Page {self.name}: {len(self.html):,} bytes; save(path) writes it>"


def explore(network: Network, *, depth: int | None = None) -> Page:
    """A page to look around in a network: its picture, whose modules unfold at a click, its table, and for each layer
    its arguments, shapes, costs and the line of the spec.

    ``depth`` is the number of levels of modules that are unfolded at first, by default as many as a person
    sees at once.

    >>> cnndsl.explore(cnndsl.load("zoo:resnet18")).save("resnet18.html")
    """
    from cnndsl.explorer.data import as_data
    from cnndsl.explorer.page import page

    if depth is not None and depth < 1:
        raise ValueError(f"depth must be 1 or more, not {depth}")
    data = as_data(network.graph)
    return Page(network.name, page(data["name"], {"networks": [data], "depth": depth}))
