"""Measures modules on torch's meta device, where tensors have shapes but no values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

#: How many calls are cached: a loop repeats the same ones.
REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class Built:
    """A module without values, and the shapes of its tensors by name, in torch's order."""

    module: nn.Module
    parameters: Mapping[str, tuple[int, ...]]
    buffers: Mapping[str, tuple[int, ...]]


@contextmanager
def _nowhere() -> Iterator[None]:
    """Tensors created in here take no memory, and torch's random generator is left unchanged."""
    with torch.random.fork_rng(devices=[]), torch.device("meta"), torch.no_grad():
        yield


@dataclass(frozen=True, slots=True)
class Measured:
    """A class with all arguments of one layer. Two are equal if they are written alike: 1 is not True."""

    made: type[Any]
    arguments: Mapping[str, Any] = field(compare=False)
    written: str

    @lru_cache(REMEMBERED)  # noqa: B019  Equal ones share the results, of which there are not many.
    def built(self) -> Built:
        """The module that the class makes from its arguments. Raises whatever the class raises."""
        with _nowhere():
            # Tensors made from NumPy arrays, for example, are on another device.
            module = self.made(**self.arguments).to("meta").eval()
            saved = module.state_dict()
            return Built(
                module,
                {name: tuple(tensor.shape) for name, tensor in module.named_parameters()},
                {name: tuple(tensor.shape) for name, tensor in module.named_buffers() if name in saved},
            )

    @lru_cache(REMEMBERED)  # noqa: B019  Equal ones share the results, of which there are not many.
    def output(self, x: tuple[int, ...]) -> tuple[int, ...]:
        """The output shape for an input of shape ``x``, in evaluation. Raises whatever the module raises."""
        return self._ran(x)

    @lru_cache(REMEMBERED)  # noqa: B019  Equal ones share the results, of which there are not many.
    def macs(self, x: tuple[int, ...]) -> int:
        """Half of the flops that torch counts; 0 if the module cannot run without values."""
        with FlopCounterMode(display=False) as counter:
            try:
                self._ran(x)
            except Exception:  # its shape comes from a rule, else it would have failed before
                return 0
        return int(counter.get_total_flops()) // 2

    def _ran(self, x: tuple[int, ...]) -> tuple[int, ...]:
        with _nowhere():
            given = torch.empty(x)
            found = self.built().module(given)
        if given._version and not self.arguments.get("inplace"):
            raise TypeError(
                "its forward overwrites its input, which other steps may read: do so only for `inplace=True`"
            )
        if not isinstance(found, Tensor):
            raise TypeError(f"its forward returns a {type(found).__name__}, not a tensor")
        if found.dtype != given.dtype:
            raise TypeError(f"its forward returns {found.dtype}, and the next layer expects {given.dtype}")
        return tuple(found.shape)
