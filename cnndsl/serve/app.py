"""The server as an ASGI application: the page, its files, and the WebSocket.

Every page of the web can make a browser send requests to this machine. So a request must name the server by an address
of this machine: the name of a stranger's domain that leads here is refused. A WebSocket must come from the page itself,
and needs a key, which only the printed address has. Without it, the server gives away nothing but its own files.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Set
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request as Asked
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from cnndsl.diagnostics import shorten
from cnndsl.serve.hub import Hub, Tab
from cnndsl.serve.keys import Keys
from cnndsl.serve.messages import CLOSED, Refused, Request, Told
from cnndsl.version import __version__

BUILT = Path(__file__).parent / "built"
PROTOCOL = "cnndsl"
#: Nothing but the page's own files, no script within it, no page around it. Colours of a figure are attributes.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; style-src-attr 'unsafe-inline'; "
    "connect-src 'self' ws://{host}; img-src 'self' data: blob:; font-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_REFUSAL = PlainTextResponse("this server is for its own machine", 403)
_decoder = msgspec.json.Decoder(Request)


def application(hub: Hub, keys: Keys, port: int) -> Starlette:
    """The application of a server on a port."""

    @asynccontextmanager
    async def watching(app: Starlette) -> AsyncIterator[None]:
        watch = asyncio.create_task(hub.watch())
        yield
        watch.cancel()

    async def socket(connection: WebSocket) -> None:
        await _socket(connection, hub, keys)

    routes = [
        Route("/", _page),
        WebSocketRoute("/socket", socket),
        Mount("/", StaticFiles(directory=BUILT, check_dir=False)),
    ]
    return Starlette(routes=routes, lifespan=watching, middleware=[Middleware(Guard, hosts=hosts(port))])


def hosts(port: int) -> frozenset[str]:
    """What a browser calls a server of this machine."""
    names = ("127.0.0.1", "localhost", "[::1]")
    return frozenset(f"{name}:{port}" for name in names) | (frozenset(names) if port == 80 else frozenset())


class Guard:
    """Refuses requests for another host and WebSockets from another site, and adds the headers of every answer."""

    def __init__(self, app: ASGIApp, hosts: Set[str]) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and not self._is_own(scope):
            await WebSocket(scope, receive, send).close()
        elif scope["type"] == "http":
            app = self.app if self._names_us(scope) else _REFUSAL
            await app(scope, receive, _with_headers(send))
        else:
            await self.app(scope, receive, send)

    def _names_us(self, scope: Scope) -> bool:
        named = Headers(scope=scope).getlist("host")
        return len(named) == 1 and named[0] in self.hosts

    def _is_own(self, scope: Scope) -> bool:
        """Whether a WebSocket was opened by our page."""
        headers = Headers(scope=scope)
        return self._names_us(scope) and headers.getlist("origin") == [f"http://{headers['host']}"]


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending


async def _page(request: Asked) -> HTMLResponse:
    nonce = secrets.token_urlsafe(16)
    text = (BUILT / "live.html").read_text(encoding="utf-8")
    policy = _POLICY.format(nonce=nonce, host=request.headers["host"])
    text = text.replace("{nonce}", nonce).replace("{version}", __version__)
    return HTMLResponse(text, headers={"Content-Security-Policy": policy})


# --- the WebSocket ---------------------------------------------------------------------------------------


async def _socket(connection: WebSocket, hub: Hub, keys: Keys) -> None:
    offered = connection.scope["subprotocols"]
    await connection.accept(PROTOCOL if PROTOCOL in offered else None)
    if hub.is_full:
        await _close(connection, 4429)
    elif not any(keys.admits(key) for key in offered):
        await _close(connection, 4401)
    else:
        with hub.tab() as tab:
            await _converse(connection, hub, tab)


async def _close(connection: WebSocket, code: int) -> None:
    await connection.close(code, CLOSED[code])


async def _converse(connection: WebSocket, hub: Hub, tab: Tab) -> None:
    """Until the connection is closed."""

    async def send(told: Told) -> None:
        await connection.send_text(_written(told))

    try:
        async with asyncio.TaskGroup() as group:
            work = group.create_task(hub.work(tab, send))
            while (message := await connection.receive())["type"] == "websocket.receive":
                await tab.put(_read(message.get("text")))
            work.cancel()
    except* (WebSocketDisconnect, RuntimeError):  # it was closed while something was sent
        pass


def _written(told: Told) -> str:
    """A message as JSON. A file's name that is not UTF-8 has halves of characters, which only escapes can hold."""
    try:
        return msgspec.json.encode(told).decode()
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(told))


def _read(text: str | None) -> Request | Refused:
    """A message of the page, or the refusal of one that cannot be read."""
    try:
        request: Request = _decoder.decode(text or "")
        return request
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        return Refused("", "message", shorten(str(error)))
