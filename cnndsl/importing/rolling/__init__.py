"""Runs of steps that are alike become loops where that is shorter. Nothing is computed otherwise, and no module gets
another name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise

from cnndsl.importing.blocks import defaults_of
from cnndsl.importing.rolling.counting import Progress, rates_in
from cnndsl.importing.rolling.loops import Loops, Unlike, is_table
from cnndsl.importing.rolling.names import Names
from cnndsl.importing.rolling.runs import Items, Run, Together, folded, with_short_rounds
from cnndsl.importing.tree import Block, Dense, Repeat, Step, Steps, bare, inside, nested, walk
from cnndsl.importing.writing import length

#: What a loop and a name of it cost beyond their lines, and what is beside a loop that might be in it.
_LOOP, _NAME, _PART = 12, 12, 40
#: The most rounds for which all ways to part a run are tried.
_FEW = 8
#: The most rounds that are never loops in a loop.
_NESTED = 4


def rolled(steps: Steps, blocks: Iterable[Block] = (), taken: Iterable[str] = ()) -> Steps:
    """The steps with loops. ``blocks`` are those that the steps call, and ``taken`` names that mean something."""
    (items,) = folded([steps])
    return _Rolling([*blocks], Names(taken), rates_in(steps)).settled(items)


def rolled_together(uses: Sequence[Steps], blocks: Iterable[Block] = (), taken: Iterable[str] = ()) -> list[Steps]:
    """The uses of a class with a loop for each run that is longer in one use than in another: the same loop in each use
    over other values, so that they are of one form."""
    loops = _Rolling([*blocks], Names(taken)).loops
    runs = Together(uses)
    uneven = {place: column for place, column in runs.columns.items() if _is_uneven(column.values())}
    found = {place: made for place, column in uneven.items() if (made := loops.together(column))}
    return [runs.steps(row, found) for row in range(len(uses))]


def _is_uneven(runs: Iterable[Run]) -> bool:
    return len({len(run.rounds) for run in runs}) > 1


class _Rolling:
    def __init__(self, blocks: Sequence[Block], names: Names, rates: Sequence[Progress] = ()) -> None:
        self.blocks = blocks
        self.loops = Loops(defaults_of(blocks), names, rates)

    def settled(self, items: Items) -> Steps:
        """Items with a loop for each run, or its rounds one after another."""
        made: list[Step] = []
        for item in with_short_rounds(items):
            made += self.run(item) if isinstance(item, Run) else (inside(item, self.settled),)
        return tuple(made)

    def run(self, run: Run) -> Steps:
        """The shortest way to write a run: as one loop, or as parts one after another."""
        rounds = run.rounds
        starts = _starts(rounds)
        best: list[tuple[int, Steps]] = [(0, ())]
        for end in range(1, len(rounds) + 1):
            alone = self.settled(rounds[end - 1])
            ways = [(best[end - 1], alone)]
            ways += ((best[start], loop) for start in starts[end] for loop in self.ways(rounds[start:end]))
            costs = [(cost + self.cost(steps) + _PART, before + steps) for (cost, before), steps in ways]
            best.append(min(costs, key=lambda way: way[0]))
        return best[-1][1]

    def ways(self, rounds: Sequence[Items]) -> Iterator[Steps]:
        """The rounds as one loop, and as loops in a loop, if they can be."""
        yield from self.loop(Run(tuple(rounds)))
        for run in self.loops.groupings(rounds) if len(rounds) > _NESTED else ():
            for made in self.loop(run):
                (body,) = nested(made[0])
                if not any(map(is_table, walk(body))):  # a table of tables is harder to read than a long one
                    yield made

    def loop(self, run: Run) -> Iterator[Steps]:
        """The run as one loop, if it can be."""
        with suppress(Unlike):
            yield (self.loops.loop(run),)

    def cost(self, steps: Steps) -> int:
        """How long steps are, written."""
        loops = (_LOOP + _NAME * len(step.names) for step in walk(steps) if isinstance(step, Repeat | Dense))
        return length(self.blocks, (), steps) + sum(loops)


def _starts(rounds: Sequence[Items]) -> list[list[int]]:
    """Where a loop may begin that ends before each round. Of many rounds these are the first two for a loop to the end,
    and the first of equal rounds for a loop of all these."""
    count = len(rounds)
    if count <= _FEW:
        return [[*range(end - 1)] for end in range(count + 1)]
    written = [*map(bare, rounds)]
    firsts = [0]
    for at, (before, after) in enumerate(pairwise(written), 1):
        firsts.append(firsts[-1] if before == after else at)
    starts: list[list[int]] = [[]]
    for end in range(1, count + 1):
        whole = {firsts[end - 1]} if end == count or firsts[end] == end else set()
        starts.append([start for start in whole | ({0, 1} if end >= count - 1 else set()) if start < end - 1])
    return starts
