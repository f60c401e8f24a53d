"""Turns the values that differ between the uses of a class into parameters of its constructor."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from cnndsl.emit.python.rewrite import BUILTINS, INPUT, agree, rewrite
from cnndsl.emit.python.text import Code, annotation, literal, prefixed, written
from cnndsl.emit.python.unify import ABSENT, Rounds, Slot, Unlike, reference
from cnndsl.emit.python.uses import NO_DEFAULT
from cnndsl.graph.graph import Module
from cnndsl.layers import LAYERS
from cnndsl.spec.document import Block
from cnndsl.spec.evaluation import CallValue, Expression, Literal

#: Names that a parameter or variable of the emitted source may not have.
RESERVED = BUILTINS | {"self", "nn", "torch", "Tensor", "super", "range", "list", "type", "_"}


#: The longest name to generate.
MAX_NAME = 40


def safe(name: str, taken: Collection[str] = ()) -> str:
    """``name``, changed if it is reserved or taken."""
    while name in RESERVED or name in taken:
        name = f"{name}_"
    return name


def mentions(text: str, name: str) -> bool:
    return re.search(rf"(?<![\w.]){name}(?!\w)", text) is not None


def grouped(text: str) -> str:
    """An expression that may be part of any other: in parentheses unless it is a name or a number."""
    return text if re.fullmatch(r"[\w.]+(\[\d+\])?", text) else f"({text})"


def summand(text: str) -> str:
    """An expression that ``+`` may follow."""
    arithmetic = isinstance(ast.parse(text, mode="eval").body, ast.BinOp | ast.Call)
    return text if arithmetic else grouped(text)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an emitted constructor, with its value in each use."""

    name: str
    values: tuple[Any, ...]
    default: Any = NO_DEFAULT
    #: The block's parameter that it represents, if any.
    of_block: str = ""

    @property
    def code(self) -> Code:
        """The parameter in the signature."""
        if self.default is NO_DEFAULT:
            return f"{self.name}: {annotation(self.values)}"
        return prefixed(f"{self.name}: {annotation((*self.values, self.default))} = ", written(self.default))


class InLoop:
    """The state inside a loop. ``carried`` are the variables that it changes, with their new values; ``said`` are
    the expressions that must not depend on these."""

    def __init__(self, counts: tuple[int, ...]) -> None:
        self.counts = counts
        self.carried: dict[str, str] = {}
        self.said: list[str] = []
        self.counted = False

    def spans(self, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """The values of each use's rounds."""
        ends = [sum(self.counts[: index + 1]) for index in range(len(self.counts))]
        return [values[end - count : end] for end, count in zip(ends, self.counts)]


class Binder:
    """Finds an expression over the constructor's parameters for every slot of one class.

    It is called in the order of the constructor's lines. ``now`` holds the values that the parameters have at
    that point: a loop may change some.
    """

    def __init__(self, uses: Sequence[Module], block: Block | None, taken: Collection[str]) -> None:
        self.uses = uses
        self.taken_names = set(taken)
        self.candidates: dict[str, Parameter] = {}
        self.used: dict[str, Parameter] = {}
        #: The spec's names, and :data:`INPUT`, with their Python names.
        self.names: dict[str, str] = {}
        #: Variables of the constructor itself: a list of children, and the number of a round.
        self.layers, self.counter = (self._local(name) for name in ("layers", "i"))
        self.now: dict[str, tuple[Any, ...]] = {}
        #: Expressions found so far, with their values.
        self.said: dict[str, tuple[Any, ...]] = {}
        self.loop: InLoop | None = None
        self._add_input(block)
        visible = [p.name for p in block.parameters] if block else uses[0].params
        for name in visible:
            if all(name in use.params for use in uses):
                self._add_visible(name, block)

    def _local(self, name: str) -> str:
        """A name for a variable that no parameter has."""
        visible = {parameter for use in self.uses for parameter in use.params}
        self.taken_names.add(safe(name, visible))
        return safe(name, visible)

    def _add_input(self, block: Block | None) -> None:
        shapes = [use.input.shape for use in self.uses]
        if len({shape.rank for shape in shapes}) == 1:
            name = "in_channels" if shapes[0].rank > 2 else "in_features"
            if block and any(parameter.name == name for parameter in block.parameters):
                name = f"actual_{name}"
            self._add(INPUT, Parameter(safe(name, self.taken_names), tuple(shape.channels for shape in shapes)))

    def _add_visible(self, name: str, block: Block | None) -> None:
        values = tuple(use.params[name] for use in self.uses)
        if any(isinstance(value, CallValue) for value in values):
            return
        default = NO_DEFAULT
        if block:
            given = next(parameter.default for parameter in block.parameters if parameter.name == name)
            if isinstance(given, Literal):
                default = reference(given.value)
            elif isinstance(given, Expression) and given.text in LAYERS:
                default = reference(given.text)
        called = safe(name, {*self.taken_names, *self.now})
        default, *known = _alike((default, *map(reference, values)))
        self._add(name, Parameter(called, tuple(known), default, name))

    def _add(self, name: str, parameter: Parameter) -> None:
        self.candidates[parameter.name] = parameter
        self.names[name] = parameter.name
        self.now[parameter.name] = parameter.values

    # --- parameters ------------------------------------------------------------------------------

    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters that are used: the input's first, then in the block's order, those with defaults last."""
        order = {name: index for index, name in enumerate(self.candidates)}
        ranked = sorted(self.used.values(), key=lambda p: order.get(p.name, len(order)))
        return tuple(sorted(ranked, key=lambda p: p.default is not NO_DEFAULT))

    def _use(self, text: str) -> str:
        """Notes the parameters that an expression mentions."""
        for parameter in self.candidates.values():
            if mentions(text, parameter.name):
                self.used[parameter.name] = parameter
        return text

    def _fresh(self, slot: Slot, owner: str) -> str:
        """A new parameter for a slot that no expression gives."""
        default = NO_DEFAULT if ABSENT not in slot.values else slot.first
        values = tuple(default if value is ABSENT else value for value in slot.values)
        taken = RESERVED | self.taken_names | {*self.now, *self.used}
        longer = f"{owner}_{slot.name}"
        options = [slot.name, *([longer] if longer.isidentifier() and len(longer) <= MAX_NAME else [])]
        options += [f"{slot.name}{number}" for number in range(2, len(taken) + 3)]
        name = next(option for option in options if option not in taken)
        self.used[name] = Parameter(name, values, default)
        self.now[name] = values
        return name

    # --- expressions -----------------------------------------------------------------------------

    def expression(self, slot: Slot, owner: str = "") -> str:
        """Python for a slot. ``owner`` is the child that it belongs to.

        Raises :class:`Unlike` for values that change from round to round of a loop in a way that is not simple.
        """
        if self.loop:
            return self._in_loop(slot, self.loop, owner)
        if slot.constant and ABSENT not in slot.values:
            return literal(slot.first)
        text = self._written(slot)
        if text is None and slot.constant and not slot.inferred:
            text = literal(slot.first)
        text = text or self._named(slot) or (literal(slot.first) if slot.constant else None)
        if text is None and slot.inferred:
            text = next((text for text, values in self.said.items() if agree(slot.values, values)), None)
        return self._use(text or self._multiple(slot) or self._fresh(slot, owner))

    def _written(self, slot: Slot) -> str | None:
        """The spec's own expression."""
        if not isinstance(slot.written, Expression):
            return None
        names = {name: called for name, called in self.names.items() if called in self.now}
        found = rewrite(slot.written, slot.values, self.uses, names, self.now)
        if found is None:
            return None
        text, values = found
        self.said[text] = values
        return text

    def _ordered(self, slot: Slot) -> list[str]:
        """Variables in the order to try them: the input's comes last for a slot that is not inferred."""
        names = [*self.now]
        channels = self.names.get(INPUT)
        return names if slot.inferred or channels not in names else [*(n for n in names if n != channels), channels]

    def _named(self, slot: Slot) -> str | None:
        """A variable that has the slot's values. If these are the same in all uses that have the slot, the variable
        must differ between uses."""
        names = self._ordered(slot)
        if slot.constant:
            names = [name for name in names if len(set(self.now[name])) > 1]
        return next((name for name in names if agree(slot.values, self.now[name])), None)

    def _multiple(self, slot: Slot) -> str | None:
        """A small multiple of a variable."""
        for name in self._ordered(slot):
            if factor := _factor(slot.values, self.now[name]):
                text = f"{name} * {factor}"
                self.said[text] = tuple(value * factor if type(value) is int else ABSENT for value in self.now[name])
                return text
        return None

    # --- loops -----------------------------------------------------------------------------------

    def enter(self, rounds: Rounds) -> InLoop:
        """From here until :meth:`leave`, slots are over all rounds of all uses."""
        self.loop = InLoop(rounds.times.values)
        return self.loop

    def leave(self, may_change: bool = True) -> InLoop:
        """Ends a loop, and records what it has changed."""
        loop, self.loop = self.loop, None
        assert loop is not None
        said = [*loop.said, *loop.carried.values()]
        if any(mentions(text, name) for name in loop.carried for text in said) or (loop.carried and not may_change):
            raise Unlike
        for name, then in loop.carried.items():
            before, after = self.now.pop(name), self.now.get(then)
            if after is not None:
                self.now[name] = tuple(b if count == 0 else a for b, a, count in zip(before, after, loop.counts))
            self.said = {text: values for text, values in self.said.items() if not mentions(text, name)}
        return loop

    def _first_or_rest(self, start: str, then: str) -> str:
        """One value in the first round, another afterwards."""
        if {start, then} == {"True", "False"}:
            return f"{self.counter} == 0" if start == "True" else f"{self.counter} > 0"
        return f"{grouped(start)} if {self.counter} == 0 else {then}"

    def _in_loop(self, slot: Slot, loop: InLoop, owner: str) -> str:
        """Three cases: the value is the same in all rounds of a use; or it has one value first and another
        afterwards, as a variable that the loop changes; or it grows by the same step in every round."""
        if slot.constant and ABSENT not in slot.values:
            return literal(slot.first)
        self.loop = None
        spans = loop.spans(slot.values)
        first, rest = (replace(slot, values=tuple(s[n] if len(s) > n else ABSENT for s in spans)) for n in (0, 1))
        if all(len(set(map(literal, span))) <= 1 for span in spans):
            text = self.expression(first, owner)
            loop.said.append(text)
        elif all(len(set(map(literal, span[1:]))) <= 1 for span in spans):
            start, then = self.expression(first, owner), self.expression(rest, owner)
            text = start
            if start not in self.now or loop.carried.setdefault(start, then) != then:
                text = self._first_or_rest(start, then)
                loop.said.append(text)
        else:
            step = Slot(f"{slot.name}_step", tuple(map(_step, spans)))
            start, grown = summand(self.expression(first, owner)), grouped(self.expression(step, owner))
            text = f"{start} + {self.counter}" if grown == "1" else f"{start} + {self.counter} * {grown}"
            loop.said.append(text)
        loop.counted = loop.counted or mentions(text, self.counter)
        self.loop = loop
        return text


def _alike(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values with integers converted to floats if any is a float."""
    if not any(isinstance(value, float) for value in values):
        return values
    return tuple(float(value) if type(value) is int else value for value in values)


def _factor(values: tuple[Any, ...], others: tuple[Any, ...]) -> int | None:
    """The integer by which ``others`` are multiplied to give ``values``."""
    pairs = [(value, other) for value, other in zip(values, others) if value is not ABSENT]
    if not all(type(value) is type(other) is int and other > 0 and value % other == 0 for value, other in pairs):
        return None
    factors = {value // other for value, other in pairs}
    factor = factors.pop()
    return factor if not factors and factor in (2, 3, 4) else None


def _step(span: tuple[Any, ...]) -> Any:
    """The step between the values of a use's rounds, ABSENT if there is only one round."""
    if not all(type(value) is int for value in span):
        raise Unlike
    steps = {after - before for before, after in pairwise(span)}
    if len(steps) > 1:
        raise Unlike
    return next(iter(steps), ABSENT)
