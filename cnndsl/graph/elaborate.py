"""Unrolls blocks and loops into a graph and infers every shape on the way.

Faults are collected, not raised. Where a tensor's shape is not known because of one, the tensor is
None and what depends on it is passed over, so that a fault is said once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from cnndsl.diagnostics import Code, Diagnostic, Note, did_you_mean, shorten
from cnndsl.graph.combine import combine, parts
from cnndsl.graph.graph import Apply, Body, Branch, Dense, Graph, Item, Merge, Module, Repeat, Residual, Split, Tensor, walk
from cnndsl.graph.scope import TAKEN, Named, Scope
from cnndsl.layers import LAYERS, Layer, Refused, Shape
from cnndsl.source import Span
from cnndsl.spec import steps as spec
from cnndsl.spec.document import Block, Document, Parameter, unusable
from cnndsl.spec.expression import UNKNOWN, CallValue, Environment, Expression, Fault, Unknown, Value, evaluate
from cnndsl.spec.steps import StepParser

MAX_TIMES = 1024
MAX_CALLS = 32
MAX_STEPS = 20_000
MAX_EDGES = 100_000
MAX_ELEMENTS = 2**31

#: The shape of a tensor that a fault left unknown, in the rows of a network that fails.
NOTHING = Tensor(Shape())


@dataclass(frozen=True, slots=True)
class Elaboration:
    """The graph, None where there were errors, and the network as far as its shapes are known."""

    graph: Graph | None
    partial: Module | None
    faults: tuple[Diagnostic, ...]


class Stop(Exception):
    """A limit is passed: no more work is done."""


def elaborate(document: Document, batch: int = 1) -> Elaboration:
    """Every step of a document applied to its inputs, with ``batch`` samples."""
    return _Elaborator(document, batch).run()


class _Elaborator:
    def __init__(self, document: Document, batch: int) -> None:
        self.document = document
        self.batch = batch
        self.faults: list[Diagnostic] = []
        self.trail: list[str] = []
        self.calls: list[str] = []
        self.called: set[str] = set()
        self.reusing = False
        self.steps = self.edges = 0
        self.params: Mapping[str, Any] = {}
        self.callables = dict.fromkeys((*LAYERS, *document.blocks))

    # --- the whole document ----------------------------------------------------------------------

    def run(self) -> Elaboration:
        document = self.document
        outside = Environment({}, self.callables, None, has_input=False)
        self.params = params = self.bind(document.params, {}, outside)
        inputs = self.inputs(outside.bind(params))
        chain = spec.is_chain(document.network) and not document.outputs and len(document.inputs) <= 1
        scope = Scope("", chain)
        first = next(iter(inputs.values()), None)
        environment = Environment(params, self.callables)
        for name, tensor in list(inputs.items())[1:]:
            step = spec.Invalid(span=document.network_span)
            scope.names[name] = Named(step, document.network_span, tensor, environment)
            scope.taken[name] = document.network_span
        body: list[Item] = []
        last = None
        try:
            last = self.run_steps(document.network, first, environment, scope, body)
        except Stop:
            pass
        outputs = self.outputs(scope, last)
        root = None
        if first is not None:
            root = Module(
                None, document.name, "", document.name, params, {}, document.network, scope.chain, tuple(body), first, last or NOTHING
            )
        failed = root is None or any(fault.is_error for fault in self.faults) or outputs is None
        known = {name: tensor for name, tensor in inputs.items() if tensor is not None}
        graph = None if failed or root is None or outputs is None else Graph(document, root, known, outputs)
        return Elaboration(graph, root, tuple(self.faults))

    def inputs(self, environment: Environment) -> dict[str, Tensor | None]:
        tensors: dict[str, Tensor | None] = {}
        for name, value in self.document.inputs.items():
            sizes = self.value(value, environment)
            if sizes is not UNKNOWN and not (isinstance(sizes, tuple) and all(type(s) is int and s > 0 for s in sizes)):
                self.fault(Code.TYPE, f"an input is a list of positive integers, got {sizes!r}", value.span)
                sizes = UNKNOWN
            tensors[name] = None if sizes is UNKNOWN else Tensor(Shape((self.batch, *sizes)))
            if sizes is not UNKNOWN and prod(sizes) * self.batch > MAX_ELEMENTS:
                self.fault(Code.LIMIT, f"an input of {prod(sizes) * self.batch} elements, the limit is 2^31", value.span)
                tensors[name] = None
        return tensors

    def outputs(self, scope: Scope, last: Tensor | None) -> dict[str, Tensor] | None:
        if not self.document.outputs:
            return {"output": last} if last is not None else None
        found: dict[str, Tensor] = {}
        for name, span in self.document.outputs:
            if name not in scope.names:
                if last is not None:
                    help = did_you_mean(name, scope.names) or "name the step whose tensor is meant, in the network itself"
                    self.fault(Code.OUTPUT, f"no step of the network is named `{shorten(name)}`", span, help)
            elif (tensor := scope.names[name].tensor) is not None:
                found[name] = tensor
        return found if len(found) == len(self.document.outputs) else None

    # --- faults, values, names -------------------------------------------------------------------

    def fault(self, code: Code, message: str, span: Span, help: str = "", *notes: Note) -> None:
        self.faults.append(Diagnostic(code, message, span.first_line, help, notes, tuple(self.trail)))

    @contextmanager
    def within(self, place: str) -> Iterator[None]:
        """What is said in here was on the way that ``place`` tells."""
        self.trail.append(place)
        yield
        self.trail.pop()

    def spend(self, span: Span, edges: int = 0) -> None:
        """Counts work before it is done; past the limits nothing more is."""
        self.steps += 1
        self.edges += edges
        if self.steps > MAX_STEPS or self.edges > MAX_EDGES:
            passed = f"{MAX_STEPS} steps" if self.steps > MAX_STEPS else f"{MAX_EDGES} edges"
            self.fault(Code.LIMIT, f"the network unrolls to more than {passed}", span)
            raise Stop

    def value(self, value: Value, environment: Environment) -> Any:
        """What a value is worth, UNKNOWN where it cannot be had."""
        try:
            return evaluate(value, environment)
        except Unknown:
            return UNKNOWN
        except Fault as fault:
            self.faults.append(replace(fault.diagnostic, trail=tuple(self.trail)))
            return UNKNOWN

    def name_of(self, step: spec.Step, environment: Environment) -> str | None:
        """The written name of a step, None where it has none or one that cannot be used."""
        if step.name is None:
            return None
        name = self.value(step.name, environment)
        if name is UNKNOWN:
            return None
        reason = unusable(name) if isinstance(name, str) else "is no text"
        if name in TAKEN:
            reason = "is an attribute of torch.nn.Module already"
        if reason:
            self.fault(Code.NAME, f"`{shorten(str(name))}` {reason}", step.name.span)
            return None
        return str(name)

    def take(self, scope: Scope, name: str, span: Span) -> None:
        """Reserves a name in a module, once."""
        if name in scope.taken:
            help = "put the loop's name into it, as `name: conv$i`, or make the steps a block" if scope.taken[name] == span else ""
            note = Note("it stands here first", scope.taken[name])
            self.fault(Code.DUPLICATE, f"the name `{shorten(name)}` stands twice in one module", span, help, note)
        scope.taken.setdefault(name, span)

    def bind(self, parameters: tuple[Parameter, ...], given: Mapping[str, Any], environment: Environment) -> dict[str, Any]:
        """Values of parameters: those given, else their defaults over the earlier ones."""
        values: dict[str, Any] = {}
        for parameter in parameters:
            if parameter.name in given:
                values[parameter.name] = given[parameter.name]
            elif parameter.default is None:
                values[parameter.name] = UNKNOWN
            else:
                values[parameter.name] = self.value(parameter.default, environment.bind(values))
        return values

    # --- lists of steps --------------------------------------------------------------------------

    def run_steps(
        self, steps: spec.Steps, x: Tensor | None, environment: Environment, scope: Scope, body: list[Item]
    ) -> Tensor | None:
        """Appends the items of ``steps`` to ``body``; the tensor that comes out, None if unknown."""
        for step in steps:
            self.spend(step.span)
            here = environment.at(x.shape.sample if x else None)
            if step.when is not None:
                decision = self.value(step.when, here)
                if decision is UNKNOWN:
                    x = None
                elif not decision:
                    x = self.run_steps(step.otherwise, x, environment, scope, body)
                    continue
            if isinstance(step, spec.Let):
                for name, value in step.values.items():
                    environment = environment.bind({name: self.value(value, environment.at(here.input))})
                continue
            x = self.run_step(step, x, here, scope, body)
        return x

    def run_step(
        self, step: spec.Step, x: Tensor | None, environment: Environment, scope: Scope, body: list[Item]
    ) -> Tensor | None:
        name = self.name_of(step, environment)
        if isinstance(step, spec.Call):
            return self.call(step, name, x, environment, scope, body)
        if isinstance(step, spec.Sequential):
            return self.module(step, name, "sequential", "", step.steps, {}, {}, x, environment, scope, body)
        if name is not None:
            self.take(scope, name, step.name.span if step.name else step.span)
        match step:
            case spec.Repeat():
                out = self.repeat(step, x, environment, scope, body)
            case spec.Branch():
                out = self.branch(step, name, x, environment, scope, body)
            case spec.Residual():
                out = self.residual(step, name, x, environment, scope, body)
            case spec.Dense():
                out = self.dense(step, x, environment, scope, body)
            case spec.From():
                out = self.go_back(step, environment, scope)
            case spec.Reuse():
                out = self.reuse(step, x, environment, scope, body)
            case _:
                out = None
        if name is not None:
            scope.names[name] = Named(step, step.span, out, environment)
        return out

    # --- layers, blocks, sequential --------------------------------------------------------------

    def call(
        self, step: spec.Call, name: str | None, x: Tensor | None, environment: Environment, scope: Scope, body: list[Item]
    ) -> Tensor | None:
        callee = self.value(step.callee, environment)
        given = step
        if isinstance(callee, CallValue):
            given, callee = self.unfold(step, callee), callee.name
        if callee is UNKNOWN:
            return None
        if callee in self.document.blocks:
            return self.block(step, given, name, self.document.blocks[callee], x, environment, scope, body)
        if callee in LAYERS:
            return self.layer(step, given, name, LAYERS[callee], x, environment, scope, body)
        written = f"`{shorten(str(callee))}`" if callee is not None else "null"
        help = did_you_mean(str(callee), self.callables) or "`cnndsl layers` lists the layers"
        self.fault(Code.LAYER, f"{written} is no layer and no block of this spec", step.callee.span, help)
        return None

    def unfold(self, step: spec.Call, value: CallValue) -> spec.Call:
        """A step whose callee is a layer with arguments, with these arguments before its own."""
        parsed = StepParser(self.faults.append).step(value.tree)
        if not isinstance(parsed, spec.Call):
            return step
        return replace(
            parsed,
            span=step.span,
            name=step.name,
            keywords={**parsed.keywords, **step.keywords},
            keyword_spans={**parsed.keyword_spans, **step.keyword_spans},
        )

    def arguments(
        self, step: spec.Call, callee: str, signature: str, positional: tuple[str, ...], known: tuple[str, ...], environment: Environment
    ) -> tuple[dict[str, Any], dict[str, Value]] | None:
        """Arguments by name, worked out, and as they were written; None where that fails."""
        written: dict[str, Value] = dict(zip(positional, step.positional)) | step.keywords
        sound = True
        if len(step.positional) > len(positional):
            extra = step.positional[len(positional)].span
            self.fault(Code.ARGUMENT, f"`{callee}` takes {len(positional)} arguments at the most", extra, f"`{signature}`")
            sound = False
        for name in step.keywords:
            if name not in known:
                help = did_you_mean(name, known) or f"`{signature}`"
                self.fault(Code.ARGUMENT, f"`{callee}` has no argument `{shorten(name)}`", step.keyword_spans[name], help)
                sound = False
        values = {name: self.value(value, environment) for name, value in written.items()}
        return (values, written) if sound else None

    def layer(
        self,
        step: spec.Call,
        given: spec.Call,
        written_name: str | None,
        layer: type[Layer],
        x: Tensor | None,
        environment: Environment,
        scope: Scope,
        body: list[Item],
    ) -> Tensor | None:
        name = scope.child_name(layer.short_name, written_name)
        self.take(scope, name, step.name.span if step.name else step.span)
        positional = layer.positional()
        if given.whole is not None and layer.takes_list():
            given = replace(given, positional=(given.whole,))
        signature = f"{layer.__name__}({layer.signature()})"
        found = self.arguments(given, layer.__name__, signature, positional, tuple(layer.arguments), environment)
        item = None
        if found is not None and x is not None and UNKNOWN not in found[0].values():
            item = self.apply(step, name, layer, found[0], found[1], x, scope)
        if item is not None:
            body.append(item)
        if written_name is not None:
            scope.names[written_name] = Named(step, step.span, item.output if item else None, environment, item)
        return item.output if item else None

    def apply(
        self, step: spec.Call, name: str, layer: type[Layer], given: dict[str, Any], written: Mapping[str, Value], x: Tensor, scope: Scope
    ) -> Apply | None:
        try:
            bound = layer.bind(given, x.shape)
            output = layer.admit(x.shape) and bound.output(x.shape)
            self.check_size(bound, output)
        except Refused as refused:
            self.refuse(step, layer, given, written, x, refused)
            return None
        return Apply(step, name, scope.path_of(name), bound, written, x, Tensor(output), self.reusing)

    def refuse(
        self, step: spec.Call, layer: type[Layer], given: Mapping[str, Any], written: Mapping[str, Value], x: Tensor, refused: Refused
    ) -> None:
        """Says what a layer refused, at the argument that it is about."""
        argument = layer.arguments.get(refused.argument or "")
        code, help, name = Code.SHAPE, refused.help, refused.argument or ""
        if name in given and argument and not argument.kind.accepts(given[name], layer.dims or 0):
            code = Code.TYPE
            if isinstance(given[name], float) and isinstance(written[name], Expression) and "/" in written[name].text:  # type: ignore[union-attr]
                help = "`/` gives a fraction, `//` a whole number"
        elif argument and argument.infer is not None:
            code = Code.INFERRED
        elif not refused.argument and any(arg.required and key not in given for key, arg in layer.arguments.items()):
            code = Code.MISSING
        span = written[name].span if name in written else step.callee.span
        message = refused.message if code in (Code.TYPE, Code.MISSING, Code.INFERRED) else f"`{layer.__name__}`: {refused.message}"
        notes = () if str(x.shape) in message or code in (Code.TYPE, Code.MISSING) else (Note(f"its input is {x.shape}"),)
        self.fault(code, message, span, help, *notes)

    @staticmethod
    def check_size(layer: Layer, output: Shape) -> None:
        for name, shape in (("output", tuple(output)), *layer.parameters().items()):
            if prod(shape) > MAX_ELEMENTS:
                raise Refused(f"its {name} would have {prod(shape)} elements, the limit is 2^31")

    def block(
        self, step: spec.Call, given: spec.Call, name: str | None, block: Block, x: Tensor | None, environment: Environment, scope: Scope, body: list[Item]
    ) -> Tensor | None:
        self.called.add(block.name)
        if block.name in self.calls:
            ring = " → ".join([*self.calls[self.calls.index(block.name) :], block.name])
            self.fault(Code.RECURSION, f"a block cannot contain itself: {ring}", step.callee.span)
            return None
        if len(self.calls) >= MAX_CALLS:
            self.fault(Code.LIMIT, f"blocks call each other more than {MAX_CALLS} deep", step.callee.span)
            return None
        names = tuple(parameter.name for parameter in block.parameters)
        found = self.arguments(given, block.name, block.signature, names, names, environment)
        values = found[0] if found else dict.fromkeys(names, UNKNOWN)
        missing = [p.name for p in block.parameters if p.default is None and p.name not in values]
        if missing:
            needs = " and ".join(f"`{name}`" for name in missing)
            self.fault(Code.MISSING, f"`{block.name}` needs {needs}", step.callee.span, f"`{block.signature}`", Note("it is defined here", block.span))
        params = self.bind(block.parameters, values, replace(environment, names=self.params))
        inner = Environment({**self.params, **params}, self.callables)
        line, column = step.callee.span.line, step.callee.span.column
        self.calls.append(block.name)
        with self.within(f"`{block.name}` called at {line}:{column}"):
            out = self.module(step, name, block.name.lower(), block.name, block.steps, params, found[1] if found else {}, x, inner, scope, body)
        self.calls.pop()
        return out

    def module(
        self,
        step: spec.Step,
        written_name: str | None,
        short_name: str,
        block: str,
        steps: spec.Steps,
        params: Mapping[str, Any],
        written: Mapping[str, Value],
        x: Tensor | None,
        environment: Environment,
        scope: Scope,
        body: list[Item],
    ) -> Tensor | None:
        name = scope.child_name(short_name, written_name)
        self.take(scope, name, step.name.span if step.name else step.span)
        inner = Scope(scope.path_of(name), spec.is_chain(steps))
        items: list[Item] = []
        out = self.run_steps(steps, x, environment, inner, items)
        visible = params if block else environment.names
        item = None
        if x is not None:
            item = Module(
                step, name, inner.path, block, visible, written, steps, inner.chain, tuple(items), x, out or NOTHING, self.reusing
            )
            body.append(item)
        if written_name is not None:
            scope.names[written_name] = Named(step, step.span, out, environment, item)
        return out

    # --- structure -------------------------------------------------------------------------------

    def rounds(self, step: spec.Repeat | spec.Dense, environment: Environment) -> Iterator[Environment]:
        """The values known in each round of a loop."""
        loop = step.loop
        if loop.times is not None:
            times = self.value(loop.times, environment)
            if times is UNKNOWN:
                return
            if type(times) is not int or times < 0:
                self.fault(Code.TYPE, f"`times` expects an integer, 0 or more, got {times!r}", loop.times.span)
                return
            bindings: list[dict[str, Any]] = [{}] * min(times, MAX_TIMES + 1)
        else:
            assert loop.elements is not None
            elements = self.value(loop.elements, environment)
            if elements is UNKNOWN:
                return
            if not isinstance(elements, tuple):
                self.fault(Code.TYPE, f"`in` expects a list, got {elements!r}", loop.elements.span)
                return
            bindings = [self.unpack(loop, element) for element in elements[: MAX_TIMES + 1]]
        if len(bindings) > MAX_TIMES:
            span = (loop.times or loop.elements or step).span
            self.fault(Code.LIMIT, f"more than {MAX_TIMES} rounds", span)
            return
        for number, names in enumerate(bindings, 1):
            with self.within(f"round {number} of {len(bindings)} at {step.span.line}:{step.span.column}"):
                yield environment.bind(names)

    def unpack(self, loop: spec.Loop, element: Any) -> dict[str, Any]:
        if not loop.unpack:
            return {loop.names[0]: element}
        if not isinstance(element, tuple) or len(element) != len(loop.names):
            assert loop.elements is not None
            message = f"each element is taken apart into {len(loop.names)} ({', '.join(loop.names)}), but one is {_shown(element)}"
            self.fault(Code.TYPE, message, loop.elements.span)
            return dict.fromkeys(loop.names, UNKNOWN)
        return dict(zip(loop.names, element))

    def repeat(
        self, step: spec.Repeat, x: Tensor | None, environment: Environment, scope: Scope, body: list[Item]
    ) -> Tensor | None:
        rounds: list[Body] = []
        before = len(self.faults)
        for inner in self.rounds(step, environment):
            self.spend(step.span)
            items: list[Item] = []
            x = self.run_steps(step.steps, x, inner, scope, items)
            rounds.append(tuple(items))
        if any(rounds):
            body.append(Repeat(step, tuple(rounds)))
        return None if not rounds and len(self.faults) > before else x

    def dense(
        self, step: spec.Dense, x: Tensor | None, environment: Environment, scope: Scope, body: list[Item]
    ) -> Tensor | None:
        rounds: list[tuple[Body, Merge]] = []
        before = len(self.faults)
        for inner in self.rounds(step, environment):
            items: list[Item] = []
            added = self.run_steps(step.steps, x, inner, scope, items)
            merge = self.merge(step, scope.counted("concat"), "concat", 1, (x, added), (step.span, step.span), scope)
            if merge is not None:
                rounds.append((tuple(items), merge))
            x = merge.output if merge else None
        if rounds:
            body.append(Dense(step, tuple(rounds)))
        return None if not rounds and len(self.faults) > before else x

    def branch(
        self, step: spec.Branch, name: str | None, x: Tensor | None, environment: Environment, scope: Scope, body: list[Item]
    ) -> Tensor | None:
        count = len(step.branches)
        split, starts = None, [x] * count
        if step.split is not None and (wanted := self.value(step.split, environment)) is not False:
            split = self.split(step, wanted, x, scope)
            starts = [*split.outputs] if split else [None] * count
        bodies: list[Body] = []
        ends: list[Tensor | None] = []
        for number, (steps, start) in enumerate(zip(step.branches, starts), 1):
            items: list[Item] = []
            with self.within(f"branch {number} of {count}"):
                ends.append(self.run_steps(steps, start, environment, scope, items))
            bodies.append(tuple(items))
        dim = 1 if step.dim is None else self.value(step.dim, environment)
        if dim is UNKNOWN:
            return None
        merge = self.merge(step, name or scope.counted(step.merge), step.merge, dim, tuple(ends), step.branch_spans, scope)
        if merge is None:
            return None
        body.append(Branch(step, split, tuple(bodies), merge))
        return merge.output

    def split(self, step: spec.Branch, wanted: Any, x: Tensor | None, scope: Scope) -> Split | None:
        if x is None or wanted is UNKNOWN:
            return None
        assert step.split is not None
        try:
            sizes = parts(x.shape, wanted, len(step.branches))
        except Refused as refused:
            self.fault(Code.BRANCH, refused.message, step.split.span, refused.help)
            return None
        name = scope.counted("split")
        outputs = tuple(Tensor(x.shape.with_channels(size)) for size in sizes)
        return Split(step, name, scope.path_of(name), sizes, x, outputs)

    def merge(
        self,
        step: spec.Step,
        name: str,
        kind: str,
        dim: Any,
        tensors: tuple[Tensor | None, ...],
        spans: tuple[Span, ...],
        scope: Scope,
    ) -> Merge | None:
        known = tuple(tensor for tensor in tensors if tensor is not None)
        if len(known) < len(tensors):
            return None
        self.spend(step.span, len(known))
        try:
            shape = combine(kind, [tensor.shape for tensor in known], dim)
        except Refused as refused:
            code = {"concat": Code.CONCAT}.get(kind, Code.BRANCH)
            notes = [
                Note(f"{'branch' if isinstance(step, spec.Branch) else 'part'} {number} gives {tensor.shape}", span)
                for number, (tensor, span) in enumerate(zip(known, spans), 1)
            ]
            self.fault(code, refused.message, step.span, refused.help, *notes)
            return None
        return Merge(step, name, scope.path_of(name), kind, dim, known, Tensor(shape))

    def residual(
        self, step: spec.Residual, name: str | None, x: Tensor | None, environment: Environment, scope: Scope, body: list[Item]
    ) -> Tensor | None:
        items: list[Item] = []
        side: list[Item] = []
        main = self.run_steps(step.steps, x, environment, scope, items)
        other = x
        if isinstance(step.shortcut, tuple):
            with self.within("shortcut"):
                other = self.run_steps(step.shortcut, x, environment, scope, side)
        else:
            wanted = self.value(step.shortcut, environment)
            if wanted is UNKNOWN:
                return None
            if not wanted:
                body.append(Residual(step, tuple(items), (), None))
                return main
        if main is None or other is None:
            body.extend((*items, *side))
            return None
        if main.shape != other.shape:
            self.unlike_sides(step, x, main, other, bool(side))
            body.extend((*items, *side))
            return None
        self.spend(step.span, 2)
        label = name or scope.counted("add")
        merge = Merge(step, label, scope.path_of(label), "add", 1, (main, other), Tensor(main.shape))
        body.append(Residual(step, tuple(items), tuple(side), merge))
        return merge.output

    def unlike_sides(self, step: spec.Residual, x: Tensor | None, main: Tensor, other: Tensor, projected: bool) -> None:
        message = f"the sides of this residual differ: the steps give {main.shape}, the shortcut {other.shape}"
        help = ""
        if x is not None and x.shape.rank == main.shape.rank >= 3 and not projected:
            strides = {-(-size // out) for size, out in zip(x.shape.spatial, main.shape.spatial)}
            dims = x.shape.rank - 2
            stride = strides.pop() if len(strides) == 1 else 1
            written = f", stride: {stride}" if stride != 1 else ""
            help = f"project the input: shortcut: [Conv{dims}d: {{out_channels: {main.shape.channels}, kernel_size: 1{written}}}]"
        self.fault(Code.RESIDUAL, message, step.span, help)

    def go_back(self, step: spec.From, environment: Environment, scope: Scope) -> Tensor | None:
        named = self.find(step.target, environment, scope)
        return named.tensor if named else None

    def reuse(
        self, step: spec.Reuse, x: Tensor | None, environment: Environment, scope: Scope, body: list[Item]
    ) -> Tensor | None:
        named = self.find(step.target, environment, scope)
        if named is None or x is None:
            return None
        if named.item is None:
            if named.tensor is not None:
                message = f"`{named.step.span.text}` has no weights to use again"
                self.fault(Code.FROM, message, step.target.span, "`reuse` takes a layer, a block or a `sequential`; `from` takes a tensor")
            return None
        item, before = named.item, self.reusing
        self.reusing = True
        again: Apply | Module | None = None
        if isinstance(item, Apply) and isinstance(named.step, spec.Call):
            again = self.apply(named.step, item.name, type(item.layer), dict(item.layer.values), {}, x, scope)
        elif isinstance(item, Module):
            again = self.again(item, named, x)
        self.reusing = before
        if again is None:
            return None
        body.append(replace(again, step=step))
        return again.output

    def again(self, item: Module, named: Named, x: Tensor) -> Module | None:
        """A module's steps on another tensor; all layers must come out as they were."""
        inner = Scope(item.path, item.chain)
        items: list[Item] = []
        out = self.run_steps(item.steps, x, named.environment, inner, items)
        if out is None:
            return None
        if _layers(tuple(items)) != _layers(item.body):
            message = f"`{item.name}` cannot be used again: on {x.shape} its layers would differ from those on {item.input.shape}"
            self.fault(Code.INFERRED, message, named.span)
            return None
        return replace(item, body=tuple(items), input=x, output=out, reuse=True)

    def find(self, target: Value, environment: Environment, scope: Scope) -> Named | None:
        """The earlier step of this module that a ``from`` or ``reuse`` names."""
        name = self.value(target, environment)
        if name is UNKNOWN:
            return None
        if name not in scope.names:
            help = did_you_mean(str(name), scope.names)
            if not help and scope.names:
                help = f"the names so far: {', '.join(map(shorten, scope.names))}"
            message = f"no earlier step of this module is named `{shorten(str(name))}`"
            self.fault(Code.FROM, message, target.span, help or "give the step that is meant a `name`")
            return None
        return scope.names[name]


def _layers(body: Body) -> list[tuple[str, Mapping[str, Any]]]:
    return [(item.path, item.layer.values) for _, item in walk(body) if isinstance(item, Apply)]


def _shown(element: Any) -> str:
    return shorten(str(list(element)) if isinstance(element, tuple) else repr(element))
