"""Places: source texts, and the spans in them that every value keeps."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property

from cnndsl import zoo
from cnndsl.printable import one_line
from cnndsl.record import Record

_LINE_END = re.compile(r"\r\n|\r|\n")


class Source(Record, frozen=True, dict=True):
    """A text and its name: the path of a file, or ``<text>``, or ``-p classes``, or ``argument classes``.

    ``is_option`` tells whether it was given on the command line or as an argument in Python, where people see it.
    """

    name: str
    text: str
    is_option: bool = False

    @cached_property
    def shown(self) -> str:
        """The name for people, on one line: a spec of the zoo by its name there, not by the path of its file."""
        return one_line(zoo.shown(self.name))

    @cached_property
    def _starts(self) -> list[int]:
        """The offset of every line's first character. Lines end where editors end them, so not at U+2028."""
        return [0, *(end.end() for end in _LINE_END.finditer(self.text))]

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both from 1. A column counts characters, not bytes."""
        line = bisect_right(self._starts, min(offset, len(self.text)))
        return line, offset - self._starts[line - 1] + 1

    def offset(self, number: int) -> int:
        """The offset of a line, counted from 1."""
        return self._starts[number - 1]

    def line(self, number: int) -> str:
        """The text of a line, counted from 1, without its end."""
        if number > len(self._starts):
            return ""
        end = _LINE_END.search(self.text, start := self._starts[number - 1])
        return self.text[start : end.start()] if end else self.text[start:]


class Span(Record, frozen=True):
    """Characters ``start`` to ``end`` (exclusive) of a source."""

    source: Source
    start: int
    end: int

    @property
    def line(self) -> int:
        return self.source.position(self.start)[0]

    @property
    def column(self) -> int:
        return self.source.position(self.start)[1]

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    def part(self, start: int, end: int) -> Span:
        """Characters ``start`` to ``end`` of this span."""
        return Span(self.source, self.start + start, self.start + end)

    @property
    def first_line(self) -> Span:
        """This span cut at the end of its first line, since carets point at one line."""
        end = _LINE_END.search(self.source.text, self.start, self.end)
        line = self.source.text[self.start : end.start() if end else self.end]
        return self.part(0, len(line.rstrip()))

    def __repr__(self) -> str:
        return f"<{self}>"

    def __str__(self) -> str:
        name = self.source.shown
        return name if self.source.is_option else f"{name}:{self.line}:{self.column}"
