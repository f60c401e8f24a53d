"""YAML text -> a tree in which every value has a :class:`Span`.

The events of libyaml are read one by one, so that limits hold before work is done. Scalars follow
the core schema of YAML 1.2, in which ``no`` is a text and ``1e-3`` a number. What specs have no use
for (tags, merge keys, several documents) is refused; anchors and aliases are allowed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import Any, TypeAlias

import yaml

from cnndsl.diagnostics import Code, Diagnostic, Note, shorten
from cnndsl.source import Source, Span

MAX_FILE = 256 * 1024
MAX_DEPTH = 64
MAX_NODES = 50_000
MAX_ALIASES = 100
MAX_SCALAR = 8 * 1024
MAX_INTEGER = 2**53


@dataclass(frozen=True, eq=False)
class Scalar:
    """``value`` is the text of a quoted scalar, else what the text means in YAML 1.2."""

    value: str | int | float | bool | None
    span: Span


@dataclass(frozen=True, eq=False)
class Listing:
    items: tuple[Tree, ...]
    span: Span


@dataclass(frozen=True, eq=False)
class Mapping:
    """Entries in the order of the file; keys are texts and unlike each other."""

    entries: tuple[tuple[Scalar, Tree], ...]
    span: Span

    @cached_property
    def by_key(self) -> dict[str, Tree]:
        return {str(key.value): value for key, value in self.entries}

    @cached_property
    def keys(self) -> dict[str, Scalar]:
        return {str(key.value): key for key, _ in self.entries}

    def get(self, key: str) -> Tree | None:
        return self.by_key.get(key)


Tree: TypeAlias = Scalar | Listing | Mapping

_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


class Unreadable(Exception):
    """The text is no tree that a spec can be."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic
        super().__init__(diagnostic.message)


def plain(tree: Tree) -> Any:
    """The tree as dicts, lists and scalars, without its spans."""
    match tree:
        case Scalar(value=value):
            return value
        case Listing(items=items):
            return [plain(item) for item in items]
        case Mapping(entries=entries):
            return {key.value: plain(value) for key, value in entries}


def read(source: Source) -> tuple[Tree, list[Diagnostic]]:
    """Parses a text; beside the tree come faults that leave it whole, such as duplicate keys.

    Raises :class:`Unreadable` where there is no tree.
    """
    _check_text(source)
    reader = _Reader(source)
    try:
        tree = reader.read()
    except yaml.YAMLError as error:
        raise Unreadable(_syntax_error(source, error)) from None
    return tree, reader.faults


def _check_text(source: Source) -> None:
    text = source.text
    if len(text) > MAX_FILE:
        raise Unreadable(Diagnostic(Code.LIMIT, f"the text has {len(text)} characters, the limit is {MAX_FILE}"))
    if found := _CONTROL.search(text):
        span = Span(source, found.start(), found.end())
        message = f"character U+{ord(found[0]):04X} at offset {found.start()} is not allowed in YAML"
        raise Unreadable(Diagnostic(Code.ENCODING, message, span, "is this a binary file? Specs are UTF-8 text"))


class _Reader:
    """Builds the tree of one document from libyaml's events."""

    def __init__(self, source: Source) -> None:
        self.source = source
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self.events: Iterator[Any] = yaml.parse(source.text, Loader=loader)
        self.anchors: dict[str, Tree] = {}
        self.open_anchors: set[str] = set()
        self.faults: list[Diagnostic] = []
        self.nodes = self.aliases = 0

    def read(self) -> Tree:
        next(self.events)  # the stream's start
        event = next(self.events)
        if isinstance(event, yaml.StreamEndEvent):
            raise Unreadable(Diagnostic(Code.SYNTAX, "the spec is empty", Span(self.source, 0, 0), _MINIMAL))
        tree = self._node(next(self.events), 0)
        next(self.events)  # the document's end
        following = next(self.events)
        if not isinstance(following, yaml.StreamEndEvent):
            raise self._fault(Code.FEATURE, "a second document; a spec is one", following, "remove the `---`")
        return tree

    def _span(self, event: Any) -> Span:
        return Span(self.source, event.start_mark.index, event.end_mark.index)

    def _fault(self, code: Code, message: str, event: Any, help: str = "") -> Unreadable:
        return Unreadable(Diagnostic(code, message, self._span(event).first_line, help))

    def _node(self, event: Any, depth: int) -> Tree:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self._fault(Code.LIMIT, f"more than {MAX_NODES} YAML nodes", event)
        if depth > MAX_DEPTH:
            raise self._fault(Code.LIMIT, f"nested more than {MAX_DEPTH} deep", event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if event.tag is not None and event.tag != "!":
            help = "remove it; a quoted scalar is a text, and `$(...)` computes a value"
            raise self._fault(Code.FEATURE, f"the tag `{shorten(event.tag)}`; specs have no tags", event, help)
        if event.anchor:
            self.open_anchors.add(event.anchor)
        if isinstance(event, yaml.ScalarEvent):
            tree: Tree = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            tree = self._sequence(event, depth)
        else:
            tree = self._mapping(event, depth)
        if event.anchor:
            self.open_anchors.discard(event.anchor)
            self.anchors[event.anchor] = tree
        return tree

    def _alias(self, event: Any) -> Tree:
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            raise self._fault(Code.LIMIT, f"more than {MAX_ALIASES} aliases", event)
        if event.anchor in self.open_anchors:
            raise self._fault(Code.FEATURE, f"`*{shorten(event.anchor)}` stands inside of what it names", event)
        if event.anchor not in self.anchors:
            raise self._fault(Code.FEATURE, f"`*{shorten(event.anchor)}` has no `&{shorten(event.anchor)}` before it", event)
        tree = self.anchors[event.anchor]
        self.nodes += _size(tree, MAX_NODES - self.nodes)
        if self.nodes > MAX_NODES:
            raise self._fault(Code.LIMIT, f"more than {MAX_NODES} YAML nodes, aliases written out", event)
        return tree

    def _sequence(self, event: Any, depth: int) -> Listing:
        items = []
        start, end = event, next(self.events)
        while not isinstance(end, yaml.SequenceEndEvent):
            items.append(self._node(end, depth + 1))
            end = next(self.events)
        return Listing(tuple(items), Span(self.source, start.start_mark.index, self._end(end, items)))

    def _mapping(self, event: Any, depth: int) -> Mapping:
        entries: list[tuple[Scalar, Tree]] = []
        first: dict[str, Scalar] = {}
        start, end = event, next(self.events)
        while not isinstance(end, yaml.MappingEndEvent):
            key = self._key(end, depth)
            value = self._node(next(self.events), depth + 1)
            name = str(key.value)
            if name in first:
                note = Note("it stands here first", first[name].span)
                message = f"the key `{shorten(name)}` stands twice"
                self.faults.append(Diagnostic(Code.DUPLICATE_KEY, message, key.span, "keep one of the two", (note,)))
            else:
                first[name] = key
                entries.append((key, value))
            end = next(self.events)
        return Mapping(tuple(entries), Span(self.source, start.start_mark.index, self._end(end, [v for _, v in entries])))

    def _key(self, event: Any, depth: int) -> Scalar:
        if isinstance(event, yaml.AliasEvent) or not isinstance(event, yaml.ScalarEvent):
            raise self._fault(Code.TYPE, "a key must be a text", event, "quote a `[` or `{` that is meant literally")
        if event.value == "<<" and event.implicit[0]:
            help = "write the keys out, or put what is shared into a block or a parameter"
            raise self._fault(Code.FEATURE, "the merge key `<<`; YAML 1.2 has none", event, help)
        key = self._node(event, depth)
        assert isinstance(key, Scalar)
        if not isinstance(key.value, str):
            help = f'"{event.value}": quoted it is a text'
            raise self._fault(Code.TYPE, f"a key must be a text, `{shorten(event.value)}` is none", event, help)
        return key

    def _end(self, end: Any, children: list[Tree]) -> int:
        """A block collection ends where its last child ends, not where the next token starts."""
        if end.start_mark.index == end.end_mark.index and children:
            return children[-1].span.end
        return int(end.end_mark.index)

    def _scalar(self, event: Any) -> Scalar:
        text, span = event.value, self._span(event)
        if len(text) > MAX_SCALAR:
            raise self._fault(Code.LIMIT, f"a scalar of {len(text)} characters, the limit is {MAX_SCALAR}", event)
        if event.style:  # None or "" for a plain one
            return Scalar(text, span)
        try:
            return Scalar(scalar_value(text), span)
        except ValueError as error:
            message, help = error.args
            self.faults.append(Diagnostic(Code.SCALAR, message, span, help))
            return Scalar(0, span)


def scalar_value(text: str) -> str | int | float | bool | None:
    """What an unquoted scalar means in YAML 1.2's core schema.

    Raises ValueError with a message and help for one that is ambiguous or out of bounds.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        digits = text.lstrip("+-")
        if len(digits) > 1 and digits[0] == "0":
            meant = digits.lstrip("0") or "0"
            raise ValueError(f"`{shorten(text)}` is octal to some and decimal to others", f"write {shorten(meant)}, or quote it")
        if len(digits) > 16 or abs(int(text)) > MAX_INTEGER:
            raise ValueError(f"the integer {shorten(text)} is past 2^53", "no size of a network is that large")
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if not isfinite(number):
            raise ValueError(f"the number {shorten(text)} is too large for a float", "the largest is about 1.8e308")
        return number
    if _SPECIAL.fullmatch(text):
        raise ValueError(f"`{text}` is no finite number", "arguments are finite numbers")
    return text


def _size(tree: Tree, at_most: int) -> int:
    """How many nodes a tree has, counted no further than needed."""
    stack, count = [tree], 0
    while stack and count <= at_most:
        node = stack.pop()
        count += 1
        if isinstance(node, Listing):
            stack.extend(node.items)
        elif isinstance(node, Mapping):
            stack.extend(value for _, value in node.entries)
            count += len(node.entries)
    return count


_MINIMAL = "the least spec is\ninput: [1, 28, 28]\nnetwork:\n  - Flatten\n  - Linear: 10"

_CAUSES = {
    "found character '\\t' that cannot start any token": ("a tab; YAML is indented with spaces", "replace the tab"),
    "found unexpected end of stream": ("the text ends inside of what opens here", "close the quote"),
    "mapping values are not allowed in this context": (
        "a `:` where no key can stand",
        "indent it as its neighbours, or quote a text that holds `: `",
    ),
    "did not find expected ',' or ']'": ("this `[` is not closed", "`,` or `]` is missing"),
    "did not find expected ',' or '}'": ("this `{` is not closed", "`,` or `}` is missing"),
}


def _syntax_error(source: Source, error: yaml.YAMLError) -> Diagnostic:
    """libyaml's error in our words, at the opener for what is not closed."""
    problem = getattr(error, "problem", None) or str(error)
    mark = getattr(error, "problem_mark", None)
    context = getattr(error, "context_mark", None)
    message, help = _CAUSES.get(problem, (problem, ""))
    if problem not in _CAUSES and getattr(error, "context", None):
        message = f"{error.context}: {problem}"  # type: ignore[attr-defined]
    opener = problem.startswith(("did not find expected ','", "found unexpected end of stream"))
    at = context if opener and context else mark or context
    index = min(at.index, len(source.text)) if at else 0
    if "unexpected end" not in problem and _tab_before(source.text, index):
        message, help = _CAUSES["found character '\\t' that cannot start any token"]
    comma = "`$(a, b)` inside of `{...}` or `[...]` wants quotes"
    if opener and "$(" in source.line(source.position(index)[0]):
        help = f"{help}; {comma}"
    return Diagnostic(Code.SYNTAX, message, Span(source, index, min(index + 1, len(source.text))), help)


def _tab_before(text: str, index: int) -> bool:
    line = text[text.rfind("\n", 0, index) + 1 :].split("\n", 1)[0]
    return "\t" in line[: len(line) - len(line.lstrip())]
