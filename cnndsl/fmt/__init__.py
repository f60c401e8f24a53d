"""Formats specs in one layout. Comments are kept, and the meaning is checked to be unchanged."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from cnndsl.diagnostics import SpecError
from cnndsl.fmt.layout import Layout
from cnndsl.fmt.nodes import Parsed
from cnndsl.source import Source
from cnndsl.spec.silence import COMMENT
from cnndsl.spec.tree import Listing, Mapping, Tree, Unreadable, read


class Unchanged(Exception):
    """The layout would have changed the meaning of the text, so it was not used."""


def format(text: str, name: str = "<text>") -> str:
    """The same spec in the one layout; ``name`` is its name in diagnostics. Raises :class:`SpecError` if the
    text is not valid YAML, and :class:`Unchanged` if the layout cannot be shown to keep it."""
    if not isinstance(text, str):
        raise TypeError(f"format() takes the text of a spec, not {type(text).__name__}")
    text = re.sub(r"\r\n?", "\n", text.removeprefix("\ufeff"))
    values = _values(_read(text, name))
    parsed = first = Parsed.of(text)
    for _ in range(5):
        laid = Layout(parsed).document()
        if laid == parsed.text:
            return laid
        if _values(_reread(laid)) != values:
            raise Unchanged("its values would change")
        parsed = Parsed.of(laid)
        _prove_comments_kept(first, parsed)
    raise Unchanged("the layout is not stable")


def _read(text: str, name: str) -> Tree:
    try:
        tree, faults = read(Source(name, text))
    except Unreadable as error:
        raise SpecError(error.diagnostics) from None
    if faults:
        raise SpecError(faults)
    return tree


def _reread(laid: str) -> Tree:
    try:
        return _read(laid, "<formatted>")
    except SpecError as error:
        raise Unchanged(f"it could not be read again: {error.diagnostics[0].message}") from None


def _values(tree: Tree) -> Any:
    """A tree's values with their types and the order of keys: everything that the compiler reads."""
    if isinstance(tree, Mapping):
        return [(key.value, _values(value)) for key, value in tree.entries]
    if isinstance(tree, Listing):
        return ("list", *map(_values, tree.items))
    return type(tree.value).__name__, tree.value


def _prove_comments_kept(old: Parsed, new: Parsed) -> None:
    if sorted(comment.text for comment in old.comments) != sorted(comment.text for comment in new.comments):
        raise Unchanged("a comment would be lost")
    if _silenced(old) != _silenced(new):
        raise Unchanged("a comment would silence other warnings")


def _silenced(parsed: Parsed) -> list[tuple[str, list[int]]]:
    """The comments that silence warnings, each with the numbers of the nodes that begin on its line."""
    silencing = [comment for comment in parsed.comments if COMMENT.match(comment.text)]
    begin: dict[int, list[int]] = defaultdict(list)
    for number, node in enumerate(parsed.nodes if silencing else ()):
        begin[node.start.line].append(number)
    return [(comment.text, begin[comment.line]) for comment in silencing]
