"""YAML text -> a tree in which every value has a :class:`Span`.

The events of libyaml are read one by one, so limits apply before work is done. Scalars follow
the core schema of YAML 1.2, where ``no`` is a string and ``1e-3`` a number. Features that specs do not need
(tags, merge keys, directives, several documents) are refused; anchors and aliases are allowed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeAlias

import yaml

from cnndsl.diagnostics import ENOUGH, Code, Diagnostic, Note, did_you_mean, shorten
from cnndsl.layers.kinds import MAX_NUMBER
from cnndsl.limits import LIMITS, Limits, how_to_raise
from cnndsl.record import Record
from cnndsl.source import Source, Span
from cnndsl.spec.names import CONSTANTS
from cnndsl.spec.slips import other_value
from cnndsl.spec.syntax import syntax_error

MAX_SCALAR = 8 * 1024
MAX_INTEGER = 2**53


#: A value that is unknown because of a fault. Everything that depends on it is skipped silently.
UNKNOWN: Any = type("Unknown", (), {"__repr__": lambda self: "unknown"})()


class Scalar(Record, frozen=True, eq=False):
    """``value`` is the text of a quoted scalar, or else its meaning in YAML 1.2, or UNKNOWN."""

    value: str | int | float | bool | None
    span: Span


class Listing(Record, frozen=True, eq=False):
    items: tuple[Tree, ...]
    span: Span


class Mapping(Record, frozen=True, eq=False, dict=True):
    """Entries in the order of the file; keys are unique strings."""

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

#: What numbers begin with.
_NUMERIC = frozenset("+-.0123456789")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, bool | None] = {"": None, "~": None, **CONSTANTS}
#: Characters that are allowed only as escapes.
FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
#: Characters that only some readers treat as line ends, and those that change the direction of writing:
#: a reviewer would read one thing and the compiler another.
_MISLEADING = frozenset("\x85\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
#: The text before the second item of a tuple in Python's notation.
_IN_TUPLE = re.compile(r": *\([^()\n]*, *\Z")
_ANCHOR = re.compile(r"&[^\s,\[\]{}]+(\s+(#[^\n]*)?)*")


class Unreadable(Exception):
    """The text is not the tree of a spec. Holds the faults found so far, the reason last."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        self.diagnostics = diagnostics
        super().__init__(diagnostics[-1].message)


def is_flow(tree: Tree) -> bool:
    """Whether a list or a mapping is in brackets."""
    return tree.span.part(0, 1).text in ("[", "{")


def entry_span(key: Scalar, value: Tree) -> Span:
    """The span of an entry of a mapping. A value that is not written is before the end of its key."""
    return Span(key.span.source, key.span.start, max(key.span.end, value.span.end))


def plain(tree: Tree) -> Any:
    """The tree as dicts, lists and scalars, without its spans."""
    match tree:
        case Scalar(value=value):
            return value
        case Listing(items=items):
            return [plain(item) for item in items]
        case Mapping(entries=entries):
            return {key.value: plain(value) for key, value in entries}


def read(source: Source, limits: Limits = LIMITS) -> tuple[Tree, list[Diagnostic]]:
    """Parses a text. Returns the tree, and faults that leave it whole, such as duplicate keys.

    Raises :class:`Unreadable` if there is no tree.
    """
    _check_text(source, limits)
    reader = _Reader(source, limits)
    try:
        tree = reader.read()
    except yaml.YAMLError as error:
        raise Unreadable(*reader.faults, syntax_error(source, error)) from None
    except Unreadable as unreadable:
        raise Unreadable(*reader.faults, *unreadable.diagnostics) from None
    return tree, reader.faults


def _check_text(source: Source, limits: Limits) -> None:
    text = source.text
    if len(text) > limits.file:
        message = f"the text has {len(text)} characters, the limit is {limits.file}"
        raise Unreadable(Diagnostic(Code.LIMIT, message, Span(source, 0, 0), how_to_raise("file")))
    if found := FORBIDDEN.search(text):
        span = Span(source, found.start(), found.end())
        number = f"U+{ord(found[0]):04X}"
        if found[0] in _MISLEADING:
            message = f"the invisible character {number} makes the text look different from what is read"
            raise Unreadable(Diagnostic(Code.ENCODING, message, span, "delete it"))
        message = f"character {number} at offset {found.start()} is not allowed in YAML"
        raise Unreadable(Diagnostic(Code.ENCODING, message, span, "is this a binary file? Specs are UTF-8 text"))


class _Reader:
    """Builds the tree of one document from libyaml's events."""

    def __init__(self, source: Source, limits: Limits) -> None:
        self.source = source
        self.limits = limits
        self.anchors: dict[str, Tree] = {}
        self.open_anchors: set[str] = set()
        self.faults: list[Diagnostic] = []
        self.nodes = self.aliases = 0

    def read(self) -> Tree:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self.next: Callable[[], Any] = loader(self.source.text).get_event
        self.next()  # the stream's start
        event = self.next()
        if isinstance(event, yaml.StreamEndEvent):
            raise Unreadable(Diagnostic(Code.SYNTAX, "the spec is empty", Span(self.source, 0, 0), MINIMAL))
        if event.version or event.tags:
            self._fault(
                Code.FEATURE, "a directive, which specs do not have", event, "remove the lines that begin with `%`"
            )
        tree = self._node(self.next(), 0)
        self.next()  # the document's end
        following = self.next()
        if not isinstance(following, yaml.StreamEndEvent):
            self._fault(Code.FEATURE, "a second document; a spec has only one", following, "remove the `---`")
        return tree

    def _span(self, event: Any) -> Span:
        return Span(self.source, event.start_mark.index, event.end_mark.index)

    def _fault(self, code: Code, message: str, event: Any, help: str = "") -> Scalar:
        """Records a fault. Returns a replacement for the faulty node."""
        span = self._span(event).first_line
        self._note(Diagnostic(code, message, span, help))
        return Scalar(UNKNOWN, span)

    def _note(self, fault: Diagnostic) -> None:
        if len(self.faults) == ENOUGH:
            raise Unreadable(fault)
        self.faults.append(fault)

    def _limit(self, name: str, message: str, event: Any) -> Unreadable:
        return Unreadable(Diagnostic(Code.LIMIT, message, self._span(event).first_line, how_to_raise(name)))

    def _node(self, event: Any, depth: int) -> Tree:
        self.nodes += 1
        if self.nodes > self.limits.nodes:
            raise self._limit("nodes", f"more than {self.limits.nodes} YAML nodes", event)
        if depth > self.limits.nesting:
            raise self._limit("nesting", f"nested more than {self.limits.nesting} deep", event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)
        if event.tag is not None:
            help = "remove it; quotes make a string, and `$(...)` computes a value"
            tag = shorten(event.tag.replace("tag:yaml.org,2002:", "!!"))
            unknown = self._fault(Code.FEATURE, f"the tag `{tag}`, which specs do not have", event, help)
        if event.anchor:
            self.open_anchors.add(event.anchor)
        if isinstance(event, yaml.ScalarEvent):
            tree: Tree = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            tree = self._sequence(event, depth)
        else:
            tree = self._mapping(event, depth)
        if event.tag is not None:
            tree = unknown
        if event.anchor:
            self.open_anchors.discard(event.anchor)
            self.anchors[event.anchor] = tree
        return tree

    def _alias(self, event: Any, depth: int) -> Tree:
        self.aliases += 1
        name = shorten(event.anchor)
        if self.aliases > self.limits.aliases:
            raise self._limit("aliases", f"more than {self.limits.aliases} aliases", event)
        if event.anchor in self.open_anchors:
            return self._fault(Code.FEATURE, f"`*{name}` is inside its own anchor", event)
        if event.anchor not in self.anchors:
            help = did_you_mean(event.anchor, self.anchors) or f"quote it if it is a string: `'*{name}'`"
            return self._fault(Code.FEATURE, f"`*{name}` has no `&{name}` before it", event, help)
        tree = self.anchors[event.anchor]
        nodes, height = measure(tree, self.limits.nodes - self.nodes)
        self.nodes += nodes
        if self.nodes > self.limits.nodes:
            raise self._limit("nodes", f"more than {self.limits.nodes} YAML nodes, with aliases written out", event)
        if depth + height > self.limits.nesting:
            raise self._limit(
                "nesting", f"nested more than {self.limits.nesting} deep, with aliases written out", event
            )
        return tree

    def _sequence(self, event: Any, depth: int) -> Listing:
        items = []
        start, end = event, self.next()
        while not isinstance(end, yaml.SequenceEndEvent):
            items.append(self._node(end, depth + 1))
            end = self.next()
        return Listing(tuple(items), Span(self.source, start.start_mark.index, self._end(end, items)))

    def _mapping(self, event: Any, depth: int) -> Mapping | Scalar:
        entries: dict[str, tuple[Scalar, Tree]] = {}
        broken: Scalar | None = None
        start, end = event, self.next()
        while not isinstance(end, yaml.MappingEndEvent):
            if isinstance(end, yaml.ScalarEvent) and end.value == "<<" and end.implicit[0]:
                help = "write the keys out, or put the shared part into a block or a parameter"
                broken = self._fault(Code.FEATURE, "the merge key `<<`, which YAML 1.2 does not have", end, help)
            key = self._key(end, depth)
            value = self._node(self.next(), depth + 1)
            name = str(key.value) if key else ""
            if key is None and depth > 0:
                broken = Scalar(UNKNOWN, self._span(start))
            if key and name in entries and not _ends_tuple(key):
                note = Note("it is first defined here", entries[name][0].span)
                message = f"the key `{shorten(name)}` appears twice"
                self._note(Diagnostic(Code.DUPLICATE_KEY, message, key.span, "keep one of the two", (note,)))
            elif key:
                entries[name] = key, value
            end = self.next()
        if broken:
            return broken
        last = self._end(end, [value for _, value in entries.values()])
        return Mapping(tuple(entries.values()), Span(self.source, start.start_mark.index, last))

    def _key(self, event: Any, depth: int) -> Scalar | None:
        """A key, None if it has a fault."""
        before = len(self.faults)
        key = self._node(event, depth + 1)
        if len(self.faults) > before:
            return None
        if isinstance(event, yaml.AliasEvent) or not isinstance(key, Scalar):
            help = "quote a literal `[`, `{` or `*`"
            line, column = self.source.position(event.start_mark.index)
            if meant := other_value(self.source.line(line), column - 1):
                help = f"write `{meant[2]}`"
            self._fault(Code.TYPE, "a key must be a string", event, help)
        elif not isinstance(key.value, str):
            written = shorten(event.value)
            message = f"a key must be a string, not `{written}`" if written else "a `:` without a key before it"
            help = f'quote it: `"{written}"`' if written else ""
            if _ends_tuple(Scalar(written, self._span(event))):
                help = "write a list in brackets: `[1, 1]`"
            self._fault(Code.TYPE, message, event, help)
        else:
            return key
        return None

    def _end(self, end: Any, children: list[Tree]) -> int:
        """A block collection ends where its last child ends, not where the next token starts."""
        if end.start_mark.index == end.end_mark.index and children:
            return children[-1].span.end
        return int(end.end_mark.index)

    def _scalar(self, event: Any) -> Scalar:
        text, span = event.value, self._span(event)
        if event.anchor and (anchor := _ANCHOR.match(span.text)):
            span = Span(self.source, span.start + anchor.end(), span.end)
        if len(text) > MAX_SCALAR:
            raise self._limit("", f"a scalar has {len(text)} characters, the limit is {MAX_SCALAR}", event)
        if event.style:  # None or "" for a plain one
            return Scalar(text, span)
        try:
            return Scalar(scalar_value(text), span)
        except ValueError as error:
            message, help = error.args
            return self._fault(Code.SCALAR, message, event, help)


def scalar_value(text: str) -> str | int | float | bool | None:
    """The meaning of an unquoted scalar in YAML 1.2's core schema.

    Raises ValueError with a message and help for one that is ambiguous or out of bounds.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMERIC:
        return text
    if _INTEGER.fullmatch(text):
        digits = text.lstrip("+-")
        if len(digits) > 1 and digits[0] == "0":
            meant = shorten(digits.lstrip("0") or "0")
            message = f"`{shorten(text)}` is octal to some readers and decimal to others"
            raise ValueError(message, f"write `{meant}`, or quote it; octal is `0o{meant}`")
        return _bounded(int(text) if len(digits) <= 16 else MAX_INTEGER + 1, text)
    if _BASED.fullmatch(text):
        return _bounded(int(text, 0) if len(text) <= 32 else MAX_INTEGER + 1, text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if abs(number) > MAX_NUMBER:
            raise ValueError(f"the number {shorten(text)} is too large for float32", "the largest is about 3.4e38")
        return number
    if _SPECIAL.fullmatch(text):
        raise ValueError(f"`{text}` is not finite", "arguments must be finite numbers")
    return text


def _bounded(number: int, text: str) -> int:
    if abs(number) > MAX_INTEGER:
        raise ValueError(f"the integer {shorten(text)} is beyond 2^53", "no size in a network is that large")
    return number


def _ends_tuple(key: Scalar) -> bool:
    """Whether a key is the end of a tuple in Python's notation, which is reported at its beginning."""
    return _IN_TUPLE.search(key.span.source.text, max(key.span.start - 100, 0), key.span.start) is not None


def measure(tree: Tree, at_most: int) -> tuple[int, int]:
    """The number of nodes in a tree, counted no further than ``at_most``, and its depth."""
    stack, count, height = [(tree, 0)], 0, 0
    while stack and count <= at_most:
        node, depth = stack.pop()
        count, height = count + 1, max(height, depth)
        if isinstance(node, Listing):
            stack.extend((item, depth + 1) for item in node.items)
        elif isinstance(node, Mapping):
            stack.extend((value, depth + 1) for _, value in node.entries)
            count += len(node.entries)
    return count, height


MINIMAL = "the smallest spec is\ninput: [1, 28, 28]\nnetwork:\n  - Flatten\n  - Linear: 10"
