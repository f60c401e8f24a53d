"""Runs a network on tensors of our choice, and leaves it, its weights and all random states as they were."""

from __future__ import annotations

import random
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode

from cnndsl.importing.proof.names import named_tensors
from cnndsl.importing.proof.samples import tensors_in
from cnndsl.importing.tracing.borrow import borrowed
from cnndsl.importing.tracing.inputs import arranged
from cnndsl.weights.fit import is_shaped_alike


def as_type(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


@dataclass(frozen=True)
class Ran:
    """What a network made of its inputs: outputs in their order, and gradients or statistics by what they are called. A
    gradient may be None."""

    outputs: Sequence[Tensor]
    others: Mapping[str, Tensor | None]


@dataclass(frozen=True)
class Side:
    """One of two networks. ``tensors`` take the place of its parameters and buffers, under its own names, and
    ``called`` has the names that both sides share. ``inputs`` are paths in the arguments of ``forward``, as for
    :func:`~cnndsl.importing.trace.trace`; without any, inputs are given one after the other."""

    module: nn.Module
    tensors: Mapping[str, Tensor]
    called: Mapping[str, str]
    inputs: Sequence[str] = ()

    def as_type(self, dtype: torch.dtype) -> Side:
        """The same with all real numbers in another precision."""
        made = {name: as_type(tensor, dtype) for name, tensor in self.tensors.items()}
        return Side(self.module, made, self.called, self.inputs)


def evaluated(side: Side, inputs: Sequence[Tensor]) -> Ran:
    """Outputs in evaluation, and the gradients of all parameters and inputs for a fixed random linear function of the
    outputs."""
    tensors, given = _copies(side), [tensor.clone().requires_grad_() for tensor in inputs]
    with undisturbed(side.module):
        side.module.eval()
        outputs = run(side, tensors, given)
    if not any(output.requires_grad for output in outputs):
        raise RuntimeError("no gradient comes from its outputs, as under `torch.no_grad`")
    _function_of(outputs).backward()  # type: ignore[no-untyped-call]
    gradients = {f"the gradient of input {number}": tensor.grad for number, tensor in enumerate(given)}
    gradients |= {f"the gradient of `{name}`": tensors[own].grad for own, name in side.called.items()}
    return Ran([output.detach() for output in outputs], gradients)


@torch.no_grad()
def trained(side: Side, inputs: Sequence[Tensor]) -> Ran:
    """Outputs in training mode, and the buffers after it."""
    tensors = _copies(side)
    with undisturbed(side.module), _Draws():  # type: ignore[no-untyped-call]
        side.module.train()
        outputs = run(side, tensors, inputs)
    return Ran(outputs, {f"`{name}` after it": tensors[own] for own, name in side.called.items()})


def run(side: Side, tensors: Mapping[str, Tensor], inputs: Sequence[Tensor]) -> list[Tensor]:
    """The outputs of a network. A layer in place changes no input. The two sides may shape a tensor differently, as a
    factor for each channel."""
    copies = [tensor.clone() for tensor in inputs]
    given = arranged(side.module, dict(zip(side.inputs, copies))) if side.inputs else (tuple(copies), {})
    shapes = {name: tensor.shape for name, tensor in named_tensors(side.module).items()}
    shaped = {
        name: tensor.reshape(shapes[name])
        if tensor.shape != shapes[name] and is_shaped_alike(tensor.shape, shapes[name])
        else tensor
        for name, tensor in tensors.items()
    }
    return tensors_in(functional_call(side.module, shaped, *given))


def _copies(side: Side) -> dict[str, Tensor]:
    """Its parameters without gradients, those too that the module freezes, and copies of its buffers, which change."""
    parameters = dict(side.module.named_parameters())
    return {
        name: tensor.detach().requires_grad_() if name in parameters else tensor.clone()
        for name, tensor in side.tensors.items()
    }


def _function_of(outputs: Sequence[Tensor]) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    weights = [torch.randn(output.shape, generator=generator, dtype=output.dtype) for output in outputs]
    return sum((output * weight).sum() for output, weight in zip(outputs, weights))  # type: ignore[return-value]


@contextmanager
def undisturbed(module: nn.Module) -> Iterator[None]:
    """The module, with all that it holds, and all random states are afterwards what they were. `functional_call` alone
    does not put back what has two names."""
    with borrowed(module, lambda tensor: tensor), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        random.seed(0)
        yield


def unmoved(module: nn.Module, training: bool) -> list[str]:
    """The layers inside that are not in this mode when the module is."""
    with undisturbed(module):
        module.train(training)
        return [path for path, part in module.named_modules() if path and part.training is not training]


class _Draws(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """What is drawn depends on the shape and the arguments of the drawing, not on what was drawn before: networks that
    draw the same in another order are equal. A probability that was a float32 is written with fewer digits."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if torch.Tag.nondeterministic_seeded in func.tags:
            torch.manual_seed(zlib.crc32(f"{func} {[*map(_said, args)]}".encode()))
        return func(*args, **(kwargs or {}))


def _said(value: Any) -> Any:
    if isinstance(value, Tensor):
        return tuple(value.shape)
    return f"{value:.6g}" if isinstance(value, float) else value


class Narrowing(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees whether a network that runs in double precision makes less precise numbers of double ones itself."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if any(tensor.dtype is torch.float64 for tensor in tensors_in(args)):
            self.seen |= any(t.is_floating_point() and t.dtype is not torch.float64 for t in tensors_in(made))
        return made
