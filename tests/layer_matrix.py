"""Every layer with every argument, one at a time: at its default, at null, at 0, at 1, below, at its extremes and past.

Each case is a spec of one layer, with its arguments by name and by position. What torch makes of the same layer is
found by calling it: this oracle knows nothing of our rules.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, NamedTuple

import torch
from emitting import torch_class
from torch import nn

from cnndsl.diagnostics import Code, Diagnostic
from cnndsl.layers import Layer, Shape
from cnndsl.layers.kinds import (
    MAX_SIZE,
    Boolean,
    Choice,
    Earlier,
    Integer,
    Kind,
    Listing,
    Never,
    Null,
    Number,
    PerAxis,
    Union,
)

#: The largest number of float32; the smallest above 0 is about 1.4e-45.
LARGEST = torch.finfo(torch.float32).max
ANY = [None, True, False, "other", 0, 1, -1, 1.5]
INTEGERS = [2, 3, MAX_SIZE, MAX_SIZE + 1]
FLOATS = [0.0, -0.5, 0.5, 1.0, 1e-50, LARGEST, -LARGEST, 1e39, -1e300]
ORDERS = [[-1, 1], [1, -1], [2, -1], [-1, 0], [0, 2, 1], [0, -1, 1], [0, 3, 2, 1], [1, 0, 2], [0, 1, 1]]
#: Tensors of more elements are not computed: torch is asked for their shapes only.
MOST = 10**6
#: Integers past this may make such tensors.
LARGE = 64
#: Sizes of the batches that an accepted layer takes in evaluation; in training a batch norm needs two.
EVALUATED, TRAINED = (1, 2), 2


@dataclass(frozen=True)
class Case:
    """One layer with arguments on samples of a shape. ``positional``: the arguments are a list."""

    layer: type[Layer]
    sample: tuple[int, ...]
    given: dict[str, Any]
    positional: bool = False

    @property
    def name(self) -> str:
        return self.layer.__name__

    @property
    def spec(self) -> str:
        values = [*self.given.values()] if self.positional else self.given
        return f"input: {json.dumps(self.sample)}\nnetwork:\n  - {json.dumps({self.name: values})}\n"

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """What torch's class is called with."""
        unread = {name for name in self.layer.reads if self.given.get(name) is None}  # which torch does not know
        return self.told | {name: _tuple(value) for name, value in self.given.items() if name not in unread}

    @cached_property
    def told(self) -> dict[str, Any]:
        """The arguments that are inferred."""
        x = Shape((1, *self.sample))
        return {name: arg.infer(self.layer, x) for name, arg in self.layer.arguments.items() if arg.infer}

    @property
    def items(self) -> list[Any]:
        """The arguments, those in lists one by one."""
        values = self.arguments.values()
        return [item for value in values for item in (value if isinstance(value, tuple) else (value,))]

    def __str__(self) -> str:
        return " ".join(self.spec.split())


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


# --- cases ---------------------------------------------------------------------------------------


def cases(layer: type[Layer]) -> Iterator[Case]:
    """All cases of a layer."""
    for sample in samples(layer):
        base = example(layer, sample)
        yield Case(layer, sample, base)
        for name, argument in layer.arguments.items():
            for value in values(argument.kind, layer.dims or 0):
                given = base | {name: value}
                yield Case(layer, sample, given)
                if listed := by_position(layer, given, name):
                    yield Case(layer, sample, listed, positional=True)


def one_of_each(all_cases: Iterable[Case]) -> Iterator[Case]:
    """One case of each set of arguments: a later one of those that share it as the sets go on."""
    by_value: dict[str, list[Case]] = {}
    for case in all_cases:
        by_value.setdefault(json.dumps([*case.given.items()][-1:]), []).append(case)
    for index, alike in enumerate(by_value.values()):
        yield alike[index % len(alike)]


def samples(layer: type[Layer]) -> Iterator[tuple[int, ...]]:
    """Shapes of samples, down to a single value, for each number of dimensions that the layer takes."""
    ranks = layer.ranks or ((layer.dims + 2,) if layer.dims else (2, 3, 4, 5))
    for rank in ranks[:4]:
        axes = rank - 2
        shapes = ((channels, *[size] * axes) for channels, size in ((4, 5), (8, 2), (4, 1), (1, 1)))
        yield from dict.fromkeys(shapes)


def example(layer: type[Layer], sample: tuple[int, ...]) -> dict[str, Any]:
    """The arguments that the layer needs, such as fit any sample."""
    fitting: dict[str, dict[str, Any]] = {
        "Permute": {"dims": [0, *range(len(sample), 0, -1)]},
        "Reshape": {"shape": [-1]},
        "Unflatten": {"dim": 1, "unflattened_size": [-1, 1]},
        "Slice": {"start": 0, "stop": 1},
        "GroupNorm": {"num_groups": 1},
        **{name: {"dim": 1, "keepdim": True} for name in ("Mean", "Sum", "Amax", "Norm")},
    }
    ones = ("kernel_size", "block_size", "upscale_factor", "downscale_factor", "groups")
    return fitting.get(layer.__name__) or {name: 1 if name in ones else v for name, v in layer.example.items()}


def values(kind: Kind[Any], dims: int) -> list[Any]:
    """Values of a kind and near it, one of each other type included."""
    found = [*ANY]
    for part in parts(kind):
        match part:
            case Integer():
                found += INTEGERS
            case Number():
                found += INTEGERS + FLOATS
            case Choice():
                found += part.choices
            case Listing() | PerAxis():
                found += [[item] * count for count in range(2 * (dims or 2) + 2) for item in (0, 1, -1, 2, 0.5)]
                found += [[None, *[1] * (count - 1)] for count in range(1, dims + 1)]
                found += ORDERS if dims == 0 else []
    return found if any(isinstance(value, list) for value in found) else [*found, [1]]


def parts(kind: Kind[Any]) -> Iterator[Kind[Any]]:
    """A kind and those that it is made of."""
    yield kind
    inner = {Union: "alternatives", PerAxis: "item", Listing: "item"}.get(type(kind))
    found = getattr(kind, inner) if inner else ()
    for part in found if isinstance(found, tuple) else (found,):
        yield from parts(part)


def by_position(layer: type[Layer], given: dict[str, Any], last: str) -> dict[str, Any]:
    """The arguments up to ``last`` in torch's order, defaults filled in; nothing where they cannot be a list."""
    names = layer.positional()
    listed = names[: names.index(last) + 1] if last in names else ()
    if not listed or not given.keys() <= {*listed} or layer.takes_list():
        return {}
    return {name: given.get(name, layer.arguments[name].default) for name in listed}


# --- torch -----------------------------------------------------------------------------------------


class Ran(NamedTuple):
    """What torch makes of a layer: the shapes of a sample that comes out and of the parameters, or its ``error``."""

    output: tuple[int, ...] = ()
    parameters: tuple[tuple[int, ...], ...] = ()
    error: str = ""
    #: Whether numbers were computed; where tensors are too large, only their shapes were.
    computed: bool = True


def ran(case: Case) -> Ran:
    """torch's class, called and run."""
    return attempt(lambda: torch_class(case.layer)(**case.arguments), case)


def attempt(make: Callable[[], nn.Module], case: Case) -> Ran:
    """What comes of a module, run in both modes, forward and back; of one that may be large, on the meta device
    first."""
    if any(type(item) in (int, float) and abs(item) > LARGE for item in case.items):
        found = _run(make, case.sample, "meta")
        if found.error or max(map(prod, (found.output, *found.parameters))) > MOST:
            return found._replace(computed=False)
    return _run(make, case.sample, "cpu")


def _run(make: Callable[[], nn.Module], sample: tuple[int, ...], device: str) -> Ran:
    try:
        with warnings.catch_warnings(), torch.device(device):
            warnings.simplefilter("ignore")
            module = make()
            out = module.train()(torch.randn(TRAINED, *sample).requires_grad_() * 1)
            if out.requires_grad:
                out.sum().backward()
            shapes = {out.shape[1:]}
            for batch in EVALUATED:
                shapes.add(module.eval()(torch.randn(batch, *sample)).shape[1:])
    except Exception as error:
        return Ran(error=f"{type(error).__name__}: {error}")
    if len(shapes) > 1:
        return Ran(error=f"a sample comes out otherwise in another batch: {shapes}")
    return Ran(tuple(out.shape[1:]), tuple(tuple(parameter.shape) for parameter in module.parameters()))


# --- what we refuse, and torch does not --------------------------------------------------------------


def of_type(kind: Kind[Any], value: Any) -> bool:
    """Whether a value is of a type that torch's signature names for the argument, whatever its size."""
    match kind:
        case Number():
            return type(value) in (int, float)
        case Integer():
            return type(value) is int
        case Boolean() | Never():
            return type(value) is bool
        case Choice() | Earlier():
            return isinstance(value, str)
        case Null():
            return value is None
        case Listing():
            return isinstance(value, list) and all(of_type(kind.item, item) for item in value)
        case PerAxis() if isinstance(value, list):
            return all(of_type(kind.entry, item) for item in value)
        case PerAxis():
            return of_type(kind.item, value)
        case Union():
            return any(of_type(alternative, value) for alternative in kind.alternatives)
    raise NotImplementedError(type(kind))


def _another_type(case: Case, fault: Diagnostic, torchs: Ran) -> bool:
    return not all(of_type(case.layer.arguments[name].kind, value) for name, value in case.given.items())


def _another_length(case: Case, fault: Diagnostic, torchs: Ran) -> bool:
    return fault.code is Code.TYPE and any(isinstance(value, list) for value in case.given.values())


def not_asked(case: Case, fault: Diagnostic) -> bool:
    """Whether torch is not asked about a refusal. What is inferred is not something else. A tensor past our limits
    would not fit in memory, and strides that are too large end the process: of sizes past int32, and of those that
    convolutions are not computed up to."""
    if fault.code in (Code.LIMIT, Code.SCALAR, Code.INFERRED) or "a stride of" in fault.message:
        return True
    if any(case.arguments[name] != told for name, told in case.told.items()):
        return True
    return any(type(item) is int and item > MAX_SIZE for item in case.items)


#: Why a layer is refused that torch takes. Whatever else is refused, torch must refuse too.
DECISIONS: dict[str, Callable[[Case, Diagnostic, Ran], bool]] = {
    "an argument has the type that torch's signature names: 1 is not true, 2.0 is not an integer": _another_type,
    "a list has an item for each axis": _another_length,
    "no layer touches the batch": lambda case, fault, torchs: "the batch" in fault.message,
    "what is too large to be computed is not known": lambda case, fault, torchs: not torchs.computed,
    "a sample keeps a dimension": lambda case, fault, torchs: not torchs.output,
    "no tensor is empty": lambda case, fault, torchs: 0 in (*torchs.output, *map(prod, torchs.parameters)),
}
