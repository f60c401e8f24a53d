"""An editor with a language server: what the tests of `cnndsl lsp` type with."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.protocol import JsonRPCProtocol, default_converter
from pytest_lsp import ClientServerConfig, LanguageClient
from pytest_lsp.client import register_lsp_features

COMMAND = [sys.executable, "-m", "cnndsl", "lsp"]


class Editor(LanguageClient):
    """Keeps the texts that it opened, and what the server sent."""

    def __init__(self) -> None:
        super().__init__(converter_factory=default_converter)
        self.texts: dict[str, str] = {}
        self.versions: dict[str, int] = {}
        self.checked: dict[str, int | None] = {}
        self.refreshed: list[str] = []
        self.agreed = types.ServerCapabilities()
        self._news = asyncio.Event()
        register_lsp_features(self)
        del self.protocol.fm.features[types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS]
        self.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(_published)
        for method in (types.WORKSPACE_INLAY_HINT_REFRESH, types.WORKSPACE_CODE_LENS_REFRESH):
            self.feature(method)(_refresher(method))
        self.feature(types.CLIENT_REGISTER_CAPABILITY)(_registered)

    async def join(self, server: LanguageServer, able: types.ClientCapabilities, **settings: Any) -> None:
        """Connects with a server in this process."""
        self.protocol.set_writer(_Wire(server.protocol), include_headers=False)
        server.protocol.set_writer(_Wire(self.protocol), include_headers=False)
        params = types.InitializeParams(able, initialization_options=settings or None)
        self.agreed = (await self.initialize_session(params)).capabilities

    # --- typing ----------------------------------------------------------------------------------

    def open(self, uri: str | Path, text: str, language: str = "yaml") -> str:
        uri = uri.as_uri() if isinstance(uri, Path) else uri
        self.texts[uri], self.versions[uri] = text, 1
        item = types.TextDocumentItem(uri, language, 1, text)
        self.text_document_did_open(types.DidOpenTextDocumentParams(item))
        return uri

    def type(self, uri: str, start: int, end: int, text: str) -> None:
        """Replaces a part of the text, as incremental synchronization tells it."""
        old = self.texts[uri]
        change = types.TextDocumentContentChangePartial(types.Range(at(old, start), at(old, end)), text)
        self._change(uri, old[:start] + text + old[end:], change)

    def replace(self, uri: str, old: str, new: str) -> None:
        start = self.texts[uri].index(old)
        self.type(uri, start, start + len(old), new)

    def retype(self, uri: str, text: str) -> None:
        """Replaces the whole text."""
        self._change(uri, text, types.TextDocumentContentChangeWholeDocument(text))

    def _change(self, uri: str, text: str, *changes: types.TextDocumentContentChangeEvent) -> None:
        self.texts[uri] = text
        self.versions[uri] += 1
        name = types.VersionedTextDocumentIdentifier(self.versions[uri], uri)
        self.text_document_did_change(types.DidChangeTextDocumentParams(name, changes))

    def close(self, uri: str) -> None:
        del self.texts[uri], self.versions[uri]
        self.checked.pop(uri, None)
        self.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri)))

    # --- what the server sends -------------------------------------------------------------------

    async def diagnosed(self, uri: str) -> Sequence[types.Diagnostic]:
        """The diagnostics of the text as it is now."""
        while self.checked.get(uri) != self.versions[uri]:
            await self.news()
        return self.diagnostics[uri]

    async def news(self) -> None:
        """Waits until diagnostics have come, or a wish to be asked again, since the last time."""
        await asyncio.wait_for(self._news.wait(), 20)
        self._news.clear()

    async def hints(self, uri: str) -> list[tuple[int, str]]:
        """The line from 1 and the text of each inlay hint."""
        whole = types.Range(types.Position(0, 0), at(self.texts[uri], len(self.texts[uri])))
        found = await self.text_document_inlay_hint_async(types.InlayHintParams(named(uri), whole))
        return [(hint.position.line + 1, str(hint.label)) for hint in found or ()]


class _Wire:
    """Hands messages to a protocol in the same process, as a pipe would: one after the other, and not at once."""

    def __init__(self, reader: JsonRPCProtocol) -> None:
        self.reader = reader

    def write(self, data: bytes) -> None:
        asyncio.get_running_loop().call_soon(self._read, data)

    def _read(self, data: bytes) -> None:
        self.reader.handle_message(json.loads(data, object_hook=self.reader.structure_message))

    def close(self) -> None:
        pass


def _published(editor: Editor, params: types.PublishDiagnosticsParams) -> None:
    editor.diagnostics[params.uri] = params.diagnostics
    editor.checked[params.uri] = params.version
    editor._news.set()


def _refresher(method: str) -> Any:
    def refresh(editor: Editor, params: None) -> None:
        editor.refreshed.append(method)
        editor._news.set()

    return refresh


def _registered(editor: Editor, params: types.RegistrationParams) -> None:
    """The server wants to be told of changed files."""


def named(uri: str) -> types.TextDocumentIdentifier:
    return types.TextDocumentIdentifier(uri)


def at(text: str, offset: int) -> types.Position:
    """The position of an offset, in UTF-16."""
    before = text[:offset].replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return types.Position(len(before) - 1, len(before[-1].encode("utf-16-le", "surrogatepass")) // 2)


def server(*options: str) -> ClientServerConfig:
    return ClientServerConfig([*COMMAND, *options], client_factory=Editor)


def capabilities(encodings: Sequence[str] = ("utf-16",), **text: Any) -> types.ClientCapabilities:
    """Those of an editor that can everything but ask for diagnostics. ``text`` are more for texts."""
    return types.ClientCapabilities(
        general=types.GeneralClientCapabilities(position_encodings=[*encodings]),
        workspace=types.WorkspaceClientCapabilities(
            inlay_hint=types.InlayHintWorkspaceClientCapabilities(refresh_support=True),
            code_lens=types.CodeLensWorkspaceClientCapabilities(refresh_support=True),
            did_change_watched_files=types.DidChangeWatchedFilesClientCapabilities(dynamic_registration=True),
            configuration=True,
        ),
        text_document=types.TextDocumentClientCapabilities(
            publish_diagnostics=types.PublishDiagnosticsClientCapabilities(
                related_information=True, version_support=True, code_description_support=True
            ),
            inlay_hint=types.InlayHintClientCapabilities(),
            rename=types.RenameClientCapabilities(prepare_support=True),
            completion=types.CompletionClientCapabilities(
                completion_item=types.ClientCompletionItemOptions(
                    snippet_support=True, documentation_format=[types.MarkupKind.Markdown]
                )
            ),
            hover=types.HoverClientCapabilities(content_format=[types.MarkupKind.Markdown]),
            **text,
        ),
    )
