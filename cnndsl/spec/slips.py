"""Typing errors in the text of a spec, which make it invalid YAML, or YAML with another meaning."""

from __future__ import annotations

import re

#: The distance around a place that is searched: a line may be as long as the file.
_NEAR = 256
#: Values as other tools write them: ``${w}``, ``{{ w }}``, ``${{ w }}``, ``%(w)s``, ``@w``.
_OTHER_VALUES = r"\$\{+(?P<a>[^{}]+)\}+|\{\{(?P<b>[^{}]+)\}\}|%\((?P<c>[^()]+)\)[sd]?|[@%](?P<d>[^\W\d]\w*)%?"
#: A quoted value that continues: ``"$w" + 1``.
_QUOTED_PART = re.compile(r"""(?P<quote>["'])(?P<inner>\$[^"']+)(?P=quote)\s*(?P<rest>(?:\*\*|//|[-+*/%])[^,\]}#]+)""")
#: An expression that is not in quotes, or its beginning without the brackets around it.
_DOLLAR = re.compile(r"(?<![\"'])\$(?P<name>\w*)[(\[]")
#: A key and its value without a space between them: ``kernel_size:3``.
GLUED = re.compile(r"(?P<key>\w+):(?=[^\s:/\\])(?P<value>.+)", re.DOTALL)
#: A key and its value in Python's notation: ``kernel_size=3``.
EQUALS = re.compile(r"(?P<key>\w+)\s*=(?!=)\s*(?P<value>\S.*)", re.DOTALL)
#: Words of other languages for the constants of this one.
_CONSTANTS = {
    **dict.fromkeys(("yes", "on", "y"), "true"),
    **dict.fromkeys(("no", "off", "n"), "false"),
    **dict.fromkeys(("none", "nil", "nothing", "undefined"), "null"),
}
#: Signs of other languages that Python cannot read, as patterns, with ours.
_SIGNS = {
    r"&&": "and", r"\|\|": "or", r"!==": "!=", r"===": "==", r"<>": "!=", r"=>": ">=", r"=<": "<=",
    r"\?": "a if condition else b", r"!(?!=)": "not", r"~": "null", r"(?<![=<>!])=(?!=)": "==",
}  # fmt: skip


def taken(expression: str) -> str:
    """How a spec inserts the value of a name or an expression, in quotes if ``{...}`` would need them."""
    if re.fullmatch(r"[^\W\d]\w*", expression):
        return f"${expression}"
    value = f"$({expression})"
    return f'"{value}"' if re.search(r"[,\[\]{}]|: | #", value) and '"' not in value else value


#: The place of an error in a line, and the correction.
Found = tuple[int, int, str]


def other_value(text: str, column: int) -> Found | None:
    """The place in a line, around ``column``, of a value in the notation of another tool, and our notation."""
    first, last = max(column - _NEAR, 0), column + _NEAR
    for match in re.compile(_OTHER_VALUES).finditer(text, first, last):
        if match.start() <= column < match.end():
            return match.start(), match.end(), taken(next(filter(None, match.groups())).strip())
    for match in _QUOTED_PART.finditer(text, first, last):
        if match.start() <= column < match.end():
            inner = re.sub(r"\$(?=[\w(])", "", match["inner"])
            return match.start(), match.end(), taken(f"{inner} {match['rest'].strip()}")
    return None


def flow_expression(text: str, column: int) -> Found | None:
    """The place in a line, around ``column``, of an expression cut at a bracket or comma, and its correction."""
    for match in _DOLLAR.finditer(text, max(column - _NEAR, 0), column + _NEAR):
        end = _closing(text, match.end() - 1)
        if match.start() <= column < end:
            inner = text[match.start() + 1 : end]
            return match.start(), end, taken(inner if match["name"] else inner[1:-1])
    return None


def _closing(text: str, bracket: int) -> int:
    """The position where the bracket of an expression is closed, 0 if it is not."""
    depth = 0
    for index in range(bracket, min(bracket + _NEAR, len(text))):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(text[index], 0)
        if depth == 0:
            return index + 1
    return 0


def with_colon(text: str) -> tuple[int, str] | None:
    """The place in a text of a colon without a space after it, or of an ``=`` for it, and the corrected text."""
    for pattern in (GLUED, EQUALS):
        if match := pattern.fullmatch(text):
            return match.end("key"), f"{match['key']}: {match['value']}"
    return None


def glued_bracket(text: str, column: int) -> Found | None:
    """The place in a line, at ``column``, of a colon right before a bracket or quote, and the correction."""
    match = re.compile(r":(?=[\[{\"'])").match(text, column)
    key = re.search(r"\w+\Z", text[max(column - _NEAR, 0) : column])
    if not match or not key:
        return None
    value = re.match(r"\[[^\[\]]*\]|\{[^{}]*\}|\"[^\"]*\"|'[^']*'", text[column + 1 : column + _NEAR])
    return column, column + 1, f"{key[0]}: {value[0] if value else '...'}"


def meant_constant(name: str) -> str:
    """Help for a name that means true, false or null in another language; "" for any other."""
    meant = _CONSTANTS.get(name.lower())
    return f"write `{meant}`" if meant else ""


def meant_notation(expression: str) -> str:
    """Help for an expression that Python cannot read, by its first sign from another language."""
    outside_texts = re.sub(r"'[^']*'|\"[^\"]*\"", "", expression)
    for sign, here in _SIGNS.items():
        if found := re.search(sign, outside_texts):
            return f"`{found[0]}` is written `{here}` here"
    return "write it as in Python, as in `$(2 * channels)` or `$(a if b > 0 else c)`"
