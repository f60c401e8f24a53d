"""Modules on torch's meta device, where tensors have shapes and no values: what a class makes is measured there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cnndsl.plugins.own import Call

#: How many calls are remembered: a loop asks the same again and again.
REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class Built:
    """A module without values, and the shapes of its tensors by name, in torch's order."""

    module: nn.Module
    parameters: Mapping[str, tuple[int, ...]]
    buffers: Mapping[str, tuple[int, ...]]


@contextmanager
def _nowhere() -> Iterator[None]:
    """No tensor that is made in here takes memory, and torch's generator is left as it was."""
    with torch.random.fork_rng(devices=[]), torch.device("meta"), torch.no_grad():
        yield


@lru_cache(REMEMBERED)
def built(call: Call) -> Built:
    """What the class makes of its arguments. Raises whatever it does."""
    with _nowhere():
        # What a class makes of NumPy's arrays, say, is somewhere all the same.
        module = call.made(**call.arguments).to("meta").eval()
        saved = module.state_dict()
        return Built(
            module,
            {name: tuple(tensor.shape) for name, tensor in module.named_parameters()},
            {name: tuple(tensor.shape) for name, tensor in module.named_buffers() if name in saved},
        )


@lru_cache(REMEMBERED)
def output(call: Call, x: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that comes out where ``x`` goes in, in evaluation. Raises whatever the module does."""
    return _ran(call, x)


@lru_cache(REMEMBERED)
def macs(call: Call, x: tuple[int, ...]) -> int:
    """Half of the flops that torch counts; 0 where the module cannot be run without values."""
    with FlopCounterMode(display=False) as counter:
        try:
            _ran(call, x)
        except Exception:  # a rule has told its shape, or it would not have come to this
            return 0
    return int(counter.get_total_flops()) // 2


def _ran(call: Call, x: tuple[int, ...]) -> tuple[int, ...]:
    with _nowhere():
        given = torch.empty(x)
        found = built(call).module(given)
    if given._version and not call.arguments.get("inplace"):
        raise TypeError("its forward overwrites its input, which other steps may read: let it do so for `inplace=True`")
    if not isinstance(found, Tensor):
        raise TypeError(f"its forward gives a {type(found).__name__}, and not a tensor")
    return tuple(found.shape)
