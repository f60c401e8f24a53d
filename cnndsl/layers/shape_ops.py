"""Layers that rearrange a sample's values, or take a part of them."""

from __future__ import annotations

from math import prod

from cnndsl.layers.kinds import INTEGER, NATURAL, POSITIVE, Listing
from cnndsl.layers.shape import Refused, Shape, resolve_dim, resolve_sample_dim, resolve_sizes
from cnndsl.layers.table import Layer, argument, layer


class _ShapeOp(Layer):
    family = "shape"
    shares_memory = True


@layer
class Identity(_ShapeOp):
    """The input itself: something to put a name on."""


@layer
class Flatten(_ShapeOp):
    """Makes one dimension of those from ``start_dim`` to ``end_dim``: ``(N, C, H, W)`` gives ``(N, C * H * W)``."""

    start_dim = argument(INTEGER, 1)
    end_dim = argument(INTEGER, -1)

    def output(self, x: Shape) -> Shape:
        start, end = resolve_dim(self.start_dim, x.rank, "start_dim"), resolve_dim(self.end_dim, x.rank, "end_dim")
        if start > end:
            raise Refused(f"dimension {start} comes after dimension {end}", "start_dim")
        if start == 0 and end > 0:
            raise Refused("dimension 0 is the batch, which no layer may touch", "start_dim", "begin at 1")
        return Shape((*x[:start], prod(x[start : end + 1]), *x[end + 1 :]))


@layer
class Unflatten(_ShapeOp):
    """Makes several dimensions of one: with ``dim: 1`` and ``[C, H, W]``, ``(N, C * H * W)`` gives ``(N, C, H, W)``.

    One of the sizes may be -1, and is then what is left for it.
    """

    example = {"dim": 1, "unflattened_size": (2, -1)}

    dim = argument(INTEGER)
    unflattened_size = argument(Listing(INTEGER))

    def output(self, x: Shape) -> Shape:
        dim = resolve_sample_dim(self.dim, x.rank)
        sizes = resolve_sizes(self.unflattened_size, x[dim], "unflattened_size")
        return Shape((*x[:dim], *sizes, *x[dim + 1 :]))


@layer
class Permute(_ShapeOp):
    """Puts the dimensions in the order ``dims``: with ``[0, 2, 3, 1]``, ``(N, C, H, W)`` gives ``(N, H, W, C)``.

    Dimension 0, the batch, stays where it is.
    """

    package = "torchvision.ops"
    example = {"dims": (0, 2, 3, 1)}

    order = argument(Listing(INTEGER), name="dims")  # `dims` means something else in a layer

    def output(self, x: Shape) -> Shape:
        order = tuple(resolve_dim(dim, x.rank, "dims") for dim in self.order)
        if sorted(order) != list(range(x.rank)):
            raise Refused(f"{list(self.order)} is not an order of the {x.rank} dimensions of {x}", "dims")
        if order[0] != 0:
            raise Refused("dimension 0 is the batch, which no layer may touch", "dims", "begin the list with 0")
        return Shape(x[dim] for dim in order)


@layer
class Reshape(_ShapeOp):
    """Gives every sample the shape ``shape``, the batch not counted: ``[1, 28, 28]`` makes ``(N, 1, 28, 28)`` of
    ``(N, 784)``.

    One of the sizes may be -1, and is then what is left for it.
    """

    definition = '''\
class Reshape(nn.Module):
    """Gives each sample another shape."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape: list[int] = list(shape)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape([x.shape[0]] + self.shape)
'''
    example = {"shape": (8, 1024)}

    shape = argument(Listing(INTEGER))

    def output(self, x: Shape) -> Shape:
        return Shape((x[0], *resolve_sizes(self.shape, prod(x.sample), "shape")))


@layer
class Slice(_ShapeOp):
    """The part from ``start`` up to, not including, ``stop`` of dimension ``dim``, by default of the channels."""

    definition = '''\
class Slice(nn.Module):
    """Takes a part of a tensor along one dimension."""

    def __init__(self, start: int, stop: int, dim: int = 1) -> None:
        super().__init__()
        self.start = start
        self.stop = stop
        self.dim = dim

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.narrow(self.dim, self.start, self.stop - self.start)
'''
    example = {"start": 0, "stop": 4}

    start = argument(NATURAL)
    stop = argument(POSITIVE)
    dim = argument(INTEGER, 1)

    def output(self, x: Shape) -> Shape:
        dim = resolve_sample_dim(self.dim, x.rank)
        if self.start >= self.stop:
            raise Refused(f"nothing lies between {self.start} and {self.stop}", "stop")
        if self.stop > x[dim]:
            raise Refused(f"{self.stop} is past the end of dimension {dim}, whose size is {x[dim]}", "stop")
        return x.with_size(dim, self.stop - self.start)


@layer
class ChannelShuffle(_ShapeOp):
    """Deals the channels of ``(N, C, *)`` out anew, so that the next grouped convolution sees some of each of
    the ``groups``.

    Zhang et al., 2018.
    """

    ranks = range(3, 64)
    example = {"groups": 2}

    groups = argument(POSITIVE)

    def output(self, x: Shape) -> Shape:
        if x.channels % self.groups:
            raise Refused(f"{x.channels} channels are not divisible by {self.groups} groups", "groups")
        return x
