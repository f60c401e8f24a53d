"""Names of steps as they are written: `convs.$i`, `backbone.c4`, `layer$(i + 1)`, in segments with their places."""

from __future__ import annotations

from msgspec import Struct

from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.spec.steps import WrittenName, may_be, written_name
from cnndsl.spec.values import Expression, Literal, Template, Value


class Segment(Struct):
    """What is between two dots: the text that it begins with, and whether values and other texts follow."""

    span: Span
    stem: str = ""
    is_open: bool = False

    @property
    def key(self) -> tuple[str, bool]:
        return self.stem, self.is_open

    def may_be(self, other: Segment) -> bool:
        """Whether two may be the same with some values."""
        longer, shorter = sorted((self, other), key=lambda one: len(one.stem), reverse=True)
        return longer.stem == shorter.stem or (shorter.is_open and longer.stem.startswith(shorter.stem))


class Written(Record, frozen=True):
    """A name of a step, or what refers to one. ``texts`` are those around its values."""

    texts: WrittenName
    segments: tuple[Segment, ...]
    span: Span

    @property
    def text(self) -> str | None:
        """The name, None if it has values in it."""
        return self.texts[0] if len(self.texts) == 1 else None

    def may_be(self, other: Written) -> bool:
        """Whether two names may be the same one with some values."""
        if self.texts == other.texts:
            return True
        if self.text is not None and other.text is not None:
            return False
        if self.text is not None:
            return may_be(other.texts, self.text)
        if other.text is not None:
            return may_be(self.texts, other.text)
        (start, *_, end), (first, *_, last) = self.texts, other.texts
        begins = start.startswith(first) or first.startswith(start)
        return begins and (end.endswith(last) or last.endswith(end))

    def split(self) -> tuple[Written, Segment] | None:
        """The module and its output, if the name has a dot."""
        if len(self.segments) < 2:
            return None
        text, dot, _ = self.texts[-1].rpartition(".")
        return (Written((*self.texts[:-1], text), self.segments[:-1], self.span), self.segments[-1]) if dot else None


def written(value: Value) -> Written:
    """The name that a value is, in segments. Segments without a text of their own are at the place of the value."""
    span = value.span
    match value:
        case Literal(value=str() as text):
            parts: tuple[str | Expression, ...] = (text,)
        case Template(parts=parts):
            pass
        case Expression():
            parts = (value,)
        case _:
            parts = ()
    segments = [Segment(span)]
    at = 0
    for part in parts:
        if isinstance(part, str):
            at = _texts(segments, part, span, at)
        else:
            segments[-1].is_open = True
            at = (part.offset or 0) + len(part.text)
    return Written(written_name(value), tuple(segments), span)


def _texts(segments: list[Segment], text: str, span: Span, at: int) -> int:
    """Adds the texts between dots, from the offset ``at`` of the span. Returns the offset after them."""
    start = span.text.find(text, at)
    for number, piece in enumerate(text.split(".")):
        if number:
            segments.append(Segment(span))
        segment = segments[-1]
        if not segment.is_open and piece:
            segment.stem = piece
            segment.span = span.part(start, start + len(piece)) if start >= 0 else span
        start += (len(piece) + 1) if start >= 0 else 0
    return max(start - 1, at)
