"""Answers to the questions of a page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from cnndsl.diagnostics import SpecError
from cnndsl.editing.names import definition, references
from cnndsl.explanations import explain, labelled
from cnndsl.fmt import Unchanged, format
from cnndsl.serve.messages import Ask, Formatted, Hovered, Listing, Places, Refused, Told, Zoo
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
    return _ANSWERS[ask.what](ask, text)


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


#: Answers about a text, by what is asked.
_ANSWERS: Mapping[str, Callable[[Ask, Text], Told]] = {
    "definition": defined,
    "references": used,
    "format": formatted,
}
