"""What can only be said of a whole network: its contracts, and what it defines and never uses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from cnndsl.diagnostics import Code, Diagnostic
from cnndsl.graph.contract import broken_contracts
from cnndsl.graph.graph import Graph, Module, walk
from cnndsl.graph.initialization import initializations
from cnndsl.source import Source, Span
from cnndsl.spec.document import Parameter
from cnndsl.spec.expression import Expression


def check_graph(graph: Graph) -> list[Diagnostic]:
    """Faults and warnings of a network whose every shape is known."""
    return [*broken_contracts(graph), *initializations(graph.document, graph.root.params)[1], *_unused(graph)]


def _unused(graph: Graph) -> list[Diagnostic]:
    document = graph.document
    used = {item.block for _, item in walk(graph.root.body) if isinstance(item, Module)}
    warnings = [
        Diagnostic(Code.UNUSED, f"the block `{block.name}` is never used", block.span)
        for block in document.blocks.values()
        if block.name not in used and block.span.source == document.source
    ]
    names = set(_names_in(document))
    for block in document.blocks.values():
        own = {parameter.name for parameter in block.parameters}
        mentioned = set(_names_in((block.parameters, block.steps)))
        unused = [p for p in block.parameters if p.name in own - mentioned and block.span.source == document.source]
        warnings += [_unused_param(parameter, f" of the block `{block.name}`") for parameter in unused]
    for parameter in document.params:
        if parameter.name not in names and parameter.span.source == document.source:
            warnings.append(_unused_param(parameter, ""))
    return warnings


def _unused_param(parameter: Parameter, of: str) -> Diagnostic:
    return Diagnostic(Code.UNUSED, f"the parameter `{parameter.name}`{of} is never used", parameter.span)


def _names_in(part: object) -> Iterator[str]:
    """The names that the expressions in a part of a document mention."""
    if isinstance(part, Expression):
        yield from part.names
    elif isinstance(part, (tuple, list)):
        for item in part:
            yield from _names_in(item)
    elif isinstance(part, dict):
        yield from _names_in(tuple(part.values()))
    elif is_dataclass(part) and not isinstance(part, (Span, Source)):
        for field in fields(part):
            yield from _names_in(getattr(part, field.name))
    elif isinstance(part, str) and part.startswith("$"):
        yield part.strip("$()")
