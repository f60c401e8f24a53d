"""The order of parameters: a default may use those before it."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from cnndsl.diagnostics import Code, shorten
from cnndsl.spec.document import Parameter
from cnndsl.spec.tree import UNKNOWN
from cnndsl.spec.values import Literal, expressions_in


def check_order(parameters: tuple[Parameter, ...], fault: Callable[..., None]) -> tuple[Parameter, ...]:
    """The parameters. Those whose defaults use later ones or themselves are unknown and reported.

    A cycle is reported once, where it begins.
    """
    position = {parameter.name: index for index, parameter in enumerate(parameters)}
    needs = {parameter.name: _names(parameter) & position.keys() for parameter in parameters}
    found = _rings(needs)
    rings = {name: ring for ring in found for name in ring}
    begins = {min(ring, key=position.__getitem__) for ring in found}
    checked = []
    for index, parameter in enumerate(parameters):
        ring = rings.get(parameter.name, [])
        later = [name for name in needs[parameter.name] if position[name] >= index]
        if parameter.name in begins:
            _report_ring(parameter, ring, fault)
        elif later and not ring:
            _report_later(parameter, min(later, key=position.__getitem__), fault)
        unknown = replace(parameter, default=Literal(UNKNOWN, parameter.span))
        checked.append(unknown if later or ring else parameter)
    return tuple(checked)


def _report_ring(parameter: Parameter, ring: list[str], fault: Callable[..., None]) -> None:
    start = ring.index(parameter.name)
    names = [*ring[start:], *ring[:start], parameter.name]
    listed = " → ".join(map(shorten, names if len(names) < 10 else [*names[:5], "…", *names[-3:]]))
    span = parameter.default.span if parameter.default else parameter.span
    fault(Code.CYCLE, f"parameters in a cycle: {listed}", span, "give one of them its own value")


def _report_later(parameter: Parameter, later: str, fault: Callable[..., None]) -> None:
    span = parameter.default.span if parameter.default else parameter.span
    help = f"move `{shorten(parameter.name)}` after `{shorten(later)}`: a default may use only earlier parameters"
    fault(Code.UNDEFINED, f"`{shorten(later)}` is defined after `{shorten(parameter.name)}`", span, help)


def _names(parameter: Parameter) -> set[str]:
    return {name for e in expressions_in(parameter.default) for name in e.names} if parameter.default else set()


def _rings(needs: dict[str, set[str]]) -> list[list[str]]:
    """Cycles of parameters that need each other: at least one for all that cannot be computed."""
    users: dict[str, list[str]] = {name: [] for name in needs}
    for name, needed in needs.items():
        for other in needed:
            users[other].append(name)
    open_needs = {name: len(needed) for name, needed in needs.items()}
    ready = [name for name, count in open_needs.items() if count == 0]
    for name in ready:
        for user in users[name]:
            open_needs[user] -= 1
            if open_needs[user] == 0:
                ready.append(user)
    stuck = {name: min(n for n in needs[name] if open_needs[n]) for name in needs if open_needs[name]}
    rings, seen = [], {}
    for start in stuck:
        path, name = [], start
        while name not in seen:
            seen[name] = start
            path.append(name)
            name = stuck[name]
        if seen[name] == start:
            rings.append(path[path.index(name) :])
    return rings
