"""Trees -> typed steps, frozen, each value with its place.

The schema has looked at the tree before; where it found a fault, the step is :class:`Invalid` and
nothing more is said of it. What a schema cannot say about one step is said here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from cnndsl.diagnostics import Code, Diagnostic, did_you_mean, shorten
from cnndsl.source import Span
from cnndsl.spec.expression import Expression, Fault, Literal, Value, parse_text, parse_value
from cnndsl.spec.tree import Listing, Mapping, Scalar, Tree

#: Words that give structure, with the options that each may have beside it.
STRUCTURE: dict[str, tuple[str, ...]] = {
    "sequential": (),
    "repeat": ("times", "for", "in"),
    "branch": ("merge", "dim", "split"),
    "residual": ("shortcut",),
    "dense": ("times", "for", "in"),
    "from": (),
    "reuse": (),
    "let": (),
}
#: Options that any step may have.
COMMON = ("name", "when", "else")
MERGES = ("concat", "add", "multiply")


@dataclass(frozen=True, eq=False, kw_only=True)
class Step:
    """``span`` is the word's place; ``otherwise`` stands in where ``when`` is false."""

    span: Span
    name: Value | None = None
    when: Value | None = None
    otherwise: Steps = ()


Steps: TypeAlias = tuple[Step, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Call(Step):
    """A layer or block with its arguments. A literal ``callee`` is its name."""

    callee: Value
    positional: tuple[Value, ...] = ()
    #: The positional arguments as one list, for a callee that takes just one argument.
    whole: Value | None = None
    keywords: dict[str, Value] = field(default_factory=dict)
    #: Where the name of a keyword stands.
    keyword_spans: dict[str, Span] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class Sequential(Step):
    steps: Steps


@dataclass(frozen=True, eq=False, kw_only=True)
class Loop:
    """How often: ``times``, or once for each element of ``elements``, bound to ``names``."""

    times: Value | None = None
    names: tuple[str, ...] = ()
    unpack: bool = False
    elements: Value | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Repeat(Step):
    steps: Steps
    loop: Loop


@dataclass(frozen=True, eq=False, kw_only=True)
class Branch(Step):
    """``split`` is None, or True for even parts, or a value with the sizes of the parts."""

    branches: tuple[Steps, ...]
    branch_spans: tuple[Span, ...]
    merge: str
    dim: Value | None
    split: Value | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Residual(Step):
    """``shortcut`` holds steps, or a value that tells whether there is one."""

    steps: Steps
    shortcut: Steps | Value


@dataclass(frozen=True, eq=False, kw_only=True)
class Dense(Step):
    steps: Steps
    loop: Loop


@dataclass(frozen=True, eq=False, kw_only=True)
class From(Step):
    target: Value


@dataclass(frozen=True, eq=False, kw_only=True)
class Reuse(Step):
    target: Value


@dataclass(frozen=True, eq=False, kw_only=True)
class Let(Step):
    values: dict[str, Value]


@dataclass(frozen=True, eq=False, kw_only=True)
class Invalid(Step):
    """A step with a fault that has been reported."""


def is_chain(steps: Steps) -> bool:
    """Whether steps are a plain chain, one after another, whatever ``when`` decides."""
    return all(
        isinstance(step, (Call, Sequential, Let, Invalid))
        or (isinstance(step, Repeat) and is_chain(step.steps))
        for step in steps
    ) and all(is_chain(step.otherwise) for step in steps)


class StepParser:
    """Parses lists of steps. ``faulty`` holds the ids of step trees that the schema refused."""

    def __init__(self, report: Callable[[Diagnostic], None], faulty: frozenset[int] = frozenset()) -> None:
        self.report = report
        self.faulty = faulty

    def steps(self, tree: Tree | None) -> Steps:
        return tuple(map(self.step, tree.items)) if isinstance(tree, Listing) else ()

    def step(self, tree: Tree) -> Step:
        if id(tree) in self.faulty or not isinstance(tree, (Scalar, Mapping)):
            return Invalid(span=tree.span)
        try:
            if isinstance(tree, Scalar):
                return Call(span=tree.span, callee=parse_text(str(tree.value), tree.span))
            return self._mapping(tree)
        except Fault as fault:
            self.report(fault.diagnostic)
            return Invalid(span=tree.span)

    def _mapping(self, tree: Mapping) -> Step:
        word = _word(tree)
        key, value = tree.keys[word], tree.by_key[word]
        self._check_options(tree, word)
        options = {
            "span": key.span,
            "name": self._value(tree, "name"),
            "when": self._value(tree, "when"),
            "otherwise": self.steps(tree.get("else")),
        }
        if options["otherwise"] and options["when"] is None:
            raise _fault(Code.MISSING, "`else` without `when`", tree.keys["else"].span, "add the condition, `when: $(...)`")
        match word:
            case "sequential":
                return Sequential(steps=self.steps(value), **options)  # type: ignore[arg-type]
            case "repeat":
                return Repeat(steps=self.steps(value), loop=self._loop(tree), **options)  # type: ignore[arg-type]
            case "dense":
                return Dense(steps=self.steps(value), loop=self._loop(tree), **options)  # type: ignore[arg-type]
            case "branch":
                return self._branch(tree, value, options)
            case "residual":
                shortcut = tree.get("shortcut")
                sides = self.steps(shortcut) if isinstance(shortcut, Listing) else self._value(tree, "shortcut")
                identity = Literal(True, key.span)
                return Residual(steps=self.steps(value), shortcut=identity if sides is None else sides, **options)  # type: ignore[arg-type]
            case "from":
                return From(target=parse_value(value), **options)  # type: ignore[arg-type]
            case "reuse":
                return Reuse(target=parse_value(value), **options)  # type: ignore[arg-type]
            case "let":
                assert isinstance(value, Mapping)
                values = {str(name.value): parse_value(bound) for name, bound in value.entries}
                return Let(values=values, **options)  # type: ignore[arg-type]
        return self._call(key, value, options)

    def _call(self, key: Scalar, value: Tree, options: dict[str, object]) -> Call:
        callee = parse_text(str(key.value), key.span)
        if not isinstance(callee, (Literal, Expression)):
            raise _fault(Code.LAYER, "a layer's name cannot be put together from parts", key.span)
        call: dict[str, object] = {"callee": callee, **options}
        if isinstance(value, Mapping):
            call["keywords"] = {str(name.value): parse_value(given) for name, given in value.entries}
            call["keyword_spans"] = {str(name.value): name.span for name, _ in value.entries}
        elif isinstance(value, Listing):
            call["positional"] = tuple(map(parse_value, value.items))
            call["whole"] = parse_value(value)
        elif value.value is not None:
            call["positional"] = (parse_value(value),)
            call["whole"] = call["positional"][0]  # type: ignore[index]
        return Call(**call)  # type: ignore[arg-type]

    def _branch(self, tree: Mapping, value: Tree, options: dict[str, object]) -> Branch:
        assert isinstance(value, Listing)
        merge = tree.get("merge")
        return Branch(
            branches=tuple(map(self.steps, value.items)),
            branch_spans=tuple(item.span for item in value.items),
            merge=str(merge.value) if isinstance(merge, Scalar) else "concat",
            dim=self._value(tree, "dim"),
            split=self._value(tree, "split"),
            **options,  # type: ignore[arg-type]
        )

    def _loop(self, tree: Mapping) -> Loop:
        names, word = tree.get("for"), _word(tree)
        if (names is None) != (tree.get("in") is None):
            missing = "in" if names is not None else "for"
            raise _fault(Code.MISSING, f"`{word}` lacks `{missing}`", tree.keys[word].span, "`for: i` goes with `in: [...]`")
        if (names is None) == (tree.get("times") is None):
            message = f"`{word}` needs either `times` or `for` and `in`"
            raise _fault(Code.MISSING, message, tree.keys[word].span, "`times: 3`, or `for: channels` and `in: [64, 128]`")
        scalars = names.items if isinstance(names, Listing) else (names,) if names is not None else ()
        return Loop(
            times=self._value(tree, "times"),
            names=tuple(str(name.value) for name in scalars if isinstance(name, Scalar)),
            unpack=isinstance(names, Listing),
            elements=self._value(tree, "in"),
        )

    def _value(self, tree: Mapping, key: str) -> Value | None:
        """An option's value; one that cannot be parsed is a fault of the whole step."""
        value = tree.get(key)
        return None if value is None else parse_value(value)

    def _check_options(self, tree: Mapping, word: str) -> None:
        allowed = (*COMMON, *STRUCTURE.get(word, ()))
        for key, scalar in tree.keys.items():
            if key != word and key not in allowed:
                help = did_you_mean(key, allowed) or f"beside `{shorten(word)}` stand {', '.join(allowed)}"
                raise _fault(Code.KEY, f"`{shorten(key)}` is no option of `{shorten(word)}`", scalar.span, help)


def is_word(key: str) -> bool:
    """Whether a key says what a step does: a layer, a block, ``$name``, or structure."""
    return key in STRUCTURE or key[:1] == "$" or key[:1].isupper()


def _word(tree: Mapping) -> str:
    """The one key that says what a step does."""
    words = [key for key in tree.keys if is_word(key)]
    if len(words) > 1:
        message = f"a step does one thing, but here stand {' and '.join(f'`{shorten(word)}`' for word in words)}"
        raise _fault(Code.STEP, message, tree.keys[words[1]].span, "make each a step of its own, with its own `-`")
    if not words:
        message = "this step has options but nothing to do"
        raise _fault(Code.STEP, message, tree.span.first_line, "add a layer, a block, or " + ", ".join(STRUCTURE))
    return words[0]


def _fault(code: Code, message: str, span: Span, help: str = "") -> Fault:
    return Fault(Diagnostic(code, message, span, help))
