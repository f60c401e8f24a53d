"""Runs what was recorded, with torch on real tensors: an oracle of the tracer that reads only the record."""

from __future__ import annotations

import importlib
import math
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from cnndsl.importing.recorded import Arithmetic, Extent, Held, Made, Number, Operation, Tensor, Traced, Use

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "//": operator.floordiv,
    "%": operator.mod, "neg": operator.neg, "ceil": math.ceil, "floor": math.floor, "round": round, "int": int,
    "float": float, "min": min, "max": max,
}  # fmt: skip


class Replay:
    """Each operation gets copies of its arguments, so that a record which mixes up what a tensor was before and after
    a change in place gives other values."""

    def __init__(self, traced: Traced) -> None:
        self.root = traced
        self.runs: dict[int, int] = {}
        self.values: dict[Tensor, Any] = {}

    def __call__(self, *inputs: torch.Tensor) -> Any:
        return self.module(self.root, list(inputs))

    def module(self, traced: Traced, inputs: list[Any]) -> Any:
        index = self.runs.get(id(traced), 0)
        self.runs[id(traced)] = index + 1
        use = traced.uses[index]
        self.values.update(zip(use.inputs.values(), inputs, strict=True))
        for operation in use.operations:
            self.run(traced, operation)
        return self.value(traced, use.outputs)

    def run(self, traced: Traced, operation: Operation) -> None:
        arguments = self.value(traced, operation.arguments)
        keywords = self.value(traced, dict(operation.keywords))
        if operation.target == "module":
            result = self.called(traced, operation, arguments, keywords)
        else:
            result = resolved(operation.target)(*arguments, **keywords)
            if operation.target == "operator.setitem":
                result = arguments[0]
        bind(operation.results, result, self.values)

    def called(self, traced: Traced, operation: Operation, arguments: Any, keywords: Any) -> Any:
        child = traced.children[operation.module]
        if child.is_leaf:
            return child.module(*arguments, **keywords)
        return self.module(child, [*flat(arguments), *flat(keywords)])

    def value(self, traced: Traced, recorded: Any) -> Any:
        match recorded:
            case Tensor():
                return self.values[recorded].clone()
            case Held():
                module = self.root.module if recorded.path.startswith("/") else traced.module
                path, _, name = recorded.path.lstrip("/").rpartition(".")
                return getattr(module.get_submodule(path), name)
            case Made():
                arguments = self.value(traced, recorded.arguments)
                keywords = self.value(traced, dict(recorded.keywords))
                keywords.pop("device", None)
                return resolved(recorded.how)(*arguments, **keywords)
            case Number():
                return evaluated(recorded.formula, self.values)
            case slice():
                return slice(*(self.value(traced, x) for x in (recorded.start, recorded.stop, recorded.step)))
            case tuple() | list():
                return type(recorded)(self.value(traced, item) for item in recorded)
            case dict():
                return {key: self.value(traced, item) for key, item in recorded.items()}
        return recorded


def flat(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [tensor for item in value for tensor in flat(item)] if isinstance(value, (tuple, list)) else []


def bind(recorded: Any, result: Any, values: dict[Tensor, Any]) -> None:
    if isinstance(recorded, Tensor):
        values[recorded] = result
    elif isinstance(recorded, dict):
        for (_, item), part in zip(recorded.items(), result.values() if isinstance(result, dict) else result):
            bind(item, part, values)
    elif isinstance(recorded, (tuple, list)):
        for item, part in zip(recorded, result, strict=True):
            bind(item, part, values)


def evaluated(formula: Any, values: dict[Tensor, Any]) -> Any:
    if isinstance(formula, Extent):
        return values[formula.tensor].shape[formula.dim]
    if isinstance(formula, Arithmetic):
        return FUNCTIONS[formula.sign](*(evaluated(operand, values) for operand in formula.operands))
    return formula


def resolved(name: str) -> Callable[..., Any]:
    path, _, last = name.rpartition(".")
    if path == "torch.Tensor":
        member = getattr(torch.Tensor, last)
        return member if callable(member) else member.__get__
    return getattr(importlib.import_module(path), last)


def operations(traced: Traced) -> list[str]:
    """The targets of the first use, modules by their paths."""
    return [one.module or one.target for one in traced.uses[0].operations]


def state(module: nn.Module) -> Any:
    """All that a trace must leave alone."""
    return (
        [
            (name, id(tensor), tensor._version, tensor.clone())
            for name, tensor in module.state_dict(keep_vars=True).items()
        ],
        [(path, inside.training, sorted(vars(inside))) for path, inside in module.named_modules()],
        [parameter.grad for parameter in module.parameters()],
    )


__all__ = ["Replay", "Use", "operations", "state"]
