"""Arguments of a network as parameters of its document, by experiment: the network is built again with another value.

If all that changes is that value itself, wherever it is an argument of a layer, the document has a parameter for it.
Several values are tried, and what is built does the same steps. It has no values: it is on torch's meta device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from msgspec.structs import replace
from torch import nn

from cnndsl.emit.source.expr import Ref
from cnndsl.importing.body import Body, Lifted, Node, does_the_same
from cnndsl.importing.lift.leaves import arguments_of, word_of
from cnndsl.importing.proof.names import is_below
from cnndsl.importing.tree import Arguments
from cnndsl.layers import LAYERS
from cnndsl.record import Record
from cnndsl.spec.names import unusable_variable

#: Builds the network with other values of some arguments.
Rebuild: TypeAlias = Callable[[Mapping[str, Any]], nn.Module]
#: What a network does that was built again.
Lift: TypeAlias = Callable[[nn.Module], Lifted]
#: What a module says of itself: its class, and values by their names.
_Said: TypeAlias = tuple[type, dict[str, Any]]


class _Place(Record, frozen=True):
    """An argument of a layer, by the layer's path in the network."""

    path: str
    argument: str


def with_parameters(network: Lifted, rebuild: Rebuild, lift: Lift) -> tuple[Lifted, Arguments]:
    """The network with the names of its own arguments where layers take them, and these arguments with their values."""
    ours = _said(network.root.module.module, network.unused)
    numbers = {(type(one), one) for _, said in ours.values() for one in said.values() if type(one) in (int, float)}
    experiment = _Experiment(network, rebuild, lift, ours)
    found: dict[_Place, Ref] = {}
    parameters: Arguments = ()
    for name, value in network.root.module.arguments.items():
        # What no module has is no argument of a layer: the network need not be built to know.
        if type(value) in (int, float) and (type(value), value) in numbers and not unusable_variable(name):
            places = experiment.explained(name, value)
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


def _others(value: Any) -> tuple[Any, ...]:
    """Values to try, the most harmless first: classes are often decided upon at 1, 2, or many."""
    if isinstance(value, int):
        return tuple(other for other in (value + 1, 1, 2, 1000) if other != value)
    return (value / 2 or 0.25, (value + 1) / 2)


class _Experiment:
    """Builds a network again. ``said`` is what its modules say of themselves."""

    def __init__(self, network: Lifted, rebuild: Rebuild, lift: Lift, said: Mapping[str, _Said]) -> None:
        self.network, self.rebuild, self.lift, self.said = network, rebuild, lift, said
        self.layers = {path for path, node in _layers(network.root) if node.name and node.word in LAYERS}

    def explained(self, name: str, value: Any) -> list[_Place]:
        """The arguments of layers that are the value of the network's argument, whatever it is; [] if that decides
        anything else."""
        found: list[_Place] = []
        for other in _others(value):
            try:
                rebuilt = self.rebuild({name: other})
                places = self._places(rebuilt, value, other)
                if not places or (found and found != places):
                    return []
                again = self.lift(rebuilt)
            except Exception:  # somebody's code, which need not take the value
                continue
            given = dict.fromkeys(places, Ref(name))
            if not does_the_same(_referring(self.network.root, given), _referring(again.root, given)):
                return []
            found = places
        return found

    def _places(self, rebuilt: nn.Module, value: Any, other: Any) -> list[_Place]:
        """The arguments of layers that are the ``other`` value in place of this one, [] if anything else changes."""
        theirs = _said(rebuilt, self.network.unused)
        if self.said.keys() != theirs.keys():
            return []
        found: list[_Place] = []
        for path, said in self.said.items():
            for argument, before, after in _changes(said, theirs[path]):
                is_value = type(before) is type(value) and (before, after) == (value, other)
                if not is_value or path not in self.layers:
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
