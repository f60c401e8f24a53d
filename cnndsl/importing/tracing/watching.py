"""Leads calls to those who record them, for the time of a run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from types import FunctionType
from typing import Any

import torch
from torch import nn

from cnndsl.importing.tracing import numbers
from cnndsl.importing.tracing.function_calls import Functions
from cnndsl.importing.tracing.module_calls import Calls
from cnndsl.importing.tracing.run import Run


@contextmanager
def watching(run: Run) -> Iterator[None]:
    """Torch tells a mode of calls of its functions. Calls of modules, of compiled functions, and of those of
    torchvision, of which it does not tell, are changed."""
    functions, calls, original = Functions(run), Calls(run), nn.Module.__call__

    def call(module: nn.Module, /, *args: Any, **kwargs: Any) -> Any:
        return calls.call(original, module, args, kwargs)

    with ExitStack() as stack:
        _replace(stack, nn.Module, "__call__", call)
        _replace(stack, torch.jit.ScriptFunction, "__call__", _script(functions, torch.jit.ScriptFunction.__call__))
        for namespace, name, function in _torchvision(run.modules.paths):
            _replace(stack, namespace, name, _whole(functions, function))
        if "torch._dynamo" in sys.modules:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        stack.enter_context(numbers.telling(run.lost.append))
        stack.enter_context(functions)
        yield


def _replace(stack: ExitStack, namespace: Any, name: str, value: Any) -> None:
    stack.callback(setattr, namespace, name, getattr(namespace, name))
    setattr(namespace, name, value)


def _script(functions: Functions, original: Any) -> Callable[..., Any]:
    def call(function: Any, /, *args: Any, **kwargs: Any) -> Any:
        return functions.whole(original, f"torch.jit.{function.name}", (function, *args), kwargs)

    return call


def _whole(functions: Functions, function: FunctionType) -> Callable[..., Any]:
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return functions.whole(function, f"{function.__module__}.{function.__name__}", args, kwargs)

    return call


def _torchvision(modules: Any) -> Iterator[tuple[Any, str, FunctionType]]:
    """The functions of torchvision.ops and ``center_crop``, which rounds a plain number, wherever the files of these
    modules have imported them under their names."""
    ops = sys.modules.get("torchvision.ops")
    if ops is None:
        return
    functions = {name: value for name, value in vars(ops).items() if isinstance(value, FunctionType)}
    if (transforms := sys.modules.get("torchvision.transforms.functional")) is not None:
        functions["center_crop"] = transforms.center_crop
    files = {kind.__module__ for module in modules for kind in type(module).__mro__}
    namespaces = [
        ops,
        *(sys.modules[file] for file in files | {f.__module__ for f in functions.values()} if file in sys.modules),
    ]
    for namespace in namespaces:
        for name, function in functions.items():
            if vars(namespace).get(name) is function:
                yield namespace, name, function
