"""Padding: values added around an input, or cut off by negative numbers."""

from __future__ import annotations

from collections.abc import Mapping

from cnndsl.layers.kinds import EARLIER, INTEGER, NULL, NUMBER, POSITIVE, Choice, Listing, PerAxis
from cnndsl.layers.shape import Refused, Shape, size_name
from cnndsl.layers.table import INPUT, Layer, Saved, argument, layer
from cnndsl.layers.windows import Windows, moved


class _Padding(Layer):
    family = "padding"
    short_name = "pad"
    example = {"padding": 1}

    padding = argument(PerAxis(INTEGER, per_side=True))

    def output(self, x: Shape) -> Shape:
        for dim, (before, after) in self._sides(x).items():
            x = x.with_size(dim, self._padded(x[dim], before, after))
        return x

    def _sides(self, x: Shape) -> dict[int, tuple[int, int]]:
        """The numbers before and after each dimension; torch counts them from the last one."""
        dims = self.dims or 0
        sides = self.padding if isinstance(self.padding, tuple) else (self.padding,) * (2 * dims)
        return {x.rank - 1 - axis: (sides[2 * axis], sides[2 * axis + 1]) for axis in range(dims)}

    def windows(self, x: Shape, out: Shape) -> Mapping[int, Windows]:
        return {dim: moved(-before) for dim, (before, _) in self._sides(x).items()}

    def arithmetic(self, x: Shape, out: Shape) -> dict[int, str]:
        signed = {
            dim: " ".join(f"{'-' if n < 0 else '+'} {abs(n)}" for n in sides) for dim, sides in self._sides(x).items()
        }
        return {dim: f"{x[dim]} {signed[dim]}" for dim in sorted(signed)}

    def _padded(self, size: int, before: int, after: int) -> int:
        self.check_sides(size, before, after)
        if size + before + after < 1:
            raise Refused(f"padding of {before} and {after} leaves nothing of an axis of {size}", "padding")
        return size + before + after

    def check_sides(self, size: int, before: int, after: int) -> None:
        """Raises :class:`Refused` if an axis of ``size`` cannot be padded by these numbers."""


class _Constant(_Padding):
    def check_sides(self, size: int, before: int, after: int) -> None:
        if min(before, 0) + min(after, 0) < -size:
            raise Refused(f"padding of {before} and {after} cuts off more than an axis of {size} has", "padding")


@layer
class ZeroPad1d(_Constant):
    """Adds zeros before and after the last dimension: ``(N, C, L)`` gives ``(N, C, L + left + right)``."""

    dims = 1
    ranks = range(2, 64)


@layer
class ZeroPad2d(_Constant):
    """Adds zeros around the last two dimensions: ``(N, C, H, W)`` gives
    ``(N, C, H + top + bottom, W + left + right)``.

    ``padding`` is one number for all sides or ``[left, right, top, bottom]``; negative numbers crop.
    """

    dims = 2
    ranks = range(3, 64)


@layer
class ZeroPad3d(_Constant):
    """Adds zeros around the last three dimensions, ``[left, right, top, bottom, front, back]``.

    On an image, ``(N, C, H, W)``, front and back add channels: this is how a shortcut without weights gets more
    of them.
    """

    dims = 3
    ranks = range(4, 64)


class _ConstantValue(_Constant):
    example = {"padding": 1, "value": 0.5}

    value = argument(NUMBER)


@layer
class ConstantPad1d(_ConstantValue):
    """``ZeroPad1d`` with ``value`` instead of zeros."""

    dims = 1
    ranks = range(2, 64)


@layer
class ConstantPad2d(_ConstantValue):
    """``ZeroPad2d`` with ``value`` instead of zeros."""

    dims = 2
    ranks = range(3, 64)


@layer
class ConstantPad3d(_ConstantValue):
    """``ZeroPad3d`` with ``value`` instead of zeros."""

    dims = 3
    ranks = range(4, 64)


class _FromInput(_Padding):
    """Padding with values of the input."""

    def saves(self, x: Shape, out: Shape) -> Saved:
        return INPUT


class _Reflection(_FromInput):
    def check_sides(self, size: int, before: int, after: int) -> None:
        if max(before, after) >= size:
            raise Refused(f"an axis of {size} can be reflected by at most {size - 1}", "padding")


@layer
class ReflectionPad1d(_Reflection):
    """Mirrors the signal at both ends; see ``ReflectionPad2d``."""

    dims = 1


@layer
class ReflectionPad2d(_Reflection):
    """Mirrors the image at its edges, without repeating the edge itself: ``c b | a b c | b a``.

    The sides are those of ``ZeroPad2d``; each must be less than the axis that it extends.
    """

    dims = 2


@layer
class ReflectionPad3d(_Reflection):
    """Mirrors the volume at its faces; see ``ReflectionPad2d``. The sides are those of ``ZeroPad3d``."""

    dims = 3


@layer
class ReplicationPad1d(_FromInput):
    """Repeats the signal's first and last value; see ``ReplicationPad2d``."""

    dims = 1


@layer
class ReplicationPad2d(_FromInput):
    """Repeats the image's edge outwards: ``a a | a b c | c c``. The sides are those of ``ZeroPad2d``."""

    dims = 2


@layer
class ReplicationPad3d(_FromInput):
    """Repeats the volume's faces outwards; see ``ReplicationPad2d``. The sides are those of ``ZeroPad3d``."""

    dims = 3


class _Circular(_Padding):
    def check_sides(self, size: int, before: int, after: int) -> None:
        left = size + min(before, 0) + min(after, 0)
        if max(before, after) > left:
            raise Refused(f"an axis of {left} can be wrapped around by at most {left}", "padding")


@layer
class CircularPad1d(_Circular):
    """Wraps the signal around: each end continues with the other one; see ``CircularPad2d``."""

    dims = 1


@layer
class CircularPad2d(_Circular):
    """Wraps the image around: each edge continues with the opposite one, ``b c | a b c | a b``.

    The sides are those of ``ZeroPad2d``; each can be at most the axis that it extends.
    """

    dims = 2


@layer
class CircularPad3d(_Circular):
    """Wraps the volume around; see ``CircularPad2d``. The sides are those of ``ZeroPad3d``."""

    dims = 3


@layer
class CenterCrop(Layer):
    """Crops the middle of an image, ``(N, C, H, W)``, of a signal or of a volume to ``size``, or with ``like`` to the
    spatial sizes of another tensor. An axis that is smaller gets zeros at both ends.

    Give one of the two. ``size`` is one number or a list with one for each axis. ``like`` names an earlier step, as
    ``from`` does, whose tensor is read when the network runs. An odd number of zeros has the larger half after the
    axis. If an odd number ``n`` is cut off, the crop starts at ``round(n / 2)``, which rounds a half to the even
    number, as ``torchvision.transforms.CenterCrop`` does; ``rounding_mode: floor`` starts it at ``n // 2``, and
    ``ceil`` at ``(n + 1) // 2``, as ``torch.nn.functional.pad`` with the negative sides ``[d // 2, d - d // 2]`` does.
    """

    family = "padding"
    short_name = "crop"
    defined_in = "padding"
    ranks = (3, 4, 5)
    example = {"size": 24}

    size = argument(POSITIVE | Listing(POSITIVE, 1, 2, 3) | NULL, None)
    rounding_mode = argument(Choice("floor", "ceil") | NULL, None, keyword=True)
    like = argument(EARLIER | NULL, None, keyword=True)

    def result(self, x: Shape, *read: Shape) -> Shape:
        if not read:
            return self.output(x)
        (like,) = read
        if self.size is not None:
            raise Refused("`like` gives the size, so there is no `size`", "size", "keep one of the two")
        if like.rank != x.rank:
            raise Refused(f"the input {x} cannot get the size of {like}: it has other axes", "like")
        return x.with_spatial(like.spatial)

    def output(self, x: Shape) -> Shape:
        if self.size is None:
            raise Refused("`CenterCrop` needs `size` or `like`", "size", "`like: NAME` takes the size of a tensor")
        axes = len(x.spatial)
        size = self.size if isinstance(self.size, tuple) else (self.size,)
        size = size * axes if len(size) == 1 else size
        if len(size) != axes:
            raise Refused(f"{len(size)} numbers do not match the {axes} spatial axes of {x}", "size")
        return x.with_spatial(size)

    def start(self, cut: int) -> int:
        """Where a crop starts that cuts off so many values of an axis; padding if it is negative."""
        if cut < 0:
            return -(-cut // 2)
        return {"floor": cut // 2, "ceil": -(-cut // 2)}.get(self.rounding_mode or "", round(cut / 2))

    def windows(self, x: Shape, out: Shape) -> Mapping[int, Windows]:
        return {dim: moved(self.start(x[dim] - out[dim])) for dim in range(2, x.rank)}

    def arithmetic(self, x: Shape, out: Shape) -> dict[int, str]:
        if self.size is None:
            return {dim: f"like.{size_name(dim, x.rank)}" for dim in range(2, x.rank)}
        each = isinstance(self.size, tuple) and len(self.size) > 1
        return {dim: f"size[{dim - 2}]" if each else f"{self.size}".strip("(,)") for dim in range(2, x.rank)}
