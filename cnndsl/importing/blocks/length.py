"""How long text is."""

from __future__ import annotations

from typing import Any, cast

from cnndsl.emit.source.expr import Expr, weight
from cnndsl.importing.tree import LayerValue, Steps, walk, with_values
from cnndsl.record import Record


def length(steps: Steps) -> int:
    """How much text steps are, in words."""
    return sum(2 + sum(map(_words, _values(step))) for step in walk(steps))


def _values(step: Any) -> list[Any]:
    """The values of a step, and the names of its arguments."""
    found: list[Any] = [name for name, _ in getattr(step, "arguments", ())]

    def seen(value: Any) -> Any:
        found.append(value)
        return value

    with_values(step, seen, lambda steps: steps)
    return found


def _words(value: Any) -> int:
    if isinstance(value, Record) and not isinstance(value, LayerValue):
        return weight(cast(Expr, value))
    return 0 if value in ("", None, True, False, ()) else 1
