"""Specs with marks: «8x6x6» is the hint at that place, with a plain x and plain dots, and ¦ is the cursor."""

from __future__ import annotations

import re
from pathlib import Path

from cnndsl.editing.analysis import Analysis, Buffers, analyse


def read(marked: str, path: Path) -> tuple[Analysis, int | None, dict[int, str]]:
    """The text without its marks, compiled, with the cursor and the hints that it is marked with."""
    text, expected, cursor = "", {}, None
    for piece in re.split(r"(«[^»]*»|¦)", marked):
        if piece == "¦":
            cursor = len(text)
        elif piece.startswith("«"):
            expected[len(text)] = pretty(piece[1:-1])
        else:
            text += piece
    return analyse(path, Buffers({path.resolve(): text})), cursor, expected


def pretty(hint: str) -> str:
    return hint.replace("...", "…").replace("x", "\u00d7")
