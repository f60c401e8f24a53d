"""What is put into the holes of a tree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from msgspec.structs import replace

from cnndsl.emit.source.expr import (
    Expr,
    Lit,
    Ref,
    Reference,
    substitute,
)
from cnndsl.importing.alike.values import templated
from cnndsl.importing.tree import (
    LayerValue,
    Residual,
    Step,
    Steps,
    Template,
    When,
    with_values,
)
from cnndsl.record import Record


def filled(steps: Steps, found: Mapping[str, Any]) -> Steps:
    """The steps with values for variables. A condition that is decided is no longer written."""
    made: list[Step] = []
    for step in steps:
        step = with_values(step, lambda given: replaced(given, found), lambda inner: filled(inner, found))
        if isinstance(step, When) and isinstance(step.test, bool):
            made += step.steps if step.test else step.otherwise
        else:
            made.append(replace(step, shortcut=True) if isinstance(step, Residual) and step.shortcut == () else step)
    return tuple(made)


def replaced(given: Any, found: Mapping[str, Any]) -> Any:
    """A value with others for its variables."""
    if isinstance(given, tuple):
        return tuple(replaced(one, found) for one in given)
    if isinstance(given, LayerValue):
        return LayerValue(given.word, tuple((name, replaced(one, found)) for name, one in given.arguments))
    if isinstance(given, Template):
        return templated(replaced(part, found) for part in given.parts)
    if isinstance(given, Ref):
        return found.get(given.name, given)
    if isinstance(given, Record) and not isinstance(given, Reference | Lit):
        names = {name: one if isinstance(one, Record) else Lit(one) for name, one in found.items()}
        made = substitute(cast(Expr, given), cast(Any, names))
        return made.value if isinstance(made, Lit) else made
    return given
