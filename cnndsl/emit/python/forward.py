"""``forward``: the data flow of a class in lines that a person would write."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce
from itertools import count as numbers_from

from cnndsl.emit.python.binder import safe
from cnndsl.emit.python.constructor import Held
from cnndsl.emit.python.flow import Flow, Node, Ref
from cnndsl.emit.python.text import BODY_WIDTH, Code, Group, call, flat, lay_out, listing, literal
from cnndsl.emit.python.uses import is_named
from cnndsl.graph.graph import Apply, Merge, Module, Split

#: How long an expression may become, and how many calls deep, before it gets its own line. Operands
#: of ``+`` and ``*`` must be shorter.
LONG, LONG_INFIX, DEEP = 66, 52, 3
#: Longer names of the spec do not become variables.
MAX_NAME = 24
INFIX = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}


@dataclass(slots=True)
class Pending:
    """An expression that its only user has not used yet; a variable has depth 0."""

    code: Code
    depth: int
    reads: frozenset[str]
    ref: Ref
    arm: str = ""

    @property
    def operand(self) -> str:
        """The expression as an operand of ``+`` or ``*``."""
        return _operand(self.code)


def _operand(code: Code) -> str:
    return f"({flat(code)})" if isinstance(code, Group) and code.bare else flat(code)


def _merged(merge: Merge, operands: Sequence[Code]) -> Code:
    """Operands merged value by value: ``a + b``, ``torch.maximum(a, b)``."""
    if merge.kind not in INFIX:
        return reduce(partial(call, f"torch.{merge.kind}"), operands)
    first, *others = map(_operand, operands)
    parts = (first, *(f"{INFIX[merge.kind]} {other}" for other in others))
    return Group("(", parts, ")", commas=False, bare=True)


def write_forward(flow: Flow) -> list[str]:
    """The lines of the body of ``forward``."""
    return _Writer(flow).write()


@dataclass(slots=True)
class _Writer:
    """Goes through the operations once. A value that only the next operation uses stays an expression; other
    values are assigned to variables. A variable is reused when its value is no longer needed.
    Everything runs in the order of the graph."""

    flow: Flow
    lines: list[str] = field(default_factory=list)
    #: The variable of each value, and the values that each variable has held since it was last assigned.
    variables: dict[Ref, str] = field(default_factory=dict)
    held: dict[str, list[Ref]] = field(default_factory=dict)
    pending: list[Pending] = field(default_factory=list)
    #: How many uses of a value are still to come.
    left: Counter[Ref] = field(default_factory=Counter)
    named: dict[Ref, str] = field(default_factory=dict)
    children: Held | None = None
    #: Numbers below it are in use: ``x2`` and so on.
    number: int = 2

    def access(self, name: str) -> str:
        """The expression for a child."""
        if "." not in name:
            return f"self.{name}"
        if self.children is None:
            items = (node.item for node in self.flow.nodes if isinstance(node.item, (Apply, Module)))
            self.children = Held(item.name for item in items if not item.reuse)
        return self.children.access(name)

    def write(self) -> list[str]:
        for ref, name in self.flow.inputs.items():
            self.assign(name, {ref: name})
        for node in self.flow.nodes:
            self.left.update(node.inputs)
            if is_named(node.item.step) and len(node.item.name) <= MAX_NAME:
                self.named[node.key, 0] = safe(node.item.name.replace(".", "_"))
        self.left.update(self.flow.returned.values())
        for node, following in zip(self.flow.nodes, (*self.flow.nodes[1:], None)):
            if isinstance(node.item, Split):
                self.split(node, node.item)
            elif len(node.item.outputs) > 1:
                self.several(node)
            elif node.optional:
                self.optional(node)
            else:
                self.operation(node, following)
        self.lines += lay_out(self.returned(), 0, "return ")
        return self.lines

    def returned(self) -> Code:
        returned = self.flow.returned
        if len(returned) == 1:
            return self.take(tuple(returned.values()))[0].code
        self.flush()
        if not self.flow.is_root:
            return Group("(", tuple(self.variables[ref] for ref in returned.values()), ")", bare=True, display=True)
        items = tuple(f"{literal(name)}: {self.variables[ref]}" for name, ref in returned.items())
        return Group("{", items, "}", display=True)

    # --- operations ------------------------------------------------------------------------------

    def operation(self, node: Node, following: Node | None) -> None:
        ref = (node.key, 0)
        operands = self.take(node.inputs)
        code = self.code(node, operands)
        limit = LONG_INFIX if isinstance(node.item, Merge) and node.item.kind in INFIX else LONG
        if len(flat(code)) > limit and any(operand.depth for operand in operands):
            operands = self.settle(node.inputs, operands)
            code = self.code(node, operands)
        reads = frozenset().union(*(operand.reads for operand in operands))
        depth = 1 + max(operand.depth for operand in operands)
        self.pending.append(Pending(code, depth, reads, ref, node.arm))
        if following is None and [*self.flow.returned.values()] == [ref] and self.left[ref] == 1:
            return
        wanted = following is not None and ref in following.inputs and not following.optional
        single = self.left[ref] == 1 and (wanted or node.arm != "")
        activation = isinstance(node.item, Apply) and node.item.layer.family == "activation" and depth > 1
        if not single or activation or depth >= DEEP or len(flat(code)) > LONG:
            self.flush()

    def code(self, node: Node, operands: Sequence[Pending]) -> Code:
        item = node.item
        if not isinstance(item, Merge):
            return call(self.access(item.name), *(operand.code for operand in operands))
        if item.kind == "concat":
            return call("torch.cat", listing(operand.code for operand in operands), str(item.dim))
        return _merged(item, [operand.code for operand in operands])

    def several(self, node: Node) -> None:
        """A module that returns several tensors."""
        code = self.code(node, self.take(node.inputs))
        self.flush()
        refs = [(node.key, index) for index in range(len(node.item.outputs))]
        names = [
            self.name(ref, f"{node.item.name.replace('.', '_')}{index}") if self.left[ref] else "_"
            for index, ref in enumerate(refs)
        ]
        self.lines += lay_out(code, 0, f"{', '.join(names)} = ")

    def split(self, node: Node, item: Split) -> None:
        operands = self.take(node.inputs)
        if operands[0].operand != flat(operands[0].code) or len(flat(operands[0].code)) > LONG // 2:
            operands = self.settle(node.inputs, operands)
        count = len(item.sizes)
        sizes: Code = str(count) if len(set(item.sizes)) == 1 else listing(map(str, item.sizes))
        how = "chunk" if len(set(item.sizes)) == 1 else "split"
        refs = [(node.key, index) for index in range(count)]
        names = [self.name(ref, f"branch{index}") if self.left[ref] else "_" for index, ref in enumerate(refs, 1)]
        if len(", ".join(names)) > BODY_WIDTH // 2:
            parts = self.name(refs[0], "parts")
            self.assign(parts, {ref: f"{parts}[{index}]" for index, ref in enumerate(refs)})
            names = [parts]
        taken = call(f"{flat(operands[0].code)}.{how}", sizes, "1")
        self.lines += lay_out(taken, 0, f"{', '.join(names)} = ")

    def optional(self, node: Node) -> None:
        """An operation that not every use has. Without it, its first input is passed on."""
        self.flush()
        ref = (node.key, 0)
        first, *others = [self.variables[taken] for taken in node.inputs]
        self.use(node.inputs)
        name = self.name(ref, node.arm, dict.fromkeys(others, 1), first) if self.left[ref] else ""
        then: Code
        if isinstance(node.item, Merge):
            test, then = f"self.{node.optional}", _merged(node.item, [first, *others])
        else:
            test, then = f"self.{node.item.name} is not None", call(f"self.{node.item.name}", first, *others)
            short = f"{name} = {first} if self.{node.item.name} is None else {flat(then)}"
            if name and name != first and len(short) <= BODY_WIDTH:
                self.lines.append(short)
                return
        if name not in ("", first):
            self.lines.append(f"{name} = {first}")
        guard = Group("(", tuple(test.split(" ", 1)), ")", commas=False, bare=True)
        self.lines += lay_out(guard, 0, "if ", ":")
        self.lines += lay_out(then, 4, f"{name} = " if name else "")

    # --- values ----------------------------------------------------------------------------------

    def take(self, refs: Sequence[Ref]) -> list[Pending]:
        """The operands of an operation. Pending ones are inlined if they are the last that were written, in this
        order; else all get variables first."""
        waiting = [ref for ref in refs if ref not in self.variables]
        start = len(self.pending) - len(waiting)
        if waiting != [part.ref for part in self.pending[max(start, 0) :]]:
            self.flush()
            start = 0
        parts = {part.ref: part for part in self.pending[start:]}
        del self.pending[start:]
        self.use(refs)
        return [parts.get(ref) or self.variable(ref) for ref in refs]

    def variable(self, ref: Ref) -> Pending:
        name = self.variables[ref]
        return Pending(name, 0, frozenset({name.partition("[")[0]}), ref)

    def settle(self, refs: Sequence[Ref], operands: Sequence[Pending]) -> list[Pending]:
        """Turns operands that were taken into variables."""
        self.left.update(refs)
        self.pending += [operand for operand in operands if operand.depth]
        self.flush()
        return self.take(refs)

    def use(self, refs: Sequence[Ref]) -> None:
        """Counts one use of each value. The variables of values that are not needed again become free."""
        self.left.subtract(refs)
        for ref in refs:
            name = self.variables.get(ref, "")
            if self.left[ref] <= 0 and _NUMBERED.fullmatch(name):
                self.number = min(self.number, int(name[1:]))

    def flush(self) -> None:
        """Gives every pending expression a variable."""
        pending, self.pending = self.pending, []
        reads = Counter(name for part in pending for name in part.reads)
        for part in pending:
            reads.subtract(part.reads)
            # An operation runs even if nothing uses its output.
            before = f"{self.name(part.ref, part.arm, reads)} = " if self.left[part.ref] else ""
            self.lines += lay_out(part.code, 0, before)

    def name(self, ref: Ref, arm: str, read: Mapping[str, int] = {}, prefer: str = "") -> str:
        """A variable for a value: the spec's name if the value is fetched later, a variable whose value is no longer
        needed, or a new one. Never one that is ``read`` before the value is known."""
        pending = frozenset().union(*(part.reads for part in self.pending))

        def is_free(name: str) -> bool:
            return not self.is_live(name) and not read.get(name) and name not in pending

        first = next(iter(self.flow.inputs.values()))
        fetched = self.left[ref] > 1 or (len(self.flow.returned) > 1 and ref in self.flow.returned.values())
        named = self.named.get(ref, "") if fetched else ""
        options = [prefer if prefer.isidentifier() else "", named, *([arm] if arm else [first]), first, "y", "z"]
        name = next((option for option in options if option and is_free(option)), "")
        if not name:
            self.number = next(number for number in numbers_from(self.number) if not self.is_live(f"x{number}"))
            name = next(name for name in map("x{}".format, numbers_from(self.number)) if is_free(name))
        self.assign(name, {ref: name})
        return name

    def is_live(self, name: str) -> bool:
        """Whether a variable holds a value that is still needed."""
        return any(self.left[ref] > 0 for ref in self.held.get(name, ()))

    def assign(self, name: str, variables: Mapping[Ref, str]) -> None:
        """Puts values into a variable, which replaces those that it held."""
        for other in self.held.get(name, ()):
            self.variables.pop(other, None)
        self.variables |= variables
        self.held[name] = [*variables]


_NUMBERED = re.compile(r"x\d+")
