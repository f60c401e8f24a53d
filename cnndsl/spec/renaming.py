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
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

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

    def hits(self, name: Sequence[str]) -> Iterator[Hit]:
        """The places where this line matches a name, given by its segments."""
        count = len(self._segments)
        last = len(name) - count if self.ours.startswith(ANYWHERE) else 0
        for start in range(min(last, len(name) - count) + 1):
            stars: list[str] = []
            for wanted, segment in zip(self._segments, name[start : start + count]):
                if isinstance(wanted, str):
                    if wanted != segment:
                        break
                elif match := wanted.fullmatch(segment):
                    stars += match.groups()
                else:
                    break
            else:
                yield Hit(self, start, start + count, self._filled(stars))

    def _filled(self, stars: Sequence[str]) -> str:
        first, *others = self.theirs.removeprefix(ANYWHERE).split("*")
        return first + "".join(f"{star}{text}" for star, text in zip(stars, others))


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


def hits_in(name: str, lines: Iterable[Renaming]) -> list[Hit]:
    """All matches of the lines in one name."""
    segments = name.split(".")
    return [hit for line in lines for hit in line.hits(segments)]


def chosen(hits: Iterable[Hit]) -> list[Hit]:
    """The hits that count, in order. If two overlap, the one that covers more segments counts,
    and of equal ones the first."""
    taken: list[Hit] = []
    for hit in sorted(hits, key=lambda hit: hit.start - hit.end):
        if all(hit.end <= other.start or other.end <= hit.start for other in taken):
            taken.append(hit)
    return sorted(taken, key=lambda hit: hit.start)


def with_hits(name: str, hits: Iterable[Hit]) -> str:
    """A name with its segments renamed by the hits."""
    segments, made, at = name.split("."), [], 0
    for hit in hits:
        made += [*segments[at : hit.start], hit.called]
        at = hit.end
    return ".".join(filter(None, [*made, *segments[at:]]))


def renamed(name: str, lines: Iterable[Renaming]) -> str:
    """The name of one of our tensors in the checkpoints of others."""
    return with_hits(name, chosen(hits_in(name, lines)))
