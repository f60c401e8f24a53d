"""What one elaboration collects, wherever it happens; what belongs to a place is in its :class:`Site`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from cnndsl.diagnostics import Diagnostic
from cnndsl.graph.faults import Faults
from cnndsl.graph.graph import Tensor
from cnndsl.graph.names import Names, find_output
from cnndsl.graph.site import Site
from cnndsl.graph.work import Work
from cnndsl.layers import LAYERS
from cnndsl.source import Span
from cnndsl.spec import steps as spec
from cnndsl.spec.document import Document
from cnndsl.spec.evaluation import Environment, Meter

MaybeTensor = TypeVar("MaybeTensor", Tensor, Tensor | None)
#: The tensors that a module is given or makes, by their names inside.
Tensors: TypeAlias = dict[str, Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Fetched(Tensor):
    """The tensor ``of`` that a ``from`` fetched, until something takes it. It is never part of a graph."""

    of: Tensor
    step: spec.From


class Context:
    """One elaboration: the document, and what is collected over the whole of it."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.limits = document.limits
        self.names = Names(document)
        self.faults = Faults()
        self.warnings: list[Diagnostic] = []
        self.work = Work(document.limits)
        self.callables = dict.fromkeys((*LAYERS, *document.blocks))
        #: The document's parameters, once they are known.
        self.params: Mapping[str, Any] = {}
        #: The shape of one sample of the first input, once it is known.
        self.sample: tuple[int, ...] = ()
        #: The place where each tensor was made.
        self.origins: dict[Tensor, Span] = {}
        self._meter = Meter(document.limits.evaluation)
        self._fetched: dict[Fetched, None] = {}

    def environment(self, names: Mapping[str, Any], has_input: bool = True) -> Environment:
        """An environment with only ``names``."""
        return Environment(names, self.callables, None, has_input, self._meter)

    def place(self, span: Span) -> str:
        """Line and column, with the file if it is not the document's."""
        return f"{span.line}:{span.column}" if span.source == self.document.source else str(span)

    # --- tensors ---------------------------------------------------------------------------------

    def fetch(self, tensor: Tensor | None, step: spec.From) -> Tensor | None:
        """The tensor of an earlier step, from which the next steps continue."""
        if tensor is None:
            return None
        fetched = Fetched(tensor.shape, tensor, step)
        self._fetched[fetched] = None
        return fetched

    def taken(self, x: MaybeTensor) -> MaybeTensor | Tensor:
        """The tensor in the graph, for an operation that takes it; None stays None."""
        while isinstance(x, Fetched):
            self._fetched.pop(x, None)
            x = x.of
        return x

    def fetched_in_vain(self) -> Iterator[spec.From]:
        """The steps whose tensor nothing took, each once."""
        yield from dict.fromkeys(fetched.step for fetched in self._fetched)

    def outputs(self, names: Sequence[spec.Name], last: Tensor | None, what: str, site: Site) -> Tensors | None:
        """The tensors that a module returns by name: those of ``names``, or just its last; None if one is unknown."""
        if not names:
            return {"output": self.taken(last)} if last is not None else None
        self.work.spend(names[0].span, site, len(names))
        found: dict[str, Tensor] = {}
        for name in names:
            named = find_output(name, what, site)
            if named is not None and named.tensor is not None:
                found[spec.last_part(name.name)] = self.taken(named.tensor)
        return found if len(found) == len(names) else None
