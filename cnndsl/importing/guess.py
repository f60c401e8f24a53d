"""The input of a module, tried from what it has."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from cnndsl.diagnostics import Code, RunError
from cnndsl.importing.recorded import Unspeakable
from cnndsl.importing.trace import OTHER_BATCH, failure, trace

#: Heights and widths that networks are made for, the usual ones first.
SIZES = (224, 32, 28, 299, 64, 96, 128, 227, 256, 512)
#: Of the three sides of a volume, which takes more memory.
SIZES_3D = (32, 16, 64, 28, 96, 112, 128)
#: The channels of images.
IMAGES = (3, 1)
#: The dims of an image that a convolution takes.
DIMS = {nn.Conv1d: 1, nn.Conv2d: 2, nn.Conv3d: 3, nn.ConvTranspose1d: 1, nn.ConvTranspose2d: 2, nn.ConvTranspose3d: 3}


def guess_input(module: nn.Module, sizes: tuple[int, ...] = ()) -> tuple[dict[str, tuple[int, ...]], str]:
    """Shapes without the batch, by the names of the arguments of ``forward``, and how they were found. Raises
    :class:`RunError`."""
    names = _required(module)
    failed: list[tuple[int, ...]] = []
    doubtful: list[tuple[dict[str, tuple[int, ...]], str]] = []
    for shape, why in _shapes(module, sizes):
        inputs = dict.fromkeys(names, shape)
        failed_by = failure(module, inputs)
        if not failed_by:
            return inputs, why
        if failed_by == OTHER_BATCH:
            doubtful.append((inputs, why))
        failed.append(shape)
    if doubtful:
        return doubtful[0]  # its line is told when it is imported
    help = "give the shape of the input: `--input 3,224,224`"
    if not failed:
        message = "no input can be guessed: there is neither a convolution nor a linear layer"
        raise RunError(Code.FORWARD, message, help)
    message = f"no input can be guessed: the module runs with none of {len(failed)} shapes"
    raise RunError(Code.FORWARD, message, help, [_reason(module, dict.fromkeys(names, failed[0]), failed[0])])


def _reason(module: nn.Module, inputs: Mapping[str, tuple[int, ...]], shape: tuple[int, ...]) -> str:
    """Why the likeliest shape does not fit, in the words of torch on real tensors."""
    said = f"with {','.join(map(str, shape))}"
    try:
        trace(module, inputs)
    except Unspeakable as unspeakable:
        refusal = unspeakable.refusals[-1]
        at = f", at {refusal.place.file}:{refusal.place.line}" if refusal.place else ""
        return f"{said}: {refusal.message}{at}"
    return said


def _required(module: nn.Module) -> list[str]:
    """The arguments of ``forward`` without a default; the first if all have one."""
    parameters = [
        p
        for p in inspect.signature(module.forward).parameters.values()
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    required = [p.name for p in parameters if p.default is p.empty]
    return required or [p.name for p in parameters[:1]] or ["input"]


def _shapes(module: nn.Module, sizes: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], str]]:
    """Candidates with the reason for each, the likely ones first."""
    known = getattr(module, "default_cfg", None) or getattr(module, "pretrained_cfg", None)
    if isinstance(known, Mapping) and known.get("input_size"):
        yield tuple(known["input_size"]), "from its `default_cfg`"
    layers = list(module.modules())
    convolutions = [(layer, dims) for layer in layers for kind, dims in DIMS.items() if isinstance(layer, kind)]
    if convolutions:
        yield from _images(*convolutions[0], sizes)
        return
    linear = next((layer for layer in layers if isinstance(layer, nn.Linear)), None)
    if linear is not None:
        features = linear.in_features
        yield (features,), "from the first linear layer"
        for side in (28, 32):
            for channels in IMAGES:
                if channels * side * side == features:
                    yield (channels, side, side), "from the first linear layer, as an image"


def _images(layer: Any, dims: int, sizes: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], str]]:
    """Images with the channels of the first convolution, and then with those of images, if another one runs first."""
    likely = [sizes] if len(sizes) == dims else []
    usual = [(size,) * dims for size in (SIZES if dims < 3 else SIZES_3D)]
    for channels in dict.fromkeys((layer.in_channels, *IMAGES)):
        why = "from the first convolution" if channels == layer.in_channels else "as images have"
        for shape in dict.fromkeys([*likely, *usual]):
            yield (channels, *shape), f"{channels} {'channel' if channels == 1 else 'channels'} {why}, a usual size"
