"""Definitions and references of blocks, parameters, loop and `let` names, steps and inputs; and new names for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from cnndsl.editing.analysis import Analysis
from cnndsl.editing.naming.project import Project, named_files
from cnndsl.editing.naming.renaming import rename
from cnndsl.source import Span
from cnndsl.spec.files import read_text
from cnndsl.spec.tree import Unreadable

__all__ = ["definition", "highlights", "prepare", "references", "rename"]


def definition(analysis: Analysis, offset: int) -> tuple[Span, ...]:
    """The places that define the name at an offset: several if `when` decides which step has it. The name of a file
    leads to its beginning."""
    found = Project.alone(analysis).at(analysis, offset)
    return found[0].definitions if found else tuple(_files_at(analysis, offset))


def _files_at(analysis: Analysis, offset: int) -> Iterator[Span]:
    for _, span, path in named_files(analysis):
        if span.start <= offset <= span.end:
            with suppress(Unreadable):
                yield Span(read_text(path, files=analysis.files), 0, 0)


def references(analysis: Analysis, offset: int, others: Sequence[Analysis] = ()) -> tuple[Span, ...]:
    """All places that name what is at an offset, its definitions among them, in this and other files."""
    found = Project.of(analysis, others).at(analysis, offset)
    return found[0].spans if found else ()


def highlights(analysis: Analysis, offset: int) -> tuple[Span, ...]:
    """The :func:`references` in the same file."""
    path = analysis.path.resolve()
    found = Project.alone(analysis).at(analysis, offset)
    return tuple(span for span in found[0].spans if Path(span.source.name).resolve() == path) if found else ()


def prepare(analysis: Analysis, offset: int) -> Span | None:
    """The place of the name at an offset, None if there is none that could be changed."""
    found = Project.alone(analysis).at(analysis, offset)
    return found[1] if found and found[0].stem else None
