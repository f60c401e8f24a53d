"""Where data sets are looked for, and where they are put."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from cnndsl.diagnostics import Code, RunError, shorten

#: Seconds that a server may be silent while something is downloaded.
PATIENCE = 30
#: Processes that read pictures, at most.
MOST_WORKERS = 8


@dataclass(frozen=True)
class Places:
    """Where to look for data, and with how many processes to read what is not held in memory.

    ``data_dir`` is what the user said. ``workers`` None means as many as there are CPUs for this process,
    up to :data:`MOST_WORKERS`; 0 reads in the process itself.
    """

    data_dir: Path | None = None
    workers: int | None = None

    @property
    def cache(self) -> Path:
        """The user's folder for what can be had again."""
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
        """How many processes read pictures. The processes of a training on one machine share its CPUs."""
        if self.workers is not None:
            return self.workers
        cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return min(max(cpus // int(os.environ.get("LOCAL_WORLD_SIZE", "1")), 1), MOST_WORKERS)


def complete(folder: Path, files: Sequence[str]) -> dict[str, Path] | None:
    """The ``files`` of a folder, each as it is or gzipped; None if not every one of them can be seen."""
    found = {}
    with suppress(OSError):
        for name in files:
            for path in (folder / f"{name}.gz", folder / name):
                if path.is_file():
                    found[name] = path
    return found if len(found) == len(files) else None


@dataclass(frozen=True)
class Wanted:
    """A data set that is looked for: its files, the folders that may hold them, how torchvision downloads it to a
    folder, and another way to come by it."""

    name: str
    files: Sequence[str]
    folders: Sequence[Path]
    download: Callable[[Path], None]
    tip: str = ""


def files_of(wanted: Wanted, places: Places) -> dict[str, Path]:
    """The files from the first folder that has all of them, else after a download. Raises :class:`RunError` if that
    fails."""
    found = _found(wanted)
    why = "it gave other files than expected"
    if found is None:
        try:
            _download(wanted.download, places.downloads)
            found = _found(wanted)
        except Exception as error:  # torchvision and urllib raise about anything, and all of it means the same here
            why = shorten(" ".join(str(error).split()) or type(error).__name__)
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
    """Downloads beside, and moves what has come in whole: a download that is cut off leaves nothing behind,
    and processes that download at the same time do not get in each other's way."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".download-", dir=folder) as temporary, _patience():
        download(Path(temporary))
        for path in [*Path(temporary).rglob("*")]:
            if path.is_file() and path.suffix not in (".gz", ".tgz"):  # torchvision has unpacked those
                target = folder / path.relative_to(temporary)
                target.parent.mkdir(parents=True, exist_ok=True)
                path.replace(target)


@contextmanager
def _patience() -> Iterator[None]:
    """Torchvision waits for servers without end; not so in here."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
