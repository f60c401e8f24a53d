"""The width of text on a terminal, in cells."""

from __future__ import annotations

import unicodedata
from functools import lru_cache


def width(text: str) -> int:
    """The cells of a terminal that a line of text takes: two for a wide East Asian character, none for an accent."""
    return len(text) if text.isascii() else sum(map(_cells, text))


@lru_cache(1000)
def _cells(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def head(text: str, cells: int) -> str:
    """The longest prefix of ``text`` that fits into ``cells``."""
    if text.isascii():
        return text[: max(cells, 0)]
    end = 0
    while end < len(text) and width(text[: end + 1]) <= cells:
        end += 1
    return text[:end]
