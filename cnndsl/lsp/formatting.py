"""Formatting as few edits: what stays as it is keeps its cursors and marks."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher

from cnndsl.diagnostics import SpecError
from cnndsl.editing.answers import Edit
from cnndsl.fmt import Unchanged, format
from cnndsl.source import Source, Span


def formatting(source: Source) -> list[Edit]:
    """The edits that format a text, none if that is impossible: its faults are told already."""
    try:
        laid = format(source.text)
    except (SpecError, Unchanged):
        return []
    if "\r\n" in source.text:  # how lines end is the editor's affair
        laid = laid.replace("\n", "\r\n")
    return [*_edits(source, laid)]


def _edits(source: Source, laid: str) -> Iterator[Edit]:
    old, new = source.text.splitlines(keepends=True), laid.splitlines(keepends=True)
    starts = [0]
    for line in old:
        starts.append(starts[-1] + len(line))
    for tag, first, last, begin, end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            yield Edit(Span(source, starts[first], starts[last]), "".join(new[begin:end]))
