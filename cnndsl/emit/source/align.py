"""All uses of a definition, side by side: one tree along the definition's own steps.

Its leaves are operations, each over all uses: the operation of every use that has it, None for one that has
not. ``__init__`` and ``forward`` of the emitted class both come from this tree. A *row* is a use, or one round
of a use inside a :class:`Loop`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, TypeVar

from msgspec import Struct, field

from cnndsl.emit.source.tree import (
    INPUTS,
    Aligned,
    Choice,
    Inlined,
    Leaf,
    Let,
    Loop,
    Misfit,
    Node,
    Nodes,
    Ref,
    Rounds,
    Scoped,
    choices,
    leaves,
)
from cnndsl.graph.graph import (
    Apply,
    Body,
    Branch,
    Dense,
    Inline,
    Item,
    Merge,
    Module,
    Operation,
    Repeat,
    Residual,
    Split,
    Tensor,
    operations,
)
from cnndsl.spec import steps as spec
from cnndsl.spec.values import Literal, Value

T = TypeVar("T")
U = TypeVar("U")


def align(uses: Sequence[Module], loops: bool = True) -> Aligned | Misfit:
    """The tree of several uses of a definition. With ``loops``, a chain's loops may differ in their rounds."""
    starts = [use.given for use in uses]
    if len({(*given,) for given in starts}) > 1 or len({(*use.made,) for use in uses}) > 1:
        return Misfit("other inputs or outputs")
    chain = uses[0].chain
    numbered = chain and not any(map(names_children, uses))
    walk = _Walk(count(), loops and numbered, starts)
    nodes = walk.steps(uses[0].steps, [use.body for use in uses])
    returned = {name: walk.resolve([use.made[name] for use in uses]) for name in uses[0].made}
    return (
        walk.misfit
        or _unlike_names(nodes, numbered)
        or (None if chain else _inexpressible(nodes, returned.values()))
        or Aligned(tuple(uses), nodes, returned, walk.marks)
    )


def _unlike_names(nodes: Nodes, numbered: bool) -> Misfit | None:
    """Children that have other names in other uses; those that a chain only numbers have none."""
    found = [leaf for leaf in leaves(nodes) if not numbered and isinstance(leaf.first, (Apply, Module))]
    if any(len({member.name for member in leaf.present}) > 1 for leaf in found):
        return Misfit("other names")
    names = [leaf.first.name for leaf in found if leaf.is_child]
    either = sum(bool([*leaves(choice.then)] and [*leaves(choice.otherwise)]) for choice in choices(nodes))
    return Misfit("two children of one name") if len(names) > len({*names}) + either else None


def align_dense(uses: Sequence[Module]) -> Aligned | None:
    """The tree of modules that only pass to each child everything before it, as one loop; None for others."""
    prefixes = {_dense_prefix(use) for use in uses}
    items = [item for use in uses for item in use.body if isinstance(item, Dense)]
    if len(prefixes) > 1 or "" in prefixes or all(len(item.rounds) == 1 for item in items):
        return None
    walk = _Walk(count(), False, [use.given for use in uses])
    rounds: list[tuple[int, Tensor, Body]] = []
    for row, (use, item) in enumerate(zip(uses, items)):
        tensor = use.input
        for body, merge in item.rounds:
            rounds.append((row, tensor, body))
            tensor = merge.output
        walk.current[row] = tensor
    number = next(walk.numbers)
    loop = walk.looped(items[0].step, number, (INPUTS, 0), tuple(len(item.rounds) for item in items), rounds)
    return None if walk.misfit else Aligned(tuple(uses), (loop,), {"output": (number, 0)}, {}, prefixes.pop())


def _dense_prefix(module: Module) -> str:
    """The prefix of the children's names if a module is only a dense region with one numbered child per round."""
    if len(module.body) != 1 or not isinstance(module.body[0], Dense):
        return ""
    names: list[str] = []
    x = module.input
    for body, merge in module.body[0].rounds:
        layer = body[0] if len(body) == 1 else None
        if not isinstance(layer, (Apply, Module)) or layer.reuse or layer.inputs != (x,):
            return ""
        names.append(layer.name)
        x = merge.output
    prefix = names[0].removesuffix("1") if "." not in names[0] else "."
    return prefix if names == [f"{prefix}{number}" for number in range(1, len(names) + 1)] else ""


def _inexpressible(nodes: Nodes, returned: Collection[Ref]) -> Misfit | None:
    """What ``forward`` has no words for: a choice between two lists of steps, or a value from inside a choice that is
    needed outside of it."""
    every = [*leaves(nodes)]
    for node in choices(nodes):
        then, otherwise = ([*leaves(side)] for side in (node.then, node.otherwise))
        if any(choices((*node.then, *node.otherwise))) or not all(map(_is_optional, (*then, *otherwise))):
            return Misfit("a choice of something else than children")
        if not then and len(node.results) > 1:
            return Misfit("a choice between tensors")
        if otherwise and (len(then) != 1 or len(otherwise) != 1 or then[0].first.name != otherwise[0].first.name):
            return Misfit("a choice between several steps")
        if otherwise and then[0].inputs != otherwise[0].inputs:
            return Misfit("a child that takes other tensors")
        inside = {leaf.number for leaf in (*then, *otherwise)}
        given = {wire[0] for wire in node.results} if len(node.results) > 1 else set()
        taken = {wire[0] for leaf in every if leaf.number not in inside for wire in leaf.inputs}
        if (taken | {wire[0] for wire in returned}) & (inside - given):
            return Misfit("a value from inside a choice")
    return None


def _is_optional(leaf: Leaf) -> bool:
    """Whether an operation can be one that not every use has."""
    return (
        "." not in leaf.first.name and (leaf.is_child or isinstance(leaf.first, Merge)) and len(leaf.first.outputs) == 1
    )


class _Walk(Struct):
    """Goes along a definition's steps. ``refs`` and ``named`` hold, for each row, the values of its tensors and the
    tensors of its names; ``current`` is the tensor that each row is at, and ``at`` the value that these are, as far as
    it is known from the steps. Faults of fit are collected, not raised."""

    numbers: Iterator[int]
    loops: bool
    given: Sequence[Mapping[str, Tensor]]
    inputs: int = INPUTS
    refs: list[dict[int, Ref]] = field(default_factory=list)
    named: list[dict[str, Tensor]] = field(default_factory=list)
    current: list[Tensor | None] = field(default_factory=list)
    at: Ref | None = None
    #: The ends of branches that are not merged yet: their tensors, and the values that these are.
    ends: list[tuple[list[Tensor | None], Ref | None]] = field(default_factory=list)
    #: For each choice and loop: which rows take it, and what it passes on in the others.
    joins: dict[int, tuple[tuple[bool | None, ...], Ref, Ref]] = field(default_factory=dict)
    marks: dict[Ref, str] = field(default_factory=dict)
    misfit: Misfit | None = None

    def __post_init__(self) -> None:
        for given in self.given:
            first = next(iter(given.values()))
            self.refs.append({id(tensor): (self.inputs, index) for index, tensor in enumerate(given.values())})
            self.named.append({"input": first, **given})
            self.current.append(first)
        self.at = self.inputs, 0

    def fail(self, why: str) -> None:
        self.misfit = self.misfit or Misfit(why)

    # --- values ----------------------------------------------------------------------------------

    def resolve(self, tensors: Sequence[Tensor | None]) -> Ref:
        """The one value that the tensors of all rows are: by the steps that led to them, or else by what they are in
        each row, which several values may be."""
        found = self.known(tensors, [(self.current, self.at), *reversed(self.ends)])
        if found is None:
            self.fail("other tensors")
        return found or (INPUTS, 0)

    def known(
        self, tensors: Sequence[Tensor | None], held: Iterable[tuple[Sequence[Tensor | None], Ref | None]]
    ) -> Ref | None:
        """The value of some tensors: that of those ``held`` which they are, or else one that they are in each row."""
        return next((at for those, at in held if at and self.are(tensors, those, at)), None) or self.find(tensors)

    def are(self, tensors: Sequence[Tensor | None], known: Sequence[Tensor | None], at: Ref) -> bool:
        """Whether tensors are those that are known to be the value ``at``."""
        rows = [(row, tensor) for row, tensor in enumerate(tensors) if tensor is not None]
        return all(
            tensor is known[row] and self.passed(at, row) == self.refs[row].get(id(tensor)) for row, tensor in rows
        )

    def find(self, tensors: Sequence[Tensor | None]) -> Ref | None:
        refs = [None if tensor is None else self.refs[row].get(id(tensor)) for row, tensor in enumerate(tensors)]
        known = {ref for ref in refs if ref is not None}
        if any(tensor is not None and ref is None for tensor, ref in zip(tensors, refs)):
            return None
        if len(known) <= 1:
            return next(iter(known), None)
        for number in reversed(self.joins):
            if all(ref is None or self.passed((number, 0), row) == ref for row, ref in enumerate(refs)):
                return number, 0
        return None

    def passed(self, ref: Ref, row: int) -> Ref:
        """The value that a row has where all rows have ``ref``."""
        while ref[0] in self.joins:
            taken, then, otherwise = self.joins[ref[0]]
            further = then if taken[row] else otherwise
            if further == ref:
                return ref
            ref = further
        return ref

    def of(self, rows: Sequence[object]) -> list[Tensor | None]:
        """What is current in the rows that are there."""
        return [None if row is None else tensor for row, tensor in zip(rows, self.current)]

    def here(self, rows: Sequence[object]) -> Ref | None:
        """The value that is current in the rows that are there."""
        return self.known(self.of(rows), [(self.current, self.at)])

    # --- steps -----------------------------------------------------------------------------------

    def steps(self, steps: spec.Steps, bodies: Sequence[Body | None], arm: str = "") -> Nodes:
        """The nodes of a list of steps; a body is None in a row that does not come here."""
        items = [{id(item.step): item for item in body or ()} for body in bodies]
        nodes: list[Node] = []
        for step in steps:
            found = [row.get(id(step)) for row in items]
            if step.when is None:
                nodes += self.step(step, found, bodies, arm)
            else:
                nodes += self.conditional(step, found, bodies, arm)
        return tuple(nodes)

    def conditional(
        self, step: spec.Step, found: Sequence[Item | None], bodies: Sequence[Body | None], arm: str
    ) -> Iterable[Node]:
        taken = tuple(None if body is None else item is not None for body, item in zip(bodies, found))
        if True not in taken and not step.otherwise:
            return self.lost(step)
        if False not in taken:
            return self.step(step, found, bodies, arm)
        if True not in taken:
            return [Scoped(self.steps(step.otherwise, bodies, arm))]
        assert step.when is not None
        kinds = [item.kind.lower() for item in found if isinstance(item, (Apply, Module))]
        kind = f"has_{kinds[0] if kinds else 'steps'}"
        start = self.here(bodies)
        sides = [[body if row is side else None for body, row in zip(bodies, taken)] for side in (True, False)]
        before = self.at
        then, after = tuple(self.step(step, found, sides[0], arm)), self.at
        self.at = before
        otherwise = self.steps(step.otherwise, sides[1], arm)
        return [self.choice(step.when, taken, kind, start, (then, after), (otherwise, self.at))]

    def choice(
        self,
        condition: Value,
        taken: tuple[bool | None, ...],
        kind: str,
        start: Ref | None,
        then: tuple[Nodes, Ref | None],
        otherwise: tuple[Nodes, Ref | None],
    ) -> Choice:
        """A choice of which some rows have taken one side, some the other; each side with the value at its end."""
        results: list[Ref] = []
        for side, (_, end) in ((True, then), (False, otherwise)):
            self.at = end
            results.append(self.resolve([tensor if row is side else None for tensor, row in zip(self.current, taken)]))
        first, second = results
        number = next(self.numbers)
        self.joins[number] = (taken, first, second)
        self.at = number, 0
        return Choice(number, condition, taken, then[0], otherwise[0], (first, second), start, kind)

    def lost(self, step: spec.Step) -> Iterable[Node]:
        """A name or a tensor that only some rows may have: no formula may mention it."""
        if isinstance(step, spec.From):
            self.current, self.at = [None] * len(self.current), None
        if isinstance(step, spec.Let):
            return [Let(tuple((name, Literal(LOST, name.span)) for name, _ in step.values), None)]
        return []

    def step(
        self, step: spec.Step, found: Sequence[Item | None], bodies: Sequence[Body | None], arm: str
    ) -> Iterable[Node]:
        match step:
            case spec.Let(values=values):
                return [Let(values, self.here(bodies))]
            case spec.From(target=target):
                self.fetch(target, bodies)
                return []
            case spec.Mark():
                self.mark(step, bodies)
                return []
            case spec.Repeat():
                return self.repeat(step, _of(Repeat, found), bodies, arm)
            case spec.Dense():
                return self.dense(step, _of(Dense, found), bodies, arm)
            case spec.Branch():
                return self.branch(step, _of(Branch, found), arm)
            case spec.Residual():
                return self.residual(step, _of(Residual, found), arm)
        written_out = _of(Inline, found)
        if any(written_out):
            return [self.inlined(step, written_out, arm)]
        children = [item if isinstance(item, (Apply, Module)) else None for item in found]
        return [self.leaf(step, children, arm)] if any(children) else []

    def inlined(self, step: spec.Step, found: Sequence[Inline | None], arm: str) -> Inlined:
        """A block that is written out. Its steps see only its inputs; afterwards theirs are names of this module."""
        here = self.here(found)
        around, self.named = self.named, [{} for _ in found]
        known = [(row, item) for row, item in enumerate(found) if item is not None]
        for row, item in known:
            first = next(iter(item.given.values()))
            self.named[row], self.current[row] = {"input": first, **item.given}, first
        nodes = self.steps(known[0][1].definition.steps, _each(found, lambda item: item.body), arm)
        inside, self.named = self.named, around
        for row, item in known:
            given = {"input", *item.given}
            self.named[row] |= {name: tensor for name, tensor in inside[row].items() if name not in given}
            last = self.current[row] = [*item.made.values()][-1]
            if isinstance(step.name, Literal):
                self.named[row] |= {f"{step.name.value}.{name}": tensor for name, tensor in item.made.items()}
                self.named[row][step.name.value] = last
        return Inlined(tuple(found), nodes, here)

    def fetch(self, target: Value, bodies: Sequence[Body | None]) -> None:
        self.at = None
        name = target.value if isinstance(target, Literal) else None
        for row, body in enumerate(bodies):
            if body is not None:
                self.current[row] = self.named[row].get(str(name))

    def mark(self, step: spec.Mark, bodies: Sequence[Body | None]) -> None:
        """Notes the name of what is current."""
        if not isinstance(step.name, Literal):
            return
        for row, body in enumerate(bodies):
            tensor = self.current[row]
            if body is not None and tensor is not None:
                self.named[row][step.name.value] = tensor
        if (here := self.here(bodies)) is not None:
            self.marks.setdefault(here, step.name.value)

    # --- regions ---------------------------------------------------------------------------------

    def repeat(
        self, step: spec.Repeat, found: Sequence[Repeat | None], bodies: Sequence[Body | None], arm: str
    ) -> Iterable[Node]:
        counts = [len(item.rounds) if item else 0 if body is not None else None for item, body in zip(found, bodies)]
        if len({*counts} - {None}) > 1:
            return [self.loop(step, found, tuple(counts))] if self.loops else self.unlike_rounds()
        here = self.here(bodies)
        rounds = [
            self.steps(step.steps, [None if item is None else item.rounds[number] for item in found], arm)
            for number in range(next(filter(None, counts), 0))
        ]
        return [Rounds(step.loop, here, tuple(rounds))]

    def unlike_rounds(self) -> Iterable[Node]:
        self.fail("loops of other lengths")
        return []

    def loop(self, step: spec.Repeat, found: Sequence[Repeat | None], counts: tuple[int | None, ...]) -> Loop:
        """A loop of a chain, with a walk of its own over all rounds."""
        before = self.here(counts)
        rounds: list[tuple[int, Tensor, Body]] = []
        for row, item in enumerate(found):
            for body in item.rounds if item else ():
                start = self.current[row]
                assert start is not None
                rounds.append((row, start, body))
                self.current[row] = end(body, start)
        number = next(self.numbers)
        self.at = number, 0
        for row, tensor in enumerate(self.current):
            if counts[row] and tensor is not None:
                self.refs[row][id(tensor)] = number, 0
        self.joins[number] = (tuple(map(bool, counts)), (number, 0), before or (INPUTS, 0))
        return self.looped(step, number, before, counts, rounds)

    def looped(
        self,
        step: spec.Repeat | spec.Dense,
        number: int,
        before: Ref | None,
        counts: tuple[int | None, ...],
        rounds: Sequence[tuple[int, Tensor, Body]],
    ) -> Loop:
        rows, starts, bodies = zip(*rounds)
        start = next(self.numbers)
        walk = _Walk(self.numbers, True, [{"x": tensor} for tensor in starts], start)
        nodes = walk.steps(step.steps, bodies)
        after = walk.resolve(walk.current)
        self.misfit = self.misfit or walk.misfit
        dense = isinstance(step, spec.Dense)
        results = tuple(self.current)
        return Loop(number, step.loop, before, counts, rows, starts, results, nodes, (start, 0), after, dense)

    def dense(
        self, step: spec.Dense, found: Sequence[Dense | None], bodies: Sequence[Body | None], arm: str
    ) -> Iterable[Node]:
        counts = {len(item.rounds) if item else 0 for item, body in zip(found, bodies) if body is not None}
        if len(counts) > 1:
            return self.unlike_rounds()
        here = self.here(bodies)
        rounds = []
        for number in range(counts.pop()):
            pairs = [item.rounds[number] if item else None for item in found]
            nodes = self.steps(step.steps, _each(pairs, lambda pair: pair[0]), arm or "new")
            rounds.append((*nodes, *self.merged(step, _each(pairs, lambda pair: pair[1]), arm)))
        return [Rounds(step.loop, here, tuple(rounds))]

    def branch(self, step: spec.Branch, found: Sequence[Branch | None], arm: str) -> Iterable[Node]:
        arms = _each(found, lambda item: {(one.written, one.round): one.body for one in item.arms})
        keys = sorted({key for row in arms if row is not None for key in row})
        starts, here, outer = [*self.current], self.here(found), [*self.ends]
        splits = _each(found, lambda item: item.split)
        nodes: list[Node] = [self.leaf(step, splits, arm)] if any(splits) else []
        alone = sum(any(row[key] for row in arms if row and key in row) for key in keys) == 1
        optional: dict[tuple[int, int], int] = {}
        for place, key in enumerate(keys):
            self.current = [_start(row, key, split, start) for row, split, start in zip(arms, splits, starts)]
            self.at = None if any(splits) else here
            bodies = [None if row is None else row.get(key) for row in arms]
            inner = self.steps(step.branches[key[0]].steps, bodies, arm if alone else f"branch{place + 1}")
            taken = tuple(None if row is None else key in row for row in arms)
            if False in taken:
                one = self.arm(step.branches[key[0]], taken, inner, here)
                optional[key] = one.number
                nodes.append(one)
            else:
                nodes.append(_bound(step.branches[key[0]], key[1], here, inner))
                self.ends.append(([*self.current], self.at))
        merges = _each(found, lambda item: item.merge)
        merged = (
            [self.merge(step, merges, _each(arms, lambda row: [*row]), keys, optional, arm)]
            if optional
            else self.merged(step, merges, arm)
        )
        self.ends = outer
        return [*nodes, *merged]

    def arm(self, written: spec.Arm, taken: tuple[bool | None, ...], nodes: Nodes, here: Ref | None) -> Choice:
        """A branch that only some rows have."""
        if written.when is None or written.loop is not None or any(isinstance(node, Choice) for node in nodes):
            self.fail("branches that come and go with a loop")
        end = self.resolve([tensor if row else None for tensor, row in zip(self.current, taken)])
        condition = written.when or Literal(True, written.span)
        return Choice(next(self.numbers), condition, taken, nodes, (), (end,), here, "use_branch")

    def merge(
        self,
        step: spec.Branch,
        merges: Sequence[Merge | None],
        rows: Sequence[Sequence[tuple[int, int]] | None],
        keys: Sequence[tuple[int, int]],
        optional: Mapping[tuple[int, int], int],
        arm: str,
    ) -> Leaf:
        """A merge of branches of which some are ``optional``."""
        inputs: list[Ref] = []
        for key in keys:
            column = [m.inputs[row.index(key)] if m and row and key in row else None for m, row in zip(merges, rows)]
            inputs.append((optional[key], 0) if key in optional else self.resolve(column))
        if len({(merge.kind, merge.dim) for merge in merges if merge}) > 1 or len(optional) == len(keys):
            self.fail("other merges")
        return self.operation(step, merges, tuple(inputs), arm, optional=frozenset(optional.values()))

    def residual(self, step: spec.Residual, found: Sequence[Residual | None], arm: str) -> Iterable[Node]:
        starts, outer = [*self.current], [*self.ends]
        before = self.here(found)
        nodes: list[Node] = [Scoped(self.steps(step.steps, _each(found, lambda item: item.body), arm))]
        ends, end = [*self.current], self.at
        self.current, self.at = starts, before
        if isinstance(step.shortcut, tuple):
            nodes.append(Scoped(self.steps(step.shortcut, _each(found, lambda item: item.shortcut), "shortcut")))
        self.ends.append(([*self.current], self.at))
        self.current, self.at = ends, end
        merges = _each(found, lambda item: item.merge)
        taken = tuple(_each(found, lambda item: item.merge is not None))
        merged = tuple(self.merged(step, merges, arm))
        self.ends, added = outer, self.at
        if False in taken and True in taken:
            assert not isinstance(step.shortcut, tuple)
            return [*nodes, self.choice(step.shortcut, taken, "use_shortcut", before, (merged, added), ((), end))]
        return [*nodes, *merged]

    def merged(self, step: spec.Step, merges: Sequence[Merge | None], arm: str) -> Iterable[Node]:
        """A merge; one of a single tensor does nothing."""
        known = [merge for merge in merges if merge]
        if known and all(len(merge.inputs) == 1 for merge in known):
            for row, merge in enumerate(merges):
                if merge:
                    self.refs[row][id(merge.output)] = self.refs[row][id(merge.inputs[0])]
                    self.made(row, merge)
            self.at = None
            return []
        return [self.leaf(step, merges, arm)] if known else []

    # --- operations ------------------------------------------------------------------------------

    def leaf(self, step: spec.Step | None, members: Sequence[Operation | None], arm: str) -> Leaf:
        present = [member for member in members if member is not None]
        if len({signature(member) for member in present}) > 1:
            self.fail("other operations")
            return Leaf(next(self.numbers), step, tuple(members), ())
        taken = zip(*(member.inputs for member in present))
        inputs = tuple(self.resolve(_spread(column, members)) for column in taken)
        inner = self.inside(members) if isinstance(present[0], Module) and not present[0].reuse else None
        last = None if inner is None else self.resolve([m.outputs[-1] if m is not None else None for m in members])
        return self.operation(step, members, inputs, arm, inner, last)

    def operation(
        self,
        step: spec.Step | None,
        members: Sequence[Operation | None],
        inputs: tuple[Ref, ...],
        arm: str,
        inner: Nodes | None = None,
        last: Ref | None = None,
        optional: frozenset[int] = frozenset(),
    ) -> Leaf:
        number = next(self.numbers)
        for row, member in enumerate(members):
            if member is not None:
                self.refs[row] |= {id(tensor): (number, index) for index, tensor in enumerate(member.outputs)}
                self.made(row, member)
        self.at = number, len(next(member for member in members if member is not None).outputs) - 1
        return Leaf(number, step, tuple(members), inputs, arm, inner, last, optional)

    def made(self, row: int, member: Operation) -> None:
        """Notes what a row is at after an operation, and its name."""
        self.current[row] = member.outputs[-1]
        if member.step is not None and member.step.name is not None:
            self.named[row][member.name] = member.outputs[-1]
            if isinstance(member, Module):
                self.named[row] |= {f"{member.name}.{output}": tensor for output, tensor in member.made.items()}

    def inside(self, members: Sequence[Operation | None]) -> Nodes | None:
        """The nodes of modules that are an ``nn.Sequential`` without a class of its own."""
        modules = [member if isinstance(member, Module) else None for member in members]
        first = next(filter(None, modules))
        if needs_class(first):
            return None
        if any(member is not None and (not isinstance(member, Module) or needs_class(member)) for member in members):
            self.fail("a sequential, or something else")
            return None
        return self.steps(first.steps, _each(modules, lambda module: module.body))


#: The value of a name that has no formula.
LOST: Any = type("Lost", (), {"__repr__": lambda self: "lost"})()


def _start(
    row: Mapping[tuple[int, int], Body] | None, key: tuple[int, int], split: Split | None, start: Tensor | None
) -> Tensor | None:
    """What a branch starts with: the tensor, or its part of a split one."""
    return split.outputs[[*row].index(key)] if split and row and key in row else start


def _bound(written: spec.Arm, number: int, here: Ref | None, nodes: Nodes) -> Node:
    """The steps of a branch; those of one round of a loop know its names."""
    return Scoped(nodes) if written.loop is None else Rounds(written.loop, here, (nodes,), number)


def _each(rows: Sequence[T | None], of: Callable[[T], U]) -> list[U | None]:
    """What something gives for each row that is there."""
    return [None if row is None else of(row) for row in rows]


def _spread(tensors: Sequence[Tensor], members: Sequence[Operation | None]) -> list[Tensor | None]:
    """The tensors of the rows that have a member, None for the others."""
    each = iter(tensors)
    return [None if member is None else next(each) for member in members]


def _of(kind: type[Any], found: Sequence[Item | None]) -> list[Any]:
    return [item if isinstance(item, kind) else None for item in found]


def end(body: Body, start: Tensor) -> Tensor:
    """What is current after a body of a chain."""
    for item in body:
        if isinstance(item, (Apply, Module)):
            start = item.outputs[-1]
        elif isinstance(item, (Repeat, Inline)):
            for inner in item.bodies:
                start = end(inner, start)
    return start


def signature(item: Operation) -> Hashable:
    """What operations must share to be one operation of a class."""
    match item:
        case Merge():
            return (item.kind, item.dim, len(item.inputs))
        case Split():
            return ("even", len(item.sizes)) if len(set(item.sizes)) == 1 else item.sizes
    by = str(item.layer.parametrization) if isinstance(item, Apply) else ""
    return ("child", item.reuse, len(item.inputs), len(item.outputs), by)


# --- definitions ---------------------------------------------------------------------------------


def is_named(step: spec.Step | None) -> bool:
    return step is not None and step.name is not None


def has_names(steps: spec.Steps) -> bool:
    """Whether some child of a chain of steps has its own name."""
    return any(
        is_named(step) or has_names(step.otherwise) or (isinstance(step, spec.Repeat) and has_names(step.steps))
        for step in steps
    )


def names_children(module: Module) -> bool:
    """Whether some child of a chain has its own name, for any result of ``when``."""
    return has_names(module.steps) or any(is_named(item.step) for item in operations(module.body))


def needs_class(module: Module) -> bool:
    """Whether a module has its own class: blocks, and what ``nn.Sequential(...)`` cannot express."""
    return bool(module.block) or not module.chain or names_children(module)
