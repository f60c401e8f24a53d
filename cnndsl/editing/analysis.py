"""A spec as an editor has it, compiled: what every answer is made from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from cnndsl.diagnostics import Code, Diagnostic
from cnndsl.editing.buffers import Buffers, compiled
from cnndsl.editing.recovery import alive
from cnndsl.limits import LIMITS, Limits
from cnndsl.network import Compilation
from cnndsl.record import Record
from cnndsl.source import Source
from cnndsl.spec.document import Document
from cnndsl.spec.files import read_text
from cnndsl.spec.tree import Unreadable

__all__ = ["Analysis", "Buffers", "analyse"]


class Analysis(Record, frozen=True, eq=False, dict=True):
    """``source`` is the text in the editor. ``compilation`` is that of exactly this text: its diagnostics are what
    `cnndsl check` prints. ``alive`` is the compilation that hints, hovers and completions look at: the same one, or, if
    the text cannot be read as it is or a step has a fault, that of a text in which what is at fault is blank. Its spans
    fit ``source``, since blanks are as long as what they replace."""

    path: Path
    files: Buffers
    source: Source
    compilation: Compilation
    alive: Compilation

    @property
    def compilations(self) -> tuple[Compilation, ...]:
        """``alive``, and, if it is another, that of the text as it is: it knows what is inside of a step that is blank
        in the other."""
        return (self.alive,) if self.alive is self.compilation else (self.alive, self.compilation)


def analyse(path: Path, files: Buffers, limits: Limits = LIMITS) -> Analysis:
    """Compiles the spec at ``path``, which must be absolute, with everything that it extends and uses. Never raises for
    what a text holds; a file that is not there has a diagnostic. A file of blocks alone, for other specs to use, needs
    no ``input`` and no ``network``, as in a folder that ``cnndsl check`` is given."""
    compilation = compiled(path, files, limits)
    if compilation.document is not None and _is_library(compilation.document):
        compilation = replace(compilation, diagnostics=[*_without_missing(compilation, compilation.document)])
    return Analysis(path, files, _source(path, files, limits), compilation, alive(path, files, compilation, limits))


def _is_library(document: Document) -> bool:
    keys = {*document.tree.keys}
    return "blocks" in keys and keys.isdisjoint(("input", "network", "extends"))


def _without_missing(compilation: Compilation, document: Document) -> Iterator[Diagnostic]:
    """The diagnostics without those that say what the whole document lacks."""
    for found in compilation.diagnostics:
        if found.code is not Code.MISSING or found.span != document.tree.span.first_line:
            yield found


def _source(path: Path, files: Buffers, limits: Limits) -> Source:
    """The text of a file, empty if there is none that can be read."""
    try:
        return read_text(path, limits=limits, files=files)
    except Unreadable:
        return Source(files.shown(path), "")
