"""Arguments of a network as parameters of its document, by experiment: the network is built again with another value.

If all that changes is that value itself, wherever it is an argument of a layer, the document has a parameter for it.
Nothing runs for this, and the network is built without values, on torch's meta device.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from msgspec.structs import replace
from torch import nn

from cnndsl.emit.source.expr import Ref
from cnndsl.importing.body import Body, Lifted, Node
from cnndsl.importing.lift.leaves import arguments_of, word_of
from cnndsl.importing.proof.names import is_below
from cnndsl.importing.tree import Arguments
from cnndsl.layers import LAYERS
from cnndsl.record import Record
from cnndsl.spec.names import unusable_variable

#: Builds the network with other values of some arguments.
Rebuild: TypeAlias = Callable[[Mapping[str, Any]], nn.Module]
#: What a module says of itself: its class, and values by their names.
_Said: TypeAlias = tuple[type, dict[str, Any]]


class _Place(Record, frozen=True):
    """An argument of a layer, by the layer's path in the network."""

    path: str
    argument: str


def with_parameters(network: Lifted, rebuild: Rebuild) -> tuple[Lifted, Arguments]:
    """The network with the names of its own arguments where layers take them, and these arguments with their values."""
    layers = {path for path, node in _layers(network.root) if node.name and node.word in LAYERS}
    ours = _said(network.root.module.module, network.unused)
    numbers = {(type(one), one) for _, said in ours.values() for one in said.values() if type(one) in (int, float)}
    found: dict[_Place, Ref] = {}
    parameters: Arguments = ()
    for name, value in network.root.module.arguments.items():
        # What no module has is no argument of a layer: the network need not be built to know.
        if type(value) in (int, float) and (type(value), value) in numbers and not unusable_variable(name):
            places = _places(network, ours, rebuild, name, value, layers)
            if places and found.keys().isdisjoint(places):
                parameters += ((name, value),)
                found |= dict.fromkeys(places, Ref(name))
    return replace(network, root=_referring(network.root, found)), parameters


def _layers(body: Body) -> Iterator[tuple[str, Node]]:
    """The nodes of a body and those inside of it, by their paths in the network."""
    for node in body.nodes:
        yield _path(body, node), node
        if node.body is not None:
            yield from _layers(node.body)


def _path(body: Body, node: Node) -> str:
    return ".".join(filter(None, (body.module.path, node.name)))


def _other(value: Any) -> Any:
    return value + 1 if isinstance(value, int) else value / 2 or 0.25


def _places(
    network: Lifted, ours: Mapping[str, _Said], rebuild: Rebuild, name: str, value: Any, layers: Collection[str]
) -> list[_Place]:
    """The arguments of layers that are another value if the network's argument is, [] if anything else changes."""
    other = _other(value)
    try:
        rebuilt = rebuild({name: other})
    except Exception:  # somebody's code, which need not take the value
        return []
    theirs = _said(rebuilt, network.unused)
    if ours.keys() != theirs.keys():
        return []
    found: list[_Place] = []
    for path, said in ours.items():
        for argument, before, after in _changes(said, theirs[path]):
            is_value = type(before) is type(value) and (before, after) == (value, other)
            if not is_value or path not in layers:
                return []
            found.append(_Place(path, argument))
    return found


def _said(network: nn.Module, unused: Sequence[str]) -> dict[str, _Said]:
    """What each module says of itself, by its path: its class, and the arguments of a layer with its defaults; or the
    shapes of its tensors, and numbers that ``forward`` may use, except those that the network itself remembers. What is
    not used says nothing."""
    made: dict[str, _Said] = {}
    for path, module in network.named_modules():
        if is_below(path, unused):
            made[path] = nn.Module, {}
        elif word := word_of(type(module)):
            made[path] = type(module), {**LAYERS[word].arguments.defaults, **arguments_of(word, module)}
        else:
            made[path] = type(module), {**_shapes(module), **(_numbers(module) if path else {})}
    return made


def _changes(one: _Said, other: _Said) -> Iterator[tuple[str, Any, Any]]:
    """What differs in what two modules say."""
    (kind, before), (other_kind, after) = one, other
    if kind is not other_kind:
        yield "", kind, other_kind
    else:
        yield from ((name, value, after.get(name)) for name, value in before.items() if value != after.get(name))


def _shapes(module: nn.Module) -> dict[str, Any]:
    tensors = (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))
    return {name: tuple(tensor.shape) for name, tensor in tensors}


def _numbers(module: nn.Module) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if isinstance(value, (int, float))}


def _referring(body: Body, found: Mapping[_Place, Ref]) -> Body:
    """A body whose layers take the network's arguments by their names."""
    return replace(body, nodes=tuple(_node_referring(body, node, found) for node in body.nodes))


def _node_referring(body: Body, node: Node, found: Mapping[_Place, Ref]) -> Node:
    if node.body is not None:
        return replace(node, body=_referring(node.body, found))
    path = _path(body, node)
    given = {place.argument: name for place, name in found.items() if place.path == path}
    if not given or not node.word:
        return node
    arguments = {**node.arguments, **given}
    order = [*LAYERS[node.word].arguments]
    return replace(node, arguments={name: arguments[name] for name in sorted(arguments, key=order.index)})
