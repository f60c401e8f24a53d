"""Pieces as steps: merges become residuals, splits and branches, and modules that ran before are reused."""

from __future__ import annotations

from collections.abc import Iterator

from cnndsl.importing.body import Node
from cnndsl.importing.recorded import Tensor
from cnndsl.importing.structure.names import Names
from cnndsl.importing.structure.pieces import Fetch, Join, Pieces, Run, by_name, is_residual, layers
from cnndsl.importing.tree import Arm, Branch, Call, From, Named, Residual, Reuse, Step, Steps
from cnndsl.layers import LAYERS


def spelled(pieces: Pieces, names: Names) -> Steps:
    speller = _Speller(names)
    steps = speller.steps(pieces)
    left = ((tensor, name) for tensor, name in names.copies if tensor not in speller.copied)
    start = (Named(names.start),) if names.start else ()
    return (*start, *steps, *(step for tensor, name in left for step in (From(names.tensors[tensor]), Named(name))))


class _Speller:
    """Writes the pieces of one body in order. ``ran`` has the modules that have run, ``copied`` the outputs that have
    got a name of their own."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.ran: set[str] = set()
        self.copied: set[Tensor] = set()

    def steps(self, pieces: Pieces) -> Steps:
        return tuple(step for piece in pieces for step in (self._step(piece), *self._copies(piece)))

    def _copies(self, piece: Run | Fetch | Join) -> Iterator[Step]:
        """The names of outputs that a step has just made."""
        now = piece.tensor if isinstance(piece, Fetch) else piece.node.outputs[-1]
        for tensor, name in self.names.copies if now not in self.copied else ():
            if tensor is now:
                yield Named(name)
        self.copied.add(now)

    def _step(self, piece: Run | Fetch | Join) -> Step:
        match piece:
            case Fetch(tensor=tensor):
                return From(self.names.tensors[tensor])
            case Join():
                return self._join(piece)
            case Run(node=node):
                return self._run(node)

    # --- modules and functions -------------------------------------------------------------------

    def _run(self, node: Node) -> Step:
        name = self.names.steps.get(node, "")
        fetched = tuple(self.names.tensors[tensor] for tensor in by_name(node))
        given = node.inputs[0].shape
        if node.name in self.ran and self.names.modules[node.name]:
            return Reuse(self.names.modules[node.name], () if node.word else fetched, name, given)
        if node.name:
            self.ran.add(node.name)
        options = tuple(node.options.items())
        if node.child is not None:
            return Call(node.child.kind, (), name, fetched, options, given, node.child.path)
        arguments = {**node.arguments, **(dict(zip(LAYERS[node.word].reads, fetched)) if fetched else {})}
        return Call(node.word, tuple(arguments.items()), name, (), options, given)

    # --- merges ----------------------------------------------------------------------------------

    def _join(self, join: Join) -> Step:
        name = self.names.steps.get(join.node, "")
        arms = tuple(self.steps(arm) for arm in join.arms)
        word, given = join.node.word, join.base.shape
        if sizes := _parts(join):
            arms = tuple(self._without_slice(steps) for steps in arms)
            even = len({*sizes}) == 1
            split = True if even else sizes
            return Branch(tuple(map(Arm, arms)), word, _dim(join.node), split, name, given)
        if is_residual(join) and layers(join.arms[0]) > layers(join.arms[1]):
            return Residual(arms[0], arms[1] or True, name, given)
        return Branch(tuple(map(Arm, arms)), word, _dim(join.node), False, name, given)

    def _without_slice(self, steps: Steps) -> Steps:
        first, *others = steps
        assert isinstance(first, Call)
        return (*((Named(first.name),) if first.name else ()), *others)


def _dim(merge: Node) -> int:
    return int(merge.arguments.get("dim", 1))


def _parts(join: Join) -> tuple[int, ...]:
    """The channels of each arm if these begin with the parts of a split, one after another; else empty."""
    end = 0
    sizes: list[int] = []
    for arm in join.arms:
        first = arm[0].node if arm and isinstance(arm[0], Run) else None
        if first is None or first.word != "Slice" or first.inputs[0] is not join.base:
            return ()
        arguments = first.arguments
        if arguments.get("dim", 1) != 1 or arguments.get("start", 0) != end:
            return ()
        end += first.outputs[0].shape[1]
        sizes.append(first.outputs[0].shape[1])
    return tuple(sizes) if len(sizes) > 1 and end == join.base.shape[1] else ()
