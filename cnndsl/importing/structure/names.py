"""The names of steps: those of modules as they are, and names for tensors that something fetches."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import count
from typing import TypeAlias

from cnndsl.graph.scope import unusable_step
from cnndsl.importing.body import Body, Node
from cnndsl.importing.recorded import Tensor
from cnndsl.importing.structure.flow import is_merge
from cnndsl.importing.structure.pieces import Pieces, Run, by_name, fetches, makes
from cnndsl.layers import LAYERS, Layer
from cnndsl.record import Record
from cnndsl.spec.names import MAX_NAME
from cnndsl.spec.steps import last_part
from cnndsl.spec.words import INPUT

#: The names of a node's outputs if it has several.
OutputsOf: TypeAlias = "Callable[[Node], tuple[str, ...]]"


def legal(name: str, is_child: bool = True) -> str:
    """The name of a module or tensor as the language takes it: ``3`` is ``item3``, ``in`` is ``in_``."""
    if not unusable_step(name, is_child):
        return name
    first, *keys = name.split(".")
    return ".".join((_legal(first), *map(_legal_key, keys)))


def _legal(part: str) -> str:
    cleaned = re.sub(r"\W", "_", part, flags=re.ASCII)[: MAX_NAME - len("item")]
    cleaned = f"item{cleaned}" if not cleaned or cleaned[0].isdigit() or cleaned.startswith("__") else cleaned
    return f"{cleaned}_" if unusable_step(cleaned, True) else cleaned


def _legal_key(part: str) -> str:
    return _legal(part) if unusable_step(f"x.{part}", True) else part


def unique(name: str, taken: Collection[str]) -> str:
    """A name that is not taken yet: ``x``, ``x2``, ``x3``."""
    if name not in taken:
        return name
    stem = f"{name}_" if name[-1].isdigit() else name
    return next(other for number in count(2) if (other := f"{stem}{number}") not in taken)


def _as_one(name: str) -> str:
    """``features3`` for ``features.3``, ``box_head`` for ``box.head``."""
    return re.sub(r"\.(?=\d)", "", name).replace(".", "_")


class Names(Record, frozen=True, eq=False):
    """``modules`` has the names of modules by those in Python, "" for those that are called by their index. ``inputs``
    are the names of several inputs, ``steps`` those of nodes as steps, and ``tensors`` those by which tensors are
    fetched. ``outputs`` are the names of several outputs, and ``copies`` the tensors among them that get their name in
    a step of its own. ``start`` is the name that the input gets so if a module is called ``input``."""

    modules: Mapping[str, str]
    inputs: tuple[str, ...]
    steps: Mapping[Node, str]
    tensors: Mapping[Tensor, str]
    outputs: tuple[str, ...] = ()
    copies: tuple[tuple[Tensor, str], ...] = ()
    start: str = ""


def named(body: Body, pieces: Pieces, outputs_of: OutputsOf) -> Names:
    if _is_chain(body, pieces):
        modules = {node.name: "" if node.name.isdigit() else legal(node.name) for node in body.nodes if node.name}
        return Names(modules, (), {node: modules[node.name] for node in body.nodes if node.name}, {})
    return _Namer(body, {*fetches(pieces)}, outputs_of).names(pieces)


def _automatic(nodes: Sequence[Node]) -> set[Node]:
    """The modules without parameters that have the name which the language gives them by itself, like ``flatten1``.
    Those that run again keep theirs, which ``reuse`` says."""
    found: set[Node] = set()
    counts: Counter[str] = Counter()
    runs = Counter(node.name for node in nodes)
    for node in nodes:
        layer = LAYERS.get(node.word)
        if layer is not None:
            counts[layer.short_name] += 1
            is_usual = node.name == f"{layer.short_name}{counts[layer.short_name]}"
            if is_usual and runs[node.name] == 1 and layer.parameters is Layer.parameters:
                found.add(node)
    return found


def _is_chain(body: Body, pieces: Pieces) -> bool:
    """Whether the steps are an ``nn.Sequential``, in which unnamed modules are called by their index. A module without
    weights that runs again under a number is written again there."""
    if len(body.inputs) > 1 or [*body.outputs] != [""]:
        return False
    ran: set[str] = set()
    for piece in pieces:
        if not isinstance(piece, Run) or by_name(piece.node) or "." in piece.node.name:
            return False
        name = piece.node.name
        if name and name in ran and not name.isdigit():
            return False
        ran.add(name)
    return True


class _Namer:
    """Gives names in the order in which tensors are made. ``taken`` holds all that are given, ``wanted`` the tensors
    that need one."""

    def __init__(self, body: Body, fetched: set[Tensor], outputs_of: OutputsOf) -> None:
        self.body = body
        self.outputs_of = outputs_of
        self.several = [*body.outputs] != [""]
        self.wanted = fetched | ({*body.outputs.values()} if self.several else set())
        self.modules = _modules(body)
        self.taken = {INPUT, *self.modules.values(), *(h for name in self.modules.values() for h in _holders(name))}
        self.steps: dict[Node, str] = {}
        self.tensors: dict[Tensor, str] = {}
        self.makers = {tensor: node for node in body.nodes for tensor in node.outputs}
        self.counts: Counter[str] = Counter()
        self.start = ""
        #: What the tensors that are outputs should be called.
        keys = body.outputs.items() if self.several else ()
        self.keys = {tensor: key for key, tensor in keys if not unusable_step(key, False)}

    def names(self, pieces: Pieces) -> Names:
        inputs = self._inputs()
        nodes = [*makes(pieces)]
        wishes = self._wishes(nodes)
        usual = {node for node in _automatic(nodes) if self.wanted.isdisjoint(node.outputs)}
        self.taken -= {node.name for node in usual}  # the language calls them so by itself
        ran: set[str] = set()
        for node in nodes:
            is_new = node.name not in ran or not node.name
            ran.add(node.name)
            if node.name and is_new and node not in usual:
                self._step(node, self.modules[node.name])
            elif node in wishes:
                self._step(node, self._new(wishes[node]))
            if is_new and node.word in LAYERS:
                self._count(node)
        outputs, copies = self._outputs() if self.several else ((), ())
        return Names(self.modules, inputs, self.steps, self.tensors, outputs, copies, self.start)

    def _wishes(self, nodes: Sequence[Node]) -> dict[Node, str]:
        """What steps without a module's name should be called: as the variable, with a number if others are too. If
        possible it is that of the module before, ``sp1`` after ``convs.1``."""
        groups: dict[str, list[Node]] = {}
        wishes: dict[Node, str] = {}
        ran: set[str] = set()
        for node in nodes:
            is_named = bool(node.name) and node.name not in ran
            ran.add(node.name)
            if is_named or self.wanted.isdisjoint(node.outputs):
                continue
            if node.outputs[0] in self.keys:
                wishes[node] = self.keys[node.outputs[0]]
            else:
                groups.setdefault(next((tensor.name for tensor in node.outputs if tensor.name), ""), []).append(node)
        for stem, alike in groups.items():
            numbers = [""] if len(alike) == 1 and stem else self._numbers(alike)
            wishes |= {node: f"{stem or 'x'}{number}" for node, number in zip(alike, numbers)}
        return wishes

    def _numbers(self, nodes: Sequence[Node]) -> Sequence[str]:
        found = [self._number(node) for node in nodes]
        return found if all(found) and len({*found}) == len(found) else [*map(str, range(1, len(found) + 1))]

    def _number(self, node: Node) -> str:
        """The number at the end of the name of the last module before a function."""
        while not node.name and not is_merge(node) and node.inputs[0] in self.makers:
            node = self.makers[node.inputs[0]]
        return re.sub(r".*?(\d*)$", r"\1", node.name)

    def _inputs(self) -> tuple[str, ...]:
        if len(self.body.inputs) == 1:
            (tensor,) = self.body.inputs.values()
            self.tensors[tensor] = INPUT
            if INPUT in self.modules.values() and tensor in self.wanted:
                self.tensors[tensor] = self.start = self._new("x")
            return ()
        firsts = {name.partition(".")[0] for name in self.body.inputs}
        is_one_dict = len(firsts) == 1 and not any(name.partition(".")[2][:1].isdigit() for name in self.body.inputs)
        for name, tensor in self.body.inputs.items():
            self.tensors[tensor] = self._new(name.partition(".")[2] if is_one_dict else name)
        return tuple(self.tensors.values())

    def _step(self, node: Node, name: str) -> None:
        self.steps[node] = name
        outputs = self.outputs_of(node)
        self.tensors |= zip(node.outputs, [f"{name}.{output}" for output in outputs] or [name])

    def _count(self, node: Node) -> None:
        """Names an unnamed layer if the language would call it as another step is called, by its kind and a count."""
        kind = LAYERS[node.word].short_name
        self.counts[kind] += 1
        automatic = f"{kind}{self.counts[kind]}"
        if node not in self.steps:
            if automatic in self.taken:
                self._step(node, self._new(node.outputs[0].name or kind))
            self.taken.add(automatic)

    def _new(self, wished: str) -> str:
        cleaned = legal(_as_one(wished), is_child=True)
        name = unique(cleaned[:1].lower() + cleaned[1:], self.taken)
        self.taken.add(name)
        return name

    def _outputs(self) -> tuple[tuple[str, ...], tuple[tuple[Tensor, str], ...]]:
        """The names of the outputs. The network's own keep their keys."""
        names: list[str] = []
        copies: list[tuple[Tensor, str]] = []
        given = {*self.body.inputs.values()}
        for key, tensor in self.body.outputs.items():
            name = self.tensors[tensor]
            is_kept = bool(self.body.module.path) or tensor not in self.keys or last_part(name) == key
            if not is_kept or tensor in given or last_part(name) in map(last_part, names):
                name = self._new(key)
                copies.append((tensor, name))
            names.append(name)
        return tuple(names), tuple(copies)


def _modules(body: Body) -> dict[str, str]:
    names: dict[str, str] = {}
    for node in body.nodes:
        if node.name and node.name not in names:
            names[node.name] = unique(legal(node.name), names.values())
    return names


def _holders(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]
