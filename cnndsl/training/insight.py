"""Looks into a module: the filters of a convolution, and the output of a layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from cnndsl.diagnostics import Code, RunError, did_you_mean, shorten

if TYPE_CHECKING:
    from cnndsl.picture import Picture


@dataclass(frozen=True)
class Filters:
    """The filters of the convolution ``layer`` of a network: ``(filters, channels, *kernel_size)``, where channels are
    those that a filter sees, fewer with ``groups``."""

    network: str
    layer: str
    weight: Tensor = field(repr=False)

    def figure(self) -> Picture:
        """A picture of each filter, all normalized alike."""
        from cnndsl.training.figures.filters import filters  # matplotlib takes half a second

        return filters(self)


@dataclass(frozen=True)
class Features:
    """The output ``maps`` of ``layer`` for a ``picture``: ``(channels, H, W)``, or of other dimensions. ``seen`` is the
    picture as the network saw it, uint8, ``(C, H, W)``. Of a layer with several ``uses`` it is the output of the first.
    """

    network: str
    picture: Path
    layer: str
    seen: Tensor = field(repr=False)
    maps: Tensor = field(repr=False)
    uses: int = 1

    def figure(self) -> Picture:
        """A grid of the channels, with the picture. Raises :class:`RunError` for more than three dimensions."""
        from cnndsl.training.figures.features import features

        return features(self)


def filters_of(network: str, module: nn.Module, layer: str | None = None) -> Filters:
    """The filters of a convolution, by default the first. Raises :class:`RunError` if ``layer`` is not one."""
    found = {name: part for name, part in module.named_modules() if isinstance(part, _ConvNd)}
    if not found:
        raise RunError(Code.LAYER, f"`{network}` has no convolution, so it has no filters")
    chosen = layer if layer is not None else next(iter(found))
    if chosen not in found:
        message = f"`{shorten(chosen)}` is not a convolution of `{network}`"
        raise RunError(Code.LAYER, message, did_you_mean(chosen, found) or f"such as `{next(iter(found))}`")
    convolution = found[chosen]
    weight = convolution.weight.detach().float().cpu()
    if convolution.transposed:  # stored as (in, out / groups, ...)
        parts = weight.reshape(convolution.groups, -1, *weight.shape[1:])
        weight = parts.transpose(1, 2).flatten(0, 1)
    return Filters(network, chosen, weight)


def output_of(network: str, module: nn.Module, layer: str, run: Callable[[], object]) -> tuple[Tensor, int]:
    """What ``layer`` gives first when ``run`` runs the module, without the batch of one, and how often it is run.
    Raises :class:`RunError` if it is not a module, is not run, or gives several tensors."""
    found = dict(module.named_modules())
    if not layer or layer not in found:
        message = f"`{network}` has no layer `{shorten(layer)}` whose output can be taken"
        raise RunError(Code.LAYER, message, _help(layer, filter(None, found)))
    caught: list[object] = []

    def catch(part: nn.Module, given: object, output: object) -> None:
        # A copy: the next layer may work in place.
        caught.append(output.detach().float().cpu().clone() if isinstance(output, Tensor) else output)

    handle = found[layer].register_forward_hook(catch)
    try:
        with torch.no_grad():  # not `inference_mode`, whose tensors take no gradient later
            run()
    finally:
        handle.remove()
    if not caught or not isinstance(caught[0], Tensor):
        why = "gives several tensors" if caught else "is not run"
        raise RunError(
            Code.LAYER, f"`{layer}` of `{network}` {why}", "name a layer in it: `cnndsl shapes RUN/spec.yaml` has all"
        )
    return caught[0][0], len(caught)


def _help(layer: str, known: Iterable[str]) -> str:
    listed = (
        "`cnndsl shapes RUN/spec.yaml` lists the layers; those that only join tensors are not modules, "
        "and a `reuse` has the name of the layer that it uses again"
    )
    return did_you_mean(layer, [*known]) or listed
