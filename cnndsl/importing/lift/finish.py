"""Drafts become nodes: every layer has its last name, and ``rename`` says what the module calls its parameters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cnndsl.importing.body import Body, Node
from cnndsl.importing.lift.draft import Draft, DraftBody
from cnndsl.layers import LAYERS


class Finisher:
    """Names everything. ``renames`` are our names of tensors with those that the module has, where they differ."""

    def __init__(self) -> None:
        self.renames: dict[str, str] = {}
        self.names: set[str] = set()

    def finished(self, body: DraftBody, ours: str = "", theirs: str = "") -> Body:
        """``ours`` and ``theirs`` are the body's paths, with a dot at their ends unless they are empty."""
        taken = {node.name for node in body.nodes if node.name}
        made: dict[Any, str] = {}
        nodes = []
        for node in body.nodes:
            known = _identity(node)
            reuse = known is not None and known in made
            name = made[known] if reuse else _name(node, taken)
            if known is not None:
                made.setdefault(known, name)
            taken.add(name)
            if not reuse:
                self._rename(node, f"{ours}{name}.", theirs)
            inner = self.finished(node.body, f"{ours}{name}.", f"{theirs}{node.name}.") if node.body else None
            nodes.append(_node(node, name, reuse, inner))
        return Body(body.module, body.inputs, tuple(_unnamed(nodes)), body.outputs)

    def _rename(self, node: Draft, ours: str, theirs: str) -> None:
        for tensor, path in node.state.items():
            self.names.add(ours + tensor)
            if ours + tensor != theirs + path:
                self.renames[ours + tensor] = theirs + path


def _identity(node: Draft) -> Any:
    """What two uses of one module have in common. One without parameters is the same only with the same arguments, and
    if it takes no other tensor by its name."""
    if node.state or node.body:
        return (*sorted(node.state.items()),) or node.child
    said = (node.name, node.word, repr([*node.arguments.items()]))
    return said if node.name and node.word and len(node.inputs) == 1 else None


def _node(node: Draft, name: str, reuse: bool, inner: Body | None) -> Node:
    return Node(
        node.word, name, node.arguments, node.inputs, node.outputs, node.place, node.child if inner else None, reuse,
        node.options, inner,
    )  # fmt: skip


def _unnamed(nodes: list[Node]) -> Iterable[Node]:
    """Layers of one name that are no uses of one layer have none: they are as many layers."""
    counts = Counter(node.name for node in nodes if not node.reuse)
    for node in nodes:
        if node.name and counts[node.name] > 1:
            fields = {key: getattr(node, key) for key in node.__struct_fields__}
            yield Node(**fields | {"name": ""})
        else:
            yield node


def _name(node: Draft, taken: set[str]) -> str:
    if node.name or not node.state:
        return node.name
    stem = _stem(node)
    return stem if stem not in taken else next(name for n in range(1, 1000) if (name := f"{stem}{n}") not in taken)


def _stem(node: Draft) -> str:
    """What parameters of a module itself are called together: ``gamma``, ``fc`` for ``fc_weight`` and ``fc_bias``."""
    paths = [*node.state.values()]
    ends = all(path.endswith(tensor) for tensor, path in node.state.items())
    if ends and (stems := {path.removesuffix(tensor).rstrip("._") for tensor, path in node.state.items()}):
        stem = stems.pop()
        return stem if stem and not stems else LAYERS[node.word].short_name
    return paths[0]


def condensed(renames: Mapping[str, str], names: set[str]) -> dict[str, str]:
    """Renames of single tensors as patterns, where the ends of two names mean the same everywhere."""
    found: dict[str, str] = {}
    done: set[str] = set()
    for ours in renames:
        if ours not in done:
            pattern = next((pair for pair in _ends(ours, renames[ours]) if _holds(*pair, renames, names)), None)
            alike = _alike(pattern[0], names) if pattern else []
            if pattern and len(alike) > 1:
                found[f"**.{pattern[0]}"] = f"**.{pattern[1]}"
                done.update(alike)
            else:
                found[ours] = renames[ours]
    return found


def _ends(ours: str, theirs: str) -> Iterator[tuple[str, str]]:
    """The ends of two names in which they differ, the shortest first."""
    left, right = ours.split("."), theirs.split(".")
    shared = 0
    while shared < min(len(left), len(right)) - 1 and left[shared] == right[shared]:
        shared += 1
    for start in range(shared, -1, -1):
        yield ".".join(left[start:]), ".".join(right[start:])


def _alike(end: str, names: set[str]) -> list[str]:
    return [name for name in names if f".{name}".endswith(f".{end}")]


def _holds(left: str, right: str, renames: Mapping[str, str], names: set[str]) -> bool:
    """Whether all names that end so are called so."""
    return all(renames.get(name) == name.removesuffix(left) + right for name in _alike(left, names))
