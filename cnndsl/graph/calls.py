"""Calls layers and blocks, and applies layers to a tensor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from math import prod
from typing import Any

from cnndsl.diagnostics import Code, Diagnostic, Note, got, shorten
from cnndsl.graph.arguments import evaluated
from cnndsl.graph.context import Context, Site, shown
from cnndsl.graph.graph import Apply, Tensor
from cnndsl.graph.modules import Modules
from cnndsl.graph.scope import Named
from cnndsl.graph.sizes import frozen_size
from cnndsl.graph.torch_order import meant_channels, meant_step
from cnndsl.layers import LAYERS, PARAMETRIZATIONS, Layer, Parametrized, Refused, Shape
from cnndsl.layers.table import take
from cnndsl.layers.upsampling import Interpolation
from cnndsl.limits import how_to_raise
from cnndsl.source import Span
from cnndsl.spec import foreign
from cnndsl.spec import steps as spec
from cnndsl.spec.calls import CallReader, Vocabulary
from cnndsl.spec.hints import WHERE_LAYERS_ARE, meant_by, meant_layer, not_written
from cnndsl.spec.tree import UNKNOWN
from cnndsl.spec.values import Arguments, CallValue, Expression, Value

_FUNCTIONS = Vocabulary(
    PARAMETRIZATIONS, "function of torch.nn.utils.parametrizations", "`spectral_norm`, or `{weight_norm: {dim: 1}}`"
)


class Calls:
    """Runs the steps that name a layer or a block. ``modules`` applies the blocks."""

    def __init__(self, context: Context, modules: Modules) -> None:
        self.context = context
        self.modules = modules

    def call(self, step: spec.Call, name: str | None, x: Tensor | None, site: Site) -> Tensor | None:
        """The layer or block that a step names."""
        context = self.context
        callee, given = context.value(step.callee, site.environment), step.arguments
        if isinstance(callee, CallValue):
            given, callee = _together(callee.arguments, given), callee.name
        lost = context.document.lost
        known = isinstance(callee, str) and callee in context.callables and not (lost and callee in lost)
        if known and callee in context.document.blocks:
            if step.parametrization is not None:
                help = "beside a layer in the block, `parametrization: $norm` takes it from a parameter, `norm`"
                message = f"`{callee}` is a block: `parametrization` belongs to a layer"
                context.fault(Code.KEY, message, step.parametrization.span, help)
            return self.modules.block(step, given, name, context.document.blocks[callee], x, site)
        if known and step.inline:
            help, span = f"remove it: `{callee}` is a child of the module around", step.callee.span
            context.fault(Code.KEY, f"`{callee}` is a layer: `inline` is for blocks", span, help)
        if known and step.inputs is not None:
            context.refuse_inputs(str(callee), step.inputs)
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
            found = evaluated(self.context, given, layer, site)
            if found is not None and UNKNOWN not in found[0].values():
                item = self._apply(step, child, layer, *found, x, site)
            if item is not None:
                self._warn_of_sizes(item, site)
            by = self._parametrization(step.parametrization, site)
            if item is not None and by is not None:
                item = self._parametrized(item, *by)
        if item is not None:
            if not self.context.reusing:
                self.context.spend_parameters(item.layer, step.callee.span)
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
            read = self._read(step, bound, written, site)
            if read is None:
                return None
            output = bound.result(x.shape, *(tensor.shape for tensor in read))
        except Refused as refused:
            self._refuse(step, layer, given, written, x, refused, site)
            if refused.argument not in given or not _is_inferred(layer, refused.argument):
                return None
            del given[refused.argument]
            return self._apply(step, name, layer, given, written, x, site)
        if not self._fits(bound, x.shape, output, step.callee.span):
            return None
        path = site.scope.path_of(name)
        item = Apply(
            step, name, path, bound, written, (self.context.taken(x), *read), Tensor(output), self.context.reusing
        )
        self.context.dims.add(layer.dims)
        meant = meant_channels(item) or (
            self.context.meant_channels.get(item.input) if output.channels == x.shape.channels else 0
        )
        if meant:
            self.context.meant_channels[item.output] = meant
        return item

    def _warn_of_sizes(self, item: Apply, site: Site) -> None:
        """Warns of a size that is computed where it could be read, once for each step."""
        context = self.context
        if item.step not in context.measured and isinstance(item.layer, Interpolation):
            context.measured.add(item.step)
            made = reversed(context.origins)
            warning = frozen_size(item, site.scope, context.sized_by_tensors, made, bool(context.calls))
            if warning:
                context.warnings.append(warning)

    def _read(
        self, step: spec.Call, layer: Layer, written: Mapping[str, Value], site: Site
    ) -> tuple[Tensor, ...] | None:
        """The tensors that a layer reads besides its input; None if one is unknown."""
        names = [name for name in layer.reads if layer.values[name] is not None]
        found: list[Tensor] = []
        for name in names:
            if not any(keyword.name == name for keyword in step.arguments.keywords):
                message = f"`{name}` names a step of this module, so it cannot be part of a value"
                help = f"give it in the step, `{step.callee.span.text}: {{{name}: ...}}`"
                self.context.fault(Code.FROM, message, step.callee.span, help)
                return None
            self.context.spend(step.span, 1)
            named = self.context.find(written[name], site)
            if named is None or named.tensor is None:
                return None
            found.append(self.context.taken(named.tensor))
        return tuple(found)

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
        return True

    def _parametrization(self, written: Value | None, site: Site) -> tuple[Parametrized, Span] | None:
        """What computes the weight of a layer, and its place; None if nothing does, or if it has a fault."""
        if written is None:
            return None
        if not isinstance(written, CallValue) and self.context.value(written, site.environment) in (None, UNKNOWN):
            return None
        faults: list[Diagnostic] = []
        call = CallReader(site.environment, faults).call(written, _FUNCTIONS)
        for fault in faults:
            self.context.report(fault)
        if call is None:
            return None
        function = PARAMETRIZATIONS[call.name]
        return Parametrized(function, call.arguments, function.bind(call.arguments)), call.span

    def _parametrized(self, item: Apply, by: Parametrized, span: Span) -> Apply:
        """The layer with its weight computed by a parametrization, or as it is if that has no place there."""
        try:
            return replace(item, layer=item.layer.parametrized(by))
        except Refused as refused:
            self.context.fault(Code.SHAPE, refused.message, span, refused.help)
            return item


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
