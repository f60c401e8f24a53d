"""Finds which parts of a network belong together, where there is no room to draw each of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Sequence
from typing import TypeVar

from cnndsl.graph.graph import Body, Tensor, walk

T = TypeVar("T", bound=Hashable)


def streams(parts: Sequence[tuple[Collection[T], Collection[T]]]) -> list[list[int]]:
    """The places of parts that one box may stand for, in their order.

    A part is given as what it takes and what it makes. Parts are together if one takes what the other makes, or if they
    take the same from elsewhere. So a box for all of them joins nothing that is separate in the network.
    """
    stream = [*range(len(parts))]  # a tree: its root stands for a stream

    def find(place: int) -> int:
        while stream[place] != place:
            stream[place] = place = stream[stream[place]]
        return place

    maker = {tensor: place for place, (_, makes) in enumerate(parts) for tensor in makes}
    for place, (takes, _) in enumerate(parts):
        for tensor in takes:
            if tensor in maker:
                stream[find(maker[tensor])] = find(place)
    outside: dict[int, set[T]] = defaultdict(set)
    for place, (takes, _) in enumerate(parts):
        outside[find(place)].update(tensor for tensor in takes if tensor not in maker)
    alike: dict[frozenset[T], list[int]] = defaultdict(list)
    for place in range(len(parts)):
        alike[frozenset(outside[find(place)])].append(place)
    return [*alike.values()]


def together(parts: Sequence[Sequence[Body]]) -> list[list[int]]:
    """The places of parts, each of several bodies, that one box may stand for."""
    return streams([ends(bodies) for bodies in parts])


def ends(bodies: Iterable[Body]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """What some bodies take from elsewhere, and what is made in them."""
    inside = [operation for body in bodies for _, operation in walk(body)]
    makes = tuple(tensor for operation in inside for tensor in operation.outputs)
    inner = set(makes)
    takes = (tensor for operation in inside for tensor in operation.inputs if tensor not in inner)
    return tuple(dict.fromkeys(takes)), makes
