"""Turns a graph into a diagram.

Each style is a package: ``compact`` is the figure of a paper, ``layers`` a box for every layer. They share ``labels``,
``themes``, ``fold``, which finds repetitions, and ``render``, which writes files. Graphviz comes with pygraphviz's
wheel; it runs within this process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from cnndsl.emit.diagram.dot import identifier
from cnndsl.emit.diagram.options import Colouring, Direction, Options, Style, ThemeName
from cnndsl.emit.diagram.render import Diagram, NoFonts, Shrunk, TooLarge
from cnndsl.emit.diagram.themes import Mark
from cnndsl.graph.graph import Graph

__all__ = ["Diagram", "NoFonts", "Options", "Shrunk", "TooLarge", "diagram"]


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
) -> Diagram:
    """Draws a network.

    ``style`` is ``compact``, where what papers draw as one box is one, and each block is drawn once beside the network,
    or ``layers``, where modules are boxes around their layers. ``depth`` is the number of levels of modules that
    are opened. ``rankdir`` is the direction of the data flow, ``TB`` from top to bottom. ``dpi`` is the resolution of
    raster images, 144 by default; an image that would be too large gets a lower one, with a warning, or is refused if
    it would be illegible. ``fold`` draws equal consecutive parts once, marked ``x N``. A figure with too many boxes is
    made coarser: folded, with less depth, and finally without the middle of long lists.

    ``color`` is what the colour of a box says: its ``family`` of layers, or its share of ``params``, ``macs`` or
    ``memory``. ``expand`` are paths of modules to draw opened in place. ``names`` writes the names of the layers in the
    ``state_dict``. ``verbose`` writes the arguments that a compact figure leaves out. ``marks`` colours operations by
    their paths, as a comparison of two networks does.

    Raises ValueError for a value that there is not, and for a path that is not a module.
    """
    options = Options(
        style, depth, rankdir, show_shapes, dpi, fold, color, theme, tuple(expand), names, verbose, marks or {}
    )
    options.check(graph)
    drawn = Diagram(identifier(graph.root.name))
    _drawer(options.style)(graph, drawn, options)
    if dpi is not None:
        drawn.graph_attr["dpi"] = str(dpi)
    return drawn


def _drawer(style: Style) -> Callable[[Graph, Diagram, Options], None]:
    """What fills a diagram in a style."""
    if style == "layers":
        from cnndsl.emit.diagram import layers

        return layers.draw
    from cnndsl.emit.diagram import compact

    return compact.draw
