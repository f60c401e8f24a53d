"""What is drawn of a graph: boxes in stacks and side by side, before any of them has a place.

A figure has several *canvases*: that of the network, its trunk, and one for every distinct block in it. A *cell* is one
box: a chain of layers that papers draw as one, a closed module, a merge. It knows all operations that it stands for:
rounds of loops, and uses of the block.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence, Set
from functools import cache
from typing import Literal

from msgspec.structs import replace

from cnndsl.emit.diagram.compact.arrange import arranged
from cnndsl.emit.diagram.compact.fuse import fused
from cnndsl.emit.diagram.compact.items import (
    ONCE,
    Beside,
    Canvas,
    Cell,
    Exit,
    Group,
    Item,
    Stack,
    Times,
    cells,
    tails,
)
from cnndsl.emit.diagram.compact.similar import Similar, whole
from cnndsl.emit.diagram.fold import Part
from cnndsl.emit.diagram.streams import ends, together
from cnndsl.graph.graph import (
    Alias,
    Apply,
    Body,
    Branch,
    Dense,
    Graph,
    Inline,
    Merge,
    Module,
    Operation,
    Residual,
    Split,
    Tensor,
    walk,
)
from cnndsl.graph.graph import Item as Part_
from cnndsl.record import Record
from cnndsl.spec.words import PAIRS


class Detail(Record, frozen=True):
    """How much is drawn: levels of modules that are opened, the longest list without a gap, and the modules that are
    opened in place; ``wrappers`` are opened, too, and leave no trace."""

    depth: int | None
    fold: bool
    longest: int | None = None
    opened: frozenset[str] = frozenset()
    wrappers: frozenset[str] = frozenset()


def sketch(graph: Graph, detail: Detail, apart: Mapping[str, str]) -> list[Canvas]:
    """The trunk, and a canvas for every block that is drawn beside it, in the order of their first uses."""
    return _Sketcher(graph, detail, apart).canvases()


class _Sketcher:
    def __init__(self, graph: Graph, detail: Detail, apart: Mapping[str, str]) -> None:
        self.graph, self.detail, self.apart = graph, detail, apart
        self.opened = detail.opened | detail.wrappers
        apart = {**apart, **dict.fromkeys(self.opened, "opened")}
        self.similar = Similar(graph, detail.fold, apart, lambda module: not self._single(module, 1))
        self.groups: dict[Hashable, Group] = {}
        #: What stands for a tensor in a canvas, by its identity.
        self.same: dict[int, Tensor] = {}
        self.single: dict[Hashable, bool] = {}
        self.alone = _alone(graph)
        self.height = cache(self._height)

    def canvases(self) -> list[Canvas]:
        drawn: dict[Group | None, Canvas] = {None: self._canvas([self.graph.root], 1, None)}
        if lone := _lone(drawn[None]):
            detail = replace(self.detail, wrappers=self.detail.wrappers | {lone.path})
            return _Sketcher(self.graph, detail, self.apart).canvases()
        while waiting := [group for group in self.groups.values() if group not in drawn]:
            # A block has no use in one that is less deep, so all uses of the deepest are known.
            group = max(waiting, key=lambda each: (self.height(each.modules[0]), -each.order))
            drawn[group] = self._canvas(group.modules, group.level + 1, group)
        return _in_order(drawn)

    def _height(self, module: Module) -> int:
        inner = [operation for operation in module.operations if isinstance(operation, Module)]
        return 1 + max(map(self.height, inner), default=0)

    def _canvas(self, uses: Sequence[Module], level: int, group: Group | None) -> Canvas:
        first = uses[0]
        named = len(first.given) > 1
        # Two inputs may be given one tensor. Inside of the block they are two.
        self.same = {id(tensor): Tensor(tensor.shape) for tensor in first.given.values() if isinstance(tensor, Alias)}
        items: list[Item] = [
            Cell("end", makes=(self._inside(tensor),), title=name if named else "input")
            for name, tensor in first.given.items()
        ]
        body = self._items([use.body for use in uses], level)
        stack = Stack(arranged(self._fused([*items, *body])))
        for name, made in first.made.items():
            tensor, last = self._inside(made), tails(stack)
            title = name if len(first.made) > 1 else "output"
            if len(last) == 1 and tensor in last[0].makes and made is first.output:
                stack.items.append(Cell("end", takes=(tensor,), title=title))
            elif maker := next((cell for cell in cells(stack) if tensor in cell.makes), None):
                shapes = {use.made[name].shape.sample for use in uses}
                maker.exits.append(Exit(title, shapes.pop() if len(shapes) == 1 else None))
        for cell in cells(stack):
            if cell.level is not None:
                cell.group = self._group(cell)
        return Canvas(stack, group)

    def _inside(self, tensor: Tensor) -> Tensor:
        """What stands for a tensor in the canvas: another, if it is the result of a merge of one tensor."""
        return self.same.get(id(tensor), tensor)

    # Bodies. Each is given with the bodies that it stands for, which have the same items.

    def _items(self, bodies: Sequence[Body], level: int) -> list[Item]:
        return self._runs([*zip(*map(self.similar.folded, bodies))], level)

    def _stack(self, bodies: Sequence[Body], level: int) -> Stack:
        return Stack(arranged(self._fused(self._items(bodies, level))))

    def _fused(self, items: Sequence[Item]) -> list[Item]:
        return fused(items, self.alone)

    def _runs(self, runs: Sequence[Sequence[Sequence[Part]]], level: int) -> list[Item]:
        """Runs of equal parts. Each is a list with the same run of every body."""
        found: list[Item] = []
        cut = self._cut(len(runs))
        for index, run in enumerate(runs):
            if index not in cut:
                found += self._run(run, level)
            elif index == cut.start:
                left_out = [*runs[cut.start : cut.stop]]
                bodies = [[part.body for part in run[0]] for run in left_out]
                for places in together(bodies):
                    one = len(places) == 1
                    found += self._run(left_out[places[0]], level) if one else [_rest([bodies[at] for at in places])]
        return found

    def _run(self, run: Sequence[Sequence[Part]], level: int) -> list[Item]:
        rounds = [part.body for parts in run for part in parts]
        times = tuple(sorted({len(parts) for parts in run}))
        if not whole(rounds[0]):
            return self._repeated(self._items(rounds, level), times)
        equal = [body[0] for body in rounds]
        first = equal[0]
        if isinstance(first, Apply):
            return [self._cell("layers", equal, times)]
        if isinstance(first, Module):
            return self._module([module for module in equal if isinstance(module, Module)], times, level)
        return self._repeated(self._region(equal, level), times)

    def _repeated(self, items: list[Item], times: Times, name: str = "") -> list[Item]:
        """Items, in a bracket if they are repeated or have a name."""
        if times == ONCE and not name:
            return items
        items = arranged(self._fused(items))
        if len(items) == 1 and isinstance(items[0], Cell) and not name and ONCE in (times, items[0].times):
            items[0].times = items[0].times if times == ONCE else times
            return items
        return [Stack(items, name, times)] if items else []

    def _region(self, same: Sequence[Part_], level: int) -> list[Item]:
        """The items of a region, a merge or a split, with those that it stands for."""
        first = same[0]
        if isinstance(first, Merge | Split):
            return self._merged(same)
        if isinstance(first, Inline):
            return self._items([item.body for item in same if isinstance(item, Inline)], level)
        if isinstance(first, Dense):
            rounds = [self.similar.rounds(item) for item in same if isinstance(item, Dense)]
            return self._runs([*zip(*rounds)], level)
        if isinstance(first, Residual):
            return self._residual([item for item in same if isinstance(item, Residual)], level)
        return self._branch([item for item in same if isinstance(item, Branch)], level)

    def _residual(self, same: Sequence[Residual], level: int) -> list[Item]:
        if not same[0].merge:
            return self._items([item.body for item in same], level)
        arms = [self._stack([item.body for item in same], level), self._stack([item.shortcut for item in same], level)]
        merge = self._merged([item.merge for item in same if item.merge])
        return [Stack([Beside(arms, main=True), *merge], joint=True)]

    def _branch(self, same: Sequence[Branch], level: int) -> list[Item]:
        items: list[Item] = []
        if same[0].split:
            items.append(self._cell("merge", [item.split for item in same if item.split]))
        bodies = [*zip(*([arm.body for arm in item.arms] for item in same))]
        arms: list[Stack] = []
        cut = self._cut(len(bodies))
        for index, equal in enumerate(bodies):
            if index not in cut:
                arms.append(self._stack(equal, level))
            elif index == cut.start:
                left_out = [[equal[0]] for equal in bodies[cut.start : cut.stop]]
                for places in together(left_out):
                    arms.append(Stack([_rest([left_out[at] for at in places], f"{len(places):,} more branches")]))
        merge = self._merged([item.merge for item in same])
        return [Stack([*items, Beside(arms), *merge], joint=True)] if merge else [*items, *arms[0].items]

    def _merged(self, same: Sequence[Part_]) -> list[Item]:
        """A merge, or nothing if it takes one tensor: then it does nothing."""
        for merge in same:
            if isinstance(merge, Merge) and len(merge.inputs) == 1:
                self.same[id(merge.output)] = self._inside(merge.inputs[0])
        one = same[0]
        return [] if isinstance(one, Merge) and len(one.inputs) == 1 else [self._cell("merge", same)]

    def _module(self, equal: Sequence[Module], times: Times, level: int) -> list[Item]:
        """A module: opened in place if it only groups, or else as a box."""
        first = equal[0]
        depth = self.detail.depth
        if not first.operations or (depth is not None and level >= depth):
            return [self._cell("module", equal, times)]
        if not (self._single(first, level) or not first.block or first.path in self.opened):
            return [self._cell("module", equal, times, level)]
        items = arranged(self._fused(self._items([module.body for module in equal], level + 1)))
        if first.path in self.detail.opened:
            return self._repeated(items, times, first.path)
        lone = len(items) == 1 and isinstance(items[0], Cell) and ONCE in (times, items[0].times)
        return self._repeated(items, times, "" if lone else _name(equal, times))

    def _single(self, module: Module, level: int) -> bool:
        """Whether the contents of a module are one box."""
        key = self.similar.key(module)
        if key not in self.single:
            items = self._stack([module.body], level + 1).items
            self.single[key] = len(items) == 1 and isinstance(items[0], Cell)
        return self.single[key]

    def _group(self, cell: Cell) -> Group:
        """The group of a closed module, which gets all of the modules that the cell stands for."""
        modules = [module for module in cell.drawn[0] if isinstance(module, Module)]
        group = self.groups.setdefault(self.similar.key(modules[0]), Group([], cell.level or 0, len(self.groups)))
        group.modules += [module for module in modules if not module.reuse]
        if not group.modules:  # what is used again was opened in place
            group.modules.append(self.similar.original(modules[0]))
        return group

    def _cell(
        self,
        kind: Literal["layers", "module", "merge"],
        equal: Sequence[Part_],
        times: Times = ONCE,
        level: int | None = None,
    ) -> Cell:
        members: list[Operation] = [item for item in equal if isinstance(item, Apply | Module | Merge | Split)]
        first = members[0]
        taken = first.inputs[:1] if isinstance(first, Apply) else first.inputs
        takes = tuple(dict.fromkeys(map(self._inside, taken)))
        makes = tuple(tensor for member in members for tensor in member.outputs)
        return Cell(kind, (tuple(members),), takes, makes, times, level=level, roles=self._roles(first))

    def _roles(self, operation: Operation) -> dict[Tensor, str]:
        """What each tensor is to an operation. One may be given twice: ``a, b``."""
        names: Sequence[str] = ()
        if isinstance(operation, Module) and len(operation.given) > 1:
            names = [*operation.given]
        elif isinstance(operation, Merge) and operation.kind in PAIRS:
            names = ("1", "2")
        found: dict[Tensor, list[str]] = {}
        for name, tensor in zip(names, map(self._inside, operation.inputs)):
            found.setdefault(tensor, []).append(name)
        return {tensor: ", ".join(names) for tensor, names in found.items()}

    def _cut(self, length: int) -> range:
        """The range that is left out of a list of some length."""
        longest = self.detail.longest
        if longest is None or length <= longest:
            return range(0)
        return range((longest + 1) // 2, length - longest // 2)


def _rest(parts: Sequence[Sequence[Body]], title: str = "") -> Cell:
    """One box for some parts, each of several bodies."""
    takes, makes = ends(body for bodies in parts for body in bodies)
    count = sum(1 for bodies in parts for body in bodies for _ in walk(body))
    return Cell("rest", takes=takes, makes=makes, title=title or f"{count:,} more")


def _name(equal: Sequence[Module], times: Times) -> str:
    """The name of a bracket. A number says nothing, and is left out."""
    first, last = equal[0], equal[times[-1] - 1]
    if first.name.isdecimal():
        return ""
    return first.name if times == ONCE else f"{first.name} … {last.name}"


def _alone(graph: Graph) -> Set[Tensor]:
    """The tensors that one layer takes, and that are not an output of a module with several."""
    takers = graph.root.takers
    modules = (graph.root, *(module for module in graph.root.modules if len(module.made) > 1))
    outputs = {tensor for module in modules for tensor in module.outputs}
    return {tensor for tensor, taking in takers.items() if len(taking) == 1} - outputs


def _lone(canvas: Canvas) -> Module | None:
    """The module that is all there is in a canvas: a wrapper is no level."""
    found = [cell for cell in cells(canvas.stack) if cell.kind != "end"]
    first = found[0].first if len(found) == 1 and found[0].group and found[0].times == ONCE else None
    return first if isinstance(first, Module) else None


def _in_order(drawn: Mapping[Group | None, Canvas]) -> list[Canvas]:
    """The trunk, and after each canvas those of its blocks."""
    found: dict[Group | None, Canvas] = {}

    def visit(group: Group | None) -> None:
        if group in found:
            return
        found[group] = drawn[group]
        for cell in cells(drawn[group].stack):
            if cell.group:
                visit(cell.group)

    visit(None)
    _lettered([group for group in found if group])
    return [*found.values()]


def _lettered(groups: Sequence[Group]) -> None:
    """Gives drawings of one block their letters."""
    kinds = Counter(group.modules[0].kind for group in groups)
    seen: Counter[str] = Counter()
    for group in groups:
        kind = group.modules[0].kind
        if kinds[kind] > 1:
            group.letter = _letter(seen[kind])
            seen[kind] += 1


def _letter(number: int) -> str:
    """``a`` to ``z``, then ``aa``."""
    return (_letter(number // 26 - 1) if number >= 26 else "") + chr(ord("a") + number % 26)
