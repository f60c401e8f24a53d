"""Holes that are one value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from cnndsl.emit.source.expr import NONE, Expr, Lit, Op, Opaque, Ref
from cnndsl.emit.source.expr import Call as Applied
from cnndsl.importing.alike import ABSENT, Hole, alike_values, filled
from cnndsl.importing.blocks.names import wanted
from cnndsl.importing.blocks.roles import role_of_hole
from cnndsl.importing.blocks.use import Column
from cnndsl.importing.tree import Call, LayerValue, Steps, When, walk, with_values
from cnndsl.layers import LAYERS

#: The layers that a class may take as None.
_OPTIONAL = ("activation", "normalization")


class Slot(Struct, eq=False):
    """Holes with one value. ``values`` are those of all uses, ABSENT where no hole is, and ``expr`` is what is written:
    of parameters, hidden ones among them, of sizes of the tensor there (``input.channels``), and of hidden variables
    for those of the block's input."""

    holes: list[Hole]
    values: Column
    expr: Expr = Opaque()

    @property
    def is_test(self) -> bool:
        return all(isinstance(value, bool) for value in self.values if value is not ABSENT)

    @property
    def constant(self) -> Any:
        """The one value of all uses that have it, ABSENT if they have several."""
        first, *others = (value for value in self.values if value is not ABSENT)
        return first if all(alike_values(value, first) for value in others) else ABSENT

    @property
    def role(self) -> str:
        """What the value is for, "" if that is not a number."""
        roles = (role_of_hole(hole) for hole in self.holes)
        return "" if self.is_test else next(filter(None, roles), "")

    @property
    def around(self) -> str:
        """The step that all of it belongs to, "" if it belongs to several."""
        first, *others = {hole.around for hole in self.holes}
        return "" if others else first

    @property
    def wanted(self) -> str:
        """What a parameter for it is called."""
        if any(hole.role == "shortcut" for hole in self.holes):
            return "keeps"
        named = (hole for hole in self.holes if hole.role != "when" or hole.step)
        return wanted(next(named, self.holes[0]))


def slots_of(holes: Sequence[Hole]) -> list[Slot]:
    """Holes by their values: those that agree wherever both are. A hole of one value belongs to the slot of the same
    argument elsewhere that has this value there, or has a slot of its own."""
    slots: list[Slot] = []
    for hole in sorted(holes, key=lambda hole: hole.is_constant):
        for slot in slots:
            if _agree(slot, hole):
                slot.holes.append(hole)
                slot.values = tuple(b if a is ABSENT else a for a, b in zip(slot.values, hole.values))
                break
        else:
            slots.append(Slot([hole], hole.values))
    return slots


def _agree(slot: Slot, hole: Hole) -> bool:
    """Whether a hole has the values of a slot; if some use has only one of them, there must be two values."""
    both = [(a, b) for a, b in zip(slot.values, hole.values) if a is not ABSENT and b is not ABSENT]
    if not both or not all(alike_values(a, b) for a, b in both):
        return False
    if hole.is_constant:
        covered = all(a is not ABSENT for a, b in zip(slot.values, hole.values) if b is not ABSENT)
        return covered and any(hole.argument == other.argument for other in slot.holes)
    full = all((a is ABSENT) == (b is ABSENT) for a, b in zip(slot.values, hole.values))
    return full or any(not alike_values(a, both[0][0]) for a, _ in both)


# --- how often loops run -------------------------------------------------------------------------


def with_counts(steps: Steps, holes: Sequence[Hole]) -> tuple[Steps, tuple[Hole, ...]]:
    """The steps in which holes at the end of a ``range`` say how many rounds there are: ``range(1, depth + 1)``."""
    found: dict[str, Expr] = {}
    counts: dict[str, Hole] = {}
    known = {hole.variable.name: hole for hole in holes}
    for step in walk(steps):
        start, end = _ends(getattr(step, "over", None))
        if end in known:
            hole = known[end]
            counts[end] = replace(hole, values=tuple(_less(value, start) for value in hole.values), role="times")
            if start:
                found[end] = Op("+", (hole.variable, Lit(start)))
    return filled(steps, found), tuple(counts.get(hole.variable.name, hole) for hole in holes)


def _ends(over: Any) -> tuple[int, str]:
    """The beginning of a range, and the variable at its end, "" if it has none."""
    match over:
        case Applied(Ref("range"), (Ref(end),)):
            return 0, end
        case Applied(Ref("range"), (Lit(int(start)), Ref(end))):
            return start, end
    return 0, ""


def _less(value: Any, number: int) -> Any:
    return value if value is ABSENT else value - number


# --- layers that some uses lack ------------------------------------------------------------------


def with_optional_layers(steps: Steps, slots: list[Slot]) -> Steps:
    """The steps in which a layer that some uses lack is a value that is None there: ``act=None``. The slots change."""
    return tuple(_optional(step, slots) for step in steps)


def _optional(step: Any, slots: list[Slot]) -> Any:
    step = with_values(step, lambda value: value, lambda steps: with_optional_layers(steps, slots))
    if not (isinstance(step, When) and isinstance(step.test, Ref) and len(step.steps) == 1 and not step.otherwise):
        return step
    (call,), test = step.steps, _slot_of(step.test, slots)
    if not isinstance(call, Call) or test is None or not test.is_test:
        return step
    if isinstance(call.word, Ref):
        word = _slot_of(call.word, slots)
        assert word is not None
        word.values = tuple(None if value is ABSENT else value for value in word.values)
        test.holes = [hole for hole in test.holes if hole.variable != step.test]
        slots[:] = [slot for slot in slots if slot.holes]
        return When(Op("is not", (call.word, NONE)), step.steps, (), step.given)
    if isinstance(call.word, str) and _is_optional(call.word) and len(test.holes) == 1:
        (hole,) = test.holes
        test.holes = [replace(hole, role="word", word=call.word, argument="")]
        test.values = tuple(LayerValue(call.word) if there is True else None for there in test.values)
        call = Call(hole.variable, call.arguments, call.name, call.inputs, call.options, call.given, call.module)
        return When(Op("is not", (hole.variable, NONE)), (call,), (), step.given)
    return step


def _slot_of(variable: Ref, slots: Sequence[Slot]) -> Slot | None:
    return next((slot for slot in slots if any(hole.variable == variable for hole in slot.holes)), None)


def _is_optional(word: str) -> bool:
    return word in LAYERS and LAYERS[word].family in _OPTIONAL
