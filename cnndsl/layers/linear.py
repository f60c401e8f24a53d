"""Layers that multiply by learned weights without sliding a kernel."""

from __future__ import annotations

from collections.abc import Mapping

from cnndsl.layers.kinds import BOOLEAN, NATURAL, NUMBER, POSITIVE
from cnndsl.layers.shape import Shape
from cnndsl.layers.table import INPUT, Layer, Saved, argument, inferred, layer
from cnndsl.layers.windows import REDUCED, Windows


@layer
class Linear(Layer):
    """A learned matrix applied to the last dimension: ``(N, *, in_features)`` gives ``(N, *, out_features)``.

    ``x @ weight.T + bias``, with a weight of shape ``(out_features, in_features)``.
    """

    family = "linear"
    example = {"out_features": 10}
    example_input = (1, 64)

    in_features = inferred(POSITIVE, lambda cls, x: x.features)
    out_features = argument(POSITIVE)
    bias = argument(BOOLEAN, True)

    def output(self, x: Shape) -> Shape:
        return x.with_size(-1, self.out_features)

    def arithmetic(self, x: Shape, out: Shape) -> dict[int, str]:
        return {x.rank - 1: "out_features"}

    def parameters(self) -> dict[str, tuple[int, ...]]:
        weight = (self.out_features, self.in_features)
        return {"weight": weight} | ({"bias": (self.out_features,)} if self.bias else {})

    def macs(self, x: Shape, out: Shape) -> int:
        return out.elements * self.in_features

    def windows(self, x: Shape, out: Shape) -> Mapping[int, Windows]:
        return {x.rank - 1: REDUCED}

    def saves(self, x: Shape, out: Shape) -> Saved:
        return INPUT


@layer
class Scale(Layer):
    """Multiplies each channel (dimension 1) by a learned factor, initialized to ``init``.

    The weight has shape ``(C, 1, 1)`` for images: ``C``, then a 1 for each spatial axis. With ``num_channels: 1`` one
    factor is that of all channels.

    At the end of a residual's steps, with a small ``init``, it is LayerScale.

    Touvron et al., 2021.
    """

    family = "linear"
    defined_in = "linear"

    num_channels = inferred(POSITIVE, lambda cls, x: x.channels, fits=lambda value, x: value == 1)
    spatial_dims = inferred(NATURAL, lambda cls, x: x.rank - 2)
    init = argument(NUMBER, 1.0)

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.num_channels, *(1,) * self.spatial_dims)}

    def saves(self, x: Shape, out: Shape) -> Saved:
        return INPUT


@layer
class Affine(Layer):
    """Multiplies each channel (dimension 1) by a learned factor and adds a learned shift, initialized to 1 and 0.

    ``weight * x + bias``, both of shape ``(C,)``: a ``BatchNorm2d`` without the normalization. It works on any number
    of dimensions. With ``num_features: 1`` one factor and one shift are those of all channels.

    Touvron et al., 2021 (ResMLP).
    """

    family = "linear"
    defined_in = "linear"

    num_features = inferred(POSITIVE, lambda cls, x: x.channels, fits=lambda value, x: value == 1)

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.num_features,), "bias": (self.num_features,)}

    def saves(self, x: Shape, out: Shape) -> Saved:
        return INPUT
