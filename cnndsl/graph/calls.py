"""Calls layers and blocks, and applies layers to a tensor."""

from __future__ import annotations

from math import prod

from msgspec.structs import replace

from cnndsl.diagnostics import Code, Diagnostic, Note, shorten
from cnndsl.graph.arguments import Called, Given, refuse_inputs
from cnndsl.graph.context import Context
from cnndsl.graph.cost import Bound
from cnndsl.graph.graph import Apply, Tensor
from cnndsl.graph.modules import Modules
from cnndsl.graph.names import shown, take
from cnndsl.graph.refusals import LayerCall, Refusals
from cnndsl.graph.scope import Named
from cnndsl.graph.site import Site
from cnndsl.graph.sizes import FrozenSizes
from cnndsl.layers import LAYERS, PARAMETRIZATIONS, Layer, Parametrized, Refused, Shape, table
from cnndsl.limits import how_to_raise
from cnndsl.source import Span
from cnndsl.spec import steps as spec
from cnndsl.spec.calls import CallReader, Vocabulary
from cnndsl.spec.hints import WHERE_LAYERS_ARE, meant_layer
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
        self.refusals = Refusals(context)
        self.sizes = FrozenSizes(context.document)
        #: The layers so far that read no other tensors, by their arguments and the shape of their input.
        self._known: dict[tuple[type[Layer], Shape, str], Bound] = {}

    def call(self, step: spec.Call, name: str | None, x: Tensor | None, site: Site) -> Tensor | None:
        """The layer or block that a step names."""
        context, document = self.context, self.context.document
        callee, given = site.value(step.callee), step.arguments
        if isinstance(callee, CallValue):
            given, callee = _together(callee.arguments, given), callee.name
        lost = document.lost
        if isinstance(callee, str) and callee in context.callables and not (lost and callee in lost):
            if step.inputs is not None or step.inline or step.parametrization is not None:
                _refuse_options(step, callee, callee in document.blocks, site)
            if callee in document.blocks:
                return self.modules.block(Called(step, document.blocks[callee], given), name, x, site)
            return self._layer(Called(step, LAYERS[callee], given), name, x, site)
        if callee is not UNKNOWN and lost is not None and callee not in lost:
            self._unknown(step, callee, site)
        site.scope.lose((step,))
        kind = shorten(step.callee.span.text)
        site.scope.fail(site.scope.child_name(kind.lower(), name), kind, x)
        return None

    def _unknown(self, step: spec.Call, callee: object, site: Site) -> None:
        written, span = f"`{shown(callee)}`", step.callee.span
        as_value = isinstance(step.callee, Expression)
        if as_value:
            written = f"`{shorten(span.text)}` is {written}, which"
        help = meant_layer(str(callee), self.context.callables, as_value=as_value) or WHERE_LAYERS_ARE
        if " - " in str(callee):
            help = "a line that is indented further continues the one above: indent each `- ` alike"
        site.fault(Code.LAYER, f"{written} is not a layer or a block of this spec", span, help)

    # --- layers ----------------------------------------------------------------------------------

    def _layer(self, called: Called[type[Layer]], name: str | None, x: Tensor | None, site: Site) -> Tensor | None:
        step, layer = called.step, called.of
        child = site.scope.child_name(layer.short_name, name)
        take(child, step, site)
        item = self._item(called, child, x, site.of(site.scope.path_of(child)))
        if item is not None:
            if not site.reusing:
                self.context.work.spend_parameters(item.bound.params, step.callee.span, site)
            site.body.append(item)
        else:
            site.scope.fail(child, layer.__name__, x)
        out = item.output if item else None
        if name is not None:
            site.scope.names[name] = Named(step, step.span, out, site.environment, item)
        return out

    def _item(self, called: Called[type[Layer]], name: str, x: Tensor | None, site: Site) -> Apply | None:
        """A layer with everything that the step says of it, None if that fails. ``site`` is that of the layer."""
        step, item, given = called.step, None, self.context.matcher.evaluated(called, site)
        if given is not None and UNKNOWN not in given.values.values():
            item = self._applied(LayerCall(step, called.of, given, x, site), name)
        if item is not None and (warning := self.sizes.warning(item, site, reversed(self.context.made))):
            self.context.warnings.append(warning)
        by = _parametrization(step.parametrization, site)
        return item if item is None or by is None else _parametrized(item, *by, site)

    def _applied(self, call: LayerCall, name: str) -> Apply | None:
        """A layer bound to its arguments and applied. A wrong argument that can be inferred is ignored."""
        layer, given, x, site = call.layer, call.given, call.x, call.site
        try:
            if x is None:
                table.take(layer.__name__, layer.arguments, given.values, layer.dims or 0)
                return None
            fitting = self._bound(call, x.shape)
        except Refused as refused:
            self.refusals.report(call, refused)
            if refused.argument not in given.values or not layer.infers(refused.argument):
                return None
            others = {name: value for name, value in given.values.items() if name != refused.argument}
            return self._applied(replace(call, given=Given(others, given.written)), name)
        if fitting is None:
            return None
        bound, read = fitting
        inputs = self.context.taken(x), *read
        item = Apply(call.step, name, site.path, bound, given.written, inputs, Tensor(bound.output), site.reusing)
        self.refusals.applied(item)
        return item

    def _bound(self, call: LayerCall, x: Shape) -> tuple[Bound, tuple[Tensor, ...]] | None:
        """A layer on an input of shape ``x``, and the tensors that it reads besides. Raises :class:`Refused`; None if
        it reads an unknown tensor, or if a limit is exceeded, which is reported."""
        # By their `repr`, since 1, 1.0 and True are equal. It shortens layers with arguments, which `bind` refuses.
        key = call.layer, x, repr(call.given.values)
        if (known := self._known.get(key)) is not None:
            return known, ()
        layer = call.layer.bind(call.given.values, x)
        read = self._read(call, layer)
        if read is None:
            return None
        bound = Bound.of(layer, x, layer.result(x, *[tensor.shape for tensor in read]))
        if not self._fits(bound, call):
            return None
        if not read:
            self._known[key] = bound
        return bound, read

    def _read(self, call: LayerCall, layer: Layer) -> tuple[Tensor, ...] | None:
        """The tensors that a layer reads besides its input; None if one is unknown."""
        step, site = call.step, call.site
        names = [name for name in layer.reads if layer.values[name] is not None]
        found: list[Tensor] = []
        for name in names:
            if not any(keyword.name == name for keyword in step.arguments.keywords):
                message = f"`{name}` names a step of this module, so it cannot be part of a value"
                help = f"give it in the step, `{step.callee.span.text}: {{{name}: ...}}`"
                site.fault(Code.FROM, message, step.callee.span, help)
                return None
            self.context.work.spend(step.span, site, 1)
            named = self.context.names.find(call.given.written[name], site)
            if named is None or named.tensor is None:
                return None
            found.append(self.context.taken(named.tensor))
        return tuple(found)

    def _fits(self, bound: Bound, call: LayerCall) -> bool:
        """Whether every tensor of a layer is within the limit. Nothing is allocated."""
        layer, limit = bound.layer, self.context.limits.elements
        tensors: dict[str, tuple[int, ...]] = {"output": bound.output, "padded input": layer.padded(bound.input)}
        for name, shape in (*tensors.items(), *layer.parameters().items()):
            if prod(shape) > limit:
                message = (
                    f"the {name} of this `{type(layer).__name__}` has {prod(shape)} elements, the limit is {limit}"
                )
                note = Note(f"its shape is {Shape(shape)}")
                call.site.fault(Code.LIMIT, message, call.step.callee.span, how_to_raise("elements"), note)
                return False
        return True


def _refuse_options(step: spec.Call, callee: str, is_block: bool, site: Site) -> None:
    """Reports options of a step that belong to blocks, beside a layer, or to layers, beside a block."""
    if is_block and step.parametrization is not None:
        help = "beside a layer in the block, `parametrization: $norm` takes it from a parameter, `norm`"
        message = f"`{callee}` is a block: `parametrization` belongs to a layer"
        site.fault(Code.KEY, message, step.parametrization.span, help)
    if not is_block and step.inline:
        help, span = f"remove `inline`: `{callee}` is a child of the module around", step.callee.span
        site.fault(Code.KEY, f"`{callee}` is a layer: `inline` is for blocks", span, help)
    if not is_block and step.inputs is not None:
        refuse_inputs(callee, step.inputs, site)


def _together(first: Arguments, then: Arguments) -> Arguments:
    """The arguments of a value, followed by those of the step that calls it."""
    whole = then.whole if not first.positional else None if then.positional else first.whole
    return Arguments(first.positional + then.positional, first.keywords + then.keywords, whole)


def _parametrization(written: Value | None, site: Site) -> tuple[Parametrized, Span] | None:
    """What computes the weight of a layer, and its place; None if nothing does, or if it has a fault."""
    if written is None:
        return None
    if not isinstance(written, CallValue) and site.value(written) in (None, UNKNOWN):
        return None
    faults: list[Diagnostic] = []
    call = CallReader(site.environment, faults).call(written, _FUNCTIONS)
    for fault in faults:
        site.report(fault)
    if call is None:
        return None
    function = PARAMETRIZATIONS[call.name]
    return Parametrized(function, call.arguments, function.bind(call.arguments)), call.span


def _parametrized(item: Apply, by: Parametrized, span: Span, site: Site) -> Apply:
    """The layer with its weight computed by a parametrization, or as it is if that has no place there."""
    try:
        bound = item.bound
        return replace(item, bound=Bound.of(bound.layer.parametrized(by), bound.input, bound.output))
    except Refused as refused:
        site.fault(Code.SHAPE, refused.message, span, refused.help)
        return item
