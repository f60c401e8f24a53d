"""A place in the tree of a text, and edits there that keep the style around: blocks by lines, or braces and commas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnndsl.editing.answers import Edit
from cnndsl.record import Record
from cnndsl.source import Source, Span
from cnndsl.spec.tree import Listing, Mapping, Scalar, Tree, Unreadable, entry_span, is_flow, read


class Entry(Record, frozen=True, eq=False):
    """A key of a mapping with its value."""

    mapping: Mapping
    key: Scalar
    value: Tree

    @property
    def span(self) -> Span:
        return entry_span(self.key, self.value)


class Item(Record, frozen=True, eq=False):
    listing: Listing
    node: Tree

    @property
    def span(self) -> Span:
        return self.node.span


class Place(Record, frozen=True, eq=False):
    """The entries and items around a span, the innermost first, and the whole tree, if the text can be read."""

    span: Span
    around: tuple[Entry | Item, ...] = ()
    root: Tree | None = None

    @property
    def entries(self) -> Iterator[Entry]:
        return (one for one in self.around if isinstance(one, Entry))

    @property
    def mappings(self) -> Iterator[Mapping]:
        """The mappings around the span, the innermost first."""
        yield from (entry.mapping for entry in self.entries)
        if not any(self.entries) and isinstance(self.root, Mapping):
            yield self.root

    @property
    def removable(self) -> list[Entry | Item]:
        """The innermost two that are around the span. An entry that is alone in an item goes with the item."""
        alone = [one.node for one in self.items if isinstance(one.node, Mapping) and len(one.node.entries) == 1]
        return [one for one in self.around if not (isinstance(one, Entry) and one.mapping in alone)][:2]

    def added(self, mapping: Mapping, key: str, text: str) -> Edit:
        """A key with its value in place of that of the same key, or at the end of a mapping."""
        span, source = mapping.span, mapping.span.source
        if key in mapping.keys:
            return Edit(Entry(mapping, mapping.keys[key], mapping.by_key[key]).span, text)
        if is_flow(mapping):
            return Edit(Span(source, span.end - 1, span.end - 1), f", {text}" if mapping.entries else text)
        if any(one.node is mapping and is_flow(one.listing) for one in self.items):  # a pair: `[ReLU, Conv2d: 8]`
            return Edit(span, f"{{{span.text}, {text}}}")
        end = line_end(source, Entry(mapping, *mapping.entries[-1]).span.end)
        return Edit(Span(source, end, end), f"{newline(source)}{' ' * (mapping.entries[0][0].span.column - 1)}{text}")

    @property
    def items(self) -> Iterator[Item]:
        return (one for one in self.around if isinstance(one, Item))


def place(source: Source, span: Span) -> Place:
    """The place of a span. In a text that cannot be read, nothing is known to be around it."""
    try:
        tree, _ = read(source)
    except Unreadable:
        return Place(span)
    return Place(span, tuple(reversed([*_around(tree, span)])), tree)


def _around(tree: Tree, span: Span) -> Iterator[Entry | Item]:
    if isinstance(tree, Mapping):
        for key, value in tree.entries:
            entry = Entry(tree, key, value)
            if _holds(entry.span, span):
                yield entry
                yield from _around(value, span)
    elif isinstance(tree, Listing):
        for node in tree.items:
            if _holds(node.span, span):
                yield Item(tree, node)
                yield from _around(node, span)


def _holds(outer: Span, inner: Span) -> bool:
    return outer.start <= inner.start and inner.end <= outer.end


# --- edits ---------------------------------------------------------------------------------------


def removed(parts: Sequence[Span], one: Span) -> Edit:
    """Removes one of the parts of a list or mapping, with the comma or the line that it leaves behind."""
    index = next(number for number, part in enumerate(parts) if part.start == one.start)
    if index + 1 < len(parts):
        return Edit(Span(one.source, one.start, parts[index + 1].start), "")
    if not index:
        return Edit(one, "")
    text, before = one.source.text, parts[index - 1].end
    line = text.rfind("\n", before, one.start)
    return Edit(Span(one.source, before if line < 0 else line, one.end), "")


def without(one: Entry | Item) -> Edit:
    if isinstance(one, Item):
        return removed([node.span for node in one.listing.items], one.span)
    return removed([Entry(one.mapping, *entry).span for entry in one.mapping.entries], one.span)


def before(item: Item, text: str) -> Edit:
    """Puts an item before another."""
    source, start = item.span.source, item.span.start
    if is_flow(item.listing):
        return Edit(Span(source, start, start), f"{text}, ")
    dash = source.text.rfind("-", 0, start)
    indent = Span(source, dash, dash).column - 1
    return Edit(Span(source, dash, dash), f"- {text}{newline(source)}{' ' * indent}")


def line_end(source: Source, offset: int) -> int:
    """The end of the line of an offset."""
    found = min((at for at in map(source.text.find, "\r\n", (offset, offset)) if at >= 0), default=len(source.text))
    return found


def newline(source: Source) -> str:
    """How the lines of a text end."""
    return "\r\n" if "\r\n" in source.text else "\n"


def content_end(source: Source, offset: int) -> int:
    """The end of what is written in the line of an offset, before its comment."""
    line = source.text[offset : line_end(source, offset)]
    return offset + len(line.partition(" #")[0].rstrip())


def removed_key(key: Span) -> Edit:
    """Removes a key with its value, by the text alone: the tree has only the first of two equal keys."""
    text, depth, end = key.source.text, 0, key.end
    column = key.column - 1
    start = text.rfind("\n", 0, key.start) + 1
    if not text[start : key.start].strip(" -"):  # a block: the lines that are indented further belong to it
        end = line_end(key.source, end)
        while (indent := _indent(text, end + 1)) is not None and indent > column:
            end = line_end(key.source, end + 1)
        return Edit(Span(key.source, start - 1 if start else 0, end), "")
    while end < len(text) and not (depth == 0 and text[end] in ",}\n"):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(text[end], 0)
        end += 1
    return Edit(Span(key.source, len(text[: key.start].rstrip(" ,")), end), "")


def _indent(text: str, start: int) -> int | None:
    """The indentation of the line at an offset, None behind the last."""
    line = text[start:].partition("\n")[0]
    return len(line) - len(line.lstrip(" ")) if line.strip() else None
