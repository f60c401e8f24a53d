"""The answer to each request about a text."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from lsprotocol import types

from cnndsl.editing.analysis import Analysis
from cnndsl.editing.hints import hints, lenses
from cnndsl.lsp.client import Settings
from cnndsl.lsp.formatting import formatting
from cnndsl.lsp.project import related
from cnndsl.lsp.translate import Translator
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

    analysis: Analysis
    translator: Translator
    settings: Settings
    cursor: int | None = None
    users: tuple[Analysis, ...] = ()

    def offset(self, position: types.Position) -> int:
        return self.translator.positions.offset(self.analysis.source, position)

    def span(self, range: types.Range) -> Span:
        return self.translator.positions.span(self.analysis.source, range)

    def others(self) -> tuple[Analysis, ...]:
        return related(self.analysis, self.translator.texts)


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
    return [asked.translator.lens(lens) for lens in lenses(asked.analysis, asked.users)]


def is_at_call(analysis: Analysis, offset: int) -> bool:
    """Whether an offset is in the lines of a call of a block that is called several times."""
    source, line = analysis.source, analysis.source.position(offset)[0]
    uses = [use for lens in lenses(analysis) if len(lens.uses) > 1 for use in lens.uses]
    return any(use.source.name == source.name and use.line <= line <= use.source.position(use.end)[0] for use in uses)


# --- writing -------------------------------------------------------------------------------------


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
    if is_wanted(_FORMAT) and (edits := formatting(source)):
        found.append(translator.action("Format", _FORMAT, edits))
    return found


FEATURES = {
    types.TEXT_DOCUMENT_INLAY_HINT: Feature(_hints, of_users=True),
    types.TEXT_DOCUMENT_CODE_LENS: Feature(_lenses, of_users=True),
    types.TEXT_DOCUMENT_FORMATTING: Feature(_format),
    types.TEXT_DOCUMENT_CODE_ACTION: Feature(
        _actions,
        types.CodeActionOptions([types.CodeActionKind.QuickFix, types.CodeActionKind.SourceFixAll, _FORMAT]),
        cursor=attrgetter("range.start"),
    ),
}
