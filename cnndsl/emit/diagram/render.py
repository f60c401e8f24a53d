"""The diagram as people hold it: a ``graphviz.Digraph`` that needs no Graphviz on the machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal, overload

import graphviz
import pygraphviz

FORMATS = {".svg": "svg", ".png": "png", ".pdf": "pdf", ".dot": "dot", ".gv": "dot"}


class Diagram(graphviz.Digraph):  # type: ignore[misc]
    """A ``graphviz.Digraph`` laid out and rendered within this process, by the Graphviz that comes
    with the pygraphviz wheel: no ``dot`` is looked for or run. Notebooks show it as SVG."""

    def pipe(self, format: str | None = None, *args: Any, engine: str | None = None, encoding: str | None = None, **kwargs: Any) -> Any:
        data = _draw(self.source, format or self.format, engine or self.engine)
        return data.decode(encoding) if encoding else data

    def svg(self) -> str:
        text = self.pipe("svg", encoding="utf-8")
        return text[text.index("<svg") :]

    def save(self, path, *a, **k):
        path = Path(path)
        fmt = FORMATS[path.suffix]
        path.write_bytes(self.source.encode() if fmt == "dot" else self.pipe(fmt))


def _draw(source: str, format: str, engine: str) -> bytes:
    return pygraphviz.AGraph(string=source).draw(format=format, prog=engine)
