"""``forward``: the operations of a module as the lines that a person would write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from cnndsl.emit.python.binder import safe
from cnndsl.emit.python.text import literal
from cnndsl.emit.python.unify import Slot, Unlike
from cnndsl.emit.python.uses import Key, Keyed
from cnndsl.graph.graph import Apply, Merge, Module, Split, Tensor

Ref: TypeAlias = tuple[Key, int]
#: How long an expression may become, and how many calls deep, before it gets a line of its own.
LONG, DEEP = 66, 3
INFIX = {"add": "+", "multiply": "*"}


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation over all uses. ``optional`` names the flag, or the child that may be None,
    which tells whether it runs; if not, its first input goes on."""

    key: Key
    item: Apply | Module | Merge | Split
    arm: str
    inputs: tuple[Ref, ...]
    optional: str = ""


@dataclass(frozen=True, slots=True)
class Flow:
    """The data flow of a class: operations in order, and what is returned, by name."""

    operations: tuple[Operation, ...]
    inputs: Mapping[Ref, str]
    returned: Mapping[str, Ref]
    flags: Mapping[str, Slot]


def unify_flow(uses: Sequence[Sequence[Keyed]], inputs: Sequence[Mapping[str, Tensor]], outputs: Sequence[Mapping[str, Tensor]]) -> Flow:
    """The data flow that all uses of a class share. Raises :class:`Unlike`."""
    names = {((-1,), index): name for index, name in enumerate(inputs[0])}
    refs: list[dict[int, Ref]] = []
    for use, given in zip(uses, inputs):
        made = {id(tensor): ((-1,), index) for index, tensor in enumerate(given.values())}
        for op in use:
            for index, tensor in enumerate(_outputs(op.item)):
                made[id(tensor)] = (op.key, index)
        refs.append(made)
    by_key = [{op.key: op for op in use} for use in uses]
    through: dict[Key, Ref] = {}
    operations: list[Operation] = []
    flags: dict[str, Slot] = {}
    for key in sorted({key for use in by_key for key in use}):
        members = [use.get(key) for use in by_key]
        taken = [
            tuple(made[id(tensor)] for tensor in member.item.inputs) if member else None
            for member, made in zip(members, refs)
        ]
        agreed = tuple(_agree(column, through) for column in zip(*[refs_ for refs_ in taken if refs_ is not None]))
        present = [member for member in members if member is not None]
        _alike(present)
        optional = ""
        if len(present) < len(members):
            optional = _optional(present[0], tuple(member is not None for member in members), flags)
            through[key] = agreed[0]
        operations.append(Operation(key, present[0].item, present[0].arm, agreed, optional))
    returned = {
        name: _agree([made[id(given[name])] for made, given in zip(refs, outputs)], through) for name in outputs[0]
    }
    return Flow(tuple(operations), names, returned, flags)


def _outputs(item: Apply | Module | Merge | Split) -> tuple[Tensor, ...]:
    return item.outputs if isinstance(item, Split) else (item.output,)


def _agree(found: Sequence[Ref], through: Mapping[Key, Ref]) -> Ref:
    """The one value that several uses mean, where an operation that a use lacks passes its input on."""
    last = max(found)
    for ref in found:
        passed = last
        while passed != ref:
            if passed[0] not in through:
                raise Unlike
            passed = through[passed[0]]
    return last


def _alike(present: Sequence[Keyed]) -> None:
    """Raises Unlike where operations of one key do not read the same in all uses."""
    texts = {_signature(member.item) for member in present}
    if len(texts) > 1:
        raise Unlike


def _signature(item: Apply | Module | Merge | Split) -> tuple[Any, ...]:
    match item:
        case Merge():
            return (item.kind, item.dim, len(item.inputs))
        case Split():
            return ("even", len(item.sizes)) if len(set(item.sizes)) == 1 else item.sizes
    return (item.name,)


def _optional(operation: Keyed, present: tuple[bool, ...], flags: dict[str, Slot]) -> str:
    """What tells whether an operation that some uses lack is there."""
    item = operation.item
    step: Any = item.step
    if isinstance(item, (Apply, Module)) and step is not None and step.when is not None and not item.reuse:
        return item.name
    if isinstance(item, Merge) and hasattr(step, "shortcut") and not isinstance(step.shortcut, tuple):
        flag = "use_shortcut" if not flags else f"use_shortcut{len(flags) + 1}"
        flags[flag] = Slot(flag, present, step.shortcut)
        return flag
    raise Unlike


# --- lines ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Pending:
    """An expression that its one taker has not taken up yet."""

    text: str
    depth: int
    reads: frozenset[str]
    ref: Ref
    arm: str = ""
    infix: bool = False


def write_forward(flow: Flow) -> list[str]:
    """The lines of the body of ``forward``."""
    return _Writer(flow).write()


@dataclass(slots=True)
class _Writer:
    """Goes through the operations once. Values that are used once, next, stay expressions; the others
    are assigned to variables, and a variable is taken again when its value is no longer needed."""

    flow: Flow
    lines: list[str] = field(default_factory=list)
    variables: dict[Ref, str] = field(default_factory=dict)
    pending: list[Pending] = field(default_factory=list)
    left: Counter[Ref] = field(default_factory=Counter)
    named: dict[Ref, str] = field(default_factory=dict)

    def write(self) -> list[str]:
        flow = self.flow
        self.variables |= dict(flow.inputs)
        for operation in flow.operations:
            self.left.update(operation.inputs)
            if operation.item.step is not None and operation.item.step.name is not None:
                self.named[operation.key, 0] = safe(operation.item.name)
        self.left.update(flow.returned.values())
        for index, operation in enumerate(flow.operations):
            following = flow.operations[index + 1] if index + 1 < len(flow.operations) else None
            self.operation(operation, following)
        self.lines.append(f"return {self.returned()}")
        return self.lines

    def returned(self) -> str:
        returned = self.flow.returned
        if len(returned) == 1:
            return self.take(*returned.values())[0].text
        self.flush()
        return "{" + ", ".join(f"{literal(name)}: {self.variables[ref]}" for name, ref in returned.items()) + "}"

    def operation(self, operation: Operation, following: Operation | None) -> None:
        ref = (operation.key, 0)
        if isinstance(operation.item, Split):
            return self.split(operation, operation.item)
        if operation.optional:
            return self.optional(operation, ref)
        taken = self.take(*operation.inputs)
        expression = self.apply(operation, taken)
        reads = frozenset().union(*(part.reads for part in taken))
        depth = 1 + max(part.depth for part in taken)
        item = operation.item
        activation = isinstance(item, Apply) and item.layer.family == "activation" and depth > 1
        infix = isinstance(item, Merge) and item.kind in INFIX
        self.pending.append(Pending(expression, depth, reads, ref, operation.arm, infix))
        last = following is None and ref in self.flow.returned.values() and self.left[ref] == 1
        wanted = following is not None and ref in following.inputs and not following.optional
        single = self.left[ref] == 1 and (wanted or operation.arm != "")
        if not last and (not single or activation or depth >= DEEP or len(expression) > LONG):
            self.flush()

    def apply(self, operation: Operation, taken: list[Pending]) -> str:
        item = operation.item
        if not isinstance(item, Merge):
            return f"self.{item.name}({taken[0].text})"
        if item.kind == "concat":
            return f"torch.cat([{', '.join(part.text for part in taken)}], {item.dim})"
        sign = INFIX[item.kind]
        return f" {sign} ".join(f"({part.text})" if part.infix else part.text for part in taken)

    def split(self, operation: Operation, item: Split) -> None:
        value = self.take(*operation.inputs)[0].text
        names = [self.name((operation.key, index), f"branch{index + 1}") for index in range(len(item.sizes))]
        even = len(set(item.sizes)) == 1
        how = f"chunk({len(names)}, 1)" if even else f"split({literal(item.sizes)}, 1)"
        self.lines.append(f"{', '.join(names)} = {value}.{how}")

    def optional(self, operation: Operation, ref: Ref) -> None:
        self.flush()
        first, *others = [self.variables[ref_] for ref_ in operation.inputs]
        self.left.subtract(operation.inputs)
        if isinstance(operation.item, Merge):
            name = self.name(ref, operation.arm, prefer=first)
            if name != first:
                self.lines.append(f"{name} = {first}")
            self.lines.append(f"if self.{operation.optional}:")
            self.lines.append(f"    {name} = {' + '.join([first, *others])}")
            return
        name = self.name(ref, operation.arm, prefer=first)
        child = f"self.{operation.item.name}"
        if name == first:
            self.lines += [f"if {child} is not None:", f"    {name} = {child}({first})"]
        else:
            self.lines.append(f"{name} = {first} if {child} is None else {child}({first})")

    # --- values ----------------------------------------------------------------------------------

    def take(self, *refs: Ref) -> list[Pending]:
        """The operands of an operation as expressions. Pending ones are taken up if they are the
        last that were written, in this order, so that everything runs in the order of the graph."""
        waiting = [ref for ref in refs if ref not in self.variables]
        start = len(self.pending) - len(waiting)
        if waiting != [part.ref for part in self.pending[start:]]:
            self.flush()
            start = 0
        parts = {part.ref: part for part in self.pending[start:]}
        del self.pending[start:]
        operands = []
        for ref in refs:
            self.left[ref] -= 1
            if ref in parts:
                operands.append(parts[ref])
            else:
                name = self.variables[ref]
                operands.append(Pending(name, 0, frozenset({name}), ref))
        return operands

    def flush(self) -> None:
        """Gives every pending expression a variable."""
        pending, self.pending = self.pending, []
        for index, part in enumerate(pending):
            reads = frozenset().union(*(later.reads for later in pending[index + 1 :]))
            name = self.name(part.ref, part.arm, avoid=reads)
            self.lines.append(f"{name} = {part.text}")

    def name(self, ref: Ref, arm: str, avoid: frozenset[str] = frozenset(), prefer: str = "") -> str:
        """A variable for a value: the name that the spec gives to what is fetched later, one whose
        value is no longer needed, or a new one."""
        live = {name for other, name in self.variables.items() if self.left[other] > 0} | avoid
        live = live.union(*(part.reads for part in self.pending))
        first = next(iter(self.flow.inputs.values()))
        named = self.named.get(ref, "") if self.left[ref] > 1 else ""
        options = [prefer, named, *([arm] if arm else [first]), first, "y", "z", *(f"x{number}" for number in range(2, 10_000))]
        name = next(option for option in options if option and option not in live)
        self.variables = {other: held for other, held in self.variables.items() if held != name}
        self.variables[ref] = name
        return name


