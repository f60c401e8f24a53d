"""Watches a module while it runs: calls of torch's functions, and calls of modules."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from types import FrameType
from typing import Any

import msgspec
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from cnndsl.diagnostics import Code
from cnndsl.importing.recorded import Extent, Held, Made, Operation, Place, Refusal, Tensor, Unspeakable, Use
from cnndsl.importing.tracing import numbers
from cnndsl.importing.tracing.functions import VALUES, canonical, last
from cnndsl.importing.tracing.modules import Modules, holders
from cnndsl.importing.tracing.places import place_of, user_frame

#: Operators that torch calls with the operands exchanged.
REFLECTED = {
    "__rsub__": "sub", "__rdiv__": "truediv", "__rtruediv__": "truediv", "__rpow__": "pow", "__rmatmul__": "matmul",
    "__rfloordiv__": "floordiv", "__rmod__": "mod",
}  # fmt: skip
OPERATORS = {"__getitem__": "getitem", "__setitem__": "setitem"}


class NeedsValues(Exception):
    """A tensor that comes from no input must have its values."""


class Known:
    """What is known of a tensor of the run, which is kept so that its id stays its own."""

    __slots__ = ("tensor", "version", "what")

    def __init__(self, tensor: torch.Tensor, what: Tensor | Made) -> None:
        self.tensor = tensor
        self.what = what
        self.version = tensor._version


class Running:
    """A run of a module's ``forward`` that has not ended."""

    def __init__(self, module: nn.Module, inputs: Mapping[str, Tensor]) -> None:
        self.module = module
        self.inputs = inputs
        self.operations: list[Operation] = []


class Recorder(TorchFunctionMode):
    """Records what a network does. ``uses`` has the runs of each module, in the order in which they began."""

    def __init__(self, modules: Modules, refusals: list[Refusal]) -> None:
        super().__init__()
        self.modules = modules
        self.refusals = refusals
        self.holders = holders(modules.root)
        self.uses: dict[nn.Module, list[Use | None]] = {}
        self.called: dict[nn.Module, dict[str, nn.Module]] = {}
        self._known: dict[int, Known] = {}
        self._stack: list[Running] = []
        self._silent = False
        self._thread = threading.get_ident()
        self.is_meta = any(tensor.is_meta for tensor in modules.root.parameters())

    # Tensors

    def new(self, tensor: torch.Tensor, what: Tensor | Made) -> Tensor | Made:
        self._known[id(tensor)] = Known(tensor, what)
        return what

    def what(self, tensor: torch.Tensor, place: Place) -> Tensor | Made | Held:
        """What a tensor is. Raises Unspeakable for one that was changed through another that shares its memory."""
        known = self._known.get(id(tensor))
        if known is not None:
            if known.version != tensor._version:
                self.stop(Code.OPERATION, "a tensor is read that was changed in place through another view of it", place)
            return known.what
        held = self.holders.get(id(tensor))
        if held is not None:
            module, name, is_parameter = held
            path = self._held_path(module, name)
            return Held(path, tuple(tensor.shape), is_parameter)
        return self.new(tensor, Made(tuple(tensor.shape), "constant", place))

    def _held_path(self, module: nn.Module, name: str) -> str:
        caller = self._stack[-1].module
        if module is caller:
            return name
        return f"{self.modules.relative(caller, module)}.{name}"

    def recorded(self, value: Any, place: Place) -> Any:
        """A value of the run as data."""
        match value:
            case torch.Tensor():
                return self.what(value, place)
            case numbers.Whole() | numbers.Real():
                return numbers.number(value)
            case tuple():
                return tuple(self.recorded(item, place) for item in value)
            case list():
                return [self.recorded(item, place) for item in value]
            case dict():
                return {key: self.recorded(item, place) for key, item in value.items()}
            case slice():
                return slice(*(self.recorded(part, place) for part in (value.start, value.stop, value.step)))
            case _ if hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
                return {name: self.recorded(getattr(value, name), place) for name in value.__dataclass_fields__}
        return value

    def stop(self, code: Code, message: str, place: Place, help: str = "") -> None:
        self.refuse(code, message, place, help)
        raise Unspeakable(self.refusals)

    def refuse(self, code: Code, message: str, place: Place | None, help: str = "") -> None:
        module = self._stack[-1].module if self._stack else self.modules.root
        path = self.modules.paths[module][0]
        self.refusals.append(Refusal(code, message, place, help, path, type(module).__name__))

    # Functions

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if self._silent or not self._stack or threading.get_ident() != self._thread:
            return function(*args, **kwargs)
        name = canonical(function)
        if name.startswith("torch.Tensor."):
            sizes = SIZES.get(name)
            if sizes is not None and args and (known := self._known.get(id(args[0]))):
                if isinstance(known.what, Tensor):
                    return sizes(known.what, *args[1:], **kwargs)
                return function(*args, **kwargs)
        return self._function(function, name, args, kwargs)

    def _function(self, function: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        tensors = list(_tensors((args, kwargs)))
        self._check_values(name, tensors, args)
        versions = [tensor._version for tensor in tensors]
        sources: Any = None
        place: Any = None
        if tensors:
            place = self._place()
            sources = self.recorded((args, kwargs), place)
        result = function(*self._on_one_device(args, tensors), **self._on_one_device(kwargs, tensors))
        changed = [tensor for tensor, version in zip(tensors, versions) if tensor._version != version]
        if not changed and not any(True for _ in _tensors(result)):
            return result
        place = place or self._place()
        arguments, keywords = sources or self.recorded((args, kwargs), place)
        return self._operation(name, (arguments, keywords), tensors, changed, result, place)

    def _operation(self, name: str, sources: Any, taken: list[Any], changed: list[Any], result: Any, place: Place) -> Any:
        arguments, keywords = sources
        tracked = any(isinstance(self._what(tensor), Tensor) for tensor in taken)
        result = self._apart(result, taken, changed)
        made: Callable[[torch.Tensor], Tensor | Made]
        if tracked:
            made = lambda tensor: Tensor(tuple(tensor.shape))  # noqa: E731
        else:
            made = lambda tensor: Made(tuple(tensor.shape), name, place, arguments, keywords)  # noqa: E731
        for tensor in changed:
            if id(tensor) in self.holders and tracked:
                self.refuse(Code.STATE, f"`{last(name)}` changes a parameter or buffer while the network runs", place)
        if not tracked:
            changed = [tensor for tensor in changed if id(tensor) not in self.holders]
        for tensor in (*changed, *_tensors(result)):
            if tracked or id(tensor) not in self.holders:
                self.new(tensor, made(tensor))
        if tracked:
            given = self.recorded(result, place)
            if result is None:
                outputs = tuple(self._known[id(tensor)].what for tensor in changed)
                given = outputs[0] if len(outputs) == 1 else outputs
            target, arguments = _named(name, arguments)
            self._stack[-1].operations.append(Operation(target, "", arguments, keywords, given, place))
        return result

    def _what(self, tensor: torch.Tensor) -> Tensor | Made | None:
        known = self._known.get(id(tensor))
        return known.what if known else None

    def _apart(self, result: Any, taken: list[Any], changed: list[Any]) -> Any:
        """A tensor that was returned as it came becomes another Python object, because it means something else."""
        same = {id(tensor) for tensor in taken} - {id(tensor) for tensor in changed}
        return _mapped(result, lambda tensor: torch.ops.aten.alias(tensor) if id(tensor) in same else tensor)

    def _on_one_device(self, value: Any, tensors: list[Any]) -> Any:
        """Constants have values, what is computed from inputs has not; torch wants both on one device."""
        if not self.is_meta or not any(t.is_meta for t in tensors) or all(t.is_meta for t in tensors):
            return value
        return _mapped(value, lambda tensor: tensor if tensor.is_meta else self._meta(tensor))

    def _meta(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to("meta")

    def _check_values(self, name: str, tensors: list[Any], args: tuple[Any, ...]) -> None:
        if not _reads_values(name, args):
            return
        place = self._place()
        for tensor in tensors:
            what = self.what(tensor, place)
            if isinstance(what, Tensor) or (isinstance(what, Held) and what.is_parameter):
                self.stop(Code.VALUES, _VALUES_MESSAGES.get(last(name), f"`{last(name)}` reads the values of a tensor"), place)
            if tensor.is_meta:
                raise NeedsValues(name)

    def _place(self) -> Place:
        frame = user_frame()
        assert frame
        self._name(frame)
        return place_of(frame)

    def _name(self, frame: FrameType) -> None:
        """Tensors are called after the variables that hold them."""
        for name, value in frame.f_locals.items():
            if type(value) is torch.Tensor and (known := self._known.get(id(value))):
                if isinstance(known.what, Tensor) and not known.what.name and known.version == value._version:
                    # The variable is only seen at the next operation, when others already hold the record.
                    msgspec.structs.force_setattr(known.what, "name", name)

    # Modules

    def call(self, original: Any, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        unknown = module not in self.modules.paths or type(module).__module__ == "torch.nn.utils.parametrize"
        if self._silent or threading.get_ident() != self._thread or unknown:
            return original(module, *args, **kwargs)
        if not self._stack:
            return self._run(original, module, args, kwargs)[0]
        with torch._C.DisableTorchFunction():
            place = self._place()
            sources = self.recorded((args, kwargs), place)
        run = self._layer if module in self.modules.leaves else self._run
        result, changed = run(original, module, args, kwargs)
        with torch._C.DisableTorchFunction():
            return self._called(module, sources, result, changed, (args, kwargs), place)

    def _called(self, module: nn.Module, sources: Any, result: Any, changed: list[Any], given: Any, place: Place) -> Any:
        caller = self._stack[-1]
        path = self.modules.relative(caller.module, module)
        self.called.setdefault(caller.module, {})[path] = module
        result = self._apart(result, list(_tensors(given)), changed)
        for tensor in _tensors(result):
            if module in self.modules.leaves or id(tensor) not in self._known:
                self.new(tensor, Tensor(tuple(tensor.shape)))
        arguments, keywords = sources
        outputs = self.recorded(result, place)
        caller.operations.append(Operation("module", path, arguments, keywords, outputs, place))
        return result

    def _layer(self, original: Any, module: nn.Module, args: Any, kwargs: Any) -> tuple[Any, list[Any]]:
        self.uses.setdefault(module, [])
        tensors = list(_tensors((args, kwargs)))
        self._silent = True
        try:
            with torch._C.DisableTorchFunction():
                versions = [tensor._version for tensor in tensors]
                result = original(module, *self._on_one_device(args, tensors), **self._on_one_device(kwargs, tensors))
                changed = [tensor for tensor, version in zip(tensors, versions) if tensor._version != version]
                for tensor in changed:
                    self.new(tensor, Tensor(tuple(tensor.shape)))
        finally:
            self._silent = False
        return result, changed

    def _run(self, original: Any, module: nn.Module, args: Any, kwargs: Any) -> tuple[Any, list[Any]]:
        with torch._C.DisableTorchFunction():
            running = Running(module, self._inputs(module, args, kwargs))
        if any(running.module is module for running in self._stack):
            self.stop(Code.OPERATION, "a module calls itself", self._place())
        uses = self.uses.setdefault(module, [])
        uses.append(None)
        index = len(uses) - 1
        self._stack.append(running)
        tensors = list(_tensors((args, kwargs)))
        with torch._C.DisableTorchFunction():
            versions = [tensor._version for tensor in tensors]
        result = original(module, *args, **kwargs)
        with torch._C.DisableTorchFunction():
            outputs = self.recorded(result, self._place())
            changed = [tensor for tensor, version in zip(tensors, versions) if tensor._version != version]
        self._stack.pop()
        uses[index] = Use(running.inputs, tuple(running.operations), outputs)
        return result, changed

    def _inputs(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for name, value in _bound(module, args, kwargs):
            for path, tensor in _leaves(value, name):
                known = self._known.get(id(tensor))
                if known is not None and isinstance(known.what, Tensor):
                    found[path] = known.what
        return found


_VALUES_MESSAGES = {
    "__bool__": "the path depends on the values of a tensor",
    "__index__": "a size depends on the values of a tensor",
    "__getitem__": "a shape depends on the values of a mask",
}


def _reads_values(name: str, args: tuple[Any, ...]) -> bool:
    method = last(name)
    if method == "__getitem__":
        keys = args[1] if isinstance(args[1], tuple) else (args[1],)
        return any(isinstance(key, torch.Tensor) and key.dtype in (torch.bool, torch.uint8) for key in keys)
    return method in VALUES or (name == "torch.where" and len(args) == 1)


def _named(name: str, arguments: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    method = last(name)
    if method in REFLECTED:
        return f"operator.{REFLECTED[method]}", (arguments[1], arguments[0])
    return (f"operator.{OPERATORS[method]}" if method in OPERATORS else name), arguments


def _shape(tensor: Tensor) -> torch.Size:
    return torch.Size([numbers.whole(size, Extent(tensor, dim)) for dim, size in enumerate(tensor.shape)])


def _size(tensor: Tensor, dim: int | None = None) -> Any:
    return _shape(tensor) if dim is None else _shape(tensor)[dim]


def _numel(tensor: Tensor) -> int:
    return numbers.product(_shape(tensor)) if tensor.shape else 1


#: What gives sizes.
SIZES: dict[str, Callable[..., Any]] = {
    "torch.Tensor.shape": _shape, "torch.Tensor.size": _size, "torch.Tensor.numel": _numel,
    "torch.Tensor.nelement": _numel,
}  # fmt: skip


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _tensors(item)
    elif hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        for name in value.__dataclass_fields__:
            yield from _tensors(getattr(value, name))


def _mapped(value: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """The same value if nothing in it changes."""
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, (tuple, list)):
        items = [_mapped(item, change) for item in value]
        if all(new is old for new, old in zip(items, value)):
            return value
        if hasattr(value, "_fields"):
            return type(value)(*items)
        return type(value)(items)
    if isinstance(value, dict):
        changed = {key: _mapped(item, change) for key, item in value.items()}
        if all(changed[key] is value[key] for key in value):
            return value
        copy = value.copy()
        copy.update(changed)
        return copy
    return value


def _leaves(value: Any, path: str) -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(value, torch.Tensor):
        yield path, value
    elif isinstance(value, (tuple, list)):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}.{index}")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}")


def _bound(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[tuple[str, Any]]:
    """Values by the names of the arguments of ``forward``; those of ``*args`` are ``args.0`` and on."""
    names = _argument_names(getattr(module.forward, "__func__", module.forward))
    named = [(names[i] if i < len(names) else f"args.{i - len(names)}", value) for i, value in enumerate(args)]
    return [*named, *kwargs.items()]


@cache
def _argument_names(forward: Any) -> list[str]:
    parameters = list(inspect.signature(forward).parameters.values())
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return names[1:] if inspect.isfunction(forward) and names[:1] == ["self"] else names


@contextmanager
def watching(recorder: Recorder) -> Iterator[None]:
    """Calls of modules go through the recorder, for the time of a run."""
    original = nn.Module.__call__

    def call(module: nn.Module, /, *args: Any, **kwargs: Any) -> Any:
        return recorder.call(original, module, args, kwargs)

    nn.Module.__call__ = call  # type: ignore[method-assign]
    try:
        with recorder:
            yield
    finally:
        nn.Module.__call__ = original  # type: ignore[method-assign]
