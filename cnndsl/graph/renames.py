"""Checks ``rename`` against the tensors of a network: lines that rename nothing, and tensors that get the same name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from cnndsl.diagnostics import Code, Diagnostic, did_you_mean, shorten
from cnndsl.graph.graph import Graph
from cnndsl.spec.renaming import ANYWHERE, Hit, Renamer, Renaming, chosen, with_hits

#: The most comparisons of a line with a segment of a tensor's name.
MAX_COMPARISONS = 500_000


def tensor_names(graph: Graph) -> list[str]:
    """The names of the tensors in a network's ``state_dict``."""
    return [f"{item.path}.{name}" for item in graph.root.layers if not item.reuse for name in item.bound.tensors]


def doubtful_renamings(graph: Graph) -> Iterator[Diagnostic]:
    """Warnings about the ``rename`` of a network, or the error that it takes too much work."""
    lines = graph.document.rename
    names = tensor_names(graph) if lines else []
    if len(lines) * sum(name.count(".") + 1 for name in names) > MAX_COMPARISONS:
        message = f"{len(lines)} lines of `rename` on {len(names)} tensors take more than {MAX_COMPARISONS} comparisons"
        yield Diagnostic(Code.LIMIT, message, lines[0].span, "a `*` matches any text in one segment of a name")
        return
    renaming = _Renamings(lines)
    for name in names:
        renaming.add(name)
    for warning in (*renaming.idle(names), *renaming.clashes):
        if warning.span and warning.span.source == graph.document.source:
            yield warning


class _Renamings:
    """What the lines of a ``rename`` do to the tensors of a network. Of a tensor, nothing is kept but its name."""

    def __init__(self, lines: Sequence[Renaming]) -> None:
        self.renamer = Renamer(lines)
        #: Warnings about tensors that have the same name in checkpoints, so one is loaded into both; the first of each
        #: pair of lines.
        self.clashes: list[Diagnostic] = []
        self._finding: set[int] = set()
        self._used: set[int] = set()
        self._first: dict[str, str] = {}
        self._told: set[tuple[int, ...]] = set()

    def add(self, name: str) -> None:
        """Renames a tensor."""
        hits = self.renamer.hits(name)
        counting = chosen(hits)
        self._finding.update([id(hit.line) for hit in hits])
        self._used.update([id(hit.line) for hit in counting])
        called = with_hits(name, counting)
        other = self._first.setdefault(called, name)
        if other != name:
            self._clash(other, name, called, (*chosen(self.renamer.hits(other)), *counting))

    def _clash(self, other: str, name: str, called: str, both: Sequence[Hit]) -> None:
        lines = tuple(id(hit.line) for hit in both)
        if lines not in self._told:
            self._told.add(lines)
            message = f"`{shorten(other)}` and `{shorten(name)}` are both called `{shorten(called)}` in checkpoints"
            help = "one tensor would be loaded into both: give each a name of its own"
            self.clashes.append(Diagnostic(Code.DOUBTFUL, message, both[-1].line.span, help))

    def idle(self, names: Sequence[str]) -> Iterator[Diagnostic]:
        """Warnings about lines that rename no tensor."""
        for line in self.renamer.lines:
            if id(line) in self._used:
                continue
            help, ours = "", shorten(line.ours)
            message = f"other lines of `rename` take precedence for all that `{ours}` matches"
            if id(line) not in self._finding:
                help = _help_for_idle(line, [name.split(".") for name in names])
                message = f"no tensor matches `{ours}` in `rename`"
            yield Diagnostic(Code.UNUSED, message, line.span, help)


def _help_for_idle(line: Renaming, names: Sequence[Sequence[str]]) -> str:
    anywhere = replace(line, ours=f"{ANYWHERE}{line.ours}", theirs=f"{ANYWHERE}{line.theirs}")
    found = (anywhere.hit(name, start) for name in names for start in range(len(name)))
    if not line.anywhere and any(found):
        return f'no name begins with it; `"{anywhere.ours}": "{anywhere.theirs}"` also matches inside names'
    return did_you_mean(line.ours, {".".join(name[:end]) for name in names for end in range(1, len(name) + 1)})
