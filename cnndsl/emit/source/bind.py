"""Binds the values of a class: goes along the aligned tree, and finds an expression for every argument.

The sizes of tensors are followed as expressions, so that an argument which is inferred from a tensor gets the formula
of the step that made it.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from cnndsl.emit.source import sizes as rules
from cnndsl.emit.source.align import LOST
from cnndsl.emit.source.expr import (
    UNKNOWN,
    Call,
    Expr,
    Lit,
    Opaque,
    Ref,
    Reference,
    all_same,
    choice,
    free_names,
    hidden,
    index,
    is_written,
    literal,
    same,
    scaled,
    substitute,
    terms,
    total,
    value,
    weight,
)
from cnndsl.emit.source.names import free, numbered, safe
from cnndsl.emit.source.pieces import (
    Bound,
    Carried,
    Child,
    Flag,
    Local,
    Optional,
    Piece,
    Pieces,
    Repeated,
    growing,
    mentioned,
    settled,
    under,
)
from cnndsl.emit.source.program import REQUIRED
from cnndsl.emit.source.sizes import Sizes
from cnndsl.emit.source.translate import Names, reference, translate
from cnndsl.emit.source.tree import (
    INPUTS,
    Aligned,
    Choice,
    Inlined,
    Leaf,
    Let,
    Loop,
    Misfit,
    Nodes,
    Rounds,
    Scoped,
    leaves,
)
from cnndsl.emit.source.tree import Ref as Wire
from cnndsl.emit.source.variables import ABSENT, UNSAID, Row, Slot, Variables, no_formula
from cnndsl.graph.graph import Apply, Inline, Merge, Module, Operation, Split
from cnndsl.record import Record
from cnndsl.spec import steps as spec
from cnndsl.spec.document import Block
from cnndsl.spec.values import CallValue, Expression, Literal, Value

#: The class of a module, and the module's index among the uses of the class.
Classes: TypeAlias = Mapping[int, tuple[Bound, int]]


class Scope(Record, frozen=True):
    """What all classes see: the document's parameters and blocks, the classes so far, those of modules, and the names
    that no variable may have."""

    names: Mapping[str, Any]
    blocks: Mapping[str, Block]
    bounds: Sequence[Bound]
    classes: Classes
    taken: Collection[str]

    def class_of(self, block: Any) -> Any:
        """The class of a block, if it has exactly one; a value that is no block's name as it is."""
        if not isinstance(block, str) or block not in self.blocks:
            return reference(block)
        named = [bound.name for bound in self.bounds if bound.aligned.uses[0].block == block]
        return Reference(named[0]) if len(named) == 1 else reference(block)


def bind(aligned: Aligned, name: str, scope: Scope) -> Bound | Misfit:
    """The class of some aligned uses."""
    binder = _Binder(aligned, scope)
    pieces = binder.nodes(aligned.nodes, binder.known)
    variables = binder.variables
    if variables.misfit:
        return variables.misfit
    made = {
        called: tuple(variables.expanded(size) for size in binder.sizes[wire])
        for called, wire in aligned.returned.items()
    }
    pieces = settled(pieces)
    return Bound(name, aligned, pieces, variables.used(mentioned(pieces)), variables.knows, made, binder.flags)


class _Binder:
    """``sizes`` holds the sizes of each value of the data flow; ``known`` what the spec's names mean."""

    def __init__(self, aligned: Aligned, scope: Scope) -> None:
        self.uses, self.scope = aligned.uses, scope
        self.block = scope.blocks.get(aligned.uses[0].block)
        self.variables = Variables([{} for _ in self.uses], scope.taken)
        self.sizes: dict[Wire, Sizes] = {}
        self.flags: dict[int, str] = {}
        #: How many conditions are around, inside which no variable is made.
        self.conditions = 0
        #: The conditions of branches.
        self.tests: dict[int, Expr] = {}
        #: The flag of each condition.
        self.tested: dict[Expr, str] = {}
        #: The arguments of each child, for its further uses.
        self.arguments: dict[str, Mapping[str, Expr]] = {}
        self.attributes = {member.name for leaf in leaves(aligned.nodes) for member in leaf.present}
        #: What names mean in every block.
        self.outer: dict[str, Expr] = {name: Lit(scope.class_of(name)) for name in scope.blocks}
        self.outer |= {name: Lit(reference(given)) for name, given in scope.names.items()}
        self.known = {**self.outer}
        self.visible = [p.name for p in self.block.parameters] if self.block else [*self.uses[0].params]
        for position, name in enumerate(self.uses[0].given):
            self.sizes[INPUTS, position] = self.input(position, name)
        for name in self.visible:
            self.known[name] = self.parameter(name)

    # --- what is known before --------------------------------------------------------------------

    def input(self, position: int, name: str) -> Sizes:
        """The sizes of an input: its channels may be a parameter, other sizes are numbers if they never differ."""
        shapes = [use.inputs[position].shape for use in self.uses]
        if len({shape.rank for shape in shapes}) > 1:
            return (UNSAID,) * max(shape.rank - 1 for shape in shapes)
        kind = "channels" if shapes[0].rank > 2 else "features"
        called = f"{name}_{kind}" if position else f"in_{kind}"
        called = f"actual_{called}" if called in self.visible else called
        columns = zip(*(shape.sample for shape in shapes))
        return tuple(
            self.variables.see((position, axis), hidden(position, axis), column)
            if axis
            else self.variables.know((position, axis), called, column)
            for axis, column in enumerate(columns)
        )

    def parameter(self, name: str) -> Expr:
        """A parameter of the block, or a name that a ``sequential`` sees."""
        if not all(name in use.params for use in self.uses):
            return UNSAID
        values = tuple(use.params[name] for use in self.uses)
        if any(isinstance(given, CallValue) for given in values):
            return UNSAID if len({*map(_said, values)}) > 1 else Opaque()
        defaults = {parameter.name: parameter.default for parameter in self.block.parameters} if self.block else {}
        default = defaults.get(name)
        found = Lit(REQUIRED) if default is None else translate(default, Names({}))
        fixed = isinstance(found, Lit) and (isinstance(default, Literal) or isinstance(found.value, Reference))
        known = found.value if fixed and isinstance(found, Lit) else REQUIRED
        return self.variables.know(name, name, tuple(self.scope.class_of(given) for given in values), known)

    # --- steps -----------------------------------------------------------------------------------

    def nodes(self, nodes: Nodes, known: Mapping[str, Expr]) -> Pieces:
        pieces: list[Piece] = []
        known = {**known}
        for node in nodes:
            match node:
                case Let():
                    pieces += self.let(node, known)
                case Scoped():
                    pieces += self.nodes(node.nodes, known)
                case Inlined():
                    pieces += self.nodes(node.nodes, self.inside(node, known))
                case Rounds():
                    pieces += self.rounds(node, known)
                case Choice():
                    pieces += self.choice(node, known)
                case Loop():
                    pieces += self.loop(node, known)
                case Leaf():
                    pieces += self.leaf(node, known)
        return tuple(pieces)

    def inside(self, node: Inlined, known: Mapping[str, Expr]) -> dict[str, Expr]:
        """What the names of a block mean that is written out."""
        names, first = Names(known, self.at(node.current)), node.first
        found = {**self.outer}
        for name in first.params:
            values = tuple(ABSENT if m is None else self.scope.class_of(m.params[name]) for m in node.members)
            found[name] = self.variables.known(Slot(name, values, partial(self.written, first, name, names)))
        return found

    def written(self, item: Module | Inline, name: str, names: Names) -> Expr:
        """A parameter of a block as its call writes it, or its default, in which the parameters before it are known."""
        if name in item.written:
            return translate(item.written[name], names)
        if not item.definition.name:
            return names.known.get(name, UNSAID)
        known = {**self.outer}
        for parameter in item.definition.parameters:
            default = parameter.default
            if parameter.name == name:
                return UNSAID if default is None else translate(default, Names(known, names.input))
            known[parameter.name] = self.written(item, parameter.name, names)
        return UNSAID

    def at(self, wire: Wire | None) -> Sizes | None:
        return None if wire is None else self.sizes.get(wire)

    def let(self, node: Let, known: dict[str, Expr]) -> Iterator[Local]:
        """Names for values; a formula becomes a variable of the constructor."""
        for key, written in node.values:
            lost = isinstance(written, Literal) and written.value is LOST
            formula = UNSAID if lost else translate(written, Names(known, self.at(node.current)))
            known[key.name] = formula
            fits = safe(key.name, {*self.variables.names, *self.visible}) == key.name
            if fits and not self.conditions and is_written(formula) and not isinstance(formula, (Lit, Ref)):
                known[key.name] = self.variables.local(key.name, formula)
                yield Local(key.name, formula)

    def choice(self, node: Choice, known: Mapping[str, Expr]) -> Iterator[Piece]:
        names = Names(known, self.at(node.current))
        taken = tuple(ABSENT if row is None else row for row in node.taken)
        test = self.variables.condition(Slot(node.kind, taken, lambda: translate(node.condition, names)))
        self.conditions += 1
        then, otherwise = self.nodes(node.then, known), self.nodes(node.otherwise, known)
        self.conditions -= 1
        sizes = [self.sizes[wire] for wire in node.results]
        if len(sizes) == 1:  # a branch
            self.sizes[node.number, 0], self.tests[node.number] = sizes[0], test
        elif len({*map(len, sizes)}) == 1:
            self.sizes[node.number, 0] = _light(tuple(self.one_of(test, *pair) for pair in zip(*sizes)))
        else:
            self.sizes[node.number, 0] = (UNSAID,) * len(sizes[0])
        if then or otherwise:
            yield Optional(test, under(then, test, True), under(otherwise, test, False))
        else:
            called = node.kind if node.kind.startswith("use_") else "use_step"
            flag = self.tested.get(test) or free(numbered(called), {*self.attributes, *self.flags.values()})
            if test not in self.tested:
                yield Flag(flag, test)
            self.flags[node.number] = self.tested[test] = flag

    def one_of(self, test: Expr, then: Expr, otherwise: Expr) -> Expr:
        """A size after a choice. The constructor's variables are looked into to see that the sides agree."""
        expand = self.variables.expanded
        sides = expand(then), expand(otherwise)
        made = choice(expand(test), *sides)
        return then if made == sides[0] else otherwise if made == sides[1] else choice(test, then, otherwise)

    # --- loops -----------------------------------------------------------------------------------

    def rounds(self, node: Rounds, known: Mapping[str, Expr]) -> Iterator[Piece]:
        over = self.elements(node.loop, known, self.at(node.current))
        for number, nodes in enumerate(node.rounds):
            element = index(over, Lit(node.first + number))
            names = [name.name for name in node.loop.names]
            each = (index(element, Lit(place)) if node.loop.unpack else element for place in range(len(names)))
            yield from self.nodes(nodes, {**known, **dict(zip(names, each))})

    def elements(self, loop: spec.Loop, known: Mapping[str, Expr], at: Sizes | None) -> Expr:
        return UNSAID if loop.elements is None else translate(loop.elements, Names(known, at))

    def loop(self, node: Loop, known: Mapping[str, Expr]) -> Iterator[Piece]:
        """A loop of the constructor. Sizes that change from round to round are variables that it carries."""
        variables, before = self.variables, self.at(node.current)
        names, over, elements = self.header(node, known, before)
        if before is None or variables.misfit:
            variables.misfit = variables.misfit or Misfit("a loop from a place that is not known")
            return
        outer = variables.rows, variables.use_of
        variables.rows, variables.use_of = self.inner_rows(node, names, over), [outer[1][row] for row in node.rows]
        bound = {**known, **elements}
        marks = tuple(hidden("size", axis, node.number) for axis in range(len(before)))
        carried = self.carried(
            before,
            marks,
            self.tried(node, bound, marks),
            names,
            names == () or (isinstance(over, Call) and (node.dense or node.loop.times is not None)),
        )
        self.start(node, carried)
        body = self.nodes(node.body, bound)
        variables.rows, variables.use_of = outer
        count = over.arguments[0] if isinstance(over, Call) else Call(Ref("len"), (over,))
        self.sizes[node.number, 0] = tuple(carry.after(count) for carry in carried)
        changing = [carry for carry in carried if carry.update is not None]
        self.finish(node, carried)
        yield Repeated(
            names, over, body, tuple((_name(carry), carry.before, carry.update or UNSAID) for carry in changing)
        )

    def header(
        self, node: Loop, known: Mapping[str, Expr], at: Sizes | None
    ) -> tuple[tuple[str, ...], Expr, Mapping[str, Expr]]:
        """The variables of a loop, what it goes through, and what its names mean in it."""
        variables, times = self.variables, node.loop.times
        counter = safe("i", {*variables.names, *self.visible})
        if times is not None:
            counts = tuple(ABSENT if count is None else count for count in node.counts)
            count = variables.bind(Slot("times", counts, lambda: translate(times, Names(known, at))))
            return (counter,), Call(Ref("range"), (count,)), {}
        over = self.elements(node.loop, known, at)
        if not is_written(over) or any(value(over, row) is UNKNOWN for row in variables.rows):
            variables.misfit = variables.misfit or Misfit("a loop over what has no formula")
        written = [name.name for name in node.loop.names]
        if node.dense:
            if not isinstance(over, Call) or len(over.arguments) > 2 or len(written) > 1:
                variables.misfit = variables.misfit or Misfit("a dense loop over a list")
                return (counter,), over, {}
            first = over.arguments[0] if len(over.arguments) == 2 else Lit(0)
            count = total((over.arguments[-1], scaled(first, -1)))
            return (counter,), Call(Ref("range"), (count,)), {written[0]: total((Ref(counter), first))}
        names = tuple(name if name == "_" else safe(name, variables.names) for name in written)
        return names, over, dict(zip(written, map(Ref, names)))

    def inner_rows(self, node: Loop, names: tuple[str, ...], over: Expr) -> list[Row]:
        """The rows inside a loop, one for each round."""
        rows: list[Row] = []
        for count, row in zip(node.counts, self.variables.rows):
            for element in value(over, row)[:count] if count else ():
                unpacked = element if node.loop.unpack and not node.dense else (element,)
                rows.append(ChainMap(dict(zip(names, unpacked)), row))
        return rows

    def start(self, node: Loop, carried: Sequence[Carried]) -> None:
        """The sizes with which each round starts."""
        self.sizes[node.start] = tuple(carry.inside for carry in carried)
        for row, tensor in zip(self.variables.rows, node.starts):
            for carry, size in zip(carried, tensor.shape.sample):
                if carry.update is not None:
                    row[_name(carry)] = size

    def finish(self, node: Loop, carried: Sequence[Carried]) -> None:
        """The values that the variables of a loop have after it."""
        for axis, carry in enumerate(carried):
            if carry.update is not None:
                self.variables.locals[_name(carry)] = UNSAID
                for row, tensor in zip(self.variables.rows, node.results):
                    row[_name(carry)] = UNKNOWN if tensor is None else tensor.shape.sample[axis]

    def tried(self, node: Loop, known: Mapping[str, Expr], marks: Sequence[Ref]) -> Sizes:
        """The sizes after a round that starts with the sizes ``marks``."""
        variables = self.variables
        for row, tensor in zip(variables.rows, node.starts):
            row.update(zip((mark.name for mark in marks), tensor.shape.sample))
        variables.trying = True
        kept = {**variables.fresh}, {**variables.locals}, variables.misfit, {**self.flags}
        self.sizes[node.start] = tuple(marks)
        self.nodes(node.body, known)
        after = tuple(map(variables.expanded, self.sizes[node.end]))
        variables.fresh, variables.locals, variables.misfit, self.flags = kept
        variables.trying = False
        return (total((marks[0], after[0])), *marks[1:]) if node.dense else after

    def carried(
        self, before: Sizes, marks: Sequence[Ref], after: Sizes, names: Sequence[str], counted: bool
    ) -> list[Carried]:
        """How each size goes through a loop that starts with ``before``, and in which ``marks`` become ``after``."""
        if len(after) != len(before):
            return [Carried(UNSAID, UNSAID)] * len(before)
        made: list[Carried] = []
        taken = {*self.variables.names, *self.visible, *names}
        for start, mark, then in zip(before, marks, after):
            rest = dict(terms(then))
            grows = rest.pop(mark, 0) == 1 and counted
            growth = total(scaled(term, factor) for term, factor in rest.items()) if rest else Lit(0)
            if then in (mark, start):
                made.append(Carried(start, start))
            elif not (is_written(substitute(then, {mark.name: Lit(0)})) and is_written(start)):
                made.append(Carried(UNSAID, UNSAID))
            elif grows and mark.name not in free_names(growth):
                made.append(growing(start, growth, names[0]))
            else:
                name = free(numbered("channels"), taken)
                taken.add(name)
                made.append(Carried(Ref(name), start, substitute(then, {mark.name: Ref(name)})))
        return made

    # --- operations ------------------------------------------------------------------------------

    def leaf(self, leaf: Leaf, known: Mapping[str, Expr]) -> Iterator[Piece]:
        x = [self.sizes[wire] for wire in leaf.inputs]
        if leaf.inner is not None and leaf.last is not None:
            inner = self.nodes(leaf.inner, known)
            yield from (piece for piece in inner if isinstance(piece, Local))
            kept = tuple(piece for piece in inner if not isinstance(piece, Local))
            yield Child(leaf, Call(Ref("nn.Sequential")), kept)
            self.sizes[leaf.number, 0] = self.sizes[leaf.last]
            return
        arguments = self.arguments.get(leaf.first.path, {})
        if leaf.is_child:
            call, arguments = _Construction(self, leaf, known, x).made()
            self.arguments[leaf.first.path] = arguments
            yield Child(leaf, call)
        for output, made in enumerate(self.made(leaf, arguments, x, known)):
            self.sizes[leaf.number, output] = _light(made)

    def made(self, leaf: Leaf, arguments: Mapping[str, Expr], x: list[Sizes], known: Mapping[str, Expr]) -> list[Sizes]:
        """The sizes of an operation's outputs."""
        first, present = leaf.first, leaf.present
        if len(self.variables.rows) == 1:
            return [rules.known(tensor.shape) for tensor in first.outputs]
        unsaid: list[Sizes] = [(UNSAID,) * len(tensor.shape.sample) for tensor in first.outputs]
        if len({tuple(tensor.shape.rank for tensor in (m.inputs[0], *m.outputs)) for m in present}) > 1:
            return unsaid
        match first:
            case Merge():
                absent = [self.tests.get(number) for number, _ in leaf.inputs]
                return [rules.merged(first, x, absent)]
            case Split():
                return self.parts(leaf, first, x[0], known)
        makers = {_maker(member, self.scope.classes): member for member in present}
        found = [self.after(member, arguments, x) for member in makers.values()]
        return found[0] if all(one == found[0] for one in found) else unsaid

    def after(self, member: Operation, arguments: Mapping[str, Expr], x: list[Sizes]) -> list[Sizes]:
        """The sizes after a child with these arguments."""
        if isinstance(member, Apply):
            return [rules.applied(member, arguments, x[0])]
        assert isinstance(member, Module)
        if id(member) not in self.scope.classes:
            return [(UNSAID,) * len(tensor.shape.sample) for tensor in member.outputs]
        bound, _ = self.scope.classes[id(member)]
        return [tuple(substitute(size, arguments) for size in bound.made[name]) for name in member.made]

    def parts(self, leaf: Leaf, first: Split, x: Sizes, known: Mapping[str, Expr]) -> list[Sizes]:
        """The sizes of the parts of a tensor."""
        step = leaf.step
        assert isinstance(step, spec.Branch) and step.split is not None
        written = translate(step.split, Names(known, x))
        count = len(first.sizes)
        even = all(len({*member.sizes}) == 1 for member in leaf.present if isinstance(member, Split))
        if written == Lit(True):
            channels = [scaled(x[0], 1, count)] * count
        else:
            channels = [index(written, Lit(number)) for number in range(count)]
        return [(size if even or is_written(size) else UNSAID, *x[1:]) for size in channels]


#: The most parts of a size's formula: one that is built up by many steps would be longer than any that is written.
MOST = 100


def _light(sizes: Sizes) -> Sizes:
    return tuple(UNSAID if weight(size) > MOST else size for size in sizes)


def _said(given: Any) -> str:
    """A layer with its arguments, as text that is the same for the same layer."""
    if not isinstance(given, CallValue):
        return literal(given)
    arguments = given.arguments
    named = (f"{keyword.name}={literal(_literal(keyword.value))}" for keyword in arguments.keywords)
    return f"{given.name}({', '.join((*(literal(_literal(one)) for one in arguments.positional), *named))})"


def _literal(given: Value) -> Any:
    return given.value if isinstance(given, Literal) else None


def _name(carry: Carried) -> str:
    assert isinstance(carry.inside, Ref)
    return carry.inside.name


def _maker(member: Operation, classes: Classes) -> Any:
    """What constructs a child."""
    if isinstance(member, Apply):
        return member.layer.constructor
    return classes[id(member)][0].name if id(member) in classes else None


# --- constructor calls ---------------------------------------------------------------------------


class _Argument(Record, frozen=True):
    """One argument of a call: its name, its default, and its formula."""

    name: str
    positional: bool
    default: Any
    formula: Callable[[], Expr | None]


class _Construction:
    """The constructor call of a child."""

    def __init__(self, binder: _Binder, leaf: Leaf, known: Mapping[str, Expr], x: list[Sizes]) -> None:
        self.binder, self.leaf, self.x = binder, leaf, x
        self.names = Names(known, x[0])
        self.scope, self.variables = binder.scope, binder.variables

    def made(self) -> tuple[Call, dict[str, Expr]]:
        """The call, and the arguments by name: also those that the callee does not take, but that its sizes depend
        on."""
        members = self.leaf.members
        makers = [None if member is None else _maker(member, self.scope.classes) for member in members]
        shown = {maker: member for maker, member in zip(makers, members) if maker}
        every = {maker: [*self.arguments(member)] for maker, member in shown.items()}
        if len(every) > 1:
            every = {maker: [a for a in listed if self.is_said(a, maker, makers)] for maker, listed in every.items()}
        if len({tuple((one.name, one.positional) for one in listed) for listed in every.values()}) > 1:
            self.variables.misfit = self.variables.misfit or Misfit("calls with other arguments")
            return Call(Ref("nn.Identity")), {}
        callee = self.callee(makers)
        positional, keywords, bound = self.bound([*every.values()])
        return Call(callee, positional, keywords), {**self.unwritten(bound), **bound}

    def callee(self, makers: Sequence[str | None]) -> Expr:
        values = tuple(ABSENT if maker is None else Reference(maker) for maker in makers)
        callee = getattr(self.leaf.step, "callee", None)
        written = callee if isinstance(callee, Expression) else None
        said = [value for value in values if value is not ABSENT]
        if written is None and len({*said}) == 1:
            return Lit(said[0])
        formula = no_formula if written is None else partial(translate, written, self.names)
        return self.variables.bind(Slot("layer", values, formula))

    def values(self, name: str) -> tuple[Any, ...]:
        """The values of an argument in all rows."""
        return tuple(ABSENT if member is None else self.value(member, name) for member in self.leaf.members)

    def value(self, member: Operation, name: str) -> Any:
        if isinstance(member, Apply):
            return member.layer.values[name]
        bound, use = self.scope.classes[id(member)]
        return next(parameter.values[use] for parameter in bound.parameters if parameter.name == name)

    def is_said(self, argument: _Argument, maker: str, makers: Sequence[str | None]) -> bool:
        """Whether some call of a callee gives an argument that is not the default."""
        here = (member for member, one in zip(self.leaf.members, makers) if one == maker and member is not None)
        return argument.default is REQUIRED or any(
            not same(self.value(member, argument.name), argument.default) for member in here
        )

    def bound(
        self, every: Sequence[Sequence[_Argument]]
    ) -> tuple[tuple[Expr, ...], tuple[tuple[str, Expr], ...], dict[str, Expr]]:
        """The arguments in order, those by name, and all of them."""
        positional: list[Expr] = []
        keywords: list[tuple[str, Expr]] = []
        bound: dict[str, Expr] = {}
        gap = False
        for place, argument in enumerate(every[0]):
            alike = all_same([listed[place].default for listed in every])
            default = argument.default if alike else REQUIRED
            values = self.values(argument.name)
            made: Expr = Lit(default)
            if default is REQUIRED or any(value is not default for value in values):
                made = self.variables.bind(Slot(argument.name, values, argument.formula, self.leaf.first.name))
            bound[argument.name] = made
            if isinstance(made, Lit) and default is not REQUIRED and same(made.value, default):
                gap = True
            elif argument.positional and not gap:
                positional.append(made)
            else:
                keywords.append((argument.name, made))
        return tuple(positional), tuple(keywords), bound

    def arguments(self, member: Operation | None) -> Iterator[_Argument]:
        return self.of_layer(member) if isinstance(member, Apply) else self.of_class(member)

    def of_layer(self, item: Apply) -> Iterator[_Argument]:
        positional = True  # until one is not: all after it are written with their names
        for name, argument in item.layer.arguments.items():
            if name in item.layer.reads:
                continue
            needed = argument.infer is not None or argument.required
            positional = positional and needed and not argument.keyword
            default = REQUIRED if needed else argument.default
            yield _Argument(name, positional, default, partial(self.formula, item, name))

    def formula(self, item: Apply, name: str) -> Expr:
        """The spec's own expression for an argument of a layer, or what it is inferred from."""
        argument = item.layer.arguments[name]
        if name in item.written:
            return translate(item.written[name], self.names)
        if argument.infer is not None:
            return rules.inferred(argument, type(item.layer), self.x[0])
        return Lit(argument.default)

    def of_class(self, item: Operation | None) -> Iterator[_Argument]:
        assert isinstance(item, Module)
        bound, _ = self.scope.classes[id(item)]
        keys = {parameter.name: key for key, parameter in bound.knows.items()}
        for parameter in bound.parameters:
            given = partial(self.given, item, keys.get(parameter.name))
            yield _Argument(parameter.name, parameter.default is REQUIRED, parameter.default, given)

    def given(self, item: Module, key: Any) -> Expr:
        """What a caller gives for a parameter of a class: as the spec writes it, or the size of an input."""
        if key is None:
            return UNSAID
        return self.x[key[0]][key[1]] if isinstance(key, tuple) else self.binder.written(item, key, self.names)

    def unwritten(self, bound: Mapping[str, Expr]) -> dict[str, Expr]:
        """What the callee knows besides its parameters."""
        first = self.leaf.first
        if not isinstance(first, Module) or len(self.variables.rows) == 1:
            return {}
        made, _ = self.scope.classes[id(first)]
        found: dict[str, Expr] = {}
        for key, parameter in made.knows.items():
            if parameter.name not in bound and not parameter.is_constant:
                found[parameter.name] = self.given(first, key)
        return found
