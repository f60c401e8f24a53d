"""Corrects misspelt keys, so that the faults below them are reported in the same run.

The misspelling itself has been reported; a repaired spec never compiles.
"""

from __future__ import annotations

from collections.abc import Collection

from cnndsl.diagnostics import nearest
from cnndsl.spec.foreign import STRUCTURE as FOREIGN
from cnndsl.spec.foreign import entry
from cnndsl.spec.schema import definition, document
from cnndsl.spec.tree import Listing, Mapping, Scalar, Tree
from cnndsl.spec.words import ARM, COMMON, WORDS, options_of


def repaired(tree: Mapping) -> Mapping:
    """The document with its own keys and those of its steps corrected; the same object if none is misspelt."""
    entries = [
        (key, _sections(str(key.value), value)) for key, value in respelt(tree, document()["properties"]).entries
    ]
    return _with(tree, entries)


def _sections(key: str, value: Tree) -> Tree:
    if key == "blocks" and isinstance(value, Mapping):
        return _with(value, [(name, _block(block)) for name, block in value.entries])
    return _steps(value) if key == "network" else value


def _block(block: Tree) -> Tree:
    """A list of steps, or a mapping with one."""
    if not isinstance(block, Mapping):
        return _steps(block)
    block = respelt(block, definition("block")["properties"])
    return _with(block, [(key, _steps(value) if key.value == "steps" else value) for key, value in block.entries])


def _steps(steps: Tree) -> Tree:
    """A list of steps, or of branches, which are such lists or mappings with one."""
    if isinstance(steps, Listing):
        items = tuple(map(_steps, steps.items))
        return steps if items == steps.items else Listing(items, steps.span)
    if not isinstance(steps, Mapping):
        return steps
    step = respelt(steps, (*ARM, *COMMON) if "steps" in steps.by_key else _options(steps))
    entries = [(key, _steps(value) if isinstance(value, Listing) else value) for key, value in step.entries]
    return _with(steps, entries)


def _options(step: Mapping) -> tuple[str, ...]:
    """The lowercase keys that a step may have beside its word, or all such keys if the word is misspelt."""
    words = [key for key in step.by_key if key in WORDS or not key[:1].islower()]
    options = [option for word in words or WORDS for option in options_of(word)]
    return (*COMMON, *(words or WORDS), *options)


def respelt(tree: Mapping, known: Collection[str]) -> Mapping:
    """The mapping with each unknown key replaced by the nearest known one, unless that exists already."""
    taken = set(tree.by_key)
    entries = []
    for key, value in tree.entries:
        word = str(key.value)
        misspelt = word not in known and word[:1].islower() and entry(word) not in FOREIGN
        meant = nearest(word, known) if misspelt else ""
        if meant and meant not in taken:
            taken.add(meant)
            key = Scalar(meant, key.span)
        entries.append((key, value))
    return _with(tree, entries)


def _with(tree: Mapping, entries: list[tuple[Scalar, Tree]]) -> Mapping:
    """Nodes are compared by identity, so a tree without misspellings stays the same object."""
    return tree if tuple(entries) == tree.entries else Mapping(tuple(entries), tree.span)
