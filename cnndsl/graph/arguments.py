"""The arguments of a layer or block by name, evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnndsl.graph.context import Context, Site
from cnndsl.layers import Layer
from cnndsl.spec.arguments import Callee, by_name
from cnndsl.spec.document import Block
from cnndsl.spec.tree import UNKNOWN
from cnndsl.spec.values import Arguments, Value, dealt


def usage(of: type[Layer] | Block) -> str:
    """How a layer or block is called."""
    return _callee(of).usage


def _callee(of: type[Layer] | Block) -> Callee:
    if isinstance(of, Block):
        names = tuple(parameter.name for parameter in of.parameters)
        return Callee(of.name, names, names, f"`{of.signature}`")
    return Callee(of.__name__, of.positional(), tuple(of.arguments), f"`{of.__name__}({of.signature()})`")


def evaluated(
    context: Context, given: Arguments, of: type[Layer] | Block, site: Site
) -> tuple[dict[str, Any], dict[str, Value]] | None:
    """Arguments by name, evaluated and as written; None if that fails."""
    callee = _callee(of)
    positional = _positional(context, given, callee.positional, site)
    written, sound = by_name(callee, [value for value, _ in positional], given.keywords, context.fault)
    values = {name: worth for name, (_, worth) in zip(callee.positional, positional)}
    for keyword in given.keywords:
        values[keyword.name] = context.value(keyword.value, site.environment)
    return (values, written) if sound else None


def _positional(context: Context, given: Arguments, names: Sequence[str], site: Site) -> list[tuple[Value, Any]]:
    """Positional arguments, as written and evaluated. If there are several parameters, an evaluated list spreads
    over them, as a written one does."""
    values, worths = given.positional, [context.value(value, site.environment) for value in given.positional]
    if len(names) > 1 and given.alone:
        if isinstance(worths[0], tuple):
            values, worths = dealt(given.alone, worths[0], len(names)), [*worths[0]]
        elif worths[0] is UNKNOWN:  # it may be a list
            values, worths = values * len(names), worths * len(names)
    return [*zip(values, worths)]
