"""Where things are written: the texts of a spec, under names that tell nothing of this machine."""

from __future__ import annotations

import os.path
from pathlib import Path
from typing import Any

from cnndsl.printable import one_line
from cnndsl.source import Source, Span

#: The most characters of all texts together. Of further files, the page has only the lines' numbers.
MOST = 1_000_000


class Places:
    """The sources that spans are in, numbered in the order in which they are asked for; the spec itself is 0."""

    def __init__(self, main: Source) -> None:
        self._folder = os.path.dirname(os.path.abspath(main.name))  # noqa: PTH100, PTH120  # a name may be `<text>`
        self._numbers: dict[int, int] = {}
        self._sources: list[Source] = []
        self._number(main)

    def place(self, span: Span) -> tuple[int, int]:
        """The number of a span's source, and its line."""
        return self._number(span.source), span.line

    def sources(self) -> list[dict[str, Any]]:
        """Name and text of each source so far."""
        room, found = MOST, []
        for source in self._sources:
            room -= len(source.text)
            found.append({"name": self._name(source), "text": source.text if room >= 0 else None})
        return found

    def _number(self, source: Source) -> int:
        if id(source) not in self._numbers:
            self._numbers[id(source)] = len(self._sources)
            self._sources.append(source)
        return self._numbers[id(source)]

    def _name(self, source: Source) -> str:
        """A file's path from the folder of the spec; other sources have names of their own."""
        if source.is_option or not Path(source.name).is_file():
            return one_line(source.name)
        near = os.path.relpath(source.name, self._folder)
        return one_line(Path(source.name).name if near.startswith("..") else Path(near).as_posix())
