"""All tabs of a server: what comes in, what each is told, and how they hear of changed files."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeAlias

from cnndsl.emit.table import COLUMNS
from cnndsl.serve.messages import ColumnOf, Saved, Told, Welcome
from cnndsl.serve.project import Project
from cnndsl.serve.session import Incoming, Look, Session
from cnndsl.serve.watch import Watch
from cnndsl.serve.worker import Worker
from cnndsl.version import __version__

#: The most tabs at once, and the most messages of one that wait: more are left in the connection.
TABS, WAITING = 32, 32
Send: TypeAlias = Callable[[Told], Awaitable[None]]


class Tab:
    """A session with what comes in from its page."""

    def __init__(self, project: Project) -> None:
        self.session = Session(project)
        self._waiting: asyncio.Queue[Incoming] = asyncio.Queue(WAITING)
        self._news = asyncio.Event()

    async def put(self, message: Incoming) -> None:
        """Takes a message of the page. Waits if there is no room for more."""
        await self._waiting.put(message)
        self._news.set()

    def look(self) -> None:
        self.session.inbox.append(Look())
        self._news.set()

    async def news(self) -> None:
        """Waits for something to do."""
        await self._news.wait()
        self._news.clear()

    def deliver(self) -> None:
        """Gives the session what came in."""
        with suppress(asyncio.QueueEmpty):
            while len(self.session.inbox) < WAITING:
                self.session.inbox.append(self._waiting.get_nowait())


class Hub:
    """``spec`` is the name of what the server was started with, ``key`` what lets a page in again."""

    def __init__(self, project: Project, spec: str, key: str) -> None:
        self.project, self.spec, self.key = project, spec, key
        self.tabs: set[Tab] = set()
        self._worker = Worker()
        self._watch = Watch(self._look)

    @property
    def is_full(self) -> bool:
        return len(self.tabs) >= TABS

    async def watch(self) -> None:
        """Follows the files that are open, for ever."""
        await self._watch.run()

    @contextmanager
    def tab(self) -> Iterator[Tab]:
        """A new tab, until its connection is closed."""
        tab = Tab(self.project)
        self.tabs.add(tab)
        try:
            yield tab
        finally:
            self.tabs.remove(tab)
            self._rewatch()

    async def work(self, tab: Tab, send: Send) -> None:
        """Works for a tab until its connection is closed."""
        await send(self._welcome())
        while True:
            await tab.news()
            while told := await self._step(tab):
                for message in told:
                    await send(message)

    async def _step(self, tab: Tab) -> tuple[Told, ...] | None:
        tab.deliver()
        told = await self._worker.do(tab.session.step)
        self._rewatch()
        if any(isinstance(message, Saved) for message in told or ()):
            self._look(but=tab)
        return told

    def _rewatch(self) -> None:
        """Watches what is open now."""
        self._watch.files({path for tab in self.tabs for path in tab.session.watched})

    def _look(self, but: Tab | None = None) -> None:
        for tab in self.tabs - {but}:
            tab.look()

    def _welcome(self) -> Welcome:
        columns = tuple(ColumnOf(column.name, column.meaning) for column in COLUMNS.values())
        root = self.project.root
        return Welcome(self.key, self.spec, root.name or str(root), __version__, self.project.limits.file, columns)
