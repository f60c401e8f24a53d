"""SIGINT and SIGTERM: the first asks a training to stop, the second stops it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(KeyboardInterrupt):
    """A training was asked to stop. ``number`` is the signal's; the exit code is 128 more."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"stopped by {signal.Signals(number).name}")


class StopRequest:
    """``number`` is that of the signal received, or 0."""

    def __init__(self) -> None:
        self.number = 0

    def receive(self, number: int, frame: FrameType | None) -> None:
        if self.number:
            raise Stopped(number)
        self.number = number


@contextmanager
def importing() -> Iterator[None]:
    """Within it, Ctrl-C ends the program, at the latest afterwards: the imports of torch and numpy now and then swallow
    the exception."""
    numbers: list[int] = []

    def receive(number: int, frame: FrameType | None) -> None:
        numbers.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, receive)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if numbers:
        raise KeyboardInterrupt


@contextmanager
def listening() -> Iterator[StopRequest]:
    """Within it, signals are recorded instead of ending the process. Only the main thread can listen."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.signal(number, request.receive) for number in SIGNALS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
