"""Makes text printable: on one line, without control sequences for a terminal, in the available encoding."""

from __future__ import annotations

import codecs
import re

#: The error handler for encodings that cannot represent every character.
FALLBACK = "cnndsl.ascii"

#: ASCII forms of the other characters that we print. Each takes one cell like its original, so that columns stay
#: aligned. Other characters that an encoding lacks become escapes.
_ASCII = str.maketrans("─━│├└…›→×•⋯–—‘’“”\ufffd█▉▊▋▌▍▎▏", "--|+`~>>x*~--''\"\"?#####...")  # noqa: RUF001


def one_line(text: str) -> str:
    """``text`` with line breaks and control characters written as escapes.

    File names that are not UTF-8 reach Python with their odd bytes as surrogates (PEP 383); they are shown as bytes.

    >>> one_line("a\\nb\\x1b[31m\\udcff")
    'a\\\\nb\\\\x1b[31m\\\\xff'
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else _escape(c) for c in text)


def lines(text: str) -> str:
    """The same for several lines: line breaks and tabs stay."""
    return "".join(c if c in "\n\t" or c.isprintable() else _escape(c) for c in text)


def as_encoded(text: str, encoding: str) -> str:
    """``text`` as it appears if only ``encoding`` can be printed."""
    return text.encode(encoding, FALLBACK).decode(encoding)


def _escape(character: str) -> str:
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


def _fall_back(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(c if c.isascii() else _escape(c) for c in missing.translate(_ASCII)), error.end


codecs.register_error(FALLBACK, _fall_back)


def as_written(value: object) -> str:
    """A value as a spec would write it."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(as_written, value))}]"
    if isinstance(value, str):
        return f'"{one_line(value)}"'
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def in_markdown(text: str) -> str:
    """``text`` on one line, with GitHub's markup escaped."""
    return re.sub(r"([\\`*<>|~&$]|(?<!\w)_|_(?!\w)|\]\()", r"\\\1", one_line(text))
