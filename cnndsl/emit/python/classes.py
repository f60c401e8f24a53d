"""The classes of the emitted source: which modules share a class, and the content of each."""

from __future__ import annotations

import keyword
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from cnndsl.emit.python.binder import Binder, Parameter, safe
from cnndsl.emit.python.constructor import Constructor
from cnndsl.emit.python.flow import Use, unify_flow
from cnndsl.emit.python.forward import write_forward
from cnndsl.emit.python.unify import Rounds, Slot, Unlike, unify
from cnndsl.emit.python.uses import (
    NO_DEFAULT,
    Construct,
    Element,
    Given,
    Key,
    Loop,
    is_named,
    keyed,
    needs_class,
    outline,
    positions,
)
from cnndsl.graph.graph import Apply, Body, Dense, Graph, Module, Repeat, Tensor, operations
from cnndsl.spec.steps import Steps

#: How many earlier groups of modules a group is tried to be merged with.
TRIES = 8


@dataclass(frozen=True, slots=True)
class EmittedClass:
    """A class of the source: its constructor's parameters, and the lines of its two methods."""

    name: str
    parameters: tuple[Parameter, ...]
    is_chain: bool
    init: tuple[str, ...]
    forward: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ("x",)
    returns: str = "Tensor"


def camel(name: str) -> str:
    """A name of the spec as the name of a class."""
    joined = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
    return joined if joined.isidentifier() and not keyword.iskeyword(joined) else f"Net{joined}"


class ClassPlanner:
    """Plans a class for every block, and for every ``sequential`` that ``nn.Sequential`` cannot express.

    Callees come before their callers, so the parameters of a class are known when it is called.
    """

    def __init__(self, graph: Graph, taken: frozenset[str]) -> None:
        self.graph = graph
        self.names = set(taken)
        self.classes: list[EmittedClass] = []
        #: The class of a module, and the module's index among the uses of the class.
        self.uses: dict[int, tuple[EmittedClass, int]] = {}

    def plan(self) -> tuple[EmittedClass, ...]:
        """All classes, the network's own last."""
        root = self.graph.root
        definitions: dict[Hashable, list[Module]] = {}
        for module in _modules(root.body):
            if needs_class(module):
                definitions.setdefault(_definition(module), []).append(module)
        for modules in _callees_first(definitions):
            self.define(modules, _class_name(modules))
        name = camel(root.name)
        self.define([root], name if name not in self.names else f"{name}Net")
        return tuple(self.classes)

    # --- which modules are one class -------------------------------------------------------------

    def define(self, modules: list[Module], name: str) -> None:
        """One class for all uses of a definition, or one for each group of similar uses."""
        try:
            self.add(modules, self.emitted(modules, self.unique(name)))
        except Unlike:
            for group in self.groups(modules):
                self.add(group, self.emitted(group, self.unique(name), loops=self.fit(group)))

    def add(self, modules: list[Module], emitted: EmittedClass) -> None:
        self.names.add(emitted.name)
        self.classes.append(emitted)
        for index, module in enumerate(modules):
            self.uses[id(module)] = (emitted, index)

    def groups(self, modules: list[Module]) -> list[list[Module]]:
        """Groups of modules with the same outline, merged as far as one class can express them."""
        alike: dict[Hashable, list[Module]] = {}
        for module in modules:
            alike.setdefault(self.outline(module), []).append(module)
        groups: list[list[Module]] = []
        for group in alike.values():
            home = next((other for other in groups[-TRIES:] if self.fit([*other, *group])), None)
            if home is None:
                groups.append(group)
            else:
                home += group
        return groups

    def fit(self, modules: list[Module]) -> bool:
        try:
            self.emitted(modules, "")
        except Unlike:
            return False
        return True

    def outline(self, module: Module) -> Hashable:
        """What modules have in common if they differ only in values."""
        if module.chain:
            return outline(self.elements(module, loops=False))
        use = self.use(module)
        return outline(self.constructs(use)), use.outline()

    def unique(self, name: str) -> str:
        gap = "_" if name[-1:].isdigit() else ""
        options = (name, *(f"{name}{gap}{number}" for number in range(2, len(self.names) + 3)))
        return next(option for option in options if option not in self.names)

    # --- one class -------------------------------------------------------------------------------

    def emitted(self, modules: Sequence[Module], name: str, loops: bool = True) -> EmittedClass:
        """One class for several modules. Raises :class:`Unlike`, but never for modules of one outline without
        ``loops``."""
        binder = Binder(modules, self.graph.document.blocks.get(modules[0].block), self.names)
        if modules[0].chain:
            parts = unify([tuple(self.elements(module, loops)) for module in modules])
            init = Constructor(binder).chain(parts)
            return EmittedClass(name, binder.parameters(), True, tuple(init))
        if loops and (prefix := self.dense_prefix(modules)):
            return self.dense(modules, name, binder, prefix)
        uses = [self.use(module) for module in modules]
        flow = unify_flow(uses, frozenset(op.item.name.partition(".")[0] for use in uses for op in use.ops.values()))
        init = Constructor(binder).attributes(unify([self.constructs(use) for use in uses]))
        init += [f"self.{flag} = {binder.expression(slot)}" for flag, slot in flow.flags.items()]
        is_root, count = modules[0] is self.graph.root, len(flow.returned)
        several = "dict[str, Tensor]" if is_root else f"tuple[{', '.join(['Tensor'] * count)}]"
        returns = "Tensor" if count == 1 else several
        forward = write_forward(replace(flow, is_root=is_root))
        return EmittedClass(name, binder.parameters(), False, tuple(init), tuple(forward), uses[0].names, returns)

    def use(self, module: Module) -> Use:
        inputs: dict[str, Tensor] = {}
        for name, tensor in module.given.items():
            inputs[safe(name, inputs)] = tensor
        return Use(tuple(keyed(module.body, module.steps)), inputs, module.made)

    def dense_prefix(self, modules: Sequence[Module]) -> str:
        """The prefix of the children's names if each module only passes to each child everything before it, which
        a loop expresses; else empty."""
        prefixes = {_dense_prefix(module) for module in modules}
        several = any(len(item.rounds) > 1 for module in modules for item in module.body if isinstance(item, Dense))
        named = modules[0] is self.graph.root and (len(self.graph.inputs) > 1 or self.graph.document.outputs)
        return prefixes.pop() if len(prefixes) == 1 and several and not named else ""

    def dense(self, modules: Sequence[Module], name: str, binder: Binder, prefix: str) -> EmittedClass:
        items = [item for module in modules for item in module.body if isinstance(item, Dense)]
        layers = [layer for item in items for body, _ in item.rounds for layer in body]
        rounds = unify([[self.construct((0,), layer)] for layer in layers if isinstance(layer, (Apply, Module))])
        step: Any = items[0].step
        times = Slot("times", tuple(len(item.rounds) for item in items), step.loop.times)
        init = Constructor(binder).numbered(Rounds(times, rounds), prefix)
        forward = ("for layer in self.children():", "    x = torch.cat([x, layer(x)], 1)", "return x")
        return EmittedClass(name, binder.parameters(), False, tuple(init), forward)

    # --- what a module constructs ----------------------------------------------------------------

    def elements(self, module: Module, loops: bool = True) -> Iterator[Element]:
        """The elements that a chain constructs."""
        return self._elements(module.body, module.steps, (), loops)

    def _elements(self, body: Body, steps: Steps, prefix: Key, loops: bool) -> Iterator[Element]:
        place = positions(steps, prefix)
        for item in body:
            key = (*place[id(item.step)], 0)
            if isinstance(item, Repeat):
                step: Any = item.step
                rounds = tuple(
                    tuple(self._elements(inner, step.steps, (*key, number), loops))
                    for number, inner in enumerate(item.rounds)
                )
                if loops:
                    yield Loop(key, step.loop.times, rounds)
                else:
                    yield from chain.from_iterable(rounds)
            elif isinstance(item, (Apply, Module)):
                yield self.construct(key, item, loops)

    def constructs(self, use: Use) -> tuple[Construct, ...]:
        """The elements that a module with its own ``forward`` constructs."""
        return tuple(
            self.construct(op.key, op.item)
            for op in use.ops.values()
            if isinstance(op.item, (Apply, Module)) and not op.item.reuse
        )

    def construct(self, key: Key, item: Apply | Module, loops: bool = True) -> Construct:
        if isinstance(item, Apply):
            return Construct(key, item, item.layer.constructor, tuple(_layer_arguments(item)))
        if id(item) in self.uses:
            emitted, index = self.uses[id(item)]
            return Construct(key, item, emitted.name, tuple(_class_arguments(item, emitted, index)))
        return Construct(key, item, "nn.Sequential", (), tuple(self.elements(item, loops)))


def _layer_arguments(item: Apply) -> Iterator[Given]:
    positional = True  # until one is not: all after it are written with their names
    for name, argument in item.layer.arguments.items():
        if name in item.layer.reads:
            continue
        needed = argument.infer is not None or argument.required
        positional = positional and needed and not argument.keyword
        yield Given(
            name,
            item.layer.values[name],
            item.written.get(name),
            inferred=argument.infer is not None and name not in item.written,
            positional=positional,
            default=NO_DEFAULT if needed else argument.default,
        )


def _class_arguments(item: Module, emitted: EmittedClass, index: int) -> Iterator[Given]:
    for parameter in emitted.parameters:
        yield Given(
            parameter.name,
            parameter.values[index],
            item.written.get(parameter.of_block),
            inferred=not parameter.of_block,
            positional=parameter.default is NO_DEFAULT,
            default=parameter.default,
        )


# --- definitions ---------------------------------------------------------------------------------


def _definition(module: Module) -> Hashable:
    return module.block or id(module.step)


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


def _modules(body: Body) -> Iterator[Module]:
    """Every module that is constructed, in the network's order."""
    for item in operations(body):
        if isinstance(item, Module) and not item.reuse:
            yield item
            yield from _modules(item.body)


def _callees_first(definitions: Mapping[Hashable, list[Module]]) -> Iterator[list[Module]]:
    """The uses of each definition; a definition comes after those that it uses."""
    done: set[Hashable] = set()

    def visit(key: Hashable) -> Iterator[list[Module]]:
        if key in done:
            return
        done.add(key)
        for module in definitions[key]:
            for inner in _modules(module.body):
                if needs_class(inner):
                    yield from visit(_definition(inner))
        yield definitions[key]

    for key in definitions:
        yield from visit(key)


def _dense_prefix(module: Module) -> str:
    """The prefix of the children's names if a module is only a dense region with one numbered child per round."""
    if len(module.body) != 1 or not isinstance(module.body[0], Dense):
        return ""
    names: list[str] = []
    x = module.input
    for body, merge in module.body[0].rounds:
        layer = body[0] if len(body) == 1 else None
        if not isinstance(layer, (Apply, Module)) or layer.reuse or layer.inputs != (x,):
            return ""
        names.append(layer.name)
        x = merge.output
    prefix = names[0].removesuffix("1") if "." not in names[0] else "."
    return prefix if names == [f"{prefix}{number}" for number in range(1, len(names) + 1)] else ""
