"""A server of `cnndsl serve` in a process of its own, and a page's side of its protocol."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

#: Seconds that a test waits for what comes at once.
PATIENCE = 60


@dataclass(frozen=True)
class Served:
    """A server that runs: its process, and the address that it printed."""

    process: subprocess.Popen[str]
    address: str

    @property
    def host(self) -> str:
        return self.address.removeprefix("http://").partition("/")[0]

    @property
    def port(self) -> int:
        return int(self.host.rpartition(":")[2])

    @property
    def key(self) -> str:
        return self.address.partition("#key=")[2]

    def stop(self, number: int = signal.SIGINT) -> int:
        """The exit code after a signal."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


def free_port() -> str:
    """A port that is free now. The key of a server on a port that was asked for is kept."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return str(found.getsockname()[1])


def start(folder: Path, *arguments: str | Path, state: Path | None = None, browser: str = "") -> Served:
    """Starts a server in ``folder``, whose key is kept in ``state``, by default in a folder there. ``browser`` is a
    command to open the page with."""
    command = [sys.executable, "-m", "cnndsl", "serve", *map(str, arguments), *["--no-browser"] * (not browser)]
    environment = {**os.environ, "XDG_STATE_HOME": str(state or folder / ".state"), "BROWSER": browser}
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return Served(process, process.stdout.readline().strip())


@contextmanager
def served(folder: Path, *arguments: str | Path, state: Path | None = None, browser: str = "") -> Iterator[Served]:
    """A server, which is killed at the end."""
    server = start(folder, *arguments, state=state, browser=browser)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.communicate()


class Page:
    """The connection of a page: what it sends, and what it is told."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def send(self, type: str, **fields: Any) -> None:
        self.connection.send(json.dumps({"type": type, **fields}))

    def told(self) -> dict[str, Any]:
        """The next message."""
        message: dict[str, Any] = json.loads(self.connection.recv(PATIENCE))
        return message

    def until(self, type: str, holds: Callable[[dict[str, Any]], bool] = lambda message: True) -> dict[str, Any]:
        """The next message of a type for which something holds."""
        while True:
            message = self.told()
            if message["type"] == type and holds(message):
                return message

    def asked(self, type: str, answer: str, **fields: Any) -> dict[str, Any]:
        """Sends a message, and waits for a type of answer."""
        self.send(type, **fields)
        return self.until(answer)


@contextmanager
def page(server: Served, key: str = "") -> Iterator[Page]:
    """A page's connection, after its welcome."""
    url, origin = f"ws://{server.host}/socket", f"http://{server.host}"
    with connect(url, subprotocols=["cnndsl", key or server.key], origin=origin, max_size=None) as connection:  # type: ignore[list-item, arg-type]
        yield Page(connection)
