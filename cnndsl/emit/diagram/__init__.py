"""Turns a graph into a diagram.

Each style is a package: ``compact`` is the figure of a paper, ``layers`` a box for every layer, and ``volumes`` has the
feature maps. They share ``labels``, ``themes``, and ``fold``, which finds repetitions. ``fit`` puts a figure on a page,
``mermaid`` writes it for a README, and ``render`` in files. Graphviz comes with pygraphviz's wheel; it runs within this
process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from cnndsl.emit.diagram.dot import identifier
from cnndsl.emit.diagram.options import Colouring, Direction, Options, Style, ThemeName, UnknownPath, paths
from cnndsl.emit.diagram.page import TooSmall
from cnndsl.emit.diagram.render import Diagram, NoFonts, Shrunk, TooLarge
from cnndsl.emit.diagram.themes import Mark
from cnndsl.graph.graph import Graph

if TYPE_CHECKING:
    from cnndsl.emit.diagram.volumes import Volumes

__all__ = ["Diagram", "NoFonts", "Options", "Shrunk", "TooLarge", "TooSmall", "UnknownPath", "diagram"]


def diagram(
    graph: Graph,
    *,
    style: Style = "compact",
    depth: int | None = None,
    rankdir: Direction = "TB",
    show_shapes: bool = True,
    dpi: int | None = None,
    fold: bool = True,
    color: Colouring = "family",
    theme: ThemeName = "light",
    expand: Sequence[str] = (),
    names: bool = False,
    verbose: bool = False,
    marks: Mapping[str, Mark] | None = None,
    fit: str | None = None,
) -> Diagram | Volumes:
    """Draws a network.

    ``style`` is ``compact``, where what papers draw as one box is one, and each block is drawn once beside the network;
    ``layers``, where modules are boxes around their layers; or ``volumes``, where feature maps are boxes to scale, see
    :func:`cnndsl.emit.diagram.volumes.draw`. ``depth`` is the number of levels of modules that
    are opened. ``rankdir`` is the direction of the data flow, ``TB`` from top to bottom. ``dpi`` is the resolution of
    raster images, 144 by default; an image that would be too large gets a lower one, with a warning, or is refused if
    it would be illegible. ``fold`` draws equal consecutive parts once, marked ``x N``. A figure with too many boxes is
    made coarser: folded, with less depth, and finally without the middle of long lists.

    ``color`` is what the colour of a box says: its ``family`` of layers, or its share of ``params``, ``macs`` or
    ``memory``. ``expand`` are paths of modules to draw opened in place. ``names`` writes the names of the layers in the
    ``state_dict``. ``verbose`` writes the arguments that a compact figure leaves out. ``marks`` colours operations by
    their paths, as a comparison of two networks does. ``fit`` is a page, ``a4``, ``letter``, ``slide`` or a size such
    as ``84x60mm``: long chains are broken into columns, and if letters would be smaller than 6 points, the figure has
    less depth. The result's ``told`` says what was chosen.

    Raises TypeError for an argument of a wrong type, and ValueError for a value that there is not; two kinds of it are
    :class:`UnknownPath`, for a path to expand or to mark, and :class:`TooSmall`, which says what page would do.
    """
    given = paths(expand), names, verbose, {} if marks is None else marks, fit
    options = Options(style, depth, rankdir, show_shapes, dpi, fold, color, theme, *given)
    options.check(graph)
    if style == "volumes":
        from cnndsl.emit.diagram import volumes

        return volumes.draw(graph, options)
    drawn = Diagram(identifier(graph.root.name))
    _drawer(options)(graph, drawn, options)
    if dpi is not None:
        drawn.graph_attr["dpi"] = str(dpi)
    return drawn


def _drawer(options: Options) -> Callable[[Graph, Diagram, Options], None]:
    """What fills a diagram in a style, or for a page."""
    if options.style == "layers":
        from cnndsl.emit.diagram import layers

        return layers.draw
    if options.fit:
        from cnndsl.emit.diagram import fit

        return fit.draw
    from cnndsl.emit.diagram import compact

    return compact.draw
