"""What differs between two networks, as the page shows it: a status for each operation that is concerned."""

from __future__ import annotations

from typing import Any

from cnndsl.compare.align import align
from cnndsl.compare.changes import Consequence
from cnndsl.compare.compare import Diff
from cnndsl.compare.parts import Reader
from cnndsl.compare.words import ARROW, Group, grouped
from cnndsl.emit.diagram.labels import TIMES
from cnndsl.graph.graph import Graph
from cnndsl.printable import one_line
from cnndsl.record import Record

#: The status of what is changed in any other way is ``changed``.
_STATUSES = ("added", "removed", "moved")
#: What a layer is called whose shapes or parameters differ because of a change elsewhere.
_AFFECTED = "affected"


class Comparison(Record, frozen=True):
    """The changes in words, each with its paths, and for the paths of both sides a status and words."""

    changes: list[dict[str, Any]]
    partners: dict[str, str | None]
    left: dict[str, tuple[str, str]]
    right: dict[str, tuple[str, str]]


def compared(left_graph: Graph, right_graph: Graph, diff: Diff) -> Comparison:
    """The page's data of a comparison."""
    left: dict[str, tuple[str, str]] = {}
    right: dict[str, tuple[str, str]] = {}
    for each in diff.consequences:
        told = _AFFECTED, _effect(each)
        left[each.left.path] = right[each.right.path] = told
    groups, inner = grouped(diff.changes), grouped(diff.explained)
    for group in (*inner, *groups):  # a cause counts more than what follows from it
        told = _status(group), "\n".join(map(one_line, group.details))
        for change in group.changes:
            left |= {place.path: told for place in change.left}
            right |= {place.path: told for place in change.right}
    return Comparison([_told(group) for group in groups], _partners(left_graph, right_graph), left, right)


def _effect(each: Consequence) -> str:
    """What is different for a layer: the shapes of its outputs, and its parameters."""
    before, after = (
        ", ".join(TIMES.join(map(str, shape[1:])) for shape in side.outputs) for side in (each.left, each.right)
    )
    shapes = f"output {before} {ARROW} {after}"
    params = f"{each.left.params:,} {ARROW} {each.right.params:,} parameters"
    return "\n".join([shapes] * (before != after) + [params] * (each.left.params != each.right.params))


def _status(group: Group) -> str:
    return group.what if group.what in _STATUSES else "changed"


def _told(group: Group) -> dict[str, Any]:
    return {
        "status": _status(group),
        "text": "\n".join(map(one_line, (group.title, *group.details))),
        "left": [place.path for change in group.changes for place in change.left],
        "right": [place.path for change in group.changes for place in change.right],
    }


def _partners(left: Graph, right: Graph) -> dict[str, str | None]:
    """For operations on the left, the path of the same one on the right if that differs, None if there is none."""
    reader = Reader()
    alignment = align(reader.tree(left), reader.tree(right))
    found = ((part.path, alignment.partners.get(part)) for part in alignment.left.root.everything())
    pairs = {path: partner.path if partner else None for path, partner in found}
    return {path: other for path, other in pairs.items() if path != other}
