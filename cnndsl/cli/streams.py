"""The standard streams of the command line, whatever they are: closed, full, gone, or of an encoding that cannot say
what is printed."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from cnndsl.printable import FALLBACK

#: Without a terminal of their own, readers go away as `head` does; the exit code is that of other tools, 128 + SIGPIPE.
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
    """stdout or stderr. What its encoding cannot say it says in ASCII; once it cannot be written, it is not again.

    Losing stdout ends the program with :class:`Lost`. What cannot be told on stderr is not told: the exit code says
    the rest. There is no ``buffer``, behind which click would take an encoding of its own.
    """

    def __init__(self, stream: io.TextIOWrapper, vital: bool) -> None:
        self.stream, self.vital = stream, vital
        stream.reconfigure(errors=FALLBACK)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.stream.encoding

    def reconfigure(self, **settings: Any) -> None:
        """As that of :class:`io.TextIOWrapper`."""
        self.stream.reconfigure(**settings)

    def write(self, text: str | bytes) -> int:
        """Bytes are what click completes, which are written as they are: names of files are not to be escaped."""
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
            # What is left in the buffer would be tried again when Python ends, and fail again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            if self.vital:
                raise Lost("stdout cannot be written", error) from None


@contextmanager
def standard_streams() -> Iterator[None]:
    """In here every standard stream is there and can be printed to; at the end all has been written."""
    # What is closed is opened as something that refuses: else the next file would take its number, and be written to.
    sys.stdin = sys.stdin or _refusing(os.O_WRONLY, "r")
    sys.stdout = _output(sys.stdout or _refusing(os.O_RDONLY, "w"), vital=True)
    sys.stderr = _output(sys.stderr or _refusing(os.O_RDONLY, "w"), vital=False)
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except Lost as lost:
        if not lost.is_gone:  # where somebody has gone there is nobody to tell
            print(f"cnndsl: {lost}", file=sys.stderr, flush=True)
        raise


def _refusing(flags: int, mode: str) -> Any:
    return open(os.open(os.devnull, flags), mode)  # noqa: PTH123


def _output(stream: IO[str], vital: bool) -> Any:
    return Output(stream, vital) if isinstance(stream, io.TextIOWrapper) else stream
