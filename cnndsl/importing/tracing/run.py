"""A run of a network: what its tensors are, and what its modules have done."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dis import get_instructions
from functools import cache
from types import CodeType, FrameType
from typing import Any, NoReturn

import msgspec
import torch
from torch import nn

from cnndsl.diagnostics import Code
from cnndsl.importing.recorded import Held, Made, Number, Operation, Place, Refusal, Tensor, Unspeakable, Use
from cnndsl.importing.tracing import numbers
from cnndsl.importing.tracing.memory import Changes
from cnndsl.importing.tracing.modules import Modules, holders
from cnndsl.importing.tracing.nested import parts
from cnndsl.importing.tracing.places import frames, place_of


class Known:
    """What is known of a tensor of the run, which is kept so that its id stays its own."""

    __slots__ = ("tensor", "version", "what")

    def __init__(self, tensor: torch.Tensor, what: Tensor | Made) -> None:
        self.tensor = tensor
        self.what = what
        self.version = tensor._version


class Running:
    """A module's ``forward`` that has not ended. ``seen`` are the tensors that it was given or has made, and those that
    the modules which it called have made."""

    def __init__(self, module: nn.Module, inputs: Mapping[str, Tensor]) -> None:
        self.module = module
        self.inputs = inputs
        self.operations: list[Operation] = []
        self.seen = set(inputs.values())


class Run:
    """``uses`` has what each module did, in the order in which its runs began, ``called`` the modules that each module
    has called, ``lost`` the numbers of which Python has made plain ones, ``returned`` what ``forward`` gave,
    ``notes`` what is to be told.
    ``has_values`` tells whether tensors have values: then constants may be read, but not what comes from inputs."""

    def __init__(self, modules: Modules, has_values: bool, training: bool = False) -> None:
        self.modules = modules
        self.has_values = has_values
        self.training = training
        self.refusals: list[Refusal] = []
        self.notes: list[Refusal] = []
        self.uses: dict[nn.Module, list[Use | None]] = {}
        self.called: dict[nn.Module, dict[str, nn.Module]] = {}
        self.lost: list[Number] = []
        self.returned: Any = None
        self.stack: list[Running] = []
        self.holders = holders(modules.root)
        self.changes = Changes()
        self._known: dict[int, Known] = {}
        self._silent = False
        self._thread = threading.get_ident()

    @property
    def is_watched(self) -> bool:
        """Whether what happens now is part of what a module does, and not of what a layer does inside."""
        return bool(self.stack) and not self._silent and threading.get_ident() == self._thread

    @contextmanager
    def silence(self) -> Iterator[None]:
        self._silent = True
        try:
            yield
        finally:
            self._silent = False

    def whole_uses(self, module: nn.Module) -> tuple[Use, ...]:
        return tuple(use for use in self.uses.get(module, ()) if use is not None)

    def stop(self, code: Code, message: str, place: Place | None, help: str = "") -> NoReturn:
        self.refuse(code, message, place, help)
        raise Unspeakable(self.refusals)

    def refuse(self, code: Code, message: str, place: Place | None, help: str = "") -> None:
        module = self.stack[-1].module if self.stack else self.modules.root
        path = self.modules.paths[module][0]
        self.refusals.append(Refusal(code, message, place, help, path, type(module).__name__))

    def note(self, message: str, place: Place | None, module: nn.Module | None = None) -> None:
        """Warns of what the spec leaves out."""
        module = module or (self.stack[-1].module if self.stack else self.modules.root)
        path = self.modules.paths[module][0]
        note = Refusal(Code.LEFT_OUT, message, place, "", path, type(module).__name__)
        if note not in self.notes:
            self.notes.append(note)

    def new(self, tensor: torch.Tensor, what: Tensor | Made) -> None:
        """From now on, the tensor of the run means this."""
        self._known[id(tensor)] = Known(tensor, what)
        if self.stack and isinstance(what, Tensor):
            self.stack[-1].seen.add(what)

    def what(self, tensor: torch.Tensor, place: Place, except_in: torch.Tensor | None = None) -> Tensor | Made | Held:
        known = self._known.get(id(tensor))
        if known is not None:
            if known.version != tensor._version:
                self._check_memory(known, place, except_in)
            if isinstance(known.what, Tensor) and known.what not in self.stack[-1].seen:
                self._stray(known.what, place)
            return known.what
        if id(tensor) in self.holders:
            return self._held(tensor)
        if tensor.is_meta:
            self.stop(Code.OPERATION, "a tensor comes from code that cannot be followed", place)
        self.new(tensor, made := Made(tuple(tensor.shape), "constant", place))
        return made

    def _held(self, tensor: torch.Tensor) -> Held:
        module, name, is_parameter = self.holders[id(tensor)]
        caller = self.stack[-1].module
        path = name if module is caller else f"{self.modules.relative(caller, module)}.{name}"
        return Held(path, tuple(tensor.shape), is_parameter)

    def tensor(self, tensor: torch.Tensor) -> Tensor | None:
        """The record of a tensor that comes from an input."""
        known = self._known.get(id(tensor))
        return known.what if known is not None and isinstance(known.what, Tensor) else None

    def _check_memory(self, known: Known, place: Place, except_in: torch.Tensor | None) -> None:
        if self.changes.reach(known.tensor, known.version, except_in):
            message = "a tensor is read that was changed in place through another view of its memory"
            self.stop(Code.OPERATION, message, place, "compute a new tensor instead of changing one in place")
        known.version = known.tensor._version

    def _stray(self, tensor: Tensor, place: Place) -> None:
        message = "a tensor is read that is neither given to this module nor made in it"
        help = "pass it as an argument of `forward`"
        self.refuse(Code.OPERATION, message, place, help)
        self.stack[-1].seen.add(tensor)  # told once

    def recorded(self, value: Any, place: Place, except_in: torch.Tensor | None = None) -> Any:
        """A value of the run as data."""
        match value:
            case torch.Tensor():
                return self.what(value, place, except_in)
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

    def place(self) -> Place:
        innermost, users = frames()
        self._name_tensors(innermost)
        return place_of(users)

    def _name_tensors(self, frame: FrameType) -> None:
        """Tensors are called after the variables that hold them, but not those of comprehensions."""
        passing = _of_comprehensions(frame.f_code)
        for name, value in frame.f_locals.items():
            is_named = type(value) is torch.Tensor and name not in passing
            known = self._known.get(id(value)) if is_named else None
            if known and isinstance(known.what, Tensor) and not known.what.name and known.version == value._version:
                # The variable is only seen at the next operation, when others already hold the record.
                msgspec.structs.force_setattr(known.what, "name", name)


@cache
def _of_comprehensions(code: CodeType) -> frozenset[str]:
    """The variables of comprehensions. Since Python 3.12 they are in the frame around them (PEP 709)."""
    if code.co_name in ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"):
        return frozenset(code.co_varnames)
    return frozenset(step.argval for step in get_instructions(code) if step.opname == "LOAD_FAST_AND_CLEAR")
