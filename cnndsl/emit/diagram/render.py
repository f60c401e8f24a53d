"""The diagram object: a ``graphviz.Digraph`` that renders itself, within this process."""

from __future__ import annotations

import errno
import io
import os
import re
import warnings
import webbrowser
from collections.abc import Iterator
from contextlib import closing, contextmanager, redirect_stderr
from functools import cache
from itertools import groupby
from math import sqrt
from pathlib import Path
from typing import Any

import graphviz
import pygraphviz

from cnndsl.writing import check_folder, write_file

#: The format that ``save`` writes for each file extension.
FORMATS = {".svg": "svg", ".png": "png", ".pdf": "pdf", ".dot": "dot", ".gv": "dot"}
#: Raster formats, and their default resolution in dots per inch.
RASTER, DPI = ("png", "jpg", "jpeg", "gif", "webp"), 144
#: Limits on the pixels of an image, in total and per side: ``dpi`` is lowered to keep them, with a warning.
MAX_PIXELS, MAX_SIDE = 64_000_000, 32_000
#: With fewer dots per inch an image is illegible, and only drawn on request.
LEGIBLE = 40
#: Only figures with more lines of DOT are measured first, since that takes a layout.
LARGE = 300
#: In the DOT of a figure that has its places already, and is measured in no time.
PLACED = "layout=nop2"


class Diagram(graphviz.Digraph):  # type: ignore[misc]
    """A ``graphviz.Digraph`` that is laid out and rendered by the Graphviz in pygraphviz's wheel: no ``dot``
    needs to be installed, and no process is started. Notebooks show it as SVG.

    ``source`` is its DOT text, ``svg()`` returns an ``<svg>`` element to embed in HTML, and ``save(path)`` writes
    a file. ``pipe`` and ``render`` work as in ``graphviz.Digraph``. ``told`` says how it was fitted to a page.
    """

    told = ""

    def __repr__(self) -> str:
        return told_as(self, self.name)

    def svg(self) -> str:
        """The ``<svg>`` element alone, without the XML declaration of a file."""
        text = self.pipe("svg").decode()
        return str(text[text.index("<svg") :])

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes SVG, PNG, PDF or DOT, by the file's extension. The file is written completely or not at all.

        Raises ValueError for another extension, :class:`TooLarge`, :class:`NoFonts`, and OSError.
        """
        path = Path(path)
        if path.suffix.lower() not in FORMATS:
            known = ", ".join(FORMATS)
            raise ValueError(f"a diagram is saved as {known}, not as {path.suffix or 'a file without an extension'}")
        check_folder(path)
        write_file(path, self.pipe(FORMATS[path.suffix.lower()]))
        return path

    def pipe(
        self,
        format: str | None = None,
        renderer: str | None = None,
        formatter: str | None = None,
        neato_no_op: object = None,
        quiet: bool = False,
        *,
        engine: str | None = None,
        encoding: str | None = None,
    ) -> Any:
        """The diagram in a format of Graphviz, as bytes, or with an ``encoding`` as text.

        ``dot`` and ``gv`` return the source unchanged, without a layout.
        """
        format = format or self.format
        if format in ("dot", "gv"):
            data = self.source.encode()
        else:
            written = ":".join(part for part in (format, renderer, formatter) if part)
            data = _draw(self.source, written, engine or self.engine, self.graph_attr.get("dpi"))
        return data.decode(encoding) if encoding else data

    def render(
        self,
        filename: str | os.PathLike[str] | None = None,
        directory: str | os.PathLike[str] | None = None,
        view: bool = False,
        cleanup: bool = False,
        format: str | None = None,
        *args: Any,
        outfile: str | os.PathLike[str] | None = None,
        engine: str | None = None,
        **options: Any,
    ) -> str:
        """Writes the source to ``filename`` and the figure next to it, and returns the path of the figure.

        With ``cleanup`` or ``outfile`` it writes only the figure; :meth:`save` is shorter.
        """
        if outfile is not None:
            format = format or Path(outfile).suffix.removeprefix(".")
        format = format or self.format
        source = Path(directory or self.directory or "", filename or self.filename)
        target = Path(outfile) if outfile is not None else Path(f"{source}.{format}")
        target.parent.mkdir(parents=True, exist_ok=True)
        write_file(target, self.pipe(format, engine=engine))
        if not cleanup and outfile is None:
            write_file(source, self.source.encode())
        if view:
            webbrowser.open(target.resolve().as_uri())
        return str(target)


def told_as(drawing: Any, name: str) -> str:
    """The ``repr`` of a drawing: what it is of, and how it was fitted to a page."""
    return f"<{type(drawing).__name__} of {name}{f', {drawing.told}' if drawing.told else ''}>"


class TooLarge(ValueError):
    """A raster image that would be illegible within the limit on pixels."""

    def __init__(self, dpi: float) -> None:
        super().__init__(
            f"the diagram is too large for a raster image: at {int(dpi)} dots per inch at most it would be illegible; "
            f"use SVG or PDF, draw less with depth or fold, or ask for {int(dpi)} dpi"
        )


class Shrunk(UserWarning):
    """An image has fewer dots per inch than requested."""


class NoFonts(OSError):
    """There are no fonts, so an image would show boxes instead of letters."""

    def __init__(self) -> None:
        super().__init__(
            errno.ENOENT,
            "this machine has no fonts to draw text with; install some, such as by "
            "`apt-get install fonts-dejavu-core`, or save the diagram as SVG, which needs none",
        )


def _draw(source: str, format: str, engine: str, dpi: str | None) -> bytes:
    """``source`` laid out and rendered. ``dpi`` applies to raster formats only."""
    kind = format.partition(":")[0]
    fonts = _fonts()
    if kind in (*RASTER, "pdf") and not fonts:
        raise NoFonts
    if kind in RASTER:
        data = _layout(source, format, engine, _resolution(source, engine, dpi))
    else:
        data = _layout(source, format, engine, 72)
    if kind == "svg":
        return _centre(data.decode()).encode()
    if kind == "pdf":
        return re.sub(rb"/CreationDate \(D:\d{14}", b"/CreationDate (D:19700101000000", data)
    return data


def _layout(source: str, format: str, engine: str, dpi: float) -> bytes:
    with closing(pygraphviz.AGraph(string=source)) as graph, redirect_stderr(io.StringIO()):
        graph.graph_attr["dpi"] = f"{dpi:g}"
        try:
            data: bytes = graph.draw(format=format, prog=engine)  # Graphviz warns about large graphs on stderr
        except TypeError:  # raised by pygraphviz, which got an error code instead of bytes
            raise ValueError(f"Graphviz cannot write {format!r}") from None
    return data


def _resolution(source: str, engine: str, asked: str | None) -> float:
    """The dots per inch for a diagram, as :func:`resolution` gives them."""
    dpi = float(asked or DPI)
    size = _size(source, engine)
    return resolution(*size, dpi) if size else dpi


def _size(source: str, engine: str) -> tuple[float, float] | None:
    """Width and height of a diagram in inches, None for one that is certainly small: that saves a layout."""
    if page := re.search(r'viewport="([\d.]+),([\d.]+)', source):
        return float(page[1]) / 72, float(page[2]) / 72
    if source.count("\n") < LARGE and PLACED not in source:
        return None
    width, height = map(float, _layout(source, "plain", engine, 72).split(maxsplit=4)[2:4])
    return width, height


def resolution(width: float, height: float, dpi: float) -> float:
    """The dots per inch for an image of some inches: those requested, or fewer if it would be too large.

    Fewer give a warning, :class:`Shrunk`. Raises :class:`TooLarge` if the image would be illegible.
    """
    most = min(sqrt(MAX_PIXELS / (width * height)), MAX_SIDE / max(width, height))
    if most >= dpi:
        return dpi
    if most < LEGIBLE:
        raise TooLarge(most)
    told = f"the diagram is large: {int(most)} dots per inch instead of {dpi:g}; SVG and PDF have no such limit"
    warnings.warn(told, Shrunk, stacklevel=5)
    return int(most)


@cache
def _fonts() -> bool:
    """Whether there are fonts to draw text with: then a PDF contains one.

    The first layout makes Fontconfig read its settings. The version in pygraphviz's wheel is old, and warns once on
    stderr about settings that it does not know; users need not see that.
    """
    with _silence():
        return b"/Font" in _layout('digraph { a [fontname="sans-serif"] }', "pdf", "dot", 72)


@contextmanager
def _silence() -> Iterator[None]:
    """Discards what C libraries write to stderr in here."""
    try:
        stderr = os.dup(2)
    except OSError:  # there is none
        yield
        return
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


_BOX = re.compile(r'<g id="\w+" class="(graph|node|cluster)".*?(?=<g |</g>|<!--)', re.DOTALL)
_TEXT = re.compile(r'<text xml:space="preserve" text-anchor="start" x="([^"]*)" y="([^"]*)" ([^>]*)>([^<]*)</text>\n')
_X = re.compile(r'(?:cx="|[ "MC])(-?[\d.]+)(?:,|" cy)')


def _centre(svg: str) -> str:
    """``svg`` with each line of a label as one text, centred if its box is a node.

    Graphviz writes the position of each piece of a line in an HTML-like label, for the font that it measured.
    In a browser with a narrower or wider font, the pieces would be off centre, and apart or overlapping.
    """

    def rewrite(box: re.Match[str]) -> str:
        pieces = list(_TEXT.finditer(box[0]))
        xs = [float(x) for x in _X.findall(box[0].partition("<text")[0])]
        if not pieces or not xs:
            return box[0]
        lines = []
        for y, group in groupby(pieces, lambda piece: piece[2]):
            line = [*group]
            place = f'start" x="{line[0][1]}' if box[1] == "cluster" else f'middle" x="{(min(xs) + max(xs)) / 2:.2f}'
            spans = "".join(f"<tspan {piece[3]}>{piece[4]}</tspan>" for piece in line)
            lines.append(f'<text xml:space="preserve" text-anchor="{place}" y="{y}">{spans}</text>\n')
        return box[0][: pieces[0].start()] + "".join(lines) + box[0][pieces[-1].end() :]

    return _BOX.sub(rewrite, svg)
