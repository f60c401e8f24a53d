"""One use of a class, with what is known about it besides its steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, TypeAlias

from cnndsl.importing.alike import ABSENT, alike_values, input_sizes
from cnndsl.importing.tree import Block
from cnndsl.record import Record

#: A value in each use.
Column: TypeAlias = tuple[Any, ...]
#: The longest list among the arguments of an ``__init__`` that is looked at.
_LONGEST = 8


class Use(Record, frozen=True):
    """One use of a class: what it does, the arguments of its ``__init__`` as far as they are known, and the shape of
    its first input, with the batch."""

    tree: Block
    arguments: Mapping[str, Any]
    given: tuple[int, ...]


def sizes(given: Sequence[tuple[int, ...]], spatial: bool = True) -> Iterator[tuple[str, Column]]:
    """The sizes of a tensor in each use, by the language's names; also height and width if ``spatial``."""
    rows = [input_sizes(shape) if shape else {} for shape in given]
    flat = all(len(shape) <= 2 for shape in given)
    names = ("input.features",) if flat else ("input.channels", "input.height", "input.width")
    for name in names[: 3 if spatial else 1]:
        values = tuple(row.get(name, ABSENT) for row in rows)
        if any(value is not ABSENT for value in values):
            yield name, values


def varying(uses: Sequence[Use]) -> dict[str, Column]:
    """The arguments of ``__init__`` that all uses have and that differ, also the fields of objects among them."""
    rows = [dict(plain(use.arguments)) for use in uses]
    names = [name for name in rows[0] if all(name in row for row in rows)]
    columns = {name: tuple(row[name] for row in rows) for name in names}
    return {name: column for name, column in columns.items() if not all(alike_values(v, column[0]) for v in column)}


def plain(arguments: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Arguments that the language has: numbers, None, lists; of an object or a dict, those in it."""
    for name, value in arguments.items():
        inner = _fields(value)
        if not inner and _is_plain(value):
            yield _tidy(name), _data(value)
        yield from ((_tidy(key), _data(one)) for key, one in inner.items() if key not in arguments and _is_plain(one))


def _fields(value: Any) -> dict[str, Any]:
    """What is in a dict, a named tuple, a dataclass or another object that only holds values."""
    if isinstance(value, Mapping):
        return {str(key): one for key, one in value.items()}
    if hasattr(value, "_asdict"):
        return dict(value._asdict())
    if isinstance(value, type) or callable(value):
        return {}
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return dict(getattr(value, "__dict__", {}))


def _is_plain(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return 0 < len(value) <= _LONGEST and all(map(_is_plain, value))
    return value is None or isinstance(value, (int, float))


def _data(value: Any) -> Any:
    """A value as the trees have it."""
    if isinstance(value, (tuple, list)):
        return tuple(map(_data, value))
    kind = next((kind for kind in (bool, int, float) if isinstance(value, kind)), None)
    return None if kind is None else kind(value)


def _tidy(name: str) -> str:
    return name.strip("_").lower() or name
