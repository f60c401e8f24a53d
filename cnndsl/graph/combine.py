"""Shapes of merged tensors, and of the parts of a split one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnndsl.layers.shape import Refused, Shape, resolve_dim


def combine(kind: str, shapes: list[Shape], dim: int = 1) -> Shape:
    """The shape of a merge. Raises :class:`Refused` if the shapes do not fit together."""
    return _concat(shapes, dim) if kind == "concat" else _broadcast(kind, shapes)


def arithmetic(kind: str, shapes: Sequence[Shape], dim: int = 1) -> dict[int, str]:
    """How the sizes of a merge follow from those of its tensors, as :meth:`Layer.arithmetic` tells for a layer. A
    dimension that is left out has one size in all of them."""
    if kind == "concat":
        axis = resolve_dim(dim, shapes[0].rank)
        return {axis: " + ".join(str(shape[axis]) for shape in shapes)}
    axes = (sorted({*sizes}) for sizes in zip(*shapes))
    return {dim: f"max({', '.join(map(str, sizes))})" for dim, sizes in enumerate(axes) if len(sizes) > 1}


def _concat(shapes: list[Shape], dim: int) -> Shape:
    first = shapes[0]
    if any(shape.rank != first.rank for shape in shapes):
        ranks = " and ".join(sorted({str(shape) for shape in shapes}))
        raise Refused(f"tensors of different ranks cannot be concatenated: {ranks}", None, "`Flatten` all, or none")
    axis = resolve_dim(dim, first.rank)
    if axis == 0:
        raise Refused("a concat along dimension 0 would mix the samples of a batch", "dim")
    for shape in shapes:
        differing = [d for d in range(first.rank) if d != axis and shape[d] != first[d]]
        if differing:
            sizes = "height and width" if first.rank == 4 and axis == 1 else "all other sizes"
            help = f"a concat along dimension {axis} needs equal {sizes}; padding and stride determine them"
            raise Refused(f"{first} and {shape} cannot be concatenated", None, help)
    return first.with_size(axis, sum(shape[axis] for shape in shapes))


def _broadcast(kind: str, shapes: list[Shape]) -> Shape:
    """torch's broadcasting, equal sizes or 1, among equally many dimensions: torch aligns the last ones, so with fewer
    dimensions the batch of one tensor would meet the channels of another."""
    listed = " and ".join(map(str, shapes))
    if len({shape.rank for shape in shapes}) > 1:
        help = "`keepdim: true` and pooling keep sizes of 1; `Flatten` joins dimensions, `Unflatten` splits one"
        raise Refused(f"`{kind}` takes tensors with equally many dimensions, got {listed}", None, help)
    sizes = []
    for axis in zip(*shapes):
        wanted = {size for size in axis if size != 1}
        if len(wanted) > 1:
            raise Refused(f"`{kind}` cannot broadcast {listed}", None, "sizes must be equal or 1")
        sizes.append(wanted.pop() if wanted else 1)
    return Shape(sizes)


def parts(shape: Shape, wanted: Any, count: int) -> tuple[int, ...]:
    """The channels of each of ``count`` branches: even parts for True, otherwise as listed."""
    channels = shape.channels
    if wanted is True:
        if channels % count:
            raise Refused(f"{channels} channels cannot be split evenly among {count} branches", "split")
        return (channels // count,) * count
    if not isinstance(wanted, tuple) or not all(type(size) is int and size > 0 for size in wanted):
        raise Refused("`split` expects true, or a list with the channels of each branch", "split")
    if len(wanted) != count:
        raise Refused(f"`split` lists {len(wanted)} parts for {count} branch{'es' * (count > 1)}", "split")
    if sum(wanted) != channels:
        raise Refused(f"the parts add up to {sum(wanted)}, but the tensor has {channels} channels", "split")
    return wanted
