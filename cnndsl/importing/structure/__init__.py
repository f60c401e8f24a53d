"""The data flow of one use of a module as steps that a person would write."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from cnndsl.importing.body import Body, Lifted, Node
from cnndsl.importing.structure.arrange import rearranged
from cnndsl.importing.structure.flow import flow_of
from cnndsl.importing.structure.names import Names, named
from cnndsl.importing.structure.pieces import Pieces, makes
from cnndsl.importing.structure.renames import renamed
from cnndsl.importing.structure.simplify import simplified
from cnndsl.importing.structure.spell import spelled
from cnndsl.importing.structure.weave import woven
from cnndsl.importing.tree import Block
from cnndsl.spec.steps import last_part


def arranged(network: Lifted) -> Lifted:
    """A network whose modules take and return what the language can say, and whose ``rename`` has the modules too."""
    root = rearranged(network.root)
    return replace(network, root=root, rename=renamed(root, _children, network.rename))


def structured(body: Body) -> Block:
    """One use of one module as a block without parameters, called as its class. A child that is not a layer is a
    ``Call`` with its class and its path."""
    pieces, names = _named(body)
    return Block(body.module.kind, (), spelled(pieces, names), names.inputs, names.outputs)


def _named(body: Body) -> tuple[Pieces, Names]:
    simple = simplified(body)
    pieces = woven(flow_of(simple))
    return pieces, named(simple, pieces, _outputs_of)


def _outputs_of(node: Node) -> tuple[str, ...]:
    """The names of a child's outputs if it has several."""
    if node.body is None or len(node.outputs) < 2:
        return ()
    return tuple(last_part(name) for name in _named(node.body)[1].outputs)


def _children(body: Body) -> Mapping[str, str]:
    """What the modules in a body are called. In a chain, those without a name are called by their index."""
    pieces, names = _named(body)
    order = {node.name: str(index) for index, node in enumerate(makes(pieces))}
    return {name: called or order[name] for name, called in names.modules.items()}
