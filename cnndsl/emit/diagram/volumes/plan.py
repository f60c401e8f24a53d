"""What a picture of feature maps shows: a volume for each tensor that a layer computes, in series and in parallel.

Layers that keep the size of every sample (activations, normalizations, dropout, padding, reshaping) have no volume. A
large network is made coarser: closed modules are one volume each, and equal ones in a row are one with their number.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Sequence

from msgspec import Struct, field

from cnndsl.emit.diagram.labels import SIGNS
from cnndsl.emit.diagram.streams import streams
from cnndsl.graph.graph import (
    Apply,
    Body,
    Branch,
    Graph,
    Item,
    Merge,
    Module,
    Operation,
    Residual,
    Split,
    Tensor,
    operations,
    walk,
)
from cnndsl.printable import one_line
from cnndsl.spec.words import PAIRS

#: The most volumes of a picture; a network with more is drawn with less depth. The most of one at a given depth.
MANY, MOST = 40, 120
#: A concatenation of more tensors has one colour.
PARTS = 24
#: The longest name below a volume, and the most of them at what has no room.
LONGEST, MOST_NAMES = 24, 3
#: With fewer volumes a picture shows too little to be preferred.
FEW = 8
#: Families of layers without a volume of their own.
PASSING = ("activation", "normalization", "dropout", "padding", "shape")
#: The family of closed modules; each kind of them has its own colour.
MODULE = "module"


class Volume(Struct, eq=False):
    """A tensor of ``sizes``, channels first, that a layer or a closed module computes.

    A merge value by value has a ``sign`` and is drawn as a ball. A concatenation has ``parts``, the families and
    channels of what it takes. ``times`` equal ones in a row are drawn once. ``skips`` marks a module with a residual.
    ``names`` are those of an input or of outputs, if a network has several. ``reused`` says that its weights are those
    of an earlier one. ``operands`` are what a merge takes whose order matters.
    """

    id: str
    kind: str
    family: str
    sizes: tuple[int, ...]
    sign: str = ""
    parts: tuple[tuple[str, str, int], ...] = ()
    times: int = 1
    skips: bool = False
    names: tuple[str, ...] = ()
    reused: bool = False
    operands: tuple[Volume, ...] = ()

    @property
    def ordered(self) -> bool:
        """Whether the order of what it takes matters."""
        return bool(self.operands)

    @property
    def channels(self) -> int:
        return self.sizes[0]

    @property
    def spatial(self) -> tuple[int, ...]:
        return self.sizes[1:]


class Parallel(Struct, eq=False):
    """Series side by side. The one at ``main`` is on the axis; without one, the axis is in the middle."""

    arms: list[Series]
    main: int | None = None


class Series(Struct, eq=False):
    children: list[Volume | Parallel] = field(default_factory=list)


class Plan(Struct):
    """``arrows`` are pairs of volumes, in the order of execution. ``depth`` is the number of levels that are opened."""

    root: Series
    arrows: list[tuple[Volume, Volume]]
    depth: int


def plan(graph: Graph, depth: int | None = None) -> Plan:
    """The picture with modules opened to ``depth``. Without one, the most detailed picture with at most :data:`MANY`
    volumes; of those with at least :data:`FEW`, preferably one whose closed modules are all blocks with a name."""
    if depth is not None and depth < 1:
        raise ValueError(f"depth must be 1 or more, not {depth}")
    deepest = max((level for level, _ in walk(graph.root.body)), default=1)
    if depth is not None:
        return _bounded(_Planner(graph, min(depth, deepest)).plan)
    planners = [_Planner(graph, level) for level in range(deepest, 0, -1)]
    small = [planner for planner in planners if _size(planner.plan) <= MANY] or planners[-1:]
    named = (planner for planner in small if planner.named and _size(planner.plan) >= FEW)
    return _bounded(next(named, small[0]).plan)


def _size(plan: Plan) -> int:
    return sum(1 for _ in volumes(plan.root))


def volumes(item: Series | Parallel | Volume) -> Iterator[Volume]:
    """Every volume inside, from left to right."""
    if isinstance(item, Volume):
        yield item
        return
    for inner in item.children if isinstance(item, Series) else item.arms:
        yield from volumes(inner)


class _Planner:
    """Makes one plan. ``source`` has the volume that holds the values of each tensor so far. It is ``named`` if every
    closed module is a block."""

    def __init__(self, graph: Graph, depth: int) -> None:
        self.source: dict[Tensor, Volume] = {}
        self.arrows: dict[tuple[Volume, Volume], None] = {}
        self.ids: Counter[str] = Counter()
        self.named = True
        starts = [self._input(name, tensor) for name, tensor in graph.inputs.items()]
        first: list[Volume | Parallel] = [Parallel(starts)] if len(starts) > 1 else [*starts[0].children]
        root = Series(_joined([*first, *self._series(graph.root.body, depth).children], self.arrows))
        self._name_ends(graph)
        self.plan = _folded(Plan(root, [*self.arrows], depth))

    def _input(self, name: str, tensor: Tensor) -> Series:
        made = Volume(f"input {name}", "input", "input", tensor.shape.sample)
        self.source[tensor] = made
        return Series([made])

    def _name_ends(self, graph: Graph) -> None:
        """Names inputs and outputs, if there are several."""
        ends = [(graph.inputs, ""), (graph.outputs, "output ")]
        for tensors, what in ends:
            for name, tensor in tensors.items() if len(tensors) > 1 else ():
                self.source[tensor].names += (f"{what}{_short(name)}",)

    def _series(self, body: Body, depth: int) -> Series:
        series = Series()
        for item in body:
            self._item(item, series, depth)
        return series

    def _item(self, item: Item, into: Series, depth: int) -> None:
        if isinstance(item, Module):
            self._module(item, into, depth)
        elif isinstance(item, Apply):
            self._apply(item, into)
        elif isinstance(item, Split):
            self.source.update(dict.fromkeys(item.outputs, self.source[item.input]))
        elif isinstance(item, Merge):
            self._merge(item, into)
        elif isinstance(item, Residual) and item.merge:
            self._beside([item.shortcut, item.body], into, depth, main=1)
            self._merge(item.merge, into)
        elif isinstance(item, Branch):
            if item.split:
                self._item(item.split, into, depth)
            self._beside([arm.body for arm in item.arms], into, depth)
            self._item(item.merge, into, depth)
        else:
            for body in item.bodies:
                into.children += self._series(body, depth).children

    def _module(self, module: Module, into: Series, depth: int) -> None:
        if depth > 1 and any(operations(module.body)):
            into.children += self._series(module.body, depth - 1).children
            return
        kind, times = _what(module)
        self.named &= kind != module.name
        made = Volume(module.path, kind, MODULE, module.output.shape.sample, times=times, skips=_skips(module))
        self._add(made, module, into)

    def _apply(self, apply: Apply, into: Series) -> None:
        if apply.layer.family in PASSING or (apply.layer.family == "linear" and not apply.cost.macs):
            self.source[apply.output] = self.source[apply.input]
        else:
            self._add(Volume(apply.path, apply.kind, _family(apply), apply.output.shape.sample), apply, into)

    def _merge(self, merge: Merge, into: Series) -> None:
        made = Volume(merge.path, merge.kind, "merge", merge.output.shape.sample, SIGNS.get(merge.kind, ""))
        if not made.sign:
            sources = [(self.source[tensor], tensor.shape.channels) for tensor in merge.inputs]
            parts = tuple((volume.family, volume.kind, channels) for volume, channels in sources)
            made.parts = parts if len(parts) <= PARTS else ((made.family, made.kind, made.channels),)
        if merge.kind in PAIRS:
            made.operands = tuple(self.source[tensor] for tensor in merge.inputs)
        self._add(made, merge, into)

    def _add(self, made: Volume, operation: Operation, into: Series) -> None:
        self.ids[made.id] += 1
        if self.ids[made.id] > 1:  # its weights are used again
            made.id += f" {self.ids[made.id]}"
        made.reused = _reused(operation)
        inputs = operation.inputs[:1] if isinstance(operation, Apply) else operation.inputs
        self.arrows.update(dict.fromkeys((self.source[tensor], made) for tensor in inputs))
        self.source.update(dict.fromkeys(operation.outputs, made))
        into.children.append(made)

    def _beside(self, bodies: Sequence[Body], into: Series, depth: int, main: int | None = None) -> None:
        """Adds bodies side by side. One without volumes is only a tensor, so its arrow goes past the others."""
        arms = [self._series(body, depth) for body in bodies]
        drawn = [arm for arm in arms if arm.children]
        if len(drawn) == 1:
            into.children += drawn[0].children
        elif drawn:
            into.children.append(Parallel(drawn, main))


def _family(apply: Apply) -> str:
    """The family of a layer. A transposed convolution that makes its input larger is an upsampling."""
    before, after = apply.input.shape.spatial, apply.output.shape.spatial
    grows = len(before) == len(after) and any(new > old for old, new in zip(before, after))
    return "upsampling" if apply.layer.family == "convolution" and grows else apply.layer.family


def _what(module: Module) -> tuple[str, int]:
    """What a closed module is called, and how many there are: a chain of blocks of one kind is those blocks."""
    inside = [*operations(module.body)]
    kinds = {operation.kind for operation in inside if isinstance(operation, Module)}
    if not module.block and len(kinds) == 1 and all(isinstance(operation, Module) for operation in inside):
        return kinds.pop(), len(inside)
    return module.block or module.name, 1


def _reused(operation: Operation) -> bool:
    if isinstance(operation, Apply):
        return operation.reuse and bool(operation.layer.parameters())
    return isinstance(operation, Module) and operation.reuse


def _short(name: str) -> str:
    """A name as it is written below a volume."""
    name = one_line(name)
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 2]}.."


def _skips(module: Module) -> bool:
    """Whether a residual goes past the whole of a module, or of each of those in it."""
    regions = [item for item in module.body if isinstance(item, Residual)]
    nested = [item for item in module.body if isinstance(item, Module)]
    return any(region.merge for region in regions) or (bool(nested) and all(map(_skips, nested)))


def _joined(children: Sequence[Volume | Parallel], arrows: Container[tuple[Volume, Volume]]) -> list[Volume | Parallel]:
    """Parts of a series, those side by side joined with the next if each arm continues the one before it."""
    joined: list[Volume | Parallel] = []
    for child in children:
        before = joined[-1] if joined else None
        if isinstance(child, Parallel) and isinstance(before, Parallel) and len(child.arms) == len(before.arms):
            ends = [([*volumes(one)][-1], next(volumes(other))) for one, other in zip(before.arms, child.arms)]
            if all(pair in arrows for pair in ends):
                arms = [Series([*one.children, *other.children]) for one, other in zip(before.arms, child.arms)]
                joined[-1] = Parallel(arms, before.main)
                continue
        joined.append(child)
    return joined


def _folded(plan: Plan, *, layers: bool = False) -> Plan:
    """``plan`` with equal closed modules in a row as one volume; equal layers too, with ``layers``."""
    taken, taking = Counter(tail for tail, _ in plan.arrows), Counter(head for _, head in plan.arrows)
    chained = {head: tail for tail, head in plan.arrows if taken[tail] == taking[head] == 1}
    instead: dict[Volume, Volume] = {}

    def fold(item: Volume | Parallel | Series) -> None:
        if isinstance(item, Parallel):
            for arm in item.arms:
                fold(arm)
        elif isinstance(item, Series):
            kept: list[Volume | Parallel] = []
            for child in item.children:
                fold(child)
                before = kept[-1] if kept else None
                if isinstance(child, Volume) and isinstance(before, Volume) and joins(before, child):
                    before.times += child.times
                    before.names = child.names
                    instead[child] = before
                else:
                    kept.append(child)
            item.children = kept

    def joins(one: Volume, other: Volume) -> bool:
        before = chained.get(other)
        alike = _look(one) == _look(other) and not one.names
        return (
            before is not None
            and instead.get(before, before) is one
            and alike
            and (one.family == MODULE or (layers and one.family not in ("input", "merge")))
        )

    fold(plan.root)
    return _redirected(plan, instead)


def _look(volume: Volume) -> tuple[object, ...]:
    return volume.kind, volume.family, volume.sizes, volume.reused


def _bounded(plan: Plan) -> Plan:
    """``plan`` with at most :data:`MOST` volumes: equal layers in a row are one, and long lists lose their middle."""
    longest = 2 * MANY
    if _size(plan) > MOST:
        plan = _folded(plan, layers=True)
    while longest > 1 and _size(plan) > MOST:
        longest //= 2
        plan = _shortened(plan, longest)
    return plan


def _shortened(plan: Plan, longest: int) -> Plan:
    """``plan`` with one volume for the middle of each series and each set of arms that is longer than ``longest``: one
    for each stream there, so that none is joined with another."""
    instead: dict[Volume, Volume] = {}
    taken: dict[Volume, list[Volume]] = defaultdict(list)
    for tail, head in plan.arrows:
        taken[head].append(tail)

    def ends(item: Volume | Parallel | Series) -> tuple[set[Volume], set[Volume]]:
        inside = {*volumes(item)}
        return {tail for head in inside for tail in taken[head]} - inside, inside

    def rest(items: Sequence[Volume | Parallel | Series]) -> Volume | Parallel | Series:
        if len(items) == 1:
            return items[0]
        inside = [volume for item in items for volume in volumes(item)]
        count = sum(volume.times for volume in inside)
        made = Volume(f"rest {inside[0].id}", f"{count:,} more", "rest", inside[-1].sizes, sign="\u22ef")
        names = [name for volume in inside for name in volume.names]
        made.names = tuple(names) if len(names) <= MOST_NAMES else (f"{len(names):,} outputs",)
        instead.update(dict.fromkeys(inside, made))
        return made

    def cut(item: Volume | Parallel | Series) -> None:
        if isinstance(item, Volume):
            return
        inner: list[Volume | Parallel | Series]
        inner = [*item.children] if isinstance(item, Series) else [*item.arms]
        start, end = (longest + 1) // 2, len(inner) - longest // 2
        if start < end:
            middle = inner[start:end]
            made = [rest([middle[at] for at in places]) for places in streams([*map(ends, middle)])]
            inner[start:end] = made if isinstance(item, Series) else [*map(_as_series, made)]
        for child in inner:
            cut(child)
        if isinstance(item, Series):
            item.children = inner  # type: ignore[assignment]
        else:
            item.arms = inner  # type: ignore[assignment]

    cut(plan.root)
    return _redirected(plan, instead)


def _as_series(item: Volume | Parallel | Series) -> Series:
    if isinstance(item, Series):
        return item
    return Series([item])


def _redirected(plan: Plan, instead: dict[Volume, Volume]) -> Plan:
    """``plan`` with arrows between the volumes that are left."""

    def left(volume: Volume) -> Volume:
        while volume in instead:
            volume = instead[volume]
        return volume

    for volume in volumes(plan.root):
        volume.operands = tuple(map(left, volume.operands))
    arrows = dict.fromkeys((left(tail), left(head)) for tail, head in plan.arrows)
    return Plan(plan.root, [(tail, head) for tail, head in arrows if tail is not head], plan.depth)
