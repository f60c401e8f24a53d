"""The rules for names of modules, tensors, blocks, parameters and everything else."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Callable, Container

MAX_NAME = 64
#: Words for values, in the spellings of YAML 1.2's core schema; expressions also have Python's.
CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def unusable(name: str) -> str:
    """Why a module or tensor cannot have a name, to follow the name; empty if it can."""
    if not name:
        return "is empty"
    if len(name) > MAX_NAME:
        return f"has {len(name)} characters, the limit is {MAX_NAME}"
    if odd := odd_character(name):
        return f"contains {odd}; names consist of ASCII letters, digits and `_`"
    if name[0].isdigit():
        return "begins with a digit; names begin with a letter or `_`"
    if not name.isidentifier():
        return "is not an identifier; names consist of letters, digits and `_`"
    if keyword.iskeyword(name):
        return "is a keyword of Python"
    if name.startswith("__"):
        return "begins with two underscores, which Python reserves"
    return ""


def unusable_key(key: str) -> str:
    """Like :func:`unusable`, for what follows a dot: a number, or a name, which may be a keyword there."""
    if key.isascii() and key.isdigit():
        return f"begins with a zero: write `{int(key)}`" if len(key) > 1 and key[0] == "0" else ""
    return "" if keyword.iskeyword(key) else unusable(key)


def unusable_variable(name: str) -> str:
    """Like :func:`unusable`, for names after `$`: parameters, loop and `let` names."""
    if reason := unusable(name):
        return reason
    if name == "input":
        return "is the tensor that enters a step"
    if name in CONSTANTS:
        return "is a value, not a name"
    if name[0].isupper():
        return "begins like a layer name; parameters begin with a lowercase letter"
    return ""


def usable(name: str, reserved: Container[str] = (), refused: Callable[[str], str] = unusable) -> str:
    """Help: a name similar to ``name`` that is neither ``reserved`` nor ``refused``; "" if there is none."""
    cleaned = re.sub(r"\W+", "_", name, flags=re.ASCII)[:MAX_NAME].strip("_")
    if refused is unusable_variable:
        cleaned = cleaned[:1].lower() + cleaned[1:]
    for other in (cleaned, f"{cleaned}_", f"_{cleaned}"):
        if cleaned and name.isascii() and len(name) <= MAX_NAME and not refused(other) and other not in reserved:
            return f"`{other}` can be a name"
    return ""


def odd_character(text: str) -> str:
    """The first character of a text that is not ASCII, in words; empty if there is none."""
    if text.isascii():
        return ""
    odd = next(character for character in text if not character.isascii())
    return f"{unicodedata.name(odd, 'a character')} (U+{ord(odd):04X})"
