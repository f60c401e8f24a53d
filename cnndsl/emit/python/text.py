"""Python expressions as text, laid out as ``ruff format`` would."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

#: Columns of a line, and of a line in a method's body.
WIDTH = 88
BODY_WIDTH = WIDTH - 8
#: The most items of a tuple that an annotation lists one by one.
MAX_TYPES = 4


@dataclass(frozen=True, slots=True)
class Group:
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


def spread(*parts: Code) -> Group:
    """Children spread between others: ``*(Block(8) for _ in range(2))``."""
    return Group("*(", parts, ")", commas=False)


def prefixed(before: str, code: Code) -> Code:
    return f"{before}{code}" if isinstance(code, str) else replace(code, opening=f"{before}{code.opening}")


def flat(code: Code) -> str:
    """On one line."""
    if isinstance(code, str):
        return code
    inner = _inside(code)
    return inner if code.bare else f"{code.opening}{inner}{code.closing}"


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


# --- values --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reference:
    """A value that is a Python name: a layer as a parameter, ``act=nn.ReLU``."""

    name: str

    def __repr__(self) -> str:
        return self.name


def written(value: Any) -> Code:
    """A value as a person would write it: tuples, double quotes."""
    if isinstance(value, tuple) and len(value) > 1:
        return Group("(", tuple(map(written, value)), ")", display=True)
    return literal(value)


def literal(value: Any) -> str:
    """:func:`written`, on one line. Values are the same if their literals are."""
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))}{',' if len(value) == 1 else ''})"
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    """A string in double quotes, or in single ones if that saves escapes."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    escaped = text.replace("\\", "\\\\").replace(quote, f"\\{quote}")
    shown = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in escaped)
    return f"{quote}{''.join(shown)}{quote}"


def annotation(values: Iterable[Any]) -> str:
    """The common type of ``values``, as an annotation."""
    names = {_type(value) for value in values}
    if "float" in names:
        names.discard("int")
    tuples = sorted(name for name in names if name.startswith("tuple["))
    if len(tuples) > 1:
        items = [item for value in values if isinstance(value, tuple) for item in value]
        names = {name for name in names if name not in tuples} | {f"tuple[{annotation(items)}, ...]"}
    return " | ".join(sorted(names, key=lambda name: (name == "None", name)))


def _type(value: Any) -> str:
    if isinstance(value, tuple):
        if len(value) > MAX_TYPES:
            return f"tuple[{annotation(value)}, ...]"
        return f"tuple[{', '.join(map(_type, value)) or '()'}]"
    if isinstance(value, Reference):
        return "type[nn.Module]"
    return "None" if value is None else type(value).__name__
