"""Tables of text: aligned columns, which give way in a fixed order if there is little room.

A row is one line, whatever the width. Some columns may be cut, with an ellipsis at the end; the others
are shown whole or not at all. If the required columns need more room than there is, the lines run over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TypeAlias

from cnndsl.cells import head, width
from cnndsl.printable import as_encoded, one_line
from cnndsl.record import Record

#: A text and its style: ``bold``, ``dim``, ``failed``, or ``""``.
Styled: TypeAlias = tuple[str, str]
#: A cell: a text, or several texts, each with its style.
Cell: TypeAlias = str | tuple[Styled, ...]
#: Turns a text and a style into what is sent to the terminal.
Paint: TypeAlias = Callable[[str, str], str]
#: The least width of a column that disappears if it does not fit.
GONE = 0
#: The cells between two columns.
_GAP = 2
#: The end of a cell that was cut, and the rule between head, rows and foot.
_ELLIPSIS, _RULE = "…", "─"


class Medium(Record, frozen=True):
    """What a table is written to: a terminal of a width in cells, or, without a width, a file or a pipe."""

    width: int | None = None
    encoding: str = "utf-8"

    def shown(self, text: str) -> str:
        """``text`` as it appears in a line there."""
        return text if text.isascii() and text.isprintable() else as_encoded(one_line(text), self.encoding)


FILE = Medium()


def unpainted(text: str, style: str) -> str:
    """Adds no style."""
    return text


class Grid(Record, frozen=True):
    """Rows of cells. A column whose name starts with ``>`` is aligned to the right. If no column has a name, there is
    no head. ``foot`` holds the rows below a rule.

    ``gives`` is the order in which columns give way on a narrow terminal, each with its least width: it is cut to
    that width, or disappears if that is :data:`GONE`. A column may be cut in several steps before it disappears.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    gives: Sequence[tuple[str, int]] = ()
    foot: Sequence[Sequence[Cell]] = ()

    def plain(self) -> str:
        """Aligned text with every column in full: the same on every terminal."""
        printed = self.on(FILE)
        return "\n".join(map(printed.line, (*printed.head, *printed.rows, *printed.foot)))

    def on(self, medium: Medium) -> Printed:
        """The grid as it is printed on a medium."""
        return Printed(self, medium)

    def text(self, medium: Medium = FILE, paint: Paint = unpainted) -> str:
        """Lines for people, with rules below the head and above the foot, and the names of hidden columns."""
        return self.on(medium).text(paint)


class Printed(Record, frozen=True, dict=True):
    """A grid on a medium: its cells as they are shown there, each with its width, and the widths of its columns."""

    grid: Grid
    medium: Medium

    @cached_property
    def head(self) -> list[_Row]:
        names = [_name(column) for column in self.grid.columns]
        return [[self._shown(((name, "bold"),)) for name in names]] if any(names) else []

    @cached_property
    def rows(self) -> list[_Row]:
        return [[*map(self._shown, row)] for row in self.grid.rows]

    @cached_property
    def foot(self) -> list[_Row]:
        return [[*map(self._shown, row)] for row in self.grid.foot]

    @cached_property
    def _seen(self) -> dict[Cell, _Shown]:
        """Cells that were shown already: those of a table repeat."""
        return {}

    def _shown(self, cell: Cell) -> _Shown:
        found = self._seen.get(cell)
        if found is None:
            found = self._seen[cell] = self._made(cell)
        return found

    def _made(self, cell: Cell) -> _Shown:
        shown = self.medium.shown
        if isinstance(cell, str):
            text = shown(cell)
            return ((text, ""),), width(text)
        return _measured(tuple([(shown(text), style) for text, style in cell]))

    @cached_property
    def full(self) -> dict[str, int]:
        """The width of each column if nothing is cut."""
        widths = zip(*([taken for _, taken in row] for row in (*self.head, *self.rows, *self.foot)))
        return {**dict.fromkeys(self.grid.columns, 0), **dict(zip(self.grid.columns, map(max, widths)))}

    @cached_property
    def widths(self) -> dict[str, int]:
        """The width of each column that is shown."""
        widths = {**self.full}
        if self.medium.width is None:
            return widths
        for name, least in self.grid.gives:
            if (over := _total(widths) - self.medium.width) <= 0:
                break
            if least == GONE:
                del widths[name]
            else:
                widths[name] = min(max(widths[name] - over, least), widths[name])
        for name in widths:  # if a column disappeared, the cut ones have more room
            spare = max(self.medium.width - _total(widths), 0)
            widths[name] = min(widths[name] + spare, self.full[name])
        return widths

    @property
    def hidden(self) -> list[str]:
        """The names of the columns that have no room, if they are not empty."""
        gone = [(i, column) for i, column in enumerate(self.grid.columns) if column not in self.widths]
        return [_name(column) for i, column in gone if any(row[i][1] for row in self.rows)]

    def text(self, paint: Paint = unpainted) -> str:
        """See :meth:`Grid.text`."""
        return "\n".join(self._lines(paint))

    def _lines(self, paint: Paint) -> Iterator[str]:
        rule = paint(self.medium.shown(_RULE) * _total(self.widths), "dim")
        yield from (self.line(row, paint) for row in self.head)
        yield from [rule] * len(self.head)
        yield from (self.line(row, paint) for row in self.rows)
        yield from [rule] * bool(self.foot)
        yield from (self.line(row, paint) for row in self.foot)
        if self.hidden:
            yield paint(f"no room for: {', '.join(self.hidden)}", "dim")

    @cached_property
    def _places(self) -> list[tuple[int, int, bool]]:
        """The columns that are shown: position, width, and whether it is aligned to the right."""
        columns = enumerate(self.grid.columns)
        return [(i, self.widths[name], name.startswith(">")) for i, name in columns if name in self.widths]

    def line(self, row: _Row, paint: Paint = unpainted) -> str:
        """A row, without spaces at its end."""
        cells = []
        for position, room, is_right in self._places:
            parts, taken = row[position] if row[position][1] <= room else self._cut(row[position], room)
            text = "".join([paint(text, style) if text and style else text for text, style in parts])
            blank = " " * (room - taken)
            cells.append(f"{blank}{text}" if is_right else f"{text}{blank}")
        return (" " * _GAP).join(cells).rstrip(" ")

    def _cut(self, cell: _Shown, room: int) -> _Shown:
        """A cell that is too wide, cut, with an ellipsis at its end."""
        left, kept = room - 1, []
        for text, style in cell[0]:
            part = head(text, left)
            left -= width(part)
            kept.append((part, style))
            if part != text:
                break
        return _measured((*kept, (self.medium.shown(_ELLIPSIS), kept[-1][1])))


#: A cell as it is shown, and its width.
_Shown: TypeAlias = tuple[tuple[Styled, ...], int]
_Row: TypeAlias = list[_Shown]


def _measured(parts: tuple[Styled, ...]) -> _Shown:
    return parts, sum([width(text) for text, _ in parts])


def _name(column: str) -> str:
    return column.removeprefix(">")


def _total(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + _GAP * (len(widths) - 1)
