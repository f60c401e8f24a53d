"""Small tables of texts, for terminals or as plain lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cnndsl.printable import one_line
from cnndsl.terminal import console, show


@dataclass(frozen=True)
class Grid:
    """Rows of texts. A column whose name starts with ``>`` is set to the right; if all are without a name,
    there is no head. A terminal that is too narrow is shown less: the columns ``optional`` go, the first first."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    optional: Sequence[str] = ()

    def show(self, form: str) -> None:
        """Prints it as ``table`` or ``plain``."""
        if form == "plain":
            show(self.plain())
        else:
            self._rich()

    def plain(self) -> str:
        """Aligned lines."""
        lines, widths = self._lines(), self._widths()
        sides = [str.rjust if column.startswith(">") else str.ljust for column in self.columns]
        aligned = [[side(cell, width) for side, cell, width in zip(sides, line, widths)] for line in lines]
        return "\n".join("  ".join(line).rstrip() for line in aligned)

    def _lines(self) -> list[list[str]]:
        head = [column.removeprefix(">") for column in self.columns]
        return [head] * any(head) + [[one_line(cell) for cell in row] for row in self.rows]

    def _widths(self) -> list[int]:
        return [max(map(len, cells)) for cells in zip(*self._lines())]

    def _fitting(self, width: int) -> Grid:
        """With as many of the optional columns as there is room for."""
        widths = self._widths()
        if not self.optional or sum(widths) + 2 * len(widths) <= width:
            return self
        gone = self.columns.index(self.optional[0])

        def without(cells: Sequence[str]) -> list[str]:
            return [*cells[:gone], *cells[gone + 1 :]]

        return Grid(without(self.columns), [*map(without, self.rows)], self.optional[1:])._fitting(width)

    def _rich(self) -> None:
        from rich import box
        from rich.table import Table
        from rich.text import Text

        shown = self._fitting((terminal := console()).width)
        head, *rows = shown._lines()
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
        for name, column in zip(head, shown.columns):
            table.add_column(name, justify="right" if column.startswith(">") else "left", overflow="fold")
        for row in rows:
            table.add_row(*map(Text, row))
        terminal.print(table)
