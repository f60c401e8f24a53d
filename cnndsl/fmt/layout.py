"""Nodes and comments -> lines in the one layout."""

from __future__ import annotations

import json
import re
from bisect import bisect_right

from cnndsl.fmt.nodes import Comment, Node, Parsed
from cnndsl.spec.tree import FORBIDDEN, scalar_value

WIDTH = 120
#: Keys of the document that have a blank line around them.
SECTIONS = ("blocks", "network", "train")
_BARE = re.compile(r"[A-Za-z_$][^\n\t\"'\\]*")
#: What keeps the value of a plain scalar from being plain on one line, outside brackets and inside: a line break, which
#: an empty line makes, or a dash alone, which begins an item.
_NOT_PLAIN = {False: re.compile(r"\n|\A-\Z"), True: re.compile(r"[\n,\[\]{}]|\A-\Z")}
#: Words that are strings here and booleans in YAML 1.1, so their quotes stay.
_YAML_1_1 = re.compile("(?i)y|n|yes|no|on|off")


def scalar(node: Node, flow: bool) -> str:
    """A scalar on one line, with quotes if it needs them."""
    if node.kind == "alias":
        return f"*{node.value} " if flow else f"*{node.value}"
    prefix = f"&{node.anchor} " if node.anchor else ""
    if not node.style and not _NOT_PLAIN[flow].search(node.value):
        return (prefix + node.value).rstrip()
    return prefix + (node.value if _may_be_bare(node.value, flow) else _quoted(node.value))


def _may_be_bare(text: str, flow: bool) -> bool:
    if (
        not _BARE.fullmatch(text)
        or not text.isprintable()
        or text != text.strip()
        or text.endswith(":")
        or _YAML_1_1.fullmatch(text)
    ):
        return False
    if ": " in text or " #" in text or (flow and re.search(r"[,\[\]{}?:]", text)):
        return False
    return scalar_value(text) == text


def _quoted(text: str) -> str:
    if '"' not in text and "\\" not in text and text.isprintable():
        return f'"{text}"'
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return FORBIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


class Inline:
    """Nodes on one line. Each is written once, since every node around it asks whether it fits."""

    def __init__(self) -> None:
        self.written: dict[Node, str] = {}

    def __call__(self, node: Node) -> str:
        if node not in self.written:
            self.written[node] = self._write(node)
        return self.written[node]

    def _write(self, node: Node) -> str:
        if node.kind in ("scalar", "alias"):
            return scalar(node, flow=True)
        prefix = f"&{node.anchor} " if node.anchor else ""
        if node.kind == "list":
            return f"{prefix}[{', '.join(map(self._item, node.items))}]"
        pairs = (f"{self(key)}: {self(value)}" for key, value in node.pairs)
        return f"{prefix}{{{', '.join(pairs)}}}"

    def _item(self, item: Node) -> str:
        if item.kind == "map" and len(item.items) == 2 and not item.anchor and self(item.items[1]):
            return self(item)[1:-1]
        return self(item) or "null"


class Layout:
    """Lays out a document in the order of its text, so each comment stays with its line."""

    def __init__(self, parsed: Parsed) -> None:
        self.parsed = parsed
        self.source = parsed.text.split("\n")
        self.comments: list[Comment] = parsed.comments
        self.offsets = [comment.offset for comment in self.comments]
        self.flushed = 0  # the number of comments written
        self.inline = Inline()
        self.lines: list[str] = []
        self.levels: list[tuple[int, int]] = []  # columns in the source, and indents here, of the open entries
        self.last = (-1, -1)  # the lines of the source that became the last line here
        self.closed = True  # whether no comment may follow on the last line

    def document(self) -> str:
        root = self.parsed.root
        if root.kind in ("scalar", "alias"):
            self._line(scalar(root, flow=False), root, root)
        else:
            self._block(root, 0, ())
        self._flush(len(self.parsed.text) + 1, 0)
        return "\n".join(self.lines).strip("\n") + "\n"

    def _line(self, text: str, first: Node, last: Node) -> None:
        self.lines.append(text)
        self.last, self.closed = (first.start.line, last.end.line), False

    def _blank_before(self, line: int) -> None:
        if self.lines and self.lines[-1] and line > 0 and not self.source[line - 1].strip():
            self.lines.append("")

    def _flush(self, until: int, indent: int) -> None:
        """Writes the comments before an offset."""
        while self.flushed < len(self.comments) and self.offsets[self.flushed] < until:
            comment = self.comments[self.flushed]
            self.flushed += 1
            if not comment.own and not self.closed and self.last[0] <= comment.line <= self.last[1]:
                source = self.source[comment.line][: comment.column]
                gap = max(2, comment.column - len(self.lines[-1])) if source.endswith("  ") else 2
                self.lines[-1] += " " * gap + comment.text
            else:
                self._blank_before(comment.line) if comment.own else None
                deeper = [new for old, new in self.levels if old <= comment.column] if comment.own else []
                self.lines.append(" " * max([indent, *deeper]) + comment.text)
            self.closed = True

    def _block(self, node: Node, indent: int, path: tuple[str, ...], lead: str = "") -> None:
        """The entries of a list or a map; the first continues after ``lead``, the ``- `` of an item."""
        entries = node.pairs if node.kind == "map" else [(item, item) for item in node.items]
        spaced = path in ((), ("blocks",)) and node.kind == "map"
        was_long = False
        for number, (key, value) in enumerate(entries):
            first = lead if number == 0 and lead else " " * indent
            start = len(self.lines)
            if not (number == 0 and lead):
                self._flush(key.start.index, indent)
                self._blank_before(key.start.line) if number else None
            self.levels = [level for level in self.levels if level[1] < indent]
            self.levels.append((key.start.column, indent))
            begun = len(self.lines)
            if node.kind == "map":
                self._value(f"{first}{scalar(key, False)}:", key, value, indent + 2, (*path, key.value))
            else:
                self._item(f"{first}-", value, indent, path)
            is_long = len(self.lines) > begun + 1 and (path != () or key.value in SECTIONS)
            if spaced and number and (is_long or was_long):
                self._separate(start)
            was_long = is_long

    def _separate(self, start: int) -> None:
        if self.lines[start - 1] and self.lines[start]:
            self.lines.insert(start, "")

    def _item(self, head: str, item: Node, indent: int, path: tuple[str, ...]) -> None:
        alone = item.kind == "map" and len(item.items) == 2 and self.inline(item.items[1]) != ""
        if not item.anchor and item.items and (alone or not self._fits(item, f"{head} ", (*path, "-"))):
            self._block(item, indent + 2, (*path, "-"), f"{head} ")
        else:
            self._value(head, item, item, indent + 2, (*path, "-"))

    def _fits(self, node: Node, head: str, path: tuple[str, ...]) -> bool:
        first = bisect_right(self.offsets, node.start.index, self.flushed)
        inside = first < len(self.offsets) and self.offsets[first] < node.end.index
        always_block = path in (("network",), ("blocks",))
        return node.flow and not inside and not always_block and len(head) + len(self.inline(node)) <= WIDTH

    def _value(self, head: str, key: Node, value: Node, indent: int, path: tuple[str, ...]) -> None:
        if value.items and not self._fits(value, f"{head} ", path):
            self._line(head + (f" &{value.anchor}" if value.anchor else ""), key, key)
            self._block(value, indent, path)
        elif value.style in ("|", ">") and (block := self._scalar_block(value, indent)):
            self._line(f"{head} {block[0]}", key, key)
            self.lines += block[1:]
            self.closed = True
        else:
            text = self.inline(value) if value.items or value.kind in ("list", "map") else scalar(value, flow=False)
            self._line(f"{head} {text or 'null'}" if head.endswith("-") else f"{head} {text}".rstrip(), key, value)

    def _scalar_block(self, node: Node, indent: int) -> list[str]:
        """A block scalar, reindented; empty if only quotes would keep it."""
        if not node.value.strip() or node.value.endswith("\n\n") or node.value[0].isspace() or node.anchor:
            return []
        chomp = "" if node.value.endswith("\n") else "-"
        written = self.source[node.start.line + 1 : node.end.line + (node.end.column > 0)]
        margin = len(written[0]) - len(written[0].lstrip()) if written else 0
        while written and not written[-1].strip():
            written.pop()
        moved = [" " * indent + line[margin:] if line[margin:] else "" for line in written]
        return [node.style + chomp, *moved]
