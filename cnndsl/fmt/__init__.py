"""Specs in one layout, their comments kept and their meaning proved unchanged."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from cnndsl.diagnostics import SpecError
from cnndsl.fmt.layout import Layout
from cnndsl.fmt.nodes import parse
from cnndsl.network import compile_spec
from cnndsl.source import Source
from cnndsl.spec.tree import Listing, Mapping, Tree, Unreadable, read


class Unchanged(Exception):
    """The layout would not have kept what the text says, so it was not used."""


def format(text: str, name: str = "<text>", folder: Path | None = None) -> str:
    """The same spec in the one layout; ``folder`` is where it finds what it extends. Raises :class:`SpecError`
    where the text is not sound YAML, :class:`Unchanged` where no layout could be proved to keep it."""
    text = re.sub(r"\r\n?", "\n", text.removeprefix("\ufeff"))
    tree = _read(text, name)
    laid = text
    for _ in range(5):
        before, (root, comments) = laid, parse(laid)
        laid = Layout(laid, comments).document(root)
        _prove_kept(tree, text, laid)
        if laid == before:
            break
    else:
        raise Unchanged("the layout does not settle")
    if laid != text and _compiled(text, folder) != _compiled(laid, folder):
        raise Unchanged("the spec would compile to something else")
    return laid


def _read(text: str, name: str) -> Tree:
    try:
        tree, faults = read(Source(name, text))
    except Unreadable as error:
        raise SpecError(error.diagnostics) from None
    if faults:
        raise SpecError(faults)
    return tree


def _prove_kept(tree: Tree, old: str, new: str) -> None:
    try:
        same = _values(tree) == _values(_read(new, "<formatted>"))
    except SpecError:
        same = False
    if not same:
        raise Unchanged("its values would change")
    if sorted(c.text for c in parse(old)[1]) != sorted(c.text for c in parse(new)[1]):
        raise Unchanged("a comment would be lost")


def _values(tree: Tree) -> Any:
    """A tree's values with their types and the order of keys."""
    if isinstance(tree, Mapping):
        return [(key.value, _values(value)) for key, value in tree.entries]
    if isinstance(tree, Listing):
        return ("list", *map(_values, tree.items))
    return type(tree.value).__name__, tree.value


def _compiled(text: str, folder: Path | None) -> Any:
    """What a spec compiles to: its diagnostics' codes, and its source where there is one."""
    from cnndsl.emit.python import source

    compilation = compile_spec(f"{text}\n", folder=folder)  # a text of one line would be a path
    codes = sorted(diagnostic.code.name for diagnostic in compilation.diagnostics)
    return codes, source(compilation.graph) if compilation.graph else None
