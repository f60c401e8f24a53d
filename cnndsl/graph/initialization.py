"""``init``: how weights begin, as functions of ``torch.nn.init`` for layers by name.

::

    init:
      Conv2d: xavier_uniform
      Linear: {normal: {std: 0.01}}
      BatchNorm2d: {weight: ones, bias: {constant: 0.1}}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cnndsl.diagnostics import Code, Diagnostic, did_you_mean, shorten
from cnndsl.layers import INITIALIZERS, LAYERS, Initializer, Layer, Refused
from cnndsl.source import Span
from cnndsl.spec import tree
from cnndsl.spec.document import Document
from cnndsl.spec.expression import Environment, Unknown, evaluate
from cnndsl.spec.values import Fault, Value, parse_arguments

TENSORS = ("weight", "bias")


@dataclass(frozen=True, slots=True)
class Initialization:
    """``torch.nn.init.<function>_(layer.<tensor>, **arguments)`` for every layer of a kind."""

    layer: str
    tensor: str
    function: str
    arguments: Mapping[str, Any]
    span: Span


def initializations(
    document: Document, params: Mapping[str, Any]
) -> tuple[tuple[Initialization, ...], tuple[Diagnostic, ...]]:
    """What a document's ``init`` asks for, and what is wrong with it."""
    reader = _Reader(Environment(params, has_input=False))
    for key, value in document.init.entries if document.init else ():
        reader.layer(str(key.value), value, key.span)
    return tuple(reader.found), tuple(reader.faults)


class _Reader:
    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.found: list[Initialization] = []
        self.faults: list[Diagnostic] = []

    def fault(self, code: Code, message: str, span: Span, help: str = "") -> None:
        self.faults.append(Diagnostic(code, message, span.first_line, help))

    def layer(self, layer: str, value: tree.Tree, span: Span) -> None:
        if layer not in LAYERS:
            help = did_you_mean(layer, LAYERS) or "`init` names layers, not blocks"
            self.fault(Code.LAYER, f"`{shorten(layer)}` is no layer", span, help)
        elif LAYERS[layer].parameters is Layer.parameters:
            self.fault(Code.SHAPE, f"`{layer}` has no weights to initialise", span, "remove the line")
        elif isinstance(value, tree.Mapping) and any(key in TENSORS for key in value.keys):
            for key, function in value.entries:
                if key.value in TENSORS:
                    self.function(layer, str(key.value), function)
                else:
                    help = "`weight` and `bias` are what can be initialised"
                    self.fault(Code.KEY, f"`{shorten(str(key.value))}` is no tensor of a layer", key.span, help)
        else:
            self.function(layer, "weight", value)

    def function(self, layer: str, tensor: str, value: tree.Tree) -> None:
        """A function by its name alone, or as the one key of a mapping with its arguments."""
        arguments: tree.Tree = tree.Scalar(None, value.span)
        named: tree.Tree = value
        if isinstance(value, tree.Mapping) and len(value.entries) == 1:
            named, arguments = value.entries[0]
        if isinstance(named, tree.Scalar) and named.value is tree.UNKNOWN:
            return
        if not isinstance(named, tree.Scalar) or not isinstance(named.value, str):
            help = "`xavier_uniform`, or `{normal: {std: 0.01}}`"
            self.fault(Code.TYPE, "this is no function of torch.nn.init", value.span, help)
            return
        name = named.value.removesuffix("_")
        if name not in INITIALIZERS:
            help = did_you_mean(name, INITIALIZERS) or f"the functions are {', '.join(INITIALIZERS)}"
            self.fault(Code.LAYER, f"torch.nn.init has no `{shorten(name)}`", named.span, help)
            return
        values = self.arguments(INITIALIZERS[name], arguments, named.span)
        if values is not None:
            self.found.append(Initialization(layer, tensor, name, values, named.span))

    def arguments(self, function: Initializer, tree: tree.Tree, span: Span) -> dict[str, Any] | None:
        """The arguments of a function as they were given, None where something is wrong with them."""
        before = len(self.faults)
        given = parse_arguments(tree, self.faults.append)
        names = function.positional()
        written: dict[str, Value] = dict(zip(names, given.positional))
        signature = f"`{function.name}({function.signature()})`"
        if len(given.positional) > len(names):
            extra = given.positional[len(names)].span
            self.fault(Code.ARGUMENT, f"`{function.name}` takes {len(names)} arguments at the most", extra, signature)
        for keyword in given.keywords:
            if keyword.name not in names:
                help = did_you_mean(keyword.name, names) or signature
                message = f"`{function.name}` has no argument `{shorten(keyword.name)}`"
                self.fault(Code.ARGUMENT, message, keyword.span, help)
            written[keyword.name] = keyword.value
        try:
            values = {name: evaluate(value, self.environment) for name, value in written.items()}
            if len(self.faults) == before:
                function.bind(values)
                return values
        except Fault as fault:
            self.faults.append(fault.diagnostic)
        except Refused as refused:
            at = written[refused.argument].span if refused.argument in written else span
            code = Code.TYPE if refused.argument in written else Code.MISSING
            self.fault(code, refused.message, at, refused.help)
        except Unknown:
            pass
        return None
