"""The classes of the emitted source: which modules share a class, and the content of each."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

from cnndsl.emit.source.align import align, align_dense, is_named, needs_class, signature
from cnndsl.emit.source.bind import Scope, bind
from cnndsl.emit.source.constructor import constructor, numbered, unwritable
from cnndsl.emit.source.expr import Call, Items, Lit, Ref
from cnndsl.emit.source.names import camel, free
from cnndsl.emit.source.names import numbered as with_numbers
from cnndsl.emit.source.pieces import Bound
from cnndsl.emit.source.program import Assign, Class, For, Return
from cnndsl.emit.source.schedule import schedule
from cnndsl.emit.source.tree import Aligned, Leaf, Misfit, Nodes, insides
from cnndsl.graph.copies import exact
from cnndsl.graph.graph import Apply, Body, Graph, Module, operations

#: How many earlier groups of modules a group is tried to be merged with.
TRIES = 8


def plan(graph: Graph, taken: frozenset[str]) -> tuple[Class, ...]:
    """A class for every block, and for every ``sequential`` that ``nn.Sequential`` cannot express; the network's own
    comes last. ``taken`` are names that no class may have."""
    return Planner(graph, taken).plan()


class Planner:
    """Callees come before their callers, so the parameters of a class are known when it is called."""

    def __init__(self, graph: Graph, taken: frozenset[str]) -> None:
        self.graph = graph
        self.names = {*taken}
        self.bounds: list[Bound] = []
        #: The class of a module, and the module's index among the uses of the class.
        self.classes: dict[int, tuple[Bound, int]] = {}

    def plan(self) -> tuple[Class, ...]:
        root = self.graph.root
        for modules in _callees_first(root.body):
            self.define(modules, _class_name(modules))
        name = camel(root.name)
        self.define([root], name if name not in self.names else f"{name}Net")
        return tuple(map(_written, self.bounds))

    def define(self, modules: Sequence[Module], name: str) -> None:
        """The classes of a definition. Two of its equal uses show what all of them have; one would not show that there
        are others."""
        equal: dict[Hashable, list[Module]] = {}
        for module in modules:
            equal.setdefault(_likeness(module), []).append(module)
        shown = {id(module) for group in equal.values() for module in group[:2]}
        self.express([module for module in modules if id(module) in shown], name)
        for first, *others in equal.values():
            self.classes |= {id(other): self.classes[id(first)] for other in others}

    def express(self, modules: Sequence[Module], name: str) -> None:
        """One class for all uses of a definition, or one for each group of similar uses."""
        bound = self.bound(modules, name)
        if isinstance(bound, Misfit):
            for group in self.groups(modules):
                one = self.bound(group, name)
                for part in self.alike(group) if isinstance(one, Misfit) else ():
                    self.add(self.bound(part, name, loops=False))
                if isinstance(one, Bound):
                    self.add(one)
        else:
            self.add(bound)

    def add(self, bound: Bound | Misfit) -> None:
        assert isinstance(bound, Bound), bound
        self.names.add(bound.name)
        self.bounds.append(bound)
        for index, module in enumerate(bound.aligned.uses):
            self.classes[id(module)] = bound, index

    def groups(self, modules: Sequence[Module]) -> list[list[Module]]:
        """Groups of modules with the same outline, merged as far as one class can express one of each."""
        groups: list[list[Module]] = []
        shown: list[list[Module]] = []
        for group in self.alike(modules):
            tries = range(max(len(groups) - TRIES, 0), len(groups))
            home = next((n for n in tries if isinstance(self.bound([*shown[n], group[0]], ""), Bound)), None)
            if home is None:
                groups.append([*group])
                shown.append([group[0]])
            else:
                groups[home] += group
                shown[home].append(group[0])
        return groups

    def bound(self, modules: Sequence[Module], name: str, loops: bool = True) -> Bound | Misfit:
        gap = "_" if name[-1:].isdigit() else ""
        unique = free(with_numbers(name, gap), self.names)
        document = self.graph.document
        scope = Scope(self.graph.root.params, document.blocks, self.bounds, self.classes, self.names)
        trees = [align(modules, loops)]
        if loops and not self.names_ports(modules):
            trees = [*filter(None, [align_dense(modules)]), *trees]
        found: Bound | Misfit = Misfit("")
        for aligned in trees:
            found = aligned if isinstance(aligned, Misfit) else bind(aligned, unique, scope)
            found = unwritable(found.pieces) or found if isinstance(found, Bound) else found
            if isinstance(found, Bound):
                break
        return found

    def names_ports(self, modules: Sequence[Module]) -> bool:
        """Whether modules name their inputs or outputs."""
        return any([*module.given] != ["x"] or [*module.made] != ["output"] for module in modules)

    # --- which modules are alike -----------------------------------------------------------------

    def alike(self, modules: Sequence[Module]) -> list[list[Module]]:
        """Modules that differ only in values, together."""
        found: dict[Hashable, list[Module]] = {}
        for module in modules:
            aligned = align([module], loops=False)
            assert isinstance(aligned, Aligned)
            found.setdefault((self.outline(aligned.nodes), *aligned.returned.items()), []).append(module)
        return [*found.values()]

    def outline(self, nodes: Nodes) -> Hashable:
        """Everything about the tree of one use but its values."""
        return tuple(
            self.leaf(node) if isinstance(node, Leaf) else (type(node), *map(self.outline, insides(node)))
            for node in nodes
        )

    def leaf(self, leaf: Leaf) -> Hashable:
        item = leaf.first
        callee = item.layer.constructor if isinstance(item, Apply) else ""
        if id(item) in self.classes:
            callee = self.classes[id(item)][0].name
        inner = leaf.inner and self.outline(leaf.inner)
        return id(leaf.step), item.name, callee, signature(item), leaf.inputs, inner


def _written(bound: Bound) -> Class:
    aligned, taken = bound.aligned, {parameter.name for parameter in bound.parameters}
    if aligned.prefix:
        return Class(bound.name, bound.parameters, False, numbered(bound.pieces, aligned.prefix), _DENSE)
    init = constructor(bound.pieces, aligned.is_chain, taken)
    if aligned.is_chain:
        return Class(bound.name, bound.parameters, True, init)
    is_root, count = aligned.uses[0].step is None, len(aligned.returned)
    several = "dict[str, Tensor]" if is_root else f"tuple[{', '.join(['Tensor'] * count)}]"
    inputs, forward = schedule(aligned, bound.flags, is_root)
    return Class(bound.name, bound.parameters, False, init, forward, inputs, several if count > 1 else "Tensor")


_LAYER = Call(Ref("torch.cat"), (Items((Ref("x"), Call(Ref("layer"), (Ref("x"),)))), Lit(1)))
#: ``forward`` of a module that passes to each child everything before it.
_DENSE = (
    For(("layer",), Call(Ref("self.children")), (Assign("x", _LAYER),)),
    Return(Ref("x")),
)


# --- definitions ---------------------------------------------------------------------------------


def _definition(module: Module) -> Hashable:
    return module.block or id(module.step)


def _likeness(module: Module) -> Hashable:
    """The same for uses of a block that are copies of each other. Its steps see its parameters and its inputs only."""
    if not module.block:
        return id(module)
    given = [*module.given.values()]
    return exact(module.params), (*module.given,), tuple((tensor.shape, given.index(tensor)) for tensor in given)


def _class_name(modules: Sequence[Module]) -> str:
    """The block's name, or that of the step without its number."""
    first = modules[0]
    if first.block:
        return first.block
    if not is_named(first.step):
        return "Part"
    names = {module.name for module in modules}
    name = first.name.replace(".", "_")
    return camel(name if len(names) == 1 else name.rstrip("_0123456789"))


def _callees_first(body: Body) -> Iterator[list[Module]]:
    """The uses of each definition in the network's order; a definition comes after those that it uses."""
    uses: dict[Hashable, list[Module]] = {}
    called: dict[Hashable, dict[Hashable, None]] = {}

    def collect(body: Body, around: Hashable) -> None:
        for item in operations(body):
            if isinstance(item, Module) and not item.reuse:
                key = around
                if needs_class(item):
                    key = _definition(item)
                    uses.setdefault(key, []).append(item)
                    called.setdefault(around, {})[key] = None
                collect(item.body, key)

    def visit(key: Hashable) -> Iterator[list[Module]]:
        modules = uses.pop(key, None)
        if modules is not None:
            for inner in called.get(key, ()):
                yield from visit(inner)
            yield modules

    collect(body, None)
    for key in [*uses]:
        yield from visit(key)
