"""Offsets as the page counts them: in units of UTF-16, with one character for each line end."""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path

from cnndsl.serve.messages import Place
from cnndsl.serve.project import Project
from cnndsl.source import Source, Span

#: What the page counts otherwise than Python: as two, and as one.
_OTHER = re.compile(r"[\U00010000-\U0010ffff]|\r\n")


class Units:
    """Between the offsets of a text and those of the page."""

    def __init__(self, text: str) -> None:
        self.length = len(text)
        plain = text.isascii() and "\r" not in text
        found = [] if plain else [(match.end(), 1 if match[0] != "\r\n" else -1) for match in _OTHER.finditer(text)]
        self._ends = [end for end, _ in found]
        self._more = [0, *accumulate(more for _, more in found)]
        self._their_ends = [end + more for end, more in zip(self._ends, self._more[1:])]

    def theirs(self, offset: int) -> int:
        """An offset of the text, as the page counts."""
        return offset + self._more[bisect_right(self._ends, offset)]

    def ours(self, offset: int) -> int:
        """An offset of the page, in the text; one outside of it is moved to its start or its end."""
        found = offset - self._more[bisect_right(self._their_ends, offset)]
        return min(max(found, 0), self.length)


class Spots:
    """Turns spans into places, for answers about the text of ``source``, which is open in the page."""

    def __init__(self, source: Source, project: Project) -> None:
        self.open, self.project = source.name, project
        self.units = Units(source.text)
        self._units = {source.name: self.units}

    def of(self, span: Span) -> Place:
        name = span.source.name
        if name not in self._units:
            self._units[name] = Units(span.source.text)
        start, end = map(self._units[name].theirs, (span.start, span.end))
        spec = "" if name == self.open else self.project.spec_of(Path(name))
        return Place(start, end, span.line, span.column, spec)

    def maybe(self, span: Span | None) -> Place | None:
        """The place of a span that is in a file."""
        return self.of(span) if span and not span.source.is_option else None
