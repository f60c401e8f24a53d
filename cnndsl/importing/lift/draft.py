"""What a body is while it is being lifted: nodes whose parameters do not have their last names yet. Frozen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cnndsl.importing.recorded import Place, Tensor, Traced
from cnndsl.record import Record


class Draft(Record, frozen=True, eq=False):
    """A :class:`~cnndsl.importing.body.Node` to be. ``state`` are its tensors by the layer's names, with the paths
    that they have in the module around: ``{"weight": "gamma"}``. It has no ``name`` of its own if these decide it."""

    word: str
    arguments: Mapping[str, Any]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    name: str = ""
    place: Place | None = None
    child: Traced | None = None
    body: DraftBody | None = None
    state: Mapping[str, str] = {}
    options: Mapping[str, Any] = {}
    reuse: bool = False


class DraftBody(Record, frozen=True, eq=False):
    """A :class:`~cnndsl.importing.body.Body` to be. ``leaked`` are the last of its outputs: tensors that it did not
    return, but that the module around takes, by the record's tensors."""

    module: Traced
    inputs: Mapping[str, Tensor]
    nodes: tuple[Draft, ...]
    outputs: Mapping[str, Tensor]
    leaked: tuple[Tensor, ...] = ()


def connected(draft: Draft, tensors: Mapping[Tensor, Tensor], **changes: Any) -> Draft:
    """The same node on other tensors."""
    fields = {name: getattr(draft, name) for name in draft.__struct_fields__}
    fields["inputs"] = tuple(tensors.get(tensor, tensor) for tensor in draft.inputs)
    fields["outputs"] = tuple(tensors.get(tensor, tensor) for tensor in draft.outputs)
    return Draft(**fields | changes)


def replaced(body: DraftBody, nodes: Iterable[Draft], outputs: Mapping[str, Tensor]) -> DraftBody:
    """The same body with other nodes."""
    return DraftBody(body.module, body.inputs, tuple(nodes), outputs, body.leaked)
