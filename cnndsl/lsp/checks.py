"""What is wrong in the open specs, and in the files that they extend and use."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from lsprotocol import types

from cnndsl.diagnostics import Diagnostic, ordered
from cnndsl.editing.analysis import Analysis
from cnndsl.lsp.client import Client
from cnndsl.lsp.project import user
from cnndsl.lsp.texts import Texts, uri_of
from cnndsl.lsp.translate import Translator
from cnndsl.lsp.workbench import Analysed, Superseded, Workbench
from cnndsl.record import Record


class Findings:
    """The diagnostics of each spec that was checked, by the files that they are in. A file that several specs use has
    those of all of them."""

    def __init__(self) -> None:
        self._of: dict[Path, Mapping[Path, Sequence[Diagnostic]]] = {}

    def put(self, spec: Path, analysis: Analysis) -> set[Path]:
        """Keeps what was found in a spec. Returns the files in which something else was found before."""
        return self._replace(spec, _by_file(spec, analysis.compilation.diagnostics))

    def drop(self, spec: Path) -> set[Path]:
        """Forgets a spec that was closed; returns as :meth:`put`."""
        return self._replace(spec, {})

    def of(self, file: Path) -> list[Diagnostic]:
        """All that is known of a file, sorted, each fault once."""
        return ordered(item for found in self._of.values() for item in found.get(file, ()))

    def _replace(self, spec: Path, found: Mapping[Path, Sequence[Diagnostic]]) -> set[Path]:
        before = self._of.pop(spec, {})
        if found:
            self._of[spec] = found
        return {file for file in before.keys() | found.keys() if before.get(file) != found.get(file)}


def _by_file(spec: Path, faults: Iterable[Diagnostic]) -> dict[Path, list[Diagnostic]]:
    found: dict[Path, list[Diagnostic]] = {}
    for item in faults:
        found.setdefault(Path(item.span.source.name).resolve() if item.span else spec, []).append(item)
    return found


class Ways(Record, frozen=True):
    """How a client is told: the diagnostics of a file, a fault of the server, and that it should ask again."""

    publish: Callable[[types.PublishDiagnosticsParams], None]
    log: Callable[[str], None]
    refresh: Callable[[], None]


class Checks:
    """Checks the open specs when they change, or a file that they are made of, and tells the client."""

    def __init__(self, bench: Workbench, ways: Ways) -> None:
        self.bench, self.ways = bench, ways
        self.client = Client()
        self._findings = Findings()
        self._unchecked: dict[Path, None] = {}
        self._work: asyncio.Task[None] | None = None
        #: The files of which the client has diagnostics.
        self._shown: set[Path] = set()
        self._others_changed = False

    def edited(self, path: Path) -> None:
        """Checks a text that was edited, and then its users."""
        self.changed(self.bench.users(path))
        self._soon([path])

    def changed(self, specs: Iterable[Path]) -> None:
        """Checks specs that changed without an edit, since another file did: the client does not know this."""
        found = [*specs]
        self._others_changed |= bool(found)
        self._soon(found)

    def closed(self, path: Path) -> None:
        users = self.bench.users(path)
        gone = self.bench.drop(path)
        self._show({path}.union(*map(self._findings.drop, gone)), self.bench.texts)
        self.changed([path, *users])

    async def of(self, path: Path) -> list[types.Diagnostic]:
        """The diagnostics of an open text, for a client that asks. Raises :class:`Superseded`."""
        if self._is_spec(path):
            self._found(path, await self.bench.analysed(path))
        return Translator(self.client, self.bench.texts).diagnostics(self._findings.of(path))

    # --- checking --------------------------------------------------------------------------------

    def _soon(self, specs: Iterable[Path]) -> None:
        """Checks specs before all others that wait."""
        self._unchecked = {**dict.fromkeys(specs), **self._unchecked}
        if self._unchecked and (self._work is None or self._work.done()):
            self._work = asyncio.ensure_future(self._check_all())

    async def _check_all(self) -> None:
        """One after the other. Of several edits that come meanwhile, only the last text is checked."""
        while self._unchecked:
            path = next(iter(self._unchecked))
            del self._unchecked[path]
            if self._is_spec(path):
                await self._check(path)
        if self._others_changed:
            self._others_changed = False
            self.ways.refresh()

    async def _check(self, path: Path) -> None:
        try:
            self._found(path, found := await self.bench.analysed(path))
            await self._host(path, found)
        except Superseded:
            pass  # the newer text is to be checked, too
        except Exception:
            self.ways.log(f"checking {path}:\n{traceback.format_exc()}")

    def _is_spec(self, path: Path) -> bool:
        text = self.bench.texts.get(path)
        return path in self.bench.hosts.values() if text is None else text.is_spec

    async def _host(self, library: Path, found: Analysed) -> None:
        """Has a spec of the project checked with a file of blocks that no open spec uses: shapes are those of uses."""
        document = found.analysis.alive.document
        if document is None or "network" in document.tree.keys:
            return
        if library in self.bench.hosts or self.bench.users(library):
            return
        host = await self.bench.work(user, found, self.bench.texts)
        if library in self.bench.texts:
            self.bench.hosts[library] = host
            self.changed([host] if host else [])

    # --- telling ---------------------------------------------------------------------------------

    def _found(self, path: Path, found: Analysed) -> None:
        """Shows what was found in a spec and in what it is made of."""
        self._show({path, *self._findings.put(path, found.analysis)}, found.texts)

    def _show(self, files: Iterable[Path], texts: Texts) -> None:
        """Sends the diagnostics of files, but for those that the client asks for itself. ``texts`` are those that were
        checked: the client learns each time which version that was, for it may have a newer one."""
        translator = Translator(self.client, texts)
        for file in files:
            text = texts.get(file)
            is_pushed = text is not None and not self.client.pulls
            found = [] if text and not is_pushed else translator.diagnostics(self._findings.of(file))
            if found or file in self._shown or is_pushed:
                self._shown = self._shown | {file} if found else self._shown - {file}
                version = text.version if text else None
                self.ways.publish(types.PublishDiagnosticsParams(uri_of(file, texts), found, version))
