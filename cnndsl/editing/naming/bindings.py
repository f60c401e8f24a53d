"""Places that name one thing are one set: a union of pairs, from the definition to each reference."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

from cnndsl.record import Record
from cnndsl.source import Span

#: What a name is given to, in words.
Named: TypeAlias = Literal[
    "block", "parameter of the spec", "input of the network", "parameter", "loop name", "`let` name", "step", "input"
]
#: What a spec that extends another may replace by its own.
PUBLIC: tuple[Named, ...] = ("block", "parameter of the spec", "input of the network")
#: The file and the offsets of a name, by which the same name is known in every spec that reads the file.
Place: TypeAlias = tuple[str, int, int]


class Mention(Record, frozen=True):
    """A name at a place. ``is_open`` is true if a value follows within the same word: `layer` in `layer$i`."""

    span: Span
    name: str
    kind: Named
    defines: bool = False
    is_open: bool = False

    @property
    def is_exact(self) -> bool:
        """Whether the text at the place is the name: it is not if the text has escapes, or continues in a new line."""
        return self.span.text == self.name

    def begins(self, stem: str) -> Mention:
        """The same for the beginning of the name: the text `layer` of `layer3`, if there is a `layer$i`."""
        end = len(stem) if self.is_exact else self.span.end - self.span.start
        return Mention(self.span.part(0, end), stem if self.is_exact else self.name, self.kind, self.defines)


class Bindings:
    """The mentions of specs, in sets of those that name the same thing."""

    def __init__(self) -> None:
        self.mentions: dict[Place, Mention] = {}
        self._above: dict[Place, Place] = {}
        self._files: dict[str, str] = {}

    def place(self, span: Span) -> Place:
        name = span.source.name
        if name not in self._files:
            self._files[name] = os.path.realpath(name)
        return self._files[name], span.start, span.end

    def add(self, mention: Mention) -> Place:
        """Takes note of a mention. A place that is known keeps its meaning: an alias of YAML is read more than once."""
        place = self.place(mention.span)
        known = self.mentions.setdefault(place, mention)
        if mention.defines and not known.defines:
            self.mentions[place] = mention
        self._above.setdefault(place, place)
        return place

    def same(self, one: Place, other: Place) -> None:
        """Takes note that two places name the same thing."""
        self._above[self._top(one)] = self._top(other)

    def _top(self, place: Place) -> Place:
        while (above := self._above[place]) != place:
            self._above[place] = self._above[above]
            place = above
        return place

    def groups(self) -> list[list[Mention]]:
        """The sets, each in the order of files and offsets."""
        found: dict[Place, list[Mention]] = {}
        for place in sorted(self.mentions):
            found.setdefault(self._top(place), []).append(self.mentions[place])
        return [*found.values()]

    def join(self, others: Iterable[Bindings]) -> Bindings:
        """The sets of several specs together: two sets that have a place in common are one."""
        joined = Bindings()
        for bindings in (self, *others):
            for place, mention in bindings.mentions.items():
                joined.same(joined.add(mention), joined.add(bindings.mentions[bindings._top(place)]))
        return joined

    def definitions(self) -> Iterator[tuple[Mention, Place]]:
        return ((mention, place) for place, mention in self.mentions.items() if mention.defines)


def inside(span: Span, text: str) -> Span:
    """The place of a text in a span that may have quotes around it; the span itself if the text is not there as it is
    meant."""
    at = span.text.find(text)
    return span.part(at, at + len(text)) if at >= 0 else span
