"""Layers that rearrange a sample's values, or take a part of them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from math import prod
from operator import mul

from cnndsl.layers.kinds import INTEGER, NULL, POSITIVE, Listing
from cnndsl.layers.shape import Refused, Shape, kept, resolve_dim, resolve_sample_dim, resolve_sizes
from cnndsl.layers.table import Layer, argument, layer
from cnndsl.layers.windows import Span, Windows


class _ShapeOp(Layer):
    family = "shape"
    shares_memory = True

    def is_view(self, training: bool) -> bool:
        return True


def _arranged(name: str, sizes: tuple[int, ...], elements: int, start: int) -> dict[int, str]:
    """That of dimensions from ``start`` on whose ``sizes`` the argument ``name`` lists, for a number of elements."""
    known = " * ".join(str(size) for size in sizes if size != -1) or "1"
    rest = f"{elements} / ({known})" if "*" in known else f"{elements} / {known}"
    return {dim: rest if size == -1 else f"{name}[{dim - start}]" for dim, size in enumerate(sizes, start)}


@layer
class Identity(_ShapeOp):
    """Returns its input unchanged: a step that can carry a name."""


class _Reshaping(_ShapeOp):
    def arrangement(self, x: Shape, out: Shape) -> tuple[tuple[int, ...], ...]:
        return _regrouped(x, out)


def _regrouped(x: Shape, out: Shape) -> tuple[tuple[int, ...], ...]:
    """For each size of ``out``, the dimensions of ``x`` that it is made of. Both hold the same values in the same
    order, so dimensions belong together if the products of the sizes up to their ends are the same."""
    ends = {*accumulate(x, mul)} & {*accumulate(out, mul)}

    def groups(shape: Shape) -> list[int]:
        product, group, found = 1, 0, []
        for size in shape:
            found.append(group)
            product *= size
            group += size > 1 and product in ends
        return found

    sources = groups(x)
    return tuple(
        tuple(dim for dim, source in enumerate(sources) if source == group and (x[dim] > 1) == (size > 1))
        for group, size in zip(groups(out), out)
    )


@layer
class Flatten(_Reshaping):
    """Joins the dimensions from ``start_dim`` to ``end_dim`` into one: ``(N, C, H, W)`` gives ``(N, C * H * W)``."""

    start_dim = argument(INTEGER, 1)
    end_dim = argument(INTEGER, -1)

    def output(self, x: Shape) -> Shape:
        start, end = resolve_dim(self.start_dim, x.rank, "start_dim"), resolve_dim(self.end_dim, x.rank, "end_dim")
        if start > end:
            raise Refused(f"dimension {start} comes after dimension {end}", "start_dim")
        if start == 0 and end > 0:
            raise Refused("dimension 0 is the batch, which no layer may touch", "start_dim", "start at 1")
        return Shape((*x[:start], prod(x[start : end + 1]), *x[end + 1 :]))

    def arithmetic(self, x: Shape, out: Shape) -> dict[int, str]:
        start, end = resolve_dim(self.start_dim, x.rank), resolve_dim(self.end_dim, x.rank)
        joined = {start: " * ".join(map(str, x[start : end + 1]))} if end > start else {}
        return joined | kept(x, range(end + 1, x.rank), start + 1)


@layer
class Unflatten(_Reshaping):
    """Splits one dimension into several: with ``dim: 1`` and ``[C, H, W]``, ``(N, C * H * W)`` gives ``(N, C, H, W)``.

    One of the sizes may be -1; it is then inferred from the others.
    """

    example = {"dim": 1, "unflattened_size": (2, -1)}

    dim = argument(INTEGER)
    unflattened_size = argument(Listing(INTEGER))

    def output(self, x: Shape) -> Shape:
        dim = resolve_sample_dim(self.dim, x.rank)
        sizes = resolve_sizes(self.unflattened_size, x[dim], "unflattened_size")
        return Shape((*x[:dim], *sizes, *x[dim + 1 :]))

    def arithmetic(self, x: Shape, out: Shape) -> dict[int, str]:
        dim, sizes = resolve_dim(self.dim, x.rank), self.unflattened_size
        split = _arranged("unflattened_size", sizes, x[dim], dim)
        return split | kept(x, range(dim + 1, x.rank), dim + len(sizes))


@layer
class Permute(_ShapeOp):
    """Puts the dimensions in the order ``dims``: with ``[0, 2, 3, 1]``, ``(N, C, H, W)`` gives ``(N, H, W, C)``.

    Dimension 0, the batch, stays in place.
    """

    package = "torchvision.ops"
    example = {"dims": (0, 2, 3, 1)}

    order = argument(Listing(INTEGER), name="dims")  # `dims` means something else in a layer

    def output(self, x: Shape) -> Shape:
        order = tuple(resolve_dim(dim, x.rank, "dims") for dim in self.order)
        if sorted(order) != list(range(x.rank)):
            raise Refused(f"{list(self.order)} is not an order of the {x.rank} dimensions of {x}", "dims")
        if order[0] != 0:
            raise Refused("dimension 0 is the batch, which no layer may touch", "dims", "start the list with 0")
        return Shape(x[dim] for dim in order)

    def arrangement(self, x: Shape, out: Shape) -> tuple[tuple[int, ...], ...]:
        return tuple((dim % x.rank,) for dim in self.order)

    def arithmetic(self, x: Shape, out: Shape) -> dict[int, str]:
        return kept(x, (resolve_dim(dim, x.rank) for dim in self.order), 0)


@layer
class Reshape(_Reshaping):
    """Gives each sample the shape ``shape``, which excludes the batch: ``[1, 28, 28]`` turns ``(N, 784)`` into
    ``(N, 1, 28, 28)``.

    One of the sizes may be -1; it is then inferred from the others.
    """

    defined_in = "shape_ops"
    example = {"shape": (8, 1024)}

    shape = argument(Listing(INTEGER))

    def output(self, x: Shape) -> Shape:
        return Shape((x[0], *resolve_sizes(self.shape, prod(x.sample), "shape")))

    def arithmetic(self, x: Shape, out: Shape) -> dict[int, str]:
        return _arranged("shape", self.shape, prod(x.sample), 1)


@layer
class Slice(_ShapeOp):
    """Takes the part of dimension ``dim`` from ``start`` up to, but not including, ``stop``; by default channels, up to
    the last. Negative numbers count from the end, and ``step: 2`` takes every second value, as ``start:stop:2`` does in
    Python.
    """

    defined_in = "shape_ops"
    example = {"start": 0, "stop": 4}

    start = argument(INTEGER, 0)
    stop = argument(INTEGER | NULL, None)
    dim = argument(INTEGER, 1)
    step = argument(POSITIVE, 1)

    def output(self, x: Shape) -> Shape:
        dim = resolve_sample_dim(self.dim, x.rank)
        start, stop = self._ends(x)
        if stop > x[dim]:
            raise Refused(f"{stop} is past the end of dimension {dim}, which has size {x[dim]}", "stop")
        if start < 0:
            raise Refused(f"{self.start} is before the begin of dimension {dim}, which has size {x[dim]}", "start")
        if start >= stop:
            raise Refused(f"the range from {start} to {stop} is empty", "start" if self.stop is None else "stop")
        return x.with_size(dim, -(-(stop - start) // self.step))

    def _ends(self, x: Shape) -> tuple[int, int]:
        """The first value, and the one after the last."""
        size = x[self.dim % x.rank]
        stop = size if self.stop is None else self.stop
        return tuple(end if end >= 0 else size + end for end in (self.start, stop))  # type: ignore[return-value]

    def windows(self, x: Shape, out: Shape) -> Mapping[int, Windows]:
        start, _ = self._ends(x)
        return {self.dim % x.rank: Windows(self.step, (Span(start, start),))}

    def arithmetic(self, x: Shape, out: Shape) -> dict[int, str]:
        dim = resolve_sample_dim(self.dim, x.rank)
        size, stop = str(x[dim]), self.stop
        end = size if stop is None else str(stop) if stop >= 0 else f"({size} - {-stop})"
        start = str(self.start) if self.start >= 0 else f"({size} - {-self.start})"
        taken = f"{end} - {start}"
        return {dim: taken if self.step == 1 else f"ceil(({taken}) / {self.step})"}


@layer
class ChannelShuffle(_ShapeOp):
    """Interleaves the ``groups`` of channels of ``(N, C, *)``, so that each group of the next grouped convolution
    sees channels from all of them.

    Zhang et al., 2018.
    """

    ranks = range(3, 64)
    example = {"groups": 2}

    groups = argument(POSITIVE)

    def is_view(self, training: bool) -> bool:
        return False

    def output(self, x: Shape) -> Shape:
        if x.channels % self.groups:
            raise Refused(f"{x.channels} channels are not divisible by {self.groups} groups", "groups")
        return x
