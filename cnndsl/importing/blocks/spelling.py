"""Explained slots as the text of a block: its parameters, its ``let``, and what is written for each hole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from cnndsl.emit.source.expr import Expr, Lit, Ref, free_names, substitute
from cnndsl.importing.alike import ABSENT, Alike, Hole, alike_values, filled, of_layers
from cnndsl.importing.blocks.formulas import key
from cnndsl.importing.blocks.names import free, identifier
from cnndsl.importing.blocks.search import Search, given, has, kept, sizes_in
from cnndsl.importing.blocks.slots import Slot, slots_of, with_counts, with_optional_layers
from cnndsl.importing.blocks.use import Column, Use, plain
from cnndsl.importing.tree import Arguments, Block, LayerValue, Let, Parameter, Steps, names_in
from cnndsl.record import Record

#: How arguments end that say how wide a layer is: what most uses give is no default.
_WIDTHS = ("channels", "features", "inner")
#: What sizes of the input are called in a ``let``.
_SIZES = {"input.channels": "width", "input.features": "width"}
#: What comparisons with the input are called in a ``let``.
_CONDITIONS = {"!=": "changes", "or": "changes", "==": "same", "and": "same"}


class Explained(Record, frozen=True):
    """A block, and the arguments of each use."""

    block: Block
    calls: tuple[Arguments, ...]


def explained(found: Alike, uses: Sequence[Use]) -> Explained:
    """The block of uses whose trees are ``found``, without a name yet, and how each use calls it."""
    rows = _rows(found.holes, uses)
    firsts = [*dict.fromkeys(rows)]
    steps, holes = with_counts(found.steps, [_of_rows(hole, firsts) for hole in found.holes])
    slots = slots_of(holes)
    steps = with_optional_layers(steps, slots)
    search = Search([uses[row] for row in firsts], slots, {*names_in(steps)})
    search.run()
    spelling = _Spelling(search, [rows.count(row) for row in firsts])
    steps = spelling.spelled(steps)
    parameters = spelling.signature()
    each = {row: _call(parameters, search.parameters, place) for place, row in enumerate(firsts)}
    calls = tuple(each[row] for row in rows)
    tree = uses[0].tree
    return Explained(Block("", parameters, steps, tree.inputs, tree.outputs), calls)


def _rows(holes: Sequence[Hole], uses: Sequence[Use]) -> list[int]:
    """For each use the first one that is equal to it in all that formulas look at."""
    known = [dict(plain(use.arguments)) for use in uses]
    firsts: dict[Any, int] = {}
    rows = []
    for row, use in enumerate(uses):
        values = (
            tuple((hole.values[row], hole.given and hole.given[row]) for hole in holes),
            tuple(known[row].items()),
        )
        rows.append(firsts.setdefault(key((*values, use.given)), row))
    return rows


def _of_rows(hole: Hole, rows: Sequence[int]) -> Hole:
    given = tuple(hole.given[row] for row in rows) if hole.given else ()
    return replace(hole, values=tuple(hole.values[row] for row in rows), given=given)


def _call(parameters: Sequence[Parameter], values: Mapping[str, Column], row: int) -> Arguments:
    """The arguments of a use: those that are not the default."""
    given = [(parameter, values[parameter.name][row]) for parameter in parameters]
    return tuple(
        (parameter.name, value)
        for parameter, value in given
        if value is not ABSENT and (parameter.required or not alike_values(value, parameter.default))
    )


class _Spelling(Struct):
    """``lets`` are the formulas that are written once, by name; ``counts`` says how many uses are equal to each."""

    search: Search
    counts: Sequence[int]
    lets: dict[str, Expr] = field(default_factory=dict)

    def spelled(self, steps: Steps) -> Steps:
        """The steps with what explains each hole, after the ``let`` that this needs."""
        self._keep_sizes()
        self._name()
        slots = self.search.slots
        found = {hole.variable.name: _data(self._at(hole, slot.expr)) for slot in slots for hole in slot.holes}
        made = filled(steps, found)
        return (Let(tuple(self.lets.items())), *made) if self.lets else made

    # --- what is kept ----------------------------------------------------------------------------

    def _keep_sizes(self) -> None:
        """Sizes that some place needs which does not have them. A formula of these alone that is used once needs no
        ``let`` of its own."""
        sizes = self.search.sizes
        for slot in self.search.slots:
            if slot not in self.search.kept:
                for size in sizes_in(free_names(slot.expr)):
                    if not all(has(hole, size, sizes[size]) for hole in slot.holes):
                        self.lets.setdefault(self._size_name(size), Ref(size))
        for number, slot in enumerate(self.search.kept):
            names = {self._size_name(size) for size in sizes_in(free_names(slot.expr))}
            if len(slot.holes) == 1 and names and names <= {*self.lets}:
                self._put(kept(number), slot.expr)

    def _size_name(self, size: str) -> str:
        return free(_SIZES.get(size, size.removeprefix("input.")), {*self.search.parameters, *self.search.taken})

    def _put(self, variable: Ref, expr: Expr) -> None:
        """Writes an expression where a variable is."""
        for slot in self.search.slots:
            slot.expr = substitute(slot.expr, {variable.name: expr})

    # --- names -----------------------------------------------------------------------------------

    def _name(self) -> None:
        """Gives their names to the parameters that ``__init__`` does not know, and to the formulas in a ``let``, which
        may be of each other."""
        search = self.search
        lets = [(kept(number), slot) for number, slot in enumerate(search.kept) if self._is_let(slot)]
        named = [slot for slot in search.slots if _is_own(slot.expr) or any(slot is one for _, one in lets)]
        names = self._names(named)
        for slot in named:
            if _is_own(slot.expr):
                self._rename(slot.expr, names[id(slot)])
        for variable, slot in lets:
            self.lets[names[id(slot)]] = self._in_let(slot.expr)
            slot.expr = Ref(names[id(slot)])
            self._put(variable, slot.expr)

    def _names(self, slots: Sequence[Slot]) -> dict[int, str]:
        """A name for each slot, by its identity, that no other has; a ``let`` has none that a step has."""
        taken, names = {*self.search.parameters, *self.search.taken, *self.lets}, dict[int, str]()
        widths = _names_of_widths(self.search.slots)
        for slot in slots:
            wanted = widths.get(id(slot), slot.wanted)
            if slot.is_test and not _is_own(slot.expr) and wanted != "keeps":
                wanted = _CONDITIONS.get(getattr(slot.expr, "sign", ""), f"use_{wanted}")
            names[id(slot)] = free(wanted, taken)
            taken.add(names[id(slot)])
        return names

    def _is_let(self, slot: Slot) -> bool:
        sizes = sizes_in(free_names(slot.expr))
        return len(slot.holes) > 1 or not {self._size_name(size) for size in sizes} <= {*self.lets}

    def _rename(self, variable: Any, name: str) -> None:
        parameters = self.search.parameters
        renamed = {name if old == variable.name else old: values for old, values in parameters.items()}
        parameters.clear()
        parameters.update(renamed)
        self._put(variable, Ref(name))
        self.lets = {old: substitute(expr, {variable.name: Ref(name)}) for old, expr in self.lets.items()}

    # --- values ----------------------------------------------------------------------------------

    def _in_let(self, expr: Expr) -> Expr:
        """A formula at the beginning of the block."""
        return self._with_sizes(expr, lambda size: True)

    def _at(self, hole: Hole, expr: Expr) -> Expr:
        """A formula where a hole is."""
        return self._with_sizes(expr, lambda size: has(hole, size, self.search.sizes[size]))

    def _with_sizes(self, expr: Expr, there: Any) -> Expr:
        """A formula with the sizes of the block's input: those that are kept, or those of the tensor there."""
        names: dict[str, Expr] = {}
        for size in sizes_in(free_names(expr)):
            name = self._size_name(size)
            assert name in self.lets or there(size)
            names[given(size).name] = Ref(name if name in self.lets else size)
        return substitute(expr, names)

    # --- parameters ------------------------------------------------------------------------------

    def signature(self) -> tuple[Parameter, ...]:
        """The parameters in the order of ``__init__``, then the others; those with a default at the end."""
        names = [name for name in self.search.arguments if name in self.search.parameters]
        names += [name for name in self.search.parameters if name not in names]
        return tuple(sorted(map(self._parameter, names), key=lambda parameter: not parameter.required))

    def _parameter(self, name: str) -> Parameter:
        """A parameter. Its default is None if some uses have no layer there, torch's own, or what most uses give."""
        values = self.search.parameters[name]
        present = [value for value, count in zip(values, self.counts) if value is not ABSENT for _ in range(count)]
        often = Counter(map(key, present))
        most = max(present, key=lambda value: often[key(value)])
        share = often[key(most)] / len(present)
        is_plain = not (isinstance(most, LayerValue) and most.arguments)
        if None in present and not (is_plain and share > 2 / 3):
            return Parameter(name, None, False)
        usual, is_wide = self._usual(name, present)
        if usual is not ABSENT:
            return Parameter(name, usual, False)
        if is_plain and not is_wide and share > 1 / 2:
            return Parameter(name, most, False)
        return Parameter(name) if ABSENT not in values else Parameter(name, _nothing(most), False)

    def _usual(self, name: str, present: Sequence[Any]) -> tuple[Any, bool]:
        """torch's own default of the argument that a parameter is, if several uses have it, else ABSENT; and whether
        the parameter says how wide a layer is."""
        names = {name, *(one for one, expr in self.lets.items() if name in free_names(expr))}
        holes = [hole for slot in self.search.slots if names & free_names(slot.expr) for hole in slot.holes]
        own = [hole for slot in self.search.slots if slot.expr == Ref(name) for hole in slot.holes]
        defaults = [of_layers(hole.word).get(hole.argument, ABSENT) for hole in own if hole.role == "argument"]
        several = [default for default in defaults if sum(alike_values(value, default) for value in present) > 1]
        return (several[0] if several else ABSENT), any(hole.argument.endswith(_WIDTHS) for hole in holes)


def _names_of_widths(slots: Sequence[Slot]) -> dict[int, str]:
    """Names of numbers of channels, by the slots' identities: ``channels`` is that of the last layer, and if there are
    several parts with names, ``branch2_channels`` that of the last layer in such a part."""
    widths = [slot for slot in slots if slot.wanted == "channels"]
    parts = {slot.around for slot in widths}
    prefixes = {
        id(slot): f"{identifier(slot.around)}_" if slot.around and parts - {slot.around} else "" for slot in widths
    }
    last = {prefixes[id(slot)]: slot for slot in widths}
    return {
        id(slot): f"{prefixes[id(slot)]}{'channels' if last[prefixes[id(slot)]] is slot else 'inner'}"
        for slot in widths
    }


def _data(expr: Expr) -> Any:
    """A value as the trees have it."""
    return expr.value if isinstance(expr, Lit) else expr


def _is_own(expr: Expr) -> bool:
    return isinstance(expr, Ref) and expr.name.startswith("own ")


def _nothing(value: Any) -> Any:
    """What a parameter is where nobody reads it."""
    return type(value)(0) if isinstance(value, (int, float)) else None
