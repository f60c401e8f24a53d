"""The input of a module, tried from what it has."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from cnndsl.diagnostics import Code, RunError
from cnndsl.importing.recorded import Unspeakable
from cnndsl.importing.trace import runs

#: Heights and widths that networks are made for, the usual ones first.
SIZES = (224, 32, 28, 299, 64, 96, 128, 227, 256, 512)
#: The dims of an image that a convolution takes.
DIMS = {nn.Conv1d: 1, nn.Conv2d: 2, nn.Conv3d: 3, nn.ConvTranspose1d: 1, nn.ConvTranspose2d: 2, nn.ConvTranspose3d: 3}


def guess_input(module: nn.Module, sizes: tuple[int, ...] = ()) -> tuple[dict[str, tuple[int, ...]], str]:
    """Shapes without the batch, by the names of the arguments of ``forward``, and how they were found. Raises
    :class:`RunError`."""
    names = _required(module)
    failed: Unspeakable | None = None
    tried = []
    for shape, why in _shapes(module, sizes):
        tried.append(shape)
        inputs = {name: shape for name in names}
        failure = runs(module, inputs)
        if failure is None:
            return inputs, why
        failed = failed or failure
    help = "give the shape of the input: `--input 3,224,224`"
    if failed is None:
        raise RunError(Code.FORWARD, "no input can be guessed: there is neither a convolution nor a linear layer", help)
    note = f"with {_text(tried[0])}: {failed.refusals[-1].message}"
    raise RunError(Code.FORWARD, f"no input can be guessed: the module runs with none of {len(tried)} shapes", help, [note])


def _required(module: nn.Module) -> list[str]:
    """The arguments of ``forward`` without a default; the first if all have one."""
    parameters = [
        p for p in inspect.signature(module.forward).parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    required = [p.name for p in parameters if p.default is p.empty]
    return required or [p.name for p in parameters[:1]] or ["input"]


def _shapes(module: nn.Module, sizes: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], str]]:
    """Candidates with the reason for each, the likely ones first."""
    known = getattr(module, "default_cfg", None) or getattr(module, "pretrained_cfg", None)
    if isinstance(known, Mapping) and known.get("input_size"):
        yield tuple(known["input_size"]), "from its `default_cfg`"
    first = next((m for m in module.modules() if type(m) in DIMS), None)
    if first is not None:
        channels, dims = first.in_channels, DIMS[type(first)]
        for size in dict.fromkeys((*sizes[:1], *SIZES)):
            shape = sizes if size == sizes[:1] and len(sizes) == dims else (size,) * dims
            yield (channels, *shape), f"{channels} channels from the first convolution, a usual size"
        return
    linear = next((m for m in module.modules() if isinstance(m, nn.Linear)), None)
    if linear is not None:
        yield (linear.in_features,), "from the first linear layer"
        for side in (28, 32):
            for channels in (1, 3):
                if channels * side * side == linear.in_features:
                    yield (channels, side, side), "from the first linear layer, as an image"


def _text(shape: tuple[int, ...]) -> str:
    return ",".join(map(str, shape))
