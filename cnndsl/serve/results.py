"""What the compiler finds in a text, as a message."""

from __future__ import annotations

from cnndsl.diagnostics import Diagnostic
from cnndsl.editing.analysis import Analysis
from cnndsl.emit.table import human
from cnndsl.graph.graph import Graph
from cnndsl.network import Compilation
from cnndsl.serve.messages import NoteOf, Problem, Result, Totals
from cnndsl.serve.units import Spots


def network_of(compilation: Compilation) -> Graph | None:
    """The network of a spec, also if it breaks its `expect`, or if its recipe has errors."""
    return compilation.graph or compilation.sound


def result(analysis: Analysis, spots: Spots, version: int) -> Result:
    network = network_of(analysis.compilation)
    problems = tuple(_problem(each, spots) for each in analysis.compilation.diagnostics)
    return Result(version, network is not None, problems, (), (), (), (), _totals(network) if network else None)


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
