"""Padding: values added around an input, or with negative numbers cut off."""

from __future__ import annotations

from cnndsl.layers.kinds import INTEGER, NUMBER, PerAxis
from cnndsl.layers.shape import Refused, Shape
from cnndsl.layers.table import Layer, argument, layer


class _Padding(Layer):
    family = "padding"
    short_name = "pad"
    example = {"padding": 1}

    padding = argument(PerAxis(INTEGER, per_side=True))

    def output(self, x: Shape) -> Shape:
        dims = self.dims or 0
        sides = self.padding if isinstance(self.padding, tuple) else (self.padding,) * (2 * dims)
        for axis in range(dims):
            dim = x.rank - 1 - axis  # torch counts the sides from the last dimension
            x = x.with_size(dim, self._padded(x[dim], sides[2 * axis], sides[2 * axis + 1]))
        return x

    def _padded(self, size: int, before: int, after: int) -> int:
        self.check_sides(size, before, after)
        if size + before + after < 1:
            raise Refused(f"padding of {before} and {after} leaves nothing of an axis of {size}", "padding")
        return size + before + after

    def check_sides(self, size: int, before: int, after: int) -> None:
        """Refuses what cannot be padded by these numbers."""


class _Constant(_Padding):
    def check_sides(self, size: int, before: int, after: int) -> None:
        if min(before, 0) + min(after, 0) < -size:
            raise Refused(f"padding of {before} and {after} cuts off more than the axis of {size} has", "padding")


@layer
class ZeroPad1d(_Constant):
    """Zeros before and after the last dimension: ``(N, C, L)`` gives ``(N, C, L + left + right)``."""

    dims = 1
    ranks = range(2, 64)


@layer
class ZeroPad2d(_Constant):
    """Zeros around the last two dimensions: ``(N, C, H, W)`` gives
    ``(N, C, H + top + bottom, W + left + right)``.

    ``padding`` is one number for all sides or ``[left, right, top, bottom]``; a negative number cuts off.
    """

    dims = 2
    ranks = range(3, 64)


@layer
class ZeroPad3d(_Constant):
    """Zeros around the last three dimensions, ``[left, right, top, bottom, front, back]``.

    On an image, ``(N, C, H, W)``, front and back are channels, which is how a shortcut without weights
    gets more of them.
    """

    dims = 3
    ranks = range(4, 64)


class _ConstantValue(_Constant):
    example = {"padding": 1, "value": 0.5}

    value = argument(NUMBER)


@layer
class ConstantPad1d(_ConstantValue):
    """As ``ZeroPad1d``, with another ``value``."""

    dims = 1
    ranks = range(2, 64)


@layer
class ConstantPad2d(_ConstantValue):
    """As ``ZeroPad2d``, with another ``value``."""

    dims = 2
    ranks = range(3, 64)


@layer
class ConstantPad3d(_ConstantValue):
    """As ``ZeroPad3d``, with another ``value``."""

    dims = 3
    ranks = range(4, 64)


class _Reflection(_Padding):
    def check_sides(self, size: int, before: int, after: int) -> None:
        if max(before, after) >= size:
            raise Refused(f"an axis of {size} can be reflected by at most {size - 1}", "padding")


@layer
class ReflectionPad1d(_Reflection):
    """The signal mirrored at both ends; as ``ReflectionPad2d``."""

    dims = 1


@layer
class ReflectionPad2d(_Reflection):
    """The image mirrored at its edges, the edge itself not repeated: ``c b | a b c | b a``.

    Sides as in ``ZeroPad2d``, each less than the axis it extends.
    """

    dims = 2


@layer
class ReflectionPad3d(_Reflection):
    """The volume mirrored at its faces; as ``ReflectionPad2d``, sides as in ``ZeroPad3d``."""

    dims = 3


@layer
class ReplicationPad1d(_Padding):
    """The signal's first and last value repeated; as ``ReplicationPad2d``."""

    dims = 1


@layer
class ReplicationPad2d(_Padding):
    """The image's edge repeated outwards: ``a a | a b c | c c``. Sides as in ``ZeroPad2d``."""

    dims = 2


@layer
class ReplicationPad3d(_Padding):
    """The volume's faces repeated outwards; as ``ReplicationPad2d``, sides as in ``ZeroPad3d``."""

    dims = 3


class _Circular(_Padding):
    def check_sides(self, size: int, before: int, after: int) -> None:
        left = size + min(before, 0) + min(after, 0)
        if max(before, after) > left:
            raise Refused(f"an axis of {left} can be wrapped around by at most {left}", "padding")


@layer
class CircularPad1d(_Circular):
    """The signal continued from its other end; as ``CircularPad2d``."""

    dims = 1


@layer
class CircularPad2d(_Circular):
    """The image continued from its other side: ``b c | a b c | a b``.

    Sides as in ``ZeroPad2d``, each at most the axis it extends.
    """

    dims = 2


@layer
class CircularPad3d(_Circular):
    """The volume continued from its other side; as ``CircularPad2d``, sides as in ``ZeroPad3d``."""

    dims = 3
