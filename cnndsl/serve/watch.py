"""Tells when files change: at once by the system's notices, and after a second if these do not come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Set
from contextlib import aclosing, suppress
from pathlib import Path

from watchfiles import awatch

#: Milliseconds: how long changes are collected, with how much silence between them, and how often files are looked at
#: in any case, since not every file system tells of changes.
TOGETHER, SILENCE, AT_LEAST = 200, 25, 1000


class Watch:
    """``look`` is called when a file may have changed. Whole folders are watched: editors write a new file and rename
    it, and a file that was deleted may come back."""

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look
        self._files: frozenset[Path] = frozenset()
        self._moved = asyncio.Event()

    def files(self, files: Set[Path]) -> None:
        """What is watched from now on."""
        found = frozenset(files) | {path.resolve() for path in files}
        if found != self._files:
            self._files = found
            self._moved.set()

    async def run(self) -> None:
        while True:
            self._moved.clear()
            folders = self._folders()
            try:
                await self._follow(folders)
            except (OSError, RuntimeError):  # a folder went away, or the system has no more notices to give
                await self._pause()
            self._look()

    async def _follow(self, folders: Set[Path]) -> None:
        """Until other folders are to be watched."""
        if not folders:
            return await self._pause()
        changes = awatch(
            *folders,
            watch_filter=lambda change, path: Path(path) in self._files,
            debounce=TOGETHER,
            step=SILENCE,
            stop_event=self._moved,
            rust_timeout=AT_LEAST,
            yield_on_timeout=True,
            recursive=False,
        )
        async with aclosing(changes):
            async for _ in changes:
                self._look()
                if self._folders() != folders:
                    return

    async def _pause(self) -> None:
        """Until other files are watched, or for the time after which they are looked at in any case."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._moved.wait(), AT_LEAST / 1000)

    def _folders(self) -> Set[Path]:
        return {path.parent for path in self._files if path.parent.is_dir()}
