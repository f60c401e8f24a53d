"""The holes of a class's uses as parameters and formulas.

Holes that have the same value in all uses are one slot. A slot is explained by a formula over parameters and the
sizes of the input if there is one (:mod:`~cnndsl.importing.formulas`), else by an argument of ``__init__``, which
becomes a parameter; and else it is a parameter of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from msgspec import Struct, field

from cnndsl.emit.source.expr import NONE, Expr, Op, Ref, free_names, hidden, substitute, weight
from cnndsl.importing.alike import ABSENT, Alike, Hole, alike_values, filled, input_sizes, of_layers
from cnndsl.importing.formulas import Known, simplest
from cnndsl.importing.names import free, wanted
from cnndsl.importing.tree import Arguments, Block, Call, LayerValue, Let, Parameter, Steps, When, walk, with_values
from cnndsl.layers import LAYERS
from cnndsl.record import Record

#: What a new parameter adds to the cost of a formula: one of ``__init__``, and one that it does not know. A condition
#: is worth a longer formula.
_NEW, _OWN, _NEW_TEST, _OWN_TEST = 4, 8, 10, 14
#: What a height or width costs, and a size that has to be kept in a ``let``.
_SPATIAL, _KEPT = 3, 1
#: Arguments that are never a default because they say how wide a layer is.
_WIDTHS = ("out_channels", "out_features")


#: Arguments that may follow from the height and width of a tensor.
_SPATIAL_ARGUMENTS = ("kernel_size", "output_size", "size", "stride", "padding", "normalized_shape")


class Use(Record, frozen=True):
    """One use of a class: what it does, the arguments of its ``__init__`` as far as they are known, and the shape of
    its first input, with the batch."""

    tree: Block
    arguments: Mapping[str, Any]
    given: tuple[int, ...]


class Explained(Record, frozen=True):
    """A block, and the arguments of each use."""

    block: Block
    calls: tuple[Arguments, ...]


class _Slot(Struct, eq=False):
    """Holes with one value. ``values`` are those of all uses, ABSENT where no hole is."""

    holes: list[Hole]
    values: tuple[Any, ...]
    #: The formula, over parameters, sizes of the input here, and sizes of the block's input, which are hidden.
    expr: Expr | None = None

    @property
    def is_test(self) -> bool:
        return all(isinstance(value, bool) for value in self.values if value is not ABSENT)

    @property
    def present(self) -> tuple[bool, ...]:
        return tuple(value is not ABSENT for value in self.values)


def explained(name: str, found: Alike, uses: Sequence[Use]) -> Explained:
    """The block of uses whose trees are ``found``, and how each use calls it."""
    return _Search(name, found, uses).result()


class _Search(Struct):
    name: str
    found: Alike
    uses: Sequence[Use]
    steps: Steps = ()
    slots: list[_Slot] = field(default_factory=list)
    #: The values of each parameter in each use.
    parameters: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    #: The arguments of ``__init__`` that may become parameters.
    arguments: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    #: The slots whose formulas are written once, and the names that they get.
    kept: list[_Slot] = field(default_factory=list)
    lets: dict[str, _Slot] = field(default_factory=dict)

    def result(self) -> Explained:
        self.steps, self.slots = self.found.steps, _slots(self.found.holes)
        self.arguments = _varying(self.uses)
        self.taken = {name for step in walk(self.steps) for name in _bound(step)}
        self.optional_layers()
        # Conditions come last: they compare what the others are.
        for tests in (False, True):
            for slot in [slot for slot in self.slots if slot.is_test is tests]:
                self.explain(slot)
        self.rename()
        written = self.written()
        steps = filled(self.steps, written)
        order = self.order()
        parameters = tuple(self.parameter(name) for name in order)
        parameters = tuple(sorted(parameters, key=lambda parameter: not parameter.required))
        tree = self.uses[0].tree
        calls = tuple(_call(parameters, self.parameters, row) for row in range(len(self.uses)))
        return Explained(Block(self.name, parameters, steps, tree.inputs, tree.outputs), calls)

    # --- formulas --------------------------------------------------------------------------------

    def explain(self, slot: _Slot) -> None:
        """Sets the formula of a slot, if there is one that is worth it."""
        new, own = (_NEW_TEST, _OWN_TEST) if slot.is_test else (_NEW, _OWN)
        known = [*self.known(slot)]
        best = simplest(slot.values, known)
        others = [Known(Ref(name), values, new) for name, values in self.candidates(slot)]
        if (other := simplest(slot.values, [*known, *others])) and (best is None or other.cost < best.cost):
            best = other
        if best is None or best.cost > own:
            slot.expr = hidden("own", len(self.parameters))
            self.parameters[slot.expr.name] = slot.values
            return
        slot.expr = best.expr
        for name in sorted(free_names(best.expr) & {*self.arguments}):
            self.parameters.setdefault(name, self.arguments[name])
        if self.is_kept(slot):
            self.kept.append(slot)

    def is_kept(self, slot: _Slot) -> bool:
        """Whether a formula is written in a ``let``: it is used several times, or of a size that is not there. That of
        the tensor at its place is not."""
        names = free_names(cast(Expr, slot.expr))
        if weight(cast(Expr, slot.expr)) == 1 or any(name.startswith("input.") for name in names):
            return False
        sizes = [(size, values) for size, values in self.sizes() if hidden("given", size).name in names]
        return len(slot.holes) > 1 or not all(_has(hole, *size) for hole in slot.holes for size in sizes)

    def sizes(self, spatial: bool = True) -> list[tuple[str, tuple[Any, ...]]]:
        """The sizes of the block's input in each use."""
        return [*_sizes([use.given for use in self.uses], spatial)]

    def candidates(self, slot: _Slot) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """Arguments of ``__init__`` that are not parameters yet, first the one that has the slot's own name."""
        names = [name for name in self.arguments if name not in self.parameters and name not in self.taken]
        own = {hole.argument for hole in slot.holes} | {wanted(slot.holes[0])}
        for name in sorted(names, key=lambda name: name not in own):
            yield name, self.arguments[name]

    def known(self, slot: _Slot) -> Iterator[Known]:
        """Parameters, and sizes of the block's input and of the tensor here."""
        for name, values in self.parameters.items():
            yield Known(Ref(name), values)
        yield from (Known(hidden("kept", number), kept.values) for number, kept in enumerate(self.kept))
        spatial = any(hole.argument in _SPATIAL_ARGUMENTS for hole in slot.holes)
        for size, values in self.sizes(spatial):
            kept = 0 if all(_has(hole, size, values) for hole in slot.holes) else _KEPT
            yield Known(hidden("given", size), values, kept + _extra(size))
        if len({hole.given for hole in slot.holes}) == 1:
            for size, values in _sizes(slot.holes[0].given, spatial):
                yield Known(Ref(size), values, _extra(size))

    # --- parameters ------------------------------------------------------------------------------

    def optional_layers(self) -> None:
        """A layer that some uses lack is a parameter that is None there: ``act=None``."""
        made = []
        for step in self.steps:
            made.append(self.optional(step))
        self.steps = tuple(made)

    def optional(self, step: Any) -> Any:
        step = with_values(step, lambda value: value, lambda steps: tuple(map(self.optional, steps)))
        if not (isinstance(step, When) and len(step.steps) == 1 and not step.otherwise and isinstance(step.test, Ref)):
            return step
        (call,) = step.steps
        test = self.slot(step.test)
        if not isinstance(call, Call) or test is None or not test.is_test:
            return step
        word = self.slot(call.word) if isinstance(call.word, Ref) else None
        if word is None:
            if isinstance(call.word, str) and _is_optional(call.word) and len(test.holes) == 1:
                values = tuple(LayerValue(call.word) if there is True else None for there in test.values)
                test.holes = [_as_word(test.holes[0], call.word)]
                test.values = values
                layer = test.holes[0].variable
                return When(Op("is not", (layer, NONE)), (_with_word(call, layer),), (), step.given)
            return step
        word.values = tuple(None if value is ABSENT else value for value in word.values)
        test.holes = [hole for hole in test.holes if hole.variable != step.test]
        if not test.holes:
            self.slots.remove(test)
        return When(Op("is not", (call.word, NONE)), step.steps, (), step.given)

    def slot(self, variable: Ref) -> _Slot | None:
        return next((slot for slot in self.slots if any(hole.variable == variable for hole in slot.holes)), None)

    def rename(self) -> None:
        """Gives their names to the parameters that ``__init__`` does not know, and to formulas in a ``let``."""
        named = [slot for slot in self.slots if slot in self.kept or _is_own(slot.expr)]
        outer = [slot for slot in self.slots if _wanted(slot) == "channels"][-1:]
        taken, found = {*self.parameters, *self.taken}, dict[str, str]()
        for slot in named:
            name = _wanted(slot)
            made = free("inner" if name == "channels" and slot not in outer else name, taken)
            taken.add(made)
            old = hidden("kept", self.kept.index(slot)) if slot in self.kept else cast(Ref, slot.expr)
            found[old.name] = made
        self.parameters = {found.get(name, name): values for name, values in self.parameters.items()}
        new = {old: cast(Expr, Ref(name)) for old, name in found.items()}
        for slot in self.slots:
            slot.expr = substitute(cast(Expr, slot.expr), new)
        self.lets = {found[hidden("kept", number).name]: slot for number, slot in enumerate(self.kept)}

    def order(self) -> list[str]:
        """The parameters in the order of ``__init__``, then the others."""
        known = [name for name in self.arguments if name in self.parameters]
        return known + [name for name in self.parameters if name not in known]

    def parameter(self, name: str) -> Parameter:
        """A parameter; its default is what most uses give."""
        values = self.parameters[name]
        present = [value for value in values if value is not ABSENT]
        counts = [sum(alike_values(value, other) for other in present) for value in present]
        most = present[max(range(len(present)), key=counts.__getitem__)]
        wide = any(
            slot.expr is not None and name in free_names(slot.expr) and hole.argument in _WIDTHS
            for slot in self.slots
            for hole in slot.holes
        )
        plain = [value for value in present if not (isinstance(value, LayerValue) and value.arguments)]
        if None in present and (most not in plain or 3 * max(counts) <= 2 * len(present)):
            return Parameter(name, None, False)
        if (usual := self.usual(name, present)) is not ABSENT:
            return Parameter(name, usual, False)
        if most in plain and not wide and 2 * max(counts) > len(present):
            return Parameter(name, most, False)
        return Parameter(name) if len(present) == len(values) else Parameter(name, _nothing(most), False)

    def usual(self, name: str, present: Sequence[Any]) -> Any:
        """torch's own default of the argument that a parameter is, if several uses have it; else ABSENT."""
        for slot in self.slots:
            if slot.expr == Ref(name):
                for hole in slot.holes:
                    default = of_layers(hole.word).get(hole.argument, ABSENT)
                    if hole.role == "argument" and sum(alike_values(value, default) for value in present) > 1:
                        return default
        return ABSENT

    # --- the steps -------------------------------------------------------------------------------

    def written(self) -> dict[str, Any]:
        """What is written for each hole. What is kept in a ``let`` gets one before the steps."""
        found: dict[str, Any] = {}
        sizes: dict[str, tuple[str, Expr]] = {}
        for slot in self.slots:
            let = next((Ref(name) for name, kept in self.lets.items() if kept is slot), None)
            for hole in slot.holes:
                found[hole.variable.name] = let or self.at(hole, cast(Expr, slot.expr), sizes)
        lets = [*sizes.values()]
        for name, slot in self.lets.items():
            begin = {hidden("given", size).name: cast(Expr, Ref(size)) for size, _ in _sizes([self.uses[0].given])}
            lets.append((name, substitute(cast(Expr, slot.expr), begin)))
        if lets:
            self.steps = (Let(tuple(lets)), *self.steps)
        return found

    def at(self, hole: Hole, expr: Expr, kept: dict[str, tuple[str, Expr]]) -> Expr:
        """A formula where a hole is: sizes of the block's input are those of the tensor here, or they are kept."""
        names: dict[str, Expr] = {}
        for name in sorted(free_names(expr)):
            if " " not in name:
                continue
            size = name.split()[1]
            values = dict(self.sizes())[size]
            if _has(hole, size, values):
                names[name] = Ref(size)
            else:
                if name not in kept:
                    taken = {*self.parameters, *self.taken, *(made for made, _ in kept.values())}
                    kept[name] = free(_KEPT_NAMES.get(size, size.removeprefix("input.")), taken), Ref(size)
                names[name] = Ref(kept[name][0])
        return substitute(expr, names)


def _wanted(slot: _Slot) -> str:
    return "keeps" if any(hole.role == "shortcut" for hole in slot.holes) else wanted(slot.holes[0])


def _is_own(expr: Expr | None) -> bool:
    return isinstance(expr, Ref) and expr.name.startswith("own ")


def _nothing(value: Any) -> Any:
    """What a parameter is where nobody reads it."""
    return type(value)(0) if isinstance(value, (int, float)) else None


#: What sizes of the input are called in a ``let``.
_KEPT_NAMES = {"input.channels": "width", "input.features": "width"}


def _slots(holes: Sequence[Hole]) -> list[_Slot]:
    """Holes by their values: those that agree wherever both are."""
    slots: list[_Slot] = []
    for hole in holes:
        for slot in slots:
            if _agree(slot, hole):
                slot.holes.append(hole)
                slot.values = tuple(b if a is ABSENT else a for a, b in zip(slot.values, hole.values))
                break
        else:
            slots.append(_Slot([hole], hole.values))
    return slots


def _agree(slot: _Slot, hole: Hole) -> bool:
    """Whether a hole has the values of a slot; in uses that lack one of them, the other must have two values."""
    both = [(a, b) for a, b in zip(slot.values, hole.values) if a is not ABSENT and b is not ABSENT]
    if not both or not all(alike_values(a, b) for a, b in both):
        return False
    full = all((a is ABSENT) == (b is ABSENT) for a, b in zip(slot.values, hole.values))
    return full or any(not alike_values(a, both[0][0]) for a, _ in both)


def _varying(uses: Sequence[Use]) -> dict[str, tuple[Any, ...]]:
    """The arguments that all uses have and that differ, also the fields of objects among them."""
    rows = [dict(_plain(use.arguments)) for use in uses]
    names = [name for name in rows[0] if all(name in row for row in rows)]
    columns = {name: tuple(row[name] for row in rows) for name in names}
    return {name: values for name, values in columns.items() if any(not alike_values(v, values[0]) for v in values)}


def _plain(arguments: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Arguments that the language has: numbers, None, lists; of an object, those of its fields that are such."""
    for name, value in arguments.items():
        if _is_plain(value):
            yield _tidy(name), _data(value)
        elif isinstance(value, Mapping) or not (isinstance(value, type) or callable(value)):
            inner = value if isinstance(value, Mapping) else getattr(value, "__dict__", {})
            fields = ((str(key), one) for key, one in inner.items())
            yield from ((_tidy(key), _data(one)) for key, one in fields if key not in arguments and _is_plain(one))


def _is_plain(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return 0 < len(value) <= 8 and all(map(_is_plain, value))
    return value is None or isinstance(value, (int, float))


def _data(value: Any) -> Any:
    """A value as the trees have it."""
    if isinstance(value, (tuple, list)):
        return tuple(map(_data, value))
    return (
        value if value is None or isinstance(value, bool) else float(value) if isinstance(value, float) else int(value)
    )


def _tidy(name: str) -> str:
    return name.strip("_").lower() or name


def _sizes(given: Sequence[tuple[int, ...]], spatial: bool = True) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """The sizes of a tensor in each use, by the language's names."""
    rows = [input_sizes(shape) if shape else {} for shape in given]
    names = (
        ("input.channels", "input.height", "input.width")
        if any(len(shape) > 2 for shape in given)
        else ("input.features",)
    )
    for name in names:
        values = tuple(row.get(name, ABSENT) for row in rows)
        if any(value is not ABSENT for value in values):
            yield name, values


def _extra(size: str) -> int:
    return 0 if size in ("input.channels", "input.features") else _SPATIAL


def _has(hole: Hole, size: str, values: Sequence[Any]) -> bool:
    """Whether the tensor at a hole has the size that the block's input has."""
    here = dict(_sizes(hole.given)).get(size, ())
    return bool(here) and all(a is ABSENT or a == b for a, b in zip(here, values))


def _bound(step: Any) -> Iterator[str]:
    """The names that a step binds."""
    yield from getattr(step, "names", ())
    if isinstance(step, Let):
        yield from (name for name, _ in step.values)


def _is_optional(word: str) -> bool:
    return word in LAYERS and LAYERS[word].family in ("activation", "normalization")


def _as_word(hole: Hole, word: str) -> Hole:
    return Hole(hole.variable, hole.values, "word", word, "", hole.step, hole.given)


def _with_word(call: Call, word: Any) -> Call:
    return Call(word, call.arguments, call.name, call.inputs, call.options, call.given, call.module)


def _call(parameters: Sequence[Parameter], values: Mapping[str, Sequence[Any]], row: int) -> Arguments:
    """The arguments of a use: those that are not the default."""
    made = []
    for parameter in parameters:
        value = values[parameter.name][row]
        if value is not ABSENT and (parameter.required or not alike_values(value, parameter.default)):
            made.append((parameter.name, value))
    return tuple(made)


def length(steps: Steps) -> int:
    """How much text steps are, in words."""
    return sum(2 + sum(_words(value) for value in _values(step)) for step in walk(steps))


def _values(step: Any) -> list[Any]:
    """The values of a step, and the names of its arguments."""
    found: list[Any] = [name for name, _ in getattr(step, "arguments", ())]

    def seen(value: Any) -> Any:
        found.append(value)
        return value

    with_values(step, seen, lambda steps: steps)
    return found


def _words(value: Any) -> int:
    if value in ("", None, True, False) or value == ():
        return 0
    return weight(cast(Expr, value)) if isinstance(value, Record) and not isinstance(value, LayerValue) else 1
