"""Calls of functions of torch are recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch.overrides import TorchFunctionMode

from cnndsl.diagnostics import Code
from cnndsl.importing.recorded import Extent, Held, Made, Operation, Place, Tensor
from cnndsl.importing.tracing import numbers
from cnndsl.importing.tracing.beside import tell_read
from cnndsl.importing.tracing.effects import NeedsValues, apart, followed
from cnndsl.importing.tracing.functions import canonical, last, needs_values, recorded_name
from cnndsl.importing.tracing.nested import tensors
from cnndsl.importing.tracing.run import Run

Args: TypeAlias = tuple[Any, ...]
Keywords: TypeAlias = dict[str, Any]


class Functions(TorchFunctionMode):
    """Torch tells a mode of all calls of functions, methods and properties, and does not call it meanwhile."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run

    def __torch_function__(self, function: Any, types: Any, args: Args = (), kwargs: Keywords | None = None) -> Any:
        kwargs = kwargs or {}
        if not self.run.is_watched:
            return function(*args, **kwargs)
        name = canonical(function)
        sizes = SIZES.get(name)
        if sizes is not None and args and (tensor := self.run.tensor(args[0])) is not None:
            return sizes(tensor, *args[1:], **kwargs)
        return self.function(function, name, args, kwargs)

    def whole(self, function: Any, name: str, args: Args, kwargs: Keywords) -> Any:
        """A function that torch does not tell us of, as one operation, whatever is inside."""
        if not self.run.is_watched:
            return function(*args, **kwargs)
        with torch._C.DisableTorchFunction():
            return self.function(function, name, args, kwargs)

    def function(self, function: Any, name: str, args: Args, kwargs: Keywords) -> Any:
        taken = tensors((args, kwargs))
        if needs_values(name, args):
            self._check_values(name, taken)
        sources: Any = None
        if taken:
            place = self.run.place()
            sources = self.run.recorded((args, kwargs), place, _replaced(name, args))
        result, changed = followed(self.run, function, args, kwargs)
        if not changed and not tensors(result):
            return result
        if sources is None:
            place = self.run.place()
            sources = self.run.recorded((args, kwargs), place)
        result = apart(result, taken, changed)
        if any(self.run.tensor(tensor) is not None for tensor in taken):
            self._operation(name, sources, changed, result, place)
        else:
            for tensor in (*changed, *tensors(result)):
                if id(tensor) not in self.run.holders:
                    self.run.new(tensor, Made(tuple(tensor.shape), name, place, *sources))
        return result

    def _operation(self, name: str, sources: Any, changed: list[torch.Tensor], result: Any, place: Place) -> None:
        for tensor in changed:
            if id(tensor) in self.run.holders:
                self.run.refuse(
                    Code.STATE, f"`{last(name)}` changes a parameter or buffer while the network runs", place
                )
        for tensor in (*changed, *tensors(result)):
            self.run.new(tensor, Tensor(tuple(tensor.shape)))
        given = changed[0] if result is None else result
        target, arguments = recorded_name(name, sources[0])
        outputs = self.run.recorded(given, place)
        self.run.stack[-1].operations.append(Operation(target, "", arguments, sources[1], outputs, place))

    def _check_values(self, name: str, taken: list[torch.Tensor]) -> None:
        place = self.run.place()
        for tensor in taken:
            what = self.run.what(tensor, place)
            if isinstance(what, Tensor) or (isinstance(what, Held) and what.is_parameter):
                message = VALUES.get(last(name), f"`{last(name)}` depends on the values of a tensor")
                self.run.stop(Code.VALUES, message, place)
            if tensor.is_meta:
                raise NeedsValues(name)
            tell_read(self.run, what, place)


#: What functions that need values say, if not their name.
VALUES = {
    "__bool__": "the path depends on the values of a tensor",
    "__index__": "a size depends on the values of a tensor",
    "__getitem__": "a shape depends on the values of a mask",
}


def _replaced(name: str, args: Args) -> torch.Tensor | None:
    """The part of a tensor that is written as a whole, so that it does not matter who changed it before."""
    if last(name) != "__setitem__":
        return None
    part = args[0][args[1]]
    return part if isinstance(part, torch.Tensor) and part._base is not None else None


def _shape(tensor: Tensor) -> torch.Size:
    return torch.Size([numbers.whole(size, Extent(tensor, dim)) for dim, size in enumerate(tensor.shape)])


def _size(tensor: Tensor, dim: int | None = None) -> Any:
    return _shape(tensor) if dim is None else _shape(tensor)[dim]


def _numel(tensor: Tensor) -> int:
    return numbers.product(_shape(tensor)) if tensor.shape else 1


def _length(tensor: Tensor) -> int:
    return numbers.made_plain(tensor.shape[0], Extent(tensor, 0))  # type: ignore[no-any-return]


#: What gives sizes.
SIZES: dict[str, Callable[..., Any]] = {
    "torch.Tensor.shape": _shape, "torch.Tensor.size": _size, "torch.Tensor.numel": _numel,
    "torch.Tensor.nelement": _numel, "torch.numel": _numel, "torch.Tensor.__len__": _length,
}  # fmt: skip
