"""``init``: how weights start, as functions of ``torch.nn.init`` by layer name.

::

    init:
      Conv2d: xavier_uniform
      Linear: {normal: {std: 0.01}}
      BatchNorm2d: {weight: ones, bias: {constant: 0.1}}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnndsl.diagnostics import Code, Diagnostic, did_you_mean, shorten
from cnndsl.layers import INITIALIZERS, LAYERS, Layer
from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.spec.calls import CallReader, Vocabulary
from cnndsl.spec.document import Document
from cnndsl.spec.evaluation import Environment
from cnndsl.spec.sections import TENSORS, InitLine
from cnndsl.spec.steps import Name
from cnndsl.spec.values import Value

FUNCTIONS = Vocabulary(INITIALIZERS, "function of torch.nn.init", "`xavier_uniform`, or `{normal: {std: 0.01}}`")


class Initialization(Record, frozen=True):
    """``torch.nn.init.<function>_(layer.<tensor>, **arguments)`` for every layer of a kind."""

    layer: str
    tensor: str
    function: str
    arguments: Mapping[str, Any]
    span: Span


def initializations(
    document: Document, params: Mapping[str, Any]
) -> tuple[tuple[Initialization, ...], tuple[Diagnostic, ...]]:
    """The initializations of a document's ``init``, and its faults."""
    reader = _Reader(Environment(params, has_input=False))
    for line in document.init:
        reader.line(line)
    return tuple(reader.found), tuple(reader.faults)


class _Reader:
    def __init__(self, environment: Environment) -> None:
        self.found: list[Initialization] = []
        self.faults: list[Diagnostic] = []
        self.calls = CallReader(environment, self.faults)

    def fault(self, code: Code, message: str, span: Span, help: str = "") -> None:
        self.faults.append(Diagnostic(code, message, span.first_line, help))

    def line(self, line: InitLine) -> None:
        layer = line.layer.name
        if layer not in LAYERS:
            help = did_you_mean(layer, LAYERS) or "`init` names layers, not blocks"
            self.fault(Code.LAYER, f"there is no layer `{shorten(layer)}`", line.layer.span, help)
        elif LAYERS[layer].parameters is Layer.parameters:
            self.fault(Code.SHAPE, f"`{layer}` has no weights to initialise", line.layer.span, "remove the line")
        else:
            for tensor, call in line.tensors:
                self.tensor(layer, tensor, call)

    def tensor(self, layer: str, tensor: Name, written: Value) -> None:
        if tensor.name not in TENSORS:
            help = "only `weight` and `bias` can be initialised"
            self.fault(Code.KEY, f"`{shorten(tensor.name)}` is not a tensor of a layer", tensor.span, help)
        elif call := self.calls.call(written, FUNCTIONS):
            self.found.append(Initialization(layer, tensor.name, call.name, call.arguments, call.span))
