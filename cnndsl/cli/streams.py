"""The standard streams of the command line, even if they are closed, full or gone, or if their encoding lacks
characters that are printed."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from cnndsl.printable import FALLBACK

#: The exit code if the reader of a pipe goes away, as `head` does, is that of other tools: 128 + SIGPIPE.
GONE, UNUSABLE = 141, 2


class Lost(SystemExit):
    """Ends the program: stdin or stdout cannot be used."""

    def __init__(self, what: str, error: OSError) -> None:
        self.reason = f"{what}: {error.strerror}"
        self.is_gone = error.errno == errno.EPIPE
        super().__init__(GONE if self.is_gone else UNUSABLE)

    def __str__(self) -> str:
        return self.reason


class Output(io.TextIOBase):
    """stdout or stderr. Characters that its encoding lacks are printed in ASCII. After a failed write, nothing more is
    written.

    Losing stdout ends the program with :class:`Lost`. Losing stderr is ignored: the exit code remains. There is no
    ``buffer``, since click would use it with an encoding of its own.
    """

    def __init__(self, stream: io.TextIOWrapper, vital: bool) -> None:
        self.stream, self.vital = stream, vital
        stream.reconfigure(errors=FALLBACK)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.stream.encoding

    def reconfigure(self, **settings: Any) -> None:
        """Like :meth:`io.TextIOWrapper.reconfigure`."""
        self.stream.reconfigure(**settings)

    def write(self, text: str | bytes) -> int:
        """Bytes are click's completions. They are written unchanged: names of files must not be escaped."""
        with self._watched():
            if isinstance(text, bytes):
                self.stream.flush()
                self.stream.buffer.write(text)
            else:
                self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._watched():
            self.stream.flush()

    def isatty(self) -> bool:
        return self.stream.isatty()

    def fileno(self) -> int:
        return self.stream.fileno()

    def writable(self) -> bool:
        return True

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            # Python would write the rest of the buffer again at its end, and fail again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            if self.vital:
                raise Lost("stdout cannot be written", error) from None


@contextmanager
def standard_streams() -> Iterator[None]:
    """Within it, every standard stream exists and can be printed to; at the end everything is flushed."""
    # A closed stream becomes one that refuses: otherwise the next file would get its number, and be written to.
    sys.stdin = sys.stdin or _refusing(os.O_WRONLY, "r")
    sys.stdout = _output(sys.stdout or _refusing(os.O_RDONLY, "w"), vital=True)
    sys.stderr = _output(sys.stderr or _refusing(os.O_RDONLY, "w"), vital=False)
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except Lost as lost:
        if not lost.is_gone:  # nobody reads it any more
            print(f"cnndsl: {lost}", file=sys.stderr, flush=True)
        raise


def _refusing(flags: int, mode: str) -> Any:
    return open(os.open(os.devnull, flags), mode)  # noqa: PTH123


def _output(stream: IO[str], vital: bool) -> Any:
    return Output(stream, vital) if isinstance(stream, io.TextIOWrapper) else stream
