"""The answer to each request about a text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lsprotocol import types

from cnndsl.editing.analysis import Analysis
from cnndsl.lsp.client import Client, Settings
from cnndsl.lsp.formatting import formatting
from cnndsl.lsp.translate import Translator
from cnndsl.record import Record


class Asked(Record, frozen=True, eq=False):
    """What an answer is made of: the text as it was when somebody asked, and for whom."""

    analysis: Analysis
    translator: Translator
    client: Client
    settings: Settings


class Feature(Record, frozen=True):
    answer: Callable[[Asked, Any], Any]
    options: Any = None


def _format(asked: Asked, params: types.DocumentFormattingParams) -> list[types.TextEdit]:
    return list(map(asked.translator.edit, formatting(asked.analysis.source)))


FEATURES = {
    types.TEXT_DOCUMENT_FORMATTING: Feature(_format),
}
