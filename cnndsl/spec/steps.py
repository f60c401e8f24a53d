"""Trees -> typed, frozen steps, each value with its place.

The schema has checked the tree before. If it found a fault, the step is :class:`Invalid` and
nothing more is reported about it, only about the steps inside. Rules that a schema cannot express are checked here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from cnndsl.diagnostics import Code, Diagnostic, did_you_mean, shorten
from cnndsl.layers import LAYERS
from cnndsl.source import Span
from cnndsl.spec.names import unusable_variable
from cnndsl.spec.tree import UNKNOWN, Listing, Mapping, Scalar, Tree
from cnndsl.spec.values import (
    Arguments,
    Literal,
    Report,
    Template,
    Value,
    parse_arguments,
    parse_call,
    parse_text,
    parse_value,
)

#: What says how often something runs.
LOOP = ("times", "for", "in")
#: Structural words, with the options that each may have beside it.
STRUCTURE: dict[str, tuple[str, ...]] = {
    "sequential": (),
    "repeat": LOOP,
    "branch": ("merge", "dim", "split"),
    "residual": ("shortcut",),
    "dense": LOOP,
    "from": (),
    "reuse": ("inputs",),
    "let": (),
}
#: The keys of an item of a ``branch``.
ARM = ("steps", "when", *LOOP)
#: The name of values that nobody reads, as in Python: ``for: [_, channels]``.
THROWN_AWAY = "_"
#: Options that every step may have, and those that a layer or block may have besides.
COMMON = ("name", "when", "else")
CALL = ("inputs", "inline", "parametrization")
#: The name of the tensor that the module around was given.
INPUT = "input"
MERGES = ("concat", "add", "subtract", "multiply", "divide", "maximum", "minimum")
#: Those that take two tensors.
PAIRS = ("subtract", "divide")

_NO_ARGUMENTS = Arguments()


@dataclass(frozen=True, eq=False, kw_only=True)
class Step:
    """``span`` is the place of the word; ``otherwise`` replaces the step if ``when`` is false."""

    span: Span
    name: Value | None = None
    when: Value | None = None
    otherwise: Steps = field(default=(), repr=False)


Steps: TypeAlias = tuple[Step, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Call(Step):
    """A layer or block with its arguments. A literal ``callee`` is its name; ``inputs`` names the tensors that it
    takes, if that is not just the current one. ``parametrization`` is what computes a layer's weight: a call of a
    function of torch, or a value that is its name."""

    callee: Value
    arguments: Arguments = _NO_ARGUMENTS
    inputs: Value | None = None
    parametrization: Value | None = None
    inline: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Sequential(Step):
    steps: Steps = field(repr=False)


@dataclass(frozen=True)
class Name:
    """A name that a loop or a ``let`` gives to values, and its place."""

    name: str
    span: Span


@dataclass(frozen=True, eq=False, kw_only=True)
class Loop:
    """The rounds: ``times`` of them, or one for each of ``elements``, bound to ``names``."""

    times: Value | None = None
    names: tuple[Name, ...] = ()
    unpack: bool = False
    elements: Value | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Repeat(Step):
    steps: Steps = field(repr=False)
    loop: Loop


@dataclass(frozen=True, eq=False, kw_only=True)
class Arm:
    """A list of steps inside a step, above all an item of a ``branch``: it runs once, or in each round of its ``loop``,
    and not where ``when`` is false."""

    span: Span
    steps: Steps = field(repr=False)
    when: Value | None = None
    loop: Loop | None = None

    @property
    def is_certain(self) -> bool:
        """Whether it runs once, for any values."""
        return self.when is None and self.loop is None


@dataclass(frozen=True, eq=False, kw_only=True)
class Branch(Step):
    """``split`` is None, or True for even parts, or a value with the sizes of the parts."""

    branches: tuple[Arm, ...] = field(repr=False)
    merge: str
    merge_span: Span
    dim: Value | None
    split: Value | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Residual(Step):
    """``shortcut`` holds steps, or a value that is true if there is one."""

    steps: Steps = field(repr=False)
    shortcut: Steps | Value = field(repr=False)


@dataclass(frozen=True, eq=False, kw_only=True)
class Dense(Step):
    steps: Steps = field(repr=False)
    loop: Loop


@dataclass(frozen=True, eq=False, kw_only=True)
class From(Step):
    target: Value


@dataclass(frozen=True, eq=False, kw_only=True)
class Reuse(Step):
    target: Value
    inputs: Value | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Mark(Step):
    """Names the current tensor, and makes nothing."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Let(Step):
    values: tuple[tuple[Name, Value], ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Invalid(Step):
    """A step with a fault that has been reported. ``inner`` are the steps inside it,
    ``word`` is its first layer, block or structural word."""

    inner: Steps = field(default=(), repr=False)
    word: str = ""


def last_part(name: str) -> str:
    """What a tensor is called where it comes out: ``p3`` for ``fpn.p3``."""
    return name.rpartition(".")[2]


def reads_besides(step: Call) -> bool:
    """Whether a layer reads other tensors than the current one. One that only evaluation names does, if it has an
    argument of that name."""
    names = {keyword.name for keyword in step.arguments.keywords}
    if isinstance(step.callee, Literal):
        return step.callee.value in LAYERS and not names.isdisjoint(LAYERS[str(step.callee.value)].reads)
    return any(not names.isdisjoint(layer.reads) for layer in LAYERS.values())


def is_dotted(step: Step) -> bool:
    """Whether the name of a step has dots: the step makes a module in a list or a dict of modules."""
    return step.name is not None and any("." in text for text in written_name(step.name))


def inlined(steps: Steps) -> Iterator[str]:
    """The blocks that are written out among the steps of a module."""
    for step in steps:
        if isinstance(step, Call) and step.inline and isinstance(step.callee, Literal):
            yield str(step.callee.value)
        for inner in (step.otherwise,) if isinstance(step, Sequential) else nested(step):
            yield from inlined(inner)


def _is_link(call: Call) -> bool:
    """Whether a layer or block may be in a chain: it takes only the current tensor, and is in no list or dict."""
    return call.inputs is None and not reads_besides(call) and (call.inline or not is_dotted(call))


def is_chain(steps: Steps) -> bool:
    """Whether steps are a plain chain, one after another, for any result of ``when``, if those of the
    blocks that are :func:`inlined` are."""
    return all(
        (
            isinstance(step, (Let, Mark, Invalid))
            or (isinstance(step, Sequential) and not is_dotted(step))
            or (isinstance(step, Call) and _is_link(step))
            or (isinstance(step, Repeat) and is_chain(step.steps))
        )
        and is_chain(step.otherwise)
        for step in steps
    )


def arms(step: Step) -> Iterator[Arm]:
    """The lists of steps inside a step."""
    match step:
        case Repeat(steps=steps, loop=loop) | Dense(steps=steps, loop=loop):
            yield Arm(span=step.span, steps=steps, loop=loop)
        case Sequential(steps=steps) | Invalid(inner=steps):
            yield Arm(span=step.span, steps=steps)
        case Branch(branches=branches):
            yield from branches
        case Residual(steps=steps, shortcut=shortcut):
            yield Arm(span=step.span, steps=steps)
            if isinstance(shortcut, tuple):
                yield Arm(span=step.span, steps=shortcut)
    yield Arm(span=step.span, steps=step.otherwise)


def nested(step: Step) -> Iterator[Steps]:
    """The same without what decides how often they run."""
    return (arm.steps for arm in arms(step))


def values_in(step: Step) -> Iterator[Value]:
    """The values of a step itself, except those of a ``let``, and conditions that a loop's names may be in."""
    found: tuple[Value | None, ...] = ()
    match step:
        case Call(callee=callee, arguments=arguments):
            found = (callee, *arguments.values, step.inputs, step.parametrization)
        case Repeat(loop=loop) | Dense(loop=loop):
            found = (loop.times, loop.elements)
        case Branch(dim=dim, split=split, branches=branches):
            found = (
                dim,
                split,
                *(value for arm in branches if arm.loop for value in (arm.loop.times, arm.loop.elements)),
            )
        case Residual(shortcut=shortcut) if not isinstance(shortcut, tuple):
            found = (shortcut,)
        case From(target=target):
            found = (target,)
        case Reuse(target=target, inputs=inputs):
            found = (target, inputs)
    yield from (value for value in (step.name, step.when, *found) if value is not None)


def names_in(steps: Steps) -> Iterator[Value]:
    """The names of steps, and of those inside them."""
    for step in steps:
        if step.name is not None:
            yield step.name
        for inner in nested(step):
            yield from names_in(inner)


#: The text of a written name around its values: ``("conv", "")`` for ``conv$i``.
WrittenName: TypeAlias = tuple[str, ...]


def written_name(name: Value) -> WrittenName:
    match name:
        case Literal(value=str() as value):
            return (value,)
        case Template(parts=parts):
            texts = [""]
            for part in parts:
                if isinstance(part, str):
                    texts[-1] += part
                else:
                    texts.append("")
            return tuple(texts)
    return "", ""


def may_be(written: WrittenName, name: str) -> bool:
    """Whether a written name with values in it may become ``name``: its texts appear there in order."""
    first, *between, last = written
    if not (name.startswith(first) and name.endswith(last) and len(name) >= len(first) + len(last)):
        return False
    name = name[len(first) : len(name) - len(last)]
    for text in between:
        if (found := name.find(text)) < 0:
            return False
        name = name[found + len(text) :]
    return True


class StepParser:
    """Parses lists of steps. ``faulty`` holds the ids of step trees that the schema refused."""

    def __init__(self, report: Report, faulty: frozenset[int] = frozenset()) -> None:
        self.report = report
        self.faulty = faulty

    def fault(self, code: Code, message: str, span: Span, help: str = "") -> None:
        self.report(Diagnostic(code, message, span, help))

    def steps(self, tree: Tree | None) -> Steps:
        return tuple(map(self.step, tree.items)) if isinstance(tree, Listing) else ()

    def step(self, tree: Tree) -> Step:
        if isinstance(tree, Mapping):
            return self._mapping(tree)
        if id(tree) in self.faulty or not isinstance(tree, Scalar) or tree.value is UNKNOWN:
            return Invalid(span=tree.span, word=tree.span.first_line.text)
        return Call(span=tree.span, callee=parse_text(str(tree.value), tree.span, self.report))

    def _mapping(self, tree: Mapping) -> Step:
        if id(tree) not in self.faulty and "name" in tree.keys and {*tree.keys} <= {*COMMON}:
            return self._mark(tree)
        word = None if id(tree) in self.faulty else self._word(tree)
        name = self._value(tree, "name") if isinstance(tree.get("name"), Scalar) else None
        if word is None:
            inner = tuple(step for key, value in tree.entries for step in self._steps_under(str(key.value), value))
            return Invalid(span=tree.span, name=name, inner=inner, word=next(filter(is_word, tree.keys), ""))
        self._check_options(tree, word)
        step = self._structure(tree, word) if word in STRUCTURE else self._call(tree, word)
        return self._with_options(replace(step, name=name), tree)

    def _mark(self, tree: Mapping) -> Step:
        """A step that has only a name."""
        return self._with_options(Mark(span=tree.span.first_line, name=self._value(tree, "name")), tree)

    def _with_options(self, step: Step, tree: Mapping) -> Step:
        """The step with its condition, and the steps that replace it."""
        when = self._value(tree, "when")
        if "else" in tree.keys and when is None:
            help = "add the condition: `when: $(...)`"
            self.fault(Code.MISSING, "`else` without `when`", tree.keys["else"].span, help)
        return replace(step, when=when, otherwise=self.steps(tree.get("else")))

    def _steps_under(self, key: str, value: Tree) -> Steps:
        """Reads the inside of a faulty step, to find the faults in there."""
        if not isinstance(value, Listing) or not (key in STRUCTURE or key in ("shortcut", "else")):
            return ()
        lists = map(_steps_of, value.items) if key == "branch" else (value,)
        return tuple(step for listing in lists for step in self.steps(listing))

    def _call(self, tree: Mapping, word: str) -> Step:
        span = tree.keys[word].span
        callee = parse_text(word, span, self.report)
        if isinstance(callee, Template):
            self.fault(Code.LAYER, "the name of a layer cannot be put together from parts", span, "use `$name` alone")
            return Invalid(span=span)
        arguments, by = parse_arguments(tree.by_key[word], self.report), tree.get("parametrization")
        return Call(
            span=span,
            callee=callee,
            arguments=arguments,
            inline=self._inline(tree, callee),
            inputs=self._value(tree, "inputs"),
            parametrization=None if by is None else parse_call(by, self.report),
        )

    def _inline(self, tree: Mapping, callee: Value) -> bool:
        """Whether a block is written out. Its name is known before any value, so that the names of layers are too."""
        inline = tree.get("inline")
        wanted = isinstance(inline, Scalar) and inline.value is True
        if wanted and not isinstance(callee, Literal):
            message = "`inline` needs the name of a block, which no value decides on"
            self.fault(Code.KEY, message, tree.keys["inline"].span, "a step with `when` for each block")
        return wanted and isinstance(callee, Literal)

    def _structure(self, tree: Mapping, word: str) -> Step:
        span, value = tree.keys[word].span, tree.by_key[word]
        match word:
            case "sequential":
                return Sequential(span=span, steps=self.steps(value))
            case "repeat":
                return Repeat(span=span, steps=self.steps(value), loop=self._loop(tree, span, f"`{word}`"))
            case "dense":
                return Dense(span=span, steps=self.steps(value), loop=self._loop(tree, span, f"`{word}`"))
            case "branch":
                return self._branch(tree, value, span)
            case "residual":
                shortcut = tree.get("shortcut")
                sides = self.steps(shortcut) if isinstance(shortcut, Listing) else self._value(tree, "shortcut")
                return Residual(
                    span=span, steps=self.steps(value), shortcut=Literal(True, span) if sides is None else sides
                )
            case "from":
                return From(span=span, target=parse_value(value, self.report))
            case "reuse":
                target = parse_value(value, self.report)
                return Reuse(span=span, target=target, inputs=self._value(tree, "inputs"))
        bound = value.entries if isinstance(value, Mapping) else ()
        for name, _ in bound:
            self._check_variable(name)
        values = tuple((Name(str(key.value), key.span), parse_value(given, self.report)) for key, given in bound)
        return Let(span=span, values=values)

    def _branch(self, tree: Mapping, value: Tree, span: Span) -> Branch:
        arms = tuple(map(self._arm, value.items)) if isinstance(value, Listing) else ()
        merge = tree.get("merge")
        if "dim" in tree.keys and isinstance(merge, Scalar) and merge.value in MERGES and merge.value != "concat":
            message = f"`dim` is for `merge: concat`, and this branch has `merge: {merge.value}`"
            self.fault(Code.KEY, message, tree.keys["dim"].span, "remove it")
        return Branch(
            span=span,
            branches=arms,
            merge=str(merge.value) if isinstance(merge, Scalar) else "concat",
            merge_span=merge.span if merge else span,
            dim=self._value(tree, "dim"),
            split=self._value(tree, "split"),
        )

    def _arm(self, tree: Tree) -> Arm:
        if not isinstance(tree, Mapping):
            return Arm(span=tree.span, steps=self.steps(tree))
        span, looped = tree.span.first_line, not {*LOOP}.isdisjoint(tree.keys)
        loop = self._loop(tree, span, "a branch") if looped else None
        return Arm(span=span, steps=self.steps(_steps_of(tree)), when=self._value(tree, "when"), loop=loop)

    def _loop(self, tree: Mapping, span: Span, subject: str) -> Loop:
        """The rounds of a step or branch, which messages call ``subject``."""
        names = tree.get("for")
        counted, listed = tree.get("times") is not None, (names is not None, tree.get("in") is not None)
        if counted and any(listed):
            other = "for" if listed[0] else "in"
            message = f"{subject} has both `times` and `{other}`"
            self.fault(Code.KEY, message, tree.keys[other].span, "`times` counts, `for` and `in` go through a list")
        elif not counted and listed != (True, True):
            missing = "`times`, or `for` and `in`" if not any(listed) else "`in`" if listed[0] else "`for`"
            help = "`times: 3`, or `for: channels` and `in: [64, 128]`"
            self.fault(Code.MISSING, f"{subject} needs {missing}", span, help)
            return Loop(times=Literal(UNKNOWN, span))
        scalars = names.items if isinstance(names, Listing) else (names,) if names is not None else ()
        for name in scalars:
            self._check_variable(name)
        written = tuple(Name(str(name.value), name.span) for name in scalars if isinstance(name, Scalar))
        self._check_unlike(written)
        return Loop(
            times=self._value(tree, "times"),
            names=written,
            unpack=isinstance(names, Listing),
            elements=self._value(tree, "in"),
        )

    def _value(self, tree: Mapping, key: str) -> Value | None:
        value = tree.get(key)
        return None if value is None else parse_value(value, self.report)

    def _check_variable(self, name: Tree) -> None:
        if isinstance(name, Scalar) and (reason := unusable_variable(str(name.value))):
            self.fault(Code.NAME, f"`{shorten(str(name.value))}` {reason}", name.span)

    def _check_unlike(self, names: tuple[Name, ...]) -> None:
        """The names of a loop must differ, except `_`, whose values nobody reads."""
        seen: set[str] = set()
        for name in names:
            if name.name in seen and name.name != THROWN_AWAY:
                self.fault(Code.DUPLICATE, f"`{shorten(name.name)}` appears twice in `for`", name.span)
            seen.add(name.name)

    def _check_options(self, tree: Mapping, word: str) -> None:
        allowed = (*COMMON, *STRUCTURE.get(word, CALL))
        for key, scalar in tree.keys.items():
            if key != word and key not in allowed:
                belongs = [f"`{word}`" for word, options in STRUCTURE.items() if key in options] or ["a layer or block"]
                help = did_you_mean(key, allowed) or f"it belongs to {' and '.join(belongs)}"
                self.fault(Code.KEY, f"`{shorten(key)}` is not an option of `{shorten(word)}`", scalar.span, help)

    def _word(self, tree: Mapping) -> str | None:
        """The one key that defines what a step does, None if there is not exactly one."""
        words = [key for key in tree.keys if is_word(key)]
        if len(words) > 1:
            message = f"a step does one thing, but this one has {' and '.join(f'`{shorten(word)}`' for word in words)}"
            help = "make each a step with its own `- `"
            self.fault(Code.STEP, message, tree.keys[words[1]].span, help)
        elif not words:
            wanting = next((word for word, options in STRUCTURE.items() if {*options} & {*tree.keys}), "")
            help = f"add a layer, a block, or {', '.join(STRUCTURE)}"
            if wanting:
                help = f"add the steps, `{wanting}: [...]`"
            self.fault(Code.STEP, "this step has options but nothing to do", tree.span.first_line, help)
        return words[0] if len(words) == 1 else None


def _steps_of(branch: Tree) -> Tree | None:
    """The steps of an item of a ``branch``: the item itself, or those of a mapping."""
    return branch.get("steps") if isinstance(branch, Mapping) else branch


def is_word(key: str) -> bool:
    """Whether a key defines what a step does: a layer, a block, ``$name``, or a structural word."""
    return key in STRUCTURE or key[:1] == "$" or key[:1].isupper()
