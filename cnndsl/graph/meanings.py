"""The meaning of names in a document's values: which parameters are used, and which names hide others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from msgspec import Struct, field

from cnndsl.diagnostics import Code, Diagnostic, Note
from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.spec.document import Document, Parameter
from cnndsl.spec.sections import Train
from cnndsl.spec.steps import Arm, Let, Steps, arms, values_in
from cnndsl.spec.values import Value, expressions_in
from cnndsl.spec.words import THROWN_AWAY


class Definition(Record, frozen=True, eq=False):
    """A name that ``$`` refers to. ``words`` describe it, ``steps`` is the list that it belongs to, None
    for a parameter."""

    name: str
    words: str
    span: Span
    steps: Steps | None = None

    def __str__(self) -> str:
        return self.words


class Meanings(Struct):
    """``unused`` are the parameters that are never used although no ``let`` and no loop hides them, each with
    the other owner of its name, if any: a block's parameter, or a key of the recipe. ``hiding`` are warnings about
    names that hide others."""

    unused: list[tuple[Definition, Definition | None]] = field(default_factory=list)
    hiding: list[Diagnostic] = field(default_factory=list)


def meanings(document: Document) -> Meanings:
    """Visits every value of a document, and resolves each name in it as the compiler does."""
    reader = _Reader(document)
    reader.read()
    return reader.found


class _Reader:
    """``known`` holds the definitions of each name at the current place, the innermost last."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.found = Meanings()
        self.known: dict[str, list[Definition]] = defaultdict(list)
        self.used: set[Definition] = set()

    def read(self) -> None:
        document = self.document
        own = self.parameters(document.params)
        self.use(document.inputs.values())
        self.use(call for line in document.init for _, call in line.tensors)
        self.use(line.wanted for line in document.expect)
        covered = {key.name: key for key in self.recipe(document.train)}
        self.steps(document.network)
        self.use(document.outputs)
        for block in document.blocks.values():
            theirs = self.parameters(block.parameters, f" of the block `{block.name}`")
            self.steps(block.steps)
            self.use(block.outputs)
            self.forget(theirs)
            covered |= {parameter.name: parameter for parameter in theirs}
            self.found.unused += [(parameter, None) for parameter in theirs if parameter not in self.used]
        self.found.unused += [(item, covered.get(item.name)) for item in own if item not in self.used]

    # --- definitions -----------------------------------------------------------------------------

    def parameters(self, parameters: Iterable[Parameter], of: str = "") -> list[Definition]:
        """Parameters, each known to the defaults after it. A block's parameter may have the name of a document's: the
        signature shows which values a block gets."""
        made = []
        for parameter in parameters:
            self.use([parameter.default] if parameter.default is not None else [])
            made.append(Definition(parameter.name, f"the parameter `{parameter.name}`{of}", parameter.span))
            self.known[parameter.name].append(made[-1])
        return made

    def define(self, made: Definition, value: Value) -> None:
        """A ``let`` or loop name, whose values come from ``value``."""
        hidden = next(reversed(self.known[made.name]), None)
        if hidden is not None and self.is_doubtful(made, hidden, value):
            self.warn(made, hidden)
            self.used.add(hidden)  # the warning about hiding is enough
        self.known[made.name].append(made)

    def forget(self, definitions: Iterable[Definition]) -> None:
        for definition in definitions:
            self.known[definition.name].pop()

    # --- lists of steps --------------------------------------------------------------------------

    def steps(self, steps: Steps) -> None:
        defined: list[Definition] = []
        for step in steps:
            self.use(values_in(step))
            for inner in arms(step):
                self.arm(inner)
            if isinstance(step, Let):
                for key, value in step.values:
                    self.use([value])
                    defined.append(Definition(key.name, f"the `let` name `{key.name}`", key.span, steps))
                    self.define(defined[-1], value)
        self.forget(defined)

    def arm(self, arm: Arm) -> None:
        """A list of steps, with the names of its loop."""
        names: list[Definition] = []
        if arm.loop and arm.loop.elements:
            kept = [key for key in arm.loop.names if key.name != THROWN_AWAY]
            names = [Definition(key.name, f"the loop name `{key.name}`", key.span, arm.steps) for key in kept]
            for name in names:
                self.define(name, arm.loop.elements)
        self.use([arm.when] if arm.when is not None else [])
        self.steps(arm.steps)
        self.forget(names)

    def recipe(self, train: Train | None) -> list[Definition]:
        """The values of a recipe may use each other by their keys."""
        if train is None:
            return []
        keys = [Definition(line.key.name, f"the recipe's `{line.key.name}`", line.key.span) for line in train.lines]
        for key in keys:
            self.known[key.name].append(key)
        for key, line in zip(keys, train.lines):
            self.known[key.name].remove(key)
            self.use([line.value])
            self.known[key.name].append(key)
        self.forget(keys)
        return keys

    # --- uses ------------------------------------------------------------------------------------

    def use(self, values: Iterable[Value]) -> None:
        for name in _names_in(values):
            if self.known.get(name):
                self.used.add(self.known[name][-1])

    # --- hiding ----------------------------------------------------------------------------------

    def is_doubtful(self, made: Definition, hidden: Definition, value: Value) -> bool:
        """Whether a name that hides another is probably a mistake.

        A ``let`` may set a name of its own list again, and a value may be computed from the one it hides, as in
        ``let: {width: $(width or 64)}``. Whoever wrote another file does not know the names of this one.
        """
        if made.span.source != self.document.source:
            return False
        return made.steps is not hidden.steps and made.name not in _names_in([value])

    def warn(self, made: Definition, hidden: Definition) -> None:
        note = Note(f"{hidden} is defined here", hidden.span)
        help = "give one of the two another name"
        self.found.hiding.append(Diagnostic(Code.HIDING, f"{made} hides {hidden}", made.span, help, (note,)))


def _names_in(values: Iterable[Value]) -> Iterator[str]:
    return (name for value in values for expression in expressions_in(value) for name in expression.names)
