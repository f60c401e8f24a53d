"""What is wrong in the open specs, and in the files that they extend and use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cnndsl.diagnostics import Diagnostic, ordered
from cnndsl.editing.analysis import Analysis


class Findings:
    """The diagnostics of each spec that was checked, by the files that they are in. A file that several specs use has
    those of all of them."""

    def __init__(self) -> None:
        self._of: dict[Path, Mapping[Path, Sequence[Diagnostic]]] = {}

    def put(self, spec: Path, analysis: Analysis) -> set[Path]:
        """Keeps what was found in a spec. Returns the files in which something else was found before."""
        return self._replace(spec, _by_file(spec, analysis.compilation.diagnostics))

    def drop(self, spec: Path) -> set[Path]:
        """Forgets a spec that was closed; returns as :meth:`put`."""
        return self._replace(spec, {})

    def of(self, file: Path) -> list[Diagnostic]:
        """All that is known of a file, sorted, each fault once."""
        return ordered(item for found in self._of.values() for item in found.get(file, ()))

    def _replace(self, spec: Path, found: Mapping[Path, Sequence[Diagnostic]]) -> set[Path]:
        before = self._of.pop(spec, {})
        if found:
            self._of[spec] = found
        return {file for file in before.keys() | found.keys() if before.get(file) != found.get(file)}


def _by_file(spec: Path, faults: Iterable[Diagnostic]) -> dict[Path, list[Diagnostic]]:
    found: dict[Path, list[Diagnostic]] = {}
    for item in faults:
        found.setdefault(Path(item.span.source.name).resolve() if item.span else spec, []).append(item)
    return found
