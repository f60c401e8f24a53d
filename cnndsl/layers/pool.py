"""Pooling: windows that slide over the input, and windows made to fit a wanted output size."""

from __future__ import annotations

from cnndsl.layers.kinds import BOOLEAN, INTEGER, NATURAL, NULL, NUMBER, POSITIVE, Never, PerAxis
from cnndsl.layers.shape import Refused, Shape, unseen, window
from cnndsl.layers.table import Layer, argument, layer

_NO_INDICES = Never("the indices would be a second output")


class _Pool(Layer):
    """What slides a window. A stride of None is the kernel's size."""

    family = "pooling"
    example = {"kernel_size": 2}

    def slide(self, x: Shape, padding: int | tuple[int, ...] = 0, dilation: int | tuple[int, ...] = 1) -> Shape:
        kernel, stride = self.values["kernel_size"], self.values["stride"]
        settings = (kernel, kernel if stride is None else stride, padding, dilation)
        return x.with_spatial(tuple(map(self._positions, x.spatial, *map(self.axes, settings))))

    def unseen(self, x: Shape, out: Shape) -> tuple[int, ...]:
        kernel, stride = self.values["kernel_size"], self.values["stride"]
        padding, dilation = self.values.get("padding", 0), self.values.get("dilation", 1)
        settings = (kernel, kernel if stride is None else stride, padding, dilation)
        return tuple(map(unseen, x.spatial, out.spatial, *map(self.axes, settings)))

    def _positions(self, size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
        if 2 * padding > kernel:
            raise Refused(f"padding {padding} is more than half of the kernel, {kernel}", "padding")
        if not self.values["ceil_mode"]:
            return window(size, kernel, stride, 2 * padding, dilation)
        span = dilation * (kernel - 1) + 1
        positions = 1 - (span - size - 2 * padding) // stride
        if (positions - 1) * stride >= size + padding:
            positions -= 1  # the last window would begin in the padding on the right
        return positions if positions > 0 else window(size, kernel, stride, 2 * padding, dilation)


def _whole_kernel(x: Shape, kernel: tuple[int, ...]) -> None:
    """Refuses a kernel larger than an axis, padding or not, as torch does for means of volumes."""
    for size, k in zip(x.spatial, kernel):
        if k > size:
            raise Refused(f"the kernel of {k} is larger than an axis of {size}, its padding not counted", "kernel_size")


class _MaxPool(_Pool):
    kernel_size = argument(PerAxis(POSITIVE))
    stride = argument(PerAxis(POSITIVE) | NULL, None)
    padding = argument(PerAxis(NATURAL), 0)
    dilation = argument(PerAxis(POSITIVE), 1)
    return_indices = argument(_NO_INDICES, False)
    ceil_mode = argument(BOOLEAN, False)

    def output(self, x: Shape) -> Shape:
        return self.slide(x, self.padding, self.dilation)


@layer
class MaxPool1d(_MaxPool):
    """The largest value of each window of a signal, ``(N, C, L)``; sizes as in ``MaxPool2d``."""

    dims = 1


@layer
class MaxPool2d(_MaxPool):
    """The largest value of each window of an image, ``(N, C, H, W)``, channel by channel.

    Output height ``floor((H + 2 * padding - dilation * (kernel_size - 1) - 1) / stride) + 1``, the width
    likewise. ``stride: null`` is ``kernel_size``. Padding counts as minus infinity and is at most half
    of the kernel. ``ceil_mode: true`` rounds up, but drops a last window that begins past the input.

    Ranzato et al., 2007.
    """

    dims = 2


@layer
class MaxPool3d(_MaxPool):
    """The largest value of each window of a volume, ``(N, C, D, H, W)``; sizes as in ``MaxPool2d``."""

    dims = 3


class _AvgPool(_Pool):
    kernel_size = argument(PerAxis(POSITIVE))
    stride = argument(PerAxis(POSITIVE) | NULL, None)
    padding = argument(PerAxis(NATURAL), 0)
    ceil_mode = argument(BOOLEAN, False)
    count_include_pad = argument(BOOLEAN, True)

    def output(self, x: Shape) -> Shape:
        if self.values.get("divisor_override") == 0:
            raise Refused("a window's sum cannot be divided by 0", "divisor_override")
        return self.slide(x, self.padding)


@layer
class AvgPool1d(_AvgPool):
    """The mean of each window of a signal, ``(N, C, L)``; sizes as in ``AvgPool2d``."""

    dims = 1


@layer
class AvgPool2d(_AvgPool):
    """The mean of each window of an image, ``(N, C, H, W)``, channel by channel.

    Output height ``floor((H + 2 * padding - kernel_size) / stride) + 1``, the width likewise.
    ``stride: null`` is ``kernel_size``. Padding is zeros, at most half of the kernel;
    ``count_include_pad: false`` leaves them out of the mean. ``divisor_override`` replaces the number of
    values that a window's sum is divided by. ``ceil_mode`` as in ``MaxPool2d``.

    LeCun et al., 1989.
    """

    dims = 2

    divisor_override = argument(INTEGER | NULL, None)


@layer
class AvgPool3d(_AvgPool):
    """The mean of each window of a volume, ``(N, C, D, H, W)``; sizes and arguments as in ``AvgPool2d``, but the
    kernel may not be larger than the input without its padding.
    """

    dims = 3

    divisor_override = argument(INTEGER | NULL, None)

    def output(self, x: Shape) -> Shape:
        _whole_kernel(x, self.axes(self.kernel_size))
        return super().output(x)


class _LPPool(_Pool):
    example = {"norm_type": 2, "kernel_size": 2}

    norm_type = argument(NUMBER)
    kernel_size = argument(PerAxis(POSITIVE))
    stride = argument(PerAxis(POSITIVE) | NULL, None)
    ceil_mode = argument(BOOLEAN, False)

    def output(self, x: Shape) -> Shape:
        if self.norm_type == 0:
            raise Refused("there is no norm of order 0", "norm_type")
        return self.slide(x)


@layer
class LPPool1d(_LPPool):
    """The p-norm of each window of a signal, ``(N, C, L)``; as ``LPPool2d``."""

    dims = 1

    kernel_size = argument(POSITIVE)


@layer
class LPPool2d(_LPPool):
    """The p-norm of each window of an image, ``(N, C, H, W)``: ``(sum of x ** p) ** (1 / p)``.

    ``norm_type`` is p: 1 gives sums, and the larger it is, the nearer it comes to ``MaxPool2d``. Sizes
    as there, without padding.

    Sermanet et al., 2012.
    """

    dims = 2


@layer
class LPPool3d(_LPPool):
    """The p-norm of each window of a volume, ``(N, C, D, H, W)``; as ``LPPool2d``."""

    dims = 3

    def output(self, x: Shape) -> Shape:
        _whole_kernel(x, self.axes(self.kernel_size))
        return super().output(x)


class _Adaptive(Layer):
    family = "pooling"
    example = {"output_size": 1}

    def output(self, x: Shape) -> Shape:
        wanted = self.axes(self.values["output_size"])
        return x.with_spatial(tuple(size if want is None else want for size, want in zip(x.spatial, wanted)))


class _AdaptiveAvgPool(_Adaptive):
    short_name = "avgpool"

    output_size = argument(PerAxis(POSITIVE, entry=POSITIVE | NULL))


@layer
class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """Means over as many windows as make ``(N, C, output_size)`` of ``(N, C, L)``; as ``AdaptiveAvgPool2d``."""

    dims = 1

    output_size = argument(PerAxis(POSITIVE))


@layer
class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """Means over windows that are laid so that the image comes out with the height and width ``output_size``.

    Window i of an axis goes from ``floor(i * size / output_size)`` to ``ceil((i + 1) * size / output_size)``.
    ``null`` in a list keeps that axis as it is. ``output_size: 1`` is global average pooling.

    Lin, Chen and Yan, 2013.
    """

    dims = 2


@layer
class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """Means over windows so that the volume comes out with the axes ``output_size``; as ``AdaptiveAvgPool2d``."""

    dims = 3


class _AdaptiveMaxPool(_Adaptive):
    short_name = "maxpool"

    output_size = argument(PerAxis(POSITIVE, entry=POSITIVE | NULL))
    return_indices = argument(_NO_INDICES, False)


@layer
class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """The largest values of as many windows as make ``(N, C, output_size)``; windows as in ``AdaptiveAvgPool2d``."""

    dims = 1

    output_size = argument(PerAxis(POSITIVE))


@layer
class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """The largest values of windows so that the image comes out as ``output_size``; as ``AdaptiveAvgPool2d``."""

    dims = 2


@layer
class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """The largest values of windows so that the volume comes out as ``output_size``; as ``AdaptiveAvgPool2d``."""

    dims = 3
