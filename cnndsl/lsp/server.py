"""The server: receives texts, keeps their diagnostics current, and hands requests to the features."""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from lsprotocol import types
from pygls.exceptions import JsonRpcContentModified, JsonRpcException
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, lsp_method
from pygls.uris import to_fs_path

from cnndsl.lsp.checks import Findings
from cnndsl.lsp.client import Client, Settings
from cnndsl.lsp.features import FEATURES, Asked, Feature
from cnndsl.lsp.positions import Positions
from cnndsl.lsp.texts import Text, opened, path_of, uri_of
from cnndsl.lsp.translate import Translator
from cnndsl.lsp.workbench import Superseded, Workbench
from cnndsl.version import __version__

#: The seconds without an edit after which a text is checked: a burst of edits is checked once.
PAUSE = 0.02
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
        self._findings = Findings()
        self._unchecked: dict[Path, None] = {}
        self._checking: asyncio.Task[None] | None = None
        self._shown: set[Path] = set()
        self._register()

    def _register(self) -> None:
        self._on(types.INITIALIZE, self._initialize)
        self._on(types.INITIALIZED, self._initialized)
        self._on(types.WORKSPACE_DID_CHANGE_WATCHED_FILES, self._files_changed)
        self._on(types.WORKSPACE_DID_CHANGE_CONFIGURATION, self._configure)
        for method, feature in FEATURES.items():
            self._on(method, partial(self._answer, method, feature), feature.options)

    def _on(self, method: str, handler: Callable[[Any], Any], options: Any = None) -> None:
        self.feature(method, options)(partial(handler))  # pygls sets attributes of it, which a method has none of

    # --- the client ------------------------------------------------------------------------------

    def _initialize(self, params: types.InitializeParams) -> None:
        self.client = Client.of(params.capabilities, str(self.workspace.position_encoding))
        self.settings = Settings.of(params.initialization_options)
        if self.client.pulls:
            options = types.DiagnosticOptions(
                inter_file_dependencies=True, workspace_diagnostics=False, identifier="cnndsl"
            )
            self._on(types.TEXT_DOCUMENT_DIAGNOSTIC, self._pulled, options)

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
            self.refresh()

    def refresh(self) -> None:
        """Asks the client to ask again."""
        if self.client.refreshes_hints:
            self.workspace_inlay_hint_refresh(None)
        if self.client.refreshes_lenses:
            self.workspace_code_lens_refresh(None)

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Faults go to the client's log: a person who types can do nothing about them."""
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
        return Translator(Positions(self.client.encoding), self.bench.texts, self.client.has_related)

    def key(self, uri: str) -> Path:
        return path_of(uri, self.folder).resolve()

    def open(self, item: types.TextDocumentItem) -> None:
        self._edited(self.key(item.uri), opened(item, self.folder))

    def change(self, params: types.DidChangeTextDocumentParams) -> None:
        path = self.key(params.text_document.uri)
        text = self.bench.texts[path]
        positions = Positions(self.client.encoding)
        self._edited(path, text.changed(params.content_changes, params.text_document.version, positions))

    def close_text(self, uri: str) -> None:
        path = self.key(uri)
        affected = self.bench.affected([path]) - {path}
        self.bench.drop(path)
        self._unchecked.pop(path, None)
        self._show({path, *self._findings.drop(path)})
        self._check(affected)

    def _edited(self, path: Path, text: Text) -> None:
        self.bench.put(path, text)
        self._check([path, *self.bench.affected([path])])

    def _files_changed(self, params: types.DidChangeWatchedFilesParams) -> None:
        self._check(self.bench.affected(self.key(change.uri) for change in params.changes))

    # --- diagnostics -----------------------------------------------------------------------------

    def _check(self, specs: Iterable[Path]) -> None:
        """Checks specs soon, in this order."""
        self._unchecked |= dict.fromkeys(specs)
        if self._unchecked and (self._checking is None or self._checking.done()):
            self._checking = asyncio.ensure_future(self._check_all())

    async def _check_all(self) -> None:
        await asyncio.sleep(PAUSE)
        while self._unchecked:
            path = next(iter(self._unchecked))
            del self._unchecked[path]
            text = self.bench.texts.get(path)
            if text is None or not text.is_spec:
                continue
            try:
                analysis = await self.bench.analysis(path)
                self._show(self._findings.put(path, analysis))
            except Superseded:
                pass  # the newer text is to be checked, too
            except Exception:
                self.log(f"checking {path}:\n{traceback.format_exc()}")
            await asyncio.sleep(0)

    def _show(self, files: Iterable[Path]) -> None:
        """Sends the diagnostics of files, but for those that the client asks for itself."""
        translator = self.translator
        for file in files:
            text = self.bench.texts.get(file)
            found = [] if self.client.pulls and text else translator.diagnostics(self._findings.of(file))
            if found or file in self._shown:
                self._shown = self._shown | {file} if found else self._shown - {file}
                uri, version = uri_of(file, self.bench.texts), text.version if text else None
                params = types.PublishDiagnosticsParams(uri, found, version)
                self.text_document_publish_diagnostics(params)

    async def _pulled(self, params: types.DocumentDiagnosticParams) -> types.DocumentDiagnosticReport:
        path = self.key(params.text_document.uri)
        try:
            if (text := self.bench.texts.get(path)) and text.is_spec:
                self._show(self._findings.put(path, await self.bench.analysis(path)))
            found = self.translator.diagnostics(self._findings.of(path))
        except Superseded:
            raise JsonRpcContentModified() from None
        except Exception:
            self.log(f"diagnostics:\n{traceback.format_exc()}")
            found = []
        return types.RelatedFullDocumentDiagnosticReport(items=found)

    # --- requests --------------------------------------------------------------------------------

    async def _answer(self, method: str, feature: Feature, params: Any) -> Any:
        """The answer to a request about a text, None if it is no spec. A fault of a feature is logged: editors show
        each failed request to the person who types."""
        path = self.key(params.text_document.uri)
        text = self.bench.texts.get(path)
        if text is None or not text.is_spec:
            return None
        try:
            asked = Asked(await self.bench.analysis(path), self.translator, self.client, self.settings)
            return await self.bench.work(feature.answer, asked, params)
        except Superseded:
            raise JsonRpcContentModified() from None
        except JsonRpcException:
            raise
        except Exception:
            self.log(f"{method}:\n{traceback.format_exc()}")
            return None


def serve(stdin: BinaryIO, stdout: BinaryIO) -> None:
    """Answers until the client says goodbye or goes away."""
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
