"""The arguments of a layer or block by name, evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnndsl.diagnostics import Code, did_you_mean, shorten
from cnndsl.graph.context import Context, Site
from cnndsl.layers import Layer
from cnndsl.spec.document import Block
from cnndsl.spec.tree import UNKNOWN
from cnndsl.spec.values import Arguments, Value, dealt


def usage(of: type[Layer] | Block) -> str:
    """How a layer or block is called."""
    return f"`{of.signature}`" if isinstance(of, Block) else f"`{of.__name__}({of.signature()})`"


def evaluated(
    context: Context, given: Arguments, of: type[Layer] | Block, site: Site
) -> tuple[dict[str, Any], dict[str, Value]] | None:
    """Arguments by name, evaluated and as written; None if that fails."""
    sound, callee = True, f"`{_name(of)}`"
    if isinstance(of, Block):
        names = known = tuple(parameter.name for parameter in of.parameters)
    else:
        names, known = of.positional(), tuple(of.arguments)
    positional = _positional(context, given, names, site)
    written = {name: value for name, (value, _) in zip(names, positional)}
    values = {name: worth for name, (_, worth) in zip(names, positional)}
    if len(positional) > len(names):
        takes = f"{len(names)} argument{'' if len(names) == 1 else 's'} at most" if names else "no arguments"
        message = f"{callee} takes {takes}, got {len(positional)}"
        context.fault(Code.ARGUMENT, message, positional[len(names)][0].span, usage(of))
        sound = False
    for keyword in given.keywords:
        if keyword.name not in known:
            help = did_you_mean(keyword.name, known) or usage(of)
            message = f"{callee} has no argument `{shorten(keyword.name)}`"
            context.fault(Code.ARGUMENT, message, keyword.span, help)
            sound = False
        written[keyword.name] = keyword.value
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


def _name(of: type[Layer] | Block) -> str:
    return of.name if isinstance(of, Block) else of.__name__
