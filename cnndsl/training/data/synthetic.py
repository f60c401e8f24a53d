"""Data generated for a network: quick to learn, the same for the same seed, of any shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from cnndsl.training.augment import blend
from cnndsl.training.data.memory import Samples

#: Points of a pattern along each axis; between them it is interpolated.
COARSE = 4
#: Samples that are made at a time, to save memory.
CHUNK = 256
_SMOOTH = {1: "linear", 2: "bilinear", 3: "trilinear"}


def synthetic(
    input_shape: Sequence[int],
    output_shape: Sequence[int],
    seed: int,
    size: int = 1024,
    test_size: int = 256,
    noise: float = 0.25,
) -> tuple[Samples, Samples]:
    """Training and test samples for a network of these shapes, without the batch.

    ``noise`` is the standard deviation of the noise that is added to patterns in 0..1. If the output is one score for
    each class, a sample is the pattern of its class. If it has more axes, each pixel has a label: the sample is a map
    of a few large fields, each filled with a tile of its class.
    """
    made = _fields if len(output_shape) > 1 else _patterns
    shape, output = tuple(input_shape), tuple(output_shape)
    sets = []
    for number, count in enumerate((size, test_size), start=1):
        shared, own = (torch.Generator().manual_seed(blend(seed, part)) for part in (0, number))
        labels, show = made(shape, output, count, shared, own)
        images = torch.empty(count, *shape, dtype=torch.uint8)
        for chosen in torch.split(torch.arange(count), CHUNK):
            clean = show(chosen)
            noisy = clean + noise * torch.randn(clean.shape, generator=own)
            images[chosen] = noisy.clamp_(0, 1).mul_(255).byte()
        sets.append(Samples(images, labels))
    return sets[0], sets[1]


Made = tuple[Tensor, Callable[[Tensor], Tensor]]


def _patterns(
    shape: tuple[int, ...], output: tuple[int, ...], count: int, shared: torch.Generator, own: torch.Generator
) -> Made:
    """Labels, each class equally often, and a function that makes the samples of some indices: the smooth patterns of
    their classes. Patterns are enlarged only then, since a thousand large ones take much memory."""
    axes = shape[1:]
    coarse = torch.rand(output[0], shape[0], *(min(axis, COARSE) for axis in axes), generator=shared)
    labels = torch.randperm(count, generator=own) % output[0]

    def show(chosen: Tensor) -> Tensor:
        patterns = coarse[labels[chosen]]
        return interpolate(patterns, axes, mode=_SMOOTH[len(axes)]) if axes else patterns

    return labels, show


def _fields(
    shape: tuple[int, ...], output: tuple[int, ...], count: int, shared: torch.Generator, own: torch.Generator
) -> Made:
    """Labels of pixels, in a few large fields, and a function that makes samples: each field has the tile of its
    class."""
    classes, axes = output[0], shape[1:]
    colors = torch.rand(classes, shape[0], *(1 for _ in axes), generator=shared)
    colors[:, 0] = torch.linspace(0, 1, classes).view(-1, *(1 for _ in axes))  # here no two classes are alike
    tiles = 0.7 * colors + 0.3 * torch.rand(classes, shape[0], *(COARSE for _ in axes), generator=shared)
    for dimension, axis in enumerate(axes, start=2):
        tiles = tiles.index_select(dimension, torch.arange(axis) % COARSE)
    fields = torch.randint(classes, (count, *(COARSE for _ in axes)), generator=own)

    def show(chosen: Tensor) -> Tensor:
        return tiles.gather(0, _enlarged(fields[chosen], axes)[:, None].expand(-1, *shape))

    labels = _enlarged(fields, output[1:])
    return labels.byte() if classes <= 256 else labels, show


def _enlarged(fields: Tensor, axes: tuple[int, ...]) -> Tensor:
    return interpolate(fields[:, None].float(), axes, mode="nearest")[:, 0].long()
