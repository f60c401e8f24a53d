"""A module as a spec: the one place that knows the order of the stages.

The network is traced and lifted as a whole. Then each class of module becomes a block, those that others contain first:
the steps of each use are found, runs become loops, and all uses are laid side by side. At last the root becomes the
document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from inspect import cleandoc
from typing import Any, TypeAlias

from msgspec.structs import replace
from torch import nn

from cnndsl.diagnostics import Code
from cnndsl.importing.blocks import Made, Use, made
from cnndsl.importing.body import Body, Lifted
from cnndsl.importing.experiment import Rebuild, with_parameters
from cnndsl.importing.lift import lift
from cnndsl.importing.recorded import Refusal, Unspeakable
from cnndsl.importing.rolling import rolled, rolled_together
from cnndsl.importing.rolling.tables import with_tables
from cnndsl.importing.structure import arranged, structured
from cnndsl.importing.trace import trace
from cnndsl.importing.tree import Arguments, Block, Call, Sequential, Spec, Step, Steps, bare, inside
from cnndsl.importing.writing import length, written
from cnndsl.record import Record
from cnndsl.spec.names import unusable, usable

#: The longest first sentence of a docstring that becomes the description.
_SENTENCE = 90
#: The most steps of a class with one use that is no block.
_CHAIN = 4
_INPUTS: TypeAlias = Mapping[str, tuple[int, ...]]
_ARGUMENTS: TypeAlias = Mapping[nn.Module, Mapping[str, Any]]


class Converted(Record, frozen=True):
    """The spec of a module, what it leaves out, and the modules that never ran."""

    spec: Spec
    text: str
    warnings: tuple[Refusal, ...] = ()
    unused: tuple[str, ...] = ()


def convert(
    module: nn.Module,
    inputs: _INPUTS,
    name: str = "",
    leaves: Sequence[str] = (),
    arguments: _ARGUMENTS | None = None,
    comments: Sequence[str] = (),
    rebuild: Rebuild | None = None,
) -> Converted:
    """A module as a spec.

    ``inputs`` are the shapes of one sample by the names of ``forward``'s arguments, ``arguments`` what the ``__init__``
    of modules was given, as far as it is known, and ``comments`` lines above the document. ``rebuild`` builds the
    network with other values of its own arguments; those that it explains become parameters of the document. Raises
    :class:`~cnndsl.importing.recorded.Unspeakable`.
    """

    def lifted(module: nn.Module, arguments: _ARGUMENTS | None = None) -> Lifted:
        return arranged(lift(trace(module, inputs, leaves, arguments)))

    network = lifted(module, arguments)
    if not _computes(network.root):
        message, help = "the module computes nothing: it returns what it is given", "a spec has at least one layer"
        raise Unspeakable([Refusal(Code.OPERATION, message, None, help, "", type(module).__name__)])
    network, parameters = (network, ()) if rebuild is None else with_parameters(network, rebuild, lifted)
    spec = replace(document(network, name, parameters), comments=tuple(comments))
    return Converted(spec, written(spec), network.warnings, network.unused)


def _computes(body: Body) -> bool:
    return any(node.body is None or _computes(node.body) for node in body.nodes)


def document(network: Lifted, name: str = "", parameters: Arguments = ()) -> Spec:
    """A whole network as a spec with these parameters, whose names are in the network already."""
    root = network.root
    classes = Classes(root, [name for name, _ in parameters])
    top = classes.rolled(classes.tree(root))
    spec = Spec(
        name or _snake_case(root.module.kind),
        _description(root),
        tuple((name, tensor.shape[1:]) for name, tensor in zip(top.inputs or ("x",), root.inputs.values())),
        parameters,
        tuple(classes.blocks),
        top.steps or (Call("Identity"),),
        top.outputs,
        tuple(network.rename.items()),
    )
    return with_tables(spec)


def _snake_case(kind: str) -> str:
    """``SmallResNet18`` as ``small_resnet18``, an identifier that a document may have as its name. ``Net`` belongs to
    the word before it, and a word of one or two letters to those beside it: ``ConvNeXt`` is ``convnext``."""
    name = re.sub(r"(?<=[a-z0-9]{3})(?!Net(?![a-z]))(?=[A-Z][a-z]{2})", "_", kind).lower()
    return usable(name).split("`")[1] if unusable(name) and usable(name) else "network" if unusable(name) else name


def _description(root: Body) -> str:
    """The first sentence of the class's own docstring, if it is short. Those of torch's classes describe no network."""
    kind = type(root.module.module)
    text = "" if kind.__module__.startswith("torch.") else cleandoc(vars(kind).get("__doc__") or "")
    sentence = re.split(r"\n\s*\n|(?<=\w)\.(?:\s|\Z)", text, maxsplit=1)[0]
    line = " ".join(sentence.split())
    return line if len(line) <= _SENTENCE and line.isprintable() and "$" not in line else ""


# --- classes -------------------------------------------------------------------------------------


class Classes:
    """The blocks of a network, and the calls that its bodies become."""

    def __init__(self, root: Body, taken: Sequence[str] = ()) -> None:
        self.taken = taken
        self.blocks: list[Block] = []
        self.calls: dict[str, tuple[str, Arguments]] = {}
        self.bodies = {body.module.path: body for body in _bodies(root)}
        for uses in _innermost_first(root):
            self._make(uses)

    def _make(self, uses: Sequence[Body]) -> None:
        """The block of a class, and the calls of its uses: the shorter of what comes of the steps as they are, and with
        loops for what is longer in one use than in another."""
        trees = [self.tree(body) for body in uses]
        if len(uses) == 1 and _is_short_chain(trees[0]):
            return  # it is written as `sequential` where it is
        ways = [[tree.steps for tree in trees]]
        if (looped := rolled_together(ways[0], self.blocks, self.taken)) != ways[0]:
            ways.append(looped)
        best = min((self._made(uses, trees, steps) for steps in ways), key=lambda found: self._length(found))
        self.blocks += best.blocks
        self.calls |= {body.module.path: call for body, call in zip(uses, best.calls, strict=True)}

    def _made(self, uses: Sequence[Body], trees: Sequence[Block], steps: Sequence[Steps]) -> Made:
        found = made(
            uses[0].module.kind,
            [
                Use(replace(tree, steps=own), body.module.arguments, _given(body))
                for body, tree, own in zip(uses, trees, steps)
            ],
            self.blocks,
        )
        # Steps of several uses have the shapes of the first, from which a loop would take a number for all of them.
        known = len({_given(body)[1:] for body in uses}) == 1
        blocks = (block if known else replace(block, steps=bare(block.steps)) for block in found.blocks)
        return replace(found, blocks=tuple(self.rolled(block) for block in blocks))

    def rolled(self, block: Block) -> Block:
        names = (parameter.name for parameter in block.parameters)
        return replace(block, steps=rolled(block.steps, self.blocks, (*self.taken, *names)))

    def _length(self, found: Made) -> int:
        """How long blocks and the calls of them are, written."""
        calls = tuple(Call(word, arguments) for word, arguments in found.calls)
        return length([*self.blocks, *found.blocks], found.blocks, calls)

    def tree(self, body: Body) -> Block:
        """One use of a module, with calls of the blocks that there are."""
        tree = structured(body)
        return replace(tree, steps=self._with_calls(tree.steps))

    def _with_calls(self, steps: Steps) -> Steps:
        return tuple(self._with_call(step) for step in steps)

    def _with_call(self, step: Step) -> Step:
        if not (isinstance(step, Call) and step.module):
            return inside(step, self._with_calls)
        if step.module in self.calls:
            word, arguments = self.calls[step.module]
            return replace(step, word=word, arguments=arguments, module="")
        return Sequential(self._with_calls(structured(self.bodies[step.module]).steps), step.name, step.given)


def _is_short_chain(tree: Block) -> bool:
    """Whether a block is a few layers and blocks one after another, which needs no definition if there is one use."""
    links = all(isinstance(step, Call) and not step.inputs and "." not in str(step.name) for step in tree.steps)
    return links and len(tree.steps) <= _CHAIN and not tree.inputs and not tree.outputs


def _given(body: Body) -> tuple[int, ...]:
    return next(iter(body.inputs.values())).shape


def _bodies(body: Body) -> Iterator[Body]:
    """The bodies inside of another, each module's first."""
    for node in body.nodes:
        if node.body is not None and not node.reuse:
            yield from _bodies(node.body)
            yield node.body


def _is_list(body: Body) -> bool:
    """Whether a module is written as ``sequential`` where it is."""
    return type(body.module.module) is nn.Sequential


def _innermost_first(root: Body) -> Iterator[list[Body]]:
    """The uses of each class, those that are in others first. Classes that contain each other are parted by how deep
    they are."""
    bodies = [body for body in _bodies(root) if not _is_list(body)]
    keys: dict[Body, Any] = {body: type(body.module.module) for body in bodies}
    while True:
        needs: dict[Any, set[Any]] = {key: set() for key in keys.values()}
        for body in bodies:
            needs[keys[body]] |= {keys[inner] for inner in _bodies(body) if inner in keys}
        try:
            order = [*TopologicalSorter(needs).static_order()]
            break
        except CycleError as error:
            cycle = {*error.args[1]}
            keys |= {body: (key, _height(body)) for body, key in keys.items() if key in cycle}
    for key in order:
        yield [body for body in bodies if keys[body] == key]


def _height(body: Body) -> int:
    """How deep bodies are nested in a body."""
    return 1 + max((_height(node.body) for node in body.nodes if node.body is not None), default=0)
