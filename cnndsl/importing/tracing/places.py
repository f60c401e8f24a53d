"""The line of somebody's Python file that is running."""

from __future__ import annotations

import os
import sys
import sysconfig
from functools import cache
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType, TracebackType

import torch

from cnndsl.importing.recorded import Place

_TORCH = str(Path(torch.__file__).parent) + os.sep
_OURS = str(Path(__file__).parent.parent) + os.sep
#: Where Python's own modules are, and those that are installed.
_LIBRARIES = tuple(sysconfig.get_path(kind) + os.sep for kind in ("stdlib", "platstdlib", "purelib", "platlib"))


def frames() -> tuple[FrameType, FrameType]:
    """The innermost frame that is neither in torch nor here, or in torch if there is none; and the innermost one of
    the user in the same ``forward``, which calls the library that the first one is in, or the first again."""
    frame: FrameType | None = sys._getframe(1)
    inside_torch = innermost = None
    while frame:
        file = frame.f_code.co_filename
        if innermost and file.startswith(_OURS):
            break  # here, the module was called
        if not file.startswith((_OURS, _TORCH)):
            innermost = innermost or frame
            if not file.startswith(_LIBRARIES):
                return innermost, frame
        elif not file.startswith(_OURS):
            inside_torch = inside_torch or frame
        frame = frame.f_back
    found = innermost or inside_torch
    assert found
    return found, found


def place_of(frame: FrameType) -> Place:
    return _place(frame.f_code.co_filename, frame.f_code, frame.f_lasti, frame.f_lineno)


@cache
def _place(file: str, code: CodeType, instruction: int, line: int) -> Place:
    """Code objects of two files may be equal."""
    start_line, _, start, end = next(islice(code.co_positions(), instruction // 2, None), (None, None, None, None))
    if start_line != line or start is None or end is None or end <= start:
        return Place(file, line)
    return Place(file, line, start, end)


def place_of_error(trace: TracebackType | None) -> Place | None:
    """Where an error was raised: the innermost line of the user, or outside of torch and of this package if there is
    none."""
    found = users = None
    while trace:
        code = trace.tb_frame.f_code
        if not code.co_filename.startswith((_TORCH, _OURS, "<frozen")):
            found = _place(code.co_filename, code, trace.tb_lasti, trace.tb_lineno)
            users = users if code.co_filename.startswith(_LIBRARIES) else found
        trace = trace.tb_next
    return users or found


def place_of_code(function: object) -> Place | None:
    """Where a function is defined, if it is somebody's."""
    code = getattr(function, "__code__", None)
    return Place(code.co_filename, code.co_firstlineno) if isinstance(code, CodeType) else None
