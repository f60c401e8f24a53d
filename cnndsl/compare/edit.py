"""The cheapest edit that turns one sequence of siblings into another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Literal, TypeAlias

from cnndsl.compare.parts import Part
from cnndsl.graph.graph import Apply

#: What edits cost, in integers, whose sums do not depend on their order. ``ONE`` is to insert or delete a part, and
#: ``MOVE`` the same for one that occurs once on each side: it is the half of a move. Right after another, it costs
#: ``MORE`` percent of that.
ONE, MOVE, MORE, WRAP, RENAME, NAME, REWIRE = 100, 55, 60, 30, 30, 25, 5
#: To change arguments, and each of the first four; to replace an operation by one of the same family, or of another.
CHANGE, ARGUMENT, FAMILY, OTHER = 60, 20, 110, 160
#: To change what is in a module, and all of its kinds or all of its arguments; to replace its block by another.
INSIDE, KINDS, ARGUMENTS, BLOCK = 50, 80, 40, 30
#: The discount for a replacement by the same name; and what is never worth its price.
SAME_NAME, NEVER = 40, 10**9
#: The least share of operations of the same kinds in modules that are matched without a name in common.
LIKENESS = 0.5

Edit: TypeAlias = Literal["match", "delete", "insert", "wrap", "unwrap"]
#: An edit, how many parts of each sequence it takes, and what everything up to it costs.
_Step: TypeAlias = tuple[int, Edit, int, int]
#: The costs of matches, by the keys of both parts.
Costs: TypeAlias = MutableMapping[tuple[int, int], int]


def cheapest(
    a: Sequence[Part], b: Sequence[Part], band: int, costs: Costs
) -> Iterator[tuple[Edit, tuple[Part, ...], tuple[Part, ...]]]:
    """The edits with the parts that they take, from the last to the first: the cheapest ones that stay within ``band``
    of the diagonal."""
    table = _Table(a, b, costs)
    rows = table.rows(band)
    i, j = len(a), len(b)
    while i or j:
        _, edit, up, back = rows[i][j]
        yield edit, tuple(a[i - up : i]), tuple(b[j - back : j])
        i, j = i - up, j - back


class _Table:
    def __init__(self, a: Sequence[Part], b: Sequence[Part], costs: Costs) -> None:
        self.a, self.b, self.costs = a, b, costs
        self.deletions, self.insertions = _weights(a, b), _weights(b, a)
        self.names = {part.name for part in a if part.is_named} & {part.name for part in b if part.is_named}

    def rows(self, band: int) -> list[dict[int, _Step]]:
        """For each pair of prefixes near the diagonal, the last of the cheapest edits that turn one into the other."""
        rows: list[dict[int, _Step]] = []
        slope = len(self.b) / len(self.a)
        for i in range(len(self.a) + 1):
            low, high = int((i - 1) * slope) - band, int((i + 1) * slope) + band
            rows.append({})
            for j in range(max(low, 0), min(high, len(self.b)) + 1):
                rows[i][j] = self._step(rows, i, j)
        return rows

    def _step(self, rows: Sequence[dict[int, _Step]], i: int, j: int) -> _Step:
        found: list[_Step] = [] if i or j else [(0, "match", 0, 0)]
        if i and (before := rows[i - 1].get(j)) is not None:
            percent = MORE if before[1] == "delete" else 100
            found.append((before[0] + self.deletions[i - 1] * percent // 100, "delete", 1, 0))
        if j and (before := rows[i].get(j - 1)) is not None:
            percent = MORE if before[1] == "insert" else 100
            found.append((before[0] + self.insertions[j - 1] * percent // 100, "insert", 0, 1))
        if i and j and (before := rows[i - 1].get(j - 1)) is not None:
            a, b = self.a[i - 1], self.b[j - 1]
            found.append((before[0] + self._match(a, b), "match", 1, 1))
            if (count := _wraps(b, self.a, i)) and (start := rows[i - count].get(j - 1)) is not None:
                found.append((start[0] + _wrapping(b, self.a[i - count : i]), "wrap", count, 1))
            if (count := _wraps(a, self.b, j)) and (start := rows[i - 1].get(j - count)) is not None:
                found.append((start[0] + _wrapping(a, self.b[j - count : j]), "unwrap", 1, count))
        return min(found, key=_cost)

    def _match(self, a: Part, b: Part) -> int:
        """What it costs to turn one part into the other: too much if one of them has its own name on both sides."""
        if a.name != b.name and self.names and not self.names.isdisjoint((a.name, b.name)):
            return NEVER
        cost = self.costs.get((a.key, b.key))
        if cost is None:
            cost = self.costs[a.key, b.key] = _difference(a, b)
        return cost


def _cost(step: _Step) -> int:
    return step[0]


def _weights(parts: Sequence[Part], others: Sequence[Part]) -> list[int]:
    """What it costs to insert or delete each part."""
    here, there = Counter(part.identity for part in parts), Counter(part.identity for part in others)
    return [MOVE if here[part.identity] == there[part.identity] == 1 else ONE for part in parts]


def _wraps(module: Part, parts: Sequence[Part], end: int) -> int:
    """How many of the parts before ``end`` a module holds, if it holds just these; else 0."""
    children = module.children
    count = len(children)
    holds = 0 < count <= end and all(
        child.content == part.content for child, part in zip(reversed(children), reversed(parts[end - count : end]))
    )
    return count if holds else 0


def _wrapping(module: Part, parts: Sequence[Part]) -> int:
    """What it costs to wrap parts in a module, which should not change their names."""
    return WRAP + sum(_renaming(part, child) for part, child in zip(parts, module.children))


def _renaming(a: Part, b: Part) -> int:
    if a.name == b.name or not (a.is_named or b.is_named):
        return 0
    return RENAME if a.is_named and b.is_named else NAME


def _difference(a: Part, b: Part) -> int:
    """What it costs to turn one part into the other."""
    if a.key == b.key:
        return 0
    same_name = a.is_named and b.is_named and a.name == b.name
    name = _renaming(a, b)
    bridge = SAME_NAME if same_name else 0
    if a.is_module != b.is_module:
        return OTHER - bridge if same_name else NEVER
    if a.content == b.content:
        return name or REWIRE
    return name + (_of_modules(a, b, bridge) if a.is_module else _of_operations(a, b, bridge))


def _of_modules(a: Part, b: Part, bridge: int) -> int:
    both = a.kinds.total() + b.kinds.total()
    alike, equal = (2 * common.total() / max(both, 1) for common in (a.kinds & b.kinds, a.contents & b.contents))
    same_block = a.kind == b.kind and a.module.block != ""
    if alike < LIKENESS and not same_block and not bridge:
        return NEVER
    inside = INSIDE + round(KINDS * (1 - alike)) + round(ARGUMENTS * (1 - equal))
    return inside + (BLOCK - bridge) * (a.kind != b.kind)


def _of_operations(a: Part, b: Part, bridge: int) -> int:
    one, other = a.operation, b.operation
    if a.kind == b.kind:
        differing: int = sum(a.arguments.get(name) != value for name, value in b.arguments.items())
        return CHANGE + ARGUMENT * min(differing, 4)
    if isinstance(one, Apply) and isinstance(other, Apply):
        return (FAMILY if one.layer.family == other.layer.family else OTHER) - bridge
    return (OTHER if isinstance(one, Apply) == isinstance(other, Apply) else OTHER + BLOCK) - bridge
