"""Values of steps, and where they may have holes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

from cnndsl.emit.source.expr import (
    UNKNOWN,
    Expr,
    Lit,
    Ref,
    Reference,
    free_names,
    parts,
    same,
    value,
)
from cnndsl.importing.tree import (
    LayerValue,
    Template,
)
from cnndsl.record import Record

#: The value of a hole in a tree that does not have the step.
ABSENT: Final[Any] = type("Absent", (), {"__repr__": lambda self: "absent"})()


class Unlike(Exception):
    """Trees differ where there can be no hole."""


def alike_values(one: Any, other: Any) -> bool:
    """Whether two values are written alike: 1 is not 1.0."""
    if isinstance(one, Record) or isinstance(other, Record):
        return bool(one == other)
    if is_list(one) and is_list(other):
        return len(one) == len(other) and all(map(alike_values, one, other))
    return type(one) is type(other) and same(one, other)


def numbered(texts: Sequence[Any]) -> list[list[str | int]]:
    """The parts of texts that differ only in numbers; none for other values."""
    parts = [re.split(r"(\d+)", text) if isinstance(text, str) else [] for text in texts]
    if len({*map(len, parts)}) > 1 or not parts[0]:
        return []
    made: list[Sequence[str | int]] = []
    for at, column in enumerate(zip(*parts)):
        if len({*column}) == 1:
            made.append(column)
        elif at % 2 == 0 or any(str(int(number)) != number for number in column):
            return []
        else:
            made.append([int(number) for number in column])
    return [[part for part in row if part != ""] for row in zip(*made)]


def same_form(one: Any, other: Any) -> bool:
    """Whether two expressions have the same form, so that holes may be inside."""
    if (
        isinstance(one, Lit | Ref | LayerValue | Template)
        or type(one) is not type(other)
        or not isinstance(one, Record)
    ):
        return False
    plain = all(
        getattr(one, name, None) == getattr(other, name, None) for name in ("sign", "names", "brackets", "keys")
    )
    return plain and len(parts(cast(Expr, one))) == len(parts(other)) > 0


def are_lists_of_formulas(values: Sequence[Any]) -> bool:
    """Whether values are lists of one length with formulas in them, which may differ in parts."""
    if not all(isinstance(one, tuple) for one in values) or len({*map(len, values)}) > 1:
        return False
    return any(isinstance(item, Record) and not isinstance(item, LayerValue) for one in values for item in one)


def known_value(one: Any, given: tuple[int, ...]) -> Any:
    """A value as data. Raises :class:`Unlike` for an expression over more than the input's sizes."""
    if isinstance(one, tuple):
        return tuple(known_value(item, given) for item in one)
    if not isinstance(one, Record) or isinstance(one, LayerValue | Reference):
        return one
    if isinstance(one, Template):
        raise Unlike
    found = value(cast(Expr, one), input_sizes(given))
    if found is UNKNOWN or not free_names(cast(Expr, one)) <= {*input_sizes(given)}:
        raise Unlike
    return found


def input_sizes(given: tuple[int, ...]) -> dict[str, Any]:
    """The sizes of a tensor by the names of the language, of the shape with its batch."""
    shape = given[1:]
    spatial = dict(zip(("width", "height", "depth"), reversed(shape[1:])))
    sizes = {"channels": shape[0], "features": shape[-1], "shape": shape, **spatial} if shape else {}
    return {f"input.{name}": size for name, size in sizes.items()}


def is_list(value: Any) -> bool:
    return isinstance(value, tuple)


def templated(pieces: Iterator[Any]) -> Any:
    """A text of texts and expressions: a text alone if all are known."""
    made: list[Any] = []
    for part in pieces:
        part = part.value if isinstance(part, Lit) else part
        if isinstance(part, Template):
            made += part.parts
        elif not isinstance(part, Record) and made and isinstance(made[-1], str):
            made[-1] += str(part)
        else:
            made.append(part if isinstance(part, Record) else str(part))
    return made[0] if len(made) == 1 and isinstance(made[0], str) else Template(tuple(made))
