"""Applies an earlier layer or module to other tensors, with the same weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from cnndsl.diagnostics import Code, Note, shorten
from cnndsl.graph.arguments import refuse_inputs
from cnndsl.graph.context import Context
from cnndsl.graph.cost import Bound
from cnndsl.graph.graph import Apply, Body, Inline, Merge, Module, Split, Tensor, walk
from cnndsl.graph.modules import Modules
from cnndsl.graph.scope import Named
from cnndsl.graph.site import Site
from cnndsl.layers import Refused
from cnndsl.record import Record
from cnndsl.spec import steps as spec
from cnndsl.spec.values import Value


class _Again(Record, frozen=True):
    """A ``reuse`` step: what it names, the tensors that this is given now, and the place where it runs again."""

    step: spec.Reuse
    named: Named
    given: tuple[Tensor, ...]
    site: Site

    def refuse(self, code: Code, item: Apply | Module, reason: str) -> None:
        message = f"`{item.name}` cannot be reused here: {reason}"
        help = "a reused step keeps its weights, and takes only the tensors that fit them"
        self.site.fault(code, message, self.step.target.span, help, Note("it is this step", self.named.span))


class Reusing:
    """Runs ``reuse`` steps. ``modules`` runs the steps inside modules."""

    def __init__(self, context: Context, modules: Modules) -> None:
        self.context = context
        self.modules = modules

    def reuse(self, step: spec.Reuse, name: str | None, x: Tensor | None, site: Site) -> Tensor | None:
        named = self.context.names.find(step.target, site)
        again = None
        if named is not None and (x is not None or step.inputs is not None):
            again = self._run(step, name, named, x, site)
        out = again.output if again else None
        if name is not None:
            environment = named.environment if named else site.environment
            site.scope.names[name] = Named(step, step.span, out, environment, again)
        return out

    def _run(
        self, step: spec.Reuse, name: str | None, named: Named, x: Tensor | None, site: Site
    ) -> Apply | Module | None:
        """The item that the step adds to the site's body, None if it cannot run."""
        if named.item is None or isinstance(named.item, Inline):
            if named.tensor is not None:
                _refuse(step.target, named, site)
            return None
        again = self._again(step, named.item, named, x, site)
        if again is None:
            site.scope.fail(named.item.name, named.item.kind, x)
            return None
        again = replace(again, called=name or "")
        site.body.append(again)
        return again

    def _again(
        self, step: spec.Reuse, item: Apply | Module, named: Named, x: Tensor | None, site: Site
    ) -> Apply | Module | None:
        """The item on the tensors that the step gives it."""
        given = [x]
        if isinstance(item, Module):
            given = [*self.modules.given(step, item.definition, x, site)]
        elif step.inputs is not None:
            refuse_inputs(item.kind, step.inputs, site)
        tensors = tuple(self.context.taken(tensor) for tensor in given if tensor is not None)
        if len(tensors) < len(given):
            return None
        there = site.again(named.environment, lambda: ("the reused step", f"at {self.context.place(step.span)}"))
        again = _Again(step, named, tensors, there)
        return _layer(again, item) if isinstance(item, Apply) else self._module(again, item)

    def _module(self, again: _Again, item: Module) -> Module | None:
        given = again.given
        inside = self.modules.inside(item.definition, item.path, given, again.site)
        if inside.made is None:
            return None
        shapes = " and ".join(str(tensor.shape) for tensor in given)
        those = " and ".join(str(tensor.shape) for tensor in item.inputs)
        if _layers(inside.items) != _layers(item.body):
            again.refuse(Code.INFERRED, item, f"its layers for {shapes} would differ from those for {those}")
            return None
        tensors: dict[str, Any] = {"inputs": given, "given": inside.given, "made": inside.made}
        fetched = tuple(inside.scope.fetched)
        made = replace(item, step=again.step, body=inside.items, reuse=True, fetched=fetched, **tensors)
        if _wiring(made) != _wiring(item):
            on = f"its tensors for {shapes} would be connected differently from those for {those}"
            again.refuse(Code.INFERRED, item, on)
            return None
        return made


def _refuse(target: Value, named: Named, site: Site) -> None:
    """Reports that what is named has no weights of its own."""
    message = f"`{shorten(named.step.span.text)}` has no weights to reuse"
    help = "`reuse` takes a layer, a block or a `sequential`; `from` takes the tensor of a step"
    if isinstance(named.item, Inline):
        help = "a block that is written out is no module: remove its `inline`"
    elif named.is_output:
        name = str(site.value(target))
        message = f"`{shorten(name)}` is a tensor, an output of `{shorten(name.rpartition('.')[0])}`, without weights"
        help = f"reuse the whole module: `reuse: {shorten(name.rpartition('.')[0])}`"
    site.fault(Code.FROM, message, target.span, help, Note("it is this step", named.span))


def _layer(again: _Again, item: Apply) -> Apply | None:
    x, others = again.given[0], item.inputs[1:]
    bound: Bound | None = item.bound
    if others or x.shape != item.input.shape:
        bound = _bound(again, item)
    if bound is None:
        return None
    changes: dict[str, Any] = {"inputs": (x, *others), "output": Tensor(bound.output), "written": {}}
    return replace(item, step=again.step, bound=bound, reuse=True, **changes)


def _bound(again: _Again, item: Apply) -> Bound | None:
    """The layer on a tensor of another shape, None if it refuses that."""
    x, others = again.given[0].shape, item.inputs[1:]
    try:
        layer = type(item.layer).bind(item.layer.values, x)
        output = layer.result(x, *(tensor.shape for tensor in others))
    except Refused as refused:
        code = Code.INFERRED if item.layer.infers(refused.argument) else Code.SHAPE
        again.refuse(code, item, refused.message)
        return None
    return replace(item.bound, input=x, output=output)


def _wiring(module: Module) -> list[tuple[Any, ...]]:
    """The tensors that the operations of a module take, numbered in order, and what merges and splits do."""
    numbers: dict[int, int] = {}

    def number(tensors: Iterable[Tensor]) -> None:
        for tensor in tensors:
            numbers.setdefault(id(tensor), len(numbers))

    number(module.given.values())
    rows: list[tuple[Any, ...]] = []
    for item in module.everything:
        taken = tuple(numbers[id(tensor)] for tensor in item.inputs)
        if isinstance(item, Module):  # a module that is given one tensor twice calls it by two names
            number(item.given.values())
        how: tuple[Any, ...] = (item.kind, item.dim) if isinstance(item, Merge) else ()
        if isinstance(item, Split):
            how = (len(item.sizes),) if len(set(item.sizes)) == 1 else item.sizes
        rows.append((item.path, taken, how))
        number(item.outputs)
    return [*rows, tuple(numbers[id(tensor)] for tensor in module.outputs)]


def _layers(body: Body) -> list[tuple[str, str]]:
    return [(item.path, repr(item.layer)) for _, item in walk(body) if isinstance(item, Apply)]
