"""Tables for LaTeX, with the rules of booktabs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import TYPE_CHECKING

from cnndsl.emit.table.columns import columns_of
from cnndsl.emit.table.text import cells_of, feet_of, summary_of, title_of
from cnndsl.printable import as_encoded
from cnndsl.record import Record

if TYPE_CHECKING:
    from cnndsl.emit.table.rows import Table

#: The most lines of a table that stays on one page.
_PAGE = 45
#: The width of the text of an ``article``, the space at each side of a column, and the least width of a column that
#: wraps, in points; how much smaller footnotes are than text.
_TEXT, _GAP, _LEAST, _SMALL = 345, 6, 80, 0.85
#: Letters that are narrower or wider than most.
_NARROW, _WIDE = " .,:;()[]|'!/-fijlt", "mw%=+<>×_\\"  # noqa: RUF001
_ESCAPES = str.maketrans(
    {
        **{character: f"\\{character}" for character in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "|": r"\textbar{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "`": r"\char96{}",
        '"': r"\char34{}",
        "×": r"$\times$",  # noqa: RUF001
    }
)


def as_latex(table: Table) -> str:
    r"""A table to ``\input`` into a document that loads ``booktabs``; one of many rows is a ``longtable``, which breaks
    between pages. Characters that are not ASCII are written as escapes, since a font of TeX may lack them.

    One that is wider than the text of an article has smaller letters, and if that is not enough, wraps its layers and
    arguments.
    """
    body, feet = [*_body(table)], [_line(map(_escaped, texts)) for texts in feet_of(table)]
    head = _line(_escaped(column.heading) for column in columns_of(table))
    layout = _Layout.of(table)
    long = len(body) * (1 + layout.wraps) > _PAGE
    kind = "longtable" if long else "tabular"
    packages = ", ".join(["array"] * layout.wraps + ["booktabs"] + ["longtable"] * long)
    lines = [
        *(f"% {as_encoded(line, 'ascii')}" for line in (title_of(table), *summary_of(table))),
        rf"% \usepackage{{{packages}}}",
        *layout.advice,
        *([rf"{{{layout.size}"] if layout.size else []),
        rf"\begin{{{kind}}}{{{layout.kinds}}}",
        *(r"\toprule", head, r"\midrule", *[r"\endhead"] * long),
        *(*body, *([r"\midrule", *feet] if feet else []), r"\bottomrule"),
        rf"\end{{{kind}}}{'}' if layout.size else ''}",
    ]
    return "\n".join(lines) + "\n"


class _Layout(Record, frozen=True):
    """The ``size`` of the letters, the ``kinds`` of the columns, whether some wrap, and about how wide the table is, in
    points."""

    size: str
    kinds: str
    wraps: bool
    width: float

    @classmethod
    def of(cls, table: Table) -> _Layout:
        columns, widths = columns_of(table), _widths(table)
        gaps = 2 * _GAP * len(columns)
        size = "" if sum(widths) + gaps <= _TEXT else r"\footnotesize"
        widths = [_SMALL * width for width in widths] if size else widths
        long = [place for place, column in enumerate(columns) if column.long]
        spare = _TEXT - gaps - sum(width for place, width in enumerate(widths) if place not in long)
        each = max(spare / len(long), _LEAST) if long else 0
        wrapped = {place for place in long if widths[place] > each}
        kinds = ("r" if column.right else "l" for column in columns)
        wrapping = rf">{{\raggedright\arraybackslash}}p{{{each:.0f}pt}}"
        shown = "".join(wrapping if place in wrapped else kind for place, kind in enumerate(kinds))
        kept = (each if place in wrapped else width for place, width in enumerate(widths))
        return cls(size, shown, bool(wrapped), sum(kept) + gaps)

    @property
    def advice(self) -> list[str]:
        if self.width <= _TEXT + 1:
            return []
        return [f"% about {self.width:.0f} pt wide, so choose fewer columns or turn the page (pdflscape)"]


def _widths(table: Table) -> list[float]:
    """About how wide each column is in letters of 10 pt."""
    widths = [_width(column.heading) for column in columns_of(table)]
    for row, cells in cells_of(table):
        for place, (column, lines) in enumerate(zip(columns_of(table), cells)):
            indent = 10 * (row.depth - 1) if table.tree and column.name == "path" else 0
            widths[place] = max(widths[place], *(indent + _width(line) for line in lines))
    return widths


def _width(text: str) -> float:
    return sum(3 if each in _NARROW else 7 if each.isupper() or each in _WIDE else 5 for each in text)


def _body(table: Table) -> Iterator[str]:
    columns = columns_of(table)
    for row, cells in cells_of(table):
        indent = rf"\hspace*{{{row.depth - 1}em}}" if table.tree and row.depth > 1 else ""
        for number, texts in enumerate(zip_longest(*cells, fillvalue="")):
            escaped = map(_escaped, texts)
            yield _line(
                f"{indent}{text}" if column.name == "path" and number == 0 else text
                for column, text in zip(columns, escaped)
            )


def _line(cells: Iterable[str]) -> str:
    """A line of a table. A bracket or a star after the end of a line would belong to it."""
    text = " & ".join(cells)
    return rf"{'{}' if text[:1] in ('[', '*') else ''}{text} \\"


def _escaped(text: str) -> str:
    """``text`` as TeX prints it."""
    known = "".join(character if character in "×" else as_encoded(character, "ascii") for character in text)  # noqa: RUF001
    return known.translate(_ESCAPES).replace("--", "-{}-")
