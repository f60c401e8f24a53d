"""Python expressions as text, laid out as ``ruff format`` would."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TypeAlias

#: Columns of a line, and what a method's body has of them.
WIDTH = 88
BODY_WIDTH = WIDTH - 8


@dataclass(frozen=True, slots=True)
class Call:
    """``head(items)``; a list has the head ``[``. ``prefix`` stands before it, as ``stride=``."""

    head: str
    items: tuple[Code, ...]
    prefix: str = ""

    @property
    def brackets(self) -> tuple[str, str]:
        return ("[", "]") if self.head == "[" else (f"{self.head}(", ")")


Code: TypeAlias = str | Call


def flat(code: Code) -> str:
    """On one line."""
    if isinstance(code, str):
        return code
    opening, closing = code.brackets
    return f"{code.prefix}{opening}{', '.join(map(flat, code.items))}{closing}"


def lay_out(code: Code, indent: int, before: str = "", after: str = "", width: int = BODY_WIDTH) -> list[str]:
    """Lines of ``before code after`` at an indentation of ``indent`` columns, ``width`` wide at most.

    What does not fit is broken at its outermost brackets: the items on one line if they fit there,
    else a line each with a comma behind the last.
    """
    margin = " " * indent
    line = f"{margin}{before}{flat(code)}{after}"
    if len(line) <= width or isinstance(code, str) or not code.items:
        return [line]
    opening, closing = code.brackets
    inner = f"{margin}    {', '.join(map(flat, code.items))}"
    if len(inner) <= width:
        body = [inner]
    else:
        body = [line for item in code.items for line in lay_out(item, indent + 4, after=",", width=width)]
    return [f"{margin}{before}{code.prefix}{opening}", *body, f"{margin}{closing}{after}"]


def literal(value: object) -> str:
    """A value as a person would write it: tuples, double quotes."""
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))}{',' if len(value) == 1 else ''})"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def annotation(values: tuple[object, ...]) -> str:
    """The type that all of ``values`` have, as an annotation."""
    names = sorted({_type(value) for value in values}, key=lambda name: (name == "None", name))
    if names == ["float", "int"]:
        return "float"
    return " | ".join(names)


def _type(value: object) -> str:
    if isinstance(value, tuple):
        kinds = {_type(item) for item in value}
        if len(kinds) == 1 and not isinstance(value[0], tuple):
            return f"tuple[{', '.join(map(_type, value))}]"
        return "tuple"
    return "None" if value is None else type(value).__name__
