"""Compares two networks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from cnndsl.compare.align import align
from cnndsl.compare.changes import Change, Consequence, changes
from cnndsl.compare.fitting import Fitting
from cnndsl.compare.parts import Reader
from cnndsl.compare.wiring import Argument
from cnndsl.diagnostics import SpecError
from cnndsl.graph.graph import Graph, Module
from cnndsl.measure.receptive import receptive_fields
from cnndsl.network import Compilation, Network, compile_spec
from cnndsl.recipe import Recipe
from cnndsl.record import Record
from cnndsl.spec.document import Spec
from cnndsl.spec.tree import plain

#: The parts of a spec that say nothing about its network.
SECTIONS = ("rename", "train")


class Summary(Record, frozen=True):
    """A network in figures. ``inputs`` and ``outputs`` are shapes of samples, by name. ``kinds`` counts its layers,
    merges and splits, ``layers`` is the number of layers. ``field`` is the receptive field of the last tensor with
    several positions, in pixels of the first input along each axis: None for the whole input, no axes if it is not
    known."""

    name: str
    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]
    kinds: Mapping[str, int]
    layers: int
    params: int
    macs: int
    field: tuple[int | None, ...]

    @classmethod
    def of(cls, graph: Graph, name: str) -> Summary:
        cost = graph.root.cost
        inputs, outputs = (
            {name: tuple(tensor.shape.sample) for name, tensor in tensors.items()}
            for tensors in (graph.inputs, graph.outputs)
        )
        kinds = Counter(part.kind for part in graph.root.everything if not isinstance(part, Module))
        return cls(name, inputs, outputs, kinds, len(graph.root.layers), cost.params, cost.macs, _field(graph))


class Diff(Record, frozen=True):
    """The differences of two networks, true if there are any.

    ``params`` are parameters of the specs that have other values. ``changes`` are the causes of all that differs.
    ``explained`` are changes inside of blocks that follow from other arguments of the block; ``consequences`` are
    layers that only have other shapes. ``sections`` are the parts of the specs that say nothing about the network, such
    as ``train``, and differ. ``notes`` tell which side breaks its ``expect``, or has a recipe with errors. ``weights``
    tells what fits of a checkpoint of the left network, if it was asked.
    """

    left: Summary
    right: Summary
    params: tuple[Argument, ...]
    changes: tuple[Change, ...]
    explained: tuple[Change, ...]
    consequences: tuple[Consequence, ...]
    sections: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    weights: Fitting | None = None

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.changes)

    def __repr__(self) -> str:
        from cnndsl.compare.text import as_text

        return as_text(self).rstrip()

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(repr(self))}</pre>"


def diff(left: Network | Spec, right: Network | Spec) -> Diff:
    """What differs between two networks, each a :class:`Network`, the path of a spec, or ``zoo:NAME``.

    A spec may break its ``expect`` or have errors in its recipe, which are noted. Raises :class:`SpecError` for any
    other error.

    >>> cnndsl.diff("zoo:resnet18", cnndsl.load("zoo:resnet18", depths=(2, 2, 3, 2)))
    """
    sides = [
        Compilation(side.graph, [], sound=side.graph) if isinstance(side, Network) else compile_spec(side)
        for side in (left, right)
    ]
    before, after = map(sound, sides)
    return compare(before, after, notes=notes(*sides))


def sound(side: Compilation) -> Graph:
    """The network of a side. Raises :class:`SpecError` if it has none."""
    if side.sound is None:
        raise SpecError(side.diagnostics, side.partial)
    return side.sound


def notes(left: Compilation, right: Compilation) -> tuple[str, ...]:
    """The errors of two sides that have networks."""
    return tuple(f"{name}: {found}" for name, side in (("left", left), ("right", right)) for found in side.errors)


def compare(left: Graph, right: Graph, names: Sequence[str] = (), notes: Sequence[str] = ()) -> Diff:
    """What differs between two networks. ``names`` are what they are called, by default their own names; ``notes`` are
    those of the diff."""
    reader = Reader()
    alignment = align(reader.tree(left), reader.tree(right))
    found = changes(left, right, alignment)
    before, after = names or (left.document.name, right.document.name)
    summaries = Summary.of(left, before), Summary.of(right, after)
    params, sections = _params(left, right), _sections(left, right)
    return Diff(*summaries, params, found.causes, found.explained, found.consequences, sections, tuple(notes))


def _field(graph: Graph) -> tuple[int | None, ...]:
    """See :attr:`Summary.field`."""
    fields = receptive_fields(graph)
    spread = [tensor for tensor in fields if any(size > 1 for size in tensor.shape.spatial)]
    axes = next(iter(fields[spread[-1]].inputs.values()), ()) if spread else ()
    return tuple(axis.size for axis in axes) if all(axis.known for axis in axes) else ()


def _sections(left: Graph, right: Graph) -> tuple[str, ...]:
    """See :attr:`Diff.sections`."""
    trees = left.document.tree, right.document.tree
    written = ([tree.get(name) for name in SECTIONS] for tree in trees)
    pairs = zip(SECTIONS, *([(section and plain(section)) or None for section in sections] for sections in written))
    differ = [name for name, before, after in pairs if before != after]
    return tuple(name for name in differ if name != "train" or not _train_alike(left, right))


def _train_alike(left: Graph, right: Graph) -> bool:
    """Whether two recipes mean the same, though one writes what is the default of the other."""
    recipes = [_recipe(graph) for graph in (left, right)]
    return None not in recipes and recipes[0] == recipes[1]


def _recipe(graph: Graph) -> Recipe | None:
    """A recipe whose calls have all their arguments. None if there is none, or if it has errors or is incomplete."""
    from cnndsl.recipe.reader import in_full, read_recipe  # here, because most specs that are compared have equal ones

    train = graph.document.train
    found = read_recipe(train, graph.root.params)[0] if train else None
    return found and in_full(found)


def _params(left: Graph, right: Graph) -> tuple[Argument, ...]:
    """The parameters of the spec that both have, with other values."""
    before, after = left.root.params, right.root.params
    return tuple(
        Argument(name, value, after[name])
        for name, value in before.items()
        if name in after and repr(value) != repr(after[name])
    )
