"""The arguments with which modules are made."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeAlias

from torch import nn

Arguments: TypeAlias = dict[nn.Module, Mapping[str, Any]]
#: How many frames of decorators may be between two ``__init__`` of one module.
BETWEEN = 5


@contextmanager
def kept_arguments() -> Iterator[Arguments]:
    """What the ``__init__`` of each module is given that is made meanwhile, with defaults. It is seen when
    ``nn.Module.__init__`` runs, in the ``__init__`` of the classes below; a subclass's arguments go first."""
    found: Arguments = {}
    original = nn.Module.__init__

    def init(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        found[self] = _given(self, sys._getframe(1))

    nn.Module.__init__ = init  # type: ignore[method-assign]
    try:
        yield found
    finally:
        nn.Module.__init__ = original  # type: ignore[method-assign]


def _given(module: nn.Module, frame: FrameType | None) -> dict[str, Any]:
    given: dict[str, Any] = {}
    between = 0
    while frame and between < BETWEEN:
        code = frame.f_code
        if code.co_name == "__init__" and code.co_argcount:
            local = frame.f_locals
            if local.get(code.co_varnames[0]) is not module:
                break
            given = {**given, **_arguments(frame, local)}
            between = 0
        between += 1
        frame = frame.f_back
    return given


def _arguments(frame: FrameType, local: Mapping[str, Any]) -> dict[str, Any]:
    code = frame.f_code
    count = code.co_argcount + code.co_kwonlyargcount
    given = {name: local[name] for name in code.co_varnames[1:count] if name in local}
    if code.co_flags & inspect.CO_VARARGS:
        given[code.co_varnames[count]] = local.get(code.co_varnames[count])
        count += 1
    if code.co_flags & inspect.CO_VARKEYWORDS:
        given.update(local.get(code.co_varnames[count]) or {})
    return given


def attributes(module: nn.Module) -> dict[str, Any]:
    """The arguments of a module that was made before: attributes of the same names."""
    names = list(inspect.signature(type(module).__init__).parameters)[1:]
    return {name: vars(module)[name] for name in names if name in vars(module)}
