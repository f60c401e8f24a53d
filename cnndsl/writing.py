"""Reads files without ever waiting, and writes them whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # not a POSIX system: nothing is locked, so nothing is cleaned up
    fcntl = None  # type: ignore[assignment]

#: The name of an unfinished file: hidden, beside the file that it becomes, and unlike any name that people choose.
_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{8}\.cnndsl", re.DOTALL)
#: The most bytes of a file's own name in it. File systems allow 255 altogether.
_KEPT = 255 - len("..01234567.cnndsl")


def given_path(value: object, expected: str = "a path must be a str or an os.PathLike") -> Path:
    """A path from Python, with ``~`` for the home folder. Raises TypeError with what is
    ``expected`` for anything else."""
    path = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
    if not isinstance(path, str):
        raise TypeError(f"{expected}, not {'None' if value is None else type(value).__name__}")
    with suppress(RuntimeError):  # if there is no home folder
        return Path(path).expanduser()
    return Path(path)


def read_file(path: Path | str, at_most: int = -1, *, pipes: bool = False) -> bytes:
    """The bytes of a regular file, the first ``at_most`` of them. Raises OSError.

    Opening never waits, as it would for a FIFO. Paths from folders and specs are read by this function. A path from a
    person may be, with ``pipes``, a FIFO that has a writer, such as ``<(...)``.
    """
    with _opened(path, pipes) as file:
        data = file.read(at_most)
        if not data and stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is a pipe without a writer", str(path))
        return data


def _opened(path: Path | str, pipes: bool = False) -> IO[bytes]:
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        mode = os.fstat(descriptor).st_mode
        if pipes and stat.S_ISFIFO(mode):
            os.set_blocking(descriptor, True)
        else:
            _refuse_irregular(mode, path)
        return os.fdopen(descriptor, "rb")
    except OSError:
        os.close(descriptor)
        raise


def _refuse_irregular(mode: int, path: Path | str) -> None:
    if not stat.S_ISREG(mode):
        kind = "it is a folder" if stat.S_ISDIR(mode) else "it is not a regular file"
        raise OSError(errno.EINVAL, kind, str(path))


def write_file(path: Path, data: bytes, *, keep: Path | None = None) -> None:
    """Writes ``data`` to ``path`` in one step: until then the old file stays whole. Creates no folder. Raises OSError
    that names ``path``.

    The old file is moved to ``keep``, if given. Whatever happens in between, one of the two exists. Leftovers of
    killed processes beside it are removed.
    """
    try:
        check_folder(path)
        if path.exists():
            _refuse_irregular(path.stat().st_mode, path)
        clear_unfinished(path.parent, path.name)
        with _unfinished(path) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            if keep is not None and path.exists():
                path.replace(keep)
            Path(file.name).replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def clear_unfinished(folder: Path, name: str = "") -> None:
    """Removes the leftovers of killed writers in a folder, of the file ``name`` or of all."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            ours = _UNFINISHED.fullmatch(entry.name) and entry.name.startswith(f".{_kept(name)}")
            if ours and entry.is_file(follow_symlinks=False):
                _clear(entry.path)


def _kept(name: str) -> str:
    """The start of a name that is in the name of its unfinished file."""
    while len(os.fsencode(name)) > _KEPT:
        name = name[:-1]
    return name


@contextmanager
def _unfinished(path: Path) -> Iterator[IO[bytes]]:
    """A new file beside ``path``, locked while it is written: unlocked leftovers may be removed."""
    while True:
        beside = path.with_name(f".{_kept(path.name)}.{os.urandom(4).hex()}.cnndsl")
        with beside.open("xb") as file:
            try:
                _lock(file, wait=True)
                if beside.exists():  # or it was removed before it was locked
                    yield file
                    return
            finally:
                beside.unlink(missing_ok=True)


def _clear(name: str) -> None:
    with suppress(OSError), _opened(Path(name)) as file:
        if _lock(file, wait=False):
            Path(name).unlink(missing_ok=True)


def _lock(file: IO[bytes], wait: bool) -> bool:
    """Locks a file for this process, until it closes the file or dies. Whether that worked."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:  # another process has it, or the file system has no locks
        return False
    return True


def check_folder(path: Path) -> None:
    """Raises OSError if there is no folder for a file at ``path``."""
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, f"there is no folder {path.parent}", str(path))


def _sync_folder(folder: Path) -> None:
    """Makes a rename durable, if the system can open folders."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
