"""One thread that does all the work of a server, one thing after the other, in the order in which it was asked.

The compiler and Graphviz are not made for several threads at once. The thread is a daemon: the end of the program
waits for nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")


class Worker:
    def __init__(self) -> None:
        self._jobs: SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]]] = SimpleQueue()
        Thread(target=self._run, name="cnndsl-worker", daemon=True).start()

    async def do(self, job: Callable[[], T]) -> T:
        """The result of ``job``, which must not raise."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put((job, future))
        return await future

    def _run(self) -> None:
        while True:
            job, future = self._jobs.get()
            if not future.cancelled():
                result = job()
                with suppress(RuntimeError):  # the loop was closed
                    future.get_loop().call_soon_threadsafe(_give, future, result)


def _give(future: asyncio.Future[T], result: T) -> None:
    if not future.done():
        future.set_result(result)
