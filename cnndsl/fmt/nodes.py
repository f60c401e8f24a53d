"""A text as nodes and comments with their places, nothing of it interpreted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

_COMMENT = re.compile(r"(?<![^\s,\[\]{}])#[^\n]*")
_HEADER = re.compile(r"[|>][-+0-9]*[ \t]+(#[^\n]*)")


@dataclass(frozen=True)
class Node:
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


@dataclass(frozen=True)
class Comment:
    """``own`` is whether it has its line to itself."""

    text: str
    offset: int
    line: int
    column: int
    own: bool


def parse(text: str) -> tuple[Node, list[Comment]]:
    """The one document of a text that :func:`cnndsl.spec.tree.read` takes."""
    events = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    next(events)
    next(events)
    scalars: list[Node] = []
    root = _node(next(events), events, scalars)
    return root, _comments(text, scalars)


def _node(event: Any, events: Any, scalars: list[Node]) -> Node:
    start, end = event.start_mark, event.end_mark
    if isinstance(event, yaml.AliasEvent):
        return Node("alias", start, end, value=str(event.anchor))
    if isinstance(event, yaml.ScalarEvent):
        node = Node("scalar", start, end, event.anchor or "", value=event.value, style=event.style or "")
        scalars.append(node)
        return node
    items = []
    following = next(events)
    while not isinstance(following, yaml.CollectionEndEvent):
        items.append(_node(following, events, scalars))
        following = next(events)
    kind = "map" if isinstance(event, yaml.MappingStartEvent) else "list"
    return Node(kind, start, following.end_mark, event.anchor or "", bool(event.flow_style), items=tuple(items))


def _comments(text: str, scalars: list[Node]) -> list[Comment]:
    found, position = [], 0
    for scalar in [*scalars, None]:
        until = scalar.start.index if scalar else len(text)
        found += [position + match.start() for match in _COMMENT.finditer(text[position:until])]
        if scalar:
            inside = text[scalar.start.index : scalar.end.index]
            if scalar.style in ("|", ">") and (header := _HEADER.search(inside.split("\n")[0])):
                found.append(scalar.start.index + header.start(1))
            elif scalar.anchor:
                # Between an anchor and its scalar a comment may stand too.
                gap = re.match(r"&[^\s,\[\]{}]+(\s+(#[^\n]*)?)*", inside)
                found += [scalar.start.index + m.start() for m in re.finditer(r"(?<=\s)#[^\n]*", gap[0] if gap else "")]
            position = scalar.end.index
    comments = []
    for offset in sorted(found):
        begin = text.rfind("\n", 0, offset) + 1
        end = text.find("\n", offset)
        written = text[offset : end if end >= 0 else len(text)].rstrip()
        own = not text[begin:offset].strip()
        comments.append(Comment(written, offset, text.count("\n", 0, offset), offset - begin, own))
    return comments
