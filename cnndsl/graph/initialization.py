"""``init``: how weights begin, as functions of ``torch.nn.init`` for layers by name.

::

    init:
      Conv2d: xavier_uniform
      Linear: {normal: {std: 0.01}}
      BatchNorm2d: {weight: ones, bias: {constant: {val: 0.1}}}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cnndsl.diagnostics import Code, Diagnostic, did_you_mean, shorten
from cnndsl.layers import LAYERS
from cnndsl.layers.initializers import INITIALIZERS
from cnndsl.source import Span
from cnndsl.spec import tree
from cnndsl.spec.document import Document
from cnndsl.spec.expression import Environment, Fault, Unknown, evaluate, parse_value

TENSORS = ("weight", "bias")


@dataclass(frozen=True, slots=True)
class Initialization:
    """``torch.nn.init.<function>_(layer.<tensor>, **arguments)`` for every layer of a kind."""

    layer: str
    tensor: str
    function: str
    arguments: Mapping[str, Any]


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
        self.faults.append(Diagnostic(code, message, span, help))

    def layer(self, layer: str, value: tree.Tree, span: Span) -> None:
        if layer not in LAYERS:
            self.fault(Code.LAYER, f"`{shorten(layer)}` is no layer", span, did_you_mean(layer, LAYERS))
            return
        if isinstance(value, tree.Mapping) and any(key in TENSORS for key in value.keys):
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
        arguments: tree.Tree | None = None
        named: tree.Tree = value
        if isinstance(value, tree.Mapping) and len(value.entries) == 1:
            named, arguments = value.entries[0]
        if not isinstance(named, tree.Scalar) or not isinstance(named.value, str):
            help = "`xavier_uniform`, or `{normal: {std: 0.01}}`"
            self.fault(Code.TYPE, "this is no function of torch.nn.init", value.span.first_line, help)
            return
        name = named.value.removesuffix("_")
        if name not in INITIALIZERS:
            help = did_you_mean(name, INITIALIZERS) or f"the functions are {', '.join(INITIALIZERS)}"
            self.fault(Code.LAYER, f"torch.nn.init has no `{shorten(name)}`", named.span, help)
            return
        values = self.arguments(name, arguments, named.span)
        if values is not None:
            self.found.append(Initialization(layer, tensor, name, values))

    def arguments(self, name: str, given: tree.Tree | None, span: Span) -> dict[str, Any] | None:
        known = INITIALIZERS[name].arguments
        if isinstance(given, tree.Mapping):
            pairs = [(str(key.value), key.span, value) for key, value in given.entries]
        elif given is None or (isinstance(given, tree.Scalar) and given.value is None):
            pairs = []
        else:
            pairs = [(next(iter(known), ""), given.span, given)]
        values: dict[str, Any] = {}
        before = len(self.faults)
        for key, place, value in pairs:
            if key not in known:
                help = did_you_mean(key, known) or f"it has {', '.join(known) or 'none'}"
                self.fault(Code.ARGUMENT, f"`{name}` has no argument `{shorten(key)}`", place, help)
                continue
            try:
                values[key] = evaluate(parse_value(value), self.environment)
            except Fault as fault:
                self.faults.append(fault.diagnostic)
                continue
            except Unknown:
                return None
            if not known[key].kind.accepts(values[key], 0):
                expects = known[key].kind.expects(0)
                self.fault(Code.TYPE, f"`{key}` expects {expects}, got {values[key]!r}", value.span)
        for key, argument in known.items():
            if argument.required and key not in values and before == len(self.faults):
                self.fault(Code.MISSING, f"`{name}` needs `{key}`", span, f"`{{{name}: {{{key}: ...}}}}`")
        return values if before == len(self.faults) else None
