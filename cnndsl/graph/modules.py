"""Applies blocks and ``sequential`` to tensors: the child modules of a network."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from msgspec.structs import replace

from cnndsl.diagnostics import Code, Note, got
from cnndsl.graph.arguments import Called, Given, usage
from cnndsl.graph.context import Context
from cnndsl.graph.copies import Copies
from cnndsl.graph.graph import Inline, Module, Tensor
from cnndsl.graph.inside import Inside, told_apart
from cnndsl.graph.names import take
from cnndsl.graph.scope import Named, Scope
from cnndsl.graph.site import Run, Site
from cnndsl.layers import Shape
from cnndsl.limits import how_to_raise
from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.spec import steps as spec
from cnndsl.spec.document import Block
from cnndsl.spec.tree import UNKNOWN
from cnndsl.spec.values import ListValue, Literal, Value
from cnndsl.spec.words import INPUT

_RING = "every call writes a block out; `repeat` runs the same steps several times"
#: A tensor whose shape is unknown because of a fault, in the table of a network that fails.
NOTHING = Tensor(Shape())


class Use(Record, frozen=True):
    """One use of a block: its parameters with their values, and as ``written``; the tensors that it is ``given``; and
    the place in the module around, but with the values that its steps see."""

    step: spec.Step
    block: Block
    params: Given
    given: Sequence[Tensor | None]
    site: Site


class Modules:
    """Runs the steps that create child modules. ``run`` runs the steps inside them."""

    def __init__(self, context: Context, run: Run) -> None:
        self.context = context
        self.run = run
        self.copies = Copies(context)

    # --- blocks ----------------------------------------------------------------------------------

    def block(self, called: Called[Block], name: str | None, x: Tensor | None, site: Site) -> Tensor | None:
        context, place, step, block = self.context, self.context.place, called.step, called.of
        span = step.callee.span
        if not self._may_call(block, span, site):
            site.scope.lose((step,))
            return None
        params = self._params(called, span, site)
        known = site.seeing(context.environment(context.params)).knowing(params.values, span)
        child = name if step.inline else site.scope.child_name(block.name.lower(), name)
        if child is not None:
            take(child, step, site)
        path = site.scope.path if step.inline else site.scope.path_of(str(child))
        there = known.calling(block.name, lambda: (f"blocks.{block.name}", f"called at {place(span)}"), path, span)
        use = Use(step, block, params, self.given(step, block, x, site), there)
        if step.inline:
            return self._inline(use, child)
        taken, scope = self._taken(use), Scope(path, block.chain)
        run = partial(self._inside, block, scope, taken, there)
        return self._module(use, str(child), taken, self.copies.inside(block, params.values, taken, scope, there, run))

    def _may_call(self, block: Block, span: Span, site: Site) -> bool:
        """Whether the calls around this one allow it."""
        if block.name in site.calls:
            ring = " → ".join([*site.calls[site.calls.index(block.name) :], block.name])
            note = Note("it is defined here", block.span)
            site.fault(Code.RECURSION, f"a block cannot contain itself: {ring}", span, _RING, note)
            return False
        if site.scope.chain and len(block.outputs) > 1:  # a written name makes the steps no chain
            message = f"`{block.name}` returns several tensors: no value may choose such a block in a plain chain"
            site.fault(Code.OUTPUT, message, span, f"write `{block.name}` itself as the step")
            return False
        if len(site.calls) >= (limit := self.context.limits.calls):
            message = f"block calls are nested more than {limit} deep"
            site.fault(Code.LIMIT, message, span, how_to_raise("calls"))
            return False
        return True

    def _params(self, called: Called[Block], span: Span, site: Site) -> Given:
        """The block's parameters with their values, and as the call has them."""
        block = called.of
        found = self.context.matcher.evaluated(called, site) or Given(
            dict.fromkeys((p.name for p in block.parameters), UNKNOWN), {}
        )
        missing = [p.name for p in block.parameters if p.default is None and p.name not in found.values]
        if missing:
            needs = " and ".join(f"`{name}`" for name in missing)
            note = Note("it is defined here", block.span)
            site.fault(Code.MISSING, f"`{block.name}` needs {needs}", span, usage(block), note)
        there = site.seeing(replace(site.environment, names=self.context.params))
        return Given(there.parameters(block.parameters, found.values), found.written)

    # --- their tensors ---------------------------------------------------------------------------

    def given(
        self, step: spec.Call | spec.Reuse, block: Block, x: Tensor | None, site: Site
    ) -> Sequence[Tensor | None]:
        """The tensors that a module takes: those that ``inputs`` names, or the current one."""
        wanted = max(len(block.inputs), 1)
        if step.inputs is None and wanted == 1:
            return [x]
        targets = None if step.inputs is None else self._targets(step.inputs, site)
        if step.inputs is None or (targets is not None and len(targets) != wanted):
            _refuse_tensors(step, block, 0 if targets is None else len(targets), site)
        if targets is None or len(targets) != wanted:
            return [None] * wanted
        self.context.work.spend(step.span, site, len(targets))
        found = [self.context.names.find(target, site) for target in targets]
        return [named.tensor if named else None for named in found]

    def _targets(self, inputs: Value, site: Site) -> Sequence[Value] | None:
        """The names in ``inputs``, None if they are unknown."""
        if isinstance(inputs, ListValue):
            return inputs.items
        names = site.value(inputs)
        if isinstance(names, tuple):
            return [Literal(name, inputs.span) for name in names]
        if names is not UNKNOWN:
            message = f"`inputs` expects a list of names of earlier steps, got {got(names)}"
            site.fault(Code.TYPE, message, inputs.span, "`inputs: [x, skip]`")
        return None

    # --- modules ---------------------------------------------------------------------------------

    def sequential(self, step: spec.Sequential, name: str | None, x: Tensor | None, site: Site) -> Tensor | None:
        child = site.scope.child_name("sequential", name)
        take(child, step, site)
        block = self.context.document.chained(Block("", (), step.steps, step.span))
        use = Use(step, block, Given(site.environment.names, {}), [x], site)
        taken = self._taken(use)
        return self._module(use, child, taken, self.inside(block, site.scope.path_of(child), taken, site))

    def _taken(self, use: Use) -> Sequence[Tensor | None]:
        """The tensors in the graph that a use takes."""
        return [self.context.taken(tensor) for tensor in use.given]

    def _module(self, use: Use, name: str, taken: Sequence[Tensor | None], inside: Inside) -> Tensor | None:
        """A child module."""
        step, block, site = use.step, use.block, use.site
        made = inside.made or dict.fromkeys(block.output_names, NOTHING)
        item = None
        inputs = tuple(tensor for tensor in taken if tensor is not None)
        if len(inputs) == len(taken):
            item = Module(
                *(step, name, inside.scope.path, block, use.params.values, use.params.written, inside.items),
                *(inputs, inside.given, made, site.reusing, tuple(inside.scope.failed)),
                fetched=tuple(inside.scope.fetched),
            )
            site.body.append(item)
        if step.name is not None:
            known = inside.last if item else None
            site.scope.names[name] = Named(step, step.span, known, site.environment, item)
        return inside.last

    def _inline(self, use: Use, name: str | None) -> Tensor | None:
        """The steps of a block as steps of the module around: they see no names of it, but it sees theirs."""
        site, names = use.site, use.site.scope.names
        inside = self._run(use.block, self._taken(use), site.written_out(use.block.name))
        names |= {key: named for key, named in inside.scope.names.items() if not isinstance(named.step, spec.Invalid)}
        made = inside.made or {}
        params = use.params
        item = Inline(use.step, use.block, params.values, params.written, inside.items, inside.given, made)
        if made and inside.items:
            site.body.append(item)
        else:
            site.body.extend(inside.items)
        if name is not None:
            names[name] = Named(use.step, use.step.span, inside.last, site.environment, item)
        return inside.last

    def inside(self, block: Block, path: str, given: Sequence[Tensor | None], site: Site) -> Inside:
        """Runs the steps of a module."""
        return self._inside(block, Scope(path, block.chain), given, site)

    def _inside(self, block: Block, scope: Scope, given: Sequence[Tensor | None], site: Site) -> Inside:
        return self._run(block, told_apart(given), site.module(scope))

    def _run(self, block: Block, given: Sequence[Tensor | None], site: Site) -> Inside:
        named = ((name.name, name.span, tensor) for name, tensor in zip(block.inputs, given))
        site.scope.give([(INPUT, block.span, given[0]), *named], site.environment)
        last = self.run(block.steps, given[0], site)
        made = self.context.outputs(block.outputs, last, f"`{block.name}`", site)
        known = {name: tensor for name, tensor in zip(block.input_names, given) if tensor is not None}
        return Inside(site.scope, tuple(site.body), known, made)


def _refuse_tensors(step: spec.Call | spec.Reuse, block: Block, count: int, site: Site) -> None:
    """Reports that a module is given too many or too few tensors, or none where it needs several."""
    names = [name.name for name in block.inputs]
    wanted = max(len(names), 1)
    takes = f"`{block.name or 'sequential'}` takes {wanted} tensor{'s' * (wanted != 1)}"
    listed = f" ({', '.join(f'`{name}`' for name in names)})" if names else ""
    note = Note("they are named here", block.inputs[0].span) if names else Note("it is defined here", block.span)
    help = f"name one earlier step for each: `inputs: [{', '.join(names) or 'x'}]`"
    if step.inputs is None:
        site.fault(Code.MISSING, f"{takes}{listed} and needs `inputs`", step.span, help, note)
    else:
        site.fault(Code.ARGUMENT, f"{takes}{listed}, got {count}", step.inputs.span, help, note)
