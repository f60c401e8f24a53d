"""Unrolls blocks and loops into a graph and infers every shape on the way.

Faults are collected, not raised. If a fault leaves the shape of a tensor unknown, the tensor is
None and everything that depends on it is skipped, so each fault is reported once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import prod
from typing import Any

from cnndsl.diagnostics import Code, Diagnostic, got, shorten
from cnndsl.graph.calls import Calls
from cnndsl.graph.context import Context
from cnndsl.graph.contract import Contract, contracts
from cnndsl.graph.faults import Stop
from cnndsl.graph.graph import Graph, Module, Tensor
from cnndsl.graph.initialization import Initialization, initializations
from cnndsl.graph.inplace import without_hazards
from cnndsl.graph.modules import NOTHING, Modules
from cnndsl.graph.names import name_of, take, which
from cnndsl.graph.params import check_order
from cnndsl.graph.reuse import Reusing
from cnndsl.graph.scope import Named, Scope
from cnndsl.graph.site import MAX_NESTING, Site
from cnndsl.graph.structure import Structure
from cnndsl.layers import Shape
from cnndsl.limits import how_to_raise
from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.spec import steps as spec
from cnndsl.spec.document import Document
from cnndsl.spec.evaluation import holds
from cnndsl.spec.hints import meant_by
from cnndsl.spec.tree import UNKNOWN
from cnndsl.spec.values import Literal, Value
from cnndsl.spec.words import INPUT


class Elaboration(Record, frozen=True):
    """The graph, None if there are errors, and the network as far as its shapes are known. ``named`` are the steps that
    each name turned out to mean; see :class:`Names`."""

    graph: Graph | None
    partial: Module | None
    faults: tuple[Diagnostic, ...]
    params: Mapping[str, Any]
    named: Mapping[Span, Collection[tuple[spec.Step, bool]]]


def elaborate(document: Document, batch: int = 1) -> Elaboration:
    """Applies every step of a document to its inputs, with ``batch`` samples."""
    return _Elaborator(document, batch).run()


class _Elaborator:
    def __init__(self, document: Document, batch: int) -> None:
        self.document = document
        self.batch = batch
        self.context = Context(document)
        self.modules = Modules(self.context, self.run_steps)
        self.calls = Calls(self.context, self.modules)
        self.reusing = Reusing(self.context, self.modules)
        self.structure = Structure(self.context, self.run_steps)
        self.initializations: tuple[Initialization, ...] = ()
        self.contracts: tuple[Contract, ...] = ()

    # --- the whole document ----------------------------------------------------------------------

    def run(self) -> Elaboration:
        context, document = self.context, self.document
        scope = Scope("", document.definition.chain)
        site = Site(context.environment({}, has_input=False), scope, [], context.faults)
        inputs: dict[str, Tensor | None] = {}
        outputs: dict[str, Tensor] | None = None
        root = last = None
        try:
            params = self.params(site)
            inputs = self.inputs(site.seeing(context.environment(params, has_input=False)))
            site = site.seeing(context.environment(params))
            self.name_inputs(inputs, site)
            first = next(iter(inputs.values()), None)
            context.sample = first.shape.sample if first else ()
            last = self.run_steps(document.network, first, site)
            outputs = context.outputs(self.outputs(site), last, "`network`", site)
        except Stop:
            first = next(iter(inputs.values()), None)
        if first is not None:
            given = {name: tensor for name, tensor in inputs.items() if tensor is not None}
            made = outputs or {"output": context.taken(last or NOTHING)}
            root = Module(
                *(None, document.name, "", document.definition, context.params, {}, tuple(site.body)),
                *(tuple(given.values()), given, made, False, tuple(scope.failed)),
                fetched=tuple(scope.fetched),
            )
        if root is None or outputs is None or any(fault.is_error for fault in context.faults.found):
            return Elaboration(None, root, tuple(context.faults.found), context.params, context.names.found)
        graph, warnings = without_hazards(Graph(document, root, self.initializations, self.contracts))
        unused = (*context.fetched_in_vain(), *context.marks.unused(context.names.used))
        faults = (*context.faults.found, *context.warnings, *unused, *warnings)
        return Elaboration(graph, graph.root, faults, context.params, context.names.found)

    def params(self, site: Site) -> Mapping[str, Any]:
        """The document's parameters. `init` and `expect`, which need no more than these, are worked out too."""
        context = self.context
        sound = check_order(self.document.params, site.fault)
        context.params = site.parameters(sound, {})
        self.initializations, unfit = initializations(self.document, context.params)
        self.contracts, unsound = contracts(self.document, context.params)
        context.faults.found += (*unfit, *unsound)
        return context.params

    def inputs(self, site: Site) -> dict[str, Tensor | None]:
        tensors: dict[str, Tensor | None] = {}
        for name, value in self.document.inputs.items():
            tensors[name] = None
            sizes = site.value(value)
            if sizes is UNKNOWN:
                continue
            if not (isinstance(sizes, tuple) and sizes and all(type(size) is int and size > 0 for size in sizes)):
                message = f"an input must be a list of positive integers, not {got(sizes)}"
                site.fault(Code.TYPE, message, value.span, meant_by(value, sizes, site.environment.names))
            elif prod(sizes) * self.batch > self.document.limits.elements:
                message = (
                    f"the input has {prod(sizes) * self.batch} elements, the limit is {self.document.limits.elements}"
                )
                site.fault(Code.LIMIT, message, value.span, how_to_raise("elements"))
            else:
                tensors[name] = made = Tensor(Shape((self.batch, *sizes)))
                self.context.originate(made, value.span.first_line)
        return tensors

    def name_inputs(self, inputs: Mapping[str, Tensor | None], site: Site) -> None:
        """Makes inputs available to `from`, until a step takes the name of the first."""
        given = [(name, self.document.inputs[name].span, tensor) for name, tensor in inputs.items()]
        first = [(INPUT, span, tensor) for _, span, tensor in given[:1]]
        site.scope.give(first + (given if self.document.names_inputs else []), site.environment)
        for name in [*inputs][1:]:
            site.scope.taken[name] = self.document.inputs[name]

    def outputs(self, site: Site) -> tuple[Value, ...]:
        """The document's outputs without those whose steps are left out by ``when``, but with all if none is left."""
        there = site.without_input()
        written = tuple(Literal(there.value(value), value.span) for value in self.document.outputs)
        absent = site.scope.absent() if written else {}
        return tuple(name for name in written if which(str(name.value), absent) is None) or written

    # --- lists of steps --------------------------------------------------------------------------

    def run_steps(self, steps: spec.Steps, x: Tensor | None, site: Site) -> Tensor | None:
        """Appends the items of ``steps`` to the site's body. Returns the next tensor, None if unknown."""
        site = site.deeper()
        for step in steps:
            self.context.work.spend(step.span, site)
            site = site.after(x)
            if step.when is not None:
                decision = site.value(step.when, holds)
                if decision is UNKNOWN:
                    site.scope.lose((step,))
                    x = None
                    continue
                if not decision:
                    self.context.leave_out(step, site)
                    if site.depth > MAX_NESTING:
                        site.too_deep(step.span)
                    x = self.run_steps(step.otherwise, x, site)
                    continue
            if isinstance(step, spec.Let):
                site = site.let(step.values, step.span)
                continue
            if site.depth > MAX_NESTING:
                site.too_deep(step.span)
            x = self.run_step(step, x, site)
            if x is not None:
                self.context.originate(x, step.span)
        return x

    def run_step(self, step: spec.Step, x: Tensor | None, site: Site) -> Tensor | None:
        if isinstance(step, spec.Invalid):
            site.scope.lose((step,))
            written = step.name.value if isinstance(step.name, Literal) else None
            child = site.scope.child_name(step.word.lower(), written and str(written))
            site.scope.fail(child, shorten(step.word) or "?", x)
            return None
        name = name_of(step, site)
        if isinstance(step, spec.Call):
            return self.calls.call(step, name, x, site)
        if isinstance(step, spec.Sequential):
            return self.modules.sequential(step, name, x, site)
        if name is not None:
            take(name, step, site)
        if isinstance(step, spec.Reuse):
            return self.reusing.reuse(step, name, x, site)
        out = self.run_structure(step, name, x, site)
        if name is not None:
            site.scope.names[name] = Named(step, step.span, out, site.environment)
        return out

    def run_structure(self, step: spec.Step, name: str | None, x: Tensor | None, site: Site) -> Tensor | None:
        match step:
            case spec.Repeat():
                return self.structure.repeat(step, x, site)
            case spec.Branch():
                return self.structure.branch(step, name, x, site)
            case spec.Residual():
                return self.structure.residual(step, name, x, site)
            case spec.Dense():
                return self.structure.dense(step, x, site)
            case spec.From():
                named = self.context.names.find(step.target, site)
                return self.context.fetch(named.tensor, step, site) if named else None
            case spec.Mark():
                if name is not None:
                    self.context.marks.ran(step, name)
                return x
        raise AssertionError(f"{type(step).__name__} is not a kind of step")
