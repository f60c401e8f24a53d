"""Every layer with every argument, one at a time: at its default, at null, at 0, at 1, below, at its extremes and past.

Each case is a spec of one layer. What torch makes of the same layer is found by calling it: the oracle knows
nothing of our rules.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import nn

from cnndsl.layers import Layer
from cnndsl.layers.kinds import Boolean, Choice, Integer, Kind, Listing, Never, Null, Number, PerAxis, Union

#: The largest number of float32; the smallest above 0 is about 1.4e-45.
LARGEST = torch.finfo(torch.float32).max
INTEGERS = [0, 1, -1, 2, 3, 2**31, 2**53]
FLOATS = [0.0, 1.0, -1.0, 0.5, 1.5, 1e-50, LARGEST, -LARGEST, 1e39, -1e300]
OTHERS = [None, True, False, "other"]
#: More elements than these are not computed: only shapes are.
MOST = 10**6
#: Sizes of the batches that an accepted layer takes, in evaluation and in training.
EVALUATED, TRAINED = (1, 2), (2,)


@dataclass(frozen=True)
class Case:
    """One layer with arguments on samples of a shape. ``positional``: the arguments are a list."""

    layer: type[Layer]
    sample: tuple[int, ...]
    given: tuple[tuple[str, Any], ...]
    positional: bool = False

    @property
    def name(self) -> str:
        return self.layer.__name__

    @property
    def step(self) -> dict[str, Any]:
        values: Any = [value for _, value in self.given] if self.positional else dict(self.given)
        return {self.name: values}

    @property
    def spec(self) -> str:
        return f"input: {json.dumps(self.sample)}\nnetwork:\n  - {json.dumps(self.step)}\n"

    def __str__(self) -> str:
        return f"{list(self.sample)} {json.dumps(self.step)}"


# --- cases ---------------------------------------------------------------------------------------


def cases(layer: type[Layer]) -> Iterator[Case]:
    """All cases of a layer."""
    for sample in samples(layer):
        base = example(layer, sample)
        yield Case(layer, sample, tuple(base.items()))
        for name, argument in layer.arguments.items():
            for value in values(argument.kind, layer.dims or 0):
                given = base | {name: value}
                yield Case(layer, sample, tuple(given.items()))
                if listed := by_position(layer, given, name):
                    yield Case(layer, sample, listed, positional=True)


def samples(layer: type[Layer]) -> Iterator[tuple[int, ...]]:
    """Shapes of samples, down to a single value, for each number of dimensions that the layer takes."""
    usual = layer.ranks or ((layer.dims + 2,) if layer.dims else (2, 3, 4, 5))
    for rank in usual[:4]:
        axes = rank - 2
        for channels, size in ((4, 5), (8, 4), (4, 2), (4, 1), (1, 5), (1, 1)):
            sample = (channels, *[size] * axes)
            if axes or size == 1 or channels == 8:
                yield sample


def example(layer: type[Layer], sample: tuple[int, ...]) -> dict[str, Any]:
    """Arguments that the layer needs, made to fit the sample where the example of the docs does not."""
    fitting = {
        "Permute": {"dims": [0, *range(len(sample), 0, -1)]},
        "Reshape": {"shape": [-1]},
        "Unflatten": {"dim": 1, "unflattened_size": [-1, 1]},
        "Slice": {"start": 0, "stop": 1},
        "GroupNorm": {"num_groups": 1},
        "LocalResponseNorm": {"size": 3},
        "DropBlock2d": {"p": 0.1, "block_size": 1},
        "DropBlock3d": {"p": 0.1, "block_size": 1},
        "PixelShuffle": {"upscale_factor": 1},
        "PixelUnshuffle": {"downscale_factor": 1},
        "ChannelShuffle": {"groups": 1},
    }
    chosen = fitting.get(layer.__name__, layer.example)
    return {name: 1 if name == "kernel_size" else value for name, value in chosen.items()}


def values(kind: Kind[Any], dims: int) -> list[Any]:
    """Values of a kind and near it, those of other types included."""
    found = [*OTHERS, *INTEGERS, *FLOATS, *choices(kind)]
    found += [[item] * count for count in range(2 * dims + 2) for item in (0, 1, -1, 2, 0.5)]
    found += [[None, *[1] * (count - 1)] for count in range(1, dims + 1)]
    return found


def choices(kind: Kind[Any]) -> list[str]:
    match kind:
        case Choice():
            return [*kind.choices]
        case Union():
            return [choice for alternative in kind.alternatives for choice in choices(alternative)]
        case PerAxis() | Listing():
            return choices(kind.item)
    return []


def by_position(layer: type[Layer], given: dict[str, Any], last: str) -> tuple[tuple[str, Any], ...]:
    """The arguments up to ``last`` as a list, defaults filled in; nothing where it cannot be one."""
    names = layer.positional()
    if last not in names or not given.keys() <= {*names[: names.index(last) + 1]} or layer.takes_list():
        return ()
    listed = {name: given.get(name, layer.arguments[name].default) for name in names[: names.index(last) + 1]}
    return tuple(listed.items())


# --- torch -----------------------------------------------------------------------------------------


@cache
def torch_class(layer: type[Layer]) -> type[nn.Module]:
    """The class that the emitted source would call."""
    namespace: dict[str, Any] = {"torch": torch, "nn": nn}
    exec(layer.definition or layer.imports, namespace)
    found: type[nn.Module] = eval(layer.constructor, namespace)
    return found


def refusal(case: Case, inferred: dict[str, Any]) -> str:
    """What torch says against a case: its constructor, or one of its forward passes; "" for nothing."""
    arguments = {name: tuple(v) if isinstance(v, list) else v for name, v in (inferred | dict(case.given)).items()}
    try:
        with warnings.catch_warnings(), torch.device("meta" if huge(arguments, case.sample) else "cpu"):
            warnings.simplefilter("ignore")
            module = torch_class(case.layer)(**arguments)
            run(module, case.sample)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def huge(arguments: dict[str, Any], sample: tuple[int, ...]) -> bool:
    """Whether an argument is an integer that could make a tensor too large to compute."""
    items = [item for value in arguments.values() for item in (value if isinstance(value, tuple) else (value,))]
    return any(type(item) in (int, float) and 1000 < item <= 2**53 for item in items)


def run(module: nn.Module, sample: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of what the module gives of one sample. It is run in both modes, forward and back."""
    for batch in TRAINED:
        x = torch.randn(batch, *sample).requires_grad_()
        out = module.train()(x * 1)
        if out.requires_grad:
            out.sum().backward()
    shapes = {tuple(module.eval()(torch.randn(batch, *sample)).shape[1:]) for batch in EVALUATED}
    (shape,) = shapes
    assert shape == tuple(out.shape[1:])
    return shape


# --- refusals --------------------------------------------------------------------------------------


def of_type(kind: Kind[Any], value: Any) -> bool:
    """Whether a value is of a type that torch's signature names for the argument, whatever its size."""
    match kind:
        case Number():
            return type(value) in (int, float)
        case Integer():
            return type(value) is int
        case Boolean() | Never():
            return type(value) is bool
        case Choice():
            return isinstance(value, str)
        case Null():
            return value is None
        case Listing():
            return isinstance(value, list) and all(of_type(kind.item, item) for item in value)
        case PerAxis():
            items = value if isinstance(value, list) else [value]
            return all(of_type(kind.item, item) or (item is not value and of_type(kind.entry, item)) for item in items)
        case Union():
            return any(of_type(alternative, value) for alternative in kind.alternatives)
    raise NotImplementedError(type(kind))
