"""Layers that work in place, such as ``ReLU: {inplace: true}``, and tensors that must not be overwritten.

Working in place saves memory and never changes what a network computes: a layer that would overwrite a tensor that
something else still reads, in the forward or the backward pass, makes a new tensor, with a warning.

One pass over the graph, in execution order, records what holds the memory of each tensor. A tensor that shares the
memory of the one before it, such as the output of ``Flatten``, inherits its hold. Nothing has to be passed back: a
tensor with a second reader holds everything made of its memory later.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from cnndsl.diagnostics import Code, Diagnostic, Note
from cnndsl.graph.graph import Apply, Graph, Merge, Operation, Split, Tensor, changed
from cnndsl.layers import Layer
from cnndsl.record import Record
from cnndsl.spec.steps import Step


class Hold(Record, frozen=True):
    """Why the memory of a tensor must not be overwritten: a reason, or the ``readers`` of the same memory."""

    reason: str = ""
    readers: tuple[Operation, ...] = ()

    def beside(self, taker: Operation) -> Hold:
        """The same hold for the output of ``taker``, which does not conflict with itself."""
        return replace(self, readers=tuple(reader for reader in self.readers if reader is not taker))

    def __str__(self) -> str:
        return self.reason or f"`{self.readers[0].path}` reads the same tensor"


def without_hazards(graph: Graph) -> tuple[Graph, list[Diagnostic]]:
    """The graph in which no layer overwrites a tensor that is needed, and a warning for each step that would have.

    A step is one constructor call, so if it runs several times it works in place every time or never.
    """
    layers = [item for item in graph.root.layers if item.layer.works_in_place()]
    if not layers:
        return graph, []
    # A reused layer is constructed by another step.
    made_by = {item.path: item.step for item in layers if not item.reuse}
    hazards: dict[Step, tuple[Apply, Hold]] = {}
    for item, hold in _hazards(graph):
        hazards.setdefault(made_by[item.path], (item, hold))

    def settled(item: Apply) -> Apply:
        hazardous = item.layer.works_in_place() and made_by[item.path] in hazards
        return replace(item, bound=replace(item.bound, layer=item.layer.out_of_place())) if hazardous else item

    root = replace(graph.root, body=changed(graph.root.body, settled)) if hazards else graph.root
    return replace(graph, root=root), [_warning(item, hold) for item, hold in hazards.values()]


def _hazards(graph: Graph) -> Iterator[tuple[Apply, Hold]]:
    """The layers that would overwrite a tensor that is needed, each with the reason."""
    held = _Holds(graph)
    for item in graph.root.everything:
        if isinstance(item, Apply):
            layer = item.layer
            if layer.works_in_place() and (hold := held.against(item)):
                yield item, hold
                layer = layer.out_of_place()
            held.makes(item, layer.shares_memory or layer.works_in_place(), layer)
        elif isinstance(item, Split):
            held.makes(item, True)
        elif isinstance(item, Merge):
            held.makes(item, len(item.inputs) == 1)  # a merge of one tensor is that tensor


class _Holds:
    """The holds on the memory of the tensors made so far."""

    def __init__(self, graph: Graph) -> None:
        self.takers = graph.root.takers
        self.outputs = {*graph.outputs.values()}
        self.holds = {
            tensor: Hold(f"the input `{name}` belongs to the caller") for name, tensor in graph.inputs.items()
        }

    def against(self, item: Apply) -> Hold | None:
        """The hold that keeps a layer from overwriting its input."""
        reason = item.layer.irreversible()
        return Hold(reason) if reason else self._inherited(item)

    def makes(self, item: Apply | Merge | Split, shares_memory: bool, layer: Layer | None = None) -> None:
        """Records the holds on the outputs of an operation, in its input's memory or in new memory."""
        for tensor in item.outputs:
            hold = (self._inherited(item) if shares_memory else None) or self._of(item, layer, tensor)
            if hold:
                self.holds[tensor] = hold

    def _inherited(self, item: Apply | Merge | Split) -> Hold | None:
        hold = self.holds.get(item.inputs[0])
        return hold and hold.beside(item)

    def _of(self, item: Apply | Merge | Split, layer: Layer | None, tensor: Tensor) -> Hold | None:
        """The hold on a tensor itself, besides those on the memory it shares."""
        readers = self.takers.get(tensor, [])
        if tensor in self.outputs:
            return Hold("the network returns the same tensor")
        if len(readers) > 1:
            return Hold(readers=tuple(readers))
        if isinstance(item, Split):
            return Hold("torch refuses to overwrite a part of a split")
        if layer and layer.reads_output():
            return Hold(f"the backward pass of `{item.kind}` reads the same tensor")
        return None


def _warning(item: Apply, hold: Hold) -> Diagnostic:
    written = item.written.get("inplace")
    notes = [Note(f"`{reader.path}` reads it here", reader.step.span) for reader in hold.readers[:1] if reader.step]
    return Diagnostic(
        Code.IN_PLACE,
        f"this `{item.kind}` does not work in place: {hold}",
        written.span if written else item.step.span,
        f"remove `inplace`; the `{item.kind}` makes a new tensor either way",
        tuple(notes),
    )
