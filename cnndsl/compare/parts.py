"""A network as a tree of parts that can be compared: modules and operations, each with keys that tell equal ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, TypeGuard

from cnndsl.graph.graph import Apply, Graph, Merge, Module, Operation, Split, Tensor
from cnndsl.record import Record

#: Merges that do not depend on the order of their inputs.
COMMUTATIVE = ("add", "multiply", "maximum", "minimum")


class Part(Record, frozen=True, eq=False):
    """A module, layer, merge or split. Regions of the spec, such as a ``repeat``, are not parts: what they hold are
    children of the module around.

    ``arguments`` are those that a person writes, defaults included; ``inferred`` follow from the input. ``is_named``
    tells whether the spec names it. Equal ``content``: the same computation, whatever its own name and inputs. Equal
    ``key``: the same name and the same wiring too, so that nothing inside differs. ``kinds`` and ``contents`` count
    the operations inside, itself if it has no children.
    """

    operation: Operation
    arguments: Mapping[str, Any]
    inferred: Mapping[str, Any]
    children: tuple[Part, ...]
    content: int
    key: int
    kinds: Counter[str]
    contents: Counter[int]
    weight: int

    @property
    def kind(self) -> str:
        return self.operation.kind

    @property
    def name(self) -> str:
        return self.operation.name

    @property
    def path(self) -> str:
        return self.operation.path

    @property
    def where(self) -> str:
        """Its path as people are told it: that of a ``reuse`` has its own name, not that of what it takes again."""
        operation = self.operation
        if not (is_applied(operation) and operation.called):
            return self.path
        around, dot, _ = self.path.rpartition(".")
        return f"{around}{dot}{operation.called}"

    @property
    def is_reuse(self) -> bool:
        """Whether it takes an earlier layer or module again."""
        return is_applied(self.operation) and self.operation.reuse

    @property
    def module(self) -> Module:
        """Its operation, if that is a module."""
        assert isinstance(self.operation, Module)
        return self.operation

    @property
    def is_module(self) -> bool:
        return isinstance(self.operation, Module)

    @property
    def is_named(self) -> bool:
        step = self.operation.step
        return step is not None and step.name is not None

    @property
    def identity(self) -> tuple[int, str]:
        """Its content, with its name if the spec gives it one."""
        return self.content, self.name if self.is_named else ""

    def everything(self) -> Iterator[Part]:
        """Itself and all parts inside, a module before its contents."""
        yield self
        for child in self.children:
            yield from child.everything()


class Tree(Record, frozen=True):
    """The parts of a network, with the module around each, its place among that one's children, the part that makes
    each tensor, and the first part of each path, which a ``reuse`` takes again. The ``inputs`` of two networks with the
    same names are in the same order."""

    root: Part
    inputs: Mapping[str, Tensor]
    parents: Mapping[Part, Part]
    places: Mapping[Part, int]
    makers: Mapping[Tensor, Part]
    firsts: Mapping[str, Part]


class Reader:
    """Reads graphs as trees. The keys of all trees of one reader can be compared."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        #: The names of the inputs by themselves, in the order in which they came first.
        self._inputs: dict[frozenset[str], tuple[str, ...]] = {}

    def tree(self, graph: Graph) -> Tree:
        """The tree of a network."""
        names = self._inputs.setdefault(frozenset(graph.inputs), tuple(graph.inputs))
        inputs = {name: graph.inputs[name] for name in names}
        root = self._module(graph.root, inputs, ())
        parents: dict[Part, Part] = {}
        places: dict[Part, int] = {}
        makers: dict[Tensor, Part] = {}
        firsts: dict[str, Part] = {}
        for part in root.everything():
            firsts.setdefault(part.path, part)
            parents.update(dict.fromkeys(part.children, part))
            places.update({child: place for place, child in enumerate(part.children)})
            if not part.is_module:
                makers.update(dict.fromkeys(part.operation.outputs, part))
        return Tree(root, inputs, parents, places, makers, firsts)

    def _number(self, key: Hashable) -> int:
        return self._numbers.setdefault(key, len(self._numbers))

    def _module(self, module: Module, given: Mapping[str, Tensor], wires: Hashable) -> Part:
        places: dict[Tensor, tuple[int, ...]] = {}
        for index, tensor in enumerate(given.values()):
            places.setdefault(tensor, (-1, index))
        children = []
        firsts: dict[str, int] = {}
        for index, operation in enumerate(module.operations):
            taken = _taken(operation, places, index), index - firsts.setdefault(operation.path, index)
            if isinstance(operation, Module):
                children.append(self._module(operation, operation.given, taken))
            else:
                children.append(self._leaf(operation, taken))
            places.update({tensor: (index, place) for place, tensor in enumerate(operation.outputs)})
        made = _wires(module.outputs, places, len(module.operations))
        content = self._number((_kind(module), tuple(child.key for child in children), made))
        kinds: Counter[str] = Counter()
        contents: Counter[int] = Counter()
        for child in children:
            kinds.update(child.kinds)
            contents.update(child.contents)
        own = {parameter.name: module.params[parameter.name] for parameter in module.definition.parameters}
        weight = max(sum(child.weight for child in children), 1)
        return self._part(module, own, {}, tuple(children), content, wires, kinds, contents, weight)

    def _leaf(self, operation: Apply | Merge | Split, wires: Hashable) -> Part:
        own, inferred = arguments(operation)
        content = self._number((_kind(operation), repr(own)))
        kinds, contents = Counter((operation.kind,)), Counter((content,))
        return self._part(operation, own, inferred, (), content, wires, kinds, contents, 1)

    def _part(
        self,
        operation: Operation,
        own: Mapping[str, Any],
        inferred: Mapping[str, Any],
        children: tuple[Part, ...],
        content: int,
        wires: Hashable,
        *counted: Any,
    ) -> Part:
        named = operation.step is not None and operation.step.name is not None
        key = self._number((content, operation.name if named else "", wires))
        return Part(operation, own, inferred, children, content, key, *counted)


def arguments(operation: Apply | Merge | Split) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments that a person writes, defaults included, and those that are inferred."""
    if isinstance(operation, Merge):
        return ({"dim": operation.dim} if operation.kind == "concat" else {}), {}
    if isinstance(operation, Split):
        return {"sizes": operation.sizes}, {}
    layer = operation.layer
    own: dict[str, Any] = {}
    inferred: dict[str, Any] = {}
    for name, value in layer.values.items():
        infer = layer.arguments[name].infer
        follows = infer is not None and (
            name not in operation.written or value == infer(type(layer), operation.input.shape)
        )
        (inferred if follows else own)[name] = value
    if layer.parametrization is not None:
        own["parametrization"] = str(layer.parametrization)
    return own, inferred


def _kind(operation: Operation) -> tuple[str, bool]:
    return operation.kind, is_applied(operation) and operation.reuse


def is_applied(operation: Operation) -> TypeGuard[Apply | Module]:
    """Whether it is a layer or a module, which can be reused."""
    return isinstance(operation, (Apply, Module))


def _taken(operation: Operation, places: Mapping[Tensor, tuple[int, ...]], index: int) -> Hashable:
    """Where the inputs of an operation come from, sorted if it does not depend on their order."""
    found = _wires(operation.inputs, places, index)
    return tuple(sorted(found)) if operation.kind in COMMUTATIVE else found


def _wires(
    tensors: Sequence[Tensor], places: Mapping[Tensor, tuple[int, ...]], index: int
) -> tuple[tuple[int, ...], ...]:
    """Where tensors come from, told so that equal modules tell it alike: an input of the module by its place, another
    tensor by how many operations before it was made."""
    found = [places.get(tensor, ()) for tensor in tensors]
    return tuple(place if place[:1] == (-1,) else (index - place[0], *place[1:]) if place else () for place in found)
