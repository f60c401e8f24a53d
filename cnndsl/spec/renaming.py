"""``rename``: what tensors are called in the checkpoints of others, where this language cannot call them so.

::

    rename:
      head: classifier.1                      # head.weight is classifier.1.weight there
      stages.*.block_*: stages.*.block-*      # a `*` is any text in a segment, and the same one there
      "**.layer_scale.weight": "**.layer_scale"  # `**.`: wherever in a name it is

The left side is what a name begins with, in whole segments, and the right side what a checkpoint has in its place.
All lines look at our own name, and none at what another has made of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from cnndsl.source import Span

MAX_PATTERN = 128
#: Each line is held against the name of each tensor.
MAX_RENAMINGS = 100
#: More of them could be matched in too many ways.
MAX_STARS = 4
#: Before a pattern that may begin at any segment of a name.
ANYWHERE = "**."


@dataclass(frozen=True)
class Renaming:
    """One line of ``rename``."""

    ours: str
    theirs: str
    span: Span

    @property
    def fault(self) -> str:
        """What is wrong with it, "" if nothing is."""
        if max(len(self.ours), len(self.theirs)) > MAX_PATTERN:
            return f"a name has more than {MAX_PATTERN} characters"
        if self.ours.startswith(ANYWHERE) != self.theirs.startswith(ANYWHERE):
            return f"both sides must begin with `{ANYWHERE}`, or neither"
        ours, theirs = (side.removeprefix(ANYWHERE) for side in (self.ours, self.theirs))
        if "**" in ours + theirs:
            return f"`**` may only begin a name, as in `{ANYWHERE}`"
        if not ours or ours.count("*") != theirs.count("*"):
            return "both sides need the same number of `*`"
        if ours.count("*") > MAX_STARS:
            return f"it has more than {MAX_STARS} `*`"
        return ""

    @cached_property
    def _segments(self) -> tuple[str | re.Pattern[str], ...]:
        segments = self.ours.removeprefix(ANYWHERE).split(".")
        return tuple(_with_stars(segment) if "*" in segment else segment for segment in segments)

    def hits(self, name: Sequence[str]) -> Iterator[Hit]:
        """Where this line renames a name that is given by its segments."""
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


@dataclass(frozen=True)
class Hit:
    """The segments from ``start`` to ``end`` of a name, which a line calls ``called``."""

    line: Renaming
    start: int
    end: int
    called: str


def _with_stars(segment: str) -> re.Pattern[str]:
    """A segment with `*` in it. Each but the last takes as little as it can and keeps it, so that a match takes
    no longer than the segment is long; so does Python's ``fnmatch``."""
    first, *middle, last = segment.split("*")
    inner = "".join(f"(?>(.*?){re.escape(text)})" for text in middle)
    return re.compile(f"{re.escape(first)}{inner}(.*){re.escape(last)}", re.DOTALL)


def hits_in(name: str, lines: Iterable[Renaming]) -> list[Hit]:
    """All that the lines find in one name."""
    segments = name.split(".")
    return [hit for line in lines for hit in line.hits(segments)]


def chosen(hits: Iterable[Hit]) -> list[Hit]:
    """The hits that count, in their order. Where two mean the same segments, the one that names more of them counts,
    and of equals the first."""
    taken: list[Hit] = []
    for hit in sorted(hits, key=lambda hit: hit.start - hit.end):
        if all(hit.end <= other.start or other.end <= hit.start for other in taken):
            taken.append(hit)
    return sorted(taken, key=lambda hit: hit.start)


def with_hits(name: str, hits: Iterable[Hit]) -> str:
    """A name with its segments called as the hits say."""
    segments, made, at = name.split("."), [], 0
    for hit in hits:
        made += [*segments[at : hit.start], hit.called]
        at = hit.end
    return ".".join(filter(None, [*made, *segments[at:]]))


def renamed(name: str, lines: Iterable[Renaming]) -> str:
    """What the checkpoints of others call a tensor of ours."""
    return with_hits(name, chosen(hits_in(name, lines)))
