"""What names and expressions are worth in each run of a step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from cnndsl.editing.analysis import Analysis
from cnndsl.editing.uses import Around, Use
from cnndsl.graph.graph import Apply, Branch, Dense, Inline, Merge, Module, Repeat, Residual, Split
from cnndsl.layers import LAYERS
from cnndsl.printable import as_written
from cnndsl.questions.origin import Names, Scope, of_call, of_document, of_rounds, within
from cnndsl.source import Span
from cnndsl.spec.evaluation import Environment, Unknown, evaluate
from cnndsl.spec.steps import arms
from cnndsl.spec.tree import UNKNOWN
from cnndsl.spec.values import Fault, parse_expression

#: The most runs that are looked at, and the most different values that are shown.
_RUNS, _SHOWN = 100, 6


def names_at(root: Module, use: Use) -> Names:
    """The names that a step knows in one run."""
    document = of_document(root)
    scope = within(root.steps, document)
    for around in use.trail:
        scope = _inside(around, scope, document)
    return scope.of(use.item.step)


def _inside(around: Around, scope: Scope, document: Names) -> Scope:
    """The names inside of what is around."""
    item, number = around.item, around.number
    names = scope.of(item.step)
    match item:
        case Module() | Inline():
            return of_call(item, item.step, names, document)
        case Repeat() | Dense():
            return of_rounds(item.step, next(arms(item.step)), len(item.bodies), names)(number)
        case Branch():
            arm = item.arms[number]
            rounds = sum(other.written == arm.written for other in item.arms)
            return of_rounds(item.step, item.step.branches[arm.written], rounds, names)(arm.round)
        case Residual():
            return within([*arms(item.step)][number].steps, names)


def results(analysis: Analysis, uses: Sequence[Use], text: str, blocks: Iterable[str]) -> list[Any]:
    """What an expression is worth in each run of a step, without the runs in which that is not known."""
    try:
        expression = parse_expression(text, Span(analysis.source, 0, 0))
    except Fault:
        return []
    callables = {**LAYERS, **dict.fromkeys(blocks)}
    found = []
    for use in uses[:_RUNS]:
        names = {name: given.value for name, given in names_at(_network(analysis, use), use).items()}
        try:
            found.append(evaluate(expression, Environment(names, callables, _input(use))))
        except (Fault, Unknown):
            continue
    return [value for value in found if value is not UNKNOWN]


def _network(analysis: Analysis, use: Use) -> Module:
    """The network that a step has run in."""
    outermost = use.trail[0].item if use.trail else use.item
    networks = [compilation.partial for compilation in analysis.compilations if compilation.partial is not None]
    return next((network for network in networks if any(item is outermost for item in network.body)), networks[0])


def _input(use: Use) -> tuple[int, ...] | None:
    """The shape of the tensor that enters a step, as far as its item knows."""
    match use.item:
        case Apply(inputs=inputs) | Module(inputs=inputs) if inputs:
            return inputs[0].shape
        case Branch(split=Split() as split):
            return split.input.shape
        case Inline(given=given):
            return next(iter(given.values())).shape
        case Residual(merge=Merge() as merge, shortcut=()):
            return merge.inputs[1].shape
    return None


def values_text(values: Sequence[Any]) -> str:
    """Values in words: ``= 64``, or ``= 64, 128, 256 in 8 uses``; "" if there are none."""
    different = [*dict.fromkeys(map(as_written, values))]
    if not different:
        return ""
    more = f" +{len(different) - _SHOWN}" if len(different) > _SHOWN else ""
    each = "each of " if len(different) == 1 else ""
    where = f" in {each}{len(values)} uses" if len(values) > 1 else ""
    return f"= {', '.join(f'`{value}`' for value in different[:_SHOWN])}{more}{where}"
