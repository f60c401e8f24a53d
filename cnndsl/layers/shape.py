"""Shapes of tensors and the arithmetic of sliding windows, in plain integers."""

from __future__ import annotations

from math import prod


class Refused(Exception):
    """A layer does not take this input or these arguments.

    Rules say what is wrong and name the argument; who calls the rule knows the place in the file.
    """

    def __init__(self, message: str, argument: str | None = None, help: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.argument = argument
        self.help = help


class Shape(tuple[int, ...]):
    """Sizes of a tensor with the batch in front: ``(N, C, H, W)``, ``(N, C, L)`` or ``(N, F)``."""

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
        """Size of the last dimension, which is what a linear layer sees."""
        return self[-1]

    @property
    def spatial(self) -> tuple[int, ...]:
        """What follows batch and channels: ``(H, W)`` of an image."""
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
    """How many positions a window takes on an axis of ``size`` with ``padding`` zeros in all.

    ``floor((size + padding - dilation * (kernel - 1) - 1) / stride) + 1``, torch.nn.Conv2d's formula
    with the padding of both sides already added up.
    """
    span = dilation * (kernel - 1) + 1
    padded = size + padding
    if span > padded:
        raise Refused(
            f"the window does not fit: it spans {_arithmetic(kernel, dilation, span)}, "
            f"its padded input {size} + {padding} = {padded}",
            argument,
            f"a kernel of at most {max((padded - 1) // dilation + 1, 0)}, more padding, or a larger input would fit",
        )
    return (padded - span) // stride + 1


def unseen(size: int, positions: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """How many values at the end of an axis none of a window's ``positions`` reaches, ``padding`` being that
    of the near side. None for windows with gaps between them, which are meant to pass values over."""
    span = dilation * (kernel - 1) + 1
    return 0 if stride > span else max(size + padding - (positions - 1) * stride - span, 0)


def _arithmetic(kernel: int, dilation: int, span: int) -> str:
    return f"{kernel}" if dilation == 1 else f"{dilation} * ({kernel} - 1) + 1 = {span}"


def resolve_dim(dim: int, rank: int, argument: str = "dim") -> int:
    """The dimension that ``dim`` means in a tensor of ``rank`` dimensions; -1 is the last."""
    if not -rank <= dim < rank:
        raise Refused(f"dimension {dim} is not one of the tensor's {rank}, {-rank} to {rank - 1}", argument)
    return dim % rank


def resolve_sample_dim(dim: int, rank: int, argument: str = "dim") -> int:
    """As :func:`resolve_dim`, but never the batch: a layer works on every sample by itself."""
    resolved = resolve_dim(dim, rank, argument)
    if resolved == 0:
        raise Refused(
            "dimension 0 is the batch, which no layer may touch",
            argument,
            f"the dimensions of a sample are 1 to {rank - 1}, the channels 1",
        )
    return resolved


def resolve_sizes(sizes: tuple[int, ...], elements: int, argument: str) -> tuple[int, ...]:
    """``sizes`` with one -1 replaced by what makes the product ``elements``."""
    known = prod(size for size in sizes if size != -1)
    if any(size < -1 for size in sizes) or sizes.count(-1) > 1:
        raise Refused(f"{list(sizes)} may hold sizes and one -1", argument)
    if -1 in sizes:
        if known == 0 or elements % known:
            raise Refused(f"{elements} elements cannot be dealt out as {list(sizes)}", argument)
        return tuple(elements // known if size == -1 else size for size in sizes)
    if known != elements:
        product = " * ".join(map(str, sizes)) or "1"
        raise Refused(f"{product} = {known} elements, but the input has {elements}", argument)
    return sizes
