"""How wide a text is, without a font: the same on every machine."""

from __future__ import annotations

from functools import lru_cache
from unicodedata import combining, east_asian_width

#: The widths of the characters from space to ``~`` in Helvetica, and Arial and Liberation Sans, in thousandths of the
#: size: Adobe's Font Metrics, ``phvr8a.afm`` and ``phvb8a.afm``.
_REGULAR = [
    278, 278, 355, 556, 556, 889, 667, 222, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 222, 556, 556, 500, 556,
    556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
    260, 334, 584,
]  # fmt: skip
_BOLD = [
    278, 333, 474, 556, 556, 889, 722, 278, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 333, 333, 584, 584, 584, 611, 975, 722, 722, 722, 722, 667, 611, 778, 722, 278, 556, 722, 611, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 333, 278, 333, 584, 556, 278, 556, 611, 556, 611,
    556, 333, 611, 611, 278, 278, 556, 278, 889, 611, 611, 611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389,
    280, 389, 584,
]  # fmt: skip
_OTHERS = {"\u00a0": 278, "·": 278, "×": 584, "−": 584, "÷": 584, "…": 1000, "⋯": 1000, "↑": 600, "→": 1000}  # noqa: RUF001
#: DejaVu Sans, which readers without Helvetica, Arial and Liberation Sans have, is wider by no more than this.
WIDEST = 1.18


@lru_cache(1 << 14)
def width(text: str, size: float, bold: bool = False) -> float:
    """The width in points that a text takes with any of the fonts that readers have.

    Characters without an entry are counted as wide as an ``M``, those of East Asia as a square.
    """
    table = _BOLD if bold else _REGULAR
    return sum(_character(character, table) for character in text) * size / 1000 * WIDEST


def _character(character: str, table: list[int]) -> int:
    if " " <= character <= "~":
        return table[ord(character) - 32]
    if combining(character):
        return 0
    return _OTHERS.get(character) or (1000 if east_asian_width(character) in "WF" else 833)
