"""Applies blocks and ``sequential`` to tensors: the child modules of a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cnndsl.diagnostics import Code, Note, got
from cnndsl.graph.arguments import evaluated, usage
from cnndsl.graph.context import Context, Run, Site
from cnndsl.graph.graph import Alias, Inline, Item, Module, Tensor
from cnndsl.graph.scope import Named, Scope
from cnndsl.layers import Shape
from cnndsl.limits import how_to_raise
from cnndsl.spec import steps as spec
from cnndsl.spec.document import Block
from cnndsl.spec.evaluation import Environment
from cnndsl.spec.tree import UNKNOWN
from cnndsl.spec.values import Arguments, ListValue, Literal, Value
from cnndsl.spec.words import INPUT

_RING = "every call writes a block out; `repeat` runs the same steps several times"
#: A tensor whose shape is unknown because of a fault, in the table of a network that fails.
NOTHING = Tensor(Shape())


@dataclass(frozen=True, slots=True)
class Inside:
    """A module whose steps have run: its items, and the tensors that it was given and that it returns, by name.
    ``made`` is None if one of these is unknown."""

    scope: Scope
    items: tuple[Item, ...]
    given: dict[str, Tensor]
    made: dict[str, Tensor] | None

    @property
    def last(self) -> Tensor | None:
        """The current tensor after it."""
        return [*self.made.values()][-1] if self.made else None


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a block: its parameters with their values, and as ``written``; the tensors that it is ``given``; what
    its steps see."""

    step: spec.Step
    block: Block
    params: Mapping[str, Any]
    written: Mapping[str, Value]
    given: Sequence[Tensor | None]
    environment: Environment


class Modules:
    """Runs the steps that create child modules. ``run`` runs the steps inside them."""

    def __init__(self, context: Context, run: Run) -> None:
        self.context = context
        self.run = run

    # --- blocks ----------------------------------------------------------------------------------

    def block(
        self, step: spec.Call, arguments: Arguments, name: str | None, block: Block, x: Tensor | None, site: Site
    ) -> Tensor | None:
        context, span = self.context, step.callee.span
        if not self._may_call(block, step):
            if step.inline:
                site.scope.lost_blocks = True
            return None
        params, written = self._params(step, arguments, block, site)
        environment = context.with_names(context.environment(context.params), params, span)
        child = name if step.inline else site.scope.child_name(block.name.lower(), name)
        if child is not None:
            context.take(site.scope, child, step)
        use = Use(step, block, params, written, self.given(step, block, x, site), environment)
        context.calls.append(block.name)
        path = site.scope.path if step.inline else site.scope.path_of(str(child))
        with context.looking_at(path), context.within(f"blocks.{block.name}", f"called at {context.place(span)}", path):
            out = self._inline(use, child, site) if step.inline else self._module(use, str(child), site)
        context.calls.pop()
        return out

    def _may_call(self, block: Block, step: spec.Call) -> bool:
        """Whether the calls around this one allow it."""
        context, span = self.context, step.callee.span
        if block.name in context.calls:
            ring = " → ".join([*context.calls[context.calls.index(block.name) :], block.name])
            note = Note("it is defined here", block.span)
            context.fault(Code.RECURSION, f"a block cannot contain itself: {ring}", span, _RING, note)
            return False
        if len(context.calls) >= (limit := context.limits.calls):
            message = f"block calls are nested more than {limit} deep"
            context.fault(Code.LIMIT, message, span, how_to_raise("calls"))
            return False
        return True

    def _params(
        self, step: spec.Call, arguments: Arguments, block: Block, site: Site
    ) -> tuple[dict[str, Any], dict[str, Value]]:
        """The block's parameters with their values, and as the call has them."""
        context = self.context
        found = evaluated(context, arguments, block, site)
        unknown = dict.fromkeys((parameter.name for parameter in block.parameters), UNKNOWN)
        values, written = found or (unknown, {})
        missing = [p.name for p in block.parameters if p.default is None and p.name not in values]
        if missing:
            needs = " and ".join(f"`{name}`" for name in missing)
            note = Note("it is defined here", block.span)
            context.fault(Code.MISSING, f"`{block.name}` needs {needs}", step.callee.span, usage(block), note)
        return context.bind(block.parameters, values, replace(site.environment, names=context.params)), written

    # --- their tensors ---------------------------------------------------------------------------

    def given(
        self, step: spec.Call | spec.Reuse, block: Block, x: Tensor | None, site: Site
    ) -> Sequence[Tensor | None]:
        """The tensors that a module takes: those that ``inputs`` names, or the current one."""
        wanted = max(len(block.inputs), 1)
        unknown = [None] * wanted
        if step.inputs is None and wanted == 1:
            return [x]
        names = [name.name for name in block.inputs]
        takes = f"`{block.name or 'sequential'}` takes {wanted} tensor{'s' * (wanted != 1)}"
        listed = f" ({', '.join(f'`{name}`' for name in names)})" if names else ""
        note = Note("they are named here", block.inputs[0].span) if names else Note("it is defined here", block.span)
        help = f"name one earlier step for each: `inputs: [{', '.join(names) or 'x'}]`"
        if step.inputs is None:
            self.context.fault(Code.MISSING, f"{takes}{listed} and needs `inputs`", step.span, help, note)
            return unknown
        targets = self._targets(step.inputs, site)
        if targets is None:
            return unknown
        if len(targets) != wanted:
            message = f"{takes}{listed}, got {len(targets)}"
            self.context.fault(Code.ARGUMENT, message, step.inputs.span, help, note)
            return unknown
        self.context.spend(step.span, len(targets))
        found = [self.context.find(target, site) for target in targets]
        return [named.tensor if named else None for named in found]

    def _targets(self, inputs: Value, site: Site) -> Sequence[Value] | None:
        """The names in ``inputs``, None if they are unknown."""
        if isinstance(inputs, ListValue):
            return inputs.items
        names = self.context.value(inputs, site.environment)
        if isinstance(names, tuple):
            return [Literal(name, inputs.span) for name in names]
        if names is not UNKNOWN:
            message = f"`inputs` expects a list of names of earlier steps, got {got(names)}"
            self.context.fault(Code.TYPE, message, inputs.span, "`inputs: [x, skip]`")
        return None

    # --- modules ---------------------------------------------------------------------------------

    def sequential(self, step: spec.Sequential, name: str | None, x: Tensor | None, site: Site) -> Tensor | None:
        child = site.scope.child_name("sequential", name)
        self.context.take(site.scope, child, step)
        block = self.context.document.chained(Block("", (), step.steps, step.span))
        use = Use(step, block, site.environment.names, {}, [x], site.environment)
        return self._module(use, child, site)

    def _module(self, use: Use, name: str, site: Site) -> Tensor | None:
        """A child module."""
        step, block = use.step, use.block
        taken = [self.context.taken(tensor) for tensor in use.given]
        inside = self.inside(block, site.scope.path_of(name), taken, use.environment)
        made = inside.made or dict.fromkeys(block.output_names, NOTHING)
        item = None
        inputs = tuple(tensor for tensor in taken if tensor is not None)
        if len(inputs) == len(taken):
            item = Module(
                *(step, name, inside.scope.path, block, use.params, use.written, inside.items),
                *(inputs, inside.given, made, self.context.reusing, tuple(inside.scope.failed)),
            )
            site.body.append(item)
        if step.name is not None:
            site.scope.names[name] = Named(step, step.span, inside.last, use.environment, item)
        return inside.last

    def _inline(self, use: Use, name: str | None, site: Site) -> Tensor | None:
        """The steps of a block as steps of the module around: they see no names of it, but it sees theirs."""
        scope, around = site.scope, site.scope.names
        scope.names = {}
        scope.inlined.append(use.block.name)
        taken = [self.context.taken(tensor) for tensor in use.given]
        inside = self._run(use.block, scope, taken, use.environment)
        scope.inlined.pop()
        around |= {key: named for key, named in scope.names.items() if not isinstance(named.step, spec.Invalid)}
        scope.names = around
        made = inside.made or {}
        item = Inline(use.step, use.block, use.params, use.written, inside.items, inside.given, made)
        if made and inside.items:
            site.body.append(item)
        else:
            site.body.extend(inside.items)
        if name is not None:
            scope.names[name] = Named(use.step, use.step.span, inside.last, use.environment, item)
        return inside.last

    def inside(self, block: Block, path: str, given: Sequence[Tensor | None], environment: Environment) -> Inside:
        """Runs the steps of a module."""
        return self._run(block, Scope(path, block.chain), _told_apart(given), environment)

    def _run(self, block: Block, scope: Scope, given: Sequence[Tensor | None], environment: Environment) -> Inside:
        items: list[Item] = []
        scope.give({spec.Name(INPUT, block.span): given[0], **dict(zip(block.inputs, given))}, environment)
        last = self.run(block.steps, given[0], Site(environment, scope, items))
        made = self.context.outputs(block.outputs, scope, last, f"`{block.name}`")
        named = {name: tensor for name, tensor in zip(block.input_names, given) if tensor is not None}
        return Inside(scope, tuple(items), named, made)


def _told_apart(tensors: Sequence[Tensor | None]) -> list[Tensor | None]:
    """The tensors, with an alias for each that appears again."""
    found: list[Tensor | None] = []
    for tensor in tensors:
        again = tensor is not None and any(other is tensor for other in found)
        found.append(Alias(tensor.shape, tensor) if tensor is not None and again else tensor)
    return found
