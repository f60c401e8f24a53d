"""The variables of a class, and the expressions over them that give the values of its uses.

A formula comes from the spec, or from the step that made a tensor, never from equal numbers. It is used only if
it gives the right value in every use. What has no formula becomes a parameter of its own, which callers give.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, MutableMapping, Sequence
from itertools import chain
from typing import Any, TypeAlias

from msgspec import Struct, field

from cnndsl.emit.source.expr import (
    NONE,
    UNKNOWN,
    Expr,
    Lit,
    Opaque,
    Ref,
    Reference,
    all_same,
    free_names,
    is_formula,
    is_written,
    operation,
    same,
    substitute,
    text,
    value,
)
from cnndsl.emit.source.names import MAX_NAME, free, numbered, safe
from cnndsl.emit.source.program import REQUIRED, Parameter
from cnndsl.emit.source.tree import Misfit
from cnndsl.record import Record
from cnndsl.spec.values import CallValue

#: What depends on something that has no name.
UNSAID = Opaque(frozenset({"?"}))
#: The longest formula.
MAX_LENGTH = 60
#: The value of a slot in a row that does not have the operation.
ABSENT: Any = type("Absent", (), {"__repr__": lambda self: "absent"})()

#: The values of variables in one use, or in one round of it.
Row: TypeAlias = MutableMapping[str, Any]


def no_formula() -> None:
    return None


class Slot(Record, frozen=True):
    """One value over all rows, and its formula if there is one. A parameter for it is called ``name``, or after the
    ``owner`` too."""

    name: str
    values: tuple[Any, ...]
    formula: Callable[[], Expr | None] = no_formula
    owner: str = ""

    @property
    def known(self) -> list[Any]:
        return [value for value in self.values if value is not ABSENT]

    @property
    def is_constant(self) -> bool:
        return all_same(self.known)


class Variables(Struct):
    """``uses`` are the values of variables in each use, ``rows`` in each row, which belongs to the use in ``use_of``.
    ``knows`` are the parameters that the class may have, ``fresh`` those that it has besides, ``locals`` its
    constructor's own. No variable is called as one of ``taken``."""

    uses: Sequence[Row]
    taken: Collection[str]
    rows: Sequence[Row] = ()
    use_of: Sequence[int] = ()
    knows: dict[Any, Parameter] = field(default_factory=dict)
    fresh: dict[str, Parameter] = field(default_factory=dict)
    locals: dict[str, Expr] = field(default_factory=dict)
    misfit: Misfit | None = None
    #: Whether formulas are sought that may have hidden variables.
    trying: bool = False

    def __post_init__(self) -> None:
        self.rows, self.use_of = self.uses, range(len(self.uses))

    @property
    def names(self) -> set[str]:
        """The names that a new variable may not have."""
        return {*self.taken, *(parameter.name for parameter in self.knows.values()), *self.fresh, *self.locals}

    def know(self, key: Any, name: str, values: tuple[Any, ...], default: Any = REQUIRED) -> Expr:
        """A variable that may become a parameter; what is the same in all uses is a literal."""
        default, *alike = _alike((default, *values))
        parameter = Parameter(safe(name, self.names), tuple(alike), default)
        self.knows[key] = parameter
        for row, known in zip(self.rows, alike):
            row[parameter.name] = known
        return Lit(alike[0]) if parameter.is_constant else Ref(parameter.name)

    def see(self, key: Any, what: Ref, values: tuple[Any, ...]) -> Expr:
        """A value that formulas may depend on, but that is no parameter."""
        self.knows[key] = Parameter(what.name, values)
        for row, known in zip(self.rows, values):
            row[what.name] = known
        return Lit(values[0]) if self.knows[key].is_constant else what

    def local(self, name: str, formula: Expr) -> Ref:
        """A variable of the constructor."""
        self.locals[name] = formula
        for row in self.rows:
            row[name] = value(formula, row)
        return Ref(name)

    def expanded(self, expr: Expr) -> Expr:
        """An expression without the constructor's own variables."""
        for name, local in reversed(self.locals.items()):
            expr = substitute(expr, {name: local})
        return expr

    def used(self, mentioned: Collection[str]) -> tuple[Parameter, ...]:
        """The parameters among some names, those with defaults last."""
        every = (*self.knows.values(), *self.fresh.values())
        found = [parameter for parameter in every if parameter.name in mentioned]
        return tuple(sorted(found, key=lambda parameter: parameter.default is not REQUIRED))

    # --- binding ---------------------------------------------------------------------------------

    def bind(self, slot: Slot) -> Expr:
        """The expression that a slot is written as."""
        if slot.is_constant and (len(self.rows) == 1 or len(slot.known) == 0):
            return Lit(next(iter(slot.known), None))
        formula = slot.formula()
        if formula is not None and self._gives(formula, slot):
            return formula
        if slot.is_constant and formula is not None and not self._varies(formula):
            return Lit(slot.known[0])
        return self._parameter(slot)

    def known(self, slot: Slot) -> Expr:
        """What a name means that has the values of a slot."""
        formula = slot.formula()
        if formula is not None and self._gives(formula, slot):
            return formula
        calls = any(isinstance(one, CallValue) for one in slot.known)
        return Lit(slot.known[0]) if slot.is_constant and not calls else UNSAID

    def condition(self, slot: Slot) -> Expr:
        """The expression that is true in the rows where a slot is."""
        formula = slot.formula()
        if formula is not None and self._is_written(formula):
            found = [value(formula, row) for row in self.rows]
            if any(isinstance(one, Reference) for one in found):
                formula = operation("is not", formula, NONE)
            if all(w is ABSENT or (f is not UNKNOWN and bool(f) is w) for f, w in zip(found, slot.values)):
                return formula
        return self._parameter(slot)

    def _gives(self, formula: Expr, slot: Slot) -> bool:
        """Whether a formula can be written, and gives the wanted value wherever one is wanted."""
        if not self._is_written(formula):
            return False
        pairs = zip(slot.values, self.rows)
        return all(wanted is ABSENT or same(value(formula, row), wanted) for wanted, row in pairs)

    def _is_written(self, formula: Expr) -> bool:
        written = is_formula(formula) if self.trying else is_written(formula)
        return written and len(text(formula)) <= MAX_LENGTH

    def _varies(self, formula: Expr) -> bool:
        """Whether the value of a formula might differ in another use of the class."""
        return bool(free_names(formula)) and len(self.uses) > 1

    def _parameter(self, slot: Slot) -> Expr:
        """A new parameter for a slot that no formula gives."""
        values: dict[int, Any] = {}
        for use, wanted in zip(self.use_of, slot.values):
            if wanted is not ABSENT and not same(values.setdefault(use, wanted), wanted):
                self.misfit = self.misfit or Misfit(f"{slot.name} changes in a loop")
        default = REQUIRED if len(values) == len(self.uses) else slot.known[0]
        longer = f"{slot.owner}_{slot.name}"
        longer = longer if longer.isidentifier() and len(longer) <= MAX_NAME else slot.name
        name = free(chain([slot.name, longer], numbered(slot.name)), self.names)
        alike = tuple(values.get(use, default) for use in range(len(self.uses)))
        self.fresh[name] = Parameter(name, alike, default)
        for row, known in zip(self.uses, alike):
            row[name] = known
        return Ref(name)


def _alike(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values with integers converted to floats if any is a float."""
    if not any(isinstance(value, float) for value in values):
        return values
    return tuple(float(value) if type(value) is int else value for value in values)
