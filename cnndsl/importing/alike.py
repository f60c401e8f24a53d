"""Trees of steps laid side by side: one tree that has a hole wherever they differ.

The trees are the uses of a class, or the rounds of a loop. What is equal stays. A hole is a hidden variable of the
merged tree (:func:`~cnndsl.emit.source.expr.hidden`), so that what explains it can be put in its place by
:func:`filled`. Strict trees have the same steps, in the same structure; with ``lenient``, steps that some trees lack
are under a condition, a single step may be a ``Repeat`` of one round, and steps a ``Residual`` without a shortcut.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias, cast

from msgspec.structs import replace

from cnndsl.emit.source.expr import (
    UNKNOWN,
    Expr,
    Lit,
    Ref,
    Reference,
    all_same,
    free_names,
    hidden,
    parts,
    same,
    substitute,
    value,
    with_parts,
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
    walk,
    with_values,
)
from cnndsl.layers import LAYERS
from cnndsl.record import Record

#: The value of a hole in a tree that does not have the step.
ABSENT: Final[Any] = type("Absent", (), {"__repr__": lambda self: "absent"})()

#: What a step that has no partner costs, and what differs in steps that are partners.
_ALONE, _WORD, _NAME, _ARGUMENT, _MISSING, _WRAP = 10, 4, 6, 1, 2, 3
#: How many steps a residual may gain or lose when it is laid beside steps.
_SLACK = 2

#: The defaults of what a word calls: those of layers are torch's, those of blocks their parameters'.
Defaults: TypeAlias = Callable[[str], Mapping[str, Any]]


class Hole(Record, frozen=True):
    """Where trees differ: ``variable`` is there in the merged tree, and ``values`` what each tree has.

    ``role`` is "argument", "word" (the layer itself), "name", "tensor" (a name that ``from`` fetches), "number" (one in
    such a name), "when" (whether there is a step), "times", "over" (what a loop runs over), "shortcut", or the field of
    a step. ``word`` is the layer
    or block, ``argument`` its argument, ``step`` the name of the step, and ``given`` what enters it in each tree, () if
    it does not have it.
    """

    variable: Ref
    values: tuple[Any, ...]
    role: str
    word: str = ""
    argument: str = ""
    step: str = ""
    given: tuple[tuple[int, ...], ...] = ()

    @property
    def is_constant(self) -> bool:
        """Whether all trees that have the step have one value, which may be that of another hole."""
        present = [value for value in self.values if value is not ABSENT]
        return all(alike_values(value, present[0]) for value in present)


class Alike(Record, frozen=True):
    """The merged tree and its holes, in the order in which they are written."""

    steps: Steps
    holes: tuple[Hole, ...]

    @property
    def cost(self) -> int:
        """How unlike the trees are: holes, and steps that some lack count double."""
        return sum(2 if hole.role == "when" else 1 for hole in self.holes if not hole.is_constant)


def of_layers(word: str) -> Mapping[str, Any]:
    """The defaults of a layer's arguments; none for other words."""
    return LAYERS[word].arguments.defaults if word in LAYERS else {}


def alike(trees: Sequence[Steps], lenient: bool = False, defaults: Defaults = of_layers) -> Alike | None:
    """The tree of several trees, or None if they are too unlike."""
    walk = _Walk(len(trees), lenient, defaults)
    try:
        steps = walk.steps(trees)
    except _Unlike:
        return None
    return Alike(steps, tuple(walk.holes))


class _Unlike(Exception):
    """Trees differ where there can be no hole."""


#: The steps of each tree, None where the tree does not have the step around.
_Rows: TypeAlias = Sequence["Sequence[Any] | None"]
#: The step of each tree, None where there is none.
_Column: TypeAlias = Sequence[Any]


class _Place(Record, frozen=True):
    """Where a value is."""

    word: str = ""
    step: str = ""
    given: tuple[tuple[int, ...], ...] = ()


class _Walk:
    """One walk over all trees at once. A row is a tree."""

    def __init__(self, count: int, lenient: bool, defaults: Defaults) -> None:
        self.count, self.defaults = count, defaults
        self.columns = _Columns(lenient)
        self.holes: list[Hole] = []

    # --- values ----------------------------------------------------------------------------------

    def hole(self, values: Sequence[Any], place: _Place, role: str, argument: str = "") -> Ref:
        variable = hidden("hole", len(self.holes))
        word, step = place.word, place.step
        self.holes.append(Hole(variable, tuple(values), role, word, argument, step, place.given))
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
        if role in ("name", "tensor") and (parted := _numbered(present)):
            return self.text(values, parted, place)
        if all(_matches(one, first) for one in present):
            inner = [() if one is ABSENT else parts(cast(Expr, one)) for one in values]
            made = (
                self.value([row[at] if row else ABSENT for row in inner], place, role, argument)
                for at in range(len(parts(first)))
            )
            return with_parts(first, made)
        if _are_lists_of_formulas(present):
            rows = [(ABSENT,) * len(first) if one is ABSENT else one for one in values]
            return tuple(self.value(column, place, role, argument) for column in zip(*rows))
        known = [one if one is ABSENT else _known(one, given) for one, given in zip(values, self.givens(place))]
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
            raise _Unlike
        rows = [(ABSENT,) * count if one is ABSENT else one.parts for one in values]
        return templated(self.value(column, place, role, argument) for column in zip(*rows))

    def givens(self, place: _Place) -> Sequence[tuple[int, ...]]:
        return place.given or ((),) * self.count

    def fields(self, column: _Column, place: _Place, *names: str) -> dict[str, Any]:
        return {
            name: self.value([_field(step, name) for step in column], place, _ROLES.get(name, name)) for name in names
        }

    def exact(self, column: _Column, *names: str) -> None:
        """Refuses steps whose fields differ where there can be no hole."""
        present = [step for step in column if step is not None]
        for name in names:
            if not all(alike_values(getattr(step, name), getattr(present[0], name)) for step in present):
                raise _Unlike

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
            raise _Unlike
        return defaults[name]

    # --- steps -----------------------------------------------------------------------------------

    def steps(self, rows: _Rows) -> Steps:
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

    def optional(self, taken: tuple[bool | None, ...], steps: Sequence[_Column], others: Sequence[_Column]) -> Step:
        """Steps that some rows lack, which may have others instead."""
        named = [step.name for column in steps for step in column if isinstance(step, _NAMED) and step.name]
        given = tuple(_given(steps, others, row) for row in range(self.count))
        word = next((step.word for column in steps for step in column if isinstance(step, Call)), "")
        name = named[0] if named and isinstance(named[0], str) else ""
        place = _Place(word if isinstance(word, str) else "", name, given)
        test = self.hole([ABSENT if one is None else one for one in taken], place, "when")
        inner, otherwise = (tuple(self.step(column) for column in columns) for columns in (steps, others))
        return When(test, inner, otherwise, next(filter(None, given), ()))

    def step(self, column: _Column) -> Step:
        kind = next(type(step) for step in column if step is not None)
        names = [step.name for step in column if isinstance(step, _NAMED)]
        givens = tuple(getattr(step, "given", ()) for step in column)
        place = _Place(step=names[0] if names and isinstance(names[0], str) else "", given=givens)
        made = cast(Step, getattr(self, kind.__name__.lower())(column, place))
        return replace(made, given=next(filter(None, givens), ())) if any(givens) else made

    def call(self, column: _Column, place: _Place) -> Call:
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

    def other_layers(self, column: _Column, place: _Place) -> tuple[Any, Arguments]:
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

    def tensors(self, column: _Column, place: _Place) -> tuple[Any, ...]:
        rows = [() if step is None else step.inputs for step in column]
        count = max(map(len, rows))
        padded = [row if step is not None else (ABSENT,) * count for row, step in zip(rows, column)]
        if any(len(row) != count for row in padded):
            raise _Unlike
        return tuple(self.value(values, place, "tensor") for values in zip(*padded))

    def name(self, column: _Column, place: _Place) -> Any:
        return self.value([_field(step, "name") for step in column], place, "name")

    def inside(self, column: _Column) -> Steps:
        return self.steps([None if step is None else step.steps for step in column])

    def sequential(self, column: _Column, place: _Place) -> Sequential:
        return Sequential(self.inside(column), **self.fields(column, place, "name"))

    def residual(self, column: _Column, place: _Place) -> Residual:
        steps, names = self.inside(column), self.fields(column, place, "name")
        shortcuts = [_field(step, "shortcut") for step in column]
        if not any(_is_steps(one) for one in shortcuts):
            return Residual(steps, self.value(shortcuts, place, "shortcut"), **names)
        rows = [None if one is ABSENT else () if one is True else one for one in shortcuts]
        if not all(row is None or _is_steps(row) for row in rows):
            raise _Unlike
        return Residual(steps, self.steps(rows), **names)

    def branch(self, column: _Column, place: _Place) -> Branch:
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
            raise _Unlike
        self.exact(arms, "names")
        steps = self.steps([None if arm is None else arm.steps for arm in arms])
        over = self.value([ABSENT if arm is None else arm.over for arm in arms], place, "over")
        return Arm(steps, self.value(whens, place, "when"), present[0].names, over)

    def loop(self, column: _Column, place: _Place) -> dict[str, Any]:
        self.exact(column, "names")
        names = next(step.names for step in column if step is not None)
        return {"steps": self.inside(column), "names": names, **self.fields(column, place, "times", "over")}

    def repeat(self, column: _Column, place: _Place) -> Repeat:
        return Repeat(**self.loop(column, place))

    def dense(self, column: _Column, place: _Place) -> Dense:
        return Dense(**self.loop(column, place), **self.fields(column, place, "name"))

    def named(self, column: _Column, place: _Place) -> Named:
        return Named(self.name(column, place))

    def reuse(self, column: _Column, place: _Place) -> Reuse:
        return Reuse(
            **self.fields(column, place, "module"), inputs=self.tensors(column, place), name=self.name(column, place)
        )

    def let(self, column: _Column, place: _Place) -> Let:
        rows = [None if step is None else step.values for step in column]
        return Let(self.arguments(rows, [""] * self.count, place))

    def when(self, column: _Column, place: _Place) -> When:
        test = self.value([_field(step, "test") for step in column], place, "when")
        otherwise = self.steps([None if step is None else step.otherwise for step in column])
        return When(test, self.inside(column), otherwise)


# ``from`` is a keyword of Python's, so the method of ``From`` has its name from here.
def _from(self: _Walk, column: _Column, place: _Place) -> From:
    return From(self.value([_field(step, "tensor") for step in column], place, "tensor"))


setattr(_Walk, "from", _from)

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


def _is_steps(shortcut: Any) -> bool:
    return isinstance(shortcut, tuple)


def _given(steps: Sequence[_Column], others: Sequence[_Column], row: int) -> tuple[int, ...]:
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


def alike_values(one: Any, other: Any) -> bool:
    """Whether two values are written alike: 1 is not 1.0."""
    if isinstance(one, Record) or isinstance(other, Record):
        return bool(one == other)
    if _is_steps(one) and _is_steps(other):
        return len(one) == len(other) and all(map(alike_values, one, other))
    return type(one) is type(other) and same(one, other)


def _numbered(texts: Sequence[Any]) -> list[list[str | int]]:
    """The parts of texts that differ only in numbers; none for other values."""
    parts = [re.split(r"(\d+)", text) if isinstance(text, str) else [] for text in texts]
    if len({*map(len, parts)}) > 1 or not parts[0]:
        return []
    made: list[Sequence[str | int]] = []
    for at, column in enumerate(zip(*parts)):
        if len({*column}) == 1:
            made.append(column)
        elif at % 2 == 0 or any(str(int(number)) != number for number in column):
            return []
        else:
            made.append([int(number) for number in column])
    return [[part for part in row if part != ""] for row in zip(*made)]


def _matches(one: Any, other: Any) -> bool:
    """Whether two expressions have the same form, so that holes may be inside."""
    if (
        isinstance(one, Lit | Ref | LayerValue | Template)
        or type(one) is not type(other)
        or not isinstance(one, Record)
    ):
        return False
    plain = all(
        getattr(one, name, None) == getattr(other, name, None) for name in ("sign", "names", "brackets", "keys")
    )
    return plain and len(parts(cast(Expr, one))) == len(parts(other)) > 0


def _are_lists_of_formulas(values: Sequence[Any]) -> bool:
    """Whether values are lists of one length with formulas in them, which may differ in parts."""
    if not all(isinstance(one, tuple) for one in values) or len({*map(len, values)}) > 1:
        return False
    return any(isinstance(item, Record) and not isinstance(item, LayerValue) for one in values for item in one)


def _known(one: Any, given: tuple[int, ...]) -> Any:
    """A value as data. Raises :class:`_Unlike` for an expression over more than the input's sizes."""
    if isinstance(one, tuple):
        return tuple(_known(item, given) for item in one)
    if not isinstance(one, Record) or isinstance(one, LayerValue | Reference):
        return one
    if isinstance(one, Template):
        raise _Unlike
    found = value(cast(Expr, one), input_sizes(given))
    if found is UNKNOWN or not free_names(cast(Expr, one)) <= {*input_sizes(given)}:
        raise _Unlike
    return found


def input_sizes(given: tuple[int, ...]) -> dict[str, Any]:
    """The sizes of a tensor by the names of the language, of the shape with its batch."""
    shape = given[1:]
    spatial = dict(zip(("width", "height", "depth"), reversed(shape[1:])))
    sizes = {"channels": shape[0], "features": shape[-1], "shape": shape, **spatial} if shape else {}
    return {f"input.{name}": size for name, size in sizes.items()}


# --- columns -------------------------------------------------------------------------------------


class _Columns:
    """Which steps of the trees are beside each other: the cheapest edits between siblings, tree by tree."""

    def __init__(self, lenient: bool) -> None:
        self.lenient = lenient
        self.costs: dict[tuple[int, int], tuple[Any, Any, int | None]] = {}

    def of(self, rows: _Rows) -> list[_Column]:
        """The columns of steps, which are of one kind each."""
        present = [row for row in rows if row is not None]
        if len({*map(len, present)}) == 1 and self.plain(present):
            each = iter(zip(*present)) if present[0] else iter(())
            return [tuple(_dealt(rows, column)) for column in each]
        if not self.lenient:
            raise _Unlike
        return self.merged(rows)

    def plain(self, rows: Sequence[Sequence[Any]]) -> bool:
        return all(
            type(a) is type(b) and self.distance(a, b) is not None for row in rows[1:] for a, b in zip(rows[0], row)
        )

    def merged(self, rows: _Rows) -> list[_Column]:
        """The columns of unlike rows: each row is laid beside those before it, the longest first."""
        columns: list[list[Any]] = []
        for number in _largest_first(rows):
            columns = self.joined(columns, rows[number] or (), number, len(rows))
        return [tuple(column) for column in columns]

    def joined(self, columns: list[list[Any]], steps: Sequence[Any], number: int, count: int) -> list[list[Any]]:
        firsts = tuple(next(step for step in column if step is not None) for column in columns)
        made = []
        for lefts, rights in self.pairs(firsts, steps):
            column = _wrapped(columns[lefts.start : lefts.stop], steps[rights.start : rights.stop], number, count)
            made.append(column)
        return made

    def pairs(self, a: Sequence[Any], b: Sequence[Any]) -> Iterator[tuple[range, range]]:
        """Which steps are partners, from the first to the last."""
        table = self.table(a, b)
        i, j, found = len(a), len(b), []
        while i or j:
            _, up, back = table[i, j]
            found.append((range(i - up, i), range(j - back, j)))
            i, j = i - up, j - back
        return reversed(found)

    def table(self, a: Sequence[Any], b: Sequence[Any]) -> dict[tuple[int, int], tuple[int, int, int]]:
        """For all pairs of beginnings: the cost of the cheapest edit, and how many steps its last part takes."""
        table = {(0, 0): (0, 0, 0)}
        for i in range(len(a) + 1):
            for j in range(len(b) + 1):
                if i or j:
                    table[i, j] = min(
                        (table[i - up, j - back][0] + cost, up, back) for up, back, cost in self.last(a[:i], b[:j])
                    )
        return table

    def last(self, a: Sequence[Any], b: Sequence[Any]) -> Iterator[tuple[int, int, int]]:
        """The ways to end an edit: how many steps each side takes, and the cost."""
        if a:
            yield 1, 0, alone(a[-1])
        if b:
            yield 0, 1, alone(b[-1])
        if a and b:
            if (cost := self.distance(a[-1], b[-1])) is not None:
                yield 1, 1, cost
            yield from ((1, count, cost) for count, cost in self.wraps(a[-1], b))
            yield from ((count, 1, cost) for count, cost in self.wraps(b[-1], a))

    def wraps(self, step: Step, others: Sequence[Any]) -> Iterator[tuple[int, int]]:
        """How many of the last steps may be what a step holds, and the cost."""
        if not _is_shell(step):
            return
        inner = cast("Repeat | Residual", step).steps
        slack = _SLACK if isinstance(step, Residual) else 0
        for count in range(max(1, len(inner) - slack), min(len(others), len(inner) + slack) + 1):
            if not any(isinstance(other, type(step)) for other in others[-count:]):
                yield count, _WRAP + self.edit(inner, others[-count:])

    def edit(self, a: Sequence[Any], b: Sequence[Any]) -> int:
        """What differs between two lists of steps."""
        if len(a) == len(b) and all(x is y for x, y in zip(a, b)):
            return 0
        return self.table(a, b)[len(a), len(b)][0]

    def distance(self, a: Step, b: Step) -> int | None:
        """What differs between two steps; None if they cannot be partners."""
        key = id(a), id(b)
        if key not in self.costs:
            self.costs[key] = a, b, self.between(a, b)  # with the steps, so that no other gets their id
        return self.costs[key][2]

    def between(self, a: Step, b: Step) -> int | None:
        if type(a) is not type(b):
            return None
        name = _naming(getattr(a, "name", ""), getattr(b, "name", ""))
        if name is None:
            return None
        if isinstance(a, Call):
            inner = _of_calls(a, cast(Call, b))
        elif isinstance(a, Branch):
            inner = self.of_branches(a, cast(Branch, b))
        elif isinstance(a, Residual):
            inner = self.of_residuals(a, cast(Residual, b))
        elif isinstance(a, From | Named | Reuse | Let):
            inner = 0 if alike_values(a, b) else _NAME
        elif isinstance(a, Repeat | Dense | Arm) and a.names != cast(Repeat, b).names:
            inner = None
        else:
            inner = self.inner(a.steps, cast(Sequential, b).steps)
        return None if inner is None else name + inner

    def inner(self, a: Steps, b: Steps) -> int | None:
        """What differs inside of two steps."""
        if self.lenient:
            return self.edit(a, b)
        found = [self.distance(x, y) for x, y in zip(a, b)] if len(a) == len(b) else [None]
        return None if None in found else sum(cast(list[int], found))

    def of_branches(self, a: Branch, b: Branch) -> int | None:
        if a.merge != b.merge or not (self.lenient or len(a.arms) == len(b.arms)):
            return None
        found = [self.inner(x.steps, y.steps) for x, y in zip(a.arms, b.arms)]
        if None in found:
            return None
        return sum(cast(list[int], found)) + _ALONE * abs(len(a.arms) - len(b.arms))

    def of_residuals(self, a: Residual, b: Residual) -> int | None:
        inner = self.inner(a.steps, b.steps)
        one, other = (() if shortcut is True else shortcut for shortcut in (a.shortcut, b.shortcut))
        if inner is None or alike_values(a.shortcut, b.shortcut):
            return inner
        if _is_steps(one) and _is_steps(other):
            shortcut = self.inner(one, other)
            return None if shortcut is None else inner + shortcut
        return (
            None
            if a.shortcut is not True and b.shortcut is not True and _is_steps(one) != _is_steps(other)
            else inner + 1
        )


def _is_shell(step: Step) -> bool:
    """Whether a step may be beside the steps that it holds."""
    if isinstance(step, Residual):
        return not _is_steps(step.shortcut)
    return isinstance(step, Repeat) and step.over is None


def _wrapped(columns: Sequence[list[Any]], steps: Sequence[Any], number: int, count: int) -> list[Any]:
    """One column of those of earlier rows and the steps of a row: what one side holds is put into a step like it."""
    like = _shell([next(step for step in column if step is not None) for column in columns], steps)
    made = [_in_shell([column[row] for column in columns if column[row] is not None], like) for row in range(count)]
    if steps:
        made[number] = _in_shell(steps, like)
    return made


def _shell(a: Sequence[Any], b: Sequence[Any]) -> Any:
    """The step that holds the steps of the other side; None if there is no such step."""
    if len(a) == len(b):
        return None if type(a[0]) is type(b[0]) else next(step for step in (*a, *b) if _is_shell(step))
    return a[0] if len(b) > 1 else b[0] if len(a) > 1 else None


def _in_shell(steps: Sequence[Any], like: Any) -> Any:
    """Steps as one step of the kind of another."""
    if not steps:
        return None
    if like is None or (len(steps) == 1 and type(steps[0]) is type(like)):
        return steps[0]
    given = getattr(steps[0], "given", ())
    return (
        Residual(tuple(steps), False, given=given)
        if isinstance(like, Residual)
        else Repeat(tuple(steps), 1, given=given)
    )


def _dealt(rows: Sequence[Any], values: Sequence[Any]) -> Iterator[Any]:
    each = iter(values)
    return (None if row is None else next(each) for row in rows)


def _largest_first(rows: Sequence[Sequence[Any] | None]) -> list[int]:
    present = [number for number, row in enumerate(rows) if row is not None]
    return sorted(present, key=lambda number: -len(rows[number] or ()))


def _naming(a: Any, b: Any) -> int | None:
    """What it costs that partners have other names; None if these are about other things."""
    if alike_values(a, b):
        return 0
    if not (isinstance(a, str) and isinstance(b, str)):
        return _NAME if isinstance(a, Template) and isinstance(b, Template) else None
    return _NAME if re.sub(r"\d+", "", a) == re.sub(r"\d+", "", b) and a and b else None


def _of_calls(a: Call, b: Call) -> int | None:
    if len(a.inputs) != len(b.inputs) or not alike_values(a.options, b.options):
        return None
    if not alike_values(a.word, b.word):
        family, same_name = _family(a.word), a.name != "" and a.name == b.name
        return _WORD if family == _family(b.word) and (family or same_name) else None
    one, other = dict(a.arguments), dict(b.arguments)
    differing = sum(not alike_values(one[name], other[name]) for name in one.keys() & other.keys())
    return _ARGUMENT * differing + _MISSING * len(one.keys() ^ other.keys())


def _family(word: Any) -> str:
    """What a layer is for: words of one family may take each other's place. That of blocks is ""."""
    return LAYERS[word].family if word in LAYERS else ""


def weight(steps: Sequence[Any]) -> int:
    """How many steps there are, also inside of others."""
    return sum(1 for _ in walk(tuple(steps)))


def alone(step: Any) -> int:
    """What a step without a partner costs."""
    return _ALONE * weight(step.steps if isinstance(step, Arm) else (step,)) + _ALONE * isinstance(step, Arm)


# --- what explains a hole ------------------------------------------------------------------------


def filled(steps: Steps, found: Mapping[str, Any]) -> Steps:
    """The steps with values for variables. A condition that is decided is no longer written."""
    made: list[Step] = []
    for step in steps:
        step = with_values(step, lambda given: replaced(given, found), lambda inner: filled(inner, found))
        if isinstance(step, When) and isinstance(step.test, bool):
            made += step.steps if step.test else step.otherwise
        else:
            made.append(replace(step, shortcut=True) if isinstance(step, Residual) and step.shortcut == () else step)
    return tuple(made)


def replaced(given: Any, found: Mapping[str, Any]) -> Any:
    """A value with others for its variables."""
    if isinstance(given, tuple):
        return tuple(replaced(one, found) for one in given)
    if isinstance(given, LayerValue):
        return LayerValue(given.word, tuple((name, replaced(one, found)) for name, one in given.arguments))
    if isinstance(given, Template):
        return templated(replaced(part, found) for part in given.parts)
    if isinstance(given, Ref):
        return found.get(given.name, given)
    if isinstance(given, Record) and not isinstance(given, Reference | Lit):
        names = {name: one if isinstance(one, Record) else Lit(one) for name, one in found.items()}
        made = substitute(cast(Expr, given), cast(Any, names))
        return made.value if isinstance(made, Lit) else made
    return given


def templated(pieces: Iterator[Any]) -> Any:
    """A text of texts and expressions: a text alone if all are known."""
    made: list[Any] = []
    for part in pieces:
        part = part.value if isinstance(part, Lit) else part
        if isinstance(part, Template):
            made += part.parts
        elif not isinstance(part, Record) and made and isinstance(made[-1], str):
            made[-1] += str(part)
        else:
            made.append(part if isinstance(part, Record) else str(part))
    return made[0] if len(made) == 1 and isinstance(made[0], str) else Template(tuple(made))
