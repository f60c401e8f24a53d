"""Aligns two trees of parts: which part of the one is which of the other.

The children of two modules are aligned as two sequences. What is equal at their ends is matched first. In between,
dynamic programming finds the cheapest edit: a child is matched, inserted, deleted, or several are wrapped in a module.
Long sequences are split at children that occur once in each, or else searched along the diagonal, so that the work
grows with the number of parts.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from math import inf

from cnndsl.compare.parts import Part, Tree
from cnndsl.graph.graph import Apply
from cnndsl.record import Record

#: Up to so many pairs of children are compared one by one; along the diagonal, so many for each child.
CELLS, BAND = 10_000, 30
#: What an edit costs, where to insert or delete one operation costs 1.
WRAP, RENAME, NAME, REWIRE, ARGUMENT, KIND = 0.6, 0.25, 0.1, 0.1, 0.2, 0.5
FAMILY, LAYER, BRIDGE = 1.2, 1.7, 0.4
#: The least share of operations of the same kinds in modules that are matched without a name in common.
LIKENESS = 0.5


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
        self._costs: dict[tuple[int, int], float] = {}

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
                pending += self._children(a.children, b.children)

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
                yield from self._cheapest(a, b, inf)
            elif anchors := _anchors(a, b):
                pending += _between(a, b, anchors)
                yield from ((a[i], b[j]) for i, j in anchors)
            else:
                yield from self._cheapest(a, b, BAND)

    def _cheapest(self, a: Sequence[Part], b: Sequence[Part], band: float) -> Iterator[tuple[Part, Part]]:
        """The pairs of the cheapest edit that turns ``a`` into ``b``, no further than ``band`` from the diagonal."""
        steps = _Table(a, b, band, self._cost).steps
        i, j = len(a), len(b)
        while i or j:
            up, back = steps[i, j]
            if (up, back) == (1, 1):
                yield a[i - 1], b[j - 1]
            elif up and back:
                yield from self._wrap(a[i - up : i], b[j - back : j])
            i, j = i - up, j - back

    def _wrap(self, a: Sequence[Part], b: Sequence[Part]) -> Iterator[tuple[Part, Part]]:
        if len(b) == 1 and _wraps(b[0], a):
            self.wrapped.append(Wrap(tuple(a), b[0]))
            yield from zip(a, b[0].children)
        else:
            self.unwrapped.append(Wrap(tuple(b), a[0]))
            yield from zip(a[0].children, b)

    def _cost(self, a: Part, b: Part) -> float:
        known = self._costs.get((a.key, b.key))
        if known is None:
            known = self._costs[a.key, b.key] = _cost(a, b)
        return known

    # --- moves -----------------------------------------------------------------------------------

    def find_moves(self, left: Tree, right: Tree) -> frozenset[Part]:
        """Matches parts that are only on one side with equal ones that are only on the other."""
        back = {b: a for a, b in self.partners.items()}
        done = {wrap.module for wrap in (*self.wrapped, *self.unwrapped)}
        gone = [part for part in _unmatched(left.root, self.partners) if part not in done]
        new = [part for part in _unmatched(right.root, back) if part not in done]
        moved: list[Part] = []
        for near in (True, False):
            for a, b in _equal(gone, new):
                siblings = self.partners.get(left.parents[a]) is right.parents[b]
                if (siblings if near else _is_telling(a, b)) and a not in self.partners:
                    self.match(a, b)
                    moved += a, b
            gone = [part for part in gone if part not in moved]
            new = [part for part in new if part not in moved]
        return frozenset(moved)


def _is_telling(a: Part, b: Part) -> bool:
    """Whether an equal part in another module can only be the same: not one of many activations."""
    same_name = a.is_named and b.is_named and a.name == b.name
    return same_name or a.weight > 1 or a.operation.cost.params > 0


def _equal(gone: Sequence[Part], new: Sequence[Part]) -> Iterator[tuple[Part, Part]]:
    """Pairs with equal content that no other part among them has."""
    there: defaultdict[int, list[Part]] = defaultdict(list)
    for part in new:
        there[part.content].append(part)
    often = Counter(part.content for part in gone)
    for part in gone:
        if often[part.content] == len(there[part.content]) == 1:
            yield part, there[part.content][0]


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


# --- the cheapest edit -----------------------------------------------------------------------------------


class _Table:
    """``steps`` hold, for each pair of prefixes, how many parts of each the last edit takes. The cheapest edit of all
    is found, among those that stay within ``band`` of the diagonal."""

    def __init__(self, a: Sequence[Part], b: Sequence[Part], band: float, cost: Callable[[Part, Part], float]) -> None:
        self.a, self.b, self.cost = a, b, cost
        self.steps: dict[tuple[int, int], tuple[int, int]] = {}
        self.rows: list[dict[int, float]] = []
        for i in range(len(a) + 1):
            middle = i * len(b) // max(len(a), 1)
            slope = -(-len(b) // max(len(a), 1))
            low = 0 if band == inf else max(0, middle - int(band) - slope)
            high = len(b) if band == inf else min(len(b), middle + int(band) + slope)
            self._row(i, range(low, high + 1))

    def _row(self, i: int, columns: range) -> None:
        a, b, cost, steps = self.a, self.b, self.cost, self.steps
        row: dict[int, float] = {}
        self.rows.append(row)
        above = self.rows[i - 1] if i else {}
        for j in columns:
            best, step = (0.0 if not (i or j) else inf), (0, 0)
            if i and j and (there := above.get(j - 1)) is not None:
                best, step = there + cost(a[i - 1], b[j - 1]), (1, 1)
            if i and (there := above.get(j)) is not None and there + a[i - 1].weight < best:
                best, step = there + a[i - 1].weight, (1, 0)
            if j and (there := row.get(j - 1)) is not None and there + b[j - 1].weight < best:
                best, step = there + b[j - 1].weight, (0, 1)
            if i and j and (wrapped := self._wrap(i, j)) and wrapped[0] < best:
                best, step = wrapped
            row[j], steps[i, j] = best, step

    def _wrap(self, i: int, j: int) -> tuple[float, tuple[int, int]] | None:
        """The cost of wrapping the last parts of one prefix in the last module of the other."""
        a, b = self.a[i - 1], self.b[j - 1]
        for module, others, end, step in ((b, self.a, i, (len(b.children), 1)), (a, self.b, j, (1, len(a.children)))):
            count = len(module.children)
            if module.is_module and count and count <= end and _wraps(module, others[end - count : end]):
                there = self.rows[i - step[0]].get(j - step[1], inf)
                return there + WRAP, step
        return None


def _wraps(module: Part, parts: Sequence[Part]) -> bool:
    """Whether a module holds just these parts."""
    children = module.children
    return (
        children[-1:] != ()
        and len(children) == len(parts)
        and children[-1].content == parts[-1].content
        and all(child.content == part.content for child, part in zip(children, parts))
    )


def _cost(a: Part, b: Part) -> float:
    """What it costs to turn one part into the other."""
    if a.key == b.key:
        return 0.0
    named = a.is_named and b.is_named
    name = (RENAME if named else NAME) if (a.is_named or b.is_named) and a.name != b.name else 0.0
    same_name = named and a.name == b.name
    if a.is_module != b.is_module:
        return a.weight + b.weight - BRIDGE if same_name else inf
    if a.content == b.content:
        return name or REWIRE
    bridge = BRIDGE if same_name else 0.0
    if not a.is_module:
        return name + _operation_cost(a, b) - bridge * (a.kind != b.kind)
    alike, equal = (a.kinds & b.kinds).total(), (a.contents & b.contents).total()
    both = a.kinds.total() + b.kinds.total()
    if 2 * alike < LIKENESS * both and (a.kind != b.kind or not a.module.block) and not same_name:
        return inf
    inside = max(both - 2 * alike + ARGUMENT * (alike - equal) - bridge, 0.0)
    return name + inside + KIND * (a.kind != b.kind)


def _operation_cost(a: Part, b: Part) -> float:
    one, other = a.operation, b.operation
    if a.kind == b.kind:
        differing: int = sum(a.arguments.get(name) != value for name, value in b.arguments.items())
        return ARGUMENT * min(1 + differing, 4)
    if isinstance(one, Apply) != isinstance(other, Apply):
        return LAYER + BRIDGE
    same = isinstance(one, Apply) and isinstance(other, Apply) and one.layer.family == other.layer.family
    return FAMILY if same else LAYER
