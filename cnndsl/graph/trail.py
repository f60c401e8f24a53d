"""The trail to a fault: the blocks and loops around it, the round, and the place of the call."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cnndsl.diagnostics import WAY
from cnndsl.record import Record
from cnndsl.source import Span


class Station(Record, frozen=True):
    """A block that was called, a loop in one of its rounds, or a reused module.

    ``told`` puts it into words, which only a fault needs: what it is, and how one got there. ``path`` is the path of a
    block's module in the network, and ``call`` the place of its call; both are None for anything else.
    """

    told: Callable[[], tuple[str, str]]
    path: str | None = None
    call: Span | None = None


def told(stations: Iterable[Station], at: str) -> tuple[str, ...]:
    """A line for each block, the innermost first, with the loops in it; ``at`` is the path of the module with the
    fault."""
    lines: list[str] = []
    loops: list[str] = []
    for station in reversed([*stations]):
        what, how = station.told()
        if station.path is None:
            loops.append(f"{what}, {how}")
            continue
        inside = at.removeprefix(station.path).removeprefix(".") if at.startswith(station.path) else ""
        block = WAY.join(filter(None, (what, inside)))
        lines.append(", in ".join((block, *loops)) + f", {how}")
        loops, at = [], station.path
    return (*lines, *loops)
