"""Calls of functions and classes of torch: ``xavier_uniform``, ``{SGD: {lr: 0.1}}``, ``{StepLR: [30]}``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from cnndsl.diagnostics import Code, Diagnostic, did_you_mean, got, shorten
from cnndsl.layers import Refused
from cnndsl.layers.function import Calls, Function
from cnndsl.printable import as_written
from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.spec.arguments import Callee, by_name
from cnndsl.spec.evaluation import Environment, Unknown, evaluate
from cnndsl.spec.hints import meant_by, meant_function
from cnndsl.spec.values import Arguments, CallValue, Fault, ListValue, Value, dealt


class FunctionCall(Record, frozen=True, eq=False):
    """A function with its arguments, checked and evaluated. Two are equal wherever they are written."""

    name: str
    arguments: Mapping[str, Any]
    span: Span

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FunctionCall) and (self.name, self.arguments) == (other.name, other.arguments)

    def __ne__(self, other: object) -> bool:  # a struct has its own
        return not self == other

    def __str__(self) -> str:
        given = ", ".join(f"{name}={as_written(value)}" for name, value in self.arguments.items())
        return f"{self.name}({given})"


class Vocabulary(Record, frozen=True):
    """The functions that are allowed in a place, ``what`` they are in words, and an example."""

    functions: Mapping[str, Function]
    what: str
    example: str

    @property
    def one(self) -> str:
        return f"an {self.what}" if self.what[0] in "aeiou" else f"a {self.what}"


def _callee(function: Function) -> Callee:
    def usage() -> str:
        return f"`{function.name}({function.signature()})`"

    return Callee(function.name, function.positional(), function.arguments, usage)


class CallReader:
    """Reads calls and collects their ``faults``."""

    def __init__(self, environment: Environment, faults: list[Diagnostic]) -> None:
        self.environment = environment
        self.faults = faults

    def call(self, written: Value, vocabulary: Vocabulary) -> FunctionCall | None:
        """A function with its arguments, or by its name alone; None if it has a fault."""
        if isinstance(written, CallValue):
            return self._named(written, vocabulary)
        try:
            found = evaluate(written, self.environment)
        except Unknown:
            return None
        except Fault as fault:
            self.faults.append(fault.diagnostic)
            return None
        if isinstance(found, CallValue):
            return self._named(found, vocabulary)
        if isinstance(found, str):
            return self._named(CallValue(found, Arguments(), written.span), vocabulary)
        message = f"this is not {vocabulary.one}: {got(found)}"
        self._fault(Code.TYPE, message, written.span, f"write {vocabulary.example}")
        return None

    def arguments(self, function: Function, written: CallValue) -> dict[str, Any] | None:
        """The arguments of a function with a key of its own; None if they have a fault."""
        return self._arguments(function, written.arguments, written.span)

    def _named(self, written: CallValue, vocabulary: Vocabulary) -> FunctionCall | None:
        name, span = written.name.removesuffix("_"), written.span
        function = vocabulary.functions.get(name)
        if function is None:
            known = vocabulary.functions
            help = meant_function(written.name, known) or did_you_mean(name, known) or f"there are {', '.join(known)}"
            self._fault(Code.LAYER, f"`{shorten(name)}` is not {vocabulary.one}", span, help)
            return None
        values = self._arguments(function, written.arguments, span)
        return None if values is None else FunctionCall(name, values, span)

    def _arguments(self, function: Function, given: Arguments, span: Span) -> dict[str, Any] | None:
        """The arguments of a function, in torch's types; None if they have a fault."""
        before = len(self.faults)
        written: dict[str, Value] = {}
        values: dict[str, Any] = {}
        try:
            written, _ = by_name(_callee(function), self._positional(function, given), given.keywords, self._fault)
            values = {name: self._value(function, name, value) for name, value in written.items()}
            if len(self.faults) == before:
                bound = function.bind(values)
                return {name: bound[name] for name in values}
        except Fault as fault:
            self.faults.append(fault.diagnostic)
        except Refused as refused:
            code, at, help = Code.MISSING, span, refused.help
            if (name := refused.argument or "") in written:
                code, at = Code.TYPE, written[name].span
                accepts = partial(function.arguments[name].kind.accepts, dims=0)
                help = meant_by(written[name], values[name], self.environment.names, accepts) or help
            self._fault(code, refused.message, at, help)
        except Unknown:
            pass
        return None

    def _positional(self, function: Function, given: Arguments) -> tuple[Value, ...]:
        """Positional arguments. An evaluated list spreads over them as a written one does."""
        if function.takes_list() and given.whole is not None:
            return (given.whole,)
        most = len(function.positional())
        if given.alone and most > 1:
            worth = evaluate(given.alone, self.environment)
            return dealt(given.alone, worth, most) if isinstance(worth, tuple) else given.positional
        return given.positional

    def _value(self, function: Function, name: str, value: Value) -> Any:
        kind = function.arguments[name].kind if name in function.arguments else None
        if isinstance(kind, Calls) and isinstance(value, ListValue):
            vocabulary = Vocabulary(kind.table, kind.expected.removesuffix("s"), f"`{function.name}`")
            return tuple(self.call(item, vocabulary) for item in value.items)
        return evaluate(value, self.environment)

    def _fault(self, code: Code, message: str, span: Span, help: str = "") -> None:
        self.faults.append(Diagnostic(code, message, span.first_line, help))
