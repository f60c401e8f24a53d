"""Where the tensors come from that the parts of two aligned networks take and return."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cnndsl.compare.align import Alignment
from cnndsl.compare.parts import COMMUTATIVE, Part, Tree
from cnndsl.graph.graph import Tensor
from cnndsl.record import Record

#: The most pairs of inputs of an addition, and the like, that are compared.
PAIRS = 10_000


class Argument(Record, frozen=True):
    """An argument before and after; None for one that a side does not have."""

    name: str
    before: Any
    after: Any


class Side:
    """One network, and where its tensors come from."""

    def __init__(self, tree: Tree, alignment: Alignment) -> None:
        self.tree, self.alignment = tree, alignment
        self.inputs = {tensor: index for index, tensor in enumerate(tree.inputs.values())}
        self.moved = {inner for part in alignment.moved for inner in part.everything()}
        self.wrappers = {wrap.module: wrap for wrap in (*alignment.wrapped, *alignment.unwrapped)}

    def is_steady(self, part: Part) -> bool:
        """Whether a part has a partner, and kept its place."""
        return part in self.alignment.partners and part not in self.moved

    def maker(self, tensor: Tensor) -> tuple[Part | None, int]:
        """The part that makes a tensor, and which of its outputs it is; None and the number of an input."""
        part = self.tree.makers.get(tensor)
        return (part, part.operation.outputs.index(tensor)) if part else (None, self.inputs.get(tensor, 0))

    def producers(self, tensor: Tensor, around: Part | None = None) -> Iterator[Part]:
        """The part that makes a tensor, and the modules around that return it, those inside ``around``. None for an
        input of the network."""
        part = self.tree.makers.get(tensor)
        around = around or self.tree.root
        while part is not None and part is not around and tensor in part.operation.outputs:
            yield part
            part = self.tree.parents[part]

    def given(self, around: Part, tensor: Tensor) -> int:
        """Which input of a module a tensor is, -1 if it is none."""
        given = list((self.tree.inputs if around is self.tree.root else around.module.given).values())
        return given.index(tensor) if tensor in given else -1

    def source(self, tensor: Tensor) -> tuple[Part | None, int]:
        """The steady part that a tensor comes from, and which of its outputs it is. Other parts in between do not
        count. Without a part, it is an input of the network."""
        while (maker := self.tree.makers.get(tensor)) is not None:
            if self.is_steady(maker):
                return maker, maker.operation.outputs.index(tensor)
            tensor = maker.operation.inputs[0]
        return None, self.inputs.get(tensor, 0)

    def before(self, part: Part) -> Part | None:
        """The part before it in the module around, None if it is the first."""
        place = self.tree.places[part]
        return self.tree.parents[part].children[place - 1] if place else None

    def path_before(self, part: Part) -> str:
        """The path of the part before, or that of the module around if there is none."""
        return (self.before(part) or self.tree.parents[part]).where

    def is_new(self, tensor: Tensor) -> bool:
        """Whether a part makes a tensor that is only on this side."""
        maker = self.tree.makers.get(tensor)
        return maker is not None and maker not in self.alignment.partners


class Wiring:
    """Compares what the parts of two networks take and return."""

    def __init__(self, left: Side, right: Side, alignment: Alignment) -> None:
        self.left, self.right, self.partners = left, right, alignment.partners

    def rewired(self, a: Part, b: Part) -> Iterator[Argument]:
        """The inputs that come from elsewhere."""
        ours, theirs = list(a.operation.inputs), list(b.operation.inputs)
        is_ordered = not (a.kind == b.kind in COMMUTATIVE)
        if not is_ordered:
            ours, theirs = self._without_common(a, b, ours, theirs)
        if self._alike(a, b, ours, theirs):
            return
        if len(ours) != len(theirs):
            ours = [tensor for tensor in ours if not self.left.is_new(tensor)]
            theirs = [tensor for tensor in theirs if not self.right.is_new(tensor)]
            if self._alike(a, b, ours, theirs):
                return
        for index in range(max(len(ours), len(theirs))):
            one, other = ours[index : index + 1], theirs[index : index + 1]
            if not self._alike(a, b, one, other):
                name = f"input {index + 1}" if is_ordered and max(len(ours), len(theirs)) > 1 else "input"
                yield Argument(name, _told(self.left, a, one), _told(self.right, b, other))

    def _without_common(
        self, a: Part, b: Part, ours: Sequence[Tensor], theirs: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """The tensors that only one of two parts takes, in any order. Those of partners are matched first; of many
        others, none is."""
        spare: dict[tuple[Part | None, int], list[Tensor]] = {}
        for tensor in theirs:
            spare.setdefault(self.right.maker(tensor), []).append(tensor)
        only = []
        for tensor in ours:
            maker, index = self.left.maker(tensor)
            partner = self.partners.get(maker) if maker else None
            if partner and (same := spare.get((partner, index))):
                same.pop()
            else:
                only.append(tensor)
        left = [tensor for tensors in spare.values() for tensor in tensors]
        return self._without_alike(a, b, only, left) if len(only) * len(left) <= PAIRS else (only, left)

    def _without_alike(
        self, a: Part, b: Part, ours: Sequence[Tensor], theirs: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """The same, comparing each with each."""
        only, left = [], list(theirs)
        for tensor in ours:
            same = next((place for place, other in enumerate(left) if self._alike(a, b, [tensor], [other])), None)
            if same is None:
                only.append(tensor)
            else:
                del left[same]
        return only, left

    def returned(self, a: Part, b: Part, is_named: bool) -> Iterator[Argument]:
        """The outputs of two modules, if they differ: in number, in where they come from, or, if ``is_named``, in their
        names. One that comes from a part that is new, gone or moved is told there."""
        ours, theirs = a.module.made, b.module.made
        if len(ours) == len(theirs) and not (is_named and [*ours] != [*theirs]):
            pairs = zip(ours.values(), theirs.values())
            if all(self._is_told(x, y) or self._alike_inside(a, b, x, y, a) for x, y in pairs):
                return
        yield Argument("outputs", _outputs(self.left, a), _outputs(self.right, b))

    def _is_told(self, x: Tensor, y: Tensor) -> bool:
        makers = (side.tree.makers.get(tensor) for side, tensor in ((self.left, x), (self.right, y)))
        return not all(maker is None or self.left.is_steady(maker) for maker in makers)

    def _alike_inside(self, a: Part, b: Part, x: Tensor, y: Tensor, around: Part | None = None) -> bool:
        """Whether two tensors in matched modules are the same input of these, or come from the same place."""
        return self.left.given(a, x) == self.right.given(b, y) != -1 or self._comes_from(x, y, around)

    def _alike(self, a: Part, b: Part, ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> bool:
        """Whether tensors that two parts take come from the same places."""
        around, other = self.left.tree.parents[a], self.right.tree.parents[b]
        inside = self.partners.get(around) is other
        same = self._alike_inside if inside else lambda _, __, x, y: self._comes_from(x, y)
        return len(ours) == len(theirs) and all(same(around, other, x, y) for x, y in zip(ours, theirs))

    def _comes_from(self, x: Tensor, y: Tensor, around: Part | None = None) -> bool:
        """Whether two tensors come from the same place: from partners, inside ``around`` on the left side if it is
        given, or else from the same steady parts before."""
        others = list(self.right.producers(y))
        for part in self.left.producers(x, around):
            if (other := self.partners.get(part)) in others:
                assert other is not None
                return part.operation.outputs.index(x) == other.operation.outputs.index(y)
        maker, index = self.left.source(x)
        return (self.partners[maker] if maker else None, index) == self.right.source(y)


def _told(side: Side, part: Part, tensors: Sequence[Tensor]) -> str | None:
    """Where a tensor that a part takes comes from, in words; None if there is none. If it comes from a module beside
    the part, that is told, not the layer inside."""
    return _source(side, side.tree.parents[part], tensors[0]) if tensors else None


def _source(side: Side, around: Part, tensor: Tensor) -> str:
    """Where a tensor comes from, as seen in a module."""
    found = list(side.producers(tensor))
    if not found:
        names = [*side.tree.inputs]
        return f"the input {names[side.inputs.get(tensor, 0)]}" if len(names) > 1 else "the input"
    beside = [maker for maker in found if side.tree.parents[maker] is around]
    maker = (beside or found)[0]
    if len(maker.operation.outputs) == 1:
        return maker.where
    index = maker.operation.outputs.index(tensor)
    return f"{maker.where}[{index}]" if not maker.is_module else f"{maker.where}.{[*maker.module.made][index]}"


def _outputs(side: Side, part: Part) -> tuple[str, ...]:
    """The outputs of a module: where they come from, with their names if these are others."""
    found = []
    for name, tensor in part.module.made.items():
        source = _source(side, part, tensor).removeprefix(f"{part.where}.")
        found.append(source if name in (source, "output") else f"{name} ({source})")
    return tuple(found)
