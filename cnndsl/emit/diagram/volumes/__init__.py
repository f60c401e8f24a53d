"""Turns a graph into the picture of its feature maps: boxes to scale, as in papers.

``plan`` decides what is drawn, ``solids`` how large it is, ``layout`` where, and ``paint`` how it looks. The result
is a scene, which ``svg``, ``tikz`` and ``raster`` write.
"""

from __future__ import annotations

import os
from pathlib import Path

from cnndsl.emit.diagram.options import Options
from cnndsl.emit.diagram.render import DPI, resolution, told_as
from cnndsl.emit.diagram.volumes.fitting import fit
from cnndsl.emit.diagram.volumes.layout import layout
from cnndsl.emit.diagram.volumes.paint import paint
from cnndsl.emit.diagram.volumes.plan import plan
from cnndsl.emit.diagram.volumes.raster import as_image
from cnndsl.emit.diagram.volumes.scene import Scene
from cnndsl.emit.diagram.volumes.svg import as_svg
from cnndsl.emit.diagram.volumes.tikz import as_tikz
from cnndsl.graph.graph import Graph
from cnndsl.writing import check_folder, write_file

#: The format that ``save`` writes for each file extension.
FORMATS = {".svg": "svg", ".png": "png", ".pdf": "pdf", ".tex": "tex"}


class Volumes:
    """A picture that writes itself. Notebooks show it as SVG. ``told`` says how it was fitted to a page."""

    def __init__(self, scene: Scene, dpi: float, told: str = "") -> None:
        self.scene, self.dpi, self.told = scene, dpi, told

    def __repr__(self) -> str:
        return told_as(self, self.scene.name)

    def svg(self) -> str:
        """The ``<svg>`` element alone, without the XML declaration of a file."""
        text = as_svg(self.scene)
        return text[text.index("<svg") :]

    _repr_svg_ = svg

    def pipe(self, format: str) -> bytes:
        """The picture as ``svg``, ``png``, ``pdf`` or ``tex``."""
        if format == "svg":
            return as_svg(self.scene).encode()
        if format == "tex":
            return as_tikz(self.scene).encode()
        size = self.scene.width / 72, self.scene.height / 72
        return as_image(self.scene, format, resolution(*size, self.dpi) if format == "png" else self.dpi)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes SVG, PNG, PDF or TikZ, by the file's extension. The file is written completely or not at all.

        Raises ValueError for another extension, :class:`~cnndsl.emit.diagram.render.TooLarge`, and OSError.
        """
        path = Path(path)
        if path.suffix.lower() not in FORMATS:
            known = ", ".join(FORMATS)
            raise ValueError(f"volumes are saved as {known}, not as {path.suffix or 'a file without an extension'}")
        check_folder(path)
        write_file(path, self.pipe(FORMATS[path.suffix.lower()]))
        return path


def draw(graph: Graph, options: Options) -> Volumes:
    """Draws the feature maps of a network as boxes to scale, in the direction of the flow, with skips above them.

    Of the options it takes ``depth``, by default as much as gives at most 40 volumes; deeper modules are one volume
    each, and equal ones in a row are drawn once. ``show_shapes`` writes channels below a volume and sizes beside it.
    ``theme``, and ``dpi`` for a PNG, are as in other styles. ``fit`` breaks a long picture into rows; if letters would
    be smaller than 6 points, it has less depth. Raises :class:`~cnndsl.emit.diagram.page.TooSmall`.
    """
    if options.page:
        scene, told = fit(graph, options, options.page)
        return Volumes(scene, options.dpi or DPI, told)
    scene = paint(graph, layout(plan(graph, options.depth)), options.show_shapes, options.colours)
    return Volumes(scene, options.dpi or DPI)
