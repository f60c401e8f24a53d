"""Shapes of tensors and the arithmetic of sliding windows, in plain integers."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod


class Refused(Exception):
    """A layer does not accept this input or these arguments.

    A rule states the error and names the argument; its caller knows the place in the file.
    """

    def __init__(self, message: str, argument: str | None = None, help: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.argument = argument
        self.help = help


class Shape(tuple[int, ...]):
    """Sizes of a tensor, the batch first: ``(N, C, H, W)``, ``(N, C, L)`` or ``(N, F)``."""

    __slots__ = ()

    @property
    def rank(self) -> int:
        return len(self)

    @property
    def channels(self) -> int:
        """Size of dimension 1."""
        return self[1]

    @property
    def features(self) -> int:
        """Size of the last dimension, on which a linear layer works."""
        return self[-1]

    @property
    def spatial(self) -> tuple[int, ...]:
        """The sizes after batch and channels: ``(H, W)`` of an image."""
        return tuple(self[2:])

    @property
    def sample(self) -> tuple[int, ...]:
        """The shape of one sample, without the batch."""
        return tuple(self[1:])

    @property
    def elements(self) -> int:
        return prod(self)

    def with_channels(self, channels: int) -> Shape:
        return Shape((self[0], channels, *self[2:]))

    def with_spatial(self, spatial: tuple[int, ...]) -> Shape:
        return Shape((*self[:2], *spatial))

    def with_size(self, dim: int, size: int) -> Shape:
        sizes = list(self)
        sizes[dim] = size
        return Shape(sizes)

    def __str__(self) -> str:
        return f"[{', '.join(map(str, self))}]" if self else "?"


def window(
    size: int,
    kernel: int,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    *,
    argument: str = "kernel_size",
) -> int:
    """The number of positions of a window on an axis of ``size`` with ``padding`` zeros in total.

    ``floor((size + padding - dilation * (kernel - 1) - 1) / stride) + 1``, the formula of torch.nn.Conv2d
    with the padding of both sides added up.
    """
    span = dilation * (kernel - 1) + 1
    padded = size + padding
    if span > padded:
        raise Refused(
            f"the window does not fit: it spans {_arithmetic(kernel, dilation, span)}, "
            f"its padded input {size} + {padding} = {padded}",
            argument,
            f"use a kernel of at most {max((padded - 1) // dilation + 1, 0)}, more padding, or a larger input",
        )
    return (padded - span) // stride + 1


def window_arithmetic(size: int, kernel: int, stride: int, padding: str, dilation: int, rounding: str = "floor") -> str:
    """The arithmetic of :func:`window` with its numbers; ``padding`` is that of both sides, as ``2*3``."""
    return f"{rounding}(({size} + {padding} - {dilation}*({kernel} - 1) - 1) / {stride}) + 1"


def unseen(size: int, positions: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """The number of values at the end of an axis that none of a window's ``positions`` reaches; ``padding`` is
    that of the near side. 0 if there are gaps between windows, which skip values on purpose."""
    span = dilation * (kernel - 1) + 1
    return 0 if stride > span else max(size + padding - (positions - 1) * stride - span, 0)


def _arithmetic(kernel: int, dilation: int, span: int) -> str:
    return f"{kernel}" if dilation == 1 else f"{dilation} * ({kernel} - 1) + 1 = {span}"


def axis_name(dim: int, rank: int) -> str:
    """What dimension ``dim`` of a tensor is called: ``C``, ``H``, or ``dim 4`` beyond the usual layouts."""
    names = {2: "NC", 3: "NCL", 4: "NCHW", 5: "NCDHW"}.get(rank)
    return names[dim] if names else f"dim {dim}"


def size_name(dim: int, rank: int) -> str:
    """What an expression of a spec calls the size of dimension ``dim``: ``channels``, ``height``, ``shape[4]``."""
    if dim == 1:
        return "channels"
    if rank in (4, 5):
        return {rank - 1: "width", rank - 2: "height"}.get(dim, "depth")
    return "features" if dim == rank - 1 else f"shape[{dim - 1}]"


def kept(x: Shape, dims: Iterable[int], start: int) -> dict[int, str]:
    """The arithmetic of an output's dimensions from ``start`` on that are those ``dims`` of the input ``x``."""
    return {dim: f"input.{size_name(source, x.rank)}" for dim, source in enumerate(dims, start) if dim != source}


def resolve_dim(dim: int, rank: int, argument: str = "dim") -> int:
    """``dim`` as an index from 0 in a tensor of ``rank`` dimensions; -1 is the last."""
    if not -rank <= dim < rank:
        raise Refused(f"dimension {dim} is not one of the tensor's {rank}, {-rank} to {rank - 1}", argument)
    return dim % rank


def resolve_sample_dim(dim: int, rank: int, argument: str = "dim") -> int:
    """As :func:`resolve_dim`, but never the batch: a layer works on each sample separately."""
    resolved = resolve_dim(dim, rank, argument)
    if resolved == 0:
        raise Refused(
            "dimension 0 is the batch, which no layer may touch",
            argument,
            f"a sample has dimensions 1 to {rank - 1}; the channels are 1",
        )
    return resolved


def resolve_sizes(sizes: tuple[int, ...], elements: int, argument: str) -> tuple[int, ...]:
    """``sizes`` with a -1 replaced so that the product is ``elements``."""
    known = prod(size for size in sizes if size != -1)
    if any(size < -1 for size in sizes) or sizes.count(-1) > 1:
        raise Refused(f"{list(sizes)} must consist of sizes and at most one -1", argument)
    if -1 in sizes:
        if known == 0 or elements % known:
            raise Refused(f"{elements} elements cannot be arranged as {list(sizes)}", argument)
        return tuple(elements // known if size == -1 else size for size in sizes)
    if known != elements:
        product = " * ".join(map(str, sizes)) or "1"
        raise Refused(f"{product} = {known} elements, but the input has {elements}", argument)
    return sizes
