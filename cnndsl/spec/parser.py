"""Trees -> typed steps.

The schema has checked the tree before. If it found a fault, the step is :class:`Invalid` and nothing more is reported
about it, only about the steps inside. Rules that a schema cannot express are checked here.
"""

from __future__ import annotations

from itertools import pairwise

from msgspec.structs import replace

from cnndsl.diagnostics import Code, Diagnostic, did_you_mean, shorten
from cnndsl.source import Span
from cnndsl.spec.names import unusable_variable
from cnndsl.spec.steps import (
    Arm,
    Branch,
    Call,
    Dense,
    From,
    Invalid,
    Let,
    Loop,
    Mark,
    Name,
    Repeat,
    Residual,
    Reuse,
    Sequential,
    Step,
    Steps,
)
from cnndsl.spec.tree import UNKNOWN, Listing, Mapping, Scalar, Tree
from cnndsl.spec.values import Literal, Report, Template, Value, parse_arguments, parse_call, parse_text, parse_value
from cnndsl.spec.words import COMMON, LISTS, LOOP, MERGES, OPTIONS, THROWN_AWAY, WORDS, is_word, options_of, owners


class StepParser:
    """Parses lists of steps. ``faulty`` holds the ids of step trees that the schema refused; those that are torn in two
    join them."""

    def __init__(self, report: Report, faulty: frozenset[int] = frozenset()) -> None:
        self.report = report
        self.faulty = {*faulty}

    def fault(self, code: Code, message: str, span: Span, help: str = "") -> None:
        self.report(Diagnostic(code, message, span, help))

    def steps(self, tree: Tree | None) -> Steps:
        items = tree.items if isinstance(tree, Listing) else ()
        self.faulty.update(id(one) for pair in pairwise(items) if self._are_torn(*pair) for one in pair)
        return tuple(map(self.step, items))

    def _are_torn(self, before: Tree, tree: Tree) -> bool:
        """Whether two items were meant as one step, ``[repeat: [ReLU], times: 2]`` without braces; that is reported."""
        words = [*filter(is_word, before.keys)] if isinstance(before, Mapping) else []
        missing = {*options_of(words[0])} - {*before.keys} if isinstance(before, Mapping) and len(words) == 1 else {}
        if not isinstance(tree, Mapping) or not tree.keys or not {*tree.keys} <= {*missing}:
            return False
        word, option = words[0], next(iter(tree.keys))
        message = f"`{option}` is a step of its own here, and belongs to `{shorten(word)}` before it"
        help = f"put both into one step: `{{{shorten(word)}: ..., {option}: ...}}`"
        self.fault(Code.STEP, message, tree.keys[option].span, help)
        return True

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
        step = self._structure(tree, word) if word in WORDS else self._call(tree, word)
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
        if not isinstance(value, Listing) or key not in LISTS:
            return ()
        lists = map(_steps_of, value.items) if LISTS[key] == 2 else (value,)
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
            case "steps":
                return Repeat(span=span, steps=self.steps(value), loop=Loop(times=Literal(1, span)))
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
            merge=self._value(tree, "merge") or Literal("concat", span),
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
            return Loop(times=Literal(UNKNOWN, span))
        if not counted and listed != (True, True):
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
        allowed = (*COMMON, *options_of(word))
        for key, scalar in tree.keys.items():
            if key != word and key not in allowed:
                help = did_you_mean(key, allowed) or f"it belongs to {owners(key)}"
                self.fault(Code.KEY, f"`{shorten(key)}` is not an option of `{shorten(word)}`", scalar.span, help)

    def _word(self, tree: Mapping) -> str | None:
        """The one key that defines what a step does, None if there is not exactly one."""
        words = [key for key in tree.keys if is_word(key)]
        if len(words) > 1:
            message = f"a step does one thing, but this one has {' and '.join(f'`{shorten(word)}`' for word in words)}"
            help = "make each a step with its own `- `"
            self.fault(Code.STEP, message, tree.keys[words[1]].span, help)
        elif not words:
            wanting = next((key for key in tree.keys if key in OPTIONS and key not in COMMON), "")
            help = f"add a layer, a block, or {', '.join(WORDS)}"
            if wanting:
                help = f"`{wanting}` belongs to {owners(wanting)}: add it"
            self.fault(Code.STEP, "this step has options but nothing to do", tree.span.first_line, help)
        return words[0] if len(words) == 1 else None


def _steps_of(branch: Tree) -> Tree | None:
    """The steps of an item of a ``branch``: the item itself, or those of a mapping."""
    return branch.get("steps") if isinstance(branch, Mapping) else branch
