"""Turns a graph into the picture of its feature maps: boxes to scale, as in papers.

``plan`` decides what is drawn, ``solids`` how large it is, ``layout`` where, and ``paint`` how it looks. The result
is a scene, which ``svg``, ``tikz`` and ``raster`` write.
"""

from __future__ import annotations

import os
from pathlib import Path

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
#: The default resolution of a PNG, in dots per inch.
DPI = 144


class Picture:
    """A picture that writes itself. Notebooks show it as SVG."""

    def __init__(self, scene: Scene, dpi: float = DPI) -> None:
        self.scene, self.dpi = scene, dpi

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
        return as_image(self.scene, format, self.dpi)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes SVG, PNG, PDF or TikZ, by the file's extension. The file is written completely or not at all.

        Raises ValueError for another extension, and OSError.
        """
        path = Path(path)
        if path.suffix.lower() not in FORMATS:
            known = ", ".join(FORMATS)
            raise ValueError(f"volumes are saved as {known}, not as {path.suffix or 'a file without an extension'}")
        check_folder(path)
        write_file(path, self.pipe(FORMATS[path.suffix.lower()]))
        return path


def volumes(graph: Graph, *, depth: int | None = None, show_shapes: bool = True, dpi: float | None = None) -> Picture:
    """Draws the feature maps of a network as boxes to scale, in the direction of the flow, with skips above them.

    ``depth`` is the number of levels of modules that are opened; without it, as many as give at most 40 volumes. Deeper
    modules are one volume each, and equal ones in a row are drawn once. ``show_shapes`` writes channels below a volume
    and sizes beside it. ``dpi`` is the resolution of a PNG.
    """
    return Picture(paint(graph, layout(plan(graph, depth)), show_shapes), dpi or DPI)
