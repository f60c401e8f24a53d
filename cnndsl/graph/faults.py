"""The faults of one elaboration."""

from __future__ import annotations

from cnndsl.diagnostics import ENOUGH, Code, Diagnostic
from cnndsl.source import Span


class Stop(Exception):
    """A limit is exceeded: no more work is done."""


class Faults:
    """Collects faults, each with the trail that led to it."""

    def __init__(self) -> None:
        self.found: list[Diagnostic] = []
        self._said: set[tuple[Code, Span | None]] = set()

    def add(self, fault: Diagnostic) -> None:
        """Adds a fault, unless a loop or block has reported it already. Raises :class:`Stop` after many."""
        key = fault.code, fault.span
        if not fault.trail or key not in self._said:
            self._said.add(key)
            self.found.append(fault)
        if len(self.found) >= ENOUGH:
            raise Stop
