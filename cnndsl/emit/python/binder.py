"""How the values that differ between the uses of a class become its constructor's parameters."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cnndsl.emit.python.text import annotation, literal
from cnndsl.emit.python.unify import ABSENT, Rounds, Slot, Unlike
from cnndsl.emit.python.uses import NO_DEFAULT
from cnndsl.graph.graph import Module
from cnndsl.layers import LAYERS
from cnndsl.spec.document import Block
from cnndsl.spec.expression import Environment, Expression, Fault, Literal, Unknown, Value, evaluate

#: Names that a parameter or variable of the emitted source may not have.
RESERVED = frozenset({"self", "nn", "torch", "Tensor", "super", "range", "layers", "i", "list", "type"})
_BUILTINS = frozenset({"min", "max", "abs", "round", "int", "len", "sum"})


def safe(name: str) -> str:
    return f"{name}_" if name in RESERVED else name


@dataclass(frozen=True, slots=True)
class Reference:
    """A value that is a Python name: a layer as a parameter, ``act=nn.ReLU``."""

    name: str

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an emitted constructor, with its value in each use."""

    name: str
    values: tuple[Any, ...]
    default: Any = NO_DEFAULT
    #: The parameter of the block that it is, if it is one.
    of_block: str | None = None

    @property
    def text(self) -> str:
        if any(isinstance(value, Reference) for value in self.values):
            kind = "type[nn.Module]"
        else:
            known = tuple(value for value in self.values if value is not ABSENT)
            kind = annotation(known if self.default is NO_DEFAULT else (*known, self.default))
        default = "" if self.default is NO_DEFAULT else f" = {literal(self.default)}"
        return f"{self.name}: {kind}{default}"


@dataclass(slots=True)
class Binder:
    """Finds an expression over the constructor's parameters for every slot of one class."""

    uses: Sequence[Module]
    block: Block | None
    candidates: list[Parameter] = field(default_factory=list)
    taken: dict[str, Parameter] = field(default_factory=dict)
    #: Parameters that a loop has changed, so that they no longer are what was passed.
    changed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        first = self.uses[0].input.shape
        if all(use.input.shape.rank == first.rank for use in self.uses):
            name = "in_channels" if first.rank > 2 else "in_features"
            self.candidates.append(Parameter(name, tuple(use.input.shape.channels for use in self.uses)))
        for parameter in self.block.parameters if self.block else ():
            values = tuple(_reference(use.params.get(parameter.name)) for use in self.uses)
            default = parameter.default.value if isinstance(parameter.default, Literal) else NO_DEFAULT
            if isinstance(parameter.default, Expression) and parameter.default.text in LAYERS:
                default = parameter.default.text
            known = Parameter(safe(parameter.name), values, _reference(default), parameter.name)
            if known.name == self.candidates[0].name and known.values != self.candidates[0].values:
                self.candidates[0] = Parameter(f"actual_{known.name}", self.candidates[0].values)
            self.candidates.append(known)

    # --- parameters ------------------------------------------------------------------------------

    def parameters(self) -> tuple[Parameter, ...]:
        """Those that were taken: the input's first, then in the block's order, defaults last."""
        order = {parameter.name: index for index, parameter in enumerate(self.candidates)}
        required = [p for p in self.taken.values() if p.default is NO_DEFAULT]
        optional = [p for p in self.taken.values() if p.default is not NO_DEFAULT]
        ranked = sorted(required, key=lambda p: order.get(p.name, len(order)))
        return (*ranked, *sorted(optional, key=lambda p: order[p.name]))

    def take(self, parameter: Parameter) -> str:
        self.taken[parameter.name] = parameter
        return parameter.name

    def expression(self, slot: Slot, owner: str = "") -> str:
        """Python for a slot that has one value in each use. ``owner`` is the child that it is of."""
        values = tuple(map(_reference, slot.values))
        if slot.constant and ABSENT not in values:
            return literal(values[0])
        written = self._written(slot.written, values)
        if written is not None:
            return written
        if slot.constant:
            return literal(_reference(slot.first))
        usable = [p for p in self.candidates if p.name not in self.changed]
        ordered = usable if slot.inferred else [*usable[1:], *usable[:1]]
        for parameter in (*ordered, *self.taken.values()):
            if parameter.name not in self.changed and _agree(values, parameter.values):
                return self.take(parameter)
        for parameter in ordered:
            if (factor := _factor(values, parameter.values)) is not None:
                return f"{self.take(parameter)} * {factor}"
        return self.take(Parameter(self._fresh(slot.name, owner), values))

    def _fresh(self, name: str, owner: str) -> str:
        known = {p.name for p in self.candidates} | set(self.taken) | RESERVED
        options = [name, f"{owner}_{name}"] if owner.isidentifier() else [name]
        return next(
            option
            for option in (*options, *(f"{name}{number}" for number in range(2, 10_000)))
            if option not in known
        )

    # --- expressions of the spec -----------------------------------------------------------------

    def _written(self, written: Value | None, values: tuple[Any, ...]) -> str | None:
        """The spec's own expression, if it says the values by the block's parameters alone."""
        if not isinstance(written, Expression):
            return None
        for use, value in zip(self.uses, values):
            try:
                found = evaluate(written, Environment(use.params, LAYERS, use.input.shape.sample))
            except (Fault, Unknown):
                return None
            if value is not ABSENT and _reference(found) != value:
                return None
        rewriter = _Rewriter(self)
        try:
            text = ast.unparse(rewriter.visit(ast.parse(written.text, mode="eval").body))
        except Unlike:
            return None
        for parameter in rewriter.mentioned:
            self.take(parameter)
        return text.replace("'", '"')

    # --- loops -----------------------------------------------------------------------------------

    def in_rounds(self, slot: Slot, rounds: Rounds, owner: str, carried: dict[str, str]) -> str:
        """Python for a slot inside of a loop.

        The value may be the same in all rounds of a use, or one thing first and another thereafter:
        then the first is a parameter that the loop changes, which ``carried`` notes, or it grows by
        the same step in every round.
        """
        spans = [slot.values[s : s + n] for s, n in zip(rounds.starts, rounds.times.values)]
        if slot.constant:
            return literal(_reference(slot.first))
        if all(len(set(span)) <= 1 for span in spans):
            return self.expression(self._per_use(slot, [span[0] if span else ABSENT for span in spans]), owner)
        first = self._per_use(slot, [span[0] if span else ABSENT for span in spans])
        if all(len(set(span[1:])) <= 1 for span in spans):
            rest = self._per_use(slot, [span[1] if len(span) > 1 else ABSENT for span in spans])
            start, then = self.expression(first, owner), self.expression(rest, owner)
            if start in self.taken and carried.setdefault(start, then) == then:
                return start
            return f"{start} if i == 0 else {then}"
        steps = [{b - a for a, b in zip(span, span[1:])} if _numbers(span) else {None} for span in spans]
        if any(len(step) > 1 or None in step for step in steps):
            raise Unlike
        step = self._per_use(slot, [next(iter(step), ABSENT) for step in steps])
        grown = self.expression(Slot(f"{slot.name}_step", step.values, None), owner)
        return f"{self.expression(first, owner)} + i * {grown}"

    @staticmethod
    def _per_use(slot: Slot, values: Sequence[Any]) -> Slot:
        return Slot(slot.name, tuple(values), slot.written, slot.inferred)


class _Rewriter(ast.NodeTransformer):
    """The spec's notation as Python over a constructor's parameters. Raises Unlike where that fails."""

    def __init__(self, binder: Binder) -> None:
        self.binder = binder
        self.known = {p.of_block: p for p in binder.candidates if p.of_block and p.name not in binder.changed}
        self.mentioned: list[Parameter] = []

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id not in self.known:
            raise Unlike
        self.mentioned.append(self.known[node.id])
        return ast.Name(self.known[node.id].name, ast.Load())

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        source = self.binder.candidates[0] if self.binder.candidates else None
        wanted = {"channels": "in_channels", "features": "in_features"}.get(node.attr)
        if source is None or source.name != wanted or source.name in self.binder.changed:
            raise Unlike
        self.mentioned.append(source)
        return ast.Name(source.name, ast.Load())

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if not isinstance(node.func, ast.Name) or node.func.id not in _BUILTINS:
            raise Unlike
        return ast.Call(node.func, [self.visit(argument) for argument in node.args], [])

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, str) and ("'" in node.value or '"' in node.value or "\\" in node.value):
            raise Unlike
        return node

    def visit_List(self, node: ast.List) -> ast.AST:
        return ast.Tuple([self.visit(item) for item in node.elts], ast.Load())

    def visit_Pow(self, node: ast.Pow) -> ast.AST:
        raise Unlike

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        if any(isinstance(side, ast.Constant) and side.value is None for side in node.comparators):
            identity = {ast.Eq: ast.Is, ast.NotEq: ast.IsNot}
            node = ast.Compare(node.left, [identity.get(type(op), type(op))() for op in node.ops], node.comparators)
        return self.generic_visit(node)


def _reference(value: Any) -> Any:
    """A layer's name as what Python calls it."""
    return Reference(LAYERS[value].constructor) if isinstance(value, str) and value in LAYERS else value


def _agree(values: tuple[Any, ...], others: tuple[Any, ...]) -> bool:
    return all(value is ABSENT or (type(value) is type(other) and value == other) for value, other in zip(values, others))


def _factor(values: tuple[Any, ...], others: tuple[Any, ...]) -> int | None:
    """The whole number by which ``others`` are multiplied to give ``values``."""
    pairs = [(value, other) for value, other in zip(values, others) if value is not ABSENT]
    if not all(type(value) is type(other) is int and other > 0 and value % other == 0 for value, other in pairs):
        return None
    factors = {value // other for value, other in pairs}
    factor = factors.pop()
    return factor if not factors and factor in (2, 3, 4) else None


def _numbers(values: Sequence[Any]) -> bool:
    return all(type(value) is int for value in values)
