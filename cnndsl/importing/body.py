"""The body of one module in our words: layers, blocks, merges and splits, connected by tensors. Frozen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnndsl.importing.recorded import Place, Tensor, Traced
from cnndsl.record import Record


class Node(Record, frozen=True, eq=False):
    """One operation.

    ``word`` is a layer of ours, a merge ("concat" with the argument ``dim``, "add", ...), "split" (argument
    ``sizes``; its outputs are the parts), or "" for a module that is not a layer, which is ``child``. ``name`` is the
    path of the module relative to the one around, "" if a function did it. ``arguments`` are torch's, by name, only
    those that are not the default, inferred ones left out; a :class:`~cnndsl.emit.source.expr.Expr` among them is a
    formula over ``input.channels``, ``input.height``, ... of the node's first input. An ``Upsample`` with ``like``
    has the tensor that it names as its second input. ``options`` are further keys of the step: ``parametrization``,
    a :class:`~cnndsl.importing.tree.LayerValue`. ``reuse`` is true if an earlier node made the module.
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


class Body(Record, frozen=True, eq=False):
    """One use of a module: its inputs and outputs by name, and its nodes in the order in which they ran. One output
    has the name "". An output that is an input as it came is that tensor."""

    module: Traced
    inputs: Mapping[str, Tensor]
    nodes: tuple[Node, ...]
    outputs: Mapping[str, Tensor]


class Refusal(Record, frozen=True):
    """Something that no spec can say: ``what`` happens, where, and what to write instead. ``kind`` groups those that
    have one cause: "attention", "recurrent", "layer", "operation", "batch", "size", "constant", "sharing", "name".
    ``path`` is the module in which it happens."""

    kind: str
    what: str
    place: Place | None = None
    help: str = ""
    path: str = ""


class Lifted(Record, frozen=True, eq=False):
    """All bodies of a network. ``bodies`` has those of each module that is not a layer, one for each use.

    ``rename`` is what the module calls tensors that have other names here: our name to its, whole or as patterns of
    the language. ``unused`` are the paths of modules that never ran.
    """

    root: Traced
    bodies: Mapping[Traced, tuple[Body, ...]]
    refusals: tuple[Refusal, ...] = ()
    rename: Mapping[str, str] = {}
    unused: tuple[str, ...] = ()
