"""``rename``: what tensors are called in the checkpoints of others, where this language cannot call them so.

::

    rename:
      layer_scale.weight: layer_scale   # torchvision has a bare parameter there
      block*_*: block*-*                # and names that are no identifiers

The left side is some of the segments of a name, the right side what stands there instead. A ``*`` is any
characters within a segment, and the same ones on the right.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from cnndsl.source import Span

MAX_PATTERN = 128
#: Each line is held against the name of each tensor.
MAX_RENAMINGS = 100
#: More of them could be matched in too many ways.
MAX_STARS = 4


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
            return f"a name of more than {MAX_PATTERN} characters"
        if not self.ours or self.ours.count("*") != self.theirs.count("*"):
            return "both sides have the same number of `*`"
        if self.ours.count("*") > MAX_STARS:
            return f"more than {MAX_STARS} `*`"
        return ""

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        inside = "".join("([^.]*?)" if part == "*" else re.escape(part) for part in re.split(r"(\*)", self.ours))
        return re.compile(rf"(?<![^.]){inside}(?![^.])")

    def of(self, name: str) -> str:
        """A tensor's name with the segments that are meant renamed."""
        parts = self.theirs.split("*")

        def filled(match: re.Match[str]) -> str:
            return parts[0] + "".join(f"{star}{part}" for star, part in zip(match.groups(), parts[1:]))

        return self._pattern.sub(filled, name)


def renamed(name: str, renamings: Iterable[Renaming]) -> str:
    """What the checkpoints of others call a tensor of ours."""
    for renaming in renamings:
        name = renaming.of(name)
    return name
