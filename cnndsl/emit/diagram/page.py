"""The pages that a figure is fitted to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import ceil, sqrt

from cnndsl.record import Record

#: The smallest letters that are read without effort, in points.
LEGIBLE = 6.0
#: Points in each unit.
UNITS = {"mm": 72 / 25.4, "cm": 72 / 2.54, "in": 72.0}
#: Short and long side of pages by their names, in millimetres. A slide is wider than high.
NAMED = {"a4": (210.0, 297.0), "letter": (215.9, 279.4), "slide": (190.5, 338.67)}
#: Around what is on a named page, in points. A size of your own is that of the figure itself.
MARGIN, NO_MARGIN = 20.0, 3.0
#: The least and the largest side of a page, in points.
SHORTEST, LONGEST = 36, 14_400
#: From a page that is too small to the next one to try.
GROWTH = 1.1
#: A page to try: the longest side for its shortest, and how many times smaller or larger than the first it may be.
OBLONG, SMALLER, LARGER = 5.0, 4, 1_000


class Page(Record, frozen=True):
    """A page in points, by the ``name`` that it was asked for."""

    name: str
    width: float
    height: float
    margin: float

    @classmethod
    def of(cls, text: str) -> Page:
        """Reads ``a4``, ``letter`` or ``slide``, with ``-landscape`` or ``-portrait``, or a size, ``84x60mm``.

        In upper or lower case. Raises ValueError.
        """
        text = text.lower()
        if size := re.fullmatch(r"(\d{1,5}(?:\.\d+)?)x(\d{1,5}(?:\.\d+)?)(mm|cm|in)", text):
            width, height = (float(number) * UNITS[size[3]] for number in size.groups()[:2])
            if min(width, height) < SHORTEST or max(width, height) > LONGEST:
                raise ValueError(f"the sides of a page are between 0.5in and 200in, not {text}")
            return cls(text, width, height, NO_MARGIN)
        name, _, turn = text.partition("-")
        if name not in NAMED or turn not in ("", "portrait", "landscape"):
            known = ", ".join(NAMED)
            raise ValueError(f"{text} is not a page: {known}, also with -landscape or -portrait, or a size as 84x60mm")
        short, long = (side * UNITS["mm"] for side in NAMED[name])
        wide = turn == "landscape" or (turn == "" and name == "slide")
        return cls(text, *((long, short) if wide else (short, long)), MARGIN)

    def others(self, ratio: float) -> Iterator[Page]:
        """Pages to try if this is too small: a named one turned, then larger and larger sizes, of this page's shape and
        of the figure's own, whose ``ratio`` is its width by its height."""
        if self.margin == MARGIN:
            upright = self.width < self.height
            yield Page.of(f"{self.name.partition('-')[0]}-{'landscape' if upright else 'portrait'}")
        own = self.width / self.height
        whole = self.width * self.height / UNITS["mm"] ** 2
        area = whole / SMALLER
        while area < whole * LARGER:
            area *= GROWTH**2
            for shape in {own: None, max(1 / OBLONG, min(ratio, OBLONG)): None}:
                width, height = ceil(sqrt(area * shape)), ceil(sqrt(area / shape))
                possible = min(width, height) * UNITS["mm"] > SHORTEST and max(width, height) * UNITS["mm"] < LONGEST
                if possible and (shape != own or area > whole):
                    yield Page.of(f"{width}x{height}mm")


class TooSmall(ValueError):
    """A network does not fit a page with legible letters, which is the ``problem``. ``help`` says which page it would
    fit."""

    def __init__(self, page: Page, other: Page | None) -> None:
        self.problem = f"the network does not fit {page.name} with letters of {LEGIBLE:g} points"
        self.help = f"`{other.name}` would do" if other else "draw less with depth"
        super().__init__(f"{self.problem}: {self.help}")
