"""The answer to each request about a text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from cnndsl.editing.analysis import Analysis
from cnndsl.editing.answers import Edit, Fix, Lens
from cnndsl.editing.completion import complete
from cnndsl.editing.fixes import fixes
from cnndsl.editing.hints import hints, lenses
from cnndsl.editing.hover import hover
from cnndsl.editing.names import definition, highlights, prepare, references, rename
from cnndsl.editing.outline import folds, outline
from cnndsl.lsp.client import Settings
from cnndsl.lsp.formatting import formatting
from cnndsl.lsp.project import related
from cnndsl.lsp.translate import Translator
from cnndsl.lsp.workbench import Analysed
from cnndsl.record import Record
from cnndsl.source import Span

#: The command that shows the shapes of a use.
FOLLOW = "cnndsl.follow"
#: After these characters, something is to be chosen.
_TRIGGERS = [*" $(.:[{,-/\"'"]
_FORMAT = "source.format"


class Asked(Record, frozen=True, eq=False):
    """What an answer is made of: the text as it was when somebody asked, where the cursor is as far as that is known,
    and for whom the answer is. ``users`` are other open specs that are made of this one."""

    made: Analysed
    translator: Translator
    settings: Settings
    cursor: int | None = None
    users: tuple[Analysis, ...] = ()

    @property
    def analysis(self) -> Analysis:
        return self.made.analysis

    def offset(self, position: types.Position) -> int:
        return self.translator.positions.offset(self.analysis.source, position)

    def span(self, range: types.Range) -> Span:
        return self.translator.positions.span(self.analysis.source, range)

    def others(self) -> tuple[Analysis, ...]:
        return tuple(related(self.made, self.translator.texts))


class Feature(Record, frozen=True):
    """``cursor`` finds the place of the cursor in what is asked, if the request tells it. A hover tells only where the
    mouse is. ``of_users`` tells whether the answer depends on the users of a file."""

    answer: Callable[[Asked, Any], Any]
    options: Any = None
    cursor: Callable[[Any], types.Position] | None = None
    of_users: bool = False


# --- what is shown in the text -------------------------------------------------------------------


def _hints(asked: Asked, params: types.InlayHintParams) -> list[types.InlayHint]:
    if not asked.settings.hints:
        return []
    span = asked.span(params.range)
    found = hints(asked.analysis, asked.cursor, asked.users)
    return [
        asked.translator.hint(asked.analysis.source, hint) for hint in found if span.start <= hint.offset <= span.end
    ]


def _lenses(asked: Asked, params: types.CodeLensParams) -> list[types.CodeLens]:
    if not asked.settings.lenses:
        return []
    found = lenses(asked.analysis, asked.users)
    return [asked.translator.lens(lens) for lens in found] + [*filter(None, (_next_use(asked, lens) for lens in found))]


def _next_use(asked: Asked, lens: Lens) -> types.CodeLens | None:
    """For a block with several uses in this text: which of them the hints show, with the command to show the next."""
    uses = [use for use in lens.uses if use.source.name == asked.analysis.source.name]
    if len(uses) < 2:
        return None
    shown = next((number for number, use in enumerate(uses) if _is_at(asked.cursor, use)), 0)
    following = asked.translator.location(uses[(shown + 1) % len(uses)])
    title = f"shapes of use {shown + 1} of {len(uses)}"
    command = types.Command(title, FOLLOW, arguments=[following.uri, following.range.start])
    return types.CodeLens(asked.translator.range(lens.span), command)


def _hover(asked: Asked, params: types.HoverParams) -> types.Hover | None:
    found = hover(asked.analysis, asked.offset(params.position))
    return None if found is None else asked.translator.hover(found)


def _highlights(asked: Asked, params: types.DocumentHighlightParams) -> list[types.DocumentHighlight]:
    found = highlights(asked.analysis, asked.offset(params.position))
    return [types.DocumentHighlight(asked.translator.range(span)) for span in found]


def is_at_call(analysis: Analysis, offset: int) -> bool:
    """Whether an offset is in the lines of a call of a block that is called several times."""
    uses = [use for lens in lenses(analysis) if len(lens.uses) > 1 for use in lens.uses]
    return any(use.source.name == analysis.source.name and _is_at(offset, use) for use in uses)


def shows_other_use(asked: Asked, offset: int) -> bool:
    """Whether hints are others with the cursor at an offset."""
    return hints(asked.analysis, asked.cursor) != hints(asked.analysis, offset)


def _is_at(offset: int | None, use: Span) -> bool:
    """Whether an offset is in the lines of a use."""
    position = use.source.position
    return offset is not None and use.line <= position(offset)[0] <= position(use.end)[0]


# --- writing -------------------------------------------------------------------------------------


def _complete(asked: Asked, params: types.CompletionParams) -> list[types.CompletionItem]:
    found = complete(asked.analysis, asked.offset(params.position))
    return [asked.translator.completion(item) for item in found]


def _format(asked: Asked, params: types.DocumentFormattingParams) -> list[types.TextEdit]:
    return list(map(asked.translator.edit, formatting(asked.analysis.source)))


def _actions(asked: Asked, params: types.CodeActionParams) -> list[types.CodeAction]:
    """The changes that a person may want here, of the kinds that the client asks for."""
    only = params.context.only
    translator, source = asked.translator, asked.analysis.source

    def is_wanted(kind: str) -> bool:
        """Whole-text changes are offered only to a client that asks for them."""
        if only is None:
            return kind == types.CodeActionKind.QuickFix
        return any(kind == wanted or kind.startswith(wanted + ".") for wanted in only)

    found = []
    if is_wanted(types.CodeActionKind.QuickFix):
        found += [translator.fix(fix) for fix in fixes(asked.analysis, _whole_lines(asked.span(params.range)))]
    if is_wanted(types.CodeActionKind.SourceFixAll):
        whole = _together(fixes(asked.analysis, Span(source, 0, len(source.text))))
        found += [translator.action("Mend all", types.CodeActionKind.SourceFixAll, whole)] if whole else []
    if is_wanted(_FORMAT) and (edits := formatting(source)):
        found.append(translator.action("Format", _FORMAT, edits))
    return found


def _whole_lines(span: Span) -> Span:
    """Editors ask for what they show, which is fixes of the cursor's line."""
    source = span.source
    last, _ = source.position(span.end)
    return Span(source, source.offset(span.line), source.offset(last) + len(source.line(last)))


def _together(found: Iterable[Fix]) -> list[Edit]:
    """The edits of all preferred fixes that do not touch each other's places."""
    kept: list[Edit] = []
    for fix in found:
        if fix.is_preferred and not any(_touch(edit.span, other.span) for edit in fix.edits for other in kept):
            kept += fix.edits
    return kept


def _touch(one: Span, other: Span) -> bool:
    return one.source.name == other.source.name and one.start <= other.end and other.start <= one.end


# --- names ---------------------------------------------------------------------------------------


def _definition(asked: Asked, params: types.DefinitionParams) -> list[types.Location]:
    return _locations(asked, definition(asked.analysis, asked.offset(params.position)))


def _references(asked: Asked, params: types.ReferenceParams) -> list[types.Location]:
    offset = asked.offset(params.position)
    found = references(asked.analysis, offset, asked.others())
    if not params.context.include_declaration:
        declared = {(span.source.name, span.start) for span in definition(asked.analysis, offset)}
        found = tuple(span for span in found if (span.source.name, span.start) not in declared)
    return _locations(asked, found)


def _locations(asked: Asked, spans: Iterable[Span]) -> list[types.Location]:
    return list(map(asked.translator.location, spans))


def _prepare(asked: Asked, params: types.PrepareRenameParams) -> types.Range | None:
    found = prepare(asked.analysis, asked.offset(params.position))
    return None if found is None else asked.translator.range(found)


def _rename(asked: Asked, params: types.RenameParams) -> types.WorkspaceEdit:
    renamed = rename(asked.analysis, asked.offset(params.position), params.new_name, asked.others())
    if renamed.refusal:
        raise JsonRpcException(renamed.refusal, types.LSPErrorCodes.RequestFailed.value)
    return asked.translator.edits(edit for edits in renamed.edits.values() for edit in edits)


# --- the outline ---------------------------------------------------------------------------------


def _symbols(asked: Asked, params: types.DocumentSymbolParams) -> list[types.DocumentSymbol]:
    return list(map(asked.translator.symbol, outline(asked.analysis)))


def _folds(asked: Asked, params: types.FoldingRangeParams) -> list[types.FoldingRange]:
    return list(map(asked.translator.fold, folds(asked.analysis)))


FEATURES = {
    types.TEXT_DOCUMENT_INLAY_HINT: Feature(_hints, of_users=True),
    types.TEXT_DOCUMENT_CODE_LENS: Feature(_lenses, of_users=True),
    types.TEXT_DOCUMENT_HOVER: Feature(_hover),
    types.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT: Feature(_highlights, cursor=attrgetter("position")),
    types.TEXT_DOCUMENT_COMPLETION: Feature(_complete, types.CompletionOptions(trigger_characters=_TRIGGERS)),
    types.TEXT_DOCUMENT_FORMATTING: Feature(_format),
    types.TEXT_DOCUMENT_CODE_ACTION: Feature(
        _actions,
        types.CodeActionOptions([types.CodeActionKind.QuickFix, types.CodeActionKind.SourceFixAll, _FORMAT]),
        cursor=attrgetter("range.start"),
    ),
    types.TEXT_DOCUMENT_DEFINITION: Feature(_definition),
    types.TEXT_DOCUMENT_REFERENCES: Feature(_references),
    types.TEXT_DOCUMENT_PREPARE_RENAME: Feature(_prepare),
    types.TEXT_DOCUMENT_RENAME: Feature(_rename),
    types.TEXT_DOCUMENT_DOCUMENT_SYMBOL: Feature(_symbols),
    types.TEXT_DOCUMENT_FOLDING_RANGE: Feature(_folds),
}
