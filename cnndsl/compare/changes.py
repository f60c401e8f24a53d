"""What changed between two aligned networks, as frozen data."""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterator, Mapping, Sequence
from typing import Any

from cnndsl.compare.align import Alignment
from cnndsl.compare.parts import Part, Tree, is_applied
from cnndsl.compare.wiring import Argument, Side, Wiring
from cnndsl.emit.table import arguments, call, literal
from cnndsl.graph.graph import Graph
from cnndsl.record import Record
from cnndsl.spec.merge import defined_name
from cnndsl.spec.tree import Mapping as TreeMapping
from cnndsl.spec.tree import plain

#: How far from a change its repetitions are counted.
FAR = 1000


class Place(Record, frozen=True):
    """A part of one of the networks, and its ``call`` as Python would write it. ``where`` is its path as people are
    told it. ``outputs`` are shapes with the batch; ``arguments`` those that are not torch's defaults; ``kinds`` counts
    the layers and merges inside, or itself."""

    path: str
    where: str
    kind: str
    call: str
    arguments: Mapping[str, Any]
    outputs: tuple[tuple[int, ...], ...]
    kinds: Mapping[str, int]
    params: int
    macs: int

    @property
    def layers(self) -> int:
        return sum(self.kinds.values())

    @property
    def is_operation(self) -> bool:
        """Whether it is a layer, merge or split, not a module."""
        return self.kinds == {self.kind: 1}


class Count(Record, frozen=True):
    """How often a ``unit``, the kinds of one or several parts in a row, is repeated before and after."""

    unit: tuple[str, ...]
    before: int
    after: int


class Change(Record, frozen=True):
    """One change.

    ``what`` is ``added``, ``removed``, ``moved``, ``changed`` (arguments), ``replaced`` (by another kind), ``renamed``,
    ``rewired`` (takes or returns another tensor), ``reused`` (has the weights of another layer or module), ``wrapped``
    or ``unwrapped``. Of the network as a whole, its ``input``, the names of its ``inputs``, its ``outputs`` or its
    ``init`` are ``changed``. ``left`` and ``right`` are the parts on each side,
    several if they are in a row. For ``wrapped``, the last place on the right is the module around; for ``unwrapped``
    the last on the left.

    ``block`` is the kind of the block around, "" if there is none, and ``inside`` the path in it. ``around`` is the
    path of the module around.
    """

    what: str
    left: tuple[Place, ...]
    right: tuple[Place, ...]
    arguments: tuple[Argument, ...] = ()
    count: Count | None = None
    block: str = ""
    inside: str = ""
    around: str = ""

    @property
    def place(self) -> Place:
        """The first part, on the right side if it is there."""
        return (self.right or self.left)[0]

    @property
    def params(self) -> int:
        """How many parameters more the right side has."""
        return _sum(self.right, "params") - _sum(self.left, "params")

    @property
    def macs(self) -> int:
        return _sum(self.right, "macs") - _sum(self.left, "macs")


class Consequence(Record, frozen=True):
    """A layer that did not change itself, but has another output shape or other parameters."""

    left: Place
    right: Place


class Changes(Record, frozen=True):
    """The ``causes``; the changes that are ``explained`` by one of them, as an argument of a block explains those
    inside; and the ``consequences``."""

    causes: tuple[Change, ...]
    explained: tuple[Change, ...]
    consequences: tuple[Consequence, ...]


def changes(left: Graph, right: Graph, alignment: Alignment) -> Changes:
    """What changed between two networks."""
    comparison = _Comparison(left, right, alignment)
    comparison.whole()
    comparison.pair(alignment.left.root, alignment.right.root, False)
    if not comparison.causes:
        comparison.given_names()
    return Changes(tuple(comparison.causes), tuple(comparison.explained), tuple(comparison.consequences))


def place(part: Part) -> Place:
    """A part as changes show it."""
    operation, cost = part.operation, part.operation.cost
    outputs = tuple(tuple(tensor.shape) for tensor in operation.outputs)
    told = call(operation), arguments(operation)
    return Place(part.path, part.where, part.kind, *told, outputs, part.kinds, cost.params, cost.macs)


def _sum(places: Sequence[Place], what: str) -> int:
    return sum(getattr(place, what) for place in places)


def _definitions(graph: Graph) -> dict[str, object]:
    """The blocks of a spec by name, as plain data."""
    blocks = graph.document.tree.get("blocks")
    entries = blocks.entries if isinstance(blocks, TreeMapping) else ()
    return {defined_name(key): plain(steps) for key, steps in entries}


class _Comparison:
    def __init__(self, left: Graph, right: Graph, alignment: Alignment) -> None:
        self.graphs = left, right
        self.alignment, self.partners = alignment, alignment.partners
        self.left = Side(alignment.left, alignment)
        self.right = Side(alignment.right, alignment)
        self.wiring = Wiring(self.left, self.right, alignment)
        self.definitions = _definitions(left), _definitions(right)
        self.causes: list[Change] = []
        self.explained: list[Change] = []
        self.consequences: list[Consequence] = []

    # --- the networks as a whole -----------------------------------------------------------------

    def whole(self) -> None:
        """Compares what a network takes and returns, and how its weights start."""
        a, b = self.alignment.left.root, self.alignment.right.root
        names = ({"inputs": tuple(root.module.given)} for root in (a, b))
        outputs = self.wiring.returned(a, b, len(a.module.made) > 1 or len(b.module.made) > 1)
        starts = _differing(*(_starts(graph, a.kinds | b.kinds) for graph in self.graphs))
        for argument in (*_differing(_shapes(a), _shapes(b)), *_differing(*names), *outputs, *starts):
            self.causes.append(self._change("changed", (a,), (b,), (argument,)))

    def given_names(self) -> None:
        """Compares the names of layers and modules that nobody wrote, which those of the weights begin with."""
        for a in self.alignment.left.places:
            b = self.partners[a]
            if is_applied(a.operation) and not a.is_reuse and a.name != b.name:
                self.causes.append(self._change("renamed", (a,), (b,), (Argument("name", a.name, b.name),)))

    # --- pairs -----------------------------------------------------------------------------------

    def pair(self, a: Part, b: Part, explained: bool) -> None:
        """Compares two parts. ``explained`` tells whether the module around explains the changes."""
        found = list(self._own(a, b))
        for change in found:
            self._add(change, explained)
        if a.content == b.content:
            self._follow(a, b)
        elif a.is_module and b.is_module and not (a.is_reuse or b.is_reuse):
            is_block = bool(a.module.block) and a in self.left.tree.parents
            told = explained or (is_block and any(change.what == "changed" for change in found))
            same = not is_block or self.definitions[0].get(a.kind) == self.definitions[1].get(b.kind)
            self._inside(a, b, told and same)

    def _follow(self, a: Part, b: Part) -> None:
        """Collects the consequences in two equal parts, which have none if their inputs have equal shapes."""
        if a in self.left.tree.parents and _input_shapes(a) == _input_shapes(b):
            return
        for one, other in zip(a.children, b.children):
            self._follow(one, other)
        if not a.is_module and _figures(a) != _figures(b):
            self.consequences.append(Consequence(place(a), place(b)))

    def _add(self, change: Change, explained: bool) -> None:
        (self.explained if explained else self.causes).append(change)

    def _own(self, a: Part, b: Part) -> Iterator[Change]:
        """The changes of two matched parts, without those inside."""
        if a not in self.left.tree.parents:
            return
        if not (a.is_reuse and b.is_reuse and self._takes_same(a, b)):
            yield from self._altered(a, b)
        if a not in self.alignment.moved and (inputs := tuple(self.wiring.rewired(a, b))):
            yield self._change("rewired", (a,), (b,), inputs)
        if a.is_module and b.is_module and (outputs := tuple(self.wiring.returned(a, b, False))):
            yield self._change("rewired", (a,), (b,), outputs)

    def _altered(self, a: Part, b: Part) -> Iterator[Change]:
        """The changes of what a part is, and of its name."""
        if a.kind != b.kind or a.is_module != b.is_module:
            yield self._change("replaced", (a,), (b,))
        elif a.is_reuse or b.is_reuse:
            again = (part.path if part.is_reuse else None for part in (a, b))
            yield self._change("reused", (a,), (b,), (Argument("weights", *again),))
            return
        elif a.content != b.content and (differing := _differing(a.arguments, b.arguments)):
            yield self._change("changed", (a,), (b,), differing)
        if (a.is_named or b.is_named) and a.name != b.name:
            yield self._change("renamed", (a,), (b,), (Argument("name", a.name, b.name),))

    def _change(
        self, what: str, left: Sequence[Part], right: Sequence[Part], differing: Sequence[Argument] = (), **more: Any
    ) -> Change:
        part, tree = (right[0], self.right.tree) if right else (left[0], self.left.tree)
        block, inside = _block(part, tree)
        around = tree.parents[part].path if part in tree.parents else ""
        sides = tuple(map(place, left)), tuple(map(place, right))
        return Change(what, *sides, tuple(differing), block=block, inside=inside, around=around, **more)

    def _takes_same(self, a: Part, b: Part) -> bool:
        """Whether two parts that take an earlier one again take partners."""
        one, other = self.left.tree.firsts[a.path], self.right.tree.firsts[b.path]
        return self.partners.get(one) is other

    # --- what is inside of modules ---------------------------------------------------------------

    def _inside(self, a: Part, b: Part, explained: bool) -> None:
        """Compares the children of two modules, in their order on both sides."""
        left, right = list(a.children), list(b.children)
        here = {child for child in left if self._is_here(child, b)}
        there = {self.partners[child] for child in here}
        i = j = 0
        while i < len(left) or j < len(right):
            gone, new = _run(left, i, here), _run(right, j, there)
            for change in (*self._only(self.left, "removed", gone), *self._only(self.right, "added", new)):
                self._add(change, explained)
            self._wrappings(gone, new, explained)
            self._arrivals(new, explained)
            i, j = i + len(gone), j + len(new)
            if i < len(left) and j < len(right):
                self.pair(left[i], right[j], explained)
                i, j = i + 1, j + 1

    def _is_here(self, child: Part, b: Part) -> bool:
        partner = self.partners.get(child)
        return partner is not None and child not in self.alignment.moved and self.right.tree.parents.get(partner) is b

    def _only(self, side: Side, what: str, run: Sequence[Part]) -> Iterator[Change]:
        """The changes of children that are only on one side: one for each uninterrupted run."""
        single = [part not in self.partners and part not in side.wrappers for part in run]
        start = 0
        for end in range(1, len(run) + 1):
            if end == len(run) or single[end] != single[start]:
                if single[start]:
                    parts = run[start:end]
                    sides = (parts, ()) if what == "removed" else ((), parts)
                    yield self._change(what, *sides, count=self._count(side, what, parts))
                start = end

    def _wrappings(self, gone: Sequence[Part], new: Sequence[Part], explained: bool) -> None:
        for wrap in (self.right.wrappers[part] for part in new if part in self.right.wrappers):
            inside = [self.partners[part] for part in wrap.parts]
            self._wrapping("wrapped", wrap.parts, (*inside, wrap.module), explained)
        for wrap in (self.left.wrappers[part] for part in gone if part in self.left.wrappers):
            inside = [self.partners[part] for part in wrap.parts]
            self._wrapping("unwrapped", (*inside, wrap.module), wrap.parts, explained)

    def _wrapping(self, what: str, left: Sequence[Part], right: Sequence[Part], explained: bool) -> None:
        self._add(self._change(what, left, right), explained)
        for a, b in zip(left, right):
            self.pair(a, b, explained)

    def _arrivals(self, new: Sequence[Part], explained: bool) -> None:
        """The parts that moved to here, those in a row together."""
        runs: list[list[tuple[Part, Part]]] = []
        for part in new:
            if part not in self.alignment.moved:
                continue
            came = self.partners[part]
            if runs and self.left.before(came) is runs[-1][-1][0] and self.right.before(part) is runs[-1][-1][1]:
                runs[-1].append((came, part))
            else:
                runs.append([(came, part)])
        for run in runs:
            places = Argument("after", *(side.path_before(part) for side, part in zip((self.left, self.right), run[0])))
            self._add(self._change("moved", [a for a, _ in run], [b for _, b in run], (places,)), explained)
            for a, b in run:
                self.pair(a, b, explained)

    # --- counts ----------------------------------------------------------------------------------

    def _count(self, side: Side, what: str, run: Sequence[Part]) -> Count | None:
        """How often the run's unit is repeated on each side, None if it stands alone."""
        unit = _unit([part.kind for part in run])
        if not any(part.is_module or part.operation.cost.params for part in run):
            return None
        siblings = side.tree.parents[run[0]].children
        start = side.tree.places[run[0]]
        low, high, size = start, start + len(run), len(unit)
        while low >= size and start - low < FAR and [part.kind for part in siblings[low - size : low]] == unit:
            low -= size
        while high - start < FAR and [part.kind for part in siblings[high : high + size]] == unit:
            high += size
        steady = sum(all(map(side.is_steady, siblings[index : index + size])) for index in range(low, high, size))
        total = (high - low) // size
        if not steady:
            return None
        return Count(tuple(unit), *((total, steady) if what == "removed" else (steady, total)))


def _unit(kinds: list[str]) -> list[str]:
    """The shortest start of ``kinds`` of which it is a repetition."""
    sizes = (size for size in range(1, len(kinds) + 1) if len(kinds) % size == 0)
    return next(kinds[:size] for size in sizes if kinds[:size] * (len(kinds) // size) == kinds)


def _run(parts: Sequence[Part], start: int, stops: set[Part]) -> Sequence[Part]:
    """The parts from ``start`` up to the first of ``stops``."""
    end = next((index for index in range(start, len(parts)) if parts[index] in stops), len(parts))
    return parts[start:end]


def _block(part: Part, tree: Tree) -> tuple[str, str]:
    """The kind of the block around a part, and the part's path in it."""
    around = tree.parents.get(part)
    while around is not None and around in tree.parents and not around.module.block:
        around = tree.parents.get(around)
    if around is None or around not in tree.parents:
        return "", part.path
    return around.kind, part.path.removeprefix(f"{around.path}.")


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Argument, ...]:
    names = dict.fromkeys((*before, *after))
    pairs = ((name, before.get(name), after.get(name)) for name in names)
    return tuple(Argument(name, one, other) for name, one, other in pairs if repr(one) != repr(other))


def _shapes(root: Part) -> dict[str, Any]:
    """The shapes of a network's inputs, for samples."""
    given = root.module.given
    names = ["input"] if len(given) == 1 else list(given)
    return {name: tuple(tensor.shape.sample) for name, tensor in zip(names, given.values())}


def _input_shapes(part: Part) -> list[Hashable]:
    return [tensor.shape for tensor in part.operation.inputs]


def _figures(part: Part) -> Hashable:
    """What a consequence changes."""
    cost = part.operation.cost
    return tuple(tensor.shape for tensor in part.operation.outputs), cost.params


def _starts(graph: Graph, kinds: Container[str]) -> dict[str, str]:
    """How weights of layers of some ``kinds`` start, by layer and tensor."""
    found = {}
    for init in graph.initializations:
        if init.layer in kinds:
            given = ", ".join(f"{name}={literal(value)}" for name, value in init.arguments.items())
            found[f"init {init.layer}.{init.tensor}"] = init.function + f"({given})" * bool(given)
    return found
