"""What cannot be imported, told at the lines of Python that prevent it."""

from __future__ import annotations

import linecache
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from cnndsl.diagnostics import Code, Diagnostic
from cnndsl.importing.leaves import how_to_keep
from cnndsl.importing.recorded import Place, Refusal
from cnndsl.source import Source, Span

if TYPE_CHECKING:
    from torch import nn

#: What a class that is kept as a layer puts right.
_OF_CLASSES = (Code.OPERATION, Code.VALUES, Code.SEQUENCE, Code.CONSTANT)
#: The classes of modules by their names.
Kinds: TypeAlias = Mapping[str, type["nn.Module"]]
#: The most modules that are named for one line.
MOST = 3


def diagnostics_of(refusals: Iterable[Refusal], module: nn.Module | None = None) -> list[Diagnostic]:
    """A diagnostic for all that one line cannot say in one way. Its trail names the modules that run the line,
    which are inside of ``module``."""
    kinds = {type(part).__name__: type(part) for part in module.modules()} if module else {}
    groups: dict[object, list[Refusal]] = {}
    for refusal in refusals:
        line = refusal.place and (refusal.place.file, refusal.place.line)
        groups.setdefault((refusal.code, refusal.message, line), []).append(refusal)
    return [_diagnostic(alike, kinds) for alike in groups.values()]


def _diagnostic(alike: list[Refusal], kinds: Kinds) -> Diagnostic:
    first = alike[0]
    span = _span(first.place) if first.place else None
    return Diagnostic(first.code, first.message, span, first.help or _help(first, kinds), trail=_trail(alike))


def _trail(alike: list[Refusal]) -> tuple[str, ...]:
    """The modules in one line: a block that is used ten times has its fault once."""
    named = [*dict.fromkeys(f"{item.path or 'the network'} ({item.kind})" for item in alike if item.kind)]
    more = f", and {len(named) - MOST} more" if len(named) > MOST else ""
    return (", ".join(named[:MOST]) + more,) if named else ()


def _help(refusal: Refusal, kinds: Kinds) -> str:
    if refusal.code not in _OF_CLASSES or not refusal.kind:
        return ""
    if not refusal.path:
        return "move the line into a class of its own, and keep this class as a layer: `--leaf NAME`"
    if refusal.kind in kinds:
        return how_to_keep(kinds[refusal.kind])
    return f"keep the class as a layer of your own: `--leaf {refusal.kind}`"


def _span(place: Place) -> Span | None:
    """The line in its file, or in a cell of a notebook; None if the text is not known."""
    text = "".join(linecache.getlines(place.file))
    source = Source(_shown(place.file), text)
    line = source.line(place.line)
    if not line.strip():
        return None
    margin = len(line) - len(line.lstrip())
    start, end = (_characters(line, place.start), _characters(line, place.end)) if place.end else (margin, len(line))
    at = source.offset(place.line)
    return Span(source, at + start, at + end)


def _characters(line: str, count: int) -> int:
    """The characters in the first bytes of a line."""
    return len(line.encode()[:count].decode("utf-8", "ignore"))


def _shown(file: str) -> str:
    """A file's path from the current folder if it is in it."""
    path = Path(file)
    inside = path.is_absolute() and path.is_relative_to(Path.cwd())
    return os.path.relpath(path) if inside else file
