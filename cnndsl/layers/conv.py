"""Convolutions and transposed convolutions, 1-d to 3-d."""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd, prod

from cnndsl.layers.kinds import BOOLEAN, NATURAL, POSITIVE, Choice, PerAxis
from cnndsl.layers.shape import Refused, Shape, unseen, window, window_arithmetic
from cnndsl.layers.table import INPUT, Layer, Saved, argument, inferred, layer
from cnndsl.layers.windows import Windows, sliding, spreading

#: oneDNN, which torch uses on CPUs, crashes the process for strides of several thousand.
MAX_STRIDE = 4096


class _Convolution(Layer):
    family = "convolution"
    short_name = "conv"
    example = {"out_channels": 16, "kernel_size": 3}

    in_channels = inferred(POSITIVE, lambda cls, x: x.channels)
    out_channels = argument(POSITIVE)
    kernel_size = argument(PerAxis(POSITIVE))
    stride = argument(PerAxis(POSITIVE), 1)

    def saves(self, x: Shape, out: Shape) -> Saved:
        return INPUT

    def check_stride(self) -> None:
        if (largest := max(self.axes(self.stride))) > MAX_STRIDE:
            raise Refused(f"a stride of {largest} is too large, the limit for convolutions is {MAX_STRIDE}", "stride")

    def check_groups(self, groups: int) -> None:
        for name in ("in_channels", "out_channels"):
            if self.values[name] % groups:
                common = gcd(self.values["in_channels"], self.values["out_channels"])
                listed = ", ".join(str(number) for number in range(1, min(common, 1024) + 1) if common % number == 0)
                message = f"{name} {self.values[name]} is not divisible by groups {groups}"
                raise Refused(message, "groups", f"in_channels and out_channels are both divisible by {listed}")


class _Conv(_Convolution):
    padding = argument(PerAxis(NATURAL) | Choice("same", "valid"), 0)
    dilation = argument(PerAxis(POSITIVE), 1)
    groups = argument(POSITIVE, 1)
    bias = argument(BOOLEAN, True)
    padding_mode = argument(Choice("zeros", "reflect", "replicate", "circular"), "zeros")

    def paddings(self) -> tuple[int, ...]:
        """The padding of both sides added up, for each axis."""
        if self.padding == "valid":
            return self.axes(0)
        if self.padding == "same":
            if any(stride != 1 for stride in self.axes(self.stride)):
                half = [d * (k - 1) // 2 for k, d in zip(self.axes(self.kernel_size), self.axes(self.dilation))]
                written = half[0] if len({*half}) == 1 else half
                raise Refused('padding "same" needs stride 1', "padding", f"write `{written}`, half the kernel")
            return tuple(d * (k - 1) for k, d in zip(self.axes(self.kernel_size), self.axes(self.dilation)))
        assert not isinstance(self.padding, str)
        return tuple([2 * p for p in self.axes(self.padding)])

    def output(self, x: Shape) -> Shape:
        self.check_groups(self.groups)
        self.check_stride()
        kernel, stride, dilation = self.axes(self.kernel_size), self.axes(self.stride), self.axes(self.dilation)
        paddings = self.paddings()
        self._check_padding_mode(x, paddings)
        spatial = map(window, x.spatial, kernel, stride, paddings, dilation)
        return Shape((x[0], self.out_channels, *spatial))

    def arithmetic(self, x: Shape, out: Shape) -> dict[int, str]:
        kernel, stride, dilation = self.axes(self.kernel_size), self.axes(self.stride), self.axes(self.dilation)
        sides = (f"{p}" if isinstance(self.padding, str) else f"2*{p // 2}" for p in self.paddings())
        spatial = map(window_arithmetic, x.spatial, kernel, stride, sides, dilation)
        return {1: "out_channels", **dict(enumerate(spatial, 2))}

    def padded(self, x: Shape) -> tuple[int, ...]:
        if self.padding_mode == "zeros":
            return ()
        return x.with_spatial(tuple(size + padding for size, padding in zip(x.spatial, self.paddings())))

    def saves(self, x: Shape, out: Shape) -> Saved:
        odd = tuple(padding % 2 for padding in self.paddings())
        if any(odd):  # `same`, with one more value on the far side: torch adds it in a copy
            return Saved(values=x.with_spatial(tuple(map(sum, zip(x.spatial, odd)))).elements)
        if self.padding_mode == "zeros":
            return INPUT
        return Saved(input=self.padding_mode != "circular", values=prod(self.padded(x)))

    def windows(self, x: Shape, out: Shape) -> Mapping[int, Windows]:
        before = (padding // 2 for padding in self.paddings())
        settings = (self.axes(self.kernel_size), self.axes(self.stride), before, self.axes(self.dilation))
        return dict(enumerate(map(sliding, *settings), 2))

    def unseen(self, x: Shape, out: Shape) -> tuple[int, ...]:
        near = tuple(padding // 2 for padding in self.paddings())
        settings = (self.axes(self.kernel_size), self.axes(self.stride), near, self.axes(self.dilation))
        return tuple(map(unseen, x.spatial, out.spatial, *settings))

    def _check_padding_mode(self, x: Shape, paddings: tuple[int, ...]) -> None:
        """Reflection pads by less than the size of the axis, wrapping around by at most all of it."""
        room = {"reflect": 1, "circular": 0}.get(self.padding_mode)
        if room is None:
            return
        for size, padding in zip(x.spatial, paddings):
            side = (padding + 1) // 2
            if side > size - room:
                raise Refused(f'padding_mode "{self.padding_mode}" cannot pad an axis of {size} by {side}', "padding")

    def parameters(self) -> dict[str, tuple[int, ...]]:
        weight = (self.out_channels, self.in_channels // self.groups, *self.axes(self.kernel_size))
        return {"weight": weight} | ({"bias": (self.out_channels,)} if self.bias else {})

    def macs(self, x: Shape, out: Shape) -> int:
        return out.elements * self.in_channels // self.groups * prod(self.axes(self.kernel_size))


@layer
class Conv1d(_Conv):
    """Slides learned kernels along a signal: ``(N, C, L)`` gives ``(N, out_channels, L')``.

    ``L' = floor((L + 2 * padding - dilation * (kernel_size - 1) - 1) / stride) + 1``. The arguments are
    those of ``Conv2d``.

    Waibel et al., 1989.
    """

    dims = 1


@layer
class Conv2d(_Conv):
    """Slides learned kernels over an image: ``(N, C, H, W)`` gives ``(N, out_channels, H', W')``.

    ``H' = floor((H + 2 * padding - dilation * (kernel_size - 1) - 1) / stride) + 1``, and likewise the width.
    ``padding: same`` keeps both sizes, with stride 1. ``dilation`` is the spacing of the kernel's values.
    ``groups`` must divide the input and output channels: each group of output channels then sees only its own
    share of the input channels, and as many groups as channels make a depthwise convolution. The
    weight has shape ``(out_channels, C / groups, kernel height, kernel width)``. ``padding_mode`` chooses
    the values of the padding, as in the layers ``ZeroPad2d``, ``ReflectionPad2d`` and so on.

    LeCun et al., 1989.
    """

    dims = 2


@layer
class Conv3d(_Conv):
    """Slides learned kernels through a volume: ``(N, C, D, H, W)`` gives ``(N, out_channels, D', H', W')``.

    Each axis works as in ``Conv2d``, and so do the arguments.

    Ji et al., 2010.
    """

    dims = 3


class _ConvTranspose(_Convolution):
    outputs_dim = 1
    padding = argument(PerAxis(NATURAL), 0)
    output_padding = argument(PerAxis(NATURAL), 0)
    groups = argument(POSITIVE, 1)
    bias = argument(BOOLEAN, True)
    dilation = argument(PerAxis(POSITIVE), 1)
    padding_mode = argument(Choice("zeros"), "zeros")

    def output(self, x: Shape) -> Shape:
        self.check_groups(self.groups)
        self.check_stride()
        settings = (self.kernel_size, self.stride, self.padding, self.output_padding, self.dilation)
        spatial = tuple(map(self._axis, x.spatial, *map(self.axes, settings)))
        return x.with_channels(self.out_channels).with_spatial(spatial)

    def arithmetic(self, x: Shape, out: Shape) -> dict[int, str]:
        settings = (self.kernel_size, self.stride, self.padding, self.output_padding, self.dilation)
        spatial = (
            f"({size} - 1)*{stride} - 2*{padding} + {dilation}*({kernel} - 1) + {extra} + 1"
            for size, kernel, stride, padding, extra, dilation in zip(x.spatial, *map(self.axes, settings))
        )
        return {1: "out_channels", **dict(enumerate(spatial, 2))}

    def _axis(self, size: int, kernel: int, stride: int, padding: int, extra: int, dilation: int) -> int:
        if extra >= max(stride, dilation):
            raise Refused(f"output_padding {extra} must be smaller than stride or dilation", "output_padding")
        out = (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + extra + 1
        if out < 1:
            raise Refused(f"nothing is left of an axis of {size}: its output size would be {out}", "padding")
        return out

    def windows(self, x: Shape, out: Shape) -> Mapping[int, Windows]:
        settings = (self.kernel_size, self.stride, self.padding, self.dilation)
        return dict(enumerate(map(spreading, *map(self.axes, settings)), 2))

    def parameters(self) -> dict[str, tuple[int, ...]]:
        weight = (self.in_channels, self.out_channels // self.groups, *self.axes(self.kernel_size))
        return {"weight": weight} | ({"bias": (self.out_channels,)} if self.bias else {})

    def macs(self, x: Shape, out: Shape) -> int:
        return x.elements * self.out_channels // self.groups * prod(self.axes(self.kernel_size))


@layer
class ConvTranspose1d(_ConvTranspose):
    """Learned upsampling of a signal: ``(N, C, L)`` gives ``(N, out_channels, L')``; see ``ConvTranspose2d``.

    ``L' = (L - 1) * stride - 2 * padding + dilation * (kernel_size - 1) + output_padding + 1``.
    """

    dims = 1


@layer
class ConvTranspose2d(_ConvTranspose):
    """Learned upsampling of an image: ``(N, C, H, W)`` gives ``(N, out_channels, H', W')``.

    ``H' = (H - 1) * stride - 2 * padding + dilation * (kernel_size - 1) + output_padding + 1``, and likewise
    the width. It maps the output shape of a ``Conv2d`` with the same arguments back to its input shape, as the
    gradient of that convolution does. Several input sizes give the convolution the same output size;
    ``output_padding`` chooses among them. The weight has shape
    ``(C, out_channels / groups, kernel height, kernel width)``.

    Zeiler et al., 2010; Dumoulin and Visin, 2016.
    """

    dims = 2


@layer
class ConvTranspose3d(_ConvTranspose):
    """Learned upsampling of a volume: ``(N, C, D, H, W)`` gives ``(N, out_channels, D', H', W')``.

    Each axis works as in ``ConvTranspose2d``, and so do the arguments.
    """

    dims = 3
