"""Specs of the zoo as texts that may be saved anywhere."""

from __future__ import annotations

from pathlib import Path

from cnndsl.source import Source
from cnndsl.spec.files import named_files
from cnndsl.spec.tree import read
from cnndsl.zoo import name_of


def portable(text: str, path: Path) -> str:
    """The text of a spec of the zoo at ``path`` with ``zoo:NAME`` for what it extends and uses."""
    tree, _ = read(Source(str(path), text))
    for item in sorted((item for _, item in named_files(tree)), key=lambda item: -item.span.start):
        name = name_of((path.parent / str(item.value)).resolve())
        text = f"{text[: item.span.start]}{name or item.span.text}{text[item.span.end :]}"
    return text
