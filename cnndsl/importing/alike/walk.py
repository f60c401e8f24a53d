"""The walk over all trees at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from msgspec.structs import replace

from cnndsl.emit.source.expr import (
    Expr,
    Ref,
    all_same,
    hidden,
    parts,
    with_parts,
)
from cnndsl.importing.alike.columns import Column, Columns, Rows
from cnndsl.importing.alike.hole import Alike, Defaults, Hole, of_layers
from cnndsl.importing.alike.values import (
    ABSENT,
    Unlike,
    alike_values,
    are_lists_of_formulas,
    is_list,
    known_value,
    numbered,
    same_form,
    templated,
)
from cnndsl.importing.tree import (
    Arguments,
    Arm,
    Branch,
    Call,
    Dense,
    From,
    LayerValue,
    Let,
    Named,
    Repeat,
    Residual,
    Reuse,
    Sequential,
    Step,
    Steps,
    Template,
    When,
)
from cnndsl.layers import LAYERS
from cnndsl.record import Record


def alike(trees: Sequence[Steps], lenient: bool = False, defaults: Defaults = of_layers) -> Alike | None:
    """The tree of several trees, or None if they are too unlike."""
    walk = _Walk(len(trees), lenient, defaults)
    try:
        steps = walk.steps(trees)
    except Unlike:
        return None
    return Alike(steps, tuple(walk.holes))


class _Place(Record, frozen=True):
    """Where a value is."""

    word: str = ""
    step: str = ""
    given: tuple[tuple[int, ...], ...] = ()


class _Walk:
    """One walk over all trees at once. A row is a tree."""

    def __init__(self, count: int, lenient: bool, defaults: Defaults) -> None:
        self.count, self.defaults = count, defaults
        self.columns = Columns(lenient)
        self.holes: list[Hole] = []
        self.around = ""

    # --- values ----------------------------------------------------------------------------------

    def hole(self, values: Sequence[Any], place: _Place, role: str, argument: str = "") -> Ref:
        variable = hidden("hole", len(self.holes))
        word, step = place.word, place.step
        around = self.around or (step if word and word not in LAYERS else "")
        self.holes.append(Hole(variable, tuple(values), role, word, argument, step, place.given, around))
        return variable

    def value(self, values: Sequence[Any], place: _Place, role: str, argument: str = "") -> Any:
        """One value of those of all rows: the same, one with holes inside, or a hole."""
        present = [one for one in values if one is not ABSENT]
        first = present[0]
        if all(alike_values(one, first) for one in present):
            # What a step that some rows lack has in common may be what the others have elsewhere.
            partial = role == "argument" and type(first) is int and len(present) < len(values)
            if partial and not alike_values(self.defaults(place.word).get(argument), first):
                return self.hole(values, place, role, argument)
            return first
        if isinstance(first, Template):
            return self.template(values, place, role, argument)
        if role in ("name", "tensor") and (parted := numbered(present)):
            return self.text(values, parted, place)
        if all(same_form(one, first) for one in present):
            inner = [() if one is ABSENT else parts(cast(Expr, one)) for one in values]
            made = (
                self.value([row[at] if row else ABSENT for row in inner], place, role, argument)
                for at in range(len(parts(first)))
            )
            return with_parts(first, made)
        if are_lists_of_formulas(present):
            rows = [(ABSENT,) * len(first) if one is ABSENT else one for one in values]
            return tuple(self.value(column, place, role, argument) for column in zip(*rows))
        known = [one if one is ABSENT else known_value(one, given) for one, given in zip(values, self.givens(place))]
        return self.hole(known, place, role, argument)

    def text(self, values: Sequence[Any], parted: Sequence[Sequence[str | int]], place: _Place) -> Any:
        """A text with holes for the numbers in it."""
        each = iter(parted)
        rows = [(ABSENT,) * len(parted[0]) if one is ABSENT else next(each) for one in values]
        return templated(self.value(column, place, "number") for column in zip(*rows))

    def template(self, values: Sequence[Any], place: _Place, role: str, argument: str) -> Any:
        """A text with values in it, which differ."""
        present = [one for one in values if one is not ABSENT]
        count = len(present[0].parts)
        if not all(isinstance(one, Template) and len(one.parts) == count for one in present):
            raise Unlike
        rows = [(ABSENT,) * count if one is ABSENT else one.parts for one in values]
        return templated(self.value(column, place, role, argument) for column in zip(*rows))

    def givens(self, place: _Place) -> Sequence[tuple[int, ...]]:
        return place.given or ((),) * self.count

    def fields(self, column: Column, place: _Place, *names: str) -> dict[str, Any]:
        return {
            name: self.value([_field(step, name) for step in column], place, _ROLES.get(name, name)) for name in names
        }

    def exact(self, column: Column, *names: str) -> None:
        """Refuses steps whose fields differ where there can be no hole."""
        present = [step for step in column if step is not None]
        for name in names:
            if not all(alike_values(getattr(step, name), getattr(present[0], name)) for step in present):
                raise Unlike

    def arguments(self, rows: Sequence[Arguments | None], words: Sequence[str], place: _Place) -> Arguments:
        """Arguments by name: one that a row does not have has its default there."""
        known = [None if row is None else dict(row) for row in rows]
        made = []
        for name in _in_order(row for row in known if row is not None):
            values = [ABSENT if row is None else self.argument(row, name, word) for row, word in zip(known, words)]
            made.append((name, self.value(values, place, "argument", name)))
        return tuple(made)

    def argument(self, row: Mapping[str, Any], name: str, word: str) -> Any:
        if name in row:
            return row[name]
        defaults = self.defaults(word)
        if name not in defaults:
            raise Unlike
        return defaults[name]

    # --- steps -----------------------------------------------------------------------------------

    def steps(self, rows: Rows) -> Steps:
        made: list[Step] = []
        columns = self.columns.of(rows)
        present = [
            tuple(None if row is None else one is not None for row, one in zip(rows, column)) for column in columns
        ]
        at = 0
        while at < len(columns):
            end = _run(present, at)
            if False not in present[at]:
                made += [self.step(column) for column in columns[at:end]]
            else:
                other = _run(present, end) if end < len(columns) and _opposite(present[at], present[end]) else end
                made.append(self.optional(present[at], columns[at:end], columns[end:other]))
                end = other
            at = end
        return tuple(made)

    def optional(self, taken: tuple[bool | None, ...], steps: Sequence[Column], others: Sequence[Column]) -> Step:
        """Steps that some rows lack, which may have others instead."""
        named = [step.name for column in steps for step in column if isinstance(step, _NAMED) and step.name]
        given = tuple(_given(steps, others, row) for row in range(self.count))
        word = next((step.word for column in steps for step in column if isinstance(step, Call)), "")
        name = named[0] if named and isinstance(named[0], str) else ""
        place = _Place(word if isinstance(word, str) else "", name, given)
        test = self.hole([ABSENT if one is None else one for one in taken], place, "when")
        inner, otherwise = (tuple(self.step(column) for column in columns) for columns in (steps, others))
        return When(test, inner, otherwise, next(filter(None, given), ()))

    def step(self, column: Column) -> Step:
        kind = next(type(step) for step in column if step is not None)
        names = [step.name for step in column if isinstance(step, _NAMED)]
        givens = tuple(getattr(step, "given", ()) for step in column)
        place = _Place(step=names[0] if names and isinstance(names[0], str) else "", given=givens)
        made = cast(Step, getattr(self, f"of_{kind.__name__.lower()}")(column, place))
        return replace(made, given=next(filter(None, givens), ())) if any(givens) else made

    def of_call(self, column: Column, place: _Place) -> Call:
        present = [step for step in column if step is not None]
        self.exact(column, "options")
        words = [step.word for step in present]
        if all_same(words) or not all(isinstance(word, str) for word in words):
            place = replace(place, word=words[0] if isinstance(words[0], str) else "")
            word = self.value([_field(step, "word") for step in column], place, "word")
            rows = [None if step is None else step.arguments for step in column]
            arguments = self.arguments(rows, [step.word if step else "" for step in column], place)
        else:
            word, arguments = self.other_layers(column, replace(place, word=words[0]))
        inputs = self.tensors(column, place)
        module = present[0].module if len(present) == self.count else ""
        return Call(word, arguments, self.name(column, place), inputs, present[0].options, module=module)

    def other_layers(self, column: Column, place: _Place) -> tuple[Any, Arguments]:
        """Other layers in other rows: arguments that all have stay at the call, and the value has the others."""
        present = [dict(step.arguments) for step in column if step is not None]
        common = {
            name: given
            for name, given in present[0].items()
            if all(name in row and alike_values(row[name], given) for row in present)
        }
        values = [
            ABSENT
            if step is None
            else LayerValue(step.word, tuple(pair for pair in step.arguments if pair[0] not in common))
            for step in column
        ]
        return self.value(values, place, "word"), tuple(common.items())

    def tensors(self, column: Column, place: _Place) -> tuple[Any, ...]:
        rows = [() if step is None else step.inputs for step in column]
        count = max(map(len, rows))
        padded = [row if step is not None else (ABSENT,) * count for row, step in zip(rows, column)]
        if any(len(row) != count for row in padded):
            raise Unlike
        return tuple(self.value(values, place, "tensor") for values in zip(*padded))

    def name(self, column: Column, place: _Place) -> Any:
        return self.value([_field(step, "name") for step in column], place, "name")

    def inside(self, column: Column) -> Steps:
        return self.steps([None if step is None else step.steps for step in column])

    def of_sequential(self, column: Column, place: _Place) -> Sequential:
        before, self.around = self.around, self.around or place.step
        steps = self.inside(column)
        self.around = before
        return Sequential(steps, **self.fields(column, place, "name"))

    def of_residual(self, column: Column, place: _Place) -> Residual:
        steps, names = self.inside(column), self.fields(column, place, "name")
        shortcuts = [_field(step, "shortcut") for step in column]
        if not any(is_list(one) for one in shortcuts):
            return Residual(steps, self.value(shortcuts, place, "shortcut"), **names)
        rows = [None if one is ABSENT else () if one is True else one for one in shortcuts]
        if not all(row is None or is_list(row) for row in rows):
            raise Unlike
        return Residual(steps, self.steps(rows), **names)

    def of_branch(self, column: Column, place: _Place) -> Branch:
        made = self.fields(column, place, "merge", "dim", "split", "name")
        rows = [None if step is None else step.arms for step in column]
        return Branch(tuple(self.arm(arms, rows, place) for arms in self.columns.of(rows)), **made)

    def arm(self, arms: Sequence[Arm | None], rows: Sequence[Sequence[Arm] | None], place: _Place) -> Arm:
        """A branch; one that some rows lack is under a condition."""
        present = [arm for arm in arms if arm is not None]
        names = [step.name for arm in present for step in arm.steps if isinstance(step, _NAMED) and step.name]
        place = replace(place, step=names[0] if names and isinstance(names[0], str) else place.step)
        lacking = any(arm is None and row is not None for arm, row in zip(arms, rows))
        whens = [ABSENT if row is None else arm is not None and arm.when for arm, row in zip(arms, rows)]
        if lacking and any(isinstance(one, Record) for one in whens):
            raise Unlike
        self.exact(arms, "names")
        steps = self.steps([None if arm is None else arm.steps for arm in arms])
        over = self.value([ABSENT if arm is None else arm.over for arm in arms], place, "over")
        return Arm(steps, self.value(whens, place, "when"), present[0].names, over)

    def loop(self, column: Column, place: _Place) -> dict[str, Any]:
        self.exact(column, "names")
        names = next(step.names for step in column if step is not None)
        return {"steps": self.inside(column), "names": names, **self.fields(column, place, "times", "over")}

    def of_repeat(self, column: Column, place: _Place) -> Repeat:
        return Repeat(**self.loop(column, place))

    def of_dense(self, column: Column, place: _Place) -> Dense:
        return Dense(**self.loop(column, place), **self.fields(column, place, "name"))

    def of_named(self, column: Column, place: _Place) -> Named:
        return Named(self.name(column, place))

    def of_from(self, column: Column, place: _Place) -> From:
        return From(self.value([_field(step, "tensor") for step in column], place, "tensor"))

    def of_reuse(self, column: Column, place: _Place) -> Reuse:
        return Reuse(
            **self.fields(column, place, "module"), inputs=self.tensors(column, place), name=self.name(column, place)
        )

    def of_let(self, column: Column, place: _Place) -> Let:
        rows = [None if step is None else step.values for step in column]
        return Let(self.arguments(rows, [""] * self.count, place))

    def of_when(self, column: Column, place: _Place) -> When:
        test = self.value([_field(step, "test") for step in column], place, "when")
        otherwise = self.steps([None if step is None else step.otherwise for step in column])
        return When(test, self.inside(column), otherwise)


_NAMED = (Call, Sequential, Branch, Residual, Dense, Reuse, Named)
_ROLES = {"module": "tensor", "test": "when"}


def _in_order(rows: Iterable[Iterable[str]]) -> list[str]:
    """All names of several lists, each of which is in one order."""
    made: list[str] = []
    for row in rows:
        at = 0
        for name in row:
            if name not in made:
                made.insert(at, name)
            at = made.index(name) + 1
    return made


def _field(step: Any, name: str) -> Any:
    return ABSENT if step is None else getattr(step, name)


def _given(steps: Sequence[Column], others: Sequence[Column], row: int) -> tuple[int, ...]:
    """What enters optional steps in a row."""
    for columns in (steps, others):
        if columns and columns[0][row] is not None:
            return cast(tuple[int, ...], getattr(columns[0][row], "given", ()))
    return ()


def _run(present: Sequence[tuple[bool | None, ...]], at: int) -> int:
    """The end of the columns that the same rows have."""
    end = at + 1
    while end < len(present) and present[end] == present[at]:
        end += 1
    return end


def _opposite(one: tuple[bool | None, ...], other: tuple[bool | None, ...]) -> bool:
    return all(a is None or a is not b for a, b in zip(one, other))
