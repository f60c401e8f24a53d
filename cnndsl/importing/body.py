"""The body of one module in our words: layers, blocks, merges and splits, connected by tensors. Frozen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from cnndsl.importing.recorded import Place, Refusal, Tensor, Traced
from cnndsl.record import Record


class Node(Record, frozen=True, eq=False):
    """One operation.

    ``word`` is a layer of ours, a merge ("concat" with the argument ``dim``, "add", ...), "split" (argument
    ``sizes``; its outputs are the parts), or "" for a module that is not a layer, which is ``child``. ``name`` is the
    path of the module relative to the one around, "" if a function did it. ``arguments`` are torch's, by name, only
    those that are not the default, inferred ones left out; a :class:`~cnndsl.emit.source.expr.Expr` among them is a
    formula over ``input.channels``, ``input.height``, ... of the node's first input. An ``Upsample`` with ``like``
    has the tensor that it names as its second input. ``options`` are further keys of the step: ``parametrization``,
    a :class:`~cnndsl.importing.tree.LayerValue`. ``reuse`` is true if an earlier node made the module. ``body`` is that
    of this very use of the child.
    """

    word: str
    name: str
    arguments: Mapping[str, Any]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    place: Place | None = None
    child: Traced | None = None
    reuse: bool = False
    options: Mapping[str, Any] = {}
    body: Body | None = None


class Body(Record, frozen=True, eq=False):
    """One use of a module: its inputs and outputs by name, and its nodes in the order in which they ran. One output
    has the name "". An output that is an input as it came is that tensor."""

    module: Traced
    inputs: Mapping[str, Tensor]
    nodes: tuple[Node, ...]
    outputs: Mapping[str, Tensor]


class Lifted(Record, frozen=True, eq=False):
    """A whole network in our words: the ``root``'s body, in whose nodes those of all other uses are.

    ``rename`` is what the module calls tensors that have other names here: patterns of the language, or whole names.
    ``unused`` are the paths of modules that never ran. ``warnings`` are refusals that leave something out.
    """

    root: Body
    rename: Mapping[str, str] = {}
    unused: tuple[str, ...] = ()
    warnings: tuple[Refusal, ...] = ()


class AnyNode(Protocol):
    """A node, or one to be."""

    @property
    def word(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def arguments(self) -> Mapping[str, Any]: ...
    @property
    def options(self) -> Mapping[str, Any]: ...
    @property
    def inputs(self) -> tuple[Tensor, ...]: ...
    @property
    def outputs(self) -> tuple[Tensor, ...]: ...
    @property
    def body(self) -> AnyBody | None: ...


class AnyBody(Protocol):
    """A body, or one to be."""

    @property
    def inputs(self) -> Mapping[str, Tensor]: ...
    @property
    def nodes(self) -> Sequence[AnyNode]: ...
    @property
    def outputs(self) -> Mapping[str, Tensor]: ...


def does_the_same(body: AnyBody, other: AnyBody) -> bool:
    """Whether two uses of a module are the same steps."""
    return _said(body) == _said(other)


def _said(body: AnyBody) -> tuple[object, ...]:
    """What a body does, with numbers for its tensors."""
    numbers = {tensor: index for index, tensor in enumerate(body.inputs.values())}
    said: list[object] = []
    for node in body.nodes:
        taken = tuple(numbers.get(tensor) for tensor in node.inputs)
        inner = _said(node.body) if node.body else ()
        said.append((node.word, node.name, repr([*node.arguments.items()]), repr(node.options), taken, inner))
        numbers |= {tensor: len(numbers) + index for index, tensor in enumerate(node.outputs)}
    return (*said, tuple(numbers.get(tensor) for tensor in body.outputs.values()))
