"""What is at a place of a text, also of one that is half typed.

A mark takes the place of the word at the cursor, and the text is read as YAML. If that fails, what is open on the
cursor's line is closed, and lines with faults elsewhere are blank. Where the mark is in the tree tells what is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property

from cnndsl.editing.analysis import Analysis
from cnndsl.editing.blanks import readable
from cnndsl.limits import LIMITS
from cnndsl.record import Record
from cnndsl.source import Source, Span
from cnndsl.spec.scopes import Path
from cnndsl.spec.tree import Listing, Mapping, Scalar, Tree, Unreadable, read
from cnndsl.spec.values import expression_start

#: A character that stands for the word at the cursor. It is for private use, so no spec has it.
MARK = "\ue000"
#: A word up to the cursor, with the `$` before it, and what is left of it behind the cursor.
_BEGUN, _REST = re.compile(r"\$?[\w.]*\Z"), re.compile(r"[\w.]*")
#: The same in an expression, where a word begins with a letter.
_BEGUN_NAME = re.compile(r"(?:(?<![\w.])[^\W\d][\w.]*)?\Z")
#: What can follow a word at the end of a line.
_COMMENT = re.compile(r"\s*(?:#.*)?\Z")
#: A quoted text, also one without an end, a comment, or a character that matters inside of brackets.
_TOKEN = re.compile(
    r"""(?<![^\s\[{,])(?P<quote>["'])(?:\\.|''|(?!(?P=quote)).)*(?P<end>(?P=quote)?)|(?<!\S)\#.*|[\[\]{}]"""
)
#: Where a bracket in a line begins a list or a mapping, and not in the middle of a text.
_BEGINNING = re.compile(r"(?:^|[-:?]\s|[\w)\"']:\s)\s*\Z")
_LINE_END = re.compile(r"\r?\n")
_CLOSING = {"[": "]", "{": "}"}
_SECTION = re.compile(r"^[A-Za-z]", re.MULTILINE)


class Context(Record, frozen=True, eq=False, dict=True):
    """A place in a text.

    ``word`` is the word there, which a completion replaces, with the `$` before it; it may be empty. ``offset`` is the
    cursor's. ``tree`` is the text with a :data:`MARK` in place of the word, and ``path`` leads to it: keys, and
    positions in lists; the last one is the key with the mark if it ``is_key``. ``before`` and ``after`` are what the
    scalar has around the word. If the word is in an expression, ``expression`` is what that has before the word, and
    ``before`` and ``after`` are around the whole expression. ``marked`` is the word, or this expression.
    """

    source: Source
    offset: int
    word: Span
    tree: Tree
    path: Path
    is_key: bool
    before: str
    after: str
    marked: Span
    expression: str | None = None

    @property
    def begun(self) -> str:
        """The word up to the cursor."""
        return self.source.text[self.word.start : self.offset]

    @property
    def is_whole(self) -> bool:
        """Whether the word is all of its scalar."""
        return not (self.before or self.after) and self.expression is None

    @cached_property
    def around(self) -> tuple[Tree, ...]:
        """The nodes from the tree to the one at ``path``, without the value of a key with the mark."""
        nodes = [self.tree]
        for part in self.path[: -1 if self.is_key else None]:
            nodes.append(child(nodes[-1], part))
        return tuple(nodes)

    @property
    def siblings(self) -> Mapping | None:
        """The mapping that the mark is a key of."""
        last = self.around[-1]
        return last if self.is_key and isinstance(last, Mapping) else None

    @cached_property
    def is_flow(self) -> bool:
        """Whether the word is inside of brackets."""
        nodes = self.around if self.is_key else self.around[:-1]
        return any(self._is_open(node) for node in nodes)

    def _is_open(self, node: Tree) -> bool:
        text = self.source.text
        return not isinstance(node, Scalar) and node.span.start < len(text) and text[node.span.start] in "[{"

    @property
    def is_signature(self) -> bool:
        """Whether the place is the key of a block, its name or its parameters."""
        return self.is_key and self.path[0] == "blocks" and len(self.path) == 2

    @property
    def lacks_dash(self) -> bool:
        """Whether the place is an item of a list whose `- ` is not typed yet."""
        return isinstance(self.path[-1], int) and not self.is_flow and not self.line.strip()

    @property
    def scalar(self) -> Span:
        """The word with the rest of its scalar, if that is not quoted."""
        return Span(self.source, self.word.start - len(self.before), self.word.end + len(self.after))

    @property
    def line(self) -> str:
        """The line of the cursor up to the word."""
        return self.source.text[line_at(self.source.text, self.offset)[0] : self.word.start]

    @property
    def following(self) -> str:
        """The line of the cursor behind the word."""
        return self.source.text[self.word.end : line_at(self.source.text, self.offset)[1]]


def child(node: Tree, part: str | int) -> Tree:
    """What is under a key, or at a position."""
    if isinstance(node, Mapping):
        return node.by_key[str(part)]
    assert isinstance(node, Listing)
    return node.items[int(part)]


def context(analysis: Analysis, offset: int) -> Context | None:
    """What is at an offset, None if the text around cannot be read, or is a comment, or all of the text."""
    source, text = analysis.source, analysis.source.text
    first, last = line_at(text, offset)
    before, after = text[first:offset], text[offset:last]
    if MARK in text or _in_comment(before):
        return None
    dollar = expression_start(before)
    begun = (_BEGUN if dollar is None else _BEGUN_NAME).search(before)
    rest = _REST.match(after)
    assert begun is not None and rest is not None
    word = Span(source, first + begun.start(), offset + rest.end())
    if dollar is None:
        return _found(analysis, _Marked(text, word.start, word.end), offset, word, None)
    inside = before[dollar + 2 : begun.start()]
    end = word.end + _closed(text[word.end : last], inside)
    return _found(analysis, _Marked(text, first + dollar, end), offset, word, inside)


def line_at(text: str, offset: int) -> tuple[int, int]:
    """Where the line of an offset begins and ends."""
    end = _LINE_END.search(text, offset)
    return text.rfind("\n", 0, offset) + 1, end.start() if end else len(text)


def _in_comment(before: str) -> bool:
    return any(token[0].startswith("#") for token in _TOKEN.finditer(before))


def _closed(after: str, inside: str) -> int:
    """How many characters behind a word belong to the expression that it is in: up to the bracket that closes it."""
    depth = 1 + sum(inside.count(sign) for sign in "([") - sum(inside.count(sign) for sign in ")]")
    for index, character in enumerate(after):
        depth += (character in "([") - (character in ")]")
        if depth == 0:
            return index + 1
    return 0


class _Marked(Record, frozen=True):
    """A text whose part from ``start`` to ``end``, in one line, is replaced by marks, as many as it has characters, but
    at least one."""

    text: str
    start: int
    end: int

    def texts(self, around: str) -> Iterator[str]:
        """Texts that may be YAML, the most likely first, with other lines as in ``around``: a line with nothing but a
        word is a key without its colon, or an item without its dash, and what is open in the line is closed."""
        marks = MARK * max(self.end - self.start, 1)
        first, last = line_at(self.text, self.start)
        above, below = around[:first], around[last:]
        before, after = self.text[first : self.start], self.text[self.end : last]
        is_alone = not before.strip() and _COMMENT.match(after)
        if is_alone:
            yield f"{above}{before}{marks}:{after}{below}"
        yield f"{above}{before}{marks}{after}{below}"
        if is_alone:
            yield f"{above}{before}- {marks}{after}{below}"
        code, _, _ = after.partition(" #")
        *_, section = (0, *(match.start() for match in _SECTION.finditer(above)))
        closing = _unclosed(f"{above[section:]}{before}{marks}{code}")
        yield f"{above}{before}{marks}{code.rstrip()}{closing}{below}"


def _unclosed(text: str) -> str:
    """What closes the quote and the brackets that are open at the end of a text."""
    brackets: list[str] = []
    quote, indent = "", 0
    for line in text.split("\n"):
        own = len(line) - len(line.lstrip())
        if brackets and line.strip() and own <= indent and line.lstrip()[0] not in "]}":
            brackets = []  # what is in brackets is indented deeper, so these were left open
        quote = ""
        for token in _TOKEN.finditer(line):
            if token["quote"]:
                quote = "" if token["end"] else token["quote"]
            elif token[0] in "]}":
                del brackets[-1:]
            elif token[0] in "[{" and (brackets or _BEGINNING.search(line[: token.start()])):
                indent = indent if brackets else own
                brackets.append(_CLOSING[token[0]])
    return quote + "".join(reversed(brackets))


def _found(analysis: Analysis, marked: _Marked, offset: int, word: Span, expression: str | None) -> Context | None:
    tree = _tree(analysis, marked)
    found = next(_marks(tree, ()), None) if tree is not None else None
    if tree is None or found is None or not found[0]:
        return None
    path, is_key, scalar = found
    before, _, after = str(scalar.value).partition(MARK)
    place = Span(analysis.source, marked.start, marked.end)
    return Context(analysis.source, offset, word, tree, path, is_key, before, after.lstrip(MARK), place, expression)


def _tree(analysis: Analysis, marked: _Marked) -> Tree | None:
    """The tree of a text with its mark, None if it cannot be had."""
    for around in _texts(analysis):
        for text in marked.texts(around):
            with suppress(Unreadable):
                return read(Source(analysis.source.name, text), LIMITS)[0]
    return None


def _texts(analysis: Analysis) -> Iterator[str]:
    """The text, and what is alive of it, with blank lines in place of those at fault."""
    source = analysis.source
    yield source.text
    document = analysis.alive.document
    if document is not None and len(document.source.text) == len(source.text):
        yield document.source.text
    elif (mended := readable(source, LIMITS)) is not None:
        yield mended.text


def _marks(tree: Tree, path: Path) -> Iterator[tuple[Path, bool, Scalar]]:
    """The scalars with a mark, the paths to them, and whether they are keys."""
    if isinstance(tree, Scalar):
        if isinstance(tree.value, str) and MARK in tree.value:
            yield path, False, tree
    elif isinstance(tree, Listing):
        for number, item in enumerate(tree.items):
            yield from _marks(item, (*path, number))
    else:
        for key, value in tree.entries:
            if MARK in str(key.value):
                yield (*path, str(key.value)), True, key
            yield from _marks(value, (*path, str(key.value)))
