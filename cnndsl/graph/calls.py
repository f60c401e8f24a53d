"""Applies layers, blocks and ``sequential`` to a tensor, the first time and again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import prod
from typing import Any

from cnndsl.diagnostics import Code, Note, did_you_mean, got, shorten
from cnndsl.graph.context import Context, Run, Site, shown
from cnndsl.graph.graph import Apply, Body, Item, Merge, Module, Split, Tensor, walk
from cnndsl.graph.scope import Named, Scope
from cnndsl.graph.torch_order import meant_channels, meant_step
from cnndsl.layers import LAYERS, Layer, Refused, Shape
from cnndsl.layers.table import take
from cnndsl.limits import how_to_raise
from cnndsl.source import Span
from cnndsl.spec import foreign
from cnndsl.spec import steps as spec
from cnndsl.spec.document import Block
from cnndsl.spec.expression import Environment
from cnndsl.spec.hints import WHERE_LAYERS_ARE, meant_by, meant_layer, not_written
from cnndsl.spec.tree import UNKNOWN
from cnndsl.spec.values import Arguments, CallValue, Expression, Value, dealt

_RING = "every call writes a block out; `repeat` runs the same steps several times"
#: A tensor whose shape is unknown because of a fault, in the table of a network that fails.
NOTHING = Tensor(Shape())


class Calls:
    """Runs the steps that create children of a module. ``run`` runs the steps inside them."""

    def __init__(self, context: Context, run: Run) -> None:
        self.context = context
        self.run = run

    def call(self, step: spec.Call, name: str | None, x: Tensor | None, site: Site) -> Tensor | None:
        """The layer or block that a step names."""
        context = self.context
        callee, given = context.value(step.callee, site.environment), step.arguments
        if isinstance(callee, CallValue):
            given, callee = _together(callee.arguments, given), callee.name
        lost = context.document.lost
        known = isinstance(callee, str) and callee in context.callables and not (lost and callee in lost)
        if known and callee in context.document.blocks:
            return self._block(step, given, name, context.document.blocks[callee], x, site)
        if known:
            return self._layer(step, given, name, LAYERS[callee], x, site)
        if callee is not UNKNOWN and lost is not None and callee not in lost:
            self._unknown(step, callee)
        site.scope.lose((step,))
        kind = shorten(step.callee.span.text)
        site.scope.fail(site.scope.child_name(kind.lower(), name), kind, x)
        return None

    def _unknown(self, step: spec.Call, callee: object) -> None:
        written, span = f"`{shown(callee)}`", step.callee.span
        if isinstance(step.callee, Expression):
            written = f"`{shorten(span.text)}` is {written}, which"
        as_value = isinstance(step.callee, Expression)
        help = meant_layer(str(callee), self.context.callables, as_value=as_value) or WHERE_LAYERS_ARE
        if " - " in str(callee):
            help = "a line that is indented further continues the one above: indent each `- ` alike"
        self.context.fault(Code.LAYER, f"{written} is not a layer or a block of this spec", span, help)

    def _arguments(
        self, given: Arguments, of: type[Layer] | Block, site: Site
    ) -> tuple[dict[str, Any], dict[str, Value]] | None:
        """Arguments by name, evaluated and as written; None if that fails."""
        context, sound, callee = self.context, True, f"`{_name(of)}`"
        if isinstance(of, Block):
            names = known = tuple(parameter.name for parameter in of.parameters)
        else:
            names, known = of.positional(), tuple(of.arguments)
        positional = self._positional(given, names, site)
        written = {name: value for name, (value, _) in zip(names, positional)}
        values = {name: worth for name, (_, worth) in zip(names, positional)}
        if len(positional) > len(names):
            takes = f"{len(names)} argument{'' if len(names) == 1 else 's'} at most" if names else "no arguments"
            message = f"{callee} takes {takes}, got {len(positional)}"
            context.fault(Code.ARGUMENT, message, positional[len(names)][0].span, _signature(of))
            sound = False
        for keyword in given.keywords:
            if keyword.name not in known:
                help = did_you_mean(keyword.name, known) or _signature(of)
                message = f"{callee} has no argument `{shorten(keyword.name)}`"
                context.fault(Code.ARGUMENT, message, keyword.span, help)
                sound = False
            written[keyword.name] = keyword.value
            values[keyword.name] = context.value(keyword.value, site.environment)
        return (values, written) if sound else None

    def _positional(self, given: Arguments, names: Sequence[str], site: Site) -> list[tuple[Value, Any]]:
        """Positional arguments, as written and evaluated. If there are several parameters, an evaluated list spreads
        over them, as a written one does."""
        values, worths = given.positional, [self.context.value(value, site.environment) for value in given.positional]
        if len(names) > 1 and given.alone:
            if isinstance(worths[0], tuple):
                values, worths = dealt(given.alone, worths[0], len(names)), [*worths[0]]
            elif worths[0] is UNKNOWN:  # it may be a list
                values, worths = values * len(names), worths * len(names)
        return [*zip(values, worths)]

    # --- layers ----------------------------------------------------------------------------------

    def _layer(
        self, step: spec.Call, given: Arguments, name: str | None, layer: type[Layer], x: Tensor | None, site: Site
    ) -> Tensor | None:
        child = site.scope.child_name(layer.short_name, name)
        self.context.take(site.scope, child, step)
        if given.whole is not None and layer.takes_list():
            given = replace(given, positional=(given.whole,))
        item = None
        with self.context.looking_at(site.scope.path_of(child)):
            found = self._arguments(given, layer, site)
            if found is not None and UNKNOWN not in found[0].values():
                item = self._apply(step, child, layer, *found, x, site)
        if item is not None:
            site.body.append(item)
        else:
            site.scope.fail(child, layer.__name__, x)
        out = item.output if item else None
        if name is not None:
            site.scope.names[name] = Named(step, step.span, out, site.environment, item)
        return out

    def _apply(
        self,
        step: spec.Call,
        name: str,
        layer: type[Layer],
        given: dict[str, Any],
        written: dict[str, Value],
        x: Tensor | None,
        site: Site,
    ) -> Apply | None:
        """A layer bound to its arguments and applied. A wrong argument that can be inferred is ignored."""
        try:
            if x is None:
                take(layer.__name__, layer.arguments, given, layer.dims or 0)
                return None
            bound = layer.bind(given, x.shape)
            output = bound.output(x.shape)
        except Refused as refused:
            self._refuse(step, layer, given, written, x, refused, site)
            if refused.argument not in given or not _is_inferred(layer, refused.argument):
                return None
            del given[refused.argument]
            return self._apply(step, name, layer, given, written, x, site)
        if not self._fits(bound, x.shape, output, step.callee.span):
            return None
        path = site.scope.path_of(name)
        item = Apply(step, name, path, bound, written, self.context.taken(x), Tensor(output), self.context.reusing)
        self.context.dims.add(layer.dims)
        meant = meant_channels(item) or (
            self.context.meant_channels.get(item.input) if output.channels == x.shape.channels else 0
        )
        if meant:
            self.context.meant_channels[item.output] = meant
        return item

    def _refuse(
        self,
        step: spec.Call,
        layer: type[Layer],
        given: Mapping[str, Any],
        written: Mapping[str, Value],
        x: Tensor | None,
        refused: Refused,
        site: Site,
    ) -> None:
        """Reports what a layer refused, at the argument in question."""
        name = refused.argument or ""
        code, message, help = _code(layer, given, refused), refused.message, refused.help
        if code is Code.TYPE:
            message = f"`{name}` expects {layer.arguments[name].kind.expects(layer.dims or 0)}, got {got(given[name])}"
            accepts = partial(layer.arguments[name].kind.accepts, dims=layer.dims or 0)
            help = meant_by(written[name], given[name], site.environment.names, accepts) or help
        if code is Code.MISSING and (other := foreign.STRUCTURE.get(foreign.entry(layer.__name__))):
            help = f"{help}; {other}"  # `Add` alone is another tool's word
        if code is Code.INFERRED and x is not None and x.shape.rank > 2 and given[name] == prod(x.shape.sample):
            help = "put `Flatten` before it"
        help = self._order_of_torch(step, layer, given, written, x, code) or self._batch(layer, x, refused) or help
        notes: tuple[Note, ...] = ()
        if code is Code.SHAPE:
            named = message.startswith(f"`{layer.__name__}`")
            message = message if named else f"`{layer.__name__}`: {message}"
            if x is not None and str(x.shape) not in message:
                notes = (Note(f"its input is {x.shape}"),)
        span = written[name].span if name in written else step.callee.span
        self.context.fault(code, message, span, help, *notes)

    def _order_of_torch(
        self,
        step: spec.Call,
        layer: type[Layer],
        given: Mapping[str, Any],
        written: Mapping[str, Value],
        x: Tensor | None,
        code: Code,
    ) -> str:
        """Help if a list of arguments is in PyTorch's order. A list with the right types is if it begins with the
        channels of its input, or with what these were meant to be."""
        first = next(iter(layer.arguments.values()), None)
        if x is not None and code is not Code.TYPE:
            begins = next((given[name] for name in layer.positional() if name in written), None)
            meant = self.context.meant_channels.get(self.context.taken(x), x.shape.channels)
            likely = begins in (x.shape.channels, meant)
            if not likely or first is None or first.infer is None:
                return ""
        line = meant_step(layer, given, written, step.arguments)
        return f"{not_written(layer)}: `{line}`" if line else ""

    def _batch(self, layer: type[Layer], x: Tensor | None, refused: Refused) -> str:
        """Help if a layer refuses a tensor because the spec's input contains the batch."""
        sizes = self.context.sample
        if x is None or refused.argument is not None or layer.dims is None or x.shape.rank != layer.dims + 3:
            return ""
        if len(sizes) != layer.dims + 2 or layer.dims + 1 in self.context.dims or (layer.dims == 1 and sizes[0] != 1):
            return ""
        return f"leave the batch out of the input: `{list(sizes[1:])}`"

    def _fits(self, layer: Layer, x: Shape, output: Shape, span: Span) -> bool:
        """Whether every tensor of a layer is within the limit. Nothing is allocated."""
        tensors = {"output": tuple(output), "padded input": layer.padded(x)}
        for name, shape in (*tensors.items(), *layer.parameters().items()):
            if prod(shape) > (limit := self.context.limits.elements):
                message = (
                    f"the {name} of this `{type(layer).__name__}` has {prod(shape)} elements, the limit is {limit}"
                )
                help = how_to_raise("elements")
                self.context.fault(Code.LIMIT, message, span, help, Note(f"its shape is {Shape(shape)}"))
                return False
        if not self.context.reusing:
            self.context.spend_parameters(layer, span)
        return True

    # --- modules ---------------------------------------------------------------------------------

    def _block(
        self, step: spec.Call, given: Arguments, name: str | None, block: Block, x: Tensor | None, site: Site
    ) -> Tensor | None:
        context, span = self.context, step.callee.span
        if block.name in context.calls:
            ring = " → ".join([*context.calls[context.calls.index(block.name) :], block.name])
            note = Note("it is defined here", block.span)
            context.fault(Code.RECURSION, f"a block cannot contain itself: {ring}", span, _RING, note)
            return None
        if len(context.calls) >= (limit := context.limits.calls):
            message = f"block calls are nested more than {limit} deep"
            context.fault(Code.LIMIT, message, span, how_to_raise("calls"))
            return None
        found = self._arguments(given, block, site)
        unknown = dict.fromkeys((parameter.name for parameter in block.parameters), UNKNOWN)
        values, written = found or (unknown, {})
        missing = [p.name for p in block.parameters if p.default is None and p.name not in values]
        if missing:
            needs = " and ".join(f"`{name}`" for name in missing)
            note = Note("it is defined here", block.span)
            context.fault(Code.MISSING, f"`{block.name}` needs {needs}", span, _signature(block), note)
        params = context.bind(block.parameters, values, replace(site.environment, names=context.params))
        inner = context.with_names(context.environment(context.params), params, span)
        child = site.scope.child_name(block.name.lower(), name)
        context.take(site.scope, child, step)
        context.calls.append(block.name)
        path = site.scope.path_of(child)
        with context.looking_at(path), context.within(f"blocks.{block.name}", f"called at {context.place(span)}", path):
            out = self._module(step, child, block.name, block.steps, params, written, x, inner, site)
        context.calls.pop()
        return out

    def sequential(self, step: spec.Sequential, name: str | None, x: Tensor | None, site: Site) -> Tensor | None:
        child = site.scope.child_name("sequential", name)
        self.context.take(site.scope, child, step)
        return self._module(step, child, "", step.steps, site.environment.names, {}, x, site.environment, site)

    def _module(
        self,
        step: spec.Step,
        name: str,
        block: str,
        steps: spec.Steps,
        params: Mapping[str, Any],
        written: Mapping[str, Value],
        x: Tensor | None,
        environment: Environment,
        site: Site,
    ) -> Tensor | None:
        """A child module with ``steps`` in it, which see ``environment``."""
        inner = Scope(site.scope.path_of(name), spec.is_chain(steps))
        items: list[Item] = []
        x = self.context.taken(x)
        out = self.context.taken(self.run(steps, x, Site(environment, inner, items)))
        item = None
        if x is not None:
            after, again = out or NOTHING, self.context.reusing
            item = Module(
                *(step, name, inner.path, block, params, written, steps, inner.chain, tuple(items)),
                *(x, after, again, tuple(inner.failed)),
            )
            site.body.append(item)
        if step.name is not None:
            site.scope.names[name] = Named(step, step.span, out, environment, item)
        return out

    # --- reuse -----------------------------------------------------------------------------------

    def reuse(self, step: spec.Reuse, x: Tensor | None, site: Site) -> Tensor | None:
        """An earlier layer or module applied to another tensor, with the same weights."""
        context = self.context
        named = context.find(step.target, site)
        if named is None or x is None:
            return None
        if named.item is None:
            if named.tensor is not None:
                help = "`reuse` takes a layer, a block or a `sequential`; `from` takes the tensor of a step"
                message = f"`{shorten(named.step.span.text)}` has no weights to reuse"
                context.fault(Code.FROM, message, step.target.span, help, Note("it is this step", named.span))
            return None
        x = context.taken(x)
        before, context.reusing = context.reusing, True
        with context.within("the reused step", f"at {context.place(step.span)}"):
            again = self._again(named.item, named, x, step)
        context.reusing = before
        if again is not None:
            site.body.append(again)
        else:
            site.scope.fail(named.item.name, named.item.kind, x)
        return again.output if again else None

    def _again(self, item: Apply | Module, named: Named, x: Tensor, step: spec.Reuse) -> Apply | Module | None:
        if isinstance(item, Apply):
            try:
                output = type(item.layer).bind(item.layer.values, x.shape).output(x.shape)
            except Refused as refused:
                code = Code.INFERRED if _is_inferred(type(item.layer), refused.argument) else Code.SHAPE
                self._cannot(code, f"`{item.name}` cannot be reused here: {refused.message}", named, step)
                return None
            return replace(item, step=step, input=x, output=Tensor(output), written={}, reuse=True)
        items: list[Item] = []
        out = self.context.taken(self.run(item.steps, x, Site(named.environment, Scope(item.path, item.chain), items)))
        if out is None:
            return None
        if _layers(tuple(items)) != _layers(item.body):
            on = f"its layers for {x.shape} would differ from those for {item.input.shape}"
            self._cannot(Code.INFERRED, f"`{item.name}` cannot be reused here: {on}", named, step)
            return None
        again = replace(item, step=step, body=tuple(items), input=x, output=out, reuse=True)
        if _wiring(again) != _wiring(item):
            on = f"its tensors for {x.shape} would be connected differently from those for {item.input.shape}"
            self._cannot(Code.INFERRED, f"`{item.name}` cannot be reused here: {on}", named, step)
            return None
        return again

    def _cannot(self, code: Code, message: str, named: Named, step: spec.Reuse) -> None:
        help = "a reused step keeps its weights, and takes only the tensors that fit them"
        self.context.fault(code, message, step.target.span, help, Note("it is this step", named.span))


def _name(of: type[Layer] | Block) -> str:
    return of.name if isinstance(of, Block) else of.__name__


def _signature(of: type[Layer] | Block) -> str:
    return f"`{of.signature}`" if isinstance(of, Block) else f"`{of.__name__}({of.signature()})`"


def _together(first: Arguments, then: Arguments) -> Arguments:
    """The arguments of a value, followed by those of the step that calls it."""
    whole = then.whole if not first.positional else None if then.positional else first.whole
    return Arguments(first.positional + then.positional, first.keywords + then.keywords, whole)


def _code(layer: type[Layer], given: Mapping[str, Any], refused: Refused) -> Code:
    """The code for a layer that refuses its arguments."""
    argument = layer.arguments.get(refused.argument or "")
    if argument is None:
        missing = any(arg.required and name not in given for name, arg in layer.arguments.items())
        return Code.MISSING if missing and refused.argument is None else Code.SHAPE
    if argument.name in given and not argument.kind.accepts(given[argument.name], layer.dims or 0):
        return Code.TYPE
    return Code.INFERRED if argument.infer is not None and argument.name in given else Code.SHAPE


def _is_inferred(layer: type[Layer], name: str | None) -> bool:
    return name in layer.arguments and layer.arguments[name].infer is not None


def _wiring(module: Module) -> list[tuple[Any, ...]]:
    """The tensors that the operations of a module take, numbered in order, and what merges and splits do."""
    numbers = {id(module.input): 0}
    rows: list[tuple[Any, ...]] = []
    for _, item in walk(module.body):
        taken = tuple(numbers[id(tensor)] for tensor in item.inputs)
        how: tuple[Any, ...] = (item.kind, item.dim) if isinstance(item, Merge) else ()
        if isinstance(item, Split):
            how = (len(item.sizes),) if len(set(item.sizes)) == 1 else item.sizes
        rows.append((item.path, taken, how))
        for tensor in item.outputs:
            numbers.setdefault(id(tensor), len(numbers))
    return [*rows, (numbers[id(module.output)],)]


def _layers(body: Body) -> list[tuple[str, str, Mapping[str, Any]]]:
    return [(item.path, item.kind, item.layer.values) for _, item in walk(body) if isinstance(item, Apply)]
