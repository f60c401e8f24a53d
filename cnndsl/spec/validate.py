"""A document held against the schema; jsonschema's errors in our words, at their places."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

from jsonschema import Draft202012Validator

from cnndsl.diagnostics import ENOUGH, Code, Diagnostic, did_you_mean, got, shorten
from cnndsl.layers import LAYERS
from cnndsl.source import Span
from cnndsl.spec.hints import WHERE_LAYERS_ARE, meant_layer, meant_value, not_written
from cnndsl.spec.merge import defined_name
from cnndsl.spec.schema import NAME, PARAMETER, Layers, schema, schema_of
from cnndsl.spec.steps import COMMON, STRUCTURE, is_word
from cnndsl.spec.tree import MINIMAL, UNKNOWN, Listing, Mapping, Scalar, Tree, plain
from cnndsl.spec.values import unclosed, unclosed_fault

#: Help by what is expected.
_HELP = {
    "a list of steps": "each step begins with `- `",
    "a mapping of signatures to lists of steps": "`Block: [...]`, without a `- ` before it",
    "a list of branches, each a list of steps": "`branch: [[...], [...]]`",
    "a mapping with `input` and `network`": MINIMAL,
}
_STEP_LISTS = {"network", "sequential", "repeat", "residual", "dense", "shortcut", "else"}


def validate(tree: Tree) -> tuple[list[Diagnostic], frozenset[int]]:
    """The structural faults of a document, and the ids of the trees that have one: the innermost
    steps, or the sections of the document."""
    diagnostics: list[Diagnostic] = []
    faulty: set[int] = set()
    for error in _validator(tuple(LAYERS.values())).iter_errors(plain(tree)):
        if error.validator == "pattern" and error.validator_value in (NAME, PARAMETER):
            continue  # names.py says more of it
        place = _locate(tree, list(error.absolute_path))
        faulty.add(place.enclosing)
        if error.instance is not UNKNOWN and len(diagnostics) < ENOUGH:
            rule = error.schema if isinstance(error.schema, dict) else {}
            diagnostics += _diagnose(_Error(error.validator, error.validator_value, error.instance, rule), place, tree)
    return diagnostics, frozenset(faulty)


@lru_cache(1)
def _validator(layers: Layers) -> Draft202012Validator:
    return Draft202012Validator(schema_of(layers))


@dataclass(frozen=True)
class _Error:
    """A keyword of the schema that a value breaks; ``rule`` is the schema around it."""

    keyword: str
    wanted: Any
    value: Any
    rule: dict[str, Any]

    @property
    def signature(self) -> str:
        """How the layer is called that the error is of, empty for anything else."""
        return f"`{self.rule['title']}`" if str(self.rule.get("title", "")).endswith(")") else ""

    @property
    def layer(self) -> str:
        return str(self.rule.get("title", "")).partition("(")[0] if self.signature else ""

    @property
    def extras(self) -> list[str]:
        known, patterns = self.rule.get("properties", ()), self.rule.get("patternProperties", ())
        return [name for name in self.value if name not in known and not any(re.search(p, name) for p in patterns)]


@dataclass(frozen=True)
class _Place:
    """Where an error is: its node, those around it up to the step, the last key, the innermost step's id."""

    node: Tree
    around: tuple[Tree, ...]
    key: Scalar | None
    in_list: bool
    enclosing: int

    @property
    def span(self) -> Span:
        """The value's place, or its key's where the value is nothing."""
        span = self.node.span.first_line
        return self.key.span if span.start == span.end and self.key and not self.in_list else span

    @property
    def subject(self) -> str:
        return f"`{shorten(str(self.key.value))}`" if self.key else "the spec"


def _locate(tree: Tree, path: Sequence[str | int]) -> _Place:
    around, key, enclosing = [tree], None, id(tree)
    lists = 0  # how many lists the steps are below here
    for depth, part in enumerate(path):
        node = around[-1]
        if isinstance(node, Mapping):
            key, node = node.keys[str(part)], node.by_key[str(part)]
            below_block = depth == 1 and path[0] == "blocks"
            lists = 2 if part == "branch" else 1 if part in _STEP_LISTS or below_block else 0
        elif isinstance(node, Listing):
            node = node.items[int(part)]
            lists -= 1
        around.append(node)
        if depth == 0 or (lists == 0 and isinstance(part, int)):
            around, enclosing = [node], id(node)
    in_list = bool(path) and isinstance(path[-1], int)
    return _Place(around[-1], tuple(around), key, in_list, enclosing)


def _diagnose(error: _Error, place: _Place, tree: Tree) -> Iterator[Diagnostic]:
    cut = next(filter(_is_cut, chain.from_iterable(map(_children, place.around))), None)
    if isinstance(cut, Scalar):
        yield unclosed_fault(str(cut.value), cut.span).diagnostic
    elif error.keyword == "additionalProperties" and isinstance(place.node, Mapping):
        beside = _beside(place.node, error.extras, tree)
        if beside:
            yield _to_put_in(beside, place.node)
        for name in error.extras:
            if name not in beside:
                yield _unknown_key(name, place.node, error, place.subject, tree)
    elif error.keyword == "required":
        yield from _missing(error, place)
    elif error.keyword == "items" and error.wanted is False and isinstance(place.node, Listing):
        most = len(error.rule["prefixItems"])
        takes = f"{most} argument{'s' if most > 1 else ''} at the most"
        message = f"{place.subject} takes {takes}, got {len(error.value)}"
        yield Diagnostic(Code.ARGUMENT, message, place.node.items[most].span.first_line, error.signature)
    else:
        yield _unfit(error, place, tree)


def _children(node: Tree) -> Iterable[Tree]:
    return node.items if isinstance(node, Listing) else node.by_key.values() if isinstance(node, Mapping) else ()


def _is_cut(node: Tree) -> bool:
    """Whether this is the first part of an expression that YAML has cut at a comma."""
    return isinstance(node, Scalar) and isinstance(node.value, str) and unclosed(node.value)


def _missing(error: _Error, place: _Place) -> Iterator[Diagnostic]:
    """All missing arguments in one, but for those that an unknown one was meant to be."""
    missing = [
        name
        for name in error.wanted
        if name not in error.value and not any(did_you_mean(extra, [name]) for extra in error.extras)
    ]
    if missing:
        message = f"{place.subject} needs {' and '.join(f'`{name}`' for name in missing)}"
        yield Diagnostic(Code.MISSING, message, place.key.span if place.key else place.span, error.signature)


def _unknown_key(name: str, node: Mapping, error: _Error, subject: str, tree: Tree) -> Diagnostic:
    span, known = node.keys[name].span, list(error.rule["properties"])
    written = f"`{shorten(name)}`"
    if error.signature:
        help = did_you_mean(name, known) or error.signature
        return Diagnostic(Code.ARGUMENT, f"{subject} has no argument {written}", span, help)
    if "patternProperties" not in error.rule:
        help = did_you_mean(name, known) or f"it may have {', '.join(known)}"
        return Diagnostic(Code.KEY, f"{subject} has no key {written}", span, help)
    if any(is_word(key) for key in node.keys):
        options = [option for option in known if not is_word(option)]
        help = did_you_mean(name, options) or f"options of any step are {', '.join(COMMON)}"
        return Diagnostic(Code.KEY, f"a step has no key {written}", span, help)
    return _no_layer(name, span, [*known, *_blocks(tree)])


def _beside(step: Mapping, extras: Sequence[str], tree: Tree) -> list[str]:
    """The keys of a step that are arguments of its layer or block."""
    words = [key for key in step.keys if is_word(key)]
    if len(words) != 1:
        return []
    arguments = schema()["$defs"].get(words[0], {}).get("properties") or _parameters(words[0], tree)
    return [name for name in extras if name in arguments]


def _parameters(block: str, tree: Tree) -> list[str]:
    signatures = [str(key.value) for key in _signatures(tree) if defined_name(key) == block]
    return [name for signature in signatures for name in re.findall(r"\w+", signature)[1:]]


def _to_put_in(names: Sequence[str], step: Mapping) -> Diagnostic:
    word, value = next((key, value) for key, value in step.by_key.items() if is_word(key))
    listed = " and ".join(f"`{name}`" for name in names)
    message = f"{listed} {'stands' if len(names) == 1 else 'stand'} beside `{shorten(word)}`, not in it"
    help = f"indent further than `{shorten(word)}`"
    if not isinstance(value, Scalar) or value.value is not None:
        help = f"arguments by name stand together: `{shorten(word)}: {{..., {names[0]}: ...}}`"
    return Diagnostic(Code.KEY, message, step.keys[names[0]].span, help)


def _no_layer(name: str, span: Span, known: Sequence[str]) -> Diagnostic:
    message = f"`{shorten(name)}` is no layer, no block and no structural word"
    help = meant_layer(name, known) or f"layers and blocks are CamelCase; {WHERE_LAYERS_ARE}"
    return Diagnostic(Code.LAYER, message, span, help)


def _blocks(tree: Tree) -> list[str]:
    return [defined_name(key) for key in _signatures(tree)]


def _signatures(tree: Tree) -> list[Scalar]:
    blocks = tree.get("blocks") if isinstance(tree, Mapping) else None
    return [key for key, _ in blocks.entries] if isinstance(blocks, Mapping) else []


def _unfit(error: _Error, place: _Place, tree: Tree) -> Diagnostic:
    """A value that is not what it should be."""
    value, rule = error.value, error.rule
    help = meant_value(value, rule.get("type", ()), error.layer) or error.signature
    if rule.get("expects") in _HELP:
        help = _HELP[rule["expects"]]
        if place.key and place.key.value in ("repeat", "dense") and isinstance(value, int):
            help = f"`{place.key.value}: [...]`, and `times: {got(value)}` beside it"
    if "patternProperties" in rule:
        if isinstance(value, str) and value not in STRUCTURE:
            return _no_layer(value, place.span, [*rule["properties"], *_blocks(tree)])
        if isinstance(value, dict):
            return Diagnostic(Code.STEP, "an empty step", place.span, "write a layer, a block or a structural word")
        help = f"`{value}: [...]`" if isinstance(value, str) else ""
    if place.key and place.key.value == "Linear" and rule.get("argument") == "bias" and type(value) is int:
        help = f"{not_written(LAYERS['Linear'])}: `Linear: {value}`"
    expects = rule.get("expects", "something else")
    if "subject" in rule:
        message = f"{rule['subject']} is {expects}, not {got(value)}"
    else:
        subject = f"`{rule['argument']}`" if "argument" in rule else place.subject
        message = f"{subject} expects {expects}, got {got(value)}"
    return Diagnostic(Code.TYPE, message, place.span, help)
