"""The server: receives texts, keeps their diagnostics current, and hands requests to the features."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from lsprotocol import types
from pygls.exceptions import FeatureRequestError, JsonRpcContentModified, JsonRpcException
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, lsp_method
from pygls.uris import to_fs_path

from cnndsl.lsp.checks import Checks, Ways
from cnndsl.lsp.client import Client, Settings
from cnndsl.lsp.features import FEATURES, FOLLOW, Asked, Feature, is_at_call, shows_other_use
from cnndsl.lsp.texts import Text, moved, opened, path_of
from cnndsl.lsp.translate import Translator
from cnndsl.lsp.workbench import Superseded, Workbench
from cnndsl.version import __version__

#: The seconds that a thread computes before others may. A message takes several turns to be received: with Python's own
#: 5 ms, one that comes during a compile would be read long after its end.
SWITCH = 0.0005
T = TypeVar("T")
_WATCHED = [types.FileSystemWatcher("**/*.{yaml,yml}")]


class _Protocol(LanguageServerProtocol):
    """Pygls keeps the open texts, too, but with other ends of lines than the protocol's, so ours are the only ones."""

    _server: Server

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: types.DidOpenTextDocumentParams) -> None:
        self._server.open(params.text_document)

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> None:
        self._server.change(params)

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> None:
        self._server.close_text(params.text_document.uri)


class Server(LanguageServer):
    def __init__(self) -> None:
        super().__init__("cnndsl", __version__, protocol_cls=_Protocol)
        self.bench = Workbench()
        self.client = Client()
        self.settings = Settings()
        ways = Ways(self.text_document_publish_diagnostics, self.log, self.refresh)
        self.checks = Checks(self.bench, ways)
        #: The offset of the call whose use of a block the hints show, for each text.
        self.followed: dict[Path, int] = {}
        self._register()

    def _register(self) -> None:
        self._on(types.INITIALIZE, self._initialize)
        self._on(types.INITIALIZED, self._initialized)
        self._on(types.WORKSPACE_DID_CHANGE_WATCHED_FILES, self._files_changed)
        self._on(types.WORKSPACE_DID_CHANGE_CONFIGURATION, self._configure)
        for method, feature in FEATURES.items():
            self._on(method, partial(self._answer, method, feature), feature.options)
        self.command(FOLLOW)(partial(self._follow))

    def _on(self, method: str, handler: Callable[[Any], Any], options: Any = None) -> None:
        self.feature(method, options)(partial(handler))  # pygls sets attributes of it, which a method has none of

    # --- the client ------------------------------------------------------------------------------

    def _initialize(self, params: types.InitializeParams) -> None:
        self.client = self.checks.client = Client.of(params.capabilities, str(self.workspace.position_encoding))
        self.settings = Settings.of(params.initialization_options)
        if self.client.pulls:
            options = types.DiagnosticOptions(
                inter_file_dependencies=True, workspace_diagnostics=False, identifier="cnndsl"
            )
            self._on(types.TEXT_DOCUMENT_DIAGNOSTIC, self._diagnose, options)

    async def _initialized(self, params: types.InitializedParams) -> None:
        if self.client.watches_files:
            options = types.DidChangeWatchedFilesRegistrationOptions(_WATCHED)
            watching = types.Registration("specs", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)
            self.client_register_capability(types.RegistrationParams([watching]))
        await self._configure(types.DidChangeConfigurationParams(None))

    async def _configure(self, params: types.DidChangeConfigurationParams) -> None:
        given = params.settings
        if self.client.has_configuration:
            item = types.ConfigurationItem(section="cnndsl")
            (given,) = await self.workspace_configuration_async(types.ConfigurationParams([item]))
        elif isinstance(given, dict):
            given = given.get("cnndsl")
        if given is not None:
            self.settings = Settings.of(given)
            self.refresh_hints()

    def refresh(self) -> None:
        """Asks the client to ask again, if it can: texts changed the answers about others."""
        self.refresh_hints()
        if self.client.pulls and self.client.refreshes_diagnostics:
            self.workspace_diagnostic_refresh(None)

    def refresh_hints(self) -> None:
        if self.client.refreshes_hints:
            self.workspace_inlay_hint_refresh(None)
        if self.client.refreshes_lenses:
            self.workspace_code_lens_refresh(None)

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Faults go to the client's log: a person who types can do nothing about them. A request has its answer."""
        if source is not FeatureRequestError:
            self.log(f"{type(error).__name__}: {error}")

    def log(self, message: str) -> None:
        self.window_log_message(types.LogMessageParams(types.MessageType.Error, message))

    # --- texts -----------------------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        """Where texts belong that are in no file yet."""
        root = self.workspace.root_uri and to_fs_path(self.workspace.root_uri)
        return Path(root or ".").absolute()

    @property
    def translator(self) -> Translator:
        return Translator(self.client, self.bench.texts)

    def key(self, uri: str) -> Path:
        return path_of(uri, self.folder).resolve()

    def open(self, item: types.TextDocumentItem) -> None:
        self._edited(self.key(item.uri), opened(item, self.folder))

    def change(self, params: types.DidChangeTextDocumentParams) -> None:
        path = self.key(params.text_document.uri)
        old, version = self.bench.texts[path], params.text_document.version
        new = old.changed(params.content_changes, version, self.translator.positions)
        if path in self.followed:
            self.followed[path] = moved(self.followed[path], old.source.text, new.source.text)
        self._edited(path, new)

    def close_text(self, uri: str) -> None:
        path = self.key(uri)
        self.followed.pop(path, None)
        self.checks.closed(path)

    def _edited(self, path: Path, text: Text) -> None:
        self.bench.put(path, text)
        self.checks.edited(path)

    def _files_changed(self, params: types.DidChangeWatchedFilesParams) -> None:
        self.checks.changed(self.bench.affected(self.key(change.uri) for change in params.changes))

    # --- requests --------------------------------------------------------------------------------

    async def _answer(self, method: str, feature: Feature, params: Any) -> Any:
        """The answer to a request about a text, None if it is no spec."""
        path = self.key(params.text_document.uri)
        text = self.bench.texts.get(path)
        return await self._safe(method, self._of_spec(path, feature, params)) if text and text.is_spec else None

    async def _of_spec(self, path: Path, feature: Feature, params: Any) -> Any:
        asked = await self._asked(path, feature.of_users)
        if feature.cursor is not None:
            await self._look(path, asked, asked.offset(feature.cursor(params)))
        return await self.bench.work(feature.answer, asked, params)

    async def _diagnose(self, params: types.DocumentDiagnosticParams) -> types.DocumentDiagnosticReport:
        found = await self._safe(types.TEXT_DOCUMENT_DIAGNOSTIC, self.checks.of(self.key(params.text_document.uri)))
        return types.RelatedFullDocumentDiagnosticReport(items=found or [])

    async def _safe(self, method: str, answer: Coroutine[Any, Any, T]) -> T | None:
        """An answer, if nothing fails. A fault of ours is logged and no failure, because editors show each failed
        request to the person who types."""
        try:
            return await answer
        except Superseded:
            raise JsonRpcContentModified() from None
        except JsonRpcException:
            raise
        except Exception:
            self.log(f"{method}:\n{traceback.format_exc()}")
            return None

    async def _asked(self, path: Path, of_users: bool = False) -> Asked:
        made = await self.bench.analysed(path)
        users = [(await self.bench.analysed(user)).analysis for user in self.bench.users(path)] if of_users else []
        return Asked(made, self.translator, self.settings, self.followed.get(path), tuple(users))

    # --- the use of a block that hints show ------------------------------------------------------

    async def _look(self, path: Path, asked: Asked, offset: int) -> None:
        """The cursor is at an offset: if that is in the call of a block, hints in the block show this use."""
        if offset != asked.cursor and await self.bench.work(is_at_call, asked.analysis, offset):
            self.followed[path] = offset
            if await self.bench.work(shows_other_use, asked, offset):
                self.refresh_hints()

    async def _follow(self, uri: str, position: types.Position) -> None:
        """The command of a lens: as if the cursor were there."""
        path = self.key(uri)
        self.followed[path] = (await self._asked(path)).offset(position)
        self.refresh_hints()


def serve(stdin: BinaryIO, stdout: BinaryIO) -> None:
    """Answers until the client says goodbye or goes away."""
    sys.setswitchinterval(SWITCH)
    server = Server()
    try:
        server.start_io(stdin, stdout)
    finally:
        server.bench.close()


def own_stdout() -> BinaryIO:
    """stdout for the protocol alone: whatever else is printed, by any library, goes to stderr."""
    sys.stdout.flush()
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return channel
