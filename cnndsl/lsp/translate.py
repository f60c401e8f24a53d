"""Answers about a spec in the types of the protocol."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from lsprotocol import types

from cnndsl.diagnostics import Code, Diagnostic, Note
from cnndsl.editing.answers import Completion, Edit, Fix, Hint, Hover, Lens, Symbol
from cnndsl.explanations import page_of
from cnndsl.lsp.client import Client
from cnndsl.lsp.positions import Positions
from cnndsl.lsp.texts import Texts, uri_of
from cnndsl.record import Record
from cnndsl.source import Source, Span

_SEVERITIES = {"error": types.DiagnosticSeverity.Error, "warning": types.DiagnosticSeverity.Warning}
#: What a person may delete: editors show it faded.
_UNNECESSARY = {Code.UNUSED, Code.SILENCED}
_COMPLETIONS = {
    "layer": types.CompletionItemKind.Class,
    "block": types.CompletionItemKind.Module,
    "word": types.CompletionItemKind.Keyword,
    "argument": types.CompletionItemKind.Field,
    "value": types.CompletionItemKind.EnumMember,
    "name": types.CompletionItemKind.Reference,
    "parameter": types.CompletionItemKind.Variable,
    "function": types.CompletionItemKind.Function,
    "file": types.CompletionItemKind.File,
    "key": types.CompletionItemKind.Property,
}
_SYMBOLS = {
    "section": types.SymbolKind.Namespace,
    "block": types.SymbolKind.Class,
    "step": types.SymbolKind.Field,
    "parameter": types.SymbolKind.Variable,
    "file": types.SymbolKind.File,
}


class Translator(Record, frozen=True):
    """Translates for one client, with its URIs of the open texts."""

    client: Client
    texts: Texts

    @property
    def positions(self) -> Positions:
        return Positions(self.client.encoding)

    def range(self, span: Span) -> types.Range:
        return self.positions.range(span)

    def location(self, span: Span) -> types.Location:
        return types.Location(self._uri(span), self.range(span))

    def _uri(self, span: Span) -> str:
        return uri_of(Path(span.source.name), self.texts)

    # --- diagnostics -----------------------------------------------------------------------------

    def diagnostics(self, found: Iterable[Diagnostic]) -> list[types.Diagnostic]:
        return list(map(self.diagnostic, found))

    def diagnostic(self, found: Diagnostic) -> types.Diagnostic:
        """Notes with a place, and the calls that lead to a fault, become related information if the client shows it;
        what else helps is in the message."""
        related = [note for note in found.notes if note.span and self.client.has_related]
        calls = [Note("called here", call) for call in found.calls if self.client.has_related]
        told = [f"in {place}" for place in found.trail]
        told += [f"note: {_placed(note)}" for note in found.notes if note not in related]
        told += [f"help: {found.help}"] if found.help else []
        return types.Diagnostic(
            range=self.range(found.span or Span(Source("", ""), 0, 0)),
            message="\n".join((found.message, *told)),
            severity=_SEVERITIES[found.severity],
            code=found.code.id,
            code_description=types.CodeDescription(page_of(found.code).as_uri()),
            source="cnndsl",
            tags=[types.DiagnosticTag.Unnecessary] if found.code in _UNNECESSARY else None,
            related_information=[self._related(note.message, note.span) for note in (*related, *calls) if note.span]
            or None,
        )

    def _related(self, message: str, span: Span) -> types.DiagnosticRelatedInformation:
        return types.DiagnosticRelatedInformation(self.location(span), message)

    # --- in the text -----------------------------------------------------------------------------

    def hint(self, source: Source, hint: Hint) -> types.InlayHint:
        position = self.positions.position(source, hint.offset)
        return types.InlayHint(position, hint.text, tooltip=hint.tooltip or None, padding_left=True)

    def lens(self, lens: Lens) -> types.CodeLens:
        """With the command to show the uses, which only clients have; others show the words."""
        range = self.range(lens.span)
        command, uri = types.Command(lens.text, ""), self._uri(lens.span)
        if lens.uses and self.client.shows_references:
            uses = list(map(self.location, lens.uses))
            command = types.Command(lens.text, "cnndsl.showReferences", arguments=[uri, range.start, uses])
        return types.CodeLens(range, command)

    def hover(self, hover: Hover) -> types.Hover:
        return types.Hover(self._markup(hover.markdown), self.range(hover.span))

    def completion(self, item: Completion) -> types.CompletionItem:
        snippet = item.snippet if self.client.has_snippets else ""
        return types.CompletionItem(
            item.label,
            kind=_COMPLETIONS[item.kind],
            detail=item.detail or None,
            documentation=self._markup(item.markdown) if item.markdown else None,
            sort_text=f"{item.rank:03}{item.label}",
            filter_text=item.filter or None,
            text_edit=types.TextEdit(self.range(item.span), snippet or item.label),
            insert_text_format=types.InsertTextFormat.Snippet if snippet else None,
            insert_text_mode=types.InsertTextMode.AdjustIndentation if "\n" in snippet else None,
        )

    def _markup(self, markdown: str) -> types.MarkupContent:
        """For a client that does not draw Markdown, it is text, which it is meant to be read as, too."""
        kind = types.MarkupKind.Markdown if self.client.has_markdown else types.MarkupKind.PlainText
        return types.MarkupContent(kind, markdown)

    # --- edits -----------------------------------------------------------------------------------

    def edit(self, edit: Edit) -> types.TextEdit:
        return types.TextEdit(self.range(edit.span), edit.text)

    def edits(self, edits: Iterable[Edit]) -> types.WorkspaceEdit:
        changes: dict[str, list[types.TextEdit]] = {}
        for edit in edits:
            changes.setdefault(self._uri(edit.span), []).append(self.edit(edit))
        return types.WorkspaceEdit(changes)

    def action(self, title: str, kind: str, edits: Sequence[Edit]) -> types.CodeAction:
        return types.CodeAction(title, kind=kind, edit=self.edits(edits))

    def fix(self, fix: Fix) -> types.CodeAction:
        action = self.action(fix.title, types.CodeActionKind.QuickFix, fix.edits)
        action.diagnostics = [self.diagnostic(fix.diagnostic)] if fix.diagnostic else None
        action.is_preferred = fix.is_preferred or None
        return action

    # --- the outline -----------------------------------------------------------------------------

    def symbol(self, symbol: Symbol) -> types.DocumentSymbol:
        return types.DocumentSymbol(
            symbol.name or "…",  # clients refuse an empty one
            _SYMBOLS[symbol.kind],
            self.range(symbol.span),
            self.range(symbol.name_span),
            detail=symbol.detail or None,
            children=list(map(self.symbol, symbol.children)) or None,
        )

    def fold(self, span: Span) -> types.FoldingRange:
        return types.FoldingRange(span.line - 1, span.source.position(max(span.start, span.end - 1))[0] - 1)


def _placed(note: Note) -> str:
    return f"{note.message} ({note.span})" if note.span else note.message
