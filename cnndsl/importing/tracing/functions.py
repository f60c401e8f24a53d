"""The canonical names of torch's functions, and what is known of some of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import torch

from cnndsl.importing.recorded import Made, Operation

#: Where functions are looked up; the first that has a function names it.
NAMESPACES = {
    "torch.Tensor": torch.Tensor,
    "torch.nn.functional": torch.nn.functional,
    "torch": torch,
    "torch.special": torch.special,
    "torch.linalg": torch.linalg,
    "torch.fft": torch.fft,
}
#: What reads the values of a tensor, or gives a shape that depends on them.
VALUES = {
    "item", "tolist", "numpy", "__array__", "__bool__", "__int__", "__float__", "__index__", "__complex__",
    "__contains__", "equal", "allclose", "is_nonzero", "nonzero", "argwhere", "masked_select", "unique",
    "unique_consecutive", "bincount",
}  # fmt: skip
#: Operators for which torch has no function of the same name. It calls the first ones with their operands exchanged.
REFLECTED = {
    "__rsub__": "sub", "__rdiv__": "truediv", "__rtruediv__": "truediv", "__rpow__": "pow", "__rmatmul__": "matmul",
    "__rfloordiv__": "floordiv", "__rmod__": "mod",
}  # fmt: skip
#: What draws random numbers, but for dropout.
RANDOM = {
    "bernoulli", "bernoulli_", "exponential_", "multinomial", "normal", "normal_", "poisson", "rand", "rand_like",
    "randint", "randint_like", "randn", "randn_like", "randperm", "rrelu", "uniform_",
}  # fmt: skip
OPERATORS = {"__getitem__": "getitem", "__setitem__": "setitem"}


@cache
def _names() -> dict[Any, str]:
    found: dict[Any, str] = {}
    for prefix, namespace in NAMESPACES.items():
        for name in dir(namespace):
            value = getattr(namespace, name, None)
            if callable(value) and not isinstance(value, type):
                found.setdefault(value, f"{prefix}.{name}")
    return found


def canonical(function: Any) -> str:
    """ "torch.Tensor.add", "torch.nn.functional.relu"; a property is named as a method: "torch.Tensor.shape"."""
    owner = getattr(function, "__self__", None)
    if getattr(function, "__name__", "") in ("__get__", "__set__") and hasattr(owner, "__objclass__"):
        return f"torch.Tensor.{owner.__name__}"  # type: ignore[union-attr]
    try:
        known = _names().get(function)
    except TypeError:
        known = None
    if known:
        return known
    module = getattr(function, "__module__", None) or "torch.Tensor"
    return f"{module}.{getattr(function, '__name__', type(function).__name__)}"


def last(name: str) -> str:
    return name.rpartition(".")[2]


def drawing(operation: Operation) -> str:
    """The function that draws the random numbers of an operation, or those that it takes; "" if there are none."""
    made = [value for value in (*operation.arguments, *operation.keywords.values()) if isinstance(value, Made)]
    return next((last(name) for name in (operation.target, *_makers(made)) if last(name) in RANDOM), "")


def _makers(made: Iterable[Any]) -> Iterator[str]:
    for value in made:
        if isinstance(value, Made):
            yield value.how
            yield from _makers(value.arguments)


def needs_values(name: str, args: tuple[Any, ...]) -> bool:
    method = last(name)
    if method == "__getitem__":
        keys = args[1] if isinstance(args[1], tuple) else (args[1],)
        return any(isinstance(key, torch.Tensor) and key.dtype in (torch.bool, torch.uint8) for key in keys)
    return method in VALUES or (name == "torch.where" and len(args) == 1)


def recorded_name(name: str, arguments: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """The name and arguments with which a call is recorded."""
    method = last(name)
    if method in REFLECTED:
        return f"operator.{REFLECTED[method]}", (arguments[1], arguments[0])
    return (f"operator.{OPERATORS[method]}" if method in OPERATORS else name), arguments
