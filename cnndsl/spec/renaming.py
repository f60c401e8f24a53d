"""``rename``: the names of tensors in the checkpoints of others, if this language cannot use these names.

::

    rename:
      head: classifier.1                      # head.weight is classifier.1.weight there
      stages.*.block_*: stages.*.block-*      # a `*` is any text in a segment, and the same there
      "**.layer_scale.weight": "**.layer_scale"  # `**.`: anywhere in a name

The left side is the beginning of a name, in whole segments. The right side replaces it in a checkpoint.
All lines match our own name, not the result of another line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from operator import itemgetter

from cnndsl.record import Record
from cnndsl.source import Span

MAX_PATTERN = 128
#: The most lines: each is compared with the name of each tensor.
MAX_RENAMINGS = 100
#: The most `*` in a line: more could be matched in too many ways.
MAX_STARS = 4
#: The beginning of a pattern that may start at any segment of a name.
ANYWHERE = "**."


class Renaming(Record, frozen=True, dict=True):
    """One line of ``rename``."""

    ours: str
    theirs: str
    span: Span

    @property
    def fault(self) -> str:
        """What is wrong with the line, "" if nothing is."""
        if max(len(self.ours), len(self.theirs)) > MAX_PATTERN:
            return f"a name has more than {MAX_PATTERN} characters"
        if self.ours.startswith(ANYWHERE) != self.theirs.startswith(ANYWHERE):
            return f"both sides must begin with `{ANYWHERE}`, or neither"
        ours, theirs = (side.removeprefix(ANYWHERE) for side in (self.ours, self.theirs))
        if "**" in ours or "**" in theirs:
            return f"`**` may only begin a name, as in `{ANYWHERE}`"
        if not ours or (theirs and not all((*ours.split("."), *theirs.split(".")))):
            return "a segment of a name is empty"
        if ours.count("*") != theirs.count("*"):
            return "both sides need the same number of `*`"
        if ours.count("*") > MAX_STARS:
            return f"it has more than {MAX_STARS} `*`"
        return ""

    @cached_property
    def _segments(self) -> tuple[str | re.Pattern[str], ...]:
        segments = self.ours.removeprefix(ANYWHERE).split(".")
        return tuple(_with_stars(segment) if "*" in segment else segment for segment in segments)

    @cached_property
    def _texts(self) -> tuple[str, ...]:
        """The other name around its `*`."""
        return tuple(self.theirs.removeprefix(ANYWHERE).split("*"))

    @cached_property
    def anywhere(self) -> bool:
        """Whether it may match at any segment of a name."""
        return self.ours.startswith(ANYWHERE)

    @property
    def first(self) -> str | None:
        """The first segment of what it matches, None if that has a `*`."""
        first = self._segments[0]
        return first if isinstance(first, str) else None

    def hit(self, name: Sequence[str], start: int) -> Hit | None:
        """The match that begins at the segment ``start`` of a name, given by its segments; None if there is none."""
        end = start + len(self._segments)
        if end > len(name) or (start and not self.anywhere):
            return None
        stars: list[str] = []
        for wanted, segment in zip(self._segments, name[start:end]):
            if isinstance(wanted, str):
                if wanted != segment:
                    return None
            elif match := wanted.fullmatch(segment):
                stars += match.groups()
            else:
                return None
        first, *others = self._texts
        return Hit(self, start, end, first + "".join(f"{star}{text}" for star, text in zip(stars, others)))


class Hit(Record, frozen=True):
    """The segments from ``start`` to ``end`` of a name, which a line renames to ``called``."""

    line: Renaming
    start: int
    end: int
    called: str


def _with_stars(segment: str) -> re.Pattern[str]:
    """A segment with `*` in it. Each `*` but the last matches as little as it can and never backtracks, so the time of
    a match is bounded by the length of the segment, as in Python's ``fnmatch``."""
    first, *middle, last = segment.split("*")
    inner = "".join(f"(?>(.*?){re.escape(text)})" for text in middle)
    return re.compile(f"{re.escape(first)}{inner}(.*){re.escape(last)}", re.DOTALL)


class Renamer:
    """Matches lines with names. Most lines begin with a segment without a `*`: only a name that has this segment is
    compared with them."""

    def __init__(self, lines: Sequence[Renaming]) -> None:
        self.lines = lines
        firsts = [line.first for line in lines]
        #: The numbers of the lines that may match where a name has a segment, and of those that may match at any other.
        self._at = {first: [*_numbers(firsts, first, None)] for first in firsts if first is not None}
        self._anywhere = [*_numbers(firsts, None)]

    def hits(self, name: str) -> list[Hit]:
        """All matches of the lines in one name, in the order of the lines."""
        segments, found = name.split("."), []
        for start, segment in enumerate(segments):
            for number in self._at.get(segment, self._anywhere):
                if hit := self.lines[number].hit(segments, start):
                    found.append((number, start, hit))
        return [hit for _, _, hit in sorted(found, key=itemgetter(0, 1))]

    def renamed(self, name: str) -> str:
        """The name of one of our tensors in the checkpoints of others."""
        return with_hits(name, chosen(self.hits(name)))


def _numbers(firsts: Sequence[str | None], *wanted: str | None) -> Iterator[int]:
    return (number for number, first in enumerate(firsts) if first in wanted)


def chosen(hits: list[Hit]) -> list[Hit]:
    """The hits that count, in order. If two overlap, the one that covers more segments counts,
    and of equal ones the first."""
    if len(hits) < 2:
        return hits
    taken: list[Hit] = []
    for hit in sorted(hits, key=lambda hit: hit.start - hit.end):
        if all(hit.end <= other.start or other.end <= hit.start for other in taken):
            taken.append(hit)
    return sorted(taken, key=lambda hit: hit.start)


def with_hits(name: str, hits: Sequence[Hit]) -> str:
    """A name with its segments renamed by the hits."""
    if not hits:
        return name
    segments, made, at = name.split("."), [], 0
    for hit in hits:
        made += [*segments[at : hit.start], hit.called]
        at = hit.end
    return ".".join(filter(None, [*made, *segments[at:]]))
