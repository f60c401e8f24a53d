"""Applies an earlier layer or module to other tensors, with the same weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cnndsl.diagnostics import Code, Note, shorten
from cnndsl.graph.context import Context, Site
from cnndsl.graph.graph import Apply, Body, Inline, Merge, Module, Split, Tensor, walk
from cnndsl.graph.modules import Modules
from cnndsl.graph.scope import Named
from cnndsl.layers import Refused
from cnndsl.spec import steps as spec


class Reusing:
    """Runs ``reuse`` steps. ``modules`` runs the steps inside modules."""

    def __init__(self, context: Context, modules: Modules) -> None:
        self.context = context
        self.modules = modules

    def reuse(self, step: spec.Reuse, name: str | None, x: Tensor | None, site: Site) -> Tensor | None:
        context = self.context
        named = context.find(step.target, site)
        if named is None or (x is None and step.inputs is None):
            return None
        if named.item is None or isinstance(named.item, Inline):
            if named.tensor is not None:
                help = "`reuse` takes a layer, a block or a `sequential`; `from` takes the tensor of a step"
                help = help if named.item is None else "a block that is written out is no module: remove its `inline`"
                message = f"`{shorten(named.step.span.text)}` has no weights to reuse"
                context.fault(Code.FROM, message, step.target.span, help, Note("it is this step", named.span))
            return None
        again = self._applied(named.item, named, x, step, site)
        if again is not None:
            site.body.append(again)
        else:
            site.scope.fail(named.item.name, named.item.kind, x)
        out = again.output if again else None
        if name is not None:
            site.scope.names[name] = Named(step, step.span, out, named.environment, again)
        return out

    def _applied(
        self, item: Apply | Module, named: Named, x: Tensor | None, step: spec.Reuse, site: Site
    ) -> Apply | Module | None:
        """The item on the tensors that the step gives it."""
        context = self.context
        given = [x]
        if isinstance(item, Module):
            given = [*self.modules.given(step, item.definition, x, site)]
        elif step.inputs is not None:
            context.refuse_inputs(item.kind, step.inputs)
        tensors = [context.taken(tensor) for tensor in given if tensor is not None]
        if len(tensors) < len(given):
            return None
        before, context.reusing = context.reusing, True
        with context.within("the reused step", f"at {context.place(step.span)}"):
            again = self._again(item, named, tensors, step)
        context.reusing = before
        return again

    def _again(
        self, item: Apply | Module, named: Named, given: Sequence[Tensor], step: spec.Reuse
    ) -> Apply | Module | None:
        if isinstance(item, Apply):
            return self._layer(item, named, given[0], step)
        return self._module(item, named, given, step)

    def _layer(self, item: Apply, named: Named, x: Tensor, step: spec.Reuse) -> Apply | None:
        try:
            bound = type(item.layer).bind(item.layer.values, x.shape)
            output = bound.result(x.shape, *(tensor.shape for tensor in item.inputs[1:]))
        except Refused as refused:
            argument = type(item.layer).arguments.get(refused.argument or "")
            code = Code.INFERRED if argument is not None and argument.infer is not None else Code.SHAPE
            self._cannot(code, f"`{item.name}` cannot be reused here: {refused.message}", named, step)
            return None
        return replace(item, step=step, inputs=(x, *item.inputs[1:]), output=Tensor(output), written={}, reuse=True)

    def _module(self, item: Module, named: Named, given: Sequence[Tensor], step: spec.Reuse) -> Module | None:
        inside = self.modules.inside(item.definition, item.path, given, named.environment)
        if inside.made is None:
            return None
        shapes = " and ".join(str(tensor.shape) for tensor in given)
        those = " and ".join(str(tensor.shape) for tensor in item.inputs)
        if _layers(inside.items) != _layers(item.body):
            on = f"its layers for {shapes} would differ from those for {those}"
            self._cannot(Code.INFERRED, f"`{item.name}` cannot be reused here: {on}", named, step)
            return None
        again = replace(item, step=step, body=inside.items, inputs=tuple(given), given=inside.given, reuse=True)
        again = replace(again, made=inside.made)
        if _wiring(again) != _wiring(item):
            on = f"its tensors for {shapes} would be connected differently from those for {those}"
            self._cannot(Code.INFERRED, f"`{item.name}` cannot be reused here: {on}", named, step)
            return None
        return again

    def _cannot(self, code: Code, message: str, named: Named, step: spec.Reuse) -> None:
        help = "a reused step keeps its weights, and takes only the tensors that fit them"
        self.context.fault(code, message, step.target.span, help, Note("it is this step", named.span))


def _wiring(module: Module) -> list[tuple[Any, ...]]:
    """The tensors that the operations of a module take, numbered in order, and what merges and splits do."""
    numbers: dict[int, int] = {}
    for tensor in module.given.values():
        numbers.setdefault(id(tensor), len(numbers))
    rows: list[tuple[Any, ...]] = []
    for _, item in walk(module.body):
        taken = tuple(numbers[id(tensor)] for tensor in item.inputs)
        how: tuple[Any, ...] = (item.kind, item.dim) if isinstance(item, Merge) else ()
        if isinstance(item, Split):
            how = (len(item.sizes),) if len(set(item.sizes)) == 1 else item.sizes
        rows.append((item.path, taken, how))
        for tensor in item.outputs:
            numbers.setdefault(id(tensor), len(numbers))
    return [*rows, tuple(numbers[id(tensor)] for tensor in module.outputs)]


def _layers(body: Body) -> list[tuple[str, str]]:
    return [(item.path, repr(item.layer)) for _, item in walk(body) if isinstance(item, Apply)]
