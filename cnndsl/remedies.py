"""What the help of a diagnostic says to write, as data for programs.

Help is plain English with code in backticks. Some of the code is to be written: what the help begins with, and what
follows a request, "did you mean `ReLU`?", or a colon. Other code only is mentioned: "it belongs to `branch`", "such as
`Linear: 10`".
"""

from __future__ import annotations

import re

_CODE = r"`([^`\n]+)`"
_BEFORE = r"(?:^|\b(?:did you mean|write|use|put|add|is|(?<!there )are) |: |; |, or )"
_AFTER = (
    r"(?=$|[?,;]| can be a name| before it| beside the layer| without | or more| works on it"
    r"| reads the size| doubles| gives the | is -?[0-9])"
)
_REMEDY = re.compile(_BEFORE + _CODE + _AFTER)
#: Code that a person has to complete, `repeat: [...]`, `reuse: NAME`, and commands.
_OPEN = re.compile(r"\.\.\.|\b(NAME|MODULE|SPEC)\b|^cnndsl ")
#: The way in which something is called: `Conv2d(out_channels, kernel_size)`. It is code to write only if its value is
#: told, "`int(4 * width)` is 2".
_USAGE = re.compile(r"[A-Za-z_]\w*\(")
_VALUE = re.compile(r" is -?[0-9]")
_REMOVAL = re.compile(rf"\b(?:remove|delete|keep|leave)\s+(?:(?:the\s+)?{_CODE}|it\b|one\b|the\s+line)")
_SWAP = re.compile(rf"{_CODE} is written {_CODE} here|{_CODE} gives a float, {_CODE} an integer")


def remedies(help: str) -> list[str]:
    """The code that a help says to write, ready to paste, the likeliest first."""
    found = [match for match in _REMEDY.finditer(help) if not _OPEN.search(match[1])]
    return [match[1] for match in found if not _USAGE.match(match[1]) or _VALUE.match(help, match.end())]


def removals(help: str) -> list[str]:
    """What a help says to remove: code that it names, or "" for what the diagnostic is at."""
    return [match[1] or "" for match in _REMOVAL.finditer(help)]


def swaps(help: str) -> list[tuple[str, str]]:
    """The signs that a help says to write in place of others."""
    return [(match[1] or match[3], match[2] or match[4]) for match in _SWAP.finditer(help)]
