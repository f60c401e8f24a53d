"""What explains the slots of a class: formulas and parameters.

A slot is explained by a formula over parameters and the sizes of the input if there is one, else by an argument of
``__init__``, which becomes a parameter; and else it is a parameter of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from cnndsl.emit.source.expr import Lit, Ref, free_names, hidden, weight
from cnndsl.importing.alike import ABSENT, Hole
from cnndsl.importing.blocks.formulas import Known, simplest
from cnndsl.importing.blocks.roles import WIDTH, follows, role_of
from cnndsl.importing.blocks.slots import Slot
from cnndsl.importing.blocks.use import Column, Use, sizes, varying

#: What a new parameter adds to the cost of a formula: one of ``__init__``, and one that it does not know. A condition
#: is worth a longer formula.
_NEW, _OWN, _NEW_TEST, _OWN_TEST = 4, 8, 10, 14
#: What a height or width costs, and a size that has to be kept in a ``let``.
_SPATIAL, _KEPT = 3, 1
#: Arguments that may follow from the height and width of a tensor.
_SPATIAL_ARGUMENTS = ("kernel_size", "output_size", "size", "stride", "padding", "normalized_shape")


def given(size: str) -> Ref:
    """The hidden variable for a size of the block's input."""
    return hidden("given", size)


def kept(number: int) -> Ref:
    """The hidden variable for the formula of a slot that is in a ``let``."""
    return hidden("kept", number)


class Search(Struct):
    """The slots are explained one after the other; ``taken`` are names that the steps bind."""

    uses: Sequence[Use]
    slots: list[Slot]
    taken: set[str]
    #: The values of each parameter in each use; those that ``__init__`` does not know are hidden.
    parameters: dict[str, Column] = field(default_factory=dict)
    #: What parameters that ``__init__`` does not know are for.
    roles: dict[str, str] = field(default_factory=dict)
    #: The arguments of ``__init__`` that may become parameters.
    arguments: dict[str, Column] = field(default_factory=dict)
    #: The slots whose formulas are written once, in a ``let``.
    kept: list[Slot] = field(default_factory=list)

    def run(self) -> None:
        """Gives each slot its expression. Conditions come last: they compare what the others are."""
        self.arguments = {name: values for name, values in varying(self.uses).items() if name not in self.taken}
        for slot in sorted(self.slots, key=lambda slot: slot.is_test):
            self.explain(slot)

    def explain(self, slot: Slot) -> None:
        if slot.constant is not ABSENT:
            slot.expr = Lit(slot.constant)
            return
        new, own = (_NEW_TEST, _OWN_TEST) if slot.is_test else (_NEW, _OWN)
        others = [self._parameter(name, values, new) for name, values in self.candidates(slot)]
        best = simplest(slot.values, [*_fitting(slot.role, (*self.known(slot), *others))])
        if best is None or best.cost > own:
            slot.expr = variable = hidden("own", len(self.parameters))
            self.parameters[variable.name] = slot.values
            self.roles[variable.name] = slot.role
            return
        slot.expr = best.expr
        for name in sorted(free_names(best.expr) & {*self.arguments}):
            self.parameters.setdefault(name, self.arguments[name])
        if self.is_kept(slot):
            self.kept.append(slot)

    def is_kept(self, slot: Slot) -> bool:
        """Whether a formula is written in a ``let``: it is used several times, or of a size that is not there."""
        names = free_names(slot.expr)
        if weight(slot.expr) <= (2 if slot.is_test else 1) or any(name.startswith("input.") for name in names):
            return False
        gone = any(not has(hole, size, self.sizes[size]) for hole in slot.holes for size in sizes_in(names))
        return len(slot.holes) > 1 or gone

    @property
    def sizes(self) -> dict[str, Column]:
        """The sizes of the block's input in each use."""
        return dict(sizes([use.given for use in self.uses]))

    def candidates(self, slot: Slot) -> list[tuple[str, Column]]:
        """Arguments of ``__init__`` that are not parameters yet, first the one that has the slot's own name."""
        names = [name for name in self.arguments if name not in self.parameters]
        own = {hole.argument for hole in slot.holes} | {slot.wanted}
        return [(name, self.arguments[name]) for name in sorted(names, key=lambda name: name not in own)]

    def known(self, slot: Slot) -> Iterator[Known]:
        """Parameters, sizes of the block's input, and those of the tensor here. Of formulas that are as simple, one of
        the first is taken."""
        yield from (self._parameter(name, values) for name, values in self.parameters.items())
        yield from (Known(kept(number), one.values, 0, one.role) for number, one in enumerate(self.kept))
        spatial = any(hole.argument in _SPATIAL_ARGUMENTS for hole in slot.holes)
        for size, values in sizes([use.given for use in self.uses], spatial):
            there = all(has(hole, size, values) for hole in slot.holes)
            yield _size(given(size), size, values, 0 if there else _KEPT)
        if len({hole.given for hole in slot.holes}) == 1:
            for size, values in sizes(slot.holes[0].given, spatial):
                yield _size(Ref(size), size, values)

    def _parameter(self, name: str, values: Column, cost: int = 0) -> Known:
        return Known(Ref(name), values, cost, self.roles.get(name) or role_of(name, values))


def _size(variable: Ref, size: str, values: Column, cost: int = 0) -> Known:
    is_spatial = size not in ("input.channels", "input.features")
    return Known(variable, values, cost + _SPATIAL * is_spatial, "size" if is_spatial else WIDTH, is_size=True)


def _fitting(role: str, known: Iterable[Known]) -> Iterator[Known]:
    """The variables from which a value with a role may follow."""
    for one in known:
        if how := follows(role, one.role):
            yield replace(one, exact=how == "equal")


def sizes_in(names: frozenset[str]) -> list[str]:
    """The sizes of the block's input among the names in a formula."""
    return sorted(name.split()[1] for name in names if name.startswith("given "))


def has(hole: Hole, size: str, values: Column) -> bool:
    """Whether the tensor at a hole has the size that the block's input has."""
    here = dict(sizes(hole.given)).get(size, ())
    return bool(here) and all(a is ABSENT or a == b for a, b in zip(here, values))
