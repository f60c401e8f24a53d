"""Tables for LaTeX, with the rules of booktabs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest

from cnndsl.emit.table.columns import columns_of
from cnndsl.emit.table.rows import Table
from cnndsl.emit.table.text import cells_of, feet_of, summary_of, title_of
from cnndsl.printable import as_encoded

#: The most lines of a table that stays on one page.
_PAGE = 45
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
    between pages. Characters that are not ASCII are written as escapes, since a font of TeX may lack them."""
    body = [*_body(table)]
    head = _line(_escaped(column.heading) for column in columns_of(table))
    feet = [_line(map(_escaped, texts)) for texts in feet_of(table)]
    kind, also = ("longtable", ", longtable") if len(body) > _PAGE else ("tabular", "")
    repeated = [r"\midrule", r"\endhead"] if also else [r"\midrule"]
    lines = [
        *(f"% {as_encoded(line, 'ascii')}" for line in (title_of(table), *summary_of(table))),
        rf"% \usepackage{{booktabs{also}}}",
        rf"\begin{{{kind}}}{{{''.join('r' if column.right else 'l' for column in columns_of(table))}}}",
        *(r"\toprule", head, *repeated, *body, r"\midrule", *feet, r"\bottomrule"),
        rf"\end{{{kind}}}",
    ]
    return "\n".join(lines) + "\n"


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
