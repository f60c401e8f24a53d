"""The place where steps run. It is frozen: steps inside of others get a place of their own, so nothing is undone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, Protocol

from msgspec.structs import replace

from cnndsl.diagnostics import Code, Diagnostic, Note
from cnndsl.graph.faults import Faults, Stop
from cnndsl.graph.graph import Item, Tensor
from cnndsl.graph.scope import Scope
from cnndsl.graph.trail import Station, told
from cnndsl.limits import how_to_raise
from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.spec.document import Parameter
from cnndsl.spec.evaluation import Environment, Unknown, evaluate
from cnndsl.spec.steps import Name, Steps
from cnndsl.spec.tree import UNKNOWN
from cnndsl.spec.values import Fault, Value

MAX_NESTING = 100


class Site(Record, frozen=True):
    """The place where steps run: the values known there, the module around them, the body that they append to, and the
    way that leads there.

    ``faults`` collects what is wrong. ``path`` is that of the layer or block that faults belong to, and ``trail`` the
    blocks and loops around it, outermost first.
    """

    environment: Environment
    scope: Scope
    body: list[Item]
    faults: Faults
    path: str = ""
    trail: tuple[Station, ...] = ()
    #: The blocks that call each other here, outermost first.
    calls: tuple[str, ...] = ()
    #: The block that is written out here, "" if the steps are those of a module.
    inlined: str = ""
    #: How many lists of steps are around these.
    depth: int = 0
    #: Whether the steps reuse the weights of an earlier run.
    reusing: bool = False

    # --- places inside ---------------------------------------------------------------------------

    def seeing(self, environment: Environment) -> Site:
        """The same place with other values."""
        return replace(self, environment=environment)

    def after(self, x: Tensor | None) -> Site:
        """The place of the next step, which takes the tensor ``x``."""
        environment = self.environment.at(x.shape if x else None)
        return self if environment is self.environment else self.seeing(environment)

    def without_input(self) -> Site:
        """The same place for values that belong to no step, so that no tensor enters them."""
        return replace(self, environment=replace(self.environment, input=None, has_input=False))

    def deeper(self) -> Site:
        """The place of a list of steps, one level further inside."""
        return replace(self, depth=self.depth + 1)

    def inside(self) -> Site:
        """A place for steps of a region, with a body of their own."""
        return replace(self, body=[])

    def within(self, told: Callable[[], tuple[str, str]]) -> Site:
        """A place in a round of a loop, or in a reused step, which is a :class:`Station` in the trail of faults."""
        return replace(self, trail=(*self.trail, Station(told)))

    def of(self, path: str) -> Site:
        """The same place, with faults that belong to the layer at ``path``."""
        return replace(self, path=path)

    def calling(self, block: str, told: Callable[[], tuple[str, str]], path: str, call: Span) -> Site:
        """A place in a call of a block, whose module is at ``path``."""
        return replace(self, path=path, trail=(*self.trail, Station(told, path, call)), calls=(*self.calls, block))

    def module(self, scope: Scope) -> Site:
        """A place for the steps of a child module."""
        return replace(self, scope=scope, body=[], inlined="")

    def written_out(self, block: str) -> Site:
        """A place for the steps of a block that is written out in the module around."""
        return replace(self, scope=self.scope.apart(), body=[], inlined=block)

    def again(self, environment: Environment, told: Callable[[], tuple[str, str]]) -> Site:
        """A place where a step runs once more, with the values of its first run."""
        return replace(self.within(told), environment=environment, reusing=True)

    # --- faults ----------------------------------------------------------------------------------

    def fault(self, code: Code, message: str, span: Span, help: str = "", *notes: Note) -> None:
        self.report(Diagnostic(code, message, span.first_line, help, notes))

    def report(self, fault: Diagnostic) -> None:
        """Adds a fault that was found elsewhere, with the trail that led here."""
        calls = tuple(station.call for station in reversed(self.trail) if station.call is not None)
        self.faults.add(replace(fault, trail=told(self.trail, self.path), calls=calls))

    def stop(self, message: str, span: Span, limit: str = "") -> NoReturn:
        """Reports that a limit is exceeded. Nothing more is done."""
        self.fault(Code.LIMIT, message, span, how_to_raise(limit))
        raise Stop

    def too_deep(self, span: Span) -> NoReturn:
        """Stops at the step at ``span``, since more than :data:`MAX_NESTING` are around it."""
        self.stop(f"steps nested more than {MAX_NESTING} deep, with blocks written out", span)

    # --- values ----------------------------------------------------------------------------------

    def value(self, value: Value, worth: Callable[[Value, Environment], Any] = evaluate) -> Any:
        """The result of a value, or of a condition with ``worth=holds``; UNKNOWN if there is none."""
        try:
            return worth(value, self.environment)
        except Unknown:
            return UNKNOWN
        except Fault as fault:
            self._failed(fault)
            return UNKNOWN

    def _failed(self, fault: Fault) -> None:
        """Reports that a value has no result. If it takes too much work, nothing more is done."""
        self.report(fault.diagnostic)
        if self.environment.meter.exhausted:
            raise Stop

    def knowing(self, names: Mapping[str, Any], span: Span) -> Site:
        """The same place with additional names."""
        self._spend_names(len(self.environment.names) + len(names), span)
        return self.seeing(self.environment.bind(names))

    def let(self, values: Sequence[tuple[Name, Value]], span: Span) -> Site:
        """The same place with the names of a ``let``, each of which may use those before it."""
        self._spend_names(len(self.environment.names), span)
        names = {**self.environment.names}
        known = self.seeing(replace(self.environment, names=names))
        for key, value in values:
            names[key.name] = known.value(value)
        return known

    def parameters(self, parameters: tuple[Parameter, ...], given: Mapping[str, Any]) -> dict[str, Any]:
        """Values of parameters: those given, or else their defaults, which may use earlier ones."""
        values: dict[str, Any] = {}
        names = {**self.environment.names}
        known = self.seeing(replace(self.environment, names=names))
        for parameter in parameters:
            if parameter.name in given:
                value = given[parameter.name]
            else:
                value = UNKNOWN if parameter.default is None else known.value(parameter.default)
            names[parameter.name] = values[parameter.name] = value
        return values

    def _spend_names(self, count: int, span: Span) -> None:
        """Counts copied names, which a spec could make expensive."""
        try:
            self.environment.meter.spend(count // 16, span)
        except Fault as fault:
            self._failed(fault)


class Run(Protocol):
    """Runs steps on a tensor. The result is the next tensor, None if unknown."""

    def __call__(self, steps: Steps, x: Tensor | None, site: Site) -> Tensor | None: ...
