"""Where the steps of a spec are written: the whole of each, and how deep it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cnndsl.editing.uses import Place, place
from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.spec import tree as yaml
from cnndsl.spec.tree import Listing, Tree


class Written(Record, frozen=True):
    """An item of a list. ``word`` is a key of it, or all of it; ``whole`` is the item, so that keys of one item share
    it; ``depth`` counts the lists and mappings around."""

    word: Span
    whole: Span
    depth: int

    @property
    def first_line(self) -> int:
        return self.whole.line

    @property
    def last_line(self) -> int:
        return self.whole.source.position(self.whole.end)[0]


def written(tree: Tree) -> Mapping[Place, Written]:
    """The items of all lists in a tree, steps above all, by the places where their words begin."""
    return {place(item.word): item for item in _items(tree, 0)}


def _items(tree: Tree, depth: int) -> Iterator[Written]:
    if isinstance(tree, yaml.Mapping):
        for _, value in tree.entries:
            yield from _items(value, depth + 1)
    elif isinstance(tree, Listing):
        for item in tree.items:
            words = [key.span for key, _ in item.entries] if isinstance(item, yaml.Mapping) else [item.span]
            yield from (Written(word, item.span, depth) for word in words)
            yield from _items(item, depth + 1)
