"""The classes of the emitted source: which modules are one class, and what each looks like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from cnndsl.emit.python.binder import Binder, Parameter, Reference, safe
from cnndsl.emit.python.forward import unify_flow, write_forward
from cnndsl.emit.python.text import Call, Code, flat, lay_out, literal
from cnndsl.emit.python.unify import Child, Part, Rounds, Slot, Unlike, unify
from cnndsl.emit.python.uses import NO_DEFAULT, Construct, Element, Given, Key, Keyed, Loop, keyed, positions
from cnndsl.graph.graph import Apply, Body, Dense, Graph, Module, Repeat, operations


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
    return "".join(part[:1].upper() + part[1:] for part in name.split("_")) or "Network"


class ClassPlanner:
    """Plans a class for every block, and for every ``sequential`` that ``nn.Sequential`` cannot say.

    Callees come before their callers, so the parameters of a class are known where it is called.
    """

    def __init__(self, graph: Graph, taken: frozenset[str]) -> None:
        self.graph = graph
        self.names = set(taken)
        self.classes: list[EmittedClass] = []
        #: The class of a module, and which of the class's uses it is.
        self.uses: dict[int, tuple[EmittedClass, int]] = {}

    def plan(self) -> tuple[EmittedClass, ...]:
        """All classes, the network's own last."""
        root = self.graph.root
        definitions: dict[Any, list[Module]] = {}
        for module in _modules(root.body):
            if needs_class(module):
                definitions.setdefault(module.block or id(module.step), []).append(module)
        for modules in _callees_first(definitions):
            self.define(modules, modules[0].block or camel(modules[0].name if _is_named(modules[0]) else "part"))
        name = camel(root.name)
        self.define([root], name if name not in self.names else f"{name}Net")
        return tuple(self.classes)

    def define(self, modules: list[Module], name: str) -> None:
        """One class for all uses of a definition; where that cannot be, one for each group alike."""
        try:
            self.add(modules, name)
        except Unlike:
            for group in self.alike(modules):
                self.add(group, name)

    def alike(self, modules: list[Module]) -> list[list[Module]]:
        """Modules in groups of which each is one class; greedily, in the order of the network."""
        groups: list[list[Module]] = []
        for module in modules:
            for group in groups:
                try:
                    self.emitted([*group, module], "")
                except Unlike:
                    continue
                group.append(module)
                break
            else:
                groups.append([module])
        return groups

    def add(self, modules: list[Module], name: str) -> None:
        emitted = self.emitted(modules, self.unique(name))
        self.names.add(emitted.name)
        self.classes.append(emitted)
        for index, module in enumerate(modules):
            self.uses[id(module)] = (emitted, index)

    def unique(self, name: str) -> str:
        options = (name, *(f"{name}{number}" for number in range(2, 10_000)))
        return next(option for option in options if option not in self.names)

    # --- one class -------------------------------------------------------------------------------

    def emitted(self, modules: Sequence[Module], name: str) -> EmittedClass:
        binder = Binder(modules, self.graph.document.blocks.get(modules[0].block))
        writer = _ClassWriter(binder, modules)
        if modules[0].chain:
            parts = unify([tuple(self.elements(module.body, module)) for module in modules])
            init = writer.chain(parts)
            return EmittedClass(name, binder.parameters(), True, tuple(init))
        flows = [tuple(keyed(module.body, module.steps)) for module in modules]
        if _is_loop(modules):
            init, forward = writer.loop(unify([self.constructs(flow) for flow in flows]), modules)
            return EmittedClass(name, binder.parameters(), False, tuple(init), tuple(forward))
        is_root = modules[0] is self.graph.root
        inputs = [self.graph.inputs if is_root else {"x": module.input} for module in modules]
        inputs = [{safe(key): tensor for key, tensor in given.items()} for given in inputs]
        outputs = [self.graph.outputs if is_root else {"output": module.output} for module in modules]
        flow = unify_flow(flows, inputs, outputs)
        init = writer.attributes(unify([self.constructs(use) for use in flows]))
        init += [f"self.{flag} = {binder.expression(slot)}" for flag, slot in flow.flags.items()]
        returns = "Tensor" if len(outputs[0]) == 1 else "dict[str, Tensor]"
        body = write_forward(flow)
        return EmittedClass(name, binder.parameters(), False, tuple(init), tuple(body), tuple(inputs[0]), returns)

    def elements(self, body: Body, module: Module) -> Iterator[Element]:
        """What a chain constructs, its loops kept."""
        yield from self._elements(body, module.steps, ())

    def _elements(self, body: Body, steps: Any, prefix: Key) -> Iterator[Element]:
        place = positions(steps, prefix)
        for item in body:
            key = (*place[id(item.step)], 0)
            if isinstance(item, Repeat):
                step: Any = item.step
                rounds = tuple(
                    tuple(self._elements(inner, step.steps, (*key, number))) for number, inner in enumerate(item.rounds)
                )
                yield Loop(key, step.loop.times, rounds)
            elif isinstance(item, (Apply, Module)):
                yield self.construct(key, item)

    def constructs(self, flow: Sequence[Keyed]) -> tuple[Construct, ...]:
        """What a module constructs whose operations are ``flow``."""
        items = ((op.key, op.item) for op in flow)
        return tuple(
            self.construct(key, item) for key, item in items if isinstance(item, (Apply, Module)) and not item.reuse
        )

    def construct(self, key: Key, item: Apply | Module) -> Construct:
        if isinstance(item, Apply):
            layer = item.layer
            arguments = tuple(
                Given(
                    name,
                    layer.values[name],
                    item.written.get(name),
                    inferred=argument.infer is not None and name not in item.written,
                    positional=argument.infer is not None or argument.required,
                    default=NO_DEFAULT if argument.infer is not None or argument.required else argument.default,
                )
                for name, argument in layer.arguments.items()
            )
            return Construct(key, item.name, item, layer.constructor, arguments)
        if id(item) in self.uses:
            emitted, index = self.uses[id(item)]
            arguments = tuple(
                Given(
                    parameter.name,
                    parameter.values[index],
                    item.written.get(parameter.of_block or ""),
                    inferred=parameter.of_block is None,
                    positional=parameter.default is NO_DEFAULT,
                    default=parameter.default,
                )
                for parameter in emitted.parameters
            )
            return Construct(key, item.name, item, emitted.name, arguments)
        return Construct(key, item.name, item, "nn.Sequential", (), tuple(self.elements(item.body, item)))


def needs_class(module: Module) -> bool:
    """Whether a module has a class of its own: blocks, and what ``nn.Sequential(...)`` cannot say."""
    named = (item.step is not None and item.step.name is not None for item in operations(module.body))
    return bool(module.block) or not module.chain or any(named)


def _modules(body: Body) -> Iterator[Module]:
    """Every module that is constructed, in the order of the network."""
    for item in operations(body):
        if isinstance(item, Module) and not item.reuse:
            yield item
            yield from _modules(item.body)


def _callees_first(definitions: Mapping[Any, list[Module]]) -> Iterator[list[Module]]:
    """The uses of each definition, a definition after those that it uses."""
    done: set[Any] = set()

    def visit(key: Any) -> Iterator[list[Module]]:
        if key in done:
            return
        done.add(key)
        for module in definitions[key]:
            for inner in _modules(module.body):
                if needs_class(inner):
                    yield from visit(inner.block or id(inner.step))
        yield definitions[key]

    for key in definitions:
        yield from visit(key)


def _is_named(module: Module) -> bool:
    return module.step is not None and module.step.name is not None


def _is_loop(modules: Sequence[Module]) -> bool:
    """Whether every use is rounds of one child and a concat, and nothing else, so that a loop over the
    children says it."""
    for module in modules:
        if len(module.body) != 1 or not isinstance(module.body[0], Dense):
            return False
        bodies = [body for body, _ in module.body[0].rounds]
        if any(len(body) != 1 or not isinstance(body[0], (Apply, Module)) or body[0].reuse for body in bodies):
            return False
        names = [body[0].name for body in bodies if isinstance(body[0], (Apply, Module))]
        prefix = names[0].removesuffix("1")
        if names != [f"{prefix}{number}" for number in range(1, len(names) + 1)]:
            return False
        inputs = [module.input, *(merge.output for _, merge in module.body[0].rounds)]
        if any(merge.inputs[0] is not before for (_, merge), before in zip(module.body[0].rounds, inputs)):
            return False
        if any(isinstance(body[0], (Apply, Module)) and body[0].input is not x for body, x in zip(bodies, inputs)):
            return False
    return len({module.body[0].rounds[0][0][0].name for module in modules}) == 1  # type: ignore[union-attr]


@dataclass(slots=True)
class _ClassWriter:
    """Writes the lines of one class's constructor."""

    binder: Binder
    modules: Sequence[Module]
    carried: dict[str, str] = field(default_factory=dict)
    rounds: Rounds | None = None

    # --- children as arguments of nn.Sequential --------------------------------------------------

    def chain(self, parts: Sequence[Part]) -> list[str]:
        """A class that is an ``nn.Sequential``."""
        children = [part for part in parts if isinstance(part, Child)]
        if any(child.named for child in children):
            if len(children) < len(parts):
                raise Unlike
            return ["super().__init__()", *self.attribute_lines(children)]
        if all(isinstance(part, Child) and part.present.constant for part in parts):
            return lay_out(Call("super().__init__", tuple(self.sequence(parts))), 0)
        return self.built(parts)

    def built(self, parts: Sequence[Part]) -> list[str]:
        """Children gathered in a list, where loops and conditions decide which there are."""
        lines: list[str] = []
        waiting: list[Part] = []
        started = False

        def flush() -> None:
            nonlocal started
            if waiting or not started:
                items = Call("[", tuple(self.sequence(waiting)))
                lines.extend(lay_out(items, 0, "layers += " if started else "layers: list[nn.Module] = "))
            started = True
            waiting.clear()

        for part in parts:
            if isinstance(part, Child) and part.present.constant:
                waiting.append(part)
                continue
            flush()
            if isinstance(part, Rounds):
                lines += self.loop_lines(part)
            else:
                lines.append(f"if {self.binder.expression(part.present)}:")
                lines += lay_out(Call("layers.append", (self.call(part),)), 4)
        last = tuple(self.sequence(waiting))
        return [*lines, *lay_out(Call("super().__init__", ("*layers", *last)), 0)]

    def loop_lines(self, rounds: Rounds) -> list[str]:
        """A loop that appends its children to the list."""
        self.rounds, self.carried = rounds, {}
        before = dict(self.binder.taken)
        if not all(isinstance(part, Child) and part.present.constant for part in rounds.body):
            raise Unlike
        calls = self.sequence(rounds.body)
        carried, self.rounds = self.carried, None
        times = self.binder.expression(rounds.times)
        text = "\n".join(map(flat, calls))
        if any(_mentions(then, name) or _mentions(times, name) for name in carried for then in carried.values()):
            raise Unlike
        self.binder.taken = {**before, **self.binder.taken}
        counter = "i" if " i " in f" {text} " or "i == 0" in text else "_"
        lines = [f"for {counter} in range({times}):"]
        lines += (
            lay_out(Call("layers.append", (calls[0],)), 4) if len(calls) == 1 else lay_out(Call("[", tuple(calls)), 4, "layers += ")
        )
        for name, then in carried.items():
            lines.append(f"    {name} = {then}")
            self.binder.changed.add(name)
        return lines

    def sequence(self, parts: Sequence[Part]) -> list[Code]:
        """Children one after another, runs of equal ones folded."""
        codes: list[Code] = []
        for part in parts:
            if isinstance(part, Rounds):
                if len(part.body) != 1 or not isinstance(part.body[0], Child):
                    raise Unlike
                self.rounds, self.carried = part, {}
                code = self.call(part.body[0])
                carried, self.rounds = self.carried, None
                if carried or " i " in f" {flat(code)} ":
                    raise Unlike
                codes.append(_folded(code, self.binder.expression(part.times)))
            elif part.present.constant:
                codes.append(self.call(part))
            else:
                codes.append(f"*([{flat(self.call(part))}] if {self.binder.expression(part.present)} else [])")
        folded: list[Code] = []
        for text, group in groupby(codes, flat):
            run = list(group)
            folded += run if len(run) == 1 or text.startswith("*") else [_folded(run[0], str(len(run)))]
        return folded

    # --- children as attributes ------------------------------------------------------------------

    def attributes(self, parts: Sequence[Part]) -> list[str]:
        """The children of an ``nn.Module`` with a ``forward`` of its own."""
        return ["super().__init__()", *self.attribute_lines([part for part in parts if isinstance(part, Child)])]

    def attribute_lines(self, children: Sequence[Child]) -> list[str]:
        lines: list[str] = []
        for child in children:
            if child.name.isidentifier():
                before, after = f"self.{child.name} = ", ""
                code = self.call(child)
            else:
                before, after, code = "", "", Call("self.add_module", (literal(child.name), self.call(child)))
            if child.present.constant:
                lines += lay_out(code, 0, before, after)
                continue
            condition = self.binder.expression(child.present)
            if self.modules[0].chain:
                lines += [f"if {condition}:", *lay_out(code, 4, before)]
                continue
            short = f"{before}{flat(code)} if {condition} else None"
            if len(short) <= 80:
                lines.append(short)
            else:
                lines += [f"{before}None", f"if {condition}:", *lay_out(code, 4, before)]
        return lines

    def loop(self, parts: Sequence[Part], modules: Sequence[Module]) -> tuple[list[str], list[str]]:
        """A module of which every child gets all that came before."""
        dense = [module.body[0] for module in modules]
        counts = tuple(len(item.rounds) for item in dense if isinstance(item, Dense))
        children = [part for part in parts if isinstance(part, Child)]
        starts = tuple(sum(counts[:index]) for index in range(len(counts)))
        step: Any = modules[0].body[0].step
        per_round = _per_round(children, counts)
        self.rounds = Rounds((), Slot("times", counts, step.loop.times), (per_round,), starts)
        self.carried = {}
        code = self.call(per_round)
        self.rounds = None
        if self.carried:
            raise Unlike
        times = self.binder.expression(Slot("times", counts, step.loop.times))
        prefix = children[0].name.removesuffix("1")
        added = Call("self.add_module", (f'f"{prefix}{{i + 1}}"', code))
        merge = dense[0].rounds[0][1] if isinstance(dense[0], Dense) else None
        assert merge is not None
        init = ["super().__init__()", f"for i in range({times}):", *lay_out(added, 4)]
        forward = ["for layer in self.children():", f"    x = torch.cat([x, layer(x)], {merge.dim})", "return x"]
        return init, forward

    # --- one call --------------------------------------------------------------------------------

    def call(self, child: Child) -> Code:
        """The constructor call of a child."""
        if child.inner is not None:
            return Call("nn.Sequential", tuple(self.sequence(child.inner)))
        callee = child.callee.first if child.callee.constant else self.value(_references(child.callee), child)
        items: list[Code] = []
        gap = False
        for slot in child.arguments:
            if slot.default is not NO_DEFAULT and slot.constant and _same(slot.first, slot.default):
                gap = True
                continue
            text = self.value(slot, child)
            items.append(text if slot.positional and not gap else f"{slot.name}={text}")
        return Call(callee, tuple(items))

    def value(self, slot: Slot, child: Child) -> str:
        if self.rounds is not None:
            return self.binder.in_rounds(slot, self.rounds, child.name, self.carried)
        return self.binder.expression(slot, child.name)


def _per_round(children: Sequence[Child], counts: Sequence[int]) -> Child:
    """The children of rounds 1, 2, ... as one child over all rounds of all uses."""
    first = children[0]

    def across(slots: Sequence[Slot]) -> Slot:
        values = tuple(slots[number].values[use] for use, count in enumerate(counts) for number in range(count))
        return Slot(slots[0].name, values, slots[0].written, slots[0].inferred, slots[0].positional, slots[0].default)

    if any(child.inner is not None or len(child.arguments) != len(first.arguments) for child in children):
        raise Unlike
    arguments = tuple(across(slots) for slots in zip(*(child.arguments for child in children)))
    present = Slot(first.name, (True,) * sum(counts))
    return Child(first.key, first.name, False, across([child.callee for child in children]), arguments, None, present)


def _references(slot: Slot) -> Slot:
    values = tuple(Reference(value) if isinstance(value, str) else value for value in slot.values)
    return Slot(slot.name, values, slot.written)


def _same(value: Any, default: Any) -> bool:
    return type(value) is type(default) and value == default


def _folded(code: Code, times: str) -> Code:
    return f"*({flat(code)} for _ in range({times}))"


def _mentions(text: str, name: str) -> bool:
    return name in text.replace("(", " ").replace(")", " ").replace(",", " ").split()


