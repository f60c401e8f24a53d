"""Compares two runs of a module: in evaluation and in training mode."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from cnndsl.importing.recorded import Held, Made, Number, Operation, Tensor, Use


class Unlike(Exception):
    """Two runs do not do the same operations. ``operation`` is the first one that is alone."""

    def __init__(self, operation: Operation | None) -> None:
        self.operation = operation
        super().__init__()


def with_training(use: Use, other: Use) -> Use:
    """A use in evaluation mode, whose operations know the arguments that differ in the other, in training mode.
    Raises :class:`Unlike`."""
    same: dict[Tensor, Tensor] = {}
    pairs = list(zip(use.operations, other.operations))
    operations = tuple(_with_training(one, two, same) for one, two in pairs)
    if len(use.operations) != len(other.operations):
        longer = max(use.operations, other.operations, key=len)
        raise Unlike(longer[len(pairs)])
    if not _alike(use.outputs, other.outputs, same):
        raise Unlike(None)
    return msgspec.structs.replace(use, operations=operations)


def _with_training(one: Operation, two: Operation, same: dict[Tensor, Tensor]) -> Operation:
    if (one.target, one.module, len(one.arguments), [*one.keywords]) != (
        two.target, two.module, len(two.arguments), [*two.keywords],
    ):  # fmt: skip
        raise Unlike(two)
    differing: dict[str | int, Any] = {}
    for key, a, b in _arguments(one, two):
        if not _alike(a, b, same):
            if any(isinstance(value, Tensor) for value in (a, b)):
                raise Unlike(two)
            differing[key] = b
    if not _alike(one.results, two.results, same):
        raise Unlike(two)
    return msgspec.structs.replace(one, training=differing) if differing else one


def _arguments(one: Operation, two: Operation) -> Iterator[tuple[str | int, Any, Any]]:
    yield from ((index, a, b) for index, (a, b) in enumerate(zip(one.arguments, two.arguments)))
    yield from ((name, value, two.keywords[name]) for name, value in one.keywords.items())


def _alike(a: Any, b: Any, same: dict[Tensor, Tensor]) -> bool:
    """Whether two values are equal if the tensors of the one run are those of the other."""
    match a, b:
        case Tensor(), Tensor():
            return same.setdefault(a, b) is b
        case Made(), Made():
            return a.shape == b.shape and a.how == b.how
        case Number(), Number():
            return a.value == b.value
        case (tuple(), tuple()) | (list(), list()):
            return len(a) == len(b) and all(_alike(x, y, same) for x, y in zip(a, b))
        case dict(), dict():
            return [*a] == [*b] and all(_alike(a[key], b[key], same) for key in a)
        case Held(), Held():
            return a == b
    return type(a) is type(b) and bool(a == b)
