"""Breaks lines of text for a terminal."""

from __future__ import annotations

from cnndsl.cells import width
from cnndsl.grid import Medium

#: The least room for a text, however narrow the terminal.
_LEAST = 20
_NEXT = " " * 4


def wrapped(text: str, medium: Medium, indent: str = "") -> list[str]:
    """``text`` in lines that fit a medium, all of them indented, those after the first by four more."""
    if medium.width is None or width(text) + len(indent) <= medium.width:
        return [f"{indent}{text}"]
    from textwrap import wrap  # here, because most lines fit

    room = max(medium.width, len(indent) + _LEAST)
    after = indent + _NEXT
    return wrap(
        text, room, initial_indent=indent, subsequent_indent=after, break_long_words=False, break_on_hyphens=False
    )
