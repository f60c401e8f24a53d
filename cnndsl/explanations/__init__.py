"""What the codes of diagnostics mean: a page of Markdown each, in this folder.

A page may hold a spec that is wrong and the same one put right, in fenced blocks called ``yaml wrong`` and
``yaml right``, with options of ``cnndsl check`` behind these words; another word is the name of a file beside them.
"""

from __future__ import annotations

import re
from pathlib import Path

from cnndsl.diagnostics import Code
from cnndsl.record import Record

_FENCE = re.compile(r"^```yaml (\S+)(?: ([^\n]*))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Example(Record, frozen=True):
    """``role`` is ``wrong``, ``right``, or the name of a file that these two need."""

    role: str
    options: tuple[str, ...]
    text: str


def find_code(name: str) -> Code | None:
    """The code that ``CNN021``, ``cnn021`` or ``21`` names."""
    digits = name.upper().removeprefix("CNN")
    return next(
        (code for code in Code if digits.isascii() and digits.isdigit() and code.id == f"CNN{int(digits):03}"), None
    )


def explain(code: str) -> str:
    """The page of a code such as ``CNN021``: what it means, and mostly a wrong spec and a right one.

    Raises ValueError where there is no such code.
    """
    found = find_code(code)
    if found is None:
        raise ValueError(f"there is no code `{code}`")
    return f"# {found.id}: {found.title}\n\n{_text(found)}"


def labelled(page: str) -> str:
    """A page whose examples are labelled in the text, since Markdown does not show the words after a fence."""
    for role in ("wrong", "right"):
        page = page.replace(f"```yaml {role}", f"{role.capitalize()}:\n\n```yaml")
    return re.sub(r"^```yaml (\w\S*\.yaml)", r"with `\1`\n\n```yaml", page, flags=re.MULTILINE)


def examples(code: Code) -> tuple[Example, ...]:
    """The fenced blocks of a code's page."""
    found = _FENCE.finditer(_text(code))
    return tuple(Example(fence[1], tuple((fence[2] or "").split()), fence[3]) for fence in found)


def page_of(code: Code) -> Path:
    """The file of a code's page."""
    return Path(__file__).with_name(f"{code.id}.md")


def _text(code: Code) -> str:
    return page_of(code).read_text(encoding="utf-8")
