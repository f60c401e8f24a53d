"""What the compiler finds in a text, as a message."""

from __future__ import annotations

from cnndsl.diagnostics import Diagnostic
from cnndsl.editing.analysis import Analysis
from cnndsl.editing.answers import Lens, Symbol
from cnndsl.editing.hints import hints, lenses
from cnndsl.editing.outline import folds, outline
from cnndsl.emit.table import human
from cnndsl.graph.graph import Graph, Module
from cnndsl.network import Compilation
from cnndsl.record import Record
from cnndsl.serve.messages import HintOf, LensOf, NoteOf, Problem, Result, SymbolOf, Totals
from cnndsl.serve.units import Spots


def network_of(compilation: Compilation) -> Graph | None:
    """The network of a spec, also if it breaks its `expect`, or if its recipe has errors."""
    return compilation.graph or compilation.sound


def alive_of(text: Text) -> Module | None:
    """The network of a text with errors as far as it is alive, which hints and lenses tell of too."""
    alive = text.analysis.alive
    return alive.sound.root if alive.sound else alive.partial


class Text(Record, frozen=True, eq=False):
    """A text that was compiled: its version, what the compiler makes of it, and where things are in it."""

    version: int
    analysis: Analysis
    spots: Spots


def result(text: Text, hints: tuple[HintOf, ...]) -> Result:
    compilation, alive = text.analysis.compilation, text.analysis.alive
    network = network_of(compilation)
    return Result(
        text.version,
        network is not None,
        tuple(_problem(each, text.spots) for each in compilation.diagnostics),
        hints,
        tuple(_lens(each, text.spots) for each in lenses(text.analysis)),
        tuple(_symbol(each, text.spots) for each in outline(text.analysis)),
        tuple(map(text.spots.of, folds(text.analysis))),
        _totals(network) if network else None,
        alive is not compilation,
    )


def hints_of(text: Text, cursor: int | None) -> tuple[HintOf, ...]:
    """The hints of a text; ``cursor`` is an offset of the page."""
    units = text.spots.units
    at = None if cursor is None else units.ours(cursor)
    return tuple(HintOf(units.theirs(hint.offset), hint.text, hint.tooltip) for hint in hints(text.analysis, at))


def _lens(lens: Lens, spots: Spots) -> LensOf:
    return LensOf(spots.of(lens.span), lens.text, tuple(map(spots.of, lens.uses)))


def _symbol(symbol: Symbol, spots: Spots) -> SymbolOf:
    places = spots.of(symbol.span), spots.of(symbol.name_span)
    children = tuple(_symbol(child, spots) for child in symbol.children)
    return SymbolOf(symbol.name, symbol.detail, symbol.kind, *places, children)


def _problem(found: Diagnostic, spots: Spots) -> Problem:
    notes = tuple(NoteOf(note.message, spots.maybe(note.span)) for note in found.notes)
    return Problem(
        found.code.id,
        "error" if found.is_error else "warning",
        found.message,
        spots.maybe(found.span),
        found.help,
        notes,
        found.trail,
    )


def _totals(network: Graph) -> Totals:
    name, sides = network.signature
    cost = network.root.cost
    return Totals(name, human(cost.params), human(cost.macs), sides)
