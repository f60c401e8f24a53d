"""Paths that lead to the modules of a network, in `rename` and `train.freeze`: each segment is the name of a step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from cnndsl.editing.naming.bindings import Bindings, Mention, inside
from cnndsl.editing.naming.written import Segment, written
from cnndsl.graph.graph import Apply, Module, walk
from cnndsl.source import Span
from cnndsl.spec.document import Document
from cnndsl.spec.renaming import ANYWHERE, Renamer
from cnndsl.spec.values import ListValue, Literal

#: The segments of names of steps that the beginning of a path ends with.
_Steps = dict[tuple[str, ...], dict[Span, Segment]]


def link_paths(bindings: Bindings, document: Document, root: Module) -> None:
    frozen = [*_patterns(document)]
    if not frozen and not document.rename:
        return
    steps, tensors = _steps(root), [*_tensors(root)]
    renamer = Renamer(document.rename)
    for name in tensors if document.rename else ():
        for hit in renamer.hits(".".join(name)):
            pieces = hit.line.ours.removeprefix(ANYWHERE).split(".")
            span = inside(hit.line.span, hit.line.ours.removeprefix(ANYWHERE))
            _link(bindings, steps, name, hit.start, pieces, span)
    for text, span in frozen:
        for name in tensors:
            pieces = text.split(".")
            if all(map(fnmatchcase, name, pieces)) and len(pieces) <= len(name):
                _link(bindings, steps, name, 0, pieces, inside(span, text))


def _patterns(document: Document) -> Iterator[tuple[str, Span]]:
    value = document.train.get("freeze") if document.train else None
    for one in value.items if isinstance(value, ListValue) else (value,):
        if isinstance(one, Literal) and isinstance(one.value, str):
            yield one.value, one.span


def _tensors(root: Module) -> Iterator[tuple[str, ...]]:
    """The names of all tensors, in segments."""
    for layer in root.layers:
        for tensor in (*layer.layer.named_parameters(), *layer.layer.named_buffers()):
            yield (*layer.path.split("."), *tensor.split("."))


def _steps(root: Module) -> _Steps:
    found: _Steps = defaultdict(dict)
    for _, item in walk(root.body):
        if not isinstance(item, (Apply, Module)) or item.step is None or item.step.name is None or item.reuse:
            continue
        path, segments = item.path.split("."), written(item.step.name).segments
        for end, segment in zip(range(len(path), 0, -1), reversed(segments)):
            found[tuple(path[:end])][segment.span] = segment
    return found


def _link(
    bindings: Bindings, steps: _Steps, name: Sequence[str], start: int, pieces: Sequence[str], span: Span
) -> None:
    """Makes each piece of a pattern the same as the step that it names in the name of a tensor."""
    at = 0
    for number, piece in enumerate(pieces):
        stem, star, _ = piece.partition("*")
        for segment in steps.get(tuple(name[: start + number + 1]), {}).values():
            if segment.stem and stem:
                ours = bindings.add(Mention(span.part(at, at + len(stem)), stem, "step", is_open=bool(star)))
                theirs = Mention(segment.span, segment.stem, "step", defines=True, is_open=segment.is_open)
                bindings.same(ours, bindings.add(theirs))
        at += len(piece) + 1
