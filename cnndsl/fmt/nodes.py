"""A text as nodes and comments with their places, without interpretation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import yaml

from cnndsl.record import Record
from cnndsl.source import Source

_COMMENT = re.compile(r"(?<![^\s,\[\]{}])#[^\n]*")
_HEADER = re.compile(r"[|>][-+0-9]*[ \t]+(#[^\n]*)")


class Node(Record, frozen=True, eq=False):
    """``kind`` is scalar, alias, list or map; ``items`` are a list's items, or a map's keys and values in turn."""

    kind: str
    start: Any
    end: Any
    anchor: str = ""
    flow: bool = True
    value: str = ""
    style: str = ""
    items: tuple[Node, ...] = ()

    @property
    def pairs(self) -> list[tuple[Node, Node]]:
        return list(zip(self.items[::2], self.items[1::2], strict=True))

    def walk(self) -> Iterator[Node]:
        """Each node in the order of the text."""
        yield self
        for item in self.items:
            yield from item.walk()


class Comment(NamedTuple):
    """``own`` is true if it has a line to itself. Lines and columns are counted from 0."""

    text: str
    offset: int
    line: int
    column: int
    own: bool


class Parsed(Record, frozen=True, dict=True):
    """The one document of a text that :func:`cnndsl.spec.tree.read` accepts."""

    text: str
    root: Node

    @classmethod
    def of(cls, text: str) -> Parsed:
        events = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        next(events)
        next(events)
        return cls(text, _node(next(events), events))

    @cached_property
    def nodes(self) -> list[Node]:
        return list(self.root.walk())

    @cached_property
    def comments(self) -> list[Comment]:
        source, comments = Source("", self.text), []
        for offset in sorted(_comments(self.text, (node for node in self.nodes if node.kind == "scalar"))):
            line, column = source.position(offset)
            written = source.line(line)
            own = not written[: column - 1].strip()
            comments.append(Comment(written[column - 1 :].rstrip(), offset, line - 1, column - 1, own))
        return comments


def _node(event: Any, events: Any) -> Node:
    start, end = event.start_mark, event.end_mark
    if isinstance(event, yaml.AliasEvent):
        return Node("alias", start, end, value=str(event.anchor))
    if isinstance(event, yaml.ScalarEvent):
        return Node("scalar", start, end, event.anchor or "", value=event.value, style=event.style or "")
    items = []
    following = next(events)
    while not isinstance(following, yaml.CollectionEndEvent):
        items.append(_node(following, events))
        following = next(events)
    kind = "map" if isinstance(event, yaml.MappingStartEvent) else "list"
    return Node(kind, start, following.end_mark, event.anchor or "", bool(event.flow_style), items=tuple(items))


def _comments(text: str, scalars: Iterable[Node]) -> Iterator[int]:
    """The offsets of comments, which are between scalars, or after the header or the anchor of one."""
    position = 0
    for scalar in scalars:
        start, end = scalar.start.index, scalar.end.index
        yield from (found.start() for found in _COMMENT.finditer(text, position, start))
        if scalar.style in ("|", ">"):
            line = text.find("\n", start, end)
            yield from (found.start(1) for found in _HEADER.finditer(text, start, line if line >= 0 else end))
        elif scalar.anchor:
            gap = re.match(r"&[^\s,\[\]{}]+(\s+(#[^\n]*)?)*", text[start:end])
            yield from (start + found.start() for found in re.finditer(r"(?<=\s)#[^\n]*", gap[0] if gap else ""))
        position = end
    yield from (found.start() for found in _COMMENT.finditer(text, position))
