"""Runs the server: on loopback alone, until it is interrupted."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from uvicorn import Config, Server

from cnndsl.record import Record
from cnndsl.serve.app import application
from cnndsl.serve.hub import TABS, Hub
from cnndsl.serve.keys import Keys, kept_key, new_key
from cnndsl.serve.project import Project

#: The port that is tried first, C-N-N on the keys of a telephone, and how many after it.
PORT, MORE = 4266, 20
#: The most bytes of a message for each of a text: JSON may write a character as ``\\u00e9``.
_ESCAPED = 6


class Listening(Record, frozen=True):
    """The open sockets of a server, and their port."""

    sockets: tuple[socket.socket, ...]
    port: int


def listen(port: int | None) -> Listening:
    """Opens a port on 127.0.0.1, and on ::1 if there is IPv6: ``port``, 0 for any, or None for the first of the usual
    ones that is free. Raises OSError."""
    if port is not None:
        return _listening(port)
    for usual in range(PORT, PORT + MORE):
        try:
            return _listening(usual)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
    return _listening(0)


def _listening(port: int) -> Listening:
    first = _bound(socket.AF_INET, "127.0.0.1", port)
    port = first.getsockname()[1]
    try:
        return Listening((first, _bound(socket.AF_INET6, "::1", port)), port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            first.close()
            raise
        return Listening((first,), port)


def _bound(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio asks for the protocol by name
    try:
        if os.name == "posix":  # elsewhere, it lets two programs have one port
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind((host, port))
        opened.listen()
    except OSError:
        opened.close()
        raise
    return opened


class Live:
    """A server with its keys. The addresses that it gives let a page in. With ``keeps_key``, its key is that of the
    last server on the port."""

    def __init__(self, project: Project, spec: str, listening: Listening, keeps_key: bool) -> None:
        self._listening = listening
        self._keys = Keys(kept_key(listening.port) if keeps_key else new_key())
        self._hub = Hub(project, spec, self._keys.key)
        self._limit = _ESCAPED * project.limits.file

    @property
    def address(self) -> str:
        return self._address(self._keys.key)

    def address_for_once(self) -> str:
        """An address that lets one page in."""
        return self._address(self._keys.once())

    def _address(self, key: str) -> str:
        return f"http://127.0.0.1:{self._listening.port}/#key={key}"

    def run(self) -> None:
        """Serves until Ctrl-C, which raises KeyboardInterrupt."""
        config = Config(
            application(self._hub, self._keys, self._listening.port),
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            lifespan="on",
            ws="websockets-sansio",
            ws_max_size=self._limit,
            ws_ping_interval=None,  # a page of this machine does not get lost
            ws_per_message_deflate=False,
            limit_concurrency=4 * TABS,
        )
        asyncio.run(_Server(config).serve([*self._listening.sockets]))


class _Server(Server):
    """A server that leaves signals to the program: Ctrl-C ends it at once."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
