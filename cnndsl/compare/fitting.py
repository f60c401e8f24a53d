"""Which tensors of a checkpoint of one network fit another, and what another ``rename`` would do for more of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from msgspec.structs import replace

from cnndsl.compare.align import Alignment, align
from cnndsl.compare.parts import Part, Reader
from cnndsl.graph.graph import Graph
from cnndsl.network import Network
from cnndsl.record import Record
from cnndsl.spec.renaming import MAX_RENAMINGS, Renamer, Renaming


class Fitting(Record, frozen=True):
    """Which tensors of a checkpoint of the left network fit the right one, by their names there. ``unlike`` have
    another shape and ``unusable`` are not plain numbers, each with the difference; ``missing`` are only in the network,
    ``unexpected`` only in the checkpoint.

    ``rename`` has lines for the right spec with which more would fit, ``renamed`` of them. It is empty if there are
    none."""

    origin: str
    fit: tuple[str, ...]
    unlike: tuple[tuple[str, str], ...]
    unusable: tuple[tuple[str, str], ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    rename: Mapping[str, str] = {}
    renamed: int = 0

    @classmethod
    def of(cls, source: str, left: Graph, right: Graph) -> Fitting:
        """Reads a checkpoint of ``left``. Raises :class:`RunError` if there is nothing to read."""
        from cnndsl.weights import fit_of, read_weights

        weights = read_weights(source, left.document.name)
        module = Network(right).module()
        found = fit_of(module, weights, right)
        lines = _lines(left, right, module.state_dict())
        renamed = len(fit_of(module, weights, _renaming(right, lines)).taken)
        lists = tuple(found.taken), found.unlike, found.unusable, found.missing, found.unexpected
        return cls(found.origin, *lists, *((lines, renamed) if renamed > len(found.taken) else ()))


def _renaming(graph: Graph, lines: Mapping[str, str]) -> Graph:
    """A network whose ``rename`` has more ``lines``."""
    document = graph.document
    more = (Renaming(ours, theirs, document.network[0].span) for ours, theirs in lines.items())
    return replace(graph, document=replace(document, rename=(*more, *document.rename)))


def _lines(left: Graph, right: Graph, names: Collection[str]) -> dict[str, str]:
    """The lines of a ``rename`` that gives the tensors of the right network, which have ``names``, those of their
    partners in a checkpoint of the left one."""
    reader = Reader()
    alignment = align(reader.tree(left), reader.tree(right))
    owners = {name[:end] for name in names for end, sign in enumerate(name) if sign == "."}
    called = Renamer(left.document.rename).renamed
    found = {ours: called(theirs) for ours, theirs in _moved(alignment, alignment.right.root, "") if ours in owners}
    return found if len(found) <= MAX_RENAMINGS else {}


def _moved(alignment: Alignment, part: Part, there: str) -> Iterator[tuple[str, str]]:
    """The paths of the parts in a module that have another name on the left side, or are in another module there, than
    in the one at the path ``there``; with that path."""
    for child in part.children:
        partner, expected = alignment.partners.get(child), ".".join(filter(None, (there, child.name)))
        path = partner.path if partner else expected
        if path != expected:
            yield child.path, path
        if child.is_module and not child.is_reuse:
            yield from _moved(alignment, child, path)
