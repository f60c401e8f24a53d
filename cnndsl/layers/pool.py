"""Pooling: windows that slide over the input, and windows that adapt to an output size."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from cnndsl.layers.kinds import BOOLEAN, INTEGER, NATURAL, NULL, NUMBER, POSITIVE, Never, PerAxis
from cnndsl.layers.shape import Refused, Shape, unseen, window, window_arithmetic
from cnndsl.layers.table import INPUT, NOTHING, Layer, Saved, argument, layer
from cnndsl.layers.windows import Windows, adaptive, sliding

_NO_INDICES = Never("the indices would be a second output")


class _Pool(Layer):
    """Layers that slide a window. A stride of None means the kernel size."""

    family = "pooling"
    example = {"kernel_size": 2}

    def slide(self, x: Shape) -> Shape:
        return x.with_spatial(tuple(map(self._positions, x.spatial, *self._settings())))

    def _settings(self) -> tuple[tuple[int, ...], ...]:
        """Kernel, stride, padding of one side and dilation, each for all axes."""
        kernel, stride = self.values["kernel_size"], self.values["stride"]
        padding, dilation = self.values.get("padding", 0), self.values.get("dilation", 1)
        return tuple(map(self.axes, (kernel, kernel if stride is None else stride, padding, dilation)))

    def saves(self, x: Shape, out: Shape) -> Saved:
        return INPUT

    def windows(self, x: Shape, out: Shape) -> Mapping[int, Windows]:
        return dict(enumerate(map(sliding, *self._settings()), 2))

    def unseen(self, x: Shape, out: Shape) -> tuple[int, ...]:
        return tuple(map(unseen, x.spatial, out.spatial, *self._settings()))

    def arithmetic(self, x: Shape, out: Shape) -> dict[int, str]:
        found = {}
        for dim, (size, kernel, stride, padding, dilation) in enumerate(zip(x.spatial, *self._settings()), 2):
            rounding = "ceil" if self.values["ceil_mode"] else "floor"
            text = window_arithmetic(size, kernel, stride, f"2*{padding}", dilation, rounding)
            past = 1 - (dilation * (kernel - 1) + 1 - size - 2 * padding) // stride - out[dim]
            found[dim] = f"{text} - 1" if rounding == "ceil" and past else text
        return found

    def _positions(self, size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
        if 2 * padding > kernel:
            raise Refused(f"padding {padding} is more than half of kernel_size {kernel}", "padding")
        if not self.values["ceil_mode"]:
            return window(size, kernel, stride, 2 * padding, dilation)
        span = dilation * (kernel - 1) + 1
        positions = 1 - (span - size - 2 * padding) // stride
        if (positions - 1) * stride >= size + padding:
            positions -= 1  # the last window would begin in the padding on the right
        return positions if positions > 0 else window(size, kernel, stride, 2 * padding, dilation)


def _whole_kernel(x: Shape, kernel: tuple[int, ...]) -> None:
    """Refuses a kernel larger than an axis without its padding, as torch does for some volumes."""
    for size, k in zip(x.spatial, kernel):
        if k > size:
            raise Refused(f"the kernel of {k} is larger than an axis of {size} without its padding", "kernel_size")


class _MaxPool(_Pool):
    kernel_size = argument(PerAxis(POSITIVE))
    stride = argument(PerAxis(POSITIVE) | NULL, None)
    padding = argument(PerAxis(NATURAL), 0)
    dilation = argument(PerAxis(POSITIVE), 1)
    return_indices = argument(_NO_INDICES, False)
    ceil_mode = argument(BOOLEAN, False)

    def output(self, x: Shape) -> Shape:
        return self.slide(x)

    def saves(self, x: Shape, out: Shape) -> Saved:
        return Saved(input=True, indices=out.elements)


@layer
class MaxPool1d(_MaxPool):
    """The maximum of each window of a signal, ``(N, C, L)``; see ``MaxPool2d``."""

    dims = 1


@layer
class MaxPool2d(_MaxPool):
    """The maximum of each window of an image, ``(N, C, H, W)``, channel by channel.

    The output height is ``floor((H + 2 * padding - dilation * (kernel_size - 1) - 1) / stride) + 1``, and
    likewise the width. ``stride: null`` means ``kernel_size``. Padding counts as minus infinity and is at most
    half of the kernel. ``ceil_mode: true`` rounds up, but drops a last window that starts in the padding after
    the input.

    Ranzato et al., 2007.
    """

    dims = 2


@layer
class MaxPool3d(_MaxPool):
    """The maximum of each window of a volume, ``(N, C, D, H, W)``; see ``MaxPool2d``."""

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
        return self.slide(x)


@layer
class AvgPool1d(_AvgPool):
    """The mean of each window of a signal, ``(N, C, L)``; see ``AvgPool2d``."""

    dims = 1


@layer
class AvgPool2d(_AvgPool):
    """The mean of each window of an image, ``(N, C, H, W)``, channel by channel.

    The output height is ``floor((H + 2 * padding - kernel_size) / stride) + 1``, and likewise the width.
    ``stride: null`` means ``kernel_size``. Padding consists of zeros and is at most half of the kernel;
    ``count_include_pad: false`` leaves the zeros out of the mean. ``divisor_override`` replaces the number
    that a window's sum is divided by. ``ceil_mode`` is that of ``MaxPool2d``.

    LeCun et al., 1989.
    """

    dims = 2

    divisor_override = argument(INTEGER | NULL, None)


@layer
class AvgPool3d(_AvgPool):
    """The mean of each window of a volume, ``(N, C, D, H, W)``; see ``AvgPool2d``. Here the kernel cannot be
    larger than the input without its padding.
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

    def saves(self, x: Shape, out: Shape) -> Saved:
        return Saved(input=True, values=x.elements + 4 * out.elements)  # it is a power, a mean and a root

    def scratch(self, x: Shape, out: Shape) -> int:
        return max(x.elements, 3 * out.elements)


@layer
class LPPool1d(_LPPool):
    """The p-norm of each window of a signal, ``(N, C, L)``; see ``LPPool2d``."""

    dims = 1

    kernel_size = argument(POSITIVE)


@layer
class LPPool2d(_LPPool):
    """The p-norm of each window of an image, ``(N, C, H, W)``: ``(sum of x ** p) ** (1 / p)``.

    ``norm_type`` is p: 1 gives sums, and large values approach ``MaxPool2d``. The output sizes are those of
    ``MaxPool2d`` without padding.

    Sermanet et al., 2012.
    """

    dims = 2


@layer
class LPPool3d(_LPPool):
    """The p-norm of each window of a volume, ``(N, C, D, H, W)``; see ``LPPool2d``."""

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

    def windows(self, x: Shape, out: Shape) -> Mapping[int, Windows]:
        return dict(enumerate(map(adaptive, x.spatial, out.spatial), 2))

    def arithmetic(self, x: Shape, out: Shape) -> dict[int, str]:
        wanted = self.axes(self.values["output_size"])
        return {dim: name for dim, name in enumerate(self.each("output_size"), 2) if wanted[dim - 2] is not None}


class _AdaptiveAvgPool(_Adaptive):
    short_name = "avgpool"

    output_size = argument(PerAxis(POSITIVE, entry=POSITIVE | NULL))

    def saves(self, x: Shape, out: Shape) -> Saved:
        return NOTHING if prod(out.spatial) == 1 else INPUT  # a global one is a mean


@layer
class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """Averages windows so that ``(N, C, L)`` becomes ``(N, C, output_size)``; see ``AdaptiveAvgPool2d``."""

    dims = 1

    output_size = argument(PerAxis(POSITIVE))


@layer
class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """Averages windows chosen so that the output image has height and width ``output_size``.

    Window i of an axis goes from ``floor(i * size / output_size)`` to ``ceil((i + 1) * size / output_size)``.
    ``null`` in a list keeps the size of that axis. ``output_size: 1`` is global average pooling.

    Lin, Chen and Yan, 2013.
    """

    dims = 2


@layer
class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """Averages windows so that the output volume has the sizes ``output_size``; see ``AdaptiveAvgPool2d``."""

    dims = 3


class _AdaptiveMaxPool(_Adaptive):
    short_name = "maxpool"

    output_size = argument(PerAxis(POSITIVE, entry=POSITIVE | NULL))
    return_indices = argument(_NO_INDICES, False)

    def saves(self, x: Shape, out: Shape) -> Saved:
        return Saved(input=True, indices=out.elements)


@layer
class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """The maximum of each window of a signal, with output sizes and windows as in ``AdaptiveAvgPool1d``."""

    dims = 1

    output_size = argument(PerAxis(POSITIVE))


@layer
class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """The maximum of each window of an image, with output sizes and windows as in ``AdaptiveAvgPool2d``."""

    dims = 2


@layer
class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """The maximum of each window of a volume, with output sizes and windows as in ``AdaptiveAvgPool3d``."""

    dims = 3
