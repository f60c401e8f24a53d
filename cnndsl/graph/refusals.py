"""Layers that refuse their input or their arguments: what to report, and where."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import prod
from typing import Any

from cnndsl.diagnostics import Code, Note, got
from cnndsl.graph.arguments import Given
from cnndsl.graph.context import Context
from cnndsl.graph.graph import Apply, Tensor
from cnndsl.graph.site import Site
from cnndsl.graph.torch_order import meant_channels, meant_step
from cnndsl.layers import Layer, Refused
from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.spec import foreign
from cnndsl.spec import steps as spec
from cnndsl.spec.hints import meant_by, not_written


class LayerCall(Record, frozen=True):
    """A layer with the arguments that it is ``given``, on the tensor ``x`` (None if unknown), at a place."""

    step: spec.Call
    layer: type[Layer]
    given: Given
    x: Tensor | None
    site: Site

    def place_of(self, argument: str) -> Span:
        """The place of an argument, or that of the layer if it is not given."""
        written = self.given.written
        return written[argument].span if argument in written else self.step.callee.span


class Refusals:
    """Reports what layers refuse. The layers that were applied before may explain it."""

    def __init__(self, context: Context) -> None:
        self.context = context
        #: The spatial axes of the layers so far.
        self.dims: set[int | None] = set()

    def applied(self, item: Apply) -> None:
        """Takes note of a layer that accepts its input."""
        self.dims.add(item.layer.dims)
        meant = meant_channels(item)
        if not meant and self.context.meant_channels and item.output.shape.channels == item.input.shape.channels:
            meant = self.context.meant_channels.get(item.input)
        if meant:
            self.context.meant_channels[item.output] = meant

    def report(self, call: LayerCall, refused: Refused) -> None:
        """Reports what a layer refuses, at the argument in question."""
        layer, given, x = call.layer, call.given.values, call.x
        name = refused.argument or ""
        code, message, help = _code(layer, given, refused), refused.message, refused.help
        if code is Code.TYPE:
            message = f"`{name}` expects {layer.arguments[name].kind.expects(layer.dims or 0)}, got {got(given[name])}"
            accepts = partial(layer.arguments[name].kind.accepts, dims=layer.dims or 0)
            help = meant_by(call.given.written[name], given[name], call.site.environment.names, accepts) or help
        if code is Code.MISSING and (other := foreign.STRUCTURE.get(foreign.entry(layer.__name__))):
            help = f"{help}; {other}"  # `Add` alone is another tool's word
        if code is Code.INFERRED and x is not None and x.shape.rank > 2 and given[name] == prod(x.shape.sample):
            help = "put `Flatten` before it"
        help = self._order_of_torch(call, code) or self._batch(call, refused) or help
        notes: tuple[Note, ...] = ()
        if code is Code.SHAPE:
            named = message.startswith(f"`{layer.__name__}`")
            message = message if named else f"`{layer.__name__}`: {message}"
            if x is not None and str(x.shape) not in message:
                notes = (Note(f"its input is {x.shape}"),)
        call.site.fault(code, message, call.place_of(name), help, *notes)

    def _order_of_torch(self, call: LayerCall, code: Code) -> str:
        """Help if a list of arguments is in PyTorch's order. A list with the right types is if it begins with the
        channels of its input, or with what these were meant to be."""
        layer, given, x = call.layer, call.given, call.x
        first = next(iter(layer.arguments.values()), None)
        if x is not None and code is not Code.TYPE:
            begins = next((given.values[name] for name in layer.positional() if name in given.written), None)
            meant = self.context.meant_channels.get(self.context.taken(x), x.shape.channels)
            likely = begins in (x.shape.channels, meant)
            if not likely or first is None or first.infer is None:
                return ""
        line = meant_step(layer, given.values, given.written, call.step.arguments)
        return f"{not_written(layer)}: `{line}`" if line else ""

    def _batch(self, call: LayerCall, refused: Refused) -> str:
        """Help if a layer refuses a tensor because the spec's input contains the batch."""
        sizes, dims, x = self.context.sample, call.layer.dims, call.x
        if x is None or refused.argument is not None or dims is None or x.shape.rank != dims + 3:
            return ""
        if len(sizes) != dims + 2 or dims + 1 in self.dims or (dims == 1 and sizes[0] != 1):
            return ""
        return f"leave the batch out of the input: `{list(sizes[1:])}`"


def _code(layer: type[Layer], given: Mapping[str, Any], refused: Refused) -> Code:
    """The code for a layer that refuses its arguments."""
    argument = layer.arguments.get(refused.argument or "")
    if argument is None:
        missing = any(arg.required and name not in given for name, arg in layer.arguments.items())
        return Code.MISSING if missing and refused.argument is None else Code.SHAPE
    if argument.name in given and not argument.kind.accepts(given[argument.name], layer.dims or 0):
        return Code.TYPE
    return Code.INFERRED if argument.infer is not None and argument.name in given else Code.SHAPE
