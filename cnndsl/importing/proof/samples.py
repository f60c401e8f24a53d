"""The inputs on which two networks are compared: shapes that are cheap, and random tensors of these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor

Shape = tuple[int, ...]
#: The sizes that are tried first, by the number of dimensions: larger in one than in the other, so that these cannot
#: change places; one that 32 does not divide, and larger ones for networks that cut off borders.
SMALL: Mapping[int, Sequence[Shape]] = {
    1: [(1024,), (1536,), (2100,)],
    2: [(64, 80), (64, 96), (96, 112), (96, 128), (128, 160), (160, 224)],
    3: [(16, 24, 32), (32, 48, 64)],
}
#: Odd sizes, by the number of dimensions: networks halve their inputs, and these cannot be halved.
ODD: Mapping[int, Sequence[Shape]] = {
    1: [(1025,)],
    2: [(33, 47), (65, 81), (97, 113), (129, 161), (225, 299)],
    3: [(17, 23, 27)],
}
#: How many times the positions of the given input a size that is tried may have.
GROWTH = 16


def candidates(shapes: Sequence[Shape]) -> Iterator[tuple[Shape, ...]]:
    """Shapes like those of a network's inputs, without the batch, from the most wanted; the last two are the shapes
    themselves, and larger ones.

    All inputs are scaled alike. Shapes that are not scaled to whole numbers are left out.
    """
    given = _extents(shapes)
    larger = tuple(size * (2 + axis) for axis, size in enumerate(given))
    yield from _like(shapes, (*_cheap(SMALL, given), given, larger))


def odd_candidates(shapes: Sequence[Shape]) -> Iterator[tuple[Shape, ...]]:
    """The same with odd sizes."""
    yield from _like(shapes, _cheap(ODD, _extents(shapes)))


def _extents(shapes: Sequence[Shape]) -> Shape:
    return next((shape[1:] for shape in shapes if len(shape) > 1), ())


def _cheap(sizes: Mapping[int, Sequence[Shape]], given: Shape) -> list[Shape]:
    return [size for size in sizes.get(len(given), []) if prod(size) <= GROWTH * prod(given)]


def _like(shapes: Sequence[Shape], sizes: Sequence[Shape]) -> Iterator[tuple[Shape, ...]]:
    found = (_scaled(shapes, _extents(shapes), size) for size in sizes)
    yield from dict.fromkeys(made for made in found if made is not None)


def _scaled(shapes: Sequence[Shape], given: Shape, size: Shape) -> tuple[Shape, ...] | None:
    made = []
    for channels, *extents in shapes:
        if len(extents) != len(given):  # a vector beside pictures
            made.append((channels, *extents))
            continue
        scaled = [extent * new / old for extent, new, old in zip(extents, size, given)]
        if any(extent != int(extent) for extent in scaled):
            return None
        made.append((channels, *map(int, scaled)))
    return tuple(made)


def drawn(shapes: Sequence[Shape], batch: int) -> list[Tensor]:
    """Random samples of these shapes, always the same."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(batch, *shape, generator=generator) for shape in shapes]


def tensors_in(value: Any) -> list[Tensor]:
    """The tensors in what a module takes or returns, in order: one, or tuples, lists and dicts of them."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        return tensors_in([*value.values()])
    return [tensor for item in value for tensor in tensors_in(item)] if isinstance(value, (tuple, list)) else []
