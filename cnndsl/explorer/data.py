"""A network as the page shows it: plain data, in which equal parts are one.

A *node* is what is known of an operation without its place in the network: a layer with its arguments, shapes and
costs, or a module with its children and the edges between them. Equal nodes are one, so the data of a network grows
with its different parts. The page works out paths from the names of children.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence, Set
from math import ceil
from typing import Any, TypeAlias

from cnndsl.emit.diagram.compact.arguments import NOISE
from cnndsl.emit.diagram.labels import plain, required
from cnndsl.emit.table import arguments
from cnndsl.explorer.fields import fields
from cnndsl.explorer.places import Places
from cnndsl.graph.graph import Alias, Apply, Graph, Module, Operation, Tensor
from cnndsl.measure.memory import output_bytes, peak
from cnndsl.printable import one_line
from cnndsl.record import Record

#: A module with more children is shown as groups of ``GROUP`` neighbours: nobody reads 20,000 boxes in a row. One whose
#: edges go past more children, all together, is shown as about ``FEW`` groups: their layout would take minutes.
MOST, GROUP, DETOURS, FEW = 150, 100, 600, 10
#: Child and output, child and input, and 1 if only the size is read. The child -1 is the module itself.
Edge: TypeAlias = tuple[int, int, int, int, int]


class Child(Record, frozen=True, eq=False):
    """A node in a module: its name there, and the tensors that it takes and gives. Of tensors after the first
    ``values``, it reads only the size."""

    name: str
    node: int
    inputs: Sequence[Tensor]
    outputs: Sequence[Tensor]
    values: int


def as_data(graph: Graph) -> dict[str, Any]:
    """A network as plain data. Shapes and costs are those of one sample."""
    memory = output_bytes(graph)
    whole = sum(memory[operation] for operation in graph.root.operations)
    nodes = _Nodes(Places(graph.document.source), {**memory, graph.root: whole})
    root = nodes.module(graph.root)
    network = nodes.found[root]
    network["place"] = nodes.places.place(graph.document.network_span)
    if not graph.document.names_inputs:  # the name that it has in code is not written anywhere
        network["inputs"] = [["input", sizes] for _, sizes in network["inputs"]]
    known, of = fields(graph)
    return {
        "name": one_line(graph.root.name),
        "description": graph.document.description,
        "root": root,
        "nodes": nodes.found,
        "sources": nodes.places.sources(),
        "peak": [peak(graph), peak(graph, training=True)],
        "fields": known,
        "field": of,
    }


class _Nodes:
    """All different nodes of a network; ``found`` has them by their numbers."""

    def __init__(self, places: Places, memory: Mapping[Operation, int]) -> None:
        self.places, self.memory = places, memory
        self.found: list[dict[str, Any]] = []
        self._numbers: dict[str, int] = {}
        self._applied: dict[Hashable, int] = {}

    def module(self, module: Module) -> int:
        """The number of a module's node."""
        names = _unique(one_line(operation.name) for operation in module.operations)
        children = [self._child(name, operation) for name, operation in zip(names, module.operations)]
        node = {
            **self._common(module),
            "inputs": [[one_line(name), tensor.shape.sample] for name, tensor in module.given.items()],
            "outputs": [[one_line(name), tensor.shape.sample] for name, tensor in module.made.items()],
        }
        return self._number(node | self._inside(children, [*module.given.values()], module.outputs))

    def _child(self, name: str, operation: Operation) -> Child:
        if isinstance(operation, Module):
            node, values = self.module(operation), len(operation.inputs)
        elif isinstance(operation, Apply):
            node, values = self._layer(operation), 1
        else:
            node, values = self._number(self._operation(operation)), len(operation.inputs)
        return Child(name, node, operation.inputs, operation.outputs, values)

    def _number(self, node: Mapping[str, Any]) -> int:
        key = json.dumps(node, default=str)
        if key not in self._numbers:
            self._numbers[key] = len(self.found)
            self.found.append(dict(node))
        return self._numbers[key]

    # What is known of an operation

    def _common(self, operation: Operation) -> dict[str, Any]:
        cost, step = operation.cost, operation.step
        return {
            "title": one_line(operation.kind),
            "arguments": [[name, one_line(plain(value))] for name, value in arguments(operation).items()],
            "params": cost.params,
            "buffers": cost.buffers,
            "macs": cost.macs,
            "memory": self.memory[operation],
            "place": self.places.place(step.span) if step else None,
        }

    def _operation(self, operation: Operation) -> dict[str, Any]:
        """A layer, merge or split, whose tensors have no names."""
        return {
            **self._common(operation),
            "inputs": [["", tensor.shape.sample] for tensor in operation.inputs],
            "outputs": [["", tensor.shape.sample] for tensor in operation.outputs],
        }

    def _layer(self, apply: Apply) -> int:
        besides = tuple(tensor.shape for tensor in apply.inputs[1:])
        key = id(apply.bound), id(apply.step), apply.reuse, besides
        if key not in self._applied:
            layer = apply.layer
            given = arguments(apply)
            left = {name: one_line(plain(value)) for name, value in layer.values.items() if name not in given}
            tensors = layer.named_parameters()
            again = {"shared": one_line(apply.name)} if apply.reuse and tensors else {}
            details = {"family": layer.family, "detail": _detail(apply), "defaults": [*left.items()]}
            self._applied[key] = self._number(
                self._operation(apply) | details | {"tensors": [*tensors.items()]} | again
            )
        return self._applied[key]

    # What is in a module

    def _inside(self, children: Sequence[Child], given: Sequence[Tensor], made: Sequence[Tensor]) -> dict[str, Any]:
        """Children and edges of a module that takes and makes these tensors."""
        edges = [*_edges(children, given, made)]
        while len(children) > MOST or (len(children) > FEW and _detours(edges) > DETOURS):
            size = GROUP if len(children) > MOST else ceil(len(children) / FEW)
            children = [*self._groups(children, made, size)]
            edges = [*_edges(children, given, made)]
        return {"children": [(child.name, child.node) for child in children], "edges": edges}

    def _groups(self, children: Sequence[Child], made: Sequence[Tensor], size: int) -> Iterator[Child]:
        """``size`` neighbours each as one child, with the tensors that come from before and are needed after it."""
        needed = {id(name) for tensor in made for name in _names(tensor)}
        found: list[Child] = []
        for start in reversed(range(0, len(children), size)):
            group = children[start : start + size]
            found.append(group[0] if len(group) == 1 else self._group(group, *_ends(group, needed)))
            needed.update(id(name) for tensor in found[-1].inputs for name in _names(tensor))
        yield from reversed(found)

    def _group(self, group: Sequence[Child], inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Child:
        inside = [self.found[child.node] for child in group]
        node = {
            "title": "group",
            "arguments": [],
            **{key: sum(node[key] for node in inside) for key in ("params", "buffers", "macs", "memory")},
            "place": None,
            "inputs": [["", tensor.shape.sample] for tensor in inputs],
            "outputs": [["", tensor.shape.sample] for tensor in outputs],
            "group": True,
        }
        first, last = group[0].name.partition(" … ")[0], group[-1].name.rpartition(" … ")[2]
        number = self._number(node | self._inside(group, inputs, outputs))
        return Child(f"{first} … {last}", number, inputs, outputs, len(inputs))


def _ends(group: Sequence[Child], needed: Set[int]) -> tuple[list[Tensor], list[Tensor]]:
    """The tensors that a group takes, and those that it makes and that are ``needed``."""
    made = {id(tensor): tensor for child in group for tensor in child.outputs}
    inputs = {id(tensor): tensor for child in group for tensor in child.inputs}
    taken = [tensor for tensor in inputs.values() if made.keys().isdisjoint(map(id, _names(tensor)))]
    return taken, [tensor for key, tensor in made.items() if key in needed]


def _edges(children: Sequence[Child], given: Sequence[Tensor], made: Sequence[Tensor]) -> Iterator[Edge]:
    source = {id(tensor): (-1, port) for port, tensor in enumerate(given)}
    for number, child in enumerate(children):
        for port, tensor in enumerate(child.inputs):
            yield (*_found(source, tensor), number, port, int(port >= child.values))
        source.update((id(tensor), (number, port)) for port, tensor in enumerate(child.outputs))
    for port, tensor in enumerate(made):
        yield (*_found(source, tensor), -1, port, 0)


def _detours(edges: Sequence[Edge]) -> int:
    """How many ranks all edges go past. A child's rank is above that of all that it takes."""
    pairs = dict.fromkeys((tail, head) for tail, _, head, *_ in edges)
    ranks: Counter[int] = Counter()
    for tail, head in pairs:
        if head >= 0:
            ranks[head] = max(ranks[head], ranks[tail] + 1 if tail >= 0 else 1)
    end = max(ranks.values(), default=0) + 1
    return sum((ranks[head] if head >= 0 else end) - (ranks[tail] if tail >= 0 else 0) - 1 for tail, head in pairs)


def _names(tensor: Tensor) -> Iterator[Tensor]:
    """A tensor, and, if it is an alias, what it stands for."""
    yield tensor
    if isinstance(tensor, Alias):
        yield from _names(tensor.of)


def _found(source: Mapping[int, tuple[int, int]], tensor: Tensor) -> tuple[int, int]:
    """The child and its output that a tensor comes from."""
    return next(source[id(name)] for name in _names(tensor) if id(name) in source)


def _unique(names: Iterator[str]) -> Iterator[str]:
    """Names, with a number after one that was there before."""
    uses: Counter[str] = Counter()
    for name in names:
        unique = name
        while uses[unique]:
            unique = f"{name} {uses[name] + 1}"
            uses[name] += 1
        uses[unique] += 1
        yield unique


def _detail(apply: Apply) -> str:
    """A layer's arguments in a few words, such as ``64, 3, stride 2``, without what a figure leaves out."""
    layer, texts = apply.layer, []
    for name, value in arguments(apply).items():
        argument = layer.arguments.get(name)
        if argument is None:  # the parametrization
            texts.append(str(value))
        elif argument.required:
            texts.append(required(layer, name, value))
        elif name not in NOISE and not (name == "bias" and layer.family == "convolution"):
            texts.append(f"{name} {plain(value)}")
    return one_line(", ".join(texts))
