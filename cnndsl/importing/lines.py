"""Data as YAML text: what is in lines of its own, and what is on one line. ``fmt`` does the rest."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from cnndsl.record import Record
from cnndsl.spec.notation import Unwritable

#: The value of a key that has none, ``BatchNorm2d:``.
NOTHING: Final = type("Nothing", (), {})()


class Open(dict[str, Any]):
    """A mapping in lines of its own; what it holds is in lines if it is open too."""


class OpenList(list[Any]):
    """A list in lines of its own."""


class Commented(Record, frozen=True):
    """A value with a comment in the line above its key."""

    value: Any
    comment: str


def lines(data: Open | OpenList) -> Iterator[str]:
    """Lines of YAML. All texts are in quotes; ``fmt`` removes those that are not needed."""
    if isinstance(data, Open):
        for key, value in data.items():
            if isinstance(value, Commented):
                yield f"# {value.comment}"
                value = value.value
            yield from _entry(f"{json.dumps(key)}:", value)
        return
    for item in data:
        if _is_open(item):
            first, *others = lines(item)
            yield f"- {first}"
            yield from (f"  {line}" for line in others)
        else:
            yield f"- {inline(item)}"


def _entry(head: str, value: Any) -> Iterator[str]:
    if _is_open(value):
        yield head
        yield from (f"  {line}" for line in lines(value))
    else:
        yield f"{head} {inline(value)}".rstrip()


def _is_open(data: Any) -> bool:
    return isinstance(data, (Open, OpenList)) and bool(data)


def inline(data: Any) -> str:
    """Data on one line."""
    if isinstance(data, Mapping):
        return f"{{{', '.join(f'{json.dumps(key)}: {inline(value)}' for key, value in data.items())}}}"
    if isinstance(data, (list, tuple)):
        return f"[{', '.join(map(inline, data))}]"
    if data is NOTHING:
        return ""
    return _float(data) if isinstance(data, float) else json.dumps(data, ensure_ascii=False)


def _float(number: float) -> str:
    """The shortest text that is the same number: ``1e-5``, without the zero of Python's ``1e-05``."""
    if not math.isfinite(number):
        raise Unwritable(f"{number} is not finite")
    return re.sub(r"e([-+]?)0*", r"e\1", repr(number)).replace("e+", "e")
