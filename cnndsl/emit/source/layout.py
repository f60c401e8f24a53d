"""Documents and their layout: text that is broken into lines as ``ruff format`` would break it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from msgspec.structs import replace

from cnndsl.record import Record

#: Columns of a line, and of a line in a method's body.
WIDTH = 88
BODY_WIDTH = WIDTH - 8


class Group(Record, frozen=True):
    """Parts between brackets, with commas between them or, as in ``(a for b in c)``, without.

    ``bare``: it has brackets only if it is broken into lines. ``display``: it is a list, a tuple or a
    dictionary; if it is broken, every item gets its own line.
    """

    opening: str
    parts: tuple[Code, ...]
    closing: str
    commas: bool = True
    bare: bool = False
    display: bool = False


Code: TypeAlias = str | Group


def call(head: str, *arguments: Code) -> Group:
    return Group(f"{head}(", arguments, ")")


def listing(items: Iterable[Code]) -> Group:
    return Group("[", tuple(items), "]", display=True)


def joined(first: Code, *others: Code) -> Group:
    """Parts with spaces between them: in brackets, and on a line each, if they do not fit on one."""
    return Group("(", (first, *others), ")", commas=False, bare=True)


def prefixed(before: str, code: Code) -> Code:
    return f"{before}{code}" if isinstance(code, str) else replace(code, opening=f"{before}{code.opening}")


def flat(code: Code) -> str:
    """On one line."""
    if isinstance(code, str):
        return code
    inner = _inside(code)
    return code.opening.removesuffix("(") + inner if code.bare else f"{code.opening}{inner}{code.closing}"


def _inside(group: Group) -> str:
    return (", " if group.commas else " ").join(map(flat, group.parts))


def lay_out(code: Code, indent: int, before: str = "", after: str = "", width: int = BODY_WIDTH) -> list[str]:
    """Lines of ``before code after`` at an indentation of ``indent`` columns, at most ``width`` wide.

    If it does not fit, it is broken at its outermost brackets: the arguments of a call go on one line if they
    fit there, else on a line each, all with trailing commas.
    """
    margin = " " * indent
    line = f"{margin}{before}{flat(code)}{after}"
    if len(line) <= width or isinstance(code, str):
        return [line]
    head = f"{margin}{before}{code.opening}" + code.closing * (not code.parts)
    if before.endswith(" = ") and len(head) > width:
        return [f"{margin}{before}(", *lay_out(code, indent + 4, width=width), f"{margin}){after}"]
    if not code.parts:
        return [line]
    inner = f"{margin}    {_inside(code)}"
    if len(inner) <= width and not code.display:
        body = [inner]
    else:
        comma = "," if code.commas else ""
        body = [line for part in code.parts for line in lay_out(part, indent + 4, after=comma, width=width)]
    return [f"{margin}{before}{code.opening}", *body, f"{margin}{code.closing}{after}"]
