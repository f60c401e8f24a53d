"""Writing files: whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path


def write_file(path: Path, data: bytes, *, keep: Path | None = None) -> None:
    """Puts ``data`` at ``path`` in one step: until then the old file stays whole. Makes no folder. Raises OSError.

    The old file goes to ``keep``, if that is given. Whatever happens in between, one of the two is there.
    """
    check_folder(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o666 & ~_umask())
        if keep is not None and path.exists():
            path.replace(keep)
        Path(name).replace(path)
        _sync_folder(path.parent)
    finally:
        Path(name).unlink(missing_ok=True)


def check_folder(path: Path) -> None:
    """Raises OSError where there is no folder for a file at ``path``."""
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, f"there is no folder {path.parent}", str(path))


def _sync_folder(folder: Path) -> None:
    """Makes a rename last, where the system lets folders be opened."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
