"""The convolutions that see a network's input, and their weights for another number of input channels."""

from __future__ import annotations

from math import ceil

from torch import Tensor

from cnndsl.graph.graph import Graph
from cnndsl.layers.conv import Conv1d, Conv2d, Conv3d


def first_convolutions(graph: Graph) -> frozenset[str]:
    """The names of the weights of convolutions that take the channels of an input unchanged. Layers before them
    must have no weights and keep the channels: padding, pooling, activations."""
    as_given = {*graph.inputs.values()}
    found = set()
    for item in graph.root.layers:
        if item.reuse or item.input not in as_given:
            continue
        layer, x, out = item.layer, item.input.shape, item.output.shape
        if isinstance(layer, (Conv1d, Conv2d, Conv3d)) and layer.values["groups"] == 1:
            found.add(f"{item.path}.weight")
        elif not layer.parameters() and (out.rank, out.channels) == (x.rank, x.channels):
            as_given.add(item.output)
    return frozenset(found)


def adapted(weight: Tensor, channels: int) -> tuple[Tensor, str]:
    """A convolution's weight ``[out, in, ...]`` for ``channels`` input channels, and what was done, in words.

    One channel gets the sum of all, so that a grey picture gives the same output as in RGB. More channels repeat the
    existing ones, scaled so that the sum over equal channels stays the same. This is what timm's ``in_chans`` does
    (Wightman, pytorch-image-models, ``adapt_input_conv``).
    """
    theirs = weight.shape[1]
    weight = weight.float()
    if channels == 1:
        return weight.sum(1, keepdim=True), f"the sum over {theirs} input channels, for 1 here"
    repeated = weight.repeat(1, ceil(channels / theirs), *[1] * (weight.dim() - 2))[:, :channels]
    how = f"{theirs} input channels repeated for {channels} here, times {theirs}/{channels}"
    return repeated * (theirs / channels), how
