"""The texts that are open in an editor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

from lsprotocol import types
from pygls.uris import to_fs_path

from cnndsl.lsp.positions import Positions
from cnndsl.lsp.recognition import is_spec
from cnndsl.record import Record
from cnndsl.source import Source


class Text(Record, frozen=True, eq=False, dict=True):
    """A text as it is in the editor. ``path`` is its file as the editor names it, and ``was_spec`` tells whether it was
    a spec once: it stays one, however broken it is while somebody types."""

    uri: str
    path: Path
    language: str
    version: int
    source: Source
    was_spec: bool = False

    @cached_property
    def is_spec(self) -> bool:
        return self.was_spec or is_spec(self.source.text, self.language)

    def changed(
        self, changes: Sequence[types.TextDocumentContentChangeEvent], version: int, positions: Positions
    ) -> Text:
        """The text after changes, each of which is one of the text after the one before."""
        source = self.source
        for change in changes:
            text = change.text
            if isinstance(change, types.TextDocumentContentChangePartial):
                span = positions.span(source, change.range)
                text = source.text[: span.start] + text + source.text[span.end :]
            source = Source(source.name, text)
        return Text(self.uri, self.path, self.language, version, source, self.is_spec)


def moved(offset: int, old: str, new: str) -> int:
    """Where the place at an offset of a text is in the text that came from it by one edit."""
    if old[:offset] == new[:offset]:
        return offset
    after = len(old) - offset
    if new.endswith(old[offset:]):
        return len(new) - after
    return min(offset, len(new))


#: The open texts by the paths of their files, with links followed. Never changed: an edit makes a new mapping.
Texts: TypeAlias = Mapping[Path, Text]


def opened(item: types.TextDocumentItem, folder: Path) -> Text:
    path = path_of(item.uri, folder)
    return Text(item.uri, path, item.language_id, item.version, Source(str(path), item.text))


def path_of(uri: str, folder: Path) -> Path:
    """The absolute path of a URI. A text that is in no file yet is treated as a file in ``folder``."""
    path = to_fs_path(uri)
    return folder / uri.rpartition(":")[2].replace("/", "_") if path is None else Path(path).absolute()


def uri_of(path: Path, texts: Texts) -> str:
    """The URI of a file: the editor's own, if it is open."""
    text = texts.get(path.resolve())
    return text.uri if text else path.resolve().as_uri()
