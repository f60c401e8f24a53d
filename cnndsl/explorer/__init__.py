"""The explorer: a network as one HTML file, to look around in.

``data`` makes the data, ``page`` puts it into one file with the page, which is built from ``explorer/`` beside the
package and kept in ``built/``. The file needs no network and forbids itself any.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cnndsl.printable import one_line
from cnndsl.record import Record

if TYPE_CHECKING:
    from cnndsl.compare.compare import Diff
    from cnndsl.graph.graph import Graph
    from cnndsl.network import Network

__all__ = ["Page", "explore"]


#: The height of a page in a notebook, in pixels.
_HEIGHT = 640


class Page(Record, frozen=True):
    """A page that shows a network. ``html`` is all of it. Notebooks show it in a frame."""

    name: str
    html: str

    def save(self, path: str | Path) -> Path:
        """Writes the page to a file, and returns its path. Raises OSError."""
        from cnndsl.writing import given_path, write_file

        file = given_path(path)
        write_file(file, self.html.encode())
        return file

    def _repr_html_(self) -> str:
        from html import escape

        style = f"width: 100%; height: {_HEIGHT}px; border: 1px solid #d5dae0"
        return f'<iframe title="{escape(self.name)}" srcdoc="{escape(self.html)}" style="{style}"></iframe>'

    def __repr__(self) -> str:
        return f"<Page {self.name}: {len(self.html):,} bytes; save(path) writes it>"


def explore(network: Network, other: Network | None = None, *, depth: int | None = None) -> Page:
    """A page to look around in a network: its picture, whose modules unfold at a click, its table, and for each layer
    its arguments, shapes, costs and the line of the spec.

    With an ``other`` network the two are side by side, and what differs between them is coloured and listed. ``depth``
    is the number of levels of modules that are unfolded at first, by default as many as a person sees at once.

    >>> cnndsl.explore(cnndsl.load("zoo:resnet18")).save("resnet18.html")
    """
    if depth is not None and depth < 1:
        raise ValueError(f"depth must be 1 or more, not {depth}")
    if other is None:
        return single(network.graph, depth)
    from cnndsl.compare.compare import compare

    return pair(network.graph, other.graph, compare(network.graph, other.graph), depth)


def single(graph: Graph, depth: int | None = None) -> Page:
    """:func:`explore` for a graph."""
    from cnndsl.explorer.data import as_data
    from cnndsl.explorer.page import page

    data = as_data(graph)
    return Page(data["name"], page(data["name"], {"networks": [data], "depth": depth}))


def pair(left: Graph, right: Graph, diff: Diff, depth: int | None = None) -> Page:
    """:func:`explore` for two graphs and what differs between them."""
    from cnndsl.explorer.comparison import compared
    from cnndsl.explorer.data import as_data
    from cnndsl.explorer.page import page

    found = compared(left, right, diff)
    sides = zip((left, right), (diff.left, diff.right), (found.left, found.right))
    networks = [as_data(graph) | {"name": one_line(side.name), "changes": changes} for graph, side, changes in sides]
    comparison = {"changes": found.changes, "partners": found.partners}
    title = " and ".join(network["name"] for network in networks)
    return Page(title, page(title, {"networks": networks, "depth": depth, "comparison": comparison}))
