"""Texts in which what is at fault is blank. A blank is as long as what it replaces, so that all offsets stay. Here and
there it holds what the rest needs: the brackets that are not closed, or the word ``steps``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from cnndsl.limits import Limits
from cnndsl.record import Record
from cnndsl.source import Source, Span
from cnndsl.spec.tree import Listing, Mapping, Tree, Unreadable, is_flow, read
from cnndsl.spec.words import COMMON, LISTS

_INK = re.compile(r"[^\r\n]")


def blank(source: Source, *spans: Span, word: str = "") -> Source:
    """The source with spaces in place of what the spans hold, after a ``word`` if there is one. Lines end where they
    did. A span that ends before it starts, between an alias and what follows it, holds nothing."""
    text = source.text
    for span in (span for span in spans if span.start < span.end):
        spaces = _INK.sub(" ", text[span.start : span.end])
        text = text[: span.start] + word + spaces[len(word) :] + text[span.end :]
    return Source(source.name, text)


# --- texts that are no YAML ----------------------------------------------------------------------

#: How often something more is made blank.
_ROUNDS = 4
#: What is behind the values of a line: a bracket that opens one, one that closes, a comma; or a whole quoted text.
_MARK = re.compile(r"""(?<![\w)])(?:"(?:\\.|[^"\\])*"|'[^']*')|(?:(?<=[:-] )|(?<=[\[{,])|(?<=, ))([\[{])|([]}])|(,)""")
_CLOSES = {"[": "]", "{": "}"}


def readable(source: Source, limits: Limits) -> Source | None:
    """A text that is YAML: the same without the lines that keep it from being read, as few as possible; None if that
    leads nowhere."""
    for _ in range(_ROUNDS):
        fault = _fault(source, limits)
        if fault is None:
            return source
        source = _without(source, fault, limits)
    fault = _fault(source, limits)
    cut = blank(source, Span(source, source.offset(fault.line), len(source.text))) if fault else source
    return cut if _fault(cut, limits) is None else None


def _fault(source: Source, limits: Limits) -> Span | None:
    """Where the text stops being YAML."""
    try:
        read(source, limits)
    except Unreadable as unreadable:
        return unreadable.diagnostics[-1].span or Span(source, 0, 0)
    return None


def _without(source: Source, fault: Span, limits: Limits) -> Source:
    """The text with less of the line at fault or of the line above: the first attempt that can be read, or else the one
    that can be read furthest."""
    furthest, best = -1, source
    for tried in _attempts(source, [line for line in (fault.line, _above(source, fault.line)) if line]):
        left = _fault(tried, limits)
        if left is None:
            return tried
        if left.start > furthest:
            furthest, best = left.start, tried
    return best


def _attempts(source: Source, lines: Sequence[int]) -> Iterator[Source]:
    """The source with the brackets of one of some lines closed, without one of them, and without one and those below
    that are indented deeper."""
    closed = (_closed(source, line) for line in lines)
    yield from (attempt for attempt in closed if attempt is not None)
    for deep in (False, True):
        yield from (blank(source, _lines(source, line, deep)) for line in lines)


def _closed(source: Source, number: int) -> Source | None:
    """The source with what is open at the end of a line closed, in place of what follows a comma in there; None if
    nothing is open, or if there is no room."""
    start, line = source.offset(number), source.line(number)
    open_at = [(0, "")]
    for found in _MARK.finditer(line):
        place, opened = found.end() - 1, open_at[-1][1]
        if found[1]:
            open_at.append((place, _CLOSES[found[1]] + opened))
        elif found[2]:
            open_at.append((place, opened[1:]))
        elif found[3] and opened:
            open_at.append((place, opened))
    if not open_at[-1][1]:
        return None
    for place, closing in reversed(open_at):
        if line[place] == "," and len(line) - place >= len(closing):
            return blank(source, Span(source, start + place, start + len(line)), word=closing)
    return None


def _above(source: Source, line: int) -> int:
    """The line above with anything but a comment, 0 if there is none."""
    above = range(line - 1, 0, -1)
    return next((number for number in above if source.line(number).strip().partition("#")[0]), 0)


def _lines(source: Source, number: int, deep: bool) -> Span:
    """A line, and if it is ``deep`` those below that are indented deeper."""
    start, indent, last = source.offset(number), _indent(source.line(number)), number
    end = source.position(len(source.text))[0] if deep else number
    while last < end and (not source.line(last + 1).strip() or _indent(source.line(last + 1)) > indent):
        last += 1
    return Span(source, start, source.offset(last) + len(source.line(last)))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


# --- trees with faults ---------------------------------------------------------------------------


#: Words whose steps run without them too, in place of which `steps` fits.
_REGIONS = ("repeat", "dense", "residual")


class Part(Record, frozen=True):
    """What changes for a fault: ``blanks`` go, and ``word`` becomes ``steps``. ``step`` is the item that it belongs to,
    None if that is not known."""

    blanks: tuple[Span, ...]
    word: Span | None = None
    step: Tree | None = None


def mended(source: Source, parts: Iterable[Part]) -> Source:
    """The source with the changes of those parts that are in it."""
    for part in parts:
        source = blank(source, *(span for span in part.blanks if span.source.name == source.name))
        if part.word is not None and part.word.source.name == source.name:
            source = blank(source, part.word, word="steps")
    return source


def innermost(tree: Tree, fault: Span, lists: int = 1) -> Part | None:
    """The smallest part of ``tree`` around a fault that can be left out, an entry of a mapping or an item of a list, so
    that something is left there; None if there is none. Of the arguments in a list, that is only the last, since the
    others have their meaning by position. A loop or a residual with a fault of its own leaves its steps.
    ``lists`` is 1 if the tree is a list of steps, 2 if it is a list of such lists."""
    if isinstance(tree, Mapping):
        for number, (key, value) in enumerate(tree.entries):
            if _holds(key.span.start, max(key.span.end, value.span.end), key.span, fault):
                if key.value in _REGIONS and fault.start < key.span.end and isinstance(value, Listing):
                    return Part(tuple(_options(tree, number)), key.span)
                found = innermost(value, fault, LISTS.get(str(key.value), 0))
                return found or _entry(tree, number)
    elif isinstance(tree, Listing):
        for number, item in enumerate(tree.items):
            if _holds(item.span.start, item.span.end, item.span, fault):
                found = innermost(item, fault, lists - 1)
                if found is None and (lists > 0 or number == len(tree.items) - 1):
                    found = _item(tree, number)
                return replace(found, step=item) if found and found.step is None and lists == 1 else found
    return None


def _holds(start: int, end: int, place: Span, fault: Span) -> bool:
    return place.source.name == fault.source.name and start <= fault.start <= end


def _options(step: Mapping, word: int) -> Iterator[Span]:
    """The options of a step that only its word has."""
    for number, (key, _) in enumerate(step.entries):
        if number != word and key.value not in COMMON and (part := _entry(step, number)):
            yield from part.blanks


def _entry(mapping: Mapping, number: int) -> Part | None:
    """An entry of a mapping with what separates it from the others; None if it is the only one."""
    entries = mapping.entries
    key, value = entries[number]
    if len(entries) == 1:
        return None
    if number < len(entries) - 1:
        return Part((Span(key.span.source, key.span.start, entries[number + 1][0].span.start),))
    if is_flow(mapping):
        return Part((_last(mapping, key.span),))
    colon = key.span.source.text.find(":", key.span.end) + 1
    return Part((Span(key.span.source, key.span.start, max(value.span.end, colon)),))


def _item(listing: Listing, number: int) -> Part | None:
    """The same for an item of a list, which may be the only one in brackets."""
    items, span = listing.items, listing.items[number].span
    text, is_last = span.source.text, number == len(items) - 1
    if is_flow(listing):
        whole = _last(listing, span) if is_last else Span(span.source, span.start, items[number + 1].span.start)
        return Part((whole,))
    if len(items) == 1:
        return None
    start = text.rfind("-", 0, span.start)  # there is one before every item
    end = span.end if is_last else text.rfind("-", 0, items[number + 1].span.start)
    return Part((Span(span.source, start, max(start + 1, end)),))


def _last(whole: Tree, part: Span) -> Span:
    """The last part of what is in brackets, with the comma before it."""
    comma = part.source.text.rfind(",", whole.span.start, part.start)
    return Span(part.source, part.start if comma < 0 else comma, whole.span.end - 1)
