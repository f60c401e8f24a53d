"""Puts items below each other or side by side, by what takes the output of what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnndsl.emit.diagram.compact.items import Beside, Cell, Item, Stack, cells, tails
from cnndsl.graph.graph import Tensor


def arranged(items: Sequence[Item]) -> list[Item]:
    """Items in the order of a stack. A chain that goes on where the one before ends is below it; chains that do not
    need each other are side by side."""
    found: list[Item] = []
    threads: list[list[Item]] = []
    waiting = [*reversed(items)]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Stack) and item.joint and (len(threads) > 1 or _depend(item)):
            waiting += reversed([*_apart(item)])
            continue
        place = _place(item, threads)
        if place is None:
            found += _side_by_side(threads, _before(found))
            threads = [[item]]
        elif isinstance(place, tuple):
            (thread,) = threads
            found += _below_each_other(thread[: place[0]], _before(found))
            threads = [thread[place[0] :], [item]]
        elif place == len(threads):
            threads.append([item])
        else:
            threads[place].append(item)
    return found + _side_by_side(threads, _before(found))


def _place(item: Item, threads: Sequence[Sequence[Item]]) -> int | tuple[int] | None:
    """The thread that an item continues, the number of threads if it starts one, None if it needs more than one. If it
    starts in the middle of the only thread, the length up to there, in brackets."""
    takes = set(item.takes)
    hits = [place for place, thread in enumerate(threads) if any(takes.intersection(each.makes) for each in thread)]
    if not hits:
        return len(threads)
    thread = threads[hits[0]]
    if len(hits) == 1 and takes.intersection(thread[-1].makes):
        return hits[0]
    if len(threads) == 1:
        return (1 + max(place for place, each in enumerate(thread) if takes.intersection(each.makes)),)
    return None


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


def _before(found: Sequence[Item]) -> set[Tensor]:
    return {tensor for cell in tails(found[-1] if found else None) for tensor in cell.makes}


def _side_by_side(threads: Sequence[Sequence[Item]], before: set[Tensor]) -> list[Item]:
    stacks = [_below_each_other(thread, before) for thread in threads]
    if len(stacks) < 2:
        return stacks[0] if stacks else []
    heights = [sum(1 for item in stack for _ in cells(item)) for stack in stacks]
    axis = heights.index(max(heights)) if max(heights) > 2 * min(heights) else None
    return [Beside([Stack(stack) for stack in stacks], axis)]


def _below_each_other(thread: Sequence[Item], before: set[Tensor]) -> list[Item]:
    """A thread with its regions as parts of it."""
    found: list[Item] = []
    for item in thread:
        if isinstance(item, Stack) and item.joint:
            found += _region(item, _before(found) if found else before)
        else:
            found.append(item)
    return found


def _region(joint: Stack, before: set[Tensor]) -> list[Item]:
    """A region as a part of a stack: its only arm goes into the stack, unless a line past it does."""
    found: list[Item] = []
    for item in joint.items:
        if not isinstance(item, Beside):
            found.append(item)
            continue
        if found:
            before = _before(found)
        arms = [arm for arm in item.arms if arm.items]
        going_on = [place for place, arm in enumerate(arms) if before.intersection(arm.takes)]
        past = not going_on and any(
            before.intersection(cell.takes) for cell in cells(joint.items[-1]) if isinstance(cell, Cell)
        )
        if len(arms) == 1 and not past:
            found += arms[0].items
        elif arms:
            axis = 0 if item.main or past else going_on[0] if len(going_on) == 1 else None
            found.append(Beside(arms, axis, past, item.main))
    return found
