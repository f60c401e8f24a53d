"""What a client can do, and what it wants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lsprotocol import types
from pygls.capabilities import get_capability

from cnndsl.record import Record


class Client(Record, frozen=True):
    """``pulls`` tells whether it asks for the diagnostics of its open texts, which are otherwise sent to it."""

    encoding: str = "utf-16"
    pulls: bool = False
    has_related: bool = False
    has_snippets: bool = False
    has_markdown: bool = False
    shows_references: bool = False
    refreshes_hints: bool = False
    refreshes_lenses: bool = False
    refreshes_diagnostics: bool = False
    watches_files: bool = False
    has_configuration: bool = False

    @classmethod
    def of(cls, able: types.ClientCapabilities, encoding: str) -> Client:
        def can(path: str) -> bool:
            return bool(get_capability(able, path, False))

        return cls(
            encoding=encoding,
            pulls=able.text_document is not None and able.text_document.diagnostic is not None,
            has_related=can("text_document.publish_diagnostics.related_information"),
            has_snippets=can("text_document.completion.completion_item.snippet_support"),
            has_markdown=types.MarkupKind.Markdown in get_capability(able, "text_document.hover.content_format", ()),
            shows_references="cnndsl.showReferences" in _commands(able.experimental),
            refreshes_hints=can("workspace.inlay_hint.refresh_support"),
            refreshes_lenses=can("workspace.code_lens.refresh_support"),
            refreshes_diagnostics=can("workspace.diagnostics.refresh_support"),
            watches_files=can("workspace.did_change_watched_files.dynamic_registration"),
            has_configuration=can("workspace.configuration"),
        )


def _commands(experimental: Any) -> Sequence[Any]:
    """The commands that a client says it has, under ``experimental.commands``."""
    found = getattr(experimental, "commands", None) or (isinstance(experimental, dict) and experimental.get("commands"))
    return found if isinstance(found, (list, tuple)) else ()


class Settings(Record, frozen=True):
    """What a person may set in the editor, under ``cnndsl``."""

    hints: bool = True
    lenses: bool = True

    @classmethod
    def of(cls, given: Any) -> Settings:
        """The settings in what a client sent, which may be anything."""
        given = given if isinstance(given, dict) else {}
        return cls(**{name: bool(given.get(name, True)) for name in cls.__struct_fields__})
