"""Words that fit at a place, before it is decided how they are written there."""

from __future__ import annotations

from collections.abc import Callable

from cnndsl.editing.answers import Kind
from cnndsl.record import Record

#: A place to fill in. The places of a snippet are numbered when it is whole.
HOLE = "\ue001"


class Offer(Record, frozen=True):
    """A word that fits. ``value`` is what follows it and a colon, in flow style, "" if nothing has to follow. ``lists``
    is 1 if that is a list of steps, 2 if it is a list of such lists. ``more`` are keys that the word needs beside it.
    An ``is_item`` needs a dash."""

    label: str
    kind: Kind
    detail: str = ""
    value: str = ""
    lists: int = 0
    more: tuple[tuple[str, str], ...] = ()
    page: Callable[[], str] | None = None
    rank: int = 0
    is_item: bool = False
