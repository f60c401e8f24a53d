"""Checks ``rename`` against the tensors of a network: lines that rename nothing, and tensors that get the same name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from cnndsl.diagnostics import Code, Diagnostic, did_you_mean, shorten
from cnndsl.graph.graph import Graph
from cnndsl.spec.renaming import ANYWHERE, Hit, Renaming, chosen, hits_in, with_hits

#: The most comparisons of a line with a segment of a tensor's name.
MAX_COMPARISONS = 500_000


def tensor_names(graph: Graph) -> list[str]:
    """The names of the tensors in a network's ``state_dict``."""
    return [
        f"{item.path}.{name}"
        for item in graph.root.layers
        if not item.reuse
        for name in (*item.layer.named_parameters(), *item.layer.named_buffers())
    ]


def doubtful_renamings(graph: Graph) -> Iterator[Diagnostic]:
    """Warnings about the ``rename`` of a network, or the error that it takes too much work."""
    lines = graph.document.rename
    names = tensor_names(graph) if lines else []
    if len(lines) * sum(name.count(".") + 1 for name in names) > MAX_COMPARISONS:
        message = f"{len(lines)} lines of `rename` on {len(names)} tensors take more than {MAX_COMPARISONS} comparisons"
        yield Diagnostic(Code.LIMIT, message, lines[0].span, "a `*` matches any text in one segment of a name")
        return
    hits = {name: hits_in(name, lines) for name in names}
    counting = {name: chosen(found) for name, found in hits.items()}
    for warning in (*_idle(lines, hits, counting), *_clashes(counting)):
        if warning.span and warning.span.source == graph.document.source:
            yield warning


def _idle(
    lines: Sequence[Renaming], hits: Mapping[str, list[Hit]], counting: Mapping[str, list[Hit]]
) -> Iterator[Diagnostic]:
    """Lines that rename no tensor."""
    finding, used = ({id(hit.line) for found in each.values() for hit in found} for each in (hits, counting))
    names = [name.split(".") for name in hits]
    for line in lines:
        if id(line) in used:
            continue
        if id(line) in finding:
            message, help = f"other lines of `rename` take precedence for all that `{shorten(line.ours)}` matches", ""
        else:
            message, help = f"no tensor matches `{shorten(line.ours)}` in `rename`", _help_for_idle(line, names)
        yield Diagnostic(Code.UNUSED, message, line.span, help)


def _help_for_idle(line: Renaming, names: Sequence[Sequence[str]]) -> str:
    anywhere = replace(line, ours=f"{ANYWHERE}{line.ours}", theirs=f"{ANYWHERE}{line.theirs}")
    if not line.ours.startswith(ANYWHERE) and any(any(anywhere.hits(name)) for name in names):
        return f'no name begins with it; `"{anywhere.ours}": "{anywhere.theirs}"` also matches inside names'
    return did_you_mean(line.ours, {".".join(name[:end]) for name in names for end in range(1, len(name) + 1)})


def _clashes(hits: Mapping[str, list[Hit]]) -> Iterator[Diagnostic]:
    """Tensors that have the same name in checkpoints, so one is loaded into both; the first of each pair of lines."""
    first: dict[str, str] = {}
    told: set[tuple[int, ...]] = set()
    for name, found in hits.items():
        called = with_hits(name, found)
        other = first.setdefault(called, name)
        both = (*hits[other], *found)
        lines = tuple(id(hit.line) for hit in both)
        if other != name and lines not in told:
            told.add(lines)
            message = f"`{shorten(other)}` and `{shorten(name)}` are both called `{shorten(called)}` in checkpoints"
            help = "one tensor would be loaded into both: give each a name of its own"
            yield Diagnostic(Code.DOUBTFUL, message, both[-1].line.span, help)
