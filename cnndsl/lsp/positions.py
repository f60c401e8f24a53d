"""Positions of the protocol, and offsets in a text."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from itertools import accumulate

from lsprotocol import types

from cnndsl.record import Record
from cnndsl.source import Source, Span

#: How many units a character takes in each encoding that a client may ask for.
_UNITS: Mapping[str, Callable[[str], int]] = {
    "utf-8": lambda character: 1 + (character >= "\x80") + (character >= "\u0800") + (character >= "\U00010000"),
    "utf-16": lambda character: 1 + (character >= "\U00010000"),
    "utf-32": lambda character: 1,
}


class Positions(Record, frozen=True):
    """Translates between offsets, which count characters, and positions: a line from 0, and the units of ``encoding``
    in front of a character of this line. UTF-16 is what every client understands."""

    encoding: str = "utf-16"

    def position(self, source: Source, offset: int) -> types.Position:
        line, column = source.position(offset)
        return types.Position(line - 1, self._units(source.text[offset - column + 1 : offset]))

    def range(self, span: Span) -> types.Range:
        return types.Range(self.position(span.source, span.start), self.position(span.source, span.end))

    def offset(self, source: Source, position: types.Position) -> int:
        """The offset of a position. As the protocol asks, one behind the end of its line is at this end; one behind the
        last line is at the end of the text. A position within a character is before it."""
        if position.line >= source.position(len(source.text))[0]:
            return len(source.text)
        line = source.line(position.line + 1)
        return source.offset(position.line + 1) + self._characters(line, position.character)

    def span(self, source: Source, range: types.Range) -> Span:
        start, end = sorted((self.offset(source, range.start), self.offset(source, range.end)))
        return Span(source, start, end)

    def _units(self, text: str) -> int:
        return len(text) if text.isascii() else sum(map(_UNITS[self.encoding], text))

    def _characters(self, text: str, units: int) -> int:
        """How many characters of a text are within its first units."""
        if text.isascii():
            return min(units, len(text))
        return bisect_right([*accumulate(map(_UNITS[self.encoding], text))], units)
