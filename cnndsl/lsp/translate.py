"""Answers about a spec in the types of the protocol."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lsprotocol import types

from cnndsl.diagnostics import Code, Diagnostic
from cnndsl.editing.answers import Edit
from cnndsl.explanations import page_of
from cnndsl.lsp.positions import Positions
from cnndsl.lsp.texts import Texts, uri_of
from cnndsl.record import Record
from cnndsl.source import Source, Span

_SEVERITIES = {"error": types.DiagnosticSeverity.Error, "warning": types.DiagnosticSeverity.Warning}
#: What a person may delete: editors show it faded.
_UNNECESSARY = {Code.UNUSED, Code.SILENCED}


class Translator(Record, frozen=True):
    """Translates for one client: with its positions, its URIs of the open texts, and what it can show."""

    positions: Positions
    texts: Texts
    has_related: bool = True

    def range(self, span: Span) -> types.Range:
        return self.positions.range(span)

    def location(self, span: Span) -> types.Location:
        return types.Location(uri_of(Path(span.source.name), self.texts), self.range(span))

    def edit(self, edit: Edit) -> types.TextEdit:
        return types.TextEdit(self.range(edit.span), edit.text)

    def diagnostic(self, found: Diagnostic) -> types.Diagnostic:
        """Notes with a place become related information if the client shows it; what else helps is in the message."""
        related = [note for note in found.notes if note.span is not None] if self.has_related else []
        notes = [f"note: {note.message}{f' ({note.span})' * bool(note.span)}" for note in found.notes]
        told = [note for note, own in zip(notes, found.notes) if own not in related]
        help = [f"help: {found.help}"] if found.help else []
        return types.Diagnostic(
            range=self.range(found.span or Span(Source("", ""), 0, 0)),
            message="\n".join([found.message, *(f"in {place}" for place in found.trail), *told, *help]),
            severity=_SEVERITIES[found.severity],
            code=found.code.id,
            code_description=types.CodeDescription(page_of(found.code).as_uri()),
            source="cnndsl",
            tags=[types.DiagnosticTag.Unnecessary] if found.code in _UNNECESSARY else None,
            related_information=[
                types.DiagnosticRelatedInformation(self.location(note.span), note.message)
                for note in related
                if note.span is not None
            ]
            or None,
        )

    def diagnostics(self, found: Iterable[Diagnostic]) -> list[types.Diagnostic]:
        return list(map(self.diagnostic, found))
