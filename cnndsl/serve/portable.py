"""Specs of the zoo as texts that may be saved anywhere."""

from __future__ import annotations

from pathlib import Path

from cnndsl.source import Source
from cnndsl.spec.tree import Listing, Mapping, Scalar, read
from cnndsl.zoo import name_of


def portable(text: str, path: Path) -> str:
    """The text of a spec of the zoo at ``path`` with ``zoo:NAME`` for what it extends and uses."""
    tree, _ = read(Source(str(path), text))
    named = [tree.get(key) for key in ("extends", "use")] if isinstance(tree, Mapping) else []
    written = [item for each in named for item in (each.items if isinstance(each, Listing) else (each,))]
    for item in sorted((item for item in written if isinstance(item, Scalar)), key=lambda item: -item.span.start):
        name = name_of((path.parent / str(item.value)).resolve())
        text = f"{text[: item.span.start]}{name or item.span.text}{text[item.span.end :]}"
    return text
