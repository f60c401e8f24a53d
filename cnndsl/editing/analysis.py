"""A spec as an editor has it, compiled: what every answer is made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from msgspec.structs import replace

from cnndsl.diagnostics import Code, Diagnostic
from cnndsl.editing.buffers import Buffers, compiled
from cnndsl.editing.recovery import alive
from cnndsl.editing.uses import Place, Use, uses
from cnndsl.editing.written import Written, written
from cnndsl.limits import LIMITS, Limits
from cnndsl.network import Compilation
from cnndsl.record import Record
from cnndsl.source import Source
from cnndsl.spec.document import Document
from cnndsl.spec.files import read_text
from cnndsl.spec.tree import Unreadable

__all__ = ["Analysis", "Buffers", "analyse", "checked"]


class Analysis(Record, frozen=True, eq=False, dict=True):
    """``source`` is the text in the editor. ``compilations`` are what is known of it: the last is that of exactly this
    text; if it has faults, others may come first, of texts in which what is at fault is blank, and which get further.
    What is inside of a step that is blank in one, the next knows. All spans fit ``source``, since blanks are as long as
    what they replace."""

    path: Path
    files: Buffers
    source: Source
    compilations: tuple[Compilation, ...]

    @property
    def compilation(self) -> Compilation:
        """That of the text: its diagnostics are what `cnndsl check` prints."""
        return self.compilations[-1]

    @property
    def alive(self) -> Compilation:
        """The one that gets furthest, which hints, hovers and completions look at."""
        return self.compilations[0]

    @cached_property
    def uses(self) -> Mapping[Place, Sequence[Use]]:
        """The runs of each step of which the outputs are known, by its place, in all files: those in the first
        compilation that knows any."""
        found: dict[Place, Sequence[Use]] = {}
        for compilation in self.compilations:
            for at, runs in (uses(compilation.partial) if compilation.partial else {}).items():
                if at not in found and (known := [run for run in runs if run.outputs]):
                    found[at] = known
        return found

    @cached_property
    def written(self) -> Mapping[Place, Written]:
        """Where each step is written, in all files."""
        documents = [compilation.document for compilation in reversed(self.compilations)]
        return {at: item for document in documents if document for at, item in written(document.tree).items()}


def analyse(path: Path, files: Buffers, limits: Limits = LIMITS) -> Analysis:
    """Compiles the spec at ``path``, which must be absolute, with everything that it extends and uses. Never raises for
    what a text holds; a file that is not there has a diagnostic."""
    compilation = checked(path, files, limits)
    return Analysis(path, files, _source(path, files, limits), alive(path, files, compilation, limits))


def checked(path: Path, files: Buffers, limits: Limits = LIMITS) -> Compilation:
    """The compilation of the text at ``path``. A file of blocks alone, for other specs to use, needs no ``input`` and
    no ``network``, as in a folder that ``cnndsl check`` is given."""
    compilation = compiled(path, files, limits)
    if compilation.document is None or not _is_library(compilation.document):
        return compilation
    return replace(compilation, diagnostics=[*_without_missing(compilation, compilation.document)])


def _is_library(document: Document) -> bool:
    keys = {*document.tree.keys}
    return "blocks" in keys and keys.isdisjoint(("input", "network", "extends"))


def _without_missing(compilation: Compilation, document: Document) -> Iterator[Diagnostic]:
    """The diagnostics without those that say what the whole document lacks."""
    for found in compilation.diagnostics:
        if found.code is not Code.MISSING or found.span != document.tree.span.first_line:
            yield found


def _source(path: Path, files: Buffers, limits: Limits) -> Source:
    """The text of a file, empty if there is none."""
    try:
        return read_text(path, limits=limits, files=files)
    except Unreadable:
        return Source(files.shown(path), files.texts.get(path.resolve(), ""))
