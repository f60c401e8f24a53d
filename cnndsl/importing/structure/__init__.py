"""The data flow of one use of a module as steps that a person would write."""

from __future__ import annotations

from cnndsl.importing.body import Body, Node
from cnndsl.importing.structure.arrange import arranged
from cnndsl.importing.structure.flow import flow_of
from cnndsl.importing.structure.names import named
from cnndsl.importing.structure.simplify import simplified
from cnndsl.importing.structure.spell import spelled
from cnndsl.importing.structure.weave import woven
from cnndsl.importing.tree import Block
from cnndsl.spec.steps import last_part

__all__ = ["arranged", "structured"]


def structured(body: Body) -> Block:
    """One use of one module as a block without parameters, called as its class. A child that is not a layer is a
    ``Call`` with its class and its path."""
    simple = simplified(body)
    pieces = woven(flow_of(simple))
    names = named(simple, pieces, _outputs_of)
    return Block(body.module.kind, (), spelled(pieces, names), names.inputs, names.outputs)


def _outputs_of(node: Node) -> tuple[str, ...]:
    """The names of a child's outputs if it has several."""
    if node.body is None or len(node.outputs) < 2:
        return ()
    return tuple(last_part(name) for name in structured(node.body).outputs)
