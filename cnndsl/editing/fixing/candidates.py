"""What may mend a diagnostic, in the order in which it is tried.

Help is for people, and writes what is to be written in backticks: "did you mean `ReLU`?", "`bias: false`". Where that
belongs follows from the tree around the fault. A candidate may be wrong: see :mod:`cnndsl.editing.fixes`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from cnndsl.diagnostics import Code, Diagnostic, shorten
from cnndsl.editing.answers import Edit
from cnndsl.editing.fixing.places import (
    Entry,
    Item,
    Place,
    before,
    content_end,
    line_end,
    removed_key,
    without,
)
from cnndsl.record import Record
from cnndsl.remedies import remedies, removals, swaps
from cnndsl.source import Source, Span
from cnndsl.spec.slips import meant_constant
from cnndsl.spec.tree import Listing, Mapping, Scalar, Tree, Unreadable, is_flow, read

_CODE = re.compile(r"`([^`\n]+)`")
#: The names that the arguments of a layer or block have in a list.
Names = Callable[[str], Sequence[str]]


class Candidate(Record, frozen=True):
    """A change, and for which of the things that the help says: only the first that mends is offered for each.
    ``is_written`` is true if it writes what the help does, and guesses nothing."""

    title: str
    edits: tuple[Edit, ...]
    about: str
    is_written: bool = False


def candidates(diagnostic: Diagnostic, place: Place, names: Names) -> Iterator[Candidate]:
    """The candidates for a diagnostic at its place, those about one thing in a row."""
    help = diagnostic.help
    for code in remedies(help):
        for title, edits in _writings(code, diagnostic, place, names):
            yield Candidate(title, tuple(edits), code, is_written=True)
    for old, new in swaps(help):
        yield Candidate(f"Write `{new}` in place of `{old}`", (_swapped(old, new, place.span),), new, is_written=True)
    for name in removals(help):
        for title, edit in _removals(name, diagnostic, place):
            yield Candidate(title, (edit,), "remove")
    if "`- " in help:
        for edits in _as_items(place):
            yield Candidate("Begin each item with `- `", tuple(edits), "item")
    if diagnostic.code is Code.MISSING and not remedies(help):
        yield from _missing(diagnostic, place, names)
    if diagnostic.code in (Code.SYNTAX, Code.EXPRESSION):
        yield from _typing(diagnostic, place)


# --- writing what the help says ------------------------------------------------------------------


def _writings(code: str, diagnostic: Diagnostic, place: Place, names: Names) -> Iterator[tuple[str, list[Edit]]]:
    """A code in place of the fault, of a part of it, or of the entry or line around it; added there, or before it."""
    pair, short = _pair(code), shorten(code)
    if f"put `{code}` before" in diagnostic.help:
        yield from ((f"Put `{short}` before it", [before(item, code)]) for item in [*place.items][:1])
        return
    is_more = diagnostic.code is Code.MISSING or f"add `{code}`" in diagnostic.help
    if not is_more:
        for span in _replaced(code, pair, place, "leave " in diagnostic.help):
            for text in (code, f"$({code})", f'"$({code})"') if "(" in code else (code,):
                yield f"Change to `{short}`", [Edit(span, text)]
    for edits in _additions(code, pair, place, names) if pair else ():
        yield f"Add `{short}`", edits
    if is_more:
        yield from ((f"Add `{short}`", [before(item, code)]) for item in [*place.items][:1])


def _replaced(code: str, pair: str | None, place: Place, leaves_out: bool) -> Iterator[Span]:
    """What a code may replace: an entry with its key; the list around the fault, if that is to be left out; a part of
    the fault that is nearly the same; the text around that differs in spaces; the fault; and the entry around."""
    span = place.span
    if code != span.text:
        yield from (entry.span for entry in place.entries if str(entry.key.value) == (pair or code))
    if leaves_out and code[0] == "[":
        yield from (one.node.span for one in place.items if isinstance(one.node, Listing))
        yield from (one.value.span for one in place.entries if isinstance(one.value, Listing))
    for word in re.finditer(r"\w+", span.text):
        alike = _folded(word[0]) == _folded(code) or f"`{code}`" in meant_constant(word[0])
        if alike and word[0] != span.text:
            yield span.part(*word.span())
    if (same := _same_in_line(code, span)) and same.start <= span.start and span.end <= same.end:
        yield same
    yield span
    if "." in span.text and code.isidentifier():
        yield span.part(span.text.rindex(".") + 1, len(span.text))
    if pair is not None:
        yield from (entry.span for entry in place.entries if span == entry.key.span)


def _folded(name: str) -> str:
    return name.strip("_").lower()


def _swapped(old: str, new: str, span: Span) -> Edit:
    """A sign in place of another, wherever that is no part of a longer sign."""
    text = re.sub(rf"(?<![=<>!/]){re.escape(old)}(?![=/])", f" {new} " if new.isalpha() else new, span.text)
    return Edit(span, re.sub(r"(?<=\S)  +", " ", text).strip())


def _pair(code: str) -> str | None:
    """The key, if a code is a mapping of one key: ``bias: false``."""
    tree = _read(code)
    return next(iter(tree.keys)) if isinstance(tree, Mapping) and len(tree.entries) == 1 and code[0] != "{" else None


def _read(text: str) -> Tree | None:
    try:
        tree, faults = read(Source("help", text))
    except Unreadable:
        return None
    return None if faults else tree


def _same_in_line(code: str, span: Span) -> Span | None:
    """The text in the line of a fault that is the code but for spaces, and for a `:` that is a `=` or left out."""
    wanted = re.sub(r"[\s:=]", "", code)
    start = span.source.offset(span.line)
    line = span.source.line(span.line)
    letters = [index for index, letter in enumerate(line) if letter not in " \t:="]
    found = "".join(line[index] for index in letters).find(wanted)
    if not wanted or found < 0 or line.strip() == code:
        return None
    first, last = letters[found], letters[found + len(wanted) - 1]
    return Span(span.source, start + first, start + last + 1)


def _additions(code: str, key: str, place: Place, names: Names) -> Iterator[list[Edit]]:
    """A key with its value as an argument of what is called at the place, or as an option beside it."""
    for one in place.around:
        if isinstance(one, Entry) and _is_call(str(one.key.value)):
            yield from _argument(code, key, one, place, names)
        elif isinstance(one, Item) and one.span == place.span:
            yield [Edit(one.span, f"{one.span.text}: {{{code}}}")]
            yield [Edit(one.span, f"{{{one.span.text}: , {code}}}")]
        elif isinstance(one, Entry) and one.value.span == place.span:
            yield [Edit(one.value.span, f"{{{one.value.span.text}: {{{code}}}}}")]
    for mapping in place.mappings:
        if mapping.entries:  # all of its keys may be at fault
            yield [place.added(mapping, key, code)]


def _is_call(word: str) -> bool:
    return word[:1].isupper() or "_" in word


def _argument(code: str, key: str, call: Entry, place: Place, names: Names) -> Iterator[list[Edit]]:
    """An argument beside those that a call has; if these are a list, all are written by name."""
    value = call.value
    if isinstance(value, Mapping):
        yield [place.added(value, key, code)]
        return
    given = value.items if isinstance(value, Listing) else (value,)
    texts = [node.span.text for node in given if not (isinstance(node, Scalar) and node.value is None)]
    known = names(str(call.key.value))
    if len(texts) <= len(known):
        pairs = [f"{name}: {text}" for name, text in zip(known, texts) if name != key]
        yield [Edit(call.span, f"{call.key.span.text}: {{{', '.join([*pairs, code])}}}")]


# --- removing ------------------------------------------------------------------------------------


def _removals(name: str, diagnostic: Diagnostic, place: Place) -> Iterator[tuple[str, Edit]]:
    """Without what the help names, a key or an item of a list; if it names nothing, without what the fault is at."""
    if name:
        yield from ((f"Remove `{name}`", edit) for edit in _without_name(name, place))
        return
    span, source = place.span, place.span.source
    title = f"Remove `{shorten(span.first_line.text)}`"
    if diagnostic.code is Code.SILENCED:
        yield from ((title, edit) for edit in _without_comment(span))
    if span.text[:1] == "!":  # a tag, without the value behind it
        tag = span.text.split(" ")[0]
        yield f"Remove `{tag}`", Edit(span.part(0, len(tag) + 1), "")
    if diagnostic.code is Code.DUPLICATE_KEY:
        yield title, removed_key(span)
    if diagnostic.code in (Code.ENCODING, Code.SYNTAX):
        yield title, Edit(span, "")
    for one in place.removable:
        yield f"Remove `{shorten(one.span.first_line.text)}`", without(one)
    end = min(line_end(source, span.start) + 1, len(source.text))
    yield title, Edit(Span(source, source.offset(span.line), end), "")


def _without_name(name: str, place: Place) -> Iterator[Edit]:
    inner = [one.value for one in place.entries if isinstance(one.value, Mapping)]
    for mapping in (*inner, *place.mappings):
        if name in mapping.keys and len(mapping.entries) == 1:
            yield from (without(one) for one in place.items if one.node is mapping)
        if name in mapping.keys:
            yield without(Entry(mapping, mapping.keys[name], mapping.by_key[name]))
    if name in place.span.text and name != place.span.text:
        at = place.span.text.index(name)
        yield Edit(place.span.part(at, at + len(name)), "")
    elif name == place.span.text and not place.around:
        yield Edit(place.span, "")
    elif place.around and isinstance(place.around[0], Item):
        yield without(place.around[0])


def _without_comment(span: Span) -> Iterator[Edit]:
    """A comment without one of its codes, or the line without the comment."""
    source = span.source
    before = source.text[source.offset(span.line) : span.start]
    after = source.text[span.end : line_end(source, span.end)]
    if comma := re.match(r"\s*,\s*", after):
        yield Edit(Span(source, span.start, span.end + comma.end()), "")
    elif comma := re.search(r"\s*,\s*\Z", before):
        yield Edit(Span(source, span.start - len(comma[0]), span.end), "")
    start = span.start - len(before) + len(before.rpartition("#")[0].rstrip())
    yield Edit(Span(source, start, line_end(source, span.end)), "")


# --- items of lists ------------------------------------------------------------------------------


def _as_items(place: Place) -> Iterator[list[Edit]]:
    """Dashes where a list is wanted: before each key of a mapping, or before a key that belongs to the next item."""
    span, source = place.span, place.span.source
    if source.text[max(span.start - 2, 0) : span.start] == "  ":
        yield [Edit(Span(source, span.start - 2, span.start), "- ")]
    if source.text[max(span.start - 2, 0) : span.start] == ", ":
        yield [Edit(Span(source, span.start - 2, span.start), "}, {")]
    if source.text[max(span.start - 2, 0) : span.start] == "- ":
        yield [Edit(Span(source, span.start - 2, span.start), "  ")]
    for entry in place.entries:
        value = entry.value
        if isinstance(value, Mapping) and not is_flow(value):
            yield [Edit(Span(source, key.span.start, key.span.start), "- ") for key, _ in value.entries]
        if value.span == span:
            yield [Edit(span, f"[{span.text}]")]
    yield [Edit(span, f"[{span.text}]")]
    yield [Edit(span, f"- {span.text}")]


# --- missing arguments ---------------------------------------------------------------------------

#: Values of arguments for a start. The compiler takes the first that fits.
_STARTS = ("1", "[1, 1]", "0.5")


def _missing(diagnostic: Diagnostic, place: Place, names: Names) -> Iterator[Candidate]:
    """The arguments that a message lists as missing, with values for a start."""
    _, *missing = _CODE.findall(diagnostic.message)
    if not missing or "needs" not in diagnostic.message:
        return
    for value in _STARTS:
        code = ", ".join(f"{name}: {value}" for name in missing)
        for edits in _additions(code, missing[0], place, names):
            yield Candidate(f"Add `{code}`", tuple(edits), "missing")


# --- brackets and quotes -------------------------------------------------------------------------


def _typing(diagnostic: Diagnostic, place: Place) -> Iterator[Candidate]:
    """What is missing or too much in a line that YAML cannot read: a bracket, a quote, spaces for a tab."""
    span, source = place.span, place.span.source
    if span.text.strip("\t") == "" and span.text:
        yield Candidate("Indent with spaces", (Edit(span, "  " * len(span.text)),), "spaces")
    closers = [code for code in _CODE.findall(diagnostic.help) if code in ("}", "]", ")")]
    closers += [span.text] if span.text in ("'", '"') else []
    end = content_end(source, span.start)
    stops = [at for at in range(span.end, end) if source.text[at] in ",]}"]
    for closer in closers:
        for at in (end, *stops):
            yield Candidate(f"Close it with `{closer}`", (Edit(Span(source, at, at), closer),), "close")
