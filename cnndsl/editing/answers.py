"""What editors are told. Places are spans of the sources that they are in; texts in Markdown are for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from cnndsl.diagnostics import Diagnostic
from cnndsl.record import Record
from cnndsl.source import Span


class Hint(Record, frozen=True):
    """A text shown at an offset of the file, which is not part of it: a shape, behind the step that makes it."""

    offset: int
    text: str
    tooltip: str = ""


class Lens(Record, frozen=True):
    """A line above the line of a span: parameters and MACs. ``uses`` are the calls of the block that it belongs to."""

    span: Span
    text: str
    uses: tuple[Span, ...] = ()


class Hover(Record, frozen=True):
    """What is told of the word at ``span``, in Markdown."""

    span: Span
    markdown: str


class Edit(Record, frozen=True):
    """The text that comes in place of a span, in the file that the span's source is."""

    span: Span
    text: str


def edited(text: str, edits: Sequence[Edit]) -> str:
    """A text with edits, which do not overlap."""
    for edit in sorted(edits, key=lambda edit: -edit.span.start):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text


#: What a completion is, as editors draw it.
Kind: TypeAlias = Literal["layer", "block", "word", "argument", "value", "name", "parameter", "function", "file", "key"]


class Completion(Record, frozen=True):
    """A word that fits at the cursor. ``span`` is what it replaces; ``snippet`` is the text in the syntax of snippets,
    ``$1`` and ``${1:word}`` for the places to fill, or "" if it is the ``label`` itself. ``detail`` is one line,
    ``markdown`` the documentation. ``rank`` comes before the alphabet: small ones are listed first. ``filter`` is what
    an editor compares with the text in the span, "" if that is the ``label``."""

    label: str
    kind: Kind
    span: Span
    snippet: str = ""
    detail: str = ""
    markdown: str = ""
    rank: int = 0
    filter: str = ""


class Fix(Record, frozen=True):
    """A change that a person may want: what it does, and for which diagnostic. ``is_preferred`` is true for the one
    change that mends the diagnostic."""

    title: str
    edits: tuple[Edit, ...]
    diagnostic: Diagnostic | None = None
    is_preferred: bool = False


class Symbol(Record, frozen=True):
    """A part of the outline: ``span`` is all of it, ``name_span`` the words that name it."""

    name: str
    detail: str
    kind: Literal["section", "block", "step", "parameter", "file"]
    span: Span
    name_span: Span
    children: tuple[Symbol, ...] = ()


class Renamed(Record, frozen=True):
    """The edits of a renaming by file, or why there are none."""

    edits: Mapping[Path, tuple[Edit, ...]] = {}
    refusal: str = ""
