"""The state of one elaboration: faults with their trails, names, and the work done so far."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any, Protocol, TypeAlias, TypeVar

from cnndsl.diagnostics import ENOUGH, Code, Diagnostic, Note, did_you_mean, got, shorten
from cnndsl.graph.graph import Item, Tensor
from cnndsl.graph.scope import DOTTED, TAKEN, Named, Scope, unusable_step
from cnndsl.graph.sizes import sized_by_tensors
from cnndsl.graph.trail import Station, told
from cnndsl.layers import LAYERS, Layer
from cnndsl.limits import how_to_raise
from cnndsl.source import Span
from cnndsl.spec import steps as spec
from cnndsl.spec.document import Document, Parameter
from cnndsl.spec.evaluation import Environment, Meter, Unknown, evaluate
from cnndsl.spec.names import usable
from cnndsl.spec.tree import UNKNOWN
from cnndsl.spec.values import Fault, Literal, Value
from cnndsl.spec.words import INPUT

MAX_NESTING = 100


MaybeTensor = TypeVar("MaybeTensor", Tensor, Tensor | None)
#: The tensors that a module is given or makes, by their names inside.
Tensors: TypeAlias = dict[str, Tensor]


class Stop(Exception):
    """A limit is exceeded: no more work is done."""


@dataclass(frozen=True, slots=True)
class Site:
    """The place where steps run: the values known there, the module around them, the body that they append to."""

    environment: Environment
    scope: Scope
    body: list[Item]

    def inside(self, body: list[Item]) -> Site:
        """The same place for the steps of a region, which has a body of its own."""
        return replace(self, body=body)


@dataclass(frozen=True, slots=True, eq=False)
class Fetched(Tensor):
    """The tensor ``of`` that a ``from`` fetched, until something takes it. It is never part of a graph."""

    of: Tensor
    step: spec.From


class Run(Protocol):
    """Runs steps on a tensor. The result is the next tensor, None if unknown."""

    def __call__(self, steps: spec.Steps, x: Tensor | None, site: Site) -> Tensor | None: ...


class Context:
    """One elaboration. Faults are collected here, with the trail that led to them."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.limits = document.limits
        self.callables = dict.fromkeys((*LAYERS, *document.blocks))
        #: The document's parameters, once they are known.
        self.params: Mapping[str, Any] = {}
        #: The place where each tensor was made.
        self.origins: dict[Tensor, Span] = {}
        #: The channels that tensors would have if the arguments of the layers before were not in PyTorch's order.
        self.meant_channels: dict[Tensor, int] = {}
        #: The shape of one sample of the first input, and the spatial axes of the layers so far.
        self.sample: tuple[int, ...] = ()
        self.dims: set[int | None] = set()
        #: The steps that resize, once it is known whether their sizes are computed from others.
        self.measured: set[spec.Step] = set()
        self.faults: list[Diagnostic] = []
        self.warnings: list[Diagnostic] = []
        self.said: set[tuple[Code, Span | None]] = set()
        self.trail: list[Station] = []
        #: The path of the current layer.
        self.at = ""
        #: The blocks that call each other here, outermost first.
        self.calls: list[str] = []
        #: Tensors that were fetched and not taken yet.
        self.fetched: dict[Fetched, None] = {}
        #: Whether the current steps reuse the weights of an earlier run.
        self.reusing = False
        self.meter = Meter(self.limits.evaluation)
        self.depth = self.steps = self.edges = self.parameters = 0

    # --- faults ----------------------------------------------------------------------------------

    def fault(self, code: Code, message: str, span: Span, help: str = "", *notes: Note) -> None:
        self._add(Diagnostic(code, message, span.first_line, help, notes, told(self.trail, self.at)))

    def report(self, fault: Diagnostic) -> None:
        """Adds a fault that was found elsewhere, with the trail that led here."""
        self._add(replace(fault, trail=told(self.trail, self.at)))

    def _add(self, fault: Diagnostic) -> None:
        """Adds a fault, unless a loop or block has reported it already."""
        key = fault.code, fault.span
        if not fault.trail or key not in self.said:
            self.said.add(key)
            self.faults.append(fault)
        if len(self.faults) >= ENOUGH:
            raise Stop

    @contextmanager
    def within(self, what: str, how: str, path: str | None = None) -> Iterator[None]:
        """Inside, faults get a :class:`Station` in their trail."""
        self.trail.append(Station(what, how, path))
        yield
        self.trail.pop()

    @contextmanager
    def looking_at(self, path: str) -> Iterator[None]:
        """Inside, faults belong to the module at ``path``."""
        before, self.at = self.at, path
        yield
        self.at = before

    def place(self, span: Span) -> str:
        """Line and column, with the file if it is not the document's."""
        return f"{span.line}:{span.column}" if span.source == self.document.source else str(span)

    # --- tensors ---------------------------------------------------------------------------------

    def fetch(self, tensor: Tensor | None, step: spec.From) -> Tensor | None:
        """The tensor of an earlier step, from which the next steps continue."""
        if tensor is None:
            return None
        fetched = Fetched(tensor.shape, tensor, step)
        self.fetched[fetched] = None
        return fetched

    def taken(self, x: MaybeTensor) -> MaybeTensor | Tensor:
        """The tensor in the graph, for an operation that takes it; None stays None."""
        while isinstance(x, Fetched):
            self.fetched.pop(x, None)
            x = x.of
        return x

    # --- limits ----------------------------------------------------------------------------------

    def spend(self, span: Span, edges: int = 0) -> None:
        """Counts work before it is done. Beyond the limits, nothing more is done."""
        self.steps += 1
        self.edges += edges
        if self.steps > self.limits.steps:
            self.stop(f"the network unrolls to more than {self.limits.steps} steps", span, "steps")
        if self.edges > self.limits.edges:
            self.stop(f"the network unrolls to more than {self.limits.edges} edges", span, "edges")

    def spend_parameters(self, layer: Layer, span: Span) -> None:
        self.parameters += sum(map(prod, layer.named_parameters().values()))
        if self.parameters > self.limits.parameters:
            self.stop(f"the network has more than {self.limits.parameters} parameters", span, "parameters")

    @contextmanager
    def nested(self, span: Span) -> Iterator[None]:
        """Inside, steps run one level deeper."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            self.stop(f"steps nested more than {MAX_NESTING} deep, with blocks written out", span)
        yield
        self.depth -= 1

    def stop(self, message: str, span: Span, limit: str = "") -> None:
        self.fault(Code.LIMIT, message, span, how_to_raise(limit))
        raise Stop

    # --- values ----------------------------------------------------------------------------------

    def value(
        self, value: Value, environment: Environment, worth: Callable[[Value, Environment], Any] = evaluate
    ) -> Any:
        """The result of a value, or of a condition with ``worth=holds``; UNKNOWN if there is none."""
        try:
            return worth(value, environment)
        except Unknown:
            return UNKNOWN
        except Fault as fault:
            self._failed(fault)
            return UNKNOWN

    def _failed(self, fault: Fault) -> None:
        """Reports that a value has no result. If it takes too much work, nothing more is done."""
        self.report(fault.diagnostic)
        if self.meter.exhausted:
            raise Stop

    def environment(self, names: Mapping[str, Any], has_input: bool = True) -> Environment:
        """An environment with only ``names``."""
        return Environment(names, self.callables, None, has_input, self.meter)

    def with_names(self, environment: Environment, names: Mapping[str, Any], span: Span) -> Environment:
        """The environment with additional names."""
        self._spend_names(len(environment.names) + len(names), span)
        return environment.bind(names)

    def let(self, values: Sequence[tuple[spec.Name, Value]], environment: Environment, span: Span) -> Environment:
        """The environment with the names of a ``let``, each of which may use those before it."""
        self._spend_names(len(environment.names), span)
        names = {**environment.names}
        known = replace(environment, names=names)
        for key, value in values:
            names[key.name] = self.value(value, known)
        return known

    def _spend_names(self, count: int, span: Span) -> None:
        """Counts copied names, which a spec could make expensive."""
        try:
            self.meter.spend(count // 16, span)
        except Fault as fault:
            self._failed(fault)

    def bind(
        self, parameters: tuple[Parameter, ...], given: Mapping[str, Any], environment: Environment
    ) -> dict[str, Any]:
        """Values of parameters: those given, or else their defaults, which may use earlier ones."""
        values: dict[str, Any] = {}
        names = {**environment.names}
        environment = replace(environment, names=names)
        for parameter in parameters:
            if parameter.name in given:
                value = given[parameter.name]
            else:
                value = UNKNOWN if parameter.default is None else self.value(parameter.default, environment)
            names[parameter.name] = values[parameter.name] = value
        return values

    # --- names -----------------------------------------------------------------------------------

    def name_of(self, step: spec.Step, site: Site) -> str | None:
        """The written name of a step, None if it has none or an unusable one."""
        if step.name is None:
            return None
        name = self.value(step.name, site.environment)
        if name is UNKNOWN:
            site.scope.lose_name(step.name)
            return None
        is_child = isinstance(step, spec.Sequential) or (isinstance(step, spec.Call) and not step.inline)
        reason, help = unusable_step(name, is_child) if isinstance(name, str) else "is not a string", ""
        if not reason and str(name).count(".") > sum(text.count(".") for text in spec.written_name(step.name)):
            reason, help = "has a dot that is not written in `name`", "write it there, as in `name: convs.$i`"
        if reason:
            help = help or (DOTTED if "." in str(name) else usable(str(name), TAKEN))
            self.fault(Code.NAME, f"`{shown(name)}` {reason}", step.name.span, help)
            site.scope.lost.add(shown(name))
            return None
        return str(name)

    def take(self, scope: Scope, name: str, step: spec.Step) -> None:
        """Reserves a name in a module for a step, once."""
        first, second = scope.taken.get(name), step.name or step
        if first is None:
            self._hold(scope, name, second)
            scope.taken[name] = second
            return
        help = "rename one of the two"
        if first.span == second.span:
            help = "use the loop variable, `name: conv$i`, or make the steps a block"
            if scope.inlined:
                help = f"put a parameter of `{scope.inlined[-1]}` into the name, `name: conv$i`, or remove `inline`"
        elif isinstance(first, spec.Step) or isinstance(second, spec.Step):
            help = f"an unnamed step is called `{name}`, its kind and a count: give one of the two another name"
        note = Note("it is first defined here", first.span)
        message = f"two steps of one module are named `{shorten(name)}`"
        self.fault(Code.DUPLICATE, message, second.span, help, note)

    def _hold(self, scope: Scope, name: str, named: Value | spec.Step) -> None:
        """Reserves the lists and dicts of modules that a name with dots is in: no step may have the name of one."""
        parts = name.split(".")
        holders = [".".join(parts[:end]) for end in range(1, len(parts))]
        held = next((holder for holder in holders if holder in scope.taken), "")
        first, message = scope.holders.get(name), f"`{shorten(name)}` is a list or dict of modules here"
        if held:
            message = f"`{shorten(name)}` is in a list or dict `{shorten(held)}`, but that name is taken"
            first = scope.taken[held]
        if first is not None:
            note = Note("it is first defined here", first.span)
            self.fault(Code.DUPLICATE, message, named.span, "rename one of the two", note)
        for holder in holders:
            scope.holders.setdefault(holder, named)

    def find(self, target: Value, site: Site) -> Named | None:
        """The earlier step of this module that a ``from`` or ``reuse`` names, None if it is unknown."""
        name, scope = self.value(target, site.environment), site.scope
        if name is UNKNOWN:
            return None
        found = scope.find(name) if isinstance(name, str) else None
        if found is None and not scope.may_have(shown(name)):
            self._not_found(name, target.span, site)
        return found

    def _not_found(self, name: object, span: Span, site: Site) -> None:
        names = [name for name in site.scope.names if name != INPUT]
        module, _, output = str(name).rpartition(".")
        message, help = f"no earlier step of this module is named `{shown(name)}`", did_you_mean(str(name), names)
        notes = []
        if outputs := module in names and site.scope.names[module].outputs:
            message = f"`{shorten(module)}` has no output `{shorten(output)}`"
            help = did_you_mean(output, outputs) or f"its outputs: {_listed([*outputs])}"
        elif isinstance(name, str) and name in self.named_steps:
            notes = [Note("there is one here, later or in another module", self.named_steps[name])]
        if not help and names:
            help = f"the names so far: {_listed(names)}"
        if isinstance(name, str) and name in site.environment.names:
            help = f"did you mean `${shown(name)}`?"
        self.fault(Code.FROM, message, span, help or "give the step a `name`", *notes)

    def refuse_inputs(self, layer: str, inputs: Value) -> None:
        help = "put `- from: NAME` before it; blocks may name several `inputs`"
        self.fault(Code.KEY, f"`{layer}` is a layer, which takes the current tensor", inputs.span, help)

    def outputs(self, names: Sequence[spec.Name], scope: Scope, last: Tensor | None, what: str) -> Tensors | None:
        """The tensors that a module returns by name: those of ``names``, or just its last; None if one is unknown."""
        if not names:
            return {"output": self.taken(last)} if last is not None else None
        self.spend(names[0].span, len(names))
        found: dict[str, Tensor] = {}
        for name in names:
            named = scope.find(name.name)
            if named is None and not scope.may_have(name.name):
                module = name.name.rpartition(".")[0]
                outputs = scope.names[module].outputs if module in scope.names else {}
                help = did_you_mean(name.name, [*scope.names, *(f"{module}.{output}" for output in outputs)])
                message = f"no step of {what} is named `{shorten(name.name)}`"
                self.fault(Code.OUTPUT, message, name.span, help or f"give the step a `name`, in {what} itself")
            elif named is not None and named.tensor is not None:
                found[spec.last_part(name.name)] = self.taken(named.tensor)
        return found if len(found) == len(names) else None

    @cached_property
    def sized_by_tensors(self) -> frozenset[str]:
        """Names whose values are computed from the sizes of a tensor."""
        return sized_by_tensors(self.document)

    @cached_property
    def named_steps(self) -> dict[object, Span]:
        """The first place of each literal name in the document."""
        found: dict[object, Span] = {}
        for steps in (self.document.network, *(block.steps for block in self.document.blocks.values())):
            for name in spec.names_in(steps):
                if isinstance(name, Literal):
                    found.setdefault(name.value, name.span)
        return found


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(shorten, names[:12])) + (", …" if len(names) > 12 else "")


def shown(name: Any) -> str:
    """A value in the place of a name, as a message shows it."""
    return shorten(name) if isinstance(name, str) and name else got(name)
