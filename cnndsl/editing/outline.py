"""The outline of a spec: its sections, blocks and steps; and the parts of the text that an editor can fold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from msgspec.structs import replace

from cnndsl.diagnostics import SHOWN
from cnndsl.editing.analysis import Analysis
from cnndsl.editing.answers import Symbol
from cnndsl.editing.blanks import readable
from cnndsl.limits import LIMITS
from cnndsl.source import Source, Span
from cnndsl.spec.merge import defined_name
from cnndsl.spec.signature import Parameter, parse_signature
from cnndsl.spec.tree import Listing, Mapping, Scalar, Tree, Unreadable, entry_span, read
from cnndsl.spec.values import Fault
from cnndsl.spec.words import LISTS, is_word

#: Lines of comments without anything between them.
_COMMENTS = re.compile(r"^[ ]*#[^\n]*(?:\r?\n[ ]*#[^\n]*)+", re.MULTILINE)
#: Sections that name other files.
_FILES = ("extends", "use")


def outline(analysis: Analysis) -> tuple[Symbol, ...]:
    """The sections of the text, with what is in them. Lines that YAML cannot read are left out."""
    tree = _tree(analysis.source)
    return tuple(_section(key, value) for key, value in tree.entries) if isinstance(tree, Mapping) else ()


def folds(analysis: Analysis) -> tuple[Span, ...]:
    """The parts of several lines: sections, blocks, steps and comments, for each first line the largest."""
    source, tree = analysis.source, _tree(analysis.source)
    comments = (Span(source, found.start(), found.end()) for found in _COMMENTS.finditer(source.text))
    found: dict[int, Span] = {}
    for span in (*comments, *(_parts(tree) if tree is not None else ())):
        first, last = span.line, source.position(span.end)[0]
        if last > first and (first not in found or span.end > found[first].end):
            found[first] = Span(source, span.start, span.end)
    return tuple(found[line] for line in sorted(found))


def _tree(source: Source) -> Tree | None:
    """The tree of a text, as far as it can be read."""
    text = readable(source, LIMITS)
    try:
        return read(text)[0] if text is not None else None
    except Unreadable:
        return None


def _parts(tree: Tree) -> Iterator[Span]:
    if isinstance(tree, Mapping):
        for key, value in tree.entries:
            yield entry_span(key, value)
            yield from _parts(value)
    elif isinstance(tree, Listing):
        for item in tree.items:
            yield item.span
            yield from _parts(item)


# --- sections ------------------------------------------------------------------------------------


def _section(key: Scalar, value: Tree) -> Symbol:
    name = str(key.value)
    children: Iterator[Symbol] = iter(())
    if name == "blocks" and isinstance(value, Mapping):
        children = (_block(signature, inside) for signature, inside in value.entries)
    elif name in LISTS:
        children = _steps(value, LISTS[name])
    elif isinstance(value, Mapping):
        children = (_line(k, v, "parameter" if name in ("params", "input") else "section") for k, v in value.entries)
    return replace(_line(key, value, "file" if name in _FILES else "section"), children=(*children,))


def _line(key: Scalar, value: Tree, kind: Literal["section", "parameter", "file"]) -> Symbol:
    return Symbol(str(key.value), _detail(value), kind, entry_span(key, value), key.span)


def _block(key: Scalar, value: Tree) -> Symbol:
    """A block with its parameters and steps."""
    try:
        _, parameters = parse_signature(str(key.value), key.span)
    except Fault:
        parameters = ()
    steps = value.get("steps") if isinstance(value, Mapping) else value
    name = defined_name(key)
    detail = str(key.value)[len(name) :]
    return Symbol(
        name, detail, "block", entry_span(key, value), key.span, (*map(_parameter, parameters), *_steps(steps, 1))
    )


def _parameter(parameter: Parameter) -> Symbol:
    default = parameter.default.span if parameter.default else None
    span = Span(parameter.span.source, parameter.span.start, default.end) if default else parameter.span
    return Symbol(parameter.name, default.text if default else "", "parameter", span, parameter.span)


def _detail(value: Tree) -> str:
    """A value in one line; "" for one that takes several."""
    text = value.span.text
    return "" if "\n" in text.strip() else _cut(text.strip())


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


# --- steps ---------------------------------------------------------------------------------------


def _steps(tree: Tree | None, lists: int) -> Iterator[Symbol]:
    """The steps of a list, or the branches of a list of lists."""
    for number, item in enumerate(tree.items if isinstance(tree, Listing) else (), 1):
        yield _branch(number, item) if lists == 2 else _step(item)


def _branch(number: int, tree: Tree) -> Symbol:
    steps = tree.get("steps") if isinstance(tree, Mapping) else tree
    options = _options(tree, "steps") if isinstance(tree, Mapping) else ""
    return Symbol(f"branch {number}", options, "step", tree.span, tree.span.first_line, (*_steps(steps, 1),))


def _step(tree: Tree) -> Symbol:
    if not isinstance(tree, Mapping) or not tree.entries:
        text = _cut(tree.span.first_line.text)
        return Symbol(text or "step", "", "step", tree.span, tree.span.first_line)
    word = next(filter(is_word, tree.keys), None)
    name = tree.get("name")
    place, told = (tree.keys[word].span, _call(word, tree)) if word else (tree.entries[0][0].span, "")
    children = [symbol for key, value in tree.entries for symbol in _inside(str(key.value), key, value, word)]
    if isinstance(name, Scalar) and isinstance(name.value, str):
        return Symbol(name.value, told, "step", tree.span, name.span, (*children,))
    title = word or str(tree.entries[0][0].value)
    return Symbol(title, told.removeprefix(title).strip(), "step", tree.span, place, (*children,))


def _inside(name: str, key: Scalar, value: Tree, word: str | None) -> Iterator[Symbol]:
    """The steps inside of a step: those of its word, and, under a name of their own, those of an option."""
    if name not in LISTS or not isinstance(value, Listing):
        return
    steps = tuple(_steps(value, LISTS[name]))
    if name == word:
        yield from steps
    elif steps:
        yield Symbol(name, "", "step", entry_span(key, value), key.span, steps)


def _call(word: str, tree: Mapping) -> str:
    """A word with its arguments, or with the options beside it if there are steps in it."""
    if word in LISTS:
        return f"{word} {_options(tree, word)}".strip()
    return f"{word} {_detail(tree.by_key[word])}".strip()


def _options(tree: Mapping, word: str) -> str:
    given = ((str(key.value), value) for key, value in tree.entries)
    return ", ".join(
        f"{key}: {_detail(value)}" for key, value in given if key not in (word, "name") and key not in LISTS
    )
