"""DOT text: names and labels, with everything that a spec may contain escaped."""

from __future__ import annotations

import re
from html import escape
from textwrap import wrap

from cnndsl.palette import FONTS

FONT = ",".join((*FONTS, "sans-serif"))


def font(label: str, size: float, color: str) -> str:
    return f'<FONT POINT-SIZE="{size:g}" COLOR="{color}">{label}</FONT>'


def lines(text: str, width: int) -> str:
    """Text for an HTML-like label, broken at spaces into lines of about ``width`` characters."""
    pieces = [piece for line in text.splitlines() for piece in wrap(line, width) or [""]]
    return "<BR/>".join(escaped(line.replace("\u00a0", " ")) for line in pieces)


def printable(text: str) -> str:
    """``text`` with unprintable characters as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def escaped(text: str) -> str:
    """Text for an HTML-like label: no markup, and no backslash, which Graphviz interprets there too.
    All text of a spec passes through here; unprintable characters become escapes."""
    return escape(printable(text)).replace("\\", "\\\\")


def identifier(path: str) -> str:
    """A node's name in DOT: the path, without DOT's special characters."""
    return re.sub(r"[^\w. ]", "_", path)
