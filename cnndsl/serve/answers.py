"""Answers to the questions of a page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from cnndsl.diagnostics import SpecError
from cnndsl.editing.answers import Fix
from cnndsl.editing.completion import complete
from cnndsl.editing.fixes import fixes
from cnndsl.editing.hover import hover
from cnndsl.editing.names import definition, references
from cnndsl.explanations import explain, labelled
from cnndsl.fmt import Unchanged, format
from cnndsl.serve.faults import fault
from cnndsl.serve.messages import (
    Ask,
    CompletionOf,
    Completions,
    EditOf,
    Fixes,
    FixOf,
    Formatted,
    Hovered,
    Listing,
    Places,
    Refused,
    Told,
    Zoo,
)
from cnndsl.serve.project import Project
from cnndsl.serve.results import Text
from cnndsl.source import Span
from cnndsl.zoo import family, source, specs


def answer(ask: Ask, text: Text | None, project: Project) -> Told:
    """The answer to a question about a text, None if nothing is open."""
    if ask.what == "specs":
        return listing(ask, project)
    if ask.what == "explain":
        return explanation(ask)
    if text is None:
        return Refused("ask", "missing", "no spec is open", id=ask.id)
    try:
        return _ANSWERS[ask.what](ask, text)
    except Exception as error:
        return fault(error, "ask", ask.id)


def listing(ask: Ask, project: Project) -> Listing:
    """The specs that can be opened."""
    found, is_whole = project.listed()
    return Listing(ask.id, found, tuple(Zoo(name, family(name), source(name)) for name in specs()), is_whole)


def explanation(ask: Ask) -> Told:
    try:
        return Hovered(ask.id, 0, None, labelled(explain(ask.code)))
    except ValueError as error:
        return Refused("ask", "missing", str(error), id=ask.id)


def formatted(ask: Ask, text: Text) -> Told:
    try:
        return Formatted(ask.id, text.version, format(text.analysis.source.text))
    except SpecError as error:
        return Refused("ask", "unformatted", error.diagnostics[0].message, id=ask.id)
    except Unchanged as error:
        return Refused("ask", "unformatted", f"the text cannot be formatted: {error}", id=ask.id)


def defined(ask: Ask, text: Text) -> Places:
    return _places(ask, text, definition(text.analysis, _offset(ask, text)))


def used(ask: Ask, text: Text) -> Places:
    return _places(ask, text, references(text.analysis, _offset(ask, text)))


def _places(ask: Ask, text: Text, spans: Iterable[Span]) -> Places:
    return Places(ask.id, text.version, tuple(map(text.spots.of, spans)))


def _offset(ask: Ask, text: Text) -> int:
    return text.spots.units.ours(ask.at)


def completions(ask: Ask, text: Text) -> Completions:
    units = text.spots.units
    items = tuple(
        CompletionOf(
            item.label,
            item.kind,
            units.theirs(item.span.start),
            units.theirs(item.span.end),
            item.snippet,
            item.detail,
            item.markdown,
            item.rank,
            item.filter,
        )
        for item in complete(text.analysis, _offset(ask, text))
    )
    return Completions(ask.id, text.version, items)


def told_of(ask: Ask, text: Text) -> Hovered:
    """What is told of the word at a place."""
    found = hover(text.analysis, _offset(ask, text))
    if found is None:
        return Hovered(ask.id, text.version, None, "")
    return Hovered(ask.id, text.version, text.spots.of(found.span), found.markdown)


def mended(ask: Ask, text: Text) -> Fixes:
    """The fixes for a span."""
    source, units = text.analysis.source, text.spots.units
    found = fixes(text.analysis, Span(source, units.ours(ask.at), units.ours(max(ask.at, ask.end))))
    return Fixes(ask.id, text.version, tuple(_fix(each, text) for each in found))


def _fix(fix: Fix, text: Text) -> FixOf:
    edits = tuple(EditOf(text.spots.of(edit.span), edit.text) for edit in fix.edits)
    return FixOf(fix.title, edits, fix.is_preferred)


#: Answers about a text, by what is asked.
_ANSWERS: Mapping[str, Callable[[Ask, Text], Told]] = {
    "complete": completions,
    "hover": told_of,
    "fixes": mended,
    "definition": defined,
    "references": used,
    "format": formatted,
}
