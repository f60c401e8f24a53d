"""Where to look for data sets, and where to put them."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from cnndsl.diagnostics import Code, RunError, cause

#: Seconds that a server may be silent during a download.
PATIENCE = 30
#: The most processes that read pictures by default.
MOST_WORKERS = 8


@dataclass(frozen=True)
class Places:
    """Where to look for data, and how many processes read data that is not kept in memory.

    ``data_dir`` is the user's choice. ``workers`` None means one for each CPU of this process, at most
    :data:`MOST_WORKERS`; 0 reads in the process itself. ``watch`` is called with the numbers of pictures checked and
    to be checked; it may end the check by an exception.
    """

    data_dir: Path | None = None
    workers: int | None = None
    watch: Callable[[int, int], None] = lambda done, total: None

    @property
    def cache(self) -> Path:
        """The user's cache folder."""
        from platformdirs import user_cache_path

        return user_cache_path("cnndsl") / "data"

    def given(self) -> tuple[Path, ...]:
        """The folders that the user has named."""
        environment = os.environ.get("CNNDSL_DATA_DIR")
        named = (self.data_dir, Path(environment) if environment else None)
        return tuple(folder.expanduser() for folder in named if folder)

    def folders(self) -> tuple[Path, ...]:
        """Where to look, in order."""
        return (*self.given(), self.cache)

    @property
    def downloads(self) -> Path:
        """Where downloads go."""
        return self.data_dir.expanduser() if self.data_dir else self.cache

    def processes(self) -> int:
        """The number of processes that read pictures. The processes of a training on one machine share its CPUs."""
        if self.workers is not None:
            return self.workers
        cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return min(max(cpus // int(os.environ.get("LOCAL_WORLD_SIZE", "1")), 1), MOST_WORKERS)


def complete(folder: Path, files: Sequence[str]) -> dict[str, Path] | None:
    """The ``files`` of a folder, each plain or gzipped; None if any of them cannot be found."""
    found = {}
    with suppress(OSError):
        for name in files:
            for path in (folder / f"{name}.gz", folder / name):
                if path.is_file():
                    found[name] = path
    return found if len(found) == len(files) else None


@dataclass(frozen=True)
class Wanted:
    """A data set to find: its files, the folders that may hold them, how torchvision downloads it to a folder, and a
    tip for another way to get it."""

    name: str
    files: Sequence[str]
    folders: Sequence[Path]
    download: Callable[[Path], None]
    tip: str = ""


def files_of(wanted: Wanted, places: Places) -> dict[str, Path]:
    """The files from the first folder that has all of them, otherwise from a download. Raises :class:`RunError` if that
    fails."""
    found = _found(wanted)
    why = "it gave other files than expected"
    if found is None:
        try:
            _download(wanted.download, places.downloads)
            found = _found(wanted)
        except Exception as error:  # torchvision and urllib raise almost anything, with the same meaning here
            why = cause(error)
    if found is None:
        raise _not_there(wanted, why)
    return found


def _found(wanted: Wanted) -> dict[str, Path] | None:
    return next(filter(None, (complete(folder, wanted.files) for folder in wanted.folders)), None)


def _not_there(wanted: Wanted, why: str) -> RunError:
    option = f"`--data-dir FOLDER`, or $CNNDSL_DATA_DIR, with a folder that has {', '.join(wanted.files)}"
    ways = [wanted.tip, option] if wanted.tip else [option]
    notes = [*(f"it is not in {folder}" for folder in wanted.folders), f"the download failed: {why}"]
    return RunError(Code.DATA, f"the data set `{wanted.name}` was not found", "\n".join(ways), notes)


def _download(download: Callable[[Path], None], folder: Path) -> None:
    """Downloads to a temporary folder, and moves complete files: an interrupted download leaves nothing behind, and
    processes that download at the same time do not disturb each other."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".download-", dir=folder) as temporary, _patience():
        download(Path(temporary))
        for path in [*Path(temporary).rglob("*")]:
            if path.is_file() and path.suffix not in (".gz", ".tgz"):  # torchvision has unpacked them
                target = folder / path.relative_to(temporary)
                target.parent.mkdir(parents=True, exist_ok=True)
                path.replace(target)


@contextmanager
def _patience() -> Iterator[None]:
    """Within it, waiting for a server times out: torchvision would wait forever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
