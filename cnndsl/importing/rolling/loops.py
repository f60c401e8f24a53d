"""Runs as loops: what differs between the rounds is a name of the loop.

All runs that are beside each other in the rounds of an outer loop are explained together. What is the same in all
rounds of a run is a value of the outer round; a number that counts up follows from an index; what differs in the first
round only is ``a if i == 0 else b``; everything else is a column of a table that the loop runs over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import count, groupby, islice, pairwise
from typing import Any, cast

from msgspec.structs import replace

from cnndsl.emit.source.expr import Call as Applied
from cnndsl.emit.source.expr import Expr, Lit, Op, Ref, choice, hidden, operation
from cnndsl.importing.alike import Defaults, Hole, alike, alike_values, filled, replaced
from cnndsl.importing.rolling.columns import derived, ratios
from cnndsl.importing.rolling.counting import Counted, First, Progress, added, as_expr, counted, first, progress
from cnndsl.importing.rolling.names import Names
from cnndsl.importing.rolling.runs import Items, Run
from cnndsl.importing.tree import (
    Arm,
    Branch,
    Call,
    Dense,
    Named,
    Repeat,
    Sequential,
    Step,
    Steps,
    Template,
    When,
    inside,
    walk,
)
from cnndsl.layers import LAYERS
from cnndsl.record import Record


class Unlike(Exception):
    """Rounds cannot be written as a loop."""


class Merged(Record, frozen=True):
    """Steps of several rows with holes, and what each row has there."""

    steps: Steps
    holes: tuple[Hole, ...]


class Loops:
    """Explains runs. ``names`` are those of the document that a loop should not hide, ``rates`` those that grow through
    all steps."""

    def __init__(self, defaults: Defaults, names: Names, rates: Sequence[Progress] = ()) -> None:
        self.defaults, self.names, self.rates = defaults, names, rates
        self.numbers = count()

    def loop(self, run: Run) -> Step:
        """A run that is in no other as a step. Raises :class:`Unlike`."""
        step, holes = self.explained([run.rounds])
        if (is_table(step) and not is_tall(step, len(run.rounds))) or is_pair(step, len(run.rounds)):
            raise Unlike
        (made,) = filled((step,), {hole.variable.name: hole.values[0] for hole in holes})
        return made

    def together(self, runs: Mapping[int, Run]) -> dict[int, Step]:
        """A loop of one form for each of several runs by their keys, none if they are unlike, or if it would need a
        table."""
        try:
            step, holes = self.explained([run.rounds for run in runs.values()])
        except Unlike:
            return {}
        if is_table(step):
            return {}
        rows = ({hole.variable.name: hole.values[row] for hole in holes} for row in range(len(runs)))
        return {key: filled((step,), row)[0] for key, row in zip(runs, rows)}

    def groupings(self, rounds: Sequence[Items]) -> Iterator[Run]:
        """Runs of runs: rounds beside each other that have one value somewhere are an inner run."""
        if len({*map(len, rounds)}) > 1:
            return
        try:
            holes = self.merged(rounds).holes
        except Unlike:
            return
        lengths = {tuple(len([*group]) for _, group in groupby(map(repr, hole.values))) for hole in holes}
        for groups in sorted(lengths):
            if 1 < len(groups) < len(rounds):
                yield Run(tuple((Run(inner),) for inner in parted(rounds, groups)))

    def explained(self, rows: Sequence[Sequence[Items]]) -> tuple[Step, tuple[Hole, ...]]:
        """The loop of runs that are beside each other, and what differs between the runs."""
        body = self.merged([items for rounds in rows for items in rounds])
        return Explaining(self, body, tuple(map(len, rows))).loop()

    def merged(self, rows: Sequence[Items]) -> Merged:
        """The steps of several rows, with loops for the runs in them."""
        if len({*map(len, rows)}) > 1:
            return self._partly(rows)
        outer, runs = zip(*map(_without_runs, rows), strict=True)
        found = alike(outer, defaults=self.defaults)
        if found is None:
            raise Unlike
        steps, holes = self._own(found.steps, found.holes)
        loops: list[Steps] = []
        for column in zip(*runs, strict=True):
            inner, more = self._inner(column)
            loops.append(inner)
            holes += more
        return Merged(_with_loops(steps, iter(loops)), tuple(holes))

    def _inner(self, runs: Sequence[Run]) -> tuple[Steps, tuple[Hole, ...]]:
        """The loop of runs that are beside each other in an outer loop, or two calls one after the other."""
        step, holes = self.explained([run.rounds for run in runs])
        if not all(is_pair(step, len(run.rounds)) for run in runs):
            return (step,), holes
        first, second = (self.merged([run.rounds[at] for run in runs]) for at in range(2))
        return (*first.steps, *second.steps), (*first.holes, *second.holes)

    def _partly(self, rows: Sequence[Items]) -> Merged:
        """Rows of which the last has only the first steps: the others are under a condition."""
        cut = len(rows[-1])
        common = self.merged([row[:cut] for row in rows])
        others = self.merged([row[cut:] for row in rows[:-1]])
        test = Hole(self.variable(), (*(True for _ in rows[:-1]), False), "when")
        steps = (*common.steps, When(test.variable, others.steps))
        return Merged(steps, (test, *common.holes, *map(completed, others.holes)))

    def variable(self) -> Ref:
        return hidden("loop", next(self.numbers))

    def _own(self, steps: Steps, holes: Sequence[Hole]) -> tuple[Steps, list[Hole]]:
        """Holes with variables that no other hole has; a text has holes for the numbers in it."""
        found: dict[str, Any] = {}
        made: list[Hole] = []
        for hole in holes:
            if parts := self._numbered(hole):
                made += (part for part in parts if isinstance(part, Hole))
                texts = (part.variable if isinstance(part, Hole) else part for part in parts)
                found[hole.variable.name] = Template(tuple(texts))
            elif hole.role in ("name", "tensor"):
                raise Unlike
            else:
                made.append(replace(hole, variable=self.variable()))
                found[hole.variable.name] = made[-1].variable
        return filled(steps, found), made

    def _numbered(self, hole: Hole) -> list[str | Hole]:
        """The parts of texts that differ only in numbers, with a hole for each number; none for other values."""
        texts = [re.split(r"(\d+)", value) if isinstance(value, str) else [] for value in hole.values]
        if len({*map(len, texts)}) > 1 or not texts[0]:
            return []
        parts: list[str | Hole] = []
        for at, column in enumerate(zip(*texts)):
            if len({*column}) == 1:
                parts.append(column[0])
            elif at % 2 == 0 or any(str(int(number)) != number for number in column):
                return []
            else:
                values = tuple(map(int, column))
                parts.append(replace(hole, variable=self.variable(), values=values, role="number"))
        return [part for part in parts if part != ""]


def is_tall(loop: Step, rounds: int) -> bool:
    """Whether a table of so many rounds is easier to read than its rounds: it has three, and if they are bare layers,
    more rounds than columns."""
    modules = (
        isinstance(step, Sequential) or (isinstance(step, Call) and step.word not in LAYERS) for step in walk((loop,))
    )
    bare = not any(modules)
    return rounds > max(2, len(getattr(loop, "names", ())) if bare else 0)


def is_pair(loop: Step, rounds: int) -> bool:
    """Whether a loop would count two calls, which are two lines if they are written out."""
    match loop:
        case Repeat((Call(),), names=(_,)):
            return rounds == 2
    return False


def completed(hole: Hole) -> Hole:
    """A hole with a value for the last row, which does not have its step: what goes on with the others."""
    counts_up = hole.role == "number" and len(hole.values) > 1
    last = 2 * hole.values[-1] - hole.values[-2] if counts_up else hole.values[-1]
    return replace(hole, values=(*hole.values, last), given=(*hole.given, *hole.given[-1:]))


def parted(values: Sequence[Any], lengths: Sequence[int]) -> Iterator[tuple[Any, ...]]:
    """Parts of these lengths."""
    each = iter(values)
    return (tuple(islice(each, length)) for length in lengths)


def is_table(step: Step) -> bool:
    """Whether a loop has several names."""
    return isinstance(step, Repeat | Dense) and len(step.names) > 1


# --- one loop ------------------------------------------------------------------------------------


class Explaining:
    """One loop while its holes are explained. ``counts`` are the rounds of each row."""

    def __init__(self, loops: Loops, body: Merged, counts: tuple[int, ...]) -> None:
        self.loops, self.body, self.counts = loops, body, counts
        self.found: dict[str, Any] = {}
        self.outer: list[Hole] = []

    def loop(self) -> tuple[Step, tuple[Hole, ...]]:
        tests = [hole for hole in self.body.holes if hole.role == "when"]
        varying = [hole for hole in self._unlike(self.body.holes) if hole not in tests and not self._is_kept(hole)]
        counted = {hole.variable.name: form for hole in varying if (form := self._form(hole)) is not None}
        if len(counted) == len(varying):
            return self._over_range(varying, counted, tests), tuple(self.outer)
        return self._over_table(varying, tests), tuple(self.outer)

    def _unlike(self, holes: Sequence[Hole]) -> Iterator[Hole]:
        """The holes without those that have the values of another, which are written as that. It does not follow from
        the input then, if that is not the same for both."""
        groups: dict[str, list[Hole]] = {}
        for hole in sorted(holes, key=_is_value):
            key = repr((_is_number(hole), [(type(value).__name__, value) for value in hole.values]))
            groups.setdefault(key, []).append(hole)
        for one, *others in groups.values():
            self.found |= {hole.variable.name: one.variable for hole in others}
            yield one if all(ratios(hole) == ratios(one) for hole in others) else replace(one, given=())

    def _rows(self, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The values of each row."""
        return [*parted(values, self.counts)]

    def _is_kept(self, hole: Hole) -> bool:
        """Whether a hole follows from one value in each row, which is a hole of the outer round then."""
        rows = self._rows(hole.values)
        if all(alike_values(value, row[0]) for row in rows for value in row):
            self.found[hole.variable.name] = self._hole(hole, [row[0] for row in rows])
            return True
        factors = ratios(hole)
        rows = self._rows(factors)
        if not factors or not all(value == row[0] for row in rows for value in row):
            return False
        factor = self._hole(replace(hole, argument="factor"), [row[0] for row in rows])
        self.found[hole.variable.name] = operation("*", as_expr(factor), Ref("input.channels"))
        return True

    def _hole(self, hole: Hole, values: Sequence[Any]) -> Any:
        """A value of the outer round, or the same for all of them."""
        if all(alike_values(value, values[0]) for value in values):
            return values[0]
        made = replace(hole, variable=self.loops.variable(), values=tuple(values), given=())
        self.outer.append(made)
        return made.variable

    def _form(self, hole: Hole) -> Counted | First | None:
        """How a hole follows from the number of the round."""
        rows = self._rows(hole.values)
        if hole.role == "number":
            return counted(rows)
        if found := progress(hole.values, self.loops.rates):
            return counted(self._rows(found.steps), found)
        return first(rows) if len(rows) > 1 else None

    # --- loops -----------------------------------------------------------------------------------

    def _over_range(self, varying: Sequence[Hole], forms: Mapping[str, Counted | First], tests: Sequence[Hole]) -> Step:
        """A loop that counts."""
        times = self._hole(Hole(self.loops.variable(), self.counts, "times"), self.counts)
        if not varying and not tests:
            return self._step(times=times)
        starts = [
            form.starts[0]
            for form in forms.values()
            if isinstance(form, Counted) and form.progress is None and len({*form.starts}) == 1
        ]
        start = starts[0] if starts else 0
        index = Ref(self.loops.names.index(self.body.steps))
        for hole in varying:
            self.found[hole.variable.name] = self._in_round(hole, forms[hole.variable.name], index, start)
        for test in tests:
            self.found[test.variable.name] = _test(index, range(start, start + len(test.values)))
        end = added(as_expr(times), start)
        return self._step(names=(index.name,), over=Applied(Ref("range"), (Lit(start), end) if start else (end,)))

    def _in_round(self, hole: Hole, form: Counted | First, index: Ref, start: int) -> Expr:
        """The value of a hole in the round with an index."""
        if isinstance(form, First):
            one = self._hole(hole, form.first)
            return choice(Op("==", (index, Lit(start))), as_expr(one), as_expr(form.later))
        before = replace(hole, role="number", argument="before") if form.progress else hole
        number = added(index, self._hole(before, [begin - start for begin in form.starts]))
        return form.progress.expr(number) if form.progress else number

    def _over_table(self, varying: Sequence[Hole], tests: Sequence[Hole]) -> Step:
        """A loop over a list of values, or a table of several columns."""
        columns: list[Hole] = []
        for test in tests:
            number = next((hole for hole in varying if _is_number(hole) and _rises(hole.values)), None)
            if number is None:
                raise Unlike  # that the last width is the largest, say, is no reason
            self.found[test.variable.name] = _test(number.variable, number.values)
        for hole in varying:
            formula = derived(hole, columns)
            if formula is None:
                columns.append(hole)
            else:
                self.found[hole.variable.name] = formula
        columns.sort(key=_is_value)
        names = self.loops.names.columns(columns, self.body.steps)
        self.found |= {hole.variable.name: Ref(name) for hole, name in zip(columns, names)}
        rows = [*zip(*(self._rows(hole.values) for hole in columns))]
        tables = [tuple(zip(*row)) if len(columns) > 1 else row[0] for row in rows]
        over = self._hole(Hole(self.loops.variable(), (), "over", argument=names[0] if len(names) == 1 else ""), tables)
        return self._step(names=tuple(names), over=over)

    def _step(self, **loop: Any) -> Step:
        steps = filled(self.body.steps, _resolved(self.found))
        given = next((given for step in steps if (given := getattr(step, "given", ()))), ())
        match steps:
            case (Branch((Arm(()), Arm(inner, True, (), None)), "concat", 1, False, "", _),) if inner:
                return Dense(inner, given=given, **loop)
        return Repeat(steps, given=given, **loop)


def _rises(values: Sequence[Any]) -> bool:
    """Whether numbers only grow."""
    return all(type(value) is int for value in values) and all(a < b for a, b in pairwise(values))


def _is_number(hole: Hole) -> bool:
    """Whether a hole is a number in a name, or counts like one."""
    values = hole.values
    return hole.role == "number" or (len(values) > 2 and values == (*range(1, len(values) + 1),))


def _is_value(hole: Hole) -> bool:
    """Whether a hole is not just the number in a name."""
    return hole.role != "number"


def _test(name: Ref, values: Sequence[int]) -> Expr:
    """Whether a round is not the last."""
    return Op("<", (name, Lit(values[-1])))


def _resolved(found: Mapping[str, Any]) -> dict[str, Any]:
    """What is found for variables, without variables that something is found for."""
    made = {**found}
    while (further := {name: replaced(value, made) for name, value in made.items()}) != made:
        made = further
    return made


# --- runs inside of steps ------------------------------------------------------------------------

_PLACEHOLDER = hidden("run")


def _without_runs(items: Items) -> tuple[Steps, tuple[Run, ...]]:
    """Steps with a placeholder for each run, and the runs."""
    runs: list[Run] = []

    def change(inner: Items) -> Steps:
        return tuple(without(item) for item in inner)

    def without(item: Any) -> Step:
        if not isinstance(item, Run):
            return cast(Step, inside(item, change))
        runs.append(item)
        return Named(_PLACEHOLDER)

    return change(items), tuple(runs)


def _with_loops(steps: Steps, loops: Iterator[Steps]) -> Steps:
    """Steps with loops for the placeholders, in order."""
    made: list[Step] = []
    for step in steps:
        if isinstance(step, Named) and step.name == _PLACEHOLDER:
            made += next(loops)
        else:
            made.append(inside(step, lambda inner: _with_loops(inner, loops)))
    return tuple(made)
