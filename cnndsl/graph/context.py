"""What one elaboration collects, wherever it happens; what belongs to a place is in its :class:`Site`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar

from cnndsl.diagnostics import Code, Diagnostic
from cnndsl.graph.arguments import Matcher
from cnndsl.graph.faults import Faults
from cnndsl.graph.graph import Fetch, Tensor
from cnndsl.graph.marks import Marks
from cnndsl.graph.names import Names
from cnndsl.graph.site import Site
from cnndsl.graph.work import Work
from cnndsl.layers import LAYERS
from cnndsl.source import Span
from cnndsl.spec import steps as spec
from cnndsl.spec.document import Document, appears_twice
from cnndsl.spec.evaluation import Environment, Meter, Value
from cnndsl.spec.tree import UNKNOWN

MaybeTensor = TypeVar("MaybeTensor", Tensor, Tensor | None)
#: The tensors that a module is given or makes, by their names inside.
Tensors: TypeAlias = dict[str, Tensor]


class Fetched(Tensor, frozen=True, eq=False):
    """The tensor ``of`` that a ``from`` fetched, until something takes it. It is never part of a graph."""

    of: Tensor
    step: spec.From


def behind(x: Tensor) -> Tensor:
    """The tensor in the graph that a tensor is."""
    while isinstance(x, Fetched):
        x = x.of
    return x


class Progress(NamedTuple):
    """How far an elaboration is: counts of its work, and of the tensors that it has made."""

    steps: int
    edges: int
    parameters: int
    operations: int
    made: int


class Context:
    """One elaboration: the document, and what is collected over the whole of it."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.limits = document.limits
        self.names = Names(document)
        self.matcher = Matcher()
        self.marks = Marks(document)
        self.faults = Faults()
        self.warnings: list[Diagnostic] = []
        self.work = Work(document.limits)
        self.callables = dict.fromkeys((*LAYERS, *document.blocks))
        #: The document's parameters, once they are known.
        self.params: Mapping[str, Any] = {}
        #: The shape of one sample of the first input, once it is known.
        self.sample: tuple[int, ...] = ()
        #: The place where each tensor was made, and the tensors in the order in which they were.
        self.origins: dict[Tensor, Span] = {}
        self.made: list[Tensor] = []
        #: The channels that tensors would have if the arguments of the layers before were not in PyTorch's order.
        self.meant_channels: dict[Tensor, int] = {}
        self._meter = Meter(document.limits.evaluation)
        self._fetched: dict[Fetched, None] = {}
        #: The ``from`` steps after which a module ends that names its outputs.
        self._ending: set[spec.From] = set()

    def environment(self, names: Mapping[str, Any], has_input: bool = True) -> Environment:
        """An environment with only ``names``."""
        return Environment(names, self.callables, None, has_input, self._meter)

    def place(self, span: Span) -> str:
        """Line and column, with the file if it is not the document's."""
        return f"{span.line}:{span.column}" if span.source == self.document.source else str(span)

    # --- how far it is ---------------------------------------------------------------------------

    def progress(self) -> Progress:
        """How far the elaboration is."""
        work = self.work
        return Progress(work.steps, work.edges, work.parameters, self._meter.spent, len(self.made))

    def affords(self, before: Progress, after: Progress) -> bool:
        """Whether as much may be done again as between two points."""
        now, limits = self.progress(), self.document.limits
        most = (limits.steps, limits.edges, limits.parameters, limits.evaluation)
        return all(count + end - start <= limit for count, start, end, limit in zip(now, before, after, most))

    def repeat(self, before: Progress, after: Progress, new: Callable[[Tensor], Tensor]) -> None:
        """Takes note that as much was done again as between two points, on ``new`` tensors."""
        work = self.work
        work.steps += after.steps - before.steps
        work.edges += after.edges - before.edges
        work.parameters += after.parameters - before.parameters
        self._meter.spent += after.operations - before.operations
        for tensor in self.made[before.made : after.made]:
            self.originate(new(tensor), self.origins[tensor])

    def originate(self, tensor: Tensor, span: Span) -> None:
        """Records where a tensor was made, if it is new."""
        if tensor not in self.origins:
            self.origins[tensor] = span
            self.made.append(tensor)

    def leave_out(self, step: spec.Step | spec.Arm, site: Site) -> None:
        """Records a step or branch whose ``when`` is false."""
        self.marks.leave_out(step)
        site.scope.leave_out(step, site.environment)

    # --- tensors ---------------------------------------------------------------------------------

    def fetch(self, tensor: Tensor | None, step: spec.From, site: Site) -> Tensor | None:
        """The tensor of an earlier step, from which the next steps continue."""
        if tensor is None:
            return None
        fetched = Fetched(tensor.shape, tensor, step)
        self._fetched[fetched] = None
        site.scope.fetched.append(Fetch(step, behind(tensor)))
        return fetched

    def taken(self, x: MaybeTensor) -> MaybeTensor | Tensor:
        """The tensor in the graph, for an operation that takes it; None stays None."""
        while isinstance(x, Fetched):
            self._fetched.pop(x, None)
            x = x.of
        return x

    def fetched_in_vain(self) -> Iterator[Diagnostic]:
        """Warnings about ``from`` steps whose tensor nothing took, each once."""
        for step in dict.fromkeys(fetched.step for fetched in self._fetched):
            help = "the next step takes another tensor; `branch: [[from: a], [from: b]]` takes several"
            if step in self._ending:
                help = "remove it: no step follows, and `outputs` names what is returned"
            yield Diagnostic(Code.UNUSED, "nothing uses the tensor of this `from`", step.span, help)

    def outputs(self, written: Sequence[Value], last: Tensor | None, what: str, site: Site) -> Tensors | None:
        """The tensors that a module returns by name: those that ``written`` names, or just its last; None if one is
        unknown."""
        if not written:
            return {"output": self.taken(last)} if last is not None else None
        site = site.without_input()
        if isinstance(last, Fetched):
            self._ending.add(last.step)
        self.work.spend(written[0].span, site, len(written))
        places: dict[str, Span] = {}
        found: dict[str, Tensor] = {}
        for target in written:
            name = site.value(target)
            named = None if name is UNKNOWN else self.names.find_output(name, target.span, what, site)
            own = spec.last_part(str(name))
            if named is not None and own in places:
                site.report(appears_twice("output", own, target.span, places[own]))
            elif named is not None and named.tensor is not None:
                found[own] = self.taken(named.tensor)
            places.setdefault(own, target.span)
        return found if len(found) == len(written) else None
