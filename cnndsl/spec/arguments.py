"""Arguments as written -> by name, for whatever is called: a layer, a block, or a function of torch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

from cnndsl.diagnostics import Code, did_you_mean, shorten
from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.spec.values import Keyword, Value

#: Reports a fault: its code, message, place and help.
Fault: TypeAlias = Callable[[Code, str, Span, str], None]


class Callee(Record, frozen=True):
    """What is called: its name, the names that a list of arguments fills, all names of arguments, and its usage, which
    only a fault needs."""

    name: str
    positional: Sequence[str]
    known: Collection[str]
    usage: Callable[[], str]

    def takes(self, given: int) -> str:
        """What a list of arguments may be that has too many, in words."""
        most = len(self.positional)
        if most == 0 and self.known:
            return "its arguments by name"
        allowed = f"{most} argument{'s' * (most > 1)} at most" if most else "no arguments"
        return f"{allowed}, got {given}"


def by_name(
    callee: Callee, positional: Sequence[Value], keywords: Sequence[Keyword], fault: Fault
) -> tuple[dict[str, Value], bool]:
    """The values of the arguments by name, in order, and whether there is no fault. Those that a list has too many are
    reported and left out, unknown ones are reported and kept."""
    names, sound = callee.positional, True
    if len(positional) > len(names):
        message = f"`{callee.name}` takes {callee.takes(len(positional))}"
        fault(Code.ARGUMENT, message, positional[len(names)].span, callee.usage())
        sound = False
    found = dict(zip(names, positional))
    for keyword in keywords:
        if keyword.name not in callee.known:
            help = did_you_mean(keyword.name, callee.known) or callee.usage()
            fault(Code.ARGUMENT, f"`{callee.name}` has no argument `{shorten(keyword.name)}`", keyword.span, help)
            sound = False
        found[keyword.name] = keyword.value
    return found, sound
