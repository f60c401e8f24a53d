"""Breaks a long picture into strips that have room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Cut = TypeVar("Cut")


def breaks(
    cuts: Sequence[Cut], place: Callable[[Cut], float], start: float, end: float, room: float
) -> list[Cut] | None:
    """The fewest of ``cuts``, in order, with which no strip between ``start`` and ``end`` is longer than ``room``; None
    if no cuts do that. ``place`` is where a cut is."""
    chosen: list[Cut] = []
    while end - start > room:
        reached = [cut for cut in cuts if start < place(cut) <= start + room]
        if not reached:
            return None
        chosen.append(reached[-1])
        start = place(reached[-1])
    return chosen
