"""The tensors of a trained network, parameters and buffers, with statistics of each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from cnndsl.diagnostics import Code, RunError, did_you_mean, shorten
from cnndsl.emit.table import Row
from cnndsl.layers import LAYERS
from cnndsl.network import Network

#: The roles of the parameters of a normalization layer.
_ROLES = {"weight": "scale", "bias": "shift"}


@dataclass(frozen=True)
class Statistics:
    """Statistics of a tensor's finite values: mean, standard deviation, minimum, maximum, and the share of zeros.
    They are NaN if there are no such values. ``nonfinite`` counts the others."""

    mean: float
    std: float
    min: float
    max: float
    zeros: float
    nonfinite: int

    @classmethod
    def of(cls, tensor: Tensor) -> Statistics:
        values = tensor.flatten()
        finite = values[values.isfinite()].float()
        if not finite.numel():
            return cls(math.nan, math.nan, math.nan, math.nan, math.nan, values.numel())
        std, mean = torch.std_mean(finite, correction=0)
        zeros = int((finite == 0).sum()) / finite.numel()
        nonfinite = values.numel() - finite.numel()
        return cls(float(mean), float(std), float(finite.min()), float(finite.max()), zeros, nonfinite)


@dataclass(frozen=True)
class TensorInfo:
    """A tensor with its name in the ``state_dict``, such as ``1.weight``, its layer, and its role there: the scale or
    the shift of a normalization layer, otherwise empty."""

    name: str
    layer: str
    role: str
    value: Tensor
    statistics: Statistics


def tensors(network: Network, state: Mapping[str, Tensor], layer: str | None = None) -> list[TensorInfo]:
    """The tensors of a network's ``state_dict``, or those of one layer or module, or one by its own name.

    ``layer`` is a path, as ``cnndsl shapes`` prints it. Raises :class:`RunError` if there is no such layer.
    """
    rows: dict[str, Row] = {}
    for row in network.shapes().rows:
        rows.setdefault(row.path, row)  # a reused module has the tensors of its first use
    chosen = [name for name in state if layer is None or f"{name}.".startswith(f"{layer}.")]
    if layer is not None and layer not in rows and not chosen:
        message = f"`{network.name}` has no layer `{shorten(layer)}`"
        help = (
            did_you_mean(layer, (*rows, *state)) or "`cnndsl inspect RUN` and `cnndsl shapes RUN/spec.yaml` list them"
        )
        raise RunError(Code.LAYER, message, help)
    return [_info(name, state[name], rows) for name in chosen]


def _info(name: str, value: Tensor, rows: Mapping[str, Row]) -> TensorInfo:
    path, _, own = name.rpartition(".")
    kind = rows[path].layer if path in rows else ""
    normalises = kind in LAYERS and LAYERS[kind].family == "normalization"
    return TensorInfo(name, kind, _ROLES.get(own, "") if normalises else "", value, Statistics.of(value))
