"""The bindings of one spec: a walk over its document with the names that each place knows, as the compiler has them."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from cnndsl.editing.naming.bindings import Bindings, Mention, Named, Place, inside
from cnndsl.editing.naming.modules import Linker, ModuleNames
from cnndsl.editing.naming.paths import link_paths
from cnndsl.editing.naming.written import written
from cnndsl.graph.graph import Body, Inline, Module
from cnndsl.layers import LAYERS
from cnndsl.network import Compilation
from cnndsl.source import Span
from cnndsl.spec import steps as spec
from cnndsl.spec.document import Block, Document
from cnndsl.spec.recipe_keys import KEYS
from cnndsl.spec.signature import Parameter
from cnndsl.spec.steps import READS, Name, Step, Steps
from cnndsl.spec.tree import Mapping as TreeMapping
from cnndsl.spec.values import Arguments, CallValue, Expression, ListValue, Literal, Template, Value
from cnndsl.spec.words import THROWN_AWAY

#: The names that a place knows after `$`: where each is defined, None if that is a key of the recipe.
Known = Mapping[str, Place | None]


def bindings_of(compilation: Compilation) -> Bindings | None:
    """The bindings of a document, None if there is none. What ran tells which block a `$act` called, which step a
    `layer$i` means, and to which steps a path such as `layer1.0.conv1` leads."""
    if compilation.document is None:
        return None
    reader = _Reader(compilation.document, compilation.partial)
    reader.document(compilation.named)
    return reader.bindings


def _called(body: Body) -> Iterator[tuple[Step, str]]:
    """The steps that called blocks, each with the name of the block."""
    for item in body:
        if isinstance(item, (Module, Inline)) and item.step is not None and item.definition.name:
            yield item.step, item.definition.name
        for inner in item.bodies:
            yield from _called(inner)


class _Reader:
    def __init__(self, document: Document, root: Module | None) -> None:
        self.doc = document
        self.root = root
        self.bindings = Bindings()
        self.called: dict[Step, list[str]] = defaultdict(list)
        for step, block in _called(root.body) if root else ():
            if block not in self.called[step]:
                self.called[step].append(block)
        self.blocks = {
            name: self._define(inside(block.span, name), name, "block") for name, block in document.blocks.items()
        }
        self.parameters = {
            name: {one.name: self._define(one.span, one.name, "parameter") for one in block.parameters}
            for name, block in document.blocks.items()
        }
        self.modules: list[ModuleNames] = []

    def _define(self, span: Span, name: str, kind: Named) -> Place:
        return self.bindings.add(Mention(inside(span, name), name, kind, defines=True))

    # --- the document ----------------------------------------------------------------------------

    def document(self, ran: Mapping[Span, Collection[tuple[Step, bool]]]) -> None:
        doc = self.doc
        known = self._parameters(doc.params, {}, "parameter of the spec")
        for value in doc.inputs.values():
            self.value(value, known)
        insides: dict[str, ModuleNames] = {}
        for name, block in doc.blocks.items():
            insides[name] = self._module({one.span: one for one in block.inputs})
            inner = {**known, **self._parameters(block.parameters, known, "parameter")}
            self._inside(block, insides[name], inner)
        network = self._module(self._inputs(), "input of the network")
        self._inside(doc.definition, network, known)
        self._sections(known)
        linker = Linker(self.bindings, insides, self.called, ran)
        for module in self.modules:
            linker.link(module)
        if self.root is not None:
            link_paths(self.bindings, doc, self.root)

    def _parameters(self, parameters: Iterable[Parameter], around: Known, kind: Named) -> Known:
        """The names of parameters, whose defaults know those before them."""
        known = dict(around)
        for parameter in parameters:
            if parameter.default is not None:
                self.value(parameter.default, known, may_call=True)
            known[parameter.name] = self._define(parameter.span, parameter.name, kind)
        return known

    def _inputs(self) -> dict[Span, Name]:
        """The inputs of the network, if they have names, by the places of their shapes."""
        tree = self.doc.tree.get("input")
        keys = tree.keys if isinstance(tree, TreeMapping) else {}
        return {value.span: Name(name, keys[name].span) for name, value in self.doc.inputs.items() if name in keys}

    def _module(self, inputs: Mapping[Span, Name] | None = None, kind: Named = "input") -> ModuleNames:
        module = ModuleNames(inputs or {}, kind)
        self.modules.append(module)
        return module

    def _inside(self, block: Block, module: ModuleNames, known: Known) -> None:
        self.steps(block.steps, known, module)
        for output in block.outputs:
            self.value(output, known)
            module.give_back(written(output))

    def _sections(self, known: Known) -> None:
        for line in self.doc.init:
            for _, value in line.tensors:
                self.value(value, known)
        for wanted in self.doc.expect:
            self.value(wanted.wanted, known)
        train = self.doc.train
        plain = [key for key in KEYS.values() if key.as_argument() is not None]
        calls = [key for key in KEYS.values() if key.as_argument() is None]
        for key in (*plain, *calls):  # plain values may use those before them, and calls all of them
            if train is not None and key.name in train.keys:
                self.value(train.get(key.name), known)
                known = {**known, key.name: None} if key in plain else known

    # --- values ----------------------------------------------------------------------------------

    def value(self, value: Value | None, known: Known, may_call: bool = False) -> None:
        """``may_call`` is true where a text may be the name of a block."""
        match value:
            case Literal(value=str() as text):
                if may_call and text in self.blocks:
                    self._block(value, text)
            case Expression():
                self._expression(value, known, may_call)
            case Template(parts=parts):
                for part in parts:
                    if isinstance(part, Expression):
                        self._expression(part, known)
            case ListValue(items=items):
                for item in items:
                    self.value(item, known, may_call)
            case CallValue(name=name, arguments=arguments):
                if name in self.blocks:
                    self._block(value, name)
                self.arguments(arguments, known, [name])

    def _block(self, value: Value, name: str) -> None:
        self._refer(Mention(inside(value.span, name), name, "block"), self.blocks[name])

    def _refer(self, mention: Mention, to: Place) -> None:
        self.bindings.same(self.bindings.add(mention), to)

    def _expression(self, expression: Expression, known: Known, may_call: bool = False) -> None:
        functions = {id(node.func) for node in ast.walk(expression.node) if isinstance(node, ast.Call)}
        for node in ast.walk(expression.node):
            if isinstance(node, ast.Name) and id(node) not in functions:
                self._variable(expression, node, known)
            elif isinstance(node, ast.Constant) and may_call and node.value in self.blocks:
                name = str(node.value)
                self._refer(Mention(inside(expression.place(node), name), name, "block"), self.blocks[name])

    def _variable(self, expression: Expression, node: ast.Name, known: Known) -> None:
        span = expression.place(node)
        if (place := known.get(node.id)) is not None:
            self._refer(Mention(span, node.id, self.bindings.mentions[place].kind), place)
        elif node.id not in known and node.id in self.blocks:
            self._refer(Mention(span, node.id, "block"), self.blocks[node.id])

    def arguments(self, arguments: Arguments, known: Known, callees: Iterable[str]) -> None:
        """Arguments of layers or blocks; those of a layer are not the names of blocks."""
        blocks = [name for name in callees if name in self.blocks]
        for value in arguments.positional:
            self.value(value, known, may_call=bool(blocks))
        for keyword in arguments.keywords:
            self.value(keyword.value, known, may_call=bool(blocks))
            for block in blocks:
                if (to := self.parameters[block].get(keyword.name)) is not None:
                    self._refer(Mention(inside(keyword.span, keyword.name), keyword.name, "parameter"), to)

    # --- steps -----------------------------------------------------------------------------------

    def steps(self, steps: Steps, known: Known, module: ModuleNames, is_certain: bool = True) -> None:
        """A list of steps. ``is_certain`` is false if a `when` around it decides whether they run."""
        for step in steps:
            certain = is_certain and step.when is None
            for value in (step.name, step.when):
                self.value(value, known)
            self._step(step, known, module, certain)
            if step.name is not None:
                module.define(step, written(step.name), certain)
            self.steps(step.otherwise, known, module, False)
            if isinstance(step, spec.Let):
                known = self._let(step, known)

    def _let(self, step: spec.Let, known: Known) -> Known:
        before = known
        for name, value in step.values:
            self.value(value, known, may_call=True)
            known = self._bound([name], known, "`let` name")
            outer, place = before.get(name.name), known[name.name]
            if step.when is not None and outer is not None and place is not None:
                self.bindings.same(outer, place)
        return known

    def _bound(self, names: Iterable[Name], known: Known, kind: Named) -> Known:
        """The names that are known with those of a loop or a `let`."""
        places = {one.name: self._define(one.span, one.name, kind) for one in names if one.name != THROWN_AWAY}
        return {**known, **places}

    def _loop(self, loop: spec.Loop | None, known: Known) -> Known:
        if loop is None:
            return known
        self.value(loop.times, known)
        self.value(loop.elements, known, may_call=True)
        return self._bound(loop.names, known, "loop name")

    def _step(self, step: Step, known: Known, module: ModuleNames, is_certain: bool) -> None:
        match step:
            case spec.Call():
                self._call(step, known, module)
            case spec.Sequential(steps=steps):
                self.steps(steps, known, self._module())
            case spec.Repeat(steps=steps, loop=loop) | spec.Dense(steps=steps, loop=loop):
                self.steps(steps, self._loop(loop, known), module, is_certain)
            case spec.Invalid(inner=steps):
                self.steps(steps, known, module, is_certain)
            case spec.Branch():
                for value in (step.merge, step.dim, step.split):
                    self.value(value, known)
                for arm in step.branches:
                    inner = self._loop(arm.loop, known)
                    self.value(arm.when, inner)
                    self.steps(arm.steps, inner, module, is_certain and arm.when is None)
            case spec.Residual(steps=steps, shortcut=shortcut):
                self.steps(steps, known, module, is_certain)
                if isinstance(shortcut, tuple):
                    self.steps(shortcut, known, module, is_certain)
                else:
                    self.value(shortcut, known)
            case spec.From(target=target) | spec.Reuse(target=target):
                self._target(target, known, module)
        if isinstance(step, (spec.Call, spec.Reuse)) and step.inputs is not None:
            targets = step.inputs.items if isinstance(step.inputs, ListValue) else (step.inputs,)
            for target in targets:
                self._target(target, known, module)

    def _call(self, step: spec.Call, known: Known, module: ModuleNames) -> None:
        callees = [str(step.callee.value)] if isinstance(step.callee, Literal) else self.called.get(step, [])
        self.value(step.callee, known, may_call=True)
        self.value(step.parametrization, known)
        self.arguments(step.arguments, known, callees)
        if callees and callees[0] in self.blocks and step not in self.called:
            self.called[step] = [*callees]
        if step.inline:
            module.inlined += callees
        if any(callee in LAYERS for callee in callees) or not callees:
            for keyword in step.arguments.keywords:
                if keyword.name in READS:
                    module.refer(written(keyword.value))

    def _target(self, target: Value, known: Known, module: ModuleNames) -> None:
        self.value(target, known)
        module.refer(written(target))
