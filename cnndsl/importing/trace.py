"""Runs a module on tensors without values, and records what each of its modules did."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import nn

from cnndsl.diagnostics import Code
from cnndsl.importing.recorded import Refusal, Tensor, Traced, Unspeakable
from cnndsl.importing.tracing.arguments import attributes
from cnndsl.importing.tracing.borrow import borrowed, cloned, on_meta
from cnndsl.importing.tracing.modules import Modules
from cnndsl.importing.tracing.places import place_of_error
from cnndsl.importing.tracing.recorder import NeedsValues, Recorder, watching

#: The batch of a run. Batch normalisation in training takes no batch of one.
BATCH = 2


def trace(
    module: nn.Module,
    inputs: Mapping[str, tuple[int, ...]],
    leaves: Collection[str] = (),
    arguments: Mapping[nn.Module, Mapping[str, Any]] | None = None,
) -> Traced:
    """Runs a module in evaluation mode on inputs of these shapes, without the batch, by the names of its arguments.
    ``leaves`` are names of classes that are not looked into, ``arguments`` what the ``__init__`` of modules was given.
    The module stays as it is. Raises :class:`Unspeakable`.
    """
    refusals: list[Refusal] = []
    try:
        recorder = _recorded(module, inputs, leaves, refusals, "meta")
    except Unspeakable:
        raise
    except Exception:
        refusals.clear()
        recorder = _recorded(module, inputs, leaves, refusals, "cpu")
    if refusals:
        raise Unspeakable(refusals)
    return _traced(recorder, arguments or {})


def runs(module: nn.Module, inputs: Mapping[str, tuple[int, ...]]) -> Unspeakable | None:
    """Why a module does not run with these inputs, None if it does or if something else prevents a spec."""
    try:
        trace(module, inputs)
    except Unspeakable as failure:
        if any(refusal.code is Code.FORWARD for refusal in failure.refusals):
            return failure
    return None


def _recorded(module: nn.Module, inputs: Any, leaves: Collection[str], refusals: list[Refusal], device: str) -> Recorder:
    with borrowed(module, on_meta if device == "meta" else cloned), torch.no_grad():
        module.eval()
        recorder = Recorder(Modules(module, leaves), refusals)
        tensors = {name: torch.zeros((BATCH, *shape), device=device) for name, shape in inputs.items()}
        for name, tensor in tensors.items():
            recorder.new(tensor, Tensor(tuple(tensor.shape), name))
        try:
            with watching(recorder):
                module(*tensors.values())
        except (Unspeakable, NeedsValues):
            raise
        except Exception as error:
            if device == "meta":
                raise
            recorder.refuse(Code.FORWARD, f"`forward` raises {type(error).__name__}: {error}", place_of_error(error.__traceback__))
            raise Unspeakable(refusals) from error
        return recorder


def _traced(recorder: Recorder, arguments: Mapping[nn.Module, Mapping[str, Any]]) -> Traced:
    done: dict[nn.Module, Traced] = {}

    def traced(module: nn.Module) -> Traced:
        if module not in done:
            done[module] = Traced(
                path=recorder.modules.paths[module][0],
                paths=tuple(recorder.modules.paths[module]),
                module=module,
                is_leaf=module in recorder.modules.leaves,
                arguments=arguments.get(module) or attributes(module),
                children={path: traced(child) for path, child in recorder.called.get(module, {}).items()},
                uses=tuple(use for use in recorder.uses.get(module, []) if use is not None),
            )
        return done[module]

    return traced(recorder.modules.root)
