"""How an offer is written at a place, in the syntax of snippets: ``Conv2d: {out_channels: $1, kernel_size: $2}``.

Lines after the first are indented relative to the line of the cursor, as editors do with snippets.
"""

from __future__ import annotations

import re

from cnndsl.editing.context import Context
from cnndsl.editing.offers import HOLE, Offer

_COLON = re.compile(r"\s*:(?:\s|\Z)")
_DASH = "- "


def snippet(at: Context, offer: Offer) -> str:
    """The text that an editor inserts for an offer."""
    label = offer.label.replace("$", r"\$")
    if at.expression is not None or at.is_signature:
        return f"{label}($1)" if offer.kind == "function" and not at.following.startswith("(") else label
    dash = _DASH if offer.is_item else ""
    is_item = offer.is_item or any(isinstance(part, int) for part in at.path[-1:])
    if _COLON.match(at.following) or not (offer.value or (at.is_key and not offer.is_item)):
        return dash + label
    pairs = [(label, offer.value), *offer.more]
    if not at.is_flow and (at.is_key or is_item):
        return _numbered(dash + _in_block(pairs, offer.lists, " " * (len(at.line.lstrip()) + len(dash))))
    text = ", ".join(f"{key}: {value}" for key, value in pairs)
    return _numbered(text if at.is_key or (is_item and len(pairs) == 1) else f"{{{text}}}")


def _in_block(pairs: list[tuple[str, str]], lists: int, indent: str) -> str:
    """Keys on lines of their own, which begin with ``indent``. The first holds a list of steps if ``lists`` is 1, a
    list of lists if it is 2; others hold one if they are in brackets."""
    lines = []
    for number, (key, value) in enumerate(pairs):
        depth = lists if number == 0 else int(value == f"[{HOLE}]")
        item = f"\n{indent}  {_DASH * depth}{HOLE}"
        if depth or value == f"{{{HOLE}}}":
            lines.append(f"{key}:{item * max(depth, 1)}")
        else:
            lines.append(f"{key}: {value}")
    return f"\n{indent}".join(lines)


def _numbered(text: str) -> str:
    """The text with the numbers of its places to fill."""
    *parts, last = text.split(HOLE)
    return "".join(f"{part}${number}" for number, part in enumerate(parts, 1)) + last
