"""Sets of sizes that repeat: what they have in common, found in those that were tried."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, pairwise

from cnndsl.record import Record

#: How often a period must be seen.
_SEEN = 3
#: The most sizes that a text lists.
_LISTED = 6


class Pattern(Record, frozen=True):
    """A set of sizes: those ``listed``, and from ``start`` on each ``n`` for which ``n % period`` is one of
    ``remainders``; without any, only those listed. They go on up to ``end``, or, if that is None, beyond all that was
    tried. ``regular`` is false if no period was found: then there may be others above those that were tried.
    """

    listed: tuple[int, ...] = ()
    start: int = 1
    period: int = 1
    remainders: tuple[int, ...] = ()
    regular: bool = True
    end: int | None = None

    def __contains__(self, size: int) -> bool:
        repeats = size >= self.start and size % self.period in self.remainders
        return size in self.listed or (repeats and (self.end is None or size <= self.end))

    @property
    def open(self) -> bool:
        """Whether no end was found."""
        return bool(self.remainders) and self.end is None

    @property
    def smallest(self) -> int | None:
        """The smallest size, None if there is none."""
        return next(iter((*self.listed, *self._first())), None)

    def _first(self) -> tuple[int, ...]:
        """The first size of each remainder, from ``start`` on."""
        return tuple(size for size in range(self.start, self.start + self.period) if size in self)

    def below(self, size: int) -> Iterator[int]:
        """The smaller sizes, the largest first."""
        least = self.smallest or size
        return (other for other in range(size - 1, least - 1, -1) if other in self)

    def above(self, size: int) -> int | None:
        """The smallest of the larger sizes, None if there is none."""
        listed = (other for other in self.listed if other > size)
        first = max(size + 1, self.start)
        return next(chain(listed, (other for other in range(first, first + self.period) if other in self)), None)

    def gap(self, size: int) -> int | None:
        """The smallest of the larger sizes that is not one of these, None if there is none."""
        first = max(size + 1, self.start)
        ends = (size, *self.listed, *(() if self.end is None else (self.end,)))
        after = (*(end + 1 for end in ends), *range(first, first + self.period))
        return min((other for other in after if other > size and other not in self), default=None)

    def near(self, size: int) -> tuple[int, ...]:
        """The largest size below, and the smallest above."""
        return tuple(other for other in (next(self.below(size), None), self.above(size)) if other is not None)

    def __str__(self) -> str:
        texts = [_ranges(self.listed)] if self.listed else []
        if self.remainders:
            texts.append(self._repeated())
        if not texts:
            return "none"
        found = " and ".join(texts)
        if not self.regular:
            return f"{found}, irregular"
        return f"only {found}" if not self.remainders and len(self.listed) == 1 else found

    def _repeated(self) -> str:
        first, period = self._first()[0], self.period
        to = f" to {self.end}" if self.end is not None else ""
        if period == 1:
            return f"{first}{to}" if to else "every size" if first == 1 else f"{first} and more"
        every = _every(period, self.remainders) or f"{len(self.remainders)} of every {period}"
        return f"{every} from {first}{to}"


def _every(period: int, remainders: tuple[int, ...]) -> str:
    """``32*k + 11``, ``32*k - 3 to 32*k`` for remainders in a row, ``8*k + 1, 4``, or "" for more of them."""
    rows = [rest for rest in remainders if (rest - 1) % period not in remainders]
    if len(rows) == 1:
        low = rows[0] - period if rows[0] + len(remainders) > period else rows[0]
        ends = dict.fromkeys(_with(period, rest) for rest in (low, low + len(remainders) - 1))
        return " to ".join(ends)
    return f"{period}*k + {', '.join(map(str, remainders))}" if len(remainders) <= _LISTED else ""


def _with(period: int, rest: int) -> str:
    return f"{period}*k {'+' if rest > 0 else '-'} {abs(rest)}" if rest else f"{period}*k"


def found_in(tried: Sequence[bool], own: int) -> Pattern:
    """The pattern of the sizes 1, 2, 3, ... that were tried; ``own`` is the spec's.

    The period is the shortest that fits all of the larger sizes, and that is seen :data:`_SEEN` times among them. These
    are the sizes beyond the middle; if they have no period, those of the last quarter, as a run may end before it.
    """
    top = len(tried)
    middle = (own + top) // 2
    for base in (middle, (middle + top) // 2):
        for period in range(1, (top - base) // _SEEN + 1):
            if all(tried[size - 1] == tried[size - 1 + period] for size in range(base, top - period + 1)):
                return _regular(tried, base, period)
    return Pattern(tuple(size for size, holds in enumerate(tried, 1) if holds), top + 1, regular=False)


def _regular(tried: Sequence[bool], base: int, period: int) -> Pattern:
    start = base
    while start > 1 and tried[start - 2] == tried[start - 2 + period]:
        start -= 1
    remainders = sorted(size % period for size in range(start, start + period) if tried[size - 1])
    listed = tuple(size for size in range(1, start) if tried[size - 1])
    if not remainders:
        return Pattern(listed, start)
    return Pattern(listed, start, period, tuple(remainders))


def _ranges(sizes: Sequence[int]) -> str:
    """``28 to 31, 40``: sizes in a row as one, at most :data:`_LISTED` of them."""
    ends = [sizes[0], *(size for before, after in pairwise(sizes) if after != before + 1 for size in (before, after))]
    pairs = [*zip(ends[::2], [*ends[1::2], sizes[-1]])]
    texts = [str(low) if low == high else f"{low} to {high}" for low, high in pairs[:_LISTED]]
    more = f" and {len(pairs) - _LISTED} more" if len(pairs) > _LISTED else ""
    return f"{', '.join(texts)}{more}"
