"""The input of a module, tried from what it has."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping

from torch import nn

from cnndsl.diagnostics import Code, RunError
from cnndsl.importing.trace import failure

#: Heights and widths that networks are made for, the usual ones first.
SIZES = (224, 32, 28, 299, 64, 96, 128, 227, 256, 512)
#: Of the three sides of a volume, which takes more memory.
SIZES_3D = (32, 16, 64, 28, 96, 112, 128)
#: The dims of an image that a convolution takes.
DIMS = {nn.Conv1d: 1, nn.Conv2d: 2, nn.Conv3d: 3, nn.ConvTranspose1d: 1, nn.ConvTranspose2d: 2, nn.ConvTranspose3d: 3}


def guess_input(module: nn.Module, sizes: tuple[int, ...] = ()) -> tuple[dict[str, tuple[int, ...]], str]:
    """Shapes without the batch, by the names of the arguments of ``forward``, and how they were found. Raises
    :class:`RunError`."""
    names = _required(module)
    failed: list[str] = []
    for shape, why in _shapes(module, sizes):
        inputs = dict.fromkeys(names, shape)
        message = failure(module, inputs)
        if not message:
            return inputs, why
        failed.append(f"with {_text(shape)}: {message}")
    help = "give the shape of the input: `--input 3,224,224`"
    if not failed:
        message = "no input can be guessed: there is neither a convolution nor a linear layer"
        raise RunError(Code.FORWARD, message, help)
    message = f"no input can be guessed: the module runs with none of {len(failed)} shapes"
    raise RunError(Code.FORWARD, message, help, failed[:1])


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
    first = next((layer for layer in module.modules() if type(layer) in DIMS), None)
    if first is not None:
        channels, dims = int(first.in_channels), DIMS[type(first)]  # type: ignore[arg-type]
        likely = [sizes] if len(sizes) == dims else []
        usual = [(size,) * dims for size in (SIZES if dims < 3 else SIZES_3D)]
        for shape in dict.fromkeys([*likely, *usual]):
            yield (channels, *shape), f"{channels} channels from the first convolution, a usual size"
        return
    linear = next((layer for layer in module.modules() if isinstance(layer, nn.Linear)), None)
    if linear is not None:
        features = linear.in_features
        yield (features,), "from the first linear layer"
        for side in (28, 32):
            for channels in (1, 3):
                if channels * side * side == features:
                    yield (channels, side, side), "from the first linear layer, as an image"


def _text(shape: tuple[int, ...]) -> str:
    return ",".join(map(str, shape))
