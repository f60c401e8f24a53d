"""What is alive of a spec with faults: a compilation of a text in which these are blank.

It follows from the texts alone, whatever a person typed before. Where the text is no YAML, the lines at fault go; then,
in a text that can be read, the innermost parts with a fault go, an argument or a step, and then what is around them if
the fault is still there.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from itertools import islice
from pathlib import Path

from cnndsl.diagnostics import Code
from cnndsl.editing.blanks import Part, innermost, mended, readable
from cnndsl.editing.buffers import Buffers, compiled
from cnndsl.editing.uses import Place, place, uses
from cnndsl.limits import Limits
from cnndsl.network import Compilation
from cnndsl.source import Span
from cnndsl.spec import tree as yaml
from cnndsl.spec.document import Document
from cnndsl.spec.tree import Scalar

#: The most further compilations, and the most faults that one of them leaves out.
_COMPILATIONS, _FAULTS = 3, 20
#: Faults that make a file unreadable.
_UNREADABLE = (Code.SYNTAX, Code.ENCODING)


def alive(path: Path, files: Buffers, compilation: Compilation, limits: Limits) -> tuple[Compilation, ...]:
    """The ``compilation`` of the spec at ``path``, after those that get further: each knows steps that none before it
    knew. The one that gets furthest comes first."""
    found = [compilation]
    seen = known = _known(compilation)
    for _ in range(_COMPILATIONS):
        texts = {} if compilation.sound is not None else _mended(compilation, known, limits)
        if not texts:
            break
        files = files.but(texts)
        compilation = compiled(path, files, limits)
        known = _known(compilation)
        if not known <= seen:
            found.insert(0, compilation)
            seen |= known
    return tuple(found)


def _known(compilation: Compilation) -> Set[Place]:
    """The places of the steps that have made something."""
    found = {} if compilation.partial is None else uses(compilation.partial)
    return {at for at, runs in found.items() if any(run.outputs for run in runs)}


def _mended(compilation: Compilation, known: Set[Place], limits: Limits) -> Mapping[Path, str]:
    """Texts with fewer faults, by path; empty if there is nothing to make blank."""
    faults = [(fault, fault.span) for fault in compilation.errors if fault.span and not fault.span.source.is_option]
    broken = {span.source.name: span.source for fault, span in faults if fault.code in _UNREADABLE}
    if broken:
        read = [readable(source, limits) for source in broken.values()]
        return {Path(source.name): source.text for source in read if source is not None}
    if compilation.document is None:
        return {}
    found = (_part(compilation.document, span) for _, span in faults)
    parts = [*islice((part for part in found if part is not None and not _has_run(part, known)), _FAULTS)]
    spans = [span for part in parts for span in (*part.blanks, part.word) if span is not None]
    sources = {span.source.name: span.source for span in spans}
    return {Path(name): mended(source, parts).text for name, source in sources.items()}


def _part(document: Document, fault: Span) -> Part | None:
    """What is left out for a fault in the steps of the network or a block. Faults elsewhere keep no step from
    running, or all of them."""
    blocks = document.tree.get("blocks")
    inside = [value for _, value in blocks.entries] if isinstance(blocks, yaml.Mapping) else []
    trees = (tree for tree in (document.tree.get("network"), *inside) if tree is not None)
    return next((part for tree in trees if (part := innermost(tree, fault))), None)


def _has_run(part: Part, known: Set[Place]) -> bool:
    """Whether the step with a fault has run in another round or use. Then it is no slip: what does not fit is the
    sizes there, and nothing tells what was meant to come out of it."""
    match part.step:
        case yaml.Mapping(entries=entries):
            return any(place(key.span) in known for key, _ in entries)
        case Scalar(span=span):
            return place(span) in known
    return False
