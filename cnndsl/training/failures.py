"""Errors of torch's computations, with help for the user."""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from cnndsl.diagnostics import Code, RunError
from cnndsl.training.ranks import is_of_others

#: Words of torch and its libraries for a lack of memory, if they raise no class of its own.
_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "ALLOC_FAILED")
#: Words of a loader for a process that has ended, and for one that passes on an exception.
_READER_ENDED, _READER_RAISED = "DataLoader worker (pid", "in DataLoader worker process"
_TORCH = Path(torch.__file__).parent
_GUARD = (
    'put the code of the script under `if __name__ == "__main__":`, since each process that reads pictures runs the '
    "script again; or pass `workers=0`"
)


@contextmanager
def explained(device: torch.device, module: nn.Module | None = None) -> Iterator[None]:
    """Raises :class:`RunError` for a lack of memory on ``device``, for a process that ended while it read pictures
    and, if a ``module`` is given, for what torch refuses; torch's own error is then the cause."""
    try:
        yield
    except (MemoryError, RuntimeError, ValueError, TypeError, IndexError, NotImplementedError) as error:
        text = str(error)
        if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(words in text for words in _NO_MEMORY):
            raise _no_memory(error, device) from None
        if _READER_ENDED in text:
            raise _no_reader(error) from None
        if module is None or is_of_others(error) or _READER_RAISED in text or not _is_of_torch(error, module):
            raise
        raise _refused(error, device, module) from error


def check_guarded() -> None:
    """Ends a process that was started to read pictures, and runs the script that started it again."""
    # multiprocessing itself uses this mark, in spawned processes and those of a fork server.
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        message = "the script trains or tests a network whenever it is imported"
        raise SystemExit(str(RunError(Code.BROKEN, message, _GUARD)))  # this process's traceback would not help


def _no_memory(error: BaseException, device: torch.device) -> RunError:
    help = (
        "a smaller `--batch-size`, with `--accumulate` for the same step; `--precision bf16`; or end other programs "
        "that use the memory"
    )
    return RunError(Code.BROKEN, f"{device} is out of memory", help, _said(error))


def _no_reader(error: BaseException) -> RunError:
    help = "see what it printed; fewer `--workers` need less memory, and `--workers 0` reads in the main process"
    if multiprocessing.get_start_method() != "fork":
        help += f"\nin a script, {_GUARD}"
    return RunError(Code.BROKEN, "a process that reads pictures has ended", help, _said(error))


def _refused(error: BaseException, device: torch.device, module: nn.Module) -> RunError:
    notes = [*_said(error), *_layer(error, module), *_own_line(error)]
    help = "`cnndsl shapes SPEC` shows every shape"
    return RunError(Code.BROKEN, f"torch cannot compute the step on {device}", help, notes)


def _said(error: BaseException) -> list[str]:
    """The first line of torch's message. The others are advice for callers."""
    return [(str(error).strip() or type(error).__name__).splitlines()[0]]


def _is_of_torch(error: BaseException, module: nn.Module) -> bool:
    """Whether the module or torch raised it, and not the code around them, whose bugs need a traceback."""
    raised = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
    return raised.is_relative_to(_TORCH) or bool(_at_work(error, module))


def _at_work(error: BaseException, module: nn.Module) -> list[nn.Module]:
    """The submodules that were running, the outermost first."""
    selves = [frame.f_locals.get("self") for frame, _ in traceback.walk_tb(error.__traceback__)]
    parts = set(module.modules())
    return [part for part in selves if isinstance(part, nn.Module) and part in parts]


def _layer(error: BaseException, module: nn.Module) -> list[str]:
    """The layer that was running."""
    paths = {layer: path for path, layer in module.named_modules() if path}
    found = next((layer for layer in reversed(_at_work(error, module)) if layer in paths), None)
    return [] if found is None else [f"in layer `{paths[found]}`, {type(found).__name__}({found.extra_repr()})"]


def _own_line(error: BaseException) -> list[str]:
    """The line that raised it, if it is neither torch's nor ours but in a user's layer."""
    frames = traceback.extract_tb(error.__traceback__)
    raised = Path(frames[-1].filename)
    strange = raised.exists() and not any(raised.is_relative_to(folder) for folder in (_TORCH, Path(__file__).parent))
    return [f"raised at {raised}:{frames[-1].lineno}"] if strange else []
