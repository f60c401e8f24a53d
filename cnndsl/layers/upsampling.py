"""Layers that change the resolution: interpolation, and channels traded for pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from cnndsl.layers.kinds import ABOVE_ZERO, BOOLEAN, EARLIER, NULL, POSITIVE, Choice, Listing, PerAxis
from cnndsl.layers.shape import Refused, Shape, size_name
from cnndsl.layers.table import INPUT, NOTHING, Layer, Saved, argument, layer
from cnndsl.layers.windows import Span, Windows, adaptive, cubic, interpolated, linear, nearest, repeated

if TYPE_CHECKING:
    from fractions import Fraction

#: The number of dimensions that a mode needs, batch included; other modes work on any.
_RANKS = {"linear": 3, "bilinear": 4, "bicubic": 4, "trilinear": 5}


#: The values that an interpolation reads around a position; the other modes read two along each axis.
_TAPS = {"nearest": nearest, "nearest-exact": nearest, "bicubic": cubic}
#: The largest denominator of the ratio of two sizes, if it follows from a scale.
_FINEST = 1024


class _Interpolating(Layer):
    family = "upsampling"
    short_name = "upsample"
    #: The mode and whether corners are aligned, if these are no arguments.
    fixed: ClassVar[tuple[str, bool]] = ("nearest", False)

    def _how(self) -> tuple[str, bool]:
        if "mode" not in self.values:
            return self.fixed
        return self.values["mode"], bool(self.values["align_corners"])

    def saves(self, x: Shape, out: Shape) -> Saved:
        return INPUT if self._how()[0] == "area" and max(out.spatial) > 1 else NOTHING

    def windows(self, x: Shape, out: Shape) -> Mapping[int, Windows]:
        axes = range(len(x.spatial))
        return {axis + 2: self._windows(x.spatial[axis], out.spatial[axis], axis) for axis in axes}

    def _windows(self, size: int, out: int, axis: int) -> Windows:
        """Those of torch's ``interpolate``: the centres of pixels match, or, with ``align_corners``, those of the
        first and of the last pixel."""
        from fractions import Fraction

        mode, aligned = self._how()
        if mode == "area":
            return adaptive(size, out)
        if size == 1:
            return repeated(out)
        taps = _TAPS.get(mode, linear)
        if aligned:
            ratio = Fraction(size - 1, out - 1) if out > 1 else Fraction(size)
            return interpolated(ratio, Fraction(0), taps)
        ratio = self._ratio(size, out, axis)
        offset = {"nearest": Fraction(0), "nearest-exact": ratio / 2}.get(mode, (ratio - 1) / 2)
        return interpolated(ratio, offset, taps)

    def _ratio(self, size: int, out: int, axis: int) -> Fraction:
        """Positions of the input for each of the output."""
        from fractions import Fraction

        return Fraction(size, out)


class Interpolation(_Interpolating):
    """What all layers that interpolate by their own arguments have in common."""

    example = {"scale_factor": 2}
    #: Its mode as arguments of ``Upsample``, if it has no ``mode`` itself.
    mode_of_like: ClassVar[tuple[str, ...]] = ()
    #: What it needs exactly one of, in words.
    needs: ClassVar[str] = "either `size` or `scale_factor`"

    def output(self, x: Shape) -> Shape:
        size, scale = self.values["size"], self.values["scale_factor"]
        if (size is None) == (scale is None):
            raise Refused(f"`{type(self).__name__}` needs {self.needs}", "size", "`scale_factor: 2` doubles each axis")
        name = "scale_factor" if size is None else "size"
        each = self._each(scale if size is None else size, x, name)
        return x.with_spatial(tuple(self._scaled(*pair) for pair in zip(x.spatial, each)) if size is None else each)

    def _ratio(self, size: int, out: int, axis: int) -> Fraction:
        from fractions import Fraction

        scale = self.values["scale_factor"]
        if scale is None or self.values.get("recompute_scale_factor"):
            return Fraction(size, out)
        factor = scale[axis] if isinstance(scale, tuple) else scale
        return (1 / Fraction(factor)).limit_denominator(_FINEST) or Fraction(size, out)

    def arithmetic(self, x: Shape, out: Shape) -> dict[int, str]:
        size, scale = self.values["size"], self.values["scale_factor"]
        if size is None:
            scales = self._each(scale, x, "scale_factor")
            return {dim: f"floor({x[dim]} * {factor})" for dim, factor in enumerate(scales, 2)}
        return {dim: f"size[{dim - 2}]" if isinstance(size, tuple) else "size" for dim in range(2, x.rank)}

    def _each(self, value: int | tuple[int, ...], x: Shape, name: str) -> tuple[int, ...]:
        """``value`` for each spatial axis of ``x``."""
        if not isinstance(value, tuple):
            return (value,) * len(x.spatial)
        if len(value) != len(x.spatial):
            raise Refused(f"{len(value)} numbers do not match the {len(x.spatial)} spatial axes of {x}", name)
        return value

    def _scaled(self, size: int, scale: float) -> int:
        try:
            scaled = int(size * float(scale))
        except OverflowError:
            raise Refused(f"an axis of {size} scaled by {scale} is too large for a number", "scale_factor") from None
        if scaled < 1:
            raise Refused(f"an axis of {size} scaled by {scale} is empty", "scale_factor")
        return scaled


@layer
class Upsample(Interpolation):
    """Interpolates an input with one to three spatial axes to ``size``, to ``floor(scale_factor * its size)``, or with
    ``like`` to the spatial sizes of another tensor.

    Give one of the three. ``size`` and ``scale_factor`` are one number or a list with one for each axis. ``like`` names
    an earlier step, as ``from`` does. Its tensor is read when the network runs, so ``Upsample: {like: skip}`` fits an
    input of any size; the emitted source calls ``torch.nn.functional.interpolate`` in a small class of its own.

    ``linear`` works on ``(N, C, L)``, ``bilinear`` and ``bicubic`` on ``(N, C, H, W)``, ``trilinear`` on
    ``(N, C, D, H, W)``, and the other modes on all three. ``align_corners: true`` aligns the corner pixels of input and
    output; only these four modes take it. ``recompute_scale_factor: true`` interpolates by the ratio of the rounded
    sizes.
    """

    ranks = (3, 4, 5)

    size = argument(POSITIVE | Listing(POSITIVE, 1, 2, 3) | NULL, None)
    scale_factor = argument(ABOVE_ZERO | Listing(ABOVE_ZERO, 1, 2, 3) | NULL, None)
    mode = argument(Choice("nearest", "linear", "bilinear", "bicubic", "trilinear", "area", "nearest-exact"), "nearest")
    align_corners = argument(BOOLEAN | NULL, None)
    recompute_scale_factor = argument(BOOLEAN | NULL, None)
    like = argument(EARLIER | NULL, None, keyword=True)

    needs = "`size`, `scale_factor` or `like`"

    @classmethod
    def bind(cls, given: Mapping[str, Any], x: Shape) -> Layer:
        if given.get("like") is None:
            return super().bind(given, x)
        for name in ("size", "scale_factor", "recompute_scale_factor"):
            if given.get(name) is not None:
                raise Refused(f"`like` gives the size, so there is no `{name}`", name, "keep one of the two")
        return UpsampleLike.bind({name: given[name] for name in UpsampleLike.arguments if name in given}, x)

    def output(self, x: Shape) -> Shape:
        out = super().output(x)
        _check_mode(self.mode, self.align_corners, x)
        if self.recompute_scale_factor and self.size is not None:
            raise Refused("with `size` there is no scale to recompute", "recompute_scale_factor")
        return out


def _check_mode(mode: str, align_corners: bool | None, x: Shape) -> None:
    if _RANKS.get(mode, x.rank) != x.rank:
        raise Refused(f'mode "{mode}" works on {_RANKS[mode]} dimensions, but the input is {x}', "mode")
    if align_corners is not None and mode not in _RANKS:
        raise Refused(f'mode "{mode}" has no corners to align', "align_corners")


class UpsampleLike(_Interpolating):
    """``Upsample`` to the spatial sizes of another tensor."""

    word = "Upsample"
    ranks = Upsample.ranks
    defined_in = "upsampling"

    mode = Upsample.arguments["mode"]
    align_corners = Upsample.arguments["align_corners"]
    like = Upsample.arguments["like"]

    def result(self, x: Shape, *read: Shape) -> Shape:
        (like,) = read
        if like.rank != x.rank:
            raise Refused(f"the input {x} cannot get the size of {like}: it has other axes", "like")
        _check_mode(self.mode, self.align_corners, x)
        return x.with_spatial(like.spatial)

    def arithmetic(self, x: Shape, out: Shape) -> dict[int, str]:
        return {dim: f"like.{size_name(dim, x.rank)}" for dim in range(2, x.rank)}


class _Interpolation2d(Interpolation):
    dims = 2

    size = argument(PerAxis(POSITIVE) | NULL, None)
    scale_factor = argument(PerAxis(ABOVE_ZERO) | NULL, None)


@layer
class UpsamplingNearest2d(_Interpolation2d):
    """``Upsample`` of an image, ``(N, C, H, W)``, with ``mode: nearest``."""


@layer
class UpsamplingBilinear2d(_Interpolation2d):
    """``Upsample`` of an image, ``(N, C, H, W)``, with ``mode: bilinear`` and ``align_corners: true``."""

    mode_of_like = ("mode: bilinear", "align_corners: true")
    fixed = ("bilinear", True)


@layer
class PixelShuffle(Layer):
    """Rearranges channels into pixels: ``(N, C * r * r, H, W)`` gives ``(N, C, H * r, W * r)``, where r is
    ``upscale_factor``.

    Shi et al., 2016.
    """

    family = "upsampling"
    shares_memory = True  # on some devices, if no value moves
    ranks = range(4, 64)
    example = {"upscale_factor": 2}

    upscale_factor = argument(POSITIVE)

    def output(self, x: Shape) -> Shape:
        factor = self.upscale_factor
        *before, channels, height, width = x
        if channels % factor**2:
            raise Refused(f"{channels} channels are not divisible by {factor} * {factor}", "upscale_factor")
        return Shape((*before, channels // factor**2, height * factor, width * factor))

    def windows(self, x: Shape, out: Shape) -> Mapping[int, Windows]:
        return dict.fromkeys((x.rank - 2, x.rank - 1), repeated(self.upscale_factor))

    def arithmetic(self, x: Shape, out: Shape) -> dict[int, str]:
        factor = self.upscale_factor
        sizes = (f"{x[-3]} / ({factor} * {factor})", f"{x[-2]} * {factor}", f"{x[-1]} * {factor}")
        return dict(enumerate(sizes, x.rank - 3))


@layer
class PixelUnshuffle(Layer):
    """Rearranges pixels into channels, the inverse of ``PixelShuffle``: ``(N, C, H * r, W * r)`` gives
    ``(N, C * r * r, H, W)``, where r is ``downscale_factor``.

    Shi et al., 2016.
    """

    family = "upsampling"
    shares_memory = True  # on some devices, if no value moves
    ranks = range(4, 64)
    example = {"downscale_factor": 2}

    downscale_factor = argument(POSITIVE)

    def output(self, x: Shape) -> Shape:
        factor = self.downscale_factor
        *before, channels, height, width = x
        if height % factor or width % factor:
            raise Refused(f"{height} x {width} is not divisible by {factor}", "downscale_factor")
        return Shape((*before, channels * factor**2, height // factor, width // factor))

    def windows(self, x: Shape, out: Shape) -> Mapping[int, Windows]:
        factor = self.downscale_factor  # each channel reads one value of a window, all together read all of it
        return dict.fromkeys((x.rank - 2, x.rank - 1), Windows(factor, (Span(0, factor - 1),)))

    def arithmetic(self, x: Shape, out: Shape) -> dict[int, str]:
        factor = self.downscale_factor
        sizes = (f"{x[-3]} * {factor} * {factor}", f"{x[-2]} / {factor}", f"{x[-1]} / {factor}")
        return dict(enumerate(sizes, x.rank - 3))
