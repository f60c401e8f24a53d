"""Which positions of its input a layer reads, along one axis, for each position of its output.

Padding is not cut off: positions before 0 and past the end are positions too, as in an infinite input.
"""

from __future__ import annotations

from collections.abc import Callable
from math import floor, gcd
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from fractions import Fraction


class Span(NamedTuple):
    """The positions ``first``, ``first + step``, ... up to ``last``."""

    first: int
    last: int
    step: int = 1


class Windows(NamedTuple):
    """A pattern that repeats: output ``q * period + r`` reads the positions of ``spans[r]``, all moved by
    ``q * advance``. None reads nothing, as between the values that a transposed convolution spreads.

    Without any spans, each position of the output reads the whole axis; if ``spans`` is None, which ones it reads is
    not known. Nothing advances if the positions of the output are not laid out along the axis.
    """

    advance: int
    spans: tuple[Span | None, ...] | None
    period: int = 1

    @property
    def one_to_one(self) -> bool:
        return self.advance == self.period == 1 and bool(self.spans and self.spans[0] and self.spans[0][:2] == (0, 0))


#: Each position of the output reads the whole axis, and is one of its positions, as in a normalization.
WHOLE = Windows(1, ())
#: Each position of the output reads the whole axis, of which nothing is left, as in a mean.
REDUCED = Windows(0, ())
#: The longest pattern. A spec may have sizes of millions.
LONGEST = 4096


def repeating(advance: int, period: int, span: Callable[[int], Span | None]) -> Windows:
    """A pattern of so many spans; not known if it is too long to be of use."""
    return Windows(advance, tuple(map(span, range(period))) if period <= LONGEST else None, period)


def moved(by: int) -> Windows:
    """Output ``i`` reads position ``i + by``."""
    return Windows(1, (Span(by, by),))


def sliding(kernel: int, stride: int, before: int, dilation: int = 1) -> Windows:
    """A window of a convolution or of pooling, with ``before`` values of padding at the near end."""
    return Windows(stride, (Span(-before, dilation * (kernel - 1) - before, dilation),))


def spreading(kernel: int, stride: int, padding: int, dilation: int) -> Windows:
    """A transposed convolution: input ``i`` is added to the outputs ``i * stride - padding + m * dilation``, for each
    position ``m`` of the kernel."""
    common = gcd(dilation, stride)
    period = stride // common  # of the positions of the kernel that meet the same outputs
    read: dict[int, Span] = {}
    for m in range(min(kernel, period, LONGEST)):
        far = m + (kernel - 1 - m) // period * period
        quotient, rest = divmod(m * dilation - padding, stride)
        read[rest] = Span(-((far * dilation - padding) // stride), -quotient, dilation // common)
    return repeating(1, stride, read.get)


def adaptive(size: int, out: int) -> Windows:
    """Adaptive pooling: window ``i`` goes from ``floor(i * size / out)`` to ``ceil((i + 1) * size / out)``."""
    if out == 1 and size > 1:
        return REDUCED
    common = gcd(size, out)
    advance, period = size // common, out // common
    return repeating(advance, period, lambda i: Span(i * advance // period, -((i + 1) * -advance // period) - 1))


def interpolated(ratio: Fraction, offset: Fraction, taps: Callable[[Fraction], Span]) -> Windows:
    """Interpolation: output ``i`` is at position ``i * ratio + offset`` of the input, and reads its ``taps``."""
    return repeating(ratio.numerator, ratio.denominator, lambda i: taps(i * ratio + offset))


def repeated(times: int) -> Windows:
    """Each position of the input appears so many times."""
    return repeating(1, times, lambda _: Span(0, 0))


def nearest(position: Fraction) -> Span:
    return Span(floor(position), floor(position))


def linear(position: Fraction) -> Span:
    """The two values around a position, or the one at it."""
    return Span(floor(position), -floor(-position))


def cubic(position: Fraction) -> Span:
    """The four values around a position, or the one at it: there the weights of the others are 0."""
    around = linear(position)
    return around if around.first == around.last else Span(around.first - 1, around.last + 1)
