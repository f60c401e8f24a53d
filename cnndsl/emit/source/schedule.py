"""``forward``: the data flow of a class as statements that a person would write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from itertools import count as numbers_from
from itertools import groupby, takewhile

from msgspec import Struct, field
from msgspec.structs import replace

from cnndsl.emit.source.expr import NONE, Call, Expr, If, Index, Items, Lit, Op, Ref, free_names, text
from cnndsl.emit.source.held import Held
from cnndsl.emit.source.layout import BODY_WIDTH
from cnndsl.emit.source.names import numbered, safe
from cnndsl.emit.source.program import Assign, Do, Return, Statement, When
from cnndsl.emit.source.tree import INPUTS, Aligned, Choice, Leaf, Nodes, choices, insides, leaves
from cnndsl.emit.source.tree import Ref as Wire
from cnndsl.graph.graph import Apply, Merge, Module, Split
from cnndsl.record import Record

#: How long an expression may become, and how many calls deep, before it gets its own line. Operands
#: of ``+`` and ``*`` must be shorter.
LONG, LONG_INFIX, DEEP = 66, 52, 3
#: Longer names of the spec do not become variables.
MAX_NAME = 24
INFIX = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}


class Task(Record, frozen=True):
    """One operation of ``forward``."""

    number: int
    leaf: Leaf
    inputs: tuple[Wire, ...]

    @property
    def is_infix(self) -> bool:
        return isinstance(self.leaf.first, Merge) and self.leaf.first.kind in INFIX


class Condition(Record, frozen=True):
    """Operations that run if a test is true, and give the first of ``results``; if not, the second is passed on. A
    branch that is not always there has one result."""

    number: int
    test: Expr
    body: tuple[Task, ...]
    results: tuple[Wire, ...]

    @property
    def inputs(self) -> tuple[Wire, ...]:
        """The values that it takes."""
        own = {task.number for task in self.body}
        taken = [wire for task in self.body for wire in task.inputs if wire[0] not in own]
        return (*taken, *(wire for wire in self.results if wire[0] not in own and wire not in taken))


def _tasks(nodes: Nodes, flags: Mapping[int, str]) -> Iterator[Task | Condition]:
    """The operations in order."""
    for node in nodes:
        match node:
            case Leaf():
                yield Task(node.number, node, node.inputs)
            case Choice(then=then, otherwise=otherwise) if any(leaves(otherwise)):
                (leaf,) = leaves(then)
                yield Task(node.number, leaf, leaf.inputs)
            case Choice():
                body = tuple(Task(leaf.number, leaf, leaf.inputs) for leaf in leaves(node.then))
                child = next((task.leaf.first.name for task in body if task.leaf.is_child), "")
                flag = flags.get(node.number)
                test: Expr = Ref(f"self.{flag}") if flag else Op("is not", (Ref(f"self.{child}"), NONE))
                yield Condition(node.number, test, body, node.results)
            case _:
                for inner in insides(node):
                    yield from _tasks(inner, flags)


def schedule(
    aligned: Aligned, flags: Mapping[int, str], is_root: bool
) -> tuple[tuple[str, ...], tuple[Statement, ...]]:
    """The inputs of ``forward``, and its statements."""
    names: list[str] = []
    for name in aligned.inputs:
        names.append(safe(name, names))
    found = [*leaves(aligned.nodes)]
    held = Held(leaf.first.name for leaf in found if leaf.is_child)
    writer = _Writer(names, _needed(aligned, flags), aligned.returned, aligned.marks, is_root, held)
    return tuple(names), tuple(writer.write())


def _needed(aligned: Aligned, flags: Mapping[int, str]) -> list[Task | Condition]:
    """All operations except merges and splits that nothing uses; layers always run."""
    found = [*_tasks(aligned.nodes, flags)]
    # What a side of a choice makes is what the choice gives.
    sides = ((choice, leaf) for choice in choices(aligned.nodes) for leaf in leaves((*choice.then, *choice.otherwise)))
    same = {leaf.number: choice.number for choice, leaf in sides if (leaf.number, 0) in choice.results}
    wanted = {*aligned.returned.values()}
    needed: list[Task | Condition] = []
    for task in reversed(found):
        if isinstance(task, Task):
            made = {(task.number, index) for index in range(len(task.leaf.first.outputs))}
            if isinstance(task.leaf.first, (Merge, Split)) and not made & wanted:
                continue
            inputs = tuple((same.get(number, number), index) for number, index in task.inputs)
            task = replace(task, inputs=inputs)
        else:
            task = _renumbered(task, same)
        wanted |= {*task.inputs}
        needed.append(task)
    return needed[::-1]


def _renumbered(task: Condition, same: Mapping[int, int]) -> Condition:
    """A condition whose inputs come from choices, not from their sides."""
    own = {one.number for one in task.body}

    def wire(number: int, index: int) -> Wire:
        return (number if number in own else same.get(number, number)), index

    body = tuple(replace(one, inputs=tuple(wire(*taken) for taken in one.inputs)) for one in task.body)
    return replace(task, body=body, results=tuple(wire(*result) for result in task.results))


class Pending(Struct):
    """An expression that its only user has not used yet; a variable has depth 0."""

    code: Expr
    depth: int
    wire: Wire
    arm: str = ""

    @property
    def reads(self) -> frozenset[str]:
        return frozenset(name for name in free_names(self.code) if "." not in name)


class _Writer(Struct):
    """Goes through the operations once. A value that only the next operation uses stays an expression; other
    values are assigned to variables. A variable is reused when its value is no longer needed.
    Everything runs in the order of the graph."""

    inputs: Sequence[str]
    tasks: Sequence[Task | Condition]
    returned: Mapping[str, Wire]
    marks: Mapping[Wire, str]
    is_root: bool
    children: Held
    #: Branches that are not always there, until they are merged.
    arms: dict[int, Condition] = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)
    #: The variable of each value, and the values that each variable has held since it was last assigned.
    variables: dict[Wire, Expr] = field(default_factory=dict)
    held: dict[str, list[Wire]] = field(default_factory=dict)
    pending: list[Pending] = field(default_factory=list)
    #: How many uses of a value are still to come.
    left: Counter[Wire] = field(default_factory=Counter)
    named: dict[Wire, str] = field(default_factory=dict)
    #: Numbers below it are in use: ``x2`` and so on.
    number: int = 2

    def write(self) -> list[Statement]:
        for place, name in enumerate(self.inputs):
            self.assign(name, {(INPUTS, place): Ref(name)})
        for task in self.tasks:
            self.left.update(task.inputs)
            for one in task.body if isinstance(task, Condition) else (task,):
                self.left.update(wire for wire in one.inputs if one is not task and wire not in task.inputs)
                if one.leaf.is_named and len(one.leaf.first.name) <= MAX_NAME:
                    self.named[task.number, 0] = safe(one.leaf.first.name.replace(".", "_"))
        short = {wire: name.replace(".", "_") for wire, name in self.marks.items() if len(name) <= MAX_NAME}
        self.named |= {wire: safe(name) for wire, name in short.items()}
        self.left.update(self.returned.values())
        for task, following in zip(self.tasks, (*self.tasks[1:], None)):
            if isinstance(task, Task):
                self.task(task, following)
            elif len(task.results) == 1:
                self.arms[task.number] = task
            else:
                self.optional(task)
        self.statements.append(Return(self.result()))
        return self.statements

    def task(self, task: Task, following: Task | Condition | None) -> None:
        if isinstance(task.leaf.first, Split):
            self.split(task, task.leaf.first)
        elif len(task.leaf.first.outputs) > 1:
            self.several(task)
        elif task.leaf.optional:
            self.merge(task)
        else:
            self.operation(task, following)

    def result(self) -> Expr:
        if len(self.returned) == 1:
            return self.take(tuple(self.returned.values()))[0].code
        self.flush()
        made = tuple(self.variables[wire] for wire in self.returned.values())
        return Items(made, "{}", tuple(self.returned)) if self.is_root else Items(made, "")

    # --- operations ------------------------------------------------------------------------------

    def operation(self, task: Task, following: Task | Condition | None) -> None:
        wire = task.number, 0
        operands = self.take(task.inputs)
        code = self.applied(task.leaf, operands)
        if len(text(code)) > (LONG_INFIX if task.is_infix else LONG) and any(operand.depth for operand in operands):
            operands = self.settle(task.inputs, operands)
            code = self.applied(task.leaf, operands)
        depth = 1 + max(operand.depth for operand in operands)
        self.pending.append(Pending(code, depth, wire, task.leaf.arm))
        if following is None and [*self.returned.values()] == [wire] and self.left[wire] == 1:
            return
        wanted = isinstance(following, Task) and wire in following.inputs and not following.leaf.optional
        single = self.left[wire] == 1 and (wanted or task.leaf.arm != "")
        first = task.leaf.first
        activation = isinstance(first, Apply) and first.layer.family == "activation" and depth > 1
        if not single or activation or depth >= DEEP or len(text(code)) > LONG:
            self.flush()

    def several(self, task: Task) -> None:
        """A module that returns several tensors."""
        operands = self.take(task.inputs)
        code = self.applied(task.leaf, operands)
        self.flush(operands)
        item = task.leaf.first
        assert isinstance(item, Module)
        wires = [(task.number, index) for index in range(len(item.made))]
        called = [name if name.isidentifier() else f"{item.name}{name}".replace(".", "_") for name in item.made]
        names = [self.name(wire, safe(name)) if self.left[wire] else "_" for wire, name in zip(wires, called)]
        self.statements.append(Assign(", ".join(names), code))

    def split(self, task: Task, item: Split) -> None:
        operands = self.take(task.inputs)
        if isinstance(operands[0].code, Op) or len(text(operands[0].code)) > LONG // 2:
            operands = self.settle(task.inputs, operands)
        even, count = len({*item.sizes}) == 1, len(item.sizes)
        sizes: Expr = Lit(count) if even else Items(tuple(map(Lit, item.sizes)))
        wires = [(task.number, index) for index in range(count)]
        names = [self.name(wire, f"branch{index}") if self.left[wire] else "_" for index, wire in enumerate(wires, 1)]
        if len(", ".join(names)) > BODY_WIDTH // 2:
            parts = self.name(wires[0], "parts")
            self.assign(parts, {wire: Index(Ref(parts), Lit(index)) for index, wire in enumerate(wires)})
            names = [parts]
        method = Ref(f"{text(operands[0].code)}.{'chunk' if even else 'split'}")
        self.statements.append(Assign(", ".join(names), Call(method, (sizes, Lit(1)))))

    def optional(self, task: Condition) -> None:
        """Operations that not every use has. Without them, a value is passed on."""
        self.flush()
        wire, passed = (task.number, 0), task.results[1]
        before = self.variables[passed]
        read = {
            name: 1
            for taken in task.inputs
            for name in free_names(self.variables[taken])
            if self.variables[taken] != before
        }
        self.use([passed] if all(passed not in one.inputs for one in task.body) else [])
        arm = task.body[-1].leaf.arm
        body, code = self.inside(task)
        name = self.name(wire, arm, read, before.name if isinstance(before, Ref) else "") if self.left[wire] else ""
        last = task.body[-1].leaf.first
        if name and Ref(name) != before and not body and not isinstance(last, Merge):
            short = Assign(name, If(Op("is", (Ref(f"self.{last.name}"), NONE)), before, code))
            if len(f"{name} = {text(short.value)}") <= BODY_WIDTH:
                self.statements.append(short)
                return
        if name and Ref(name) != before:
            self.statements.append(Assign(name, before))
        self.statements.append(When(task.test, (*body, Assign(name, code) if name else Do(code))))

    def inside(self, task: Condition) -> tuple[list[Statement], Expr]:
        """The statements of a condition, and the expression for its result."""
        outer, self.statements = self.statements, []
        *before, last = (*task.body, None) if not task.body else task.body
        for one, following in zip(before, task.body[1:]):
            assert one is not None
            self.task(one, following)
        operands = self.take(task.results[:1] if last is None else last.inputs)
        result = operands[0].code if last is None else self.applied(last.leaf, operands)
        self.flush(operands)
        made, self.statements = self.statements, outer
        return made, result

    def merge(self, task: Task) -> None:
        """A merge of branches of which some are not always there."""
        self.flush()
        item, sure = task.leaf.first, [wire for wire in task.inputs if wire[0] not in self.arms]
        assert isinstance(item, Merge)
        codes = {wire: self.variables[wire] for wire in sure}
        if item.kind == "concat":
            self.listed(task, item, codes)
        else:
            self.folded(task, item, codes)
        self.use(sure)

    def folded(self, task: Task, item: Merge, codes: Mapping[Wire, Expr]) -> None:
        """A merge value by value, branch by branch."""
        sure = [wire for wire in task.inputs if wire in codes]
        arms = [self.arms[wire[0]] for wire in task.inputs if wire not in codes]
        exprs = (*codes.values(), *(self.variables[wire] for arm in arms for wire in arm.inputs))
        read = dict.fromkeys(frozenset[str]().union(*map(free_names, exprs)), 1)
        name = self.name((task.number, 0), task.leaf.arm or "y", read)
        first = task.inputs.index(sure[0])
        self.statements.append(Assign(name, codes[sure[0]]))
        for wire in reversed(task.inputs[:first]):
            body, code = self.inside(self.arms[wire[0]])
            then = (*body, Assign(name, _merged(item, (code, Ref(name)))))
            self.statements.append(When(self.arms[wire[0]].test, then))
        for is_sure, group in groupby(task.inputs[first + 1 :], codes.__contains__):
            if is_sure:
                self.statements.append(Assign(name, _merged(item, (Ref(name), *(codes[wire] for wire in group)))))
                continue
            for wire in group:
                body, code = self.inside(self.arms[wire[0]])
                then = (*body, Assign(name, _merged(item, (Ref(name), code))))
                self.statements.append(When(self.arms[wire[0]].test, then))

    def listed(self, task: Task, item: Merge, codes: Mapping[Wire, Expr]) -> None:
        """A concat of branches that are gathered in a list."""
        name = next(name for name in numbered("branches") if not self.is_live(name))
        run = [*takewhile(codes.__contains__, task.inputs)]
        listed = Items(tuple(codes[wire] for wire in run))
        self.statements.append(Assign(name, listed, "" if run else "list[Tensor]"))
        for wire in task.inputs[len(run) :]:
            body, code = ([], codes[wire]) if wire in codes else self.inside(self.arms[wire[0]])
            made = Do(Call(Ref(f"{name}.append"), (code,)))
            self.statements.append(made if wire in codes else When(self.arms[wire[0]].test, (*body, made)))
        joined = Call(Ref("torch.cat"), (Ref(name), Lit(item.dim)))
        self.pending.append(Pending(joined, 1, (task.number, 0), task.leaf.arm))
        self.flush()

    def applied(self, leaf: Leaf, operands: Sequence[Pending]) -> Expr:
        """An operation on its operands."""
        item, codes = leaf.first, tuple(operand.code for operand in operands)
        if not isinstance(item, Merge):
            return Call(self.children.access(item.name), codes)
        if item.kind == "concat":
            return Call(Ref("torch.cat"), (Items(codes), Lit(item.dim)))
        return _merged(item, codes)

    # --- values ----------------------------------------------------------------------------------

    def take(self, wires: Sequence[Wire]) -> list[Pending]:
        """The operands of an operation. Pending ones are inlined if they are the last that were written, in this
        order; else all get variables first."""
        waiting = [wire for wire in wires if wire not in self.variables]
        start = len(self.pending) - len(waiting)
        if waiting != [part.wire for part in self.pending[max(start, 0) :]]:
            self.flush()
            start = 0
        parts = {part.wire: part for part in self.pending[start:]}
        del self.pending[start:]
        self.use(wires)
        return [parts.get(wire) or self.variable(wire) for wire in wires]

    def variable(self, wire: Wire) -> Pending:
        return Pending(self.variables[wire], 0, wire)

    def settle(self, wires: Sequence[Wire], operands: Sequence[Pending]) -> list[Pending]:
        """Turns operands that were taken into variables."""
        self.left.update(wires)
        self.pending += [operand for operand in operands if operand.depth]
        self.flush()
        return self.take(wires)

    def use(self, wires: Sequence[Wire]) -> None:
        """Counts one use of each value. The variables of values that are not needed again become free."""
        self.left.subtract(wires)
        for wire in wires:
            variable = self.variables.get(wire)
            if self.left[wire] <= 0 and isinstance(variable, Ref) and _is_numbered(variable.name):
                self.number = min(self.number, int(variable.name[1:]))

    def flush(self, then: Sequence[Pending] = ()) -> None:
        """Gives every pending expression a variable. What ``then`` reads is read after that."""
        pending, self.pending = self.pending, []
        reads = Counter(name for part in (*pending, *then) for name in part.reads)
        for part in pending:
            reads.subtract(part.reads)
            # An operation runs even if nothing uses its output.
            if self.left[part.wire]:
                self.statements.append(Assign(self.name(part.wire, part.arm, reads), part.code))
            else:
                self.statements.append(Do(part.code))

    def name(self, wire: Wire, arm: str, read: Mapping[str, int] = {}, prefer: str = "") -> str:
        """A variable for a value: the spec's name if the value is fetched later, a variable whose value is no longer
        needed, or a new one. Never one that is ``read`` before the value is known."""
        pending = frozenset[str]().union(*(part.reads for part in self.pending))

        def is_free(name: str) -> bool:
            return not self.is_live(name) and not read.get(name) and name not in pending

        first = self.inputs[0]
        fetched = self.left[wire] > 1 or (len(self.returned) > 1 and wire in self.returned.values())
        named = self.named.get(wire, "") if fetched else ""
        options = [prefer, named, *([arm] if arm else [first]), first, "y", "z"]
        name = next((option for option in options if option and is_free(option)), "")
        if not name:
            self.number = next(number for number in numbers_from(self.number) if not self.is_live(f"x{number}"))
            name = next(name for name in map("x{}".format, numbers_from(self.number)) if is_free(name))
        self.assign(name, {wire: Ref(name)})
        return name

    def is_live(self, name: str) -> bool:
        """Whether a variable holds a value that is still needed."""
        return any(self.left[wire] > 0 for wire in self.held.get(name, ()))

    def assign(self, name: str, variables: Mapping[Wire, Expr]) -> None:
        """Puts values into a variable, which replaces those that it held."""
        for other in self.held.get(name, ()):
            self.variables.pop(other, None)
        self.variables |= variables
        self.held[name] = [*variables]


def _merged(item: Merge, operands: Sequence[Expr]) -> Expr:
    """Operands merged value by value: ``a + b``, ``torch.maximum(a, b)``."""
    if item.kind in INFIX:
        return Op(INFIX[item.kind], tuple(operands))
    return reduce(lambda left, right: Call(Ref(f"torch.{item.kind}"), (left, right)), operands)


def _is_numbered(name: str) -> bool:
    return name.startswith("x") and name[1:].isdecimal()
