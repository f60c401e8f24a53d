"""A spec as an editor has it, compiled: what every answer is made from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cnndsl.diagnostics import SpecError
from cnndsl.limits import LIMITS, Limits
from cnndsl.network import Compilation, compile_spec
from cnndsl.record import Record
from cnndsl.source import Source
from cnndsl.spec.document import Kept
from cnndsl.spec.files import Files


class Buffers(Files):
    """Files as an editor has them: the texts that are open, and for others the disk. ``texts`` are by resolved path."""

    def __init__(self, texts: Mapping[Path, str]) -> None:
        self.texts = dict(texts)

    def read(self, path: Path, at_most: int, pipes: bool) -> bytes:
        text = self.texts.get(path.resolve())
        return super().read(path, at_most, pipes) if text is None else text.encode("utf-8", "surrogatepass")


class Analysis(Record, frozen=True, eq=False, dict=True):
    """``source`` is the text in the editor. ``compilation`` is that of exactly this text: its diagnostics are what
    `cnndsl check` prints. ``alive`` is the compilation that hints, hovers and completions look at: the same one, or, if
    the text cannot be read as it is, that of a text in which the lines at fault are blank. Its spans fit ``source``,
    since blank lines are as long as those that they replace."""

    path: Path
    files: Buffers
    source: Source
    compilation: Compilation
    alive: Compilation


def analyse(path: Path, files: Buffers, limits: Limits = LIMITS) -> Analysis:
    """Compiles the spec at ``path``, which must be absolute, with everything that it extends and uses. Never raises for
    what a text holds; a file that is not there has a diagnostic."""
    try:
        compilation = compile_spec(Kept(path, files), limits=limits)
    except SpecError as error:
        compilation = Compilation(None, list(error.diagnostics))
    source = Source(str(path), files.texts.get(path.resolve(), ""))
    return Analysis(path, files, source, compilation, compilation)
