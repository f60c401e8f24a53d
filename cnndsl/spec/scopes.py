"""The names that ``$`` may refer to at a place in a document, as far as it has been read."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator

from msgspec import field

from cnndsl.record import Record
from cnndsl.spec.tree import Listing, Mapping, Scalar, Tree

Path = tuple[str | int, ...]


class Scopes(Record, frozen=True):
    """The parameters, loop names and ``let`` names of the document ``tree``."""

    tree: Tree
    #: By the id of a list of steps, the position that first binds each name: each list is searched once.
    _lets: dict[int, dict[str, int]] = field(default_factory=dict)

    def at(self, path: Path) -> Container[str]:
        """The names that are known at a path, which consists of keys, and positions in lists."""
        return _Names(self, path)

    def around(self, path: Path) -> Iterator[Container[str]]:
        params = self.tree.get("params") if isinstance(self.tree, Mapping) else None
        yield params.by_key if isinstance(params, Mapping) else ()
        if len(path) > 1 and path[0] == "blocks":
            yield re.findall(r"\w+", str(path[1]))[1:]
        node = self.tree
        for part in path:
            if isinstance(node, Mapping):
                loop = node.get("for")
                names = loop.items if isinstance(loop, Listing) else (loop,)
                yield [str(name.value) for name in names if isinstance(name, Scalar)]
                node = node.by_key[str(part)]
            elif isinstance(node, Listing):
                yield _Before(self._bound(node), int(part))
                node = node.items[int(part)]

    def _bound(self, steps: Listing) -> dict[str, int]:
        if id(steps) not in self._lets:
            first = self._lets[id(steps)] = {}
            for position, step in enumerate(steps.items):
                bound = step.get("let") if isinstance(step, Mapping) else None
                for name in bound.by_key if isinstance(bound, Mapping) else ():
                    first.setdefault(name, position)
        return self._lets[id(steps)]


class _Names(Record, frozen=True):
    scopes: Scopes
    path: Path

    def __contains__(self, name: object) -> bool:
        return any(name in names for names in self.scopes.around(self.path))


class _Before(Record, frozen=True):
    """The names bound before the step at a position."""

    first: dict[str, int]
    position: int

    def __contains__(self, name: object) -> bool:
        return self.first.get(str(name), self.position) < self.position
