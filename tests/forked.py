"""The command line in a forked process: torch is imported once for all commands of a test run.

Here is what the child does, and nothing that takes time to import. See :mod:`terminal` for its use.
"""

from __future__ import annotations

import fcntl
import io
import os
import sys
import termios
import traceback
from collections.abc import Mapping, Sequence
from multiprocessing.reduction import DupFd
from typing import Any

from cnndsl.cli import VERBS

#: The server's imports before it forks.
PRELOAD = [
    *(f"cnndsl.cli.{home.partition('.')[0]}" for home, _ in VERBS.values()),
    *(
        "cnndsl.network",
        "cnndsl.training.train",
        "cnndsl.training.bars",
        "cnndsl.training.figures.curves",
        "cnndsl.emit.diagram",
    ),
    *("torch._dynamo", "matplotlib.figure", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg"),
    *("pygraphviz", "rapidfuzz.distance", "rich.markdown", "PIL.PngImagePlugin"),
]


class Descriptor:
    """A file descriptor that goes along to the child, where it is its number there."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> Any:
        return _arrived, (DupFd(self.number),)


def _arrived(duplicate: Any) -> int:
    return int(duplicate.detach())


def run(
    arguments: Sequence[str], folder: str, environment: Mapping[str, str], encoding: str, streams: Sequence[int | None]
) -> None:
    """Runs a command as a process of its own would: with ``streams`` as descriptors 0, 1 and 2, None for a closed one,
    and Python's streams over them in ``encoding``."""
    for number, stream in enumerate(streams):
        if stream is None:
            os.close(number)
        else:
            os.dup2(stream, number)
    if streams[0] is not None and os.isatty(0):
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["cnndsl", *arguments]
    os._exit(_main(encoding))


def _main(encoding: str) -> int:
    from cnndsl.cli import main

    sys.stdin, sys.stdout, sys.stderr = (_python_stream(number, encoding) for number in range(3))
    stdout = sys.stdout
    code: Any = 0
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    try:  # as Python does when it ends
        if stdout:
            stdout.flush()
    except OSError:
        os.write(2, b"Exception ignored\n")
        code = 120
    return int(code)


def _python_stream(number: int, encoding: str) -> Any:
    try:
        os.fstat(number)
    except OSError:
        return None
    return io.TextIOWrapper(
        open(number, "rb" if number == 0 else "wb", closefd=False),
        encoding,
        errors="strict" if number < 2 else "backslashreplace",
        line_buffering=os.isatty(number) or number == 2,
    )
