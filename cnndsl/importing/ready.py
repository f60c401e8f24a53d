"""What an import needs of a module before it runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import chain
from typing import Any

from torch import nn

from cnndsl.diagnostics import Code
from cnndsl.importing.recorded import Refusal, Unspeakable
from cnndsl.importing.tracing.modules import Modules


def unwrapped(module: nn.Module) -> nn.Module:
    """The module that `nn.DataParallel`, `DistributedDataParallel` and `torch.compile` have wrapped, or the module
    itself. The wrappers only add a prefix to its keys."""
    while kind := next((kind for kind in _WRAPPERS if isinstance(module, _named(*kind))), None):
        module = getattr(module, _WRAPPERS[kind])
    return module


#: The attribute in which a wrapper has its module, by its Python module and class.
_WRAPPERS = {
    ("torch.nn.parallel", "DataParallel"): "module",
    ("torch.nn.parallel", "DistributedDataParallel"): "module",
    ("torch._dynamo.eval_frame", "OptimizedModule"): "_orig_mod",
}


def _named(home: str, kind: str) -> Any:
    """A class, if its Python module is loaded: nothing can be of it else."""
    return getattr(sys.modules.get(home), kind, ())


def check_runs(module: nn.Module) -> None:
    """Raises :class:`Unspeakable` for modules that cannot be run, or looked into while they run."""
    if refused := Modules(module).refused:
        raise Unspeakable(refused)


def check_values(module: nn.Module) -> None:
    """Raises :class:`Unspeakable` if tensors have no values, so that nothing can be compared."""
    if refused := [*_without_values(module)]:
        raise Unspeakable(refused)


def _without_values(module: nn.Module) -> Iterator[Refusal]:
    for path, inside in module.named_modules():
        kind = type(inside).__name__
        if any(tensor.is_meta for tensor in chain(inside.parameters(False), inside.buffers(False))):
            message = "the parameters are on the device `meta`, without values to compare"
            help = "make the module on the CPU; in Python, `from_module(module, prove=False)` compares nothing"
            yield Refusal(Code.FORWARD, message, None, help, path, kind)
