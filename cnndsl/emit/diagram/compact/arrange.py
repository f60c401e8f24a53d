"""Puts items below each other or side by side, by what takes the output of what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnndsl.emit.diagram.compact.items import Beside, Cell, Item, Stack, cells, made, tails
from cnndsl.graph.graph import Tensor

#: A chain that has so many times as many boxes as another is the main one.
DOMINANT = 3


def arranged(items: Sequence[Item]) -> list[Item]:
    """Items in the order of a stack. A chain that goes on where the one before ends is below it; chains that do not
    need each other are side by side."""
    thread = _Thread([])
    needed = frozenset(tensor for item in items for tensor in item.takes)
    waiting = [*reversed(items)]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Stack) and item.joint and (thread.threads or _depend(item)):
            waiting += reversed([*_apart(item)])
        else:
            thread.add(item, needed)
    return thread.items(set())


class _Thread:
    """A chain of items, which may part into threads that do not need each other.

    ``maker`` has the thread that makes each tensor.
    """

    def __init__(self, chain: list[Item]) -> None:
        self.chain = chain
        self.threads: list[_Thread] = []
        self.maker: dict[Tensor, _Thread] = {}

    def add(self, item: Item, needed: frozenset[Tensor]) -> None:
        """Puts an item where what it takes ends. ``needed`` are all tensors that something takes."""
        takes = set(item.takes)
        hits = {self.maker[tensor] for tensor in takes if tensor in self.maker}
        if len(hits) == 1:
            (thread,) = hits
            thread.add(item, needed)
            self.maker |= dict.fromkeys(item.makes, thread)
        elif hits:
            self._close()
            self.chain.append(item)
        elif self.threads:
            self._begin([item])
        elif not self.chain or takes.intersection(self.chain[-1].makes) or self._is_done(needed):
            self.chain.append(item)
        else:
            start = max(
                (place + 1 for place, each in enumerate(self.chain) if takes.intersection(each.makes)), default=0
            )
            self._begin(self.chain[start:])
            self._begin([item])
            del self.chain[start:]

    def _begin(self, chain: list[Item]) -> None:
        """Begins a thread."""
        thread = _Thread(chain)
        self.threads.append(thread)
        self.maker |= dict.fromkeys(made(chain), thread)

    def _is_done(self, needed: frozenset[Tensor]) -> bool:
        """Whether the last item is a merge whose result nothing takes: what follows is below it, not beside."""
        last = self.chain[-1]
        merges = isinstance(last, Cell) and last.kind == "merge" and isinstance(self.chain[-2:][0], Beside)
        return merges and not needed.intersection(last.makes)

    def _close(self) -> None:
        """Puts the threads side by side, so that what needs several of them is below all."""
        self.chain = [*self.chain, *_side_by_side(self.threads, set())]
        self.threads, self.maker = [], {}

    def items(self, before: set[Tensor]) -> list[Item]:
        """The chain with its regions as parts of it. ``before`` are the tensors of what is above."""
        found: list[Item] = []
        for item in self.chain:
            if isinstance(item, Stack) and item.joint:
                found += _region(item, _ends(found) if found else before)
            else:
                found.append(item)
        return found + _side_by_side(self.threads, _ends(found) if found else before)


def _side_by_side(threads: Sequence[_Thread], before: set[Tensor]) -> list[Item]:
    stacks = [Stack(thread.items(before)) for thread in threads]
    if len(stacks) < 2:
        return stacks[0].items if stacks else []
    heights = [sum(1 for _ in cells(stack)) for stack in stacks]
    main = heights.index(max(heights))
    if heights[main] <= DOMINANT * min(heights):
        return [Beside(stacks)]
    return [Beside([stacks.pop(main), *stacks], 0)]


def _depend(joint: Stack) -> bool:
    """Whether an arm of a region takes what another makes."""
    arms = [arm for item in joint.items if isinstance(item, Beside) for arm in item.arms]
    inside = {tensor for arm in arms for tensor in arm.makes}
    return any(inside.intersection(arm.takes) for arm in arms)


def _apart(joint: Stack) -> Iterator[Item]:
    """The items of a region, without its structure."""
    for item in joint.items:
        if isinstance(item, Beside):
            for arm in item.arms:
                yield from arm.items
        else:
            yield item


def _ends(found: Sequence[Item]) -> set[Tensor]:
    return {tensor for cell in tails(found[-1] if found else None) for tensor in cell.makes}


def _region(joint: Stack, before: set[Tensor]) -> list[Item]:
    """A region as a part of a stack: its only arm goes into the stack, unless a line past it does."""
    found: list[Item] = []
    for item in joint.items:
        if not isinstance(item, Beside):
            found.append(item)
            continue
        if found:
            before = _ends(found)
        arms = [arm for arm in item.arms if arm.items]
        going_on = [place for place, arm in enumerate(arms) if before.intersection(arm.takes)]
        past = not going_on and bool(before.intersection(joint.items[-1].takes))
        if len(arms) == 1 and not past:
            found += arms[0].items
        elif arms:
            axis = 0 if item.main or past else going_on[0] if len(going_on) == 1 else None
            found.append(Beside(arms, axis, past, item.main))
    return found
