"""Watches a module while it runs: calls of torch's functions, and calls of modules."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping
from functools import cache
from types import FrameType
from typing import Any, NoReturn, TypeAlias

import msgspec
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook
from torch.overrides import TorchFunctionMode

from cnndsl.diagnostics import Code
from cnndsl.importing.recorded import Extent, Held, Made, Number, Operation, Place, Refusal, Tensor, Unspeakable, Use
from cnndsl.importing.tracing import numbers
from cnndsl.importing.tracing.functions import canonical, last, needs_values, recorded_name
from cnndsl.importing.tracing.memory import Changes
from cnndsl.importing.tracing.modules import Modules, holders
from cnndsl.importing.tracing.nested import mapped, named_tensors, parts, tensors
from cnndsl.importing.tracing.places import place_of, place_of_code, user_frame

Args: TypeAlias = tuple[Any, ...]
Keywords: TypeAlias = dict[str, Any]


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
    """A run of a module's ``forward`` that has not ended. ``seen`` are the tensors that it was given or has made."""

    def __init__(self, module: nn.Module, inputs: Mapping[str, Tensor]) -> None:
        self.module = module
        self.inputs = inputs
        self.operations: list[Operation] = []
        self.seen = set(inputs.values())


class Recorder(TorchFunctionMode):
    """Records what a network does. ``uses`` has the runs of each module, in the order in which they began, ``called``
    the modules that each module has called, ``lost`` the numbers of which Python has made plain ones."""

    def __init__(self, modules: Modules, refusals: list[Refusal], has_values: bool) -> None:
        super().__init__()
        self.modules = modules
        self.refusals = refusals
        self.has_values = has_values
        self.uses: dict[nn.Module, list[Use | None]] = {}
        self.called: dict[nn.Module, dict[str, nn.Module]] = {}
        self.lost: list[Number] = []
        self._holders = holders(modules.root)
        self._known: dict[int, Known] = {}
        self._changes = Changes()
        self._stack: list[Running] = []
        self._silent = False
        self._thread = threading.get_ident()

    @property
    def is_watching(self) -> bool:
        return bool(self._stack) and not self._silent and threading.get_ident() == self._thread

    # Refusals

    def stop(self, code: Code, message: str, place: Place | None, help: str = "") -> NoReturn:
        self.refuse(code, message, place, help)
        raise Unspeakable(self.refusals)

    def refuse(self, code: Code, message: str, place: Place | None, help: str = "") -> None:
        module = self._stack[-1].module if self._stack else self.modules.root
        path = self.modules.paths[module][0]
        self.refusals.append(Refusal(code, message, place, help, path, type(module).__name__))

    # Tensors

    def new(self, tensor: torch.Tensor, what: Tensor | Made) -> None:
        """From now on, the tensor of the run means this."""
        self._known[id(tensor)] = Known(tensor, what)
        if self._stack and isinstance(what, Tensor):
            self._stack[-1].seen.add(what)

    def _what(self, tensor: torch.Tensor, place: Place, except_in: torch.Tensor | None = None) -> Tensor | Made | Held:
        known = self._known.get(id(tensor))
        if known is not None:
            if known.version != tensor._version:
                self._check_memory(known, place, except_in)
            if isinstance(known.what, Tensor) and known.what not in self._stack[-1].seen:
                self._stray(known.what, place)
            return known.what
        if id(tensor) in self._holders:
            return self._held(tensor)
        if tensor.is_meta:
            message = "a tensor comes from code that cannot be followed"
            self.stop(Code.OPERATION, message, place, "C++ code, or another thread, has made it")
        self.new(tensor, made := Made(tuple(tensor.shape), "constant", place))
        return made

    def _held(self, tensor: torch.Tensor) -> Held:
        module, name, is_parameter = self._holders[id(tensor)]
        caller = self._stack[-1].module
        path = name if module is caller else f"{self.modules.relative(caller, module)}.{name}"
        return Held(path, tuple(tensor.shape), is_parameter)

    def _check_memory(self, known: Known, place: Place, except_in: torch.Tensor | None) -> None:
        if self._changes.reach(known.tensor, known.version, except_in):
            message = "a tensor is read that was changed in place through another view of its memory"
            self.stop(Code.OPERATION, message, place, "compute a new tensor instead of changing one in place")
        known.version = known.tensor._version

    def _stray(self, tensor: Tensor, place: Place) -> None:
        message = "a tensor is read that is neither given to this module nor made in it"
        help = "pass it as an argument of `forward`; a tensor changed in place by another module counts as made there"
        self.refuse(Code.OPERATION, message, place, help)
        self._stack[-1].seen.add(tensor)  # told once

    def recorded(self, value: Any, place: Place, except_in: torch.Tensor | None = None) -> Any:
        """A value of the run as data."""
        match value:
            case torch.Tensor():
                return self._what(value, place, except_in)
            case numbers.Whole() | numbers.Real():
                return numbers.number(value)
            case slice():
                return slice(*(self.recorded(part, place) for part in (value.start, value.stop, value.step)))
            case None | bool() | int() | float() | str():
                return value
        items = {key: self.recorded(part, place, except_in) for key, part in parts(value)}
        if isinstance(value, (tuple, list)) and not hasattr(value, "_fields"):
            return tuple(items.values()) if isinstance(value, tuple) else list(items.values())
        return items if items or isinstance(value, dict) else value

    def _place(self) -> Place:
        frame = user_frame()
        assert frame
        self._name_tensors(frame)
        return place_of(frame)

    def _name_tensors(self, frame: FrameType) -> None:
        """Tensors are called after the variables that hold them."""
        for name, value in frame.f_locals.items():
            known = self._known.get(id(value)) if type(value) is torch.Tensor else None
            if known and isinstance(known.what, Tensor) and not known.what.name and known.version == value._version:
                # The variable is only seen at the next operation, when others already hold the record.
                msgspec.structs.force_setattr(known.what, "name", name)

    # Functions

    def __torch_function__(self, function: Any, types: Any, args: Args = (), kwargs: Keywords | None = None) -> Any:
        kwargs = kwargs or {}
        if not self.is_watching:
            return function(*args, **kwargs)
        name = canonical(function)
        sizes = SIZES.get(name)
        if sizes is not None and (known := self._known.get(id(args[0]))) and isinstance(known.what, Tensor):
            return sizes(known.what, *args[1:], **kwargs)
        return self.function(function, name, args, kwargs)

    def whole(self, function: Any, name: str, args: Args, kwargs: Keywords) -> Any:
        """A function that torch does not tell us of, as one operation, whatever is inside."""
        if not self.is_watching:
            return function(*args, **kwargs)
        with torch._C.DisableTorchFunction():
            return self.function(function, name, args, kwargs)

    def function(self, function: Any, name: str, args: Args, kwargs: Keywords) -> Any:
        taken = tensors((args, kwargs))
        if needs_values(name, args):
            self._check_values(name, taken)
        sources: Any = None
        if taken:
            place = self._place()
            sources = self.recorded((args, kwargs), place, _replaced(name, args))
        result, changed = self._followed(function, taken, args, kwargs)
        if not changed and not tensors(result):
            return result
        if sources is None:
            place = self._place()
            sources = self.recorded((args, kwargs), place)
        result = self._apart(result, taken, changed)
        if any(isinstance(known.what, Tensor) for tensor in taken if (known := self._known.get(id(tensor)))):
            self._operation(name, sources, changed, result, place)
        else:
            for tensor in (*changed, *tensors(result)):
                if id(tensor) not in self._holders:
                    self.new(tensor, Made(tuple(tensor.shape), name, place, *sources))
        return result

    def _followed(self, call: Callable[..., Any], taken: list[torch.Tensor], args: Args, kwargs: Keywords) -> Any:
        """The result, and the tensors that were changed in place."""
        versions = [tensor._version for tensor in taken]
        if not self.has_values and any(t.is_meta for t in taken) and not all(t.is_meta for t in taken):
            # Constants have values, what is computed from inputs has none; torch wants both on one device.
            args, kwargs = mapped((args, kwargs), lambda tensor: tensor if tensor.is_meta else tensor.to("meta"))
        result = call(*args, **kwargs)
        changed = _written([tensor for tensor, version in zip(taken, versions) if tensor._version != version], result)
        for tensor in changed:
            self._changes.add(tensor)
        return result, changed

    def _operation(self, name: str, sources: Any, changed: list[torch.Tensor], result: Any, place: Place) -> None:
        for tensor in changed:
            if id(tensor) in self._holders:
                self.refuse(Code.STATE, f"`{last(name)}` changes a parameter or buffer while the network runs", place)
        for tensor in (*changed, *tensors(result)):
            self.new(tensor, Tensor(tuple(tensor.shape)))
        given = changed[0] if result is None else result
        target, arguments = recorded_name(name, sources[0])
        self._add(Operation(target, "", arguments, sources[1], self.recorded(given, place), place))

    def _add(self, operation: Operation) -> None:
        self._stack[-1].operations.append(operation)

    def _apart(self, result: Any, taken: list[torch.Tensor], changed: list[torch.Tensor]) -> Any:
        """A tensor that is returned as it came becomes another Python object, because it means something else."""
        same = {id(tensor) for tensor in taken} - {id(tensor) for tensor in changed}
        return mapped(result, lambda tensor: torch.ops.aten.alias(tensor) if id(tensor) in same else tensor)

    def _check_values(self, name: str, taken: list[torch.Tensor]) -> None:
        place = self._place()
        for tensor in taken:
            what = self._what(tensor, place)
            if isinstance(what, Tensor) or (isinstance(what, Held) and what.is_parameter):
                message = VALUES.get(last(name), f"`{last(name)}` depends on the values of a tensor")
                self.stop(Code.VALUES, message, place)
            if tensor.is_meta:
                raise NeedsValues(name)

    # Modules

    def call(self, original: Any, module: nn.Module, args: Args, kwargs: Keywords) -> Any:
        if not self.is_watching and self._stack:
            return original(module, *args, **kwargs)
        if type(module) is torch.nn.utils.parametrize.ParametrizationList:
            with torch._C.DisableTorchFunction():
                return self._parametrized(original, module, args, kwargs)
        if module not in self.modules.paths:
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

    def _called(self, module: nn.Module, sources: Any, result: Any, changed: Any, given: Any, place: Place) -> Any:
        caller = self._stack[-1]
        path = self.modules.relative(caller.module, module)
        self.called.setdefault(caller.module, {})[path] = module
        result = self._apart(result, tensors(given), changed)
        for tensor in tensors(result):
            known = self._known.get(id(tensor))
            if module in self.modules.leaves or known is None:
                self.new(tensor, Tensor(tuple(tensor.shape)))
            elif isinstance(known.what, Tensor):
                caller.seen.add(known.what)
        self._add(Operation("module", path, sources[0], sources[1], self.recorded(result, place), place))
        return result

    def _layer(self, original: Any, module: nn.Module, args: Args, kwargs: Keywords) -> tuple[Any, list[torch.Tensor]]:
        self.uses.setdefault(module, [])
        taken = tensors((args, kwargs))

        def call(*args: Any, **kwargs: Any) -> Any:
            return original(module, *args, **kwargs)

        hooked = bool(module._forward_hooks or module._forward_pre_hooks)
        self._silent = True
        try:
            with torch._C.DisableTorchFunction():
                result, changed = self._followed(self._hooked(call, module) if hooked else call, taken, args, kwargs)
                for tensor in changed:
                    self.new(tensor, Tensor(tuple(tensor.shape)))
        finally:
            self._silent = False
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
            if not _same(taken, args) or not _same(made, result):
                hooks = [*module._forward_pre_hooks.values(), *module._forward_hooks.values()]
                message = f"a hook of a `{type(module).__name__}` changes its input or output"
                self.stop(Code.OPERATION, message, place_of_code(hooks[0]), "write what it does in `forward`")
            return result

        return checked

    def _run(self, original: Any, module: nn.Module, args: Args, kwargs: Keywords) -> tuple[Any, list[torch.Tensor]]:
        with torch._C.DisableTorchFunction():
            if any(running.module is module for running in self._stack):
                self.stop(Code.OPERATION, "a module calls itself", self._place())
            running = Running(module, self._inputs(module, args, kwargs))
            taken = tensors((args, kwargs))
            versions = [tensor._version for tensor in taken]
        uses = self.uses.setdefault(module, [])
        index = len(uses)
        uses.append(None)
        self._stack.append(running)
        result = original(module, *args, **kwargs)
        with torch._C.DisableTorchFunction():
            outputs = self.recorded(result, self._place())
            changed = [tensor for tensor, version in zip(taken, versions) if tensor._version != version]
        self._stack.pop()
        uses[index] = Use(running.inputs, tuple(running.operations), outputs)
        return result, changed

    def _inputs(self, module: nn.Module, args: Args, kwargs: Keywords) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for name, value in bound(module, args, kwargs):
            for path, tensor in named_tensors(value, name):
                known = self._known.get(id(tensor))
                if known is not None and isinstance(known.what, Tensor):
                    found[path] = known.what
        return found

    def _parametrized(self, original: Any, module: nn.Module, args: Args, kwargs: Keywords) -> torch.Tensor:
        """A parameter that is computed from others."""
        self._silent = True
        try:
            result: torch.Tensor = original(module, *args, **kwargs)
        finally:
            self._silent = False
        place = self._place()
        held = tuple(self.recorded(tensor, place) for tensor in module.parameters())
        self.new(result, Made(tuple(result.shape), "torch.nn.utils.parametrize", place, held))
        return result


#: What functions that need values say, if not their name.
VALUES = {
    "__bool__": "the path depends on the values of a tensor",
    "__index__": "a size depends on the values of a tensor",
    "__getitem__": "a shape depends on the values of a mask",
}


def _written(newer: list[torch.Tensor], result: Any) -> list[torch.Tensor]:
    """Of tensors with new versions, those that were changed; others share memory with them."""
    returned = {id(tensor) for tensor in tensors(result)}
    return [tensor for tensor in newer if id(tensor) in returned] or (newer[:1] if result is None else newer)


def _replaced(name: str, args: Args) -> torch.Tensor | None:
    """The part of a tensor that is written as a whole, so that it does not matter who changed it before."""
    if last(name) != "__setitem__":
        return None
    part = args[0][args[1]]
    return part if isinstance(part, torch.Tensor) and part._base is not None else None


def _same(one: Any, other: Any) -> bool:
    first, second = tensors(one), tensors(other)
    return len(first) == len(second) and all(a is b for a, b in zip(first, second))


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


def bound(module: nn.Module, args: Args, kwargs: Keywords) -> list[tuple[str, Any]]:
    """Values by the names of the arguments of ``forward``; those of ``*args`` are ``args.0`` and on."""
    names = _positional(getattr(module.forward, "__func__", module.forward))
    named = [(names[i] if i < len(names) else f"args.{i - len(names)}", value) for i, value in enumerate(args)]
    return [*named, *kwargs.items()]


@cache
def _positional(forward: Any) -> list[str]:
    parameters = list(inspect.signature(forward).parameters.values())
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return names[1:] if inspect.isfunction(forward) and names[:1] == ["self"] else names
