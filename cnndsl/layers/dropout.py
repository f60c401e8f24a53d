"""Layers that drop random values, channels, blocks or whole samples in training, and nothing in evaluation."""

from __future__ import annotations

from math import prod

from cnndsl.layers.kinds import BOOLEAN, NUMBER, POSITIVE, PROBABILITY, Choice
from cnndsl.layers.shape import Refused, Shape
from cnndsl.layers.table import NOTHING, Layer, Saved, argument, layer


class _Dropping(Layer):
    family = "dropout"
    shares_memory = True  # in evaluation it returns its input

    def is_view(self, training: bool) -> bool:
        return not training or self.values["p"] == 0

    def saves(self, x: Shape, out: Shape) -> Saved:
        return NOTHING if self.values["p"] == 0 else Saved(values=self.drawn(x))

    def drawn(self, x: Shape) -> int:
        """How many factors are drawn for an input of shape ``x``."""
        return x.elements


class _Dropout(_Dropping):
    short_name = "dropout"
    drops_values = True

    p = argument(PROBABILITY, 0.5)
    inplace = argument(BOOLEAN, False)

    def drawn(self, x: Shape) -> int:
        return 1 if self.p == 1 else prod(x[: x.rank - (self.dims or 0)])


@layer
class Dropout(_Dropout):
    """Sets each value to 0 with probability ``p`` in training, and divides the rest by ``1 - p``.

    Srivastava et al., 2014.
    """


@layer
class Dropout1d(_Dropout):
    """``Dropout`` of whole channels of a signal, ``(N, C, L)``."""

    dims = 1


@layer
class Dropout2d(_Dropout):
    """``Dropout`` of whole channels of an image, ``(N, C, H, W)``, where neighbouring values are correlated.

    Tompson et al., 2015.
    """

    dims = 2


@layer
class Dropout3d(_Dropout):
    """``Dropout`` of whole channels of a volume, ``(N, C, D, H, W)``."""

    dims = 3


class _AlphaDropout(_Dropout):
    def works_in_place(self) -> bool:
        return False  # torch's classes take `inplace` but ignore it


@layer
class AlphaDropout(_AlphaDropout):
    """``Dropout`` for networks with ``SELU``: it sets values to the limit of ``SELU`` for large negative inputs,
    and keeps mean and variance.

    Klambauer et al., 2017.
    """


@layer
class FeatureAlphaDropout(_AlphaDropout):
    """``AlphaDropout`` of whole channels."""

    def drawn(self, x: Shape) -> int:
        return 1 if self.p == 1 else x[0] * x.channels


@layer
class StochasticDepth(_Dropping):
    """Sets whole samples (``mode: row``) or the whole batch (``mode: batch``) to 0 with probability ``p`` in
    training, and divides the rest by ``1 - p``. Put it at the end of a residual's steps to drop that branch.

    Huang et al., 2016.
    """

    package = "torchvision.ops"
    example = {"p": 0.2, "mode": "row"}

    p = argument(PROBABILITY)
    mode = argument(Choice("batch", "row"))

    def drawn(self, x: Shape) -> int:
        return x[0] if self.mode == "row" else 1


class _DropBlock(_Dropping):
    package = "torchvision.ops"
    example = {"p": 0.1, "block_size": 7}

    p = argument(PROBABILITY)
    block_size = argument(POSITIVE)
    inplace = argument(BOOLEAN, False)
    eps = argument(NUMBER, 1e-6)

    def output(self, x: Shape) -> Shape:
        block = min(self.block_size, *x.spatial)
        if self.p > 0 and block % 2 == 0:
            cut = "" if block == self.block_size else f": the input {x} reduces {self.block_size} to that"
            raise Refused(f"a block has a centre, so its size must be odd, not {block}{cut}", "block_size")
        return x

    def drawn(self, x: Shape) -> int:
        return x.elements + 1  # a mask, and what it is divided by


@layer
class DropBlock2d(_DropBlock):
    """Sets square blocks of each channel of ``(N, C, H, W)`` to 0 in training, a fraction ``p`` of all values on
    average, and scales up the rest. ``block_size`` is odd; a smaller input reduces it to its own size.

    Ghiasi, Lin and Le, 2018.
    """

    dims = 2


@layer
class DropBlock3d(_DropBlock):
    """Sets cubic blocks of each channel of ``(N, C, D, H, W)`` to 0; see ``DropBlock2d``."""

    dims = 3
