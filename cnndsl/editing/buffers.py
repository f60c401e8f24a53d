"""Files as an editor has them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from cnndsl.diagnostics import SpecError
from cnndsl.limits import Limits
from cnndsl.network import Compilation, compile_spec
from cnndsl.spec.document import Kept
from cnndsl.spec.files import Files


class Buffers(Files):
    """The texts that are open, and for other files the disk. ``texts`` are by resolved path."""

    def __init__(self, texts: Mapping[Path, str]) -> None:
        self.texts = dict(texts)

    def read(self, path: Path, at_most: int, pipes: bool) -> bytes:
        text = self.texts.get(path.resolve())
        # Half of a surrogate pair, which no file can hold, becomes a `?`, so that offsets stay.
        return super().read(path, at_most, pipes) if text is None else text.encode("utf-8", "replace")

    def shown(self, path: Path) -> str:
        """The path as an editor has it: without the ``..`` with which another file names it."""
        if ".." not in path.parts:
            return str(path)
        short, real = Path(os.path.normpath(path)), path.resolve()
        return str(short if short.resolve() == real else real)  # a link before a `..` leads elsewhere

    def but(self, texts: Mapping[Path, str]) -> Buffers:
        """The same with some texts replaced."""
        return Buffers({**self.texts, **{path.resolve(): text for path, text in texts.items()}})


def compiled(path: Path, files: Buffers, limits: Limits) -> Compilation:
    """The spec at ``path``. A file that cannot be read at all has a diagnostic."""
    try:
        return compile_spec(Kept(path, files), limits=limits)
    except SpecError as error:
        return Compilation(None, list(error.diagnostics))
