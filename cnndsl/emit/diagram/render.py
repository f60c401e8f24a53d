"""The diagram as people hold it: a ``graphviz.Digraph`` that renders itself, within this process."""

from __future__ import annotations

import errno
import io
import os
import re
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

from cnndsl.writing import write_file

#: What ``save`` writes for each ending.
FORMATS = {".svg": "svg", ".png": "png", ".pdf": "pdf", ".dot": "dot", ".gv": "dot"}
#: Formats of pixels, and how many they have to an inch if nobody says.
RASTER, DPI = ("png", "jpg", "jpeg", "gif", "webp"), 144
#: More pixels than this, in all or on one side, are not drawn: ``dpi`` is lowered.
MAX_PIXELS, MAX_SIDE = 64_000_000, 32_000
#: Only the size of figures with more lines of DOT is measured first, as it takes a layout.
LARGE = 300


class Diagram(graphviz.Digraph):  # type: ignore[misc]
    """A ``graphviz.Digraph`` that is laid out and rendered by the Graphviz in pygraphviz's wheel: there
    need be no ``dot`` on the machine, and no process is started. Notebooks show it as SVG.

    ``source`` is its DOT text, ``svg()`` an ``<svg>`` element to put into HTML, and ``save(path)`` writes
    a file. ``pipe`` and ``render`` do what those of ``graphviz.Digraph`` do.
    """

    def svg(self) -> str:
        """The ``<svg>`` element alone, without the XML declaration that a file begins with."""
        text = self.pipe("svg").decode()
        return str(text[text.index("<svg") :])

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes SVG, PNG, PDF or DOT, as the file's ending says. The file is written whole or not at all.

        Raises ValueError for another ending, and :class:`NoFonts`.
        """
        path = Path(path)
        if path.suffix.lower() not in FORMATS:
            known = ", ".join(FORMATS)
            raise ValueError(f"a diagram is saved as {known}, not as {path.suffix or 'a file without an ending'}")
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
        """The diagram in some format of Graphviz's, as bytes, or with an ``encoding`` as text.

        ``dot`` and ``gv`` give the source as it stands, without a layout.
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
        """Writes the source to ``filename`` and beside it the figure, whose path it gives.

        With ``cleanup`` or ``outfile`` the figure alone; :meth:`save` is the shorter way to that.
        """
        if outfile is not None:
            format = format or Path(outfile).suffix.removeprefix(".")
        format = format or self.format
        source = Path(directory or self.directory or "", filename or self.filename)
        target = Path(outfile) if outfile is not None else Path(f"{source}.{format}")
        write_file(target, self.pipe(format, engine=engine))
        if not cleanup and outfile is None:
            write_file(source, self.source.encode())
        if view:
            webbrowser.open(target.resolve().as_uri())
        return str(target)


class NoFonts(OSError):
    """There are no fonts, so an image would show boxes in place of letters."""

    def __init__(self) -> None:
        super().__init__(
            errno.ENOENT,
            "there are no fonts on this machine to draw text with; install some, as by "
            "`apt-get install fonts-dejavu-core`, or save the diagram as SVG, which needs none",
        )


def _draw(source: str, format: str, engine: str, dpi: str | None) -> bytes:
    """``source`` laid out and rendered. Only for formats of pixels is there a ``dpi``."""
    kind = format.partition(":")[0]
    fonts = _fonts()
    if kind in (*RASTER, "pdf") and not fonts:
        raise NoFonts
    if kind in RASTER:
        data = _layout(source, format, engine, _resolution(source, engine, float(dpi or DPI)))
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
            data: bytes = graph.draw(format=format, prog=engine)  # a large graph is warned of on stderr
        except TypeError:  # pygraphviz's, on an error code in place of bytes
            raise ValueError(f"Graphviz writes no {format!r}") from None
    return data


def _resolution(source: str, engine: str, dpi: float) -> float:
    """``dpi``, or less where the image would be too large."""
    if source.count("\n") < LARGE:
        return dpi
    width, height = map(float, _layout(source, "plain", engine, 72).split(maxsplit=4)[2:4])
    return min(dpi, sqrt(MAX_PIXELS / (width * height)), MAX_SIDE / max(width, height))


@cache
def _fonts() -> bool:
    """Whether text comes out as letters: then a PDF has fonts in it.

    The first layout has Fontconfig read how the machine is set up. It is an old one in pygraphviz's
    wheel, and warns on stderr of what it does not know there, once; that is not for our users.
    """
    with _silence():
        return b"/Font" in _layout('digraph { a [fontname="sans-serif"] }', "pdf", "dot", 72)


@contextmanager
def _silence() -> Iterator[None]:
    """In here, what C libraries write to stderr is lost."""
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
    """``svg`` with every line of a label as one text, and centred where its box is a node.

    Graphviz writes where the pieces of a line in an HTML-like label start, in the font that it measured.
    A browser with a narrower or wider one would show them off centre, and apart or on top of each other.
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
