"""Answers to the questions of a page."""

from __future__ import annotations

from cnndsl.diagnostics import SpecError
from cnndsl.explanations import explain, labelled
from cnndsl.fmt import Unchanged, format
from cnndsl.serve.messages import Ask, Formatted, Hovered, Listing, Refused, Told, Zoo
from cnndsl.serve.project import Project
from cnndsl.serve.results import Text
from cnndsl.zoo import family, source, specs


def answer(ask: Ask, text: Text | None, project: Project) -> Told:
    """The answer to a question about a text, None if nothing is open."""
    if ask.what == "specs":
        return listing(ask, project)
    if ask.what == "explain":
        return explanation(ask)
    if text is None:
        return Refused("ask", "missing", "no spec is open", id=ask.id)
    if ask.what == "format":
        return formatted(ask, text)
    return Refused("ask", "missing", "not yet", id=ask.id)


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
