"""The open texts, and the analyses of those that are specs: one thread computes, and only what is still wanted."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeAlias, TypeVar

from cnndsl.editing.analysis import Analysis, Buffers, analyse
from cnndsl.lsp.texts import Text, Texts
from cnndsl.record import Record

P = ParamSpec("P")
T = TypeVar("T")
#: What tells one state of a file from another: the open text itself, or facts about the file; None if there is none.
Stamp: TypeAlias = Text | tuple[int, int, int] | None


class Superseded(Exception):
    """The text has changed since somebody asked about it, so there is no answer."""


def stamp(path: Path, texts: Texts) -> Stamp:
    if path in texts:
        return texts[path]
    try:
        found = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class Tracked(Buffers):
    """The open texts and the disk. ``seen`` has the state of each file that was asked for."""

    def __init__(self, texts: Texts) -> None:
        super().__init__({path: text.source.text for path, text in texts.items()})
        self.open = texts
        self.seen: dict[Path, Stamp] = {}

    def read(self, path: Path, at_most: int, pipes: bool) -> bytes:
        resolved = path.resolve()
        self.seen[resolved] = stamp(resolved, self.open)
        return super().read(path, at_most, pipes)

    def but(self, texts: Mapping[Path, str]) -> Tracked:
        """The same with some texts replaced. What is asked of it is seen here, too."""
        other = Tracked(self.open)
        other.texts, other.seen = super().but(texts).texts, self.seen
        return other


class Analysed(Record, frozen=True, eq=False):
    """An analysis, the texts that were open then, and the states of the files that it was made of."""

    analysis: Analysis
    texts: Texts
    seen: Mapping[Path, Stamp]

    def is_current(self, texts: Texts) -> bool:
        return all(stamp(path, texts) == state for path, state in self.seen.items())


def analysed(path: Path, texts: Texts) -> Analysed:
    files = Tracked(texts)
    return Analysed(analyse(path, files), texts, {**files.seen})


class Workbench:
    """``texts`` are the open texts of now. A newer mapping takes its place with each edit, so work that has begun has
    one state of all files from its beginning to its end."""

    def __init__(self) -> None:
        self.texts: Texts = {}
        #: For each file of blocks that no open spec used, a spec of the project that does, if there is one.
        self.hosts: dict[Path, Path | None] = {}
        self._latest: dict[Path, Analysed] = {}
        self._jobs: dict[Path, tuple[Texts, asyncio.Future[Analysed]]] = {}
        self._worker = ThreadPoolExecutor(1, "cnndsl")

    def put(self, path: Path, text: Text) -> None:
        self.texts = {**self.texts, path: text}

    def drop(self, path: Path) -> list[Path]:
        """Forgets a text that was closed. Returns the specs that are of no interest any more."""
        self.texts = {other: text for other, text in self.texts.items() if other != path}
        self.hosts.pop(path, None)
        gone = [spec for spec in {path, *self._latest} if not self.is_of_interest(spec)]
        for spec in gone:
            self._latest.pop(spec, None)
            self._jobs.pop(spec, None)
        return gone

    def is_of_interest(self, spec: Path) -> bool:
        return spec in self.texts or spec in self.hosts.values()

    def close(self) -> None:
        self._worker.shutdown(cancel_futures=True)

    async def work(self, task: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Computes in the one thread, so that messages are received meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(self._worker, lambda: task(*args, **kwargs))

    async def analysed(self, path: Path) -> Analysed:
        """The analysis of the text as it is now. Raises :class:`Superseded` if the text changes before the work has
        begun."""
        latest = self._latest.get(path)
        if latest is None or not latest.is_current(self.texts):
            latest = await asyncio.shield(self._job(path))
        return latest

    def affected(self, changed: Iterable[Path]) -> list[Path]:
        """The specs that were made of one of these files, in a fixed order."""
        files = set(changed)
        return sorted(path for path, latest in self._latest.items() if not files.isdisjoint(latest.seen))

    def users(self, path: Path) -> list[Path]:
        """The other specs that were made of a file."""
        return [user for user in self.affected([path]) if user != path]

    def _job(self, path: Path) -> asyncio.Future[Analysed]:
        texts, job = self._jobs.get(path, (None, None))
        if job is None or job.done() or texts is not self.texts:
            job = asyncio.ensure_future(self._make(path, self.texts.get(path)))
            job.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may wait any more
            self._jobs[path] = self.texts, job
        return job

    async def _make(self, path: Path, text: Text | None) -> Analysed:
        found = await self.work(self._compiled, path, text)
        if self.is_of_interest(path):
            self._latest[path] = found
        return found

    def _compiled(self, path: Path, text: Text | None) -> Analysed:
        texts = self.texts
        if texts.get(path) is not text:
            raise Superseded
        return analysed(text.path if text else path, texts)
