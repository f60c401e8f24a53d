"""Modules that do nothing in evaluation and drop values in training.

Everybody writes stochastic depth anew: ``x * bernoulli mask / keep``. It is not known by the name of a class, but by
what it does: the module runs in training on ones, and what comes out says which values it dropped together.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

from cnndsl.importing.lift.leaves import shortest

#: How many samples and channels are looked at, and how large the other sizes are.
SAMPLES, CHANNELS, SIZE = 256, 8, 3


class Unknown(Exception):
    """A module does something in training that no layer does."""


def dropping(module: nn.Module, shape: Sequence[int]) -> tuple[str, dict[str, Any]]:
    """The layer that a module is which returns its input in evaluation: its word, "" for one that always does, and its
    arguments. ``shape`` is that of its input. Raises :class:`Unknown`."""
    ones, rank = _ones(module, shape), len(shape)
    trained = copy.deepcopy(module).train()
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(0)
            out = trained(ones.clone())
    except Exception as error:
        raise Unknown(f"raises {type(error).__name__} in training") from None
    if not isinstance(out, torch.Tensor) or out.shape != ones.shape:
        raise Unknown("gives another shape in training")
    if torch.equal(out, ones):
        return "", {}
    p = _probability(module, out)
    for word, dims in (("Dropout", rank), (f"Dropout{rank - 2}d", 2), ("StochasticDepth", 1)):
        if _varies(out, dims):
            return (word, {"p": p, "mode": "row"}) if word == "StochasticDepth" else (word, {"p": p})
    raise Unknown("drops values in training as no layer does")


def _ones(module: nn.Module, shape: Sequence[int]) -> torch.Tensor:
    """As few as the module takes: one that gives a sample a certain shape takes samples of the network's size only."""
    few = torch.ones(SAMPLES, CHANNELS, *[SIZE] * (len(shape) - 2))
    try:
        copy.deepcopy(module).eval()(few)
    except Exception:
        return torch.ones(SAMPLES, *shape[1:])
    return few


def _varies(out: torch.Tensor, dims: int) -> bool:
    """Whether the last of the first ``dims`` dimensions has values of its own, and no later one has."""
    alike = all(out.narrow(dim, 0, 1).expand_as(out).equal(out) for dim in range(dims, out.dim()))
    return alike and not out.narrow(dims - 1, 0, 1).expand_as(out).equal(out)


def _probability(module: nn.Module, out: torch.Tensor) -> float:
    """That with which values are 0, if the others are ``1 / (1 - p)``: a number that the module keeps."""
    kept = out[out != 0]
    if not len(kept):
        return 1.0
    scale = float(kept[0])
    for p in _numbers(module):
        if 0 < p < 1 and abs(scale - 1 / (1 - p)) < 1e-5 * scale and bool((kept == kept[0]).all()):
            return shortest(p)
    raise Unknown("scales values in training as no layer does")


def _numbers(module: nn.Module) -> Iterator[float]:
    for inside in module.modules():
        yield from (float(value) for value in vars(inside).values() if isinstance(value, (int, float)))
