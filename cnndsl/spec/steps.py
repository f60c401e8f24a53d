"""The steps of a network, typed and frozen, each value with its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from cnndsl.layers import LAYERS
from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.spec.values import (
    Arguments,
    ListValue,
    Literal,
    Template,
    Value,
)

_NO_ARGUMENTS = Arguments()
#: The arguments of layers that name an earlier step.
READS = frozenset(name for layer in LAYERS.values() for name in layer.reads)


class Step(Record, frozen=True, eq=False, kw_only=True):
    """``span`` is the place of the word; ``otherwise`` replaces the step if ``when`` is false."""

    span: Span
    name: Value | None = None
    when: Value | None = None
    otherwise: Steps = ()


Steps: TypeAlias = tuple[Step, ...]


class Call(Step, frozen=True, eq=False, kw_only=True):
    """A layer or block with its arguments. A literal ``callee`` is its name; ``inputs`` names the tensors that it
    takes, if that is not just the current one. ``parametrization`` is what computes a layer's weight: a call of a
    function of torch, or a value that is its name."""

    callee: Value
    arguments: Arguments = _NO_ARGUMENTS
    inputs: Value | None = None
    parametrization: Value | None = None
    inline: bool = False


class Sequential(Step, frozen=True, eq=False, kw_only=True):
    steps: Steps


class Name(Record, frozen=True):
    """A name that a loop or a ``let`` gives to values, and its place."""

    name: str
    span: Span


class Loop(Record, frozen=True, eq=False, kw_only=True):
    """The rounds: ``times`` of them, or one for each of ``elements``, bound to ``names``."""

    times: Value | None = None
    names: tuple[Name, ...] = ()
    unpack: bool = False
    elements: Value | None = None


class Repeat(Step, frozen=True, eq=False, kw_only=True):
    steps: Steps
    loop: Loop


class Arm(Record, frozen=True, eq=False, kw_only=True):
    """A list of steps inside a step, above all an item of a ``branch``: it runs once, or in each round of its ``loop``,
    and not where ``when`` is false."""

    span: Span
    steps: Steps
    when: Value | None = None
    loop: Loop | None = None


class Branch(Step, frozen=True, eq=False, kw_only=True):
    """``merge`` names how. ``split`` is None, or True for even parts, or a value with the sizes of the parts."""

    branches: tuple[Arm, ...]
    merge: Value
    dim: Value | None
    split: Value | None


class Residual(Step, frozen=True, eq=False, kw_only=True):
    """``shortcut`` holds steps, or a value that is true if there is one."""

    steps: Steps
    shortcut: Steps | Value


class Dense(Step, frozen=True, eq=False, kw_only=True):
    steps: Steps
    loop: Loop


class From(Step, frozen=True, eq=False, kw_only=True):
    target: Value


class Reuse(Step, frozen=True, eq=False, kw_only=True):
    target: Value
    inputs: Value | None = None


class Mark(Step, frozen=True, eq=False, kw_only=True):
    """Names the current tensor, and makes nothing."""


class Let(Step, frozen=True, eq=False, kw_only=True):
    values: tuple[tuple[Name, Value], ...]


class Invalid(Step, frozen=True, eq=False, kw_only=True):
    """A step with a fault that has been reported. ``inner`` are the steps inside it,
    ``word`` is its first layer, block or structural word."""

    inner: Steps = ()
    word: str = ""


def last_part(name: str) -> str:
    """What a tensor is called where it comes out: ``p3`` for ``fpn.p3``."""
    return name.rpartition(".")[2]


def reads_besides(step: Call) -> bool:
    """Whether a layer reads other tensors than the current one. One that only evaluation names does, if it has an
    argument of that name."""
    names = {keyword.name for keyword in step.arguments.keywords}
    if isinstance(step.callee, Literal):
        return step.callee.value in LAYERS and not names.isdisjoint(LAYERS[str(step.callee.value)].reads)
    return any(not names.isdisjoint(layer.reads) for layer in LAYERS.values())


def is_dotted(step: Step) -> bool:
    """Whether the name of a step has dots: the step makes a module in a list or a dict of modules."""
    return step.name is not None and any("." in text for text in written_name(step.name))


def calls_in(steps: Steps) -> Iterator[Call]:
    """The calls among the steps of a module, without those inside of its child modules."""
    for step in steps:
        if isinstance(step, Call):
            yield step
        for inner in (step.otherwise,) if isinstance(step, Sequential) else nested(step):
            yield from calls_in(inner)


def inlined(steps: Steps) -> Iterator[str]:
    """The blocks that are written out among the steps of a module."""
    return (str(call.callee.value) for call in calls_in(steps) if call.inline and isinstance(call.callee, Literal))


def _is_link(call: Call) -> bool:
    """Whether a layer or block may be in a chain: it takes only the current tensor, and is in no list or dict."""
    return call.inputs is None and not reads_besides(call) and (call.inline or not is_dotted(call))


def is_chain(steps: Steps) -> bool:
    """Whether steps are a plain chain, one after another, for any result of ``when``, if those of the
    blocks that are :func:`inlined` are."""
    return all(
        (
            isinstance(step, (Let, Mark, Invalid))
            or (isinstance(step, Sequential) and not is_dotted(step))
            or (isinstance(step, Call) and _is_link(step))
            or (isinstance(step, Repeat) and is_chain(step.steps))
        )
        and is_chain(step.otherwise)
        for step in steps
    )


def arms(step: Step) -> Iterator[Arm]:
    """The lists of steps inside a step."""
    match step:
        case Repeat(steps=steps, loop=loop) | Dense(steps=steps, loop=loop):
            yield Arm(span=step.span, steps=steps, loop=loop)
        case Sequential(steps=steps) | Invalid(inner=steps):
            yield Arm(span=step.span, steps=steps)
        case Branch(branches=branches):
            yield from branches
        case Residual(steps=steps, shortcut=shortcut):
            yield Arm(span=step.span, steps=steps)
            if isinstance(shortcut, tuple):
                yield Arm(span=step.span, steps=shortcut)
    yield Arm(span=step.span, steps=step.otherwise)


def nested(step: Step) -> Iterator[Steps]:
    """The same without what decides how often they run."""
    return (arm.steps for arm in arms(step))


def values_in(step: Step) -> Iterator[Value]:
    """The values of a step itself, except those of a ``let``, and conditions that a loop's names may be in."""
    found: tuple[Value | None, ...] = ()
    match step:
        case Call(callee=callee, arguments=arguments):
            found = (callee, *arguments.values, step.inputs, step.parametrization)
        case Repeat(loop=loop) | Dense(loop=loop):
            found = (loop.times, loop.elements)
        case Branch(merge=merge, dim=dim, split=split, branches=branches):
            found = (
                merge,
                dim,
                split,
                *(value for arm in branches if arm.loop for value in (arm.loop.times, arm.loop.elements)),
            )
        case Residual(shortcut=shortcut) if not isinstance(shortcut, tuple):
            found = (shortcut,)
        case From(target=target):
            found = (target,)
        case Reuse(target=target, inputs=inputs):
            found = (target, inputs)
    yield from (value for value in (step.name, step.when, *found) if value is not None)


def names_in(steps: Steps) -> Iterator[Value]:
    """The names of steps, and of those inside them."""
    for step in steps:
        if step.name is not None:
            yield step.name
        for inner in nested(step):
            yield from names_in(inner)


def targets_in(steps: Steps) -> Iterator[Value]:
    """The values that name earlier steps, in steps and those inside them. A list of ``inputs`` may be one value."""
    for step in steps:
        if isinstance(step, (From, Reuse)):
            yield step.target
        if isinstance(step, Call):
            yield from (keyword.value for keyword in step.arguments.keywords if keyword.name in READS)
        if isinstance(step, (Call, Reuse)) and step.inputs is not None:
            yield from step.inputs.items if isinstance(step.inputs, ListValue) else (step.inputs,)
        for inner in nested(step):
            yield from targets_in(inner)


#: The text of a written name around its values: ``("conv", "")`` for ``conv$i``.
WrittenName: TypeAlias = tuple[str, ...]
#: That of a name that is just a value.
ANY_NAME: WrittenName = ("", "")


def written_name(name: Value) -> WrittenName:
    match name:
        case Literal(value=str() as value):
            return (value,)
        case Template(parts=parts):
            texts = [""]
            for part in parts:
                if isinstance(part, str):
                    texts[-1] += part
                else:
                    texts.append("")
            return tuple(texts)
    return ANY_NAME


def may_be(written: WrittenName, name: str) -> bool:
    """Whether a written name with values in it may become ``name``: its texts appear there in order."""
    first, *between, last = written
    if not (name.startswith(first) and name.endswith(last) and len(name) >= len(first) + len(last)):
        return False
    name = name[len(first) : len(name) - len(last)]
    for text in between:
        if (found := name.find(text)) < 0:
            return False
        name = name[found + len(text) :]
    return True
