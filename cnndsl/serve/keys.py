"""The keys that let a page in.

The key of a server whose port was asked for is kept on the disk, readable by its user alone: a page that is open gets
in again when the server is back. Others have a key of their own at each start. A key for one time is for an address
that other users can see, such as in the command line of a browser.
"""

from __future__ import annotations

import re
import secrets
from contextlib import suppress
from pathlib import Path

from cnndsl.writing import read_file, write_file

#: Random bytes of a key.
_BYTES = 32
_KEY = re.compile(r"[\w-]{43}", re.ASCII)


class Keys:
    """The ``key`` of a server, and those that were given out for one time."""

    def __init__(self, key: str = "") -> None:
        self.key = key or new_key()
        self._once: set[str] = set()

    def once(self) -> str:
        """A key that is valid once."""
        key = new_key()
        self._once.add(key)
        return key

    def admits(self, key: str) -> bool:
        """Whether a key is valid. The time that this takes tells nothing about the keys."""
        given = key.encode()
        if secrets.compare_digest(given, self.key.encode()):
            return True
        found = [one for one in self._once if secrets.compare_digest(given, one.encode())]
        self._once.difference_update(found)
        return bool(found)


def new_key() -> str:
    return secrets.token_urlsafe(_BYTES)


def kept_key(port: int) -> str:
    """The key of the server on a port, the same each time. If there is no place to keep it, it is new each time."""
    from platformdirs import user_state_path

    path = user_state_path("cnndsl", appauthor=False) / "serve" / f"{port}.key"
    with suppress(OSError):
        return _read(path) or _written(path)
    return new_key()


def _read(path: Path) -> str:
    try:
        text = read_file(path, 2 * _BYTES).decode("ascii", "replace").strip()
    except FileNotFoundError:
        return ""
    return text if _KEY.fullmatch(text) else ""


def _written(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)  # before the key is in it
    key = new_key()
    write_file(path, f"{key}\n".encode())
    path.chmod(0o600)
    return key
