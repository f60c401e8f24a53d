"""Sections of a document, typed: ``init``, ``expect`` and ``train``, each value with its place."""

from __future__ import annotations

from collections.abc import Iterator

from cnndsl.layers.function import Function
from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.spec.recipe_keys import KEYS, Called
from cnndsl.spec.steps import Name
from cnndsl.spec.tree import Listing, Mapping, Scalar, Tree
from cnndsl.spec.values import CallValue, ListValue, Literal, Report, Value, parse_arguments, parse_call, parse_value

#: The tensors of a layer that ``init`` may name.
TENSORS = ("weight", "bias")


class InitLine(Record, frozen=True):
    """A layer, and the functions that fill its tensors: ``Linear: {normal: {std: 0.01}}`` fills its ``weight``."""

    layer: Name
    tensors: tuple[tuple[Name, Value], ...]


class ExpectLine(Record, frozen=True):
    """``what`` must be as ``wanted``: ``output: [10]``, ``params: "< 1M"``."""

    what: Name
    wanted: Value


class TrainLine(Record, frozen=True):
    """A key of a recipe with its value: for functions a call, or a list of calls. ``span`` is the place of the whole
    value."""

    key: Name
    value: Value
    span: Span


class Train(Record, frozen=True):
    """A recipe as written, unknown keys included."""

    lines: tuple[TrainLine, ...]
    span: Span

    def get(self, key: str) -> Value | None:
        return next((line.value for line in self.lines if line.key.name == key), None)

    @property
    def keys(self) -> dict[str, Span]:
        """The places of its keys."""
        return {line.key.name: line.key.span for line in self.lines}

    @property
    def spans(self) -> dict[str, Span]:
        """The places of its values."""
        return {line.key.name: line.span for line in self.lines}


def _lines(section: Mapping | None) -> Iterator[tuple[Name, Tree]]:
    for key, value in section.entries if section else ():
        yield Name(str(key.value), key.span), value


def parse_init(section: Mapping | None, report: Report) -> tuple[InitLine, ...]:
    return tuple(InitLine(layer, _tensors(layer, value, report)) for layer, value in _lines(section))


def _tensors(layer: Name, value: Tree, report: Report) -> tuple[tuple[Name, Value], ...]:
    """The calls by tensor. One call alone is for the weight."""
    if isinstance(value, Mapping) and any(key in TENSORS for key in value.keys):
        return tuple((name, parse_call(inner, report)) for name, inner in _lines(value))
    return ((Name(TENSORS[0], layer.span), parse_call(value, report)),)


def parse_expect(section: Mapping | None, report: Report) -> tuple[ExpectLine, ...]:
    return tuple(ExpectLine(what, parse_value(value, report)) for what, value in _lines(section))


def parse_train(section: Tree | None, report: Report) -> Train | None:
    if not isinstance(section, Mapping):
        return None
    lines = (TrainLine(key, _recipe_value(key.name, value, report), value.span) for key, value in _lines(section))
    return Train(tuple(lines), section.span)


def _recipe_value(key: str, written: Tree, report: Report) -> Value:
    """The value of a key. Unknown ones are read as calls, which report nothing."""
    if key not in KEYS:
        return parse_call(written, lambda _: None)
    holds = KEYS[key].holds
    if isinstance(holds, Function):
        null = isinstance(written, Scalar) and written.value is None
        return Literal(None, written.span) if null else CallValue(key, parse_arguments(written, report), written.span)
    if KEYS[key].several:
        items = written.items if isinstance(written, Listing) else ()
        return ListValue(tuple(parse_call(item, report) for item in items), written.span)
    return parse_call(written, report) if isinstance(holds, Called) else parse_value(written, report)
