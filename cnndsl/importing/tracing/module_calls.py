"""Calls of modules are recorded."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook

from cnndsl.diagnostics import Code
from cnndsl.importing.recorded import Made, Operation, Place, Tensor, Use
from cnndsl.importing.tracing.effects import apart, followed
from cnndsl.importing.tracing.function_calls import Args, Keywords
from cnndsl.importing.tracing.nested import named_tensors, same_tensors, tensors
from cnndsl.importing.tracing.places import place_of_code
from cnndsl.importing.tracing.run import Run, Running


class Calls:
    """Layers are one operation; other modules are looked into while they run."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def call(self, original: Any, module: nn.Module, args: Args, kwargs: Keywords) -> Any:
        if not self.run.is_watched and self.run.stack:
            return original(module, *args, **kwargs)
        if type(module) is torch.nn.utils.parametrize.ParametrizationList:
            with torch._C.DisableTorchFunction():
                return self._parametrized(original, module, args, kwargs)
        if module not in self.run.modules.paths:
            return original(module, *args, **kwargs)
        if not self.run.stack:
            self.run.returned, _ = self._run(original, module, args, kwargs)
            return self.run.returned
        with torch._C.DisableTorchFunction():
            place = self.run.place()
            sources = self.run.recorded((args, kwargs), place)
        run = self._layer if module in self.run.modules.leaves else self._run
        result, changed = run(original, module, args, kwargs)
        with torch._C.DisableTorchFunction():
            return self._called(module, sources, result, changed, (args, kwargs), place)

    def _called(self, module: nn.Module, sources: Any, result: Any, changed: Any, given: Any, place: Place) -> Any:
        caller = self.run.stack[-1]
        path = self.run.modules.relative(caller.module, module)
        self.run.called.setdefault(caller.module, {})[path] = module
        result = apart(result, tensors(given), changed)
        for tensor in tensors(result):
            known = self.run.tensor(tensor)
            if module in self.run.modules.leaves or known is None:
                self.run.new(tensor, Tensor(tuple(tensor.shape)))
            else:
                caller.seen.add(known)
        outputs = self.run.recorded(result, place)
        caller.operations.append(Operation("module", path, sources[0], sources[1], outputs, place))
        return result

    def _layer(self, original: Any, module: nn.Module, args: Args, kwargs: Keywords) -> tuple[Any, list[torch.Tensor]]:
        self.run.uses.setdefault(module, [])

        def call(*args: Any, **kwargs: Any) -> Any:
            return original(module, *args, **kwargs)

        hooked = bool(module._forward_hooks or module._forward_pre_hooks)
        with self.run.silence(), torch._C.DisableTorchFunction():
            result, changed = followed(self.run, self._hooked(call, module) if hooked else call, args, kwargs)
            for tensor in changed:
                self.run.new(tensor, Tensor(tuple(tensor.shape)))
        return result, changed

    def _hooked(self, call: Callable[..., Any], module: nn.Module) -> Callable[..., Any]:
        """Hooks of a layer may look at its tensors, but not change them: nobody would see what they do."""

        def checked(*args: Any, **kwargs: Any) -> Any:
            inside: list[Any] = []
            hook = register_module_forward_hook(lambda layer, taken, result: inside.append((layer, taken, result)))
            try:
                result = call(*args, **kwargs)
            finally:
                hook.remove()
            taken, made = next((taken, result) for layer, taken, result in inside if layer is module)
            if not same_tensors(taken, args) or not same_tensors(made, result):
                hooks = [*module._forward_pre_hooks.values(), *module._forward_hooks.values()]
                message = f"a hook of a `{type(module).__name__}` changes its input or output"
                self.run.stop(Code.OPERATION, message, place_of_code(hooks[0]), "write what it does in `forward`")
            return result

        return checked

    def _run(self, original: Any, module: nn.Module, args: Args, kwargs: Keywords) -> tuple[Any, list[torch.Tensor]]:
        with torch._C.DisableTorchFunction():
            if any(running.module is module for running in self.run.stack):
                self.run.stop(Code.OPERATION, "a module calls itself", self.run.place())
            running = Running(module, self._inputs(module, args, kwargs))
            taken = tensors((args, kwargs))
            versions = [tensor._version for tensor in taken]
        uses = self.run.uses.setdefault(module, [])
        index = len(uses)
        uses.append(None)
        self.run.stack.append(running)
        result = original(module, *args, **kwargs)
        with torch._C.DisableTorchFunction():
            outputs = self.run.recorded(result, self.run.place())
            changed = [tensor for tensor, version in zip(taken, versions) if tensor._version != version]
        self.run.stack.pop()
        if self.run.stack:
            self.run.stack[-1].seen |= running.seen
        uses[index] = Use(running.inputs, tuple(running.operations), outputs)
        return result, changed

    def _inputs(self, module: nn.Module, args: Args, kwargs: Keywords) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for name, value in bound(module, args, kwargs):
            for path, tensor in named_tensors(value, name):
                known = self.run.tensor(tensor)
                if known is not None:
                    found[path] = known
        return found

    def _parametrized(self, original: Any, module: nn.Module, args: Args, kwargs: Keywords) -> torch.Tensor:
        """A parameter that is computed from others."""
        with self.run.silence():
            result: torch.Tensor = original(module, *args, **kwargs)
        place = self.run.place()
        held = tuple(self.run.recorded(tensor, place) for tensor in module.parameters())
        self.run.new(result, Made(tuple(result.shape), "torch.nn.utils.parametrize", place, held))
        return result


def bound(module: nn.Module, args: Args, kwargs: Keywords) -> list[tuple[str, Any]]:
    """Values by the names of the arguments of ``forward``; those of ``*args`` are ``args.0`` and on."""
    function = getattr(module.forward, "__func__", None)  # the same for all modules of a class
    names = _positional(function)[1:] if function else _positional(module.forward)
    named = [(names[i] if i < len(names) else f"args.{i - len(names)}", value) for i, value in enumerate(args)]
    return [*named, *kwargs.items()]


@cache
def _positional(function: Callable[..., Any]) -> list[str]:
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
