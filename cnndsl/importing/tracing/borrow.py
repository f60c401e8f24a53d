"""A module is lent to a run: with other tensors in it, and given back as it was."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

#: What a module holds by name.
TABLES = ("_parameters", "_buffers", "_modules")


def on_meta(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor like this one, without values."""
    copy = torch.empty_like(tensor, device="meta")
    return nn.Parameter(copy, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else copy


def cloned(tensor: torch.Tensor) -> torch.Tensor:
    copy = tensor.detach().clone()
    return nn.Parameter(copy, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else copy


@contextmanager
def borrowed(module: nn.Module, copied: Callable[[torch.Tensor], torch.Tensor]) -> Iterator[None]:
    """Each parameter and buffer is a copy of it. Afterwards, all attributes of all modules, the modes, and the random
    generators of torch, Python and numpy are what they were."""
    kept = [(inside, _kept(inside)) for inside in module.modules()]
    copies: dict[int, torch.Tensor] = {}
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=[]))
        stack.callback(random.setstate, random.getstate())
        if numpy := sys.modules.get("numpy"):
            stack.callback(numpy.random.set_state, numpy.random.get_state())
        for inside, attributes in kept:
            stack.callback(_restore, inside, attributes)
        for inside, _ in kept:
            for table in (inside._parameters, inside._buffers):
                for name, tensor in table.items():
                    if isinstance(tensor, torch.Tensor):
                        if id(tensor) not in copies:
                            copies[id(tensor)] = copied(tensor)
                        table[name] = copies[id(tensor)]  # type: ignore[assignment]
        yield


def _kept(module: nn.Module) -> dict[str, Any]:
    return {**vars(module), **{table: dict(vars(module)[table]) for table in TABLES}}


def _restore(module: nn.Module, attributes: dict[str, Any]) -> None:
    """The tables themselves stay the same objects, because others may hold them."""
    now = vars(module)
    for table in TABLES:
        before = now.get(table)
        if before is not None:
            before.clear()
            before.update(attributes[table])
            attributes[table] = before
    now.clear()
    now.update(attributes)
