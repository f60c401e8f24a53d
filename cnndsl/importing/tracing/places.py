"""The line of somebody's Python file that is running."""

from __future__ import annotations

import os
import sys
from functools import cache
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType, TracebackType

import torch

from cnndsl.importing.recorded import Place

_TORCH = str(Path(torch.__file__).parent) + os.sep
_OURS = str(Path(__file__).parent.parent) + os.sep


def user_frame() -> FrameType | None:
    """The innermost frame that is neither in torch nor here, or in torch if there is none."""
    frame: FrameType | None = sys._getframe(1)
    inside_torch = None
    while frame:
        file = frame.f_code.co_filename
        if not file.startswith((_OURS, _TORCH)):
            return frame
        if not file.startswith(_OURS) and inside_torch is None:
            inside_torch = frame
        frame = frame.f_back
    return inside_torch


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
    """Where an error was raised: the innermost line outside of torch and of this package."""
    found = None
    while trace:
        if not trace.tb_frame.f_code.co_filename.startswith((_TORCH, _OURS, "<frozen")):
            found = _place(trace.tb_frame.f_code.co_filename, trace.tb_frame.f_code, trace.tb_lasti, trace.tb_lineno)
        trace = trace.tb_next
    return found


def place_of_code(function: object) -> Place | None:
    """Where a function is defined, if it is somebody's."""
    code = getattr(function, "__code__", None)
    return Place(code.co_filename, code.co_firstlineno) if isinstance(code, CodeType) else None
