"""Aligns two trees of parts: which part of the one is which of the other.

The children of two modules are aligned as two sequences. What is equal at their ends is matched first. In between,
dynamic programming finds the cheapest edit: a child is matched, inserted, deleted, or several are wrapped in a module.
Long sequences are split at children that occur once in each, or else searched along the diagonal, so that the work
grows with the number of parts.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Hashable, Iterator, Sequence
from typing import TypeAlias

from cnndsl.compare.edit import cheapest
from cnndsl.compare.parts import Part, Tree
from cnndsl.record import Record

_Parts: TypeAlias = Sequence[Part]
#: Up to so many pairs of children are compared one by one; along the diagonal, so many for each child.
CELLS, BAND = 10_000, 12


class Wrap(Record, frozen=True, eq=False):
    """Parts that are those of a ``module`` on the other side."""

    parts: tuple[Part, ...]
    module: Part


class Alignment(Record, frozen=True):
    """The partner of each part on the other side, which of them have ``moved``, and what is ``wrapped`` in a module of
    the right side or ``unwrapped`` from one of the left."""

    left: Tree
    right: Tree
    partners: dict[Part, Part]
    moved: frozenset[Part]
    wrapped: tuple[Wrap, ...]
    unwrapped: tuple[Wrap, ...]


def align(left: Tree, right: Tree) -> Alignment:
    """The alignment of two trees. That of ``right`` and ``left`` is its mirror image."""
    if _order(left) > _order(right):
        return _mirrored(align(right, left))
    aligner = _Aligner()
    aligner.match(left.root, right.root)
    moved = aligner.find_moves(left, right)
    partners = aligner.partners | {b: a for a, b in aligner.partners.items()}
    return Alignment(left, right, partners, moved, tuple(aligner.wrapped), tuple(aligner.unwrapped))


def _order(tree: Tree) -> tuple[object, ...]:
    """Which of two trees comes first. Trees that are not told apart are equal."""
    return tree.root.weight, [(part.kind, repr(part.arguments), part.path) for part in tree.root.everything()]


def _mirrored(of: Alignment) -> Alignment:
    return Alignment(of.right, of.left, of.partners, of.moved, of.unwrapped, of.wrapped)


class _Aligner:
    def __init__(self) -> None:
        self.partners: dict[Part, Part] = {}
        self.wrapped: list[Wrap] = []
        self.unwrapped: list[Wrap] = []
        #: The parts and modules of all of these.
        self._wraps: set[Part] = set()
        self._costs: dict[tuple[int, int], int] = {}

    # --- matching --------------------------------------------------------------------------------

    def match(self, a: Part, b: Part) -> None:
        """Matches two parts, and what is inside them."""
        pending = [(a, b)]
        while pending:
            a, b = pending.pop()
            self.partners[a] = b
            if a.content == b.content:
                pending += zip(a.children, b.children)
            else:
                pending += self._late(a.children, b.children)

    def _late(self, a: Sequence[Part], b: Sequence[Part]) -> list[tuple[Part, Part]]:
        """The pairs among two sequences of siblings. If there are more equal ones in a row on one side, its last ones
        have no partner."""
        pairs = _slid(a, dict(self._children(a, b)), self._wraps)
        back = _slid(b, {y: x for x, y in pairs.items()}, self._wraps)
        return [(x, y) for y, x in back.items()]

    def _children(self, a: Sequence[Part], b: Sequence[Part]) -> Iterator[tuple[Part, Part]]:
        """The pairs among two sequences of siblings."""
        pending = [(a, b)]
        while pending:
            a, b = pending.pop()
            start = _common(a, b)
            end = _common(a[start:][::-1], b[start:][::-1])
            yield from zip(a[:start], b[:start])
            yield from zip(a[len(a) - end :], b[len(b) - end :])
            a, b = a[start : len(a) - end], b[start : len(b) - end]
            if not (a and b):
                continue
            if len(a) * len(b) <= CELLS:
                yield from self._cheapest(a, b, len(a) + len(b))
            elif anchors := _anchors(a, b):
                pending += _between(a, b, anchors)
                yield from ((a[i], b[j]) for i, j in anchors)
            else:
                yield from self._cheapest(a, b, BAND)

    def _cheapest(self, a: Sequence[Part], b: Sequence[Part], band: int) -> Iterator[tuple[Part, Part]]:
        """The pairs of the cheapest edit that turns ``a`` into ``b``, no further than ``band`` from the diagonal."""
        for edit, parts, others in cheapest(a, b, band, self._costs):
            if edit == "match":
                yield parts[0], others[0]
            elif edit in ("wrap", "unwrap"):
                self._wraps.update(parts, others)
                inside, (module,) = (parts, others) if edit == "wrap" else (others, parts)
                (self.wrapped if edit == "wrap" else self.unwrapped).append(Wrap(inside, module))
                yield from zip(parts, module.children) if edit == "wrap" else zip(module.children, others)

    # --- moves -----------------------------------------------------------------------------------

    def find_moves(self, left: Tree, right: Tree) -> frozenset[Part]:
        """Matches parts that are only on one side with equal ones that are only on the other."""
        back = {b: a for a, b in self.partners.items()}
        done = {wrap.module for wrap in (*self.wrapped, *self.unwrapped)}
        gone = [part for part in _unmatched(left.root, self.partners) if part not in done]
        new = [part for part in _unmatched(right.root, back) if part not in done]
        moved: set[Part] = set()
        for pairs in (self._nearby(left, right, gone, new), self._anywhere(gone, new)):
            for a, b in list(pairs):
                if a not in moved and b not in moved:
                    self.match(a, b)
                    moved |= {a, b}
        return frozenset(moved)

    def _nearby(self, left: Tree, right: Tree, gone: _Parts, new: _Parts) -> Iterator[tuple[Part, Part]]:
        """Equal children of matched modules, if both have equally many of them."""
        there = _by(new, lambda part: (part.identity, right.parents[part]))
        for key, parts in _by(gone, lambda part: (part.identity, self.partners.get(left.parents[part]))).items():
            if len(parts) == len(there[key]):
                yield from zip(parts, there[key])

    def _anywhere(self, gone: _Parts, new: _Parts) -> Iterator[tuple[Part, Part]]:
        """Equal parts that no other is equal to."""
        there = _by(new, lambda part: part.content)
        for key, parts in _by(gone, lambda part: part.content).items():
            if len(parts) == len(there[key]) == 1 and _is_telling(parts[0], there[key][0]):
                yield parts[0], there[key][0]


def _by(parts: _Parts, key: Callable[[Part], Hashable]) -> defaultdict[Hashable, list[Part]]:
    found: defaultdict[Hashable, list[Part]] = defaultdict(list)
    for part in parts:
        found[key(part)].append(part)
    return found


def _is_telling(a: Part, b: Part) -> bool:
    """Whether an equal part in another module can only be the same: not one of many activations."""
    same_name = a.is_named and b.is_named and a.name == b.name
    return same_name or a.weight > 1 or a.operation.cost.params > 0


def _unmatched(part: Part, partners: dict[Part, Part]) -> Iterator[Part]:
    """The outermost parts inside without a partner."""
    for child in part.children:
        if child not in partners:
            yield child
        else:
            yield from _unmatched(child, partners)


def _common(a: Sequence[Part], b: Sequence[Part]) -> int:
    """How many parts at the start of two sequences are equal."""
    return next((index for index, (x, y) in enumerate(zip(a, b)) if x.key != y.key), min(len(a), len(b)))


def _slid(parts: Sequence[Part], pairs: dict[Part, Part], fixed: Container[Part]) -> dict[Part, Part]:
    """``pairs`` where each run of parts that have no partner is as late as equal parts behind it allow."""
    start = 0
    while start < len(parts):
        end = start
        while end < len(parts) and parts[end] not in fixed:
            first, last = parts[start], parts[end]
            if last in pairs:
                if last is first or first.key != last.key or pairs[last].key != last.key:
                    break
                pairs[first] = pairs.pop(last)
                start += 1
            end += 1
        start = max(end, start + 1)
    return pairs


# --- long sequences --------------------------------------------------------------------------------------


def _anchors(a: Sequence[Part], b: Sequence[Part]) -> list[tuple[int, int]]:
    """Pairs of parts that occur once in each sequence, as many as are in the same order: Bram Cohen's patience diff."""
    often_a, often_b = Counter(part.key for part in a), Counter(part.key for part in b)
    there = {part.key: index for index, part in enumerate(b) if often_b[part.key] == 1}
    pairs = [(i, there[part.key]) for i, part in enumerate(a) if often_a[part.key] == 1 and part.key in there]
    return _longest_increasing(pairs)


def _longest_increasing(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest part of ``pairs``, whose first numbers grow, where the second ones grow as well."""
    ends: list[int] = []  # the smallest last number of an increasing sequence of each length
    last: list[int] = []
    before: list[int] = []
    for index, (_, j) in enumerate(pairs):
        length = bisect_left(ends, j)
        before.append(last[length - 1] if length else -1)
        ends[length:] = [j, *ends[length + 1 :]]
        last[length:] = [index, *last[length + 1 :]]
    found = []
    index = last[-1] if last else -1
    while index >= 0:
        found.append(pairs[index])
        index = before[index]
    return found[::-1]


def _between(
    a: Sequence[Part], b: Sequence[Part], anchors: Sequence[tuple[int, int]]
) -> Iterator[tuple[Sequence[Part], Sequence[Part]]]:
    starts = [(0, 0), *((i + 1, j + 1) for i, j in anchors)]
    for (i, j), (next_i, next_j) in zip(starts, [*anchors, (len(a), len(b))]):
        yield a[i:next_i], b[j:next_j]
