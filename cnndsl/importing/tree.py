"""The steps of the spec that is being made. Frozen; two trees are equal if they would be written alike.

Values are what YAML can hold (numbers, texts, None, tuples), an :class:`~cnndsl.emit.source.expr.Expr`, a
:class:`Template`, or a :class:`LayerValue`. The names in expressions are those of the language: ``input.channels``,
parameters, loop names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias, TypeVar

from msgspec.structs import replace

from cnndsl.emit.source.expr import free_names
from cnndsl.record import Record

#: Arguments by name, in torch's order.
Arguments: TypeAlias = tuple[tuple[str, Any], ...]


class LayerValue(Record, frozen=True):
    """A layer as a value: ``act: {LeakyReLU: {negative_slope: 0.1}}``."""

    word: str
    arguments: Arguments = ()


class Template(Record, frozen=True):
    """A text with values in it: ``layer$i``. Its parts are texts and expressions."""

    parts: tuple[Any, ...]


class Call(Record, frozen=True):
    """A layer or a block; ``word`` may be an expression that gives one. ``given`` is the shape of the tensor that
    enters it, with the batch; it is not written, but formulas may need it. ``options`` are further keys of the step:
    ``inline``, ``parametrization``. ``module`` is the path in the whole network of the module that it calls, until a
    block is made of this module."""

    word: Any
    arguments: Arguments = ()
    name: Any = ""
    inputs: tuple[Any, ...] = ()
    options: Arguments = ()
    given: tuple[int, ...] = ()
    module: str = ""


class Sequential(Record, frozen=True):
    steps: Steps
    name: Any = ""
    given: tuple[int, ...] = ()


class Arm(Record, frozen=True):
    """A branch: steps, perhaps under a condition or in a loop."""

    steps: Steps
    when: Any = True
    names: tuple[str, ...] = ()
    over: Any = None


class Branch(Record, frozen=True):
    arms: tuple[Arm, ...]
    merge: str = "concat"
    dim: Any = 1
    split: Any = False
    name: Any = ""
    given: tuple[int, ...] = ()


class Residual(Record, frozen=True):
    """``shortcut`` is a value (True, False, an expression) or steps."""

    steps: Steps
    shortcut: Any = True
    name: Any = ""
    given: tuple[int, ...] = ()


class Dense(Record, frozen=True):
    """``times`` rounds, or one for each element of ``over``, bound to ``names``."""

    steps: Steps
    times: Any = None
    names: tuple[str, ...] = ()
    over: Any = None
    name: Any = ""
    given: tuple[int, ...] = ()


class Repeat(Record, frozen=True):
    steps: Steps
    times: Any = None
    names: tuple[str, ...] = ()
    over: Any = None
    given: tuple[int, ...] = ()


class From(Record, frozen=True):
    """The tensor of an earlier step; "input" is the module's own."""

    tensor: Any


class Reuse(Record, frozen=True):
    module: Any
    inputs: tuple[Any, ...] = ()
    name: Any = ""
    given: tuple[int, ...] = ()


class Named(Record, frozen=True):
    """``{name: x}``."""

    name: Any


class Let(Record, frozen=True):
    values: Arguments


class When(Record, frozen=True):
    """Steps under a condition."""

    test: Any
    steps: Steps
    otherwise: Steps = ()
    given: tuple[int, ...] = ()


Step: TypeAlias = Call | Sequential | Branch | Residual | Dense | Repeat | From | Reuse | Named | Let | When
Steps: TypeAlias = tuple[Step, ...]
#: What holds steps.
_HOLDING = (Sequential, Branch, Arm, Residual, Dense, Repeat, When)


def nested(step: Step) -> tuple[Steps, ...]:
    """The lists of steps inside a step."""
    match step:
        case Branch(arms=arms):
            return tuple(arm.steps for arm in arms)
        case Residual(steps=steps, shortcut=shortcut):
            return (steps, shortcut) if isinstance(shortcut, tuple) else (steps,)
        case When(steps=steps, otherwise=otherwise):
            return steps, otherwise
        case Sequential(steps=steps) | Dense(steps=steps) | Repeat(steps=steps):
            return (steps,)
    return ()


def walk(steps: Steps) -> Iterator[Step]:
    """Steps and those inside of them, in the order in which they are written."""
    for step in steps:
        yield step
        for inner in nested(step):
            yield from walk(inner)


_StepOrArm = TypeVar("_StepOrArm", bound=Record)


def with_values(
    step: _StepOrArm, change: Callable[[Any], Any], inside: Callable[[Steps], Steps] | None = None
) -> _StepOrArm:
    """The step with each value changed; ``inside`` changes the lists of steps that it holds."""
    inside = inside or (lambda steps: tuple(with_values(one, change) for one in steps))
    changes: dict[str, Any] = {}
    for name in step.__struct_fields__:
        held = getattr(step, name)
        if name == "arms":
            changes[name] = tuple(with_values(arm, change, inside) for arm in held)
        elif name in ("steps", "otherwise") or (name == "shortcut" and isinstance(held, tuple)):
            changes[name] = inside(held)
        elif name in ("arguments", "options", "values"):
            changes[name] = tuple((key, change(one)) for key, one in held)
        elif name not in ("given", "names") and not (name == "module" and isinstance(step, Call)):
            changes[name] = change(held)
    return replace(step, **changes)


def inside(step: _StepOrArm, change: Callable[[Steps], Steps]) -> _StepOrArm:
    """The step with other lists of steps inside; one that holds none is itself."""
    return with_values(step, lambda value: value, change) if isinstance(step, _HOLDING) else step


def bare(steps: Steps) -> Steps:
    """The steps without what is not written, so that they are equal if they would be written alike."""
    return tuple(_bare(step) for step in steps)


def _bare(step: Step) -> Step:
    made = inside(step, bare)
    made = replace(made, given=()) if hasattr(made, "given") else made
    return replace(made, module="") if isinstance(made, Call) else made


def names_in(steps: Steps) -> frozenset[str]:
    """The names that values in steps have, and those that are bound there."""
    found: set[str] = set()

    def collect(value: Any) -> Any:
        found.update(_free(value))
        return value

    for step in walk(steps):
        with_values(step, collect, lambda inner: inner)
        for one in (step, *getattr(step, "arms", ())):
            found.update(getattr(one, "names", ()))
        if isinstance(step, Let):
            found.update(name for name, _ in step.values)
    return frozenset(found)


def _free(value: Any) -> Iterator[str]:
    if isinstance(value, tuple):
        for item in value:
            yield from _free(item)
    elif isinstance(value, Template):
        yield from _free(value.parts)
    elif isinstance(value, LayerValue):
        yield from _free(tuple(one for _, one in value.arguments))
    elif isinstance(value, Record):
        yield from free_names(value)  # type: ignore[arg-type]


class Parameter(Record, frozen=True):
    """A parameter of a block or of the spec; no default if ``required``."""

    name: str
    default: Any = None
    required: bool = True


class Block(Record, frozen=True):
    """A definition. ``inputs`` and ``outputs`` are empty unless it takes or returns several tensors."""

    name: str
    parameters: tuple[Parameter, ...]
    steps: Steps
    inputs: tuple[str, ...] = ()
    outputs: tuple[Any, ...] = ()


class Spec(Record, frozen=True):
    """The whole document. ``comments`` are lines above it, ``rename`` what checkpoints call a tensor."""

    name: str
    description: str
    inputs: tuple[tuple[str, tuple[int, ...]], ...]
    params: Arguments
    blocks: tuple[Block, ...]
    steps: Steps
    outputs: tuple[Any, ...] = ()
    rename: tuple[tuple[str, str], ...] = ()
    comments: tuple[str, ...] = ()
