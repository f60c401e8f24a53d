"""A confusion matrix: a row for each true class, a column for each predicted one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, PowerNorm
from numpy.typing import NDArray

from cnndsl.palette import INK, MUTED
from cnndsl.picture import Picture, cut, drawn

#: Inches of a cell, and of the whole matrix at least and at most.
CELL, LEAST, MOST = 0.36, 2.8, 7.0
#: Numbers are written into at most this many rows. More names than that get in each other's way.
NUMBERS, NAMES = 20, 55
#: The longest name on an axis, and its width in times the size of its letters.
LONGEST, LETTER = 24, 0.52
#: The smallest size of counts.
SMALLEST = 5
#: Points of a mistake at least: in a thousand classes a cell would not be seen.
DOT = 2.5
#: Small shares must be seen: of 100 samples, 4 are a fifth as dark as all.
_SHARES = PowerNorm(0.5, 0, 1)
_RIGHT, _WRONG = (ListedColormap(colormaps[name](np.linspace(0.15, 1, 200))) for name in ("Blues", "Oranges"))


@drawn
def confusion(title: str, counted: str, names: Sequence[str], counts: Sequence[Sequence[int]]) -> Picture:
    """The colour of a cell is its share of the row: blue for what is right, orange for what is wrong."""
    matrix = np.asarray(counts)
    side = min(max(CELL * len(names), LEAST), MOST)
    places = range(0, len(names), -(-len(names) // NAMES))
    shown = [cut(names[place], LONGEST) for place in places]
    size = min(8, side * 72 / len(shown) * 0.75)
    beside = max(map(len, shown)) * size * LETTER / 72 + 0.35
    scales = len(names) > NUMBERS
    picture = Picture(side + beside + 1.75 * scales + 0.1, side + beside + 0.5, title)
    axes = picture.subplots()
    axes.set_title(counted, color=MUTED, size=8)
    _paint(axes, matrix, side * 72 / len(names))
    axes.set_xticks(places, shown, rotation=90, size=size)
    axes.set_yticks(places, shown, size=size)
    axes.set(xlabel="predicted class", ylabel="true class")
    axes.grid(False)
    axes.tick_params(length=2 * (len(places) < len(names)))
    if scales:
        _explain(picture, axes)
    else:
        _write(axes, matrix, side / len(names))
    return picture


def _shares_of(matrix: NDArray[np.int_]) -> NDArray[np.float64]:
    """The counts as shares of their rows; 0 in an empty row."""
    shares: NDArray[np.float64] = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    return shares


def _paint(axes: Axes, matrix: NDArray[np.int_], cell: float) -> None:
    """``cell`` is the size of a cell in points."""
    shares, right = _shares_of(matrix), np.eye(len(matrix), dtype=bool)
    axes.imshow(np.ma.masked_where(~right | (matrix == 0), shares), _RIGHT, norm=_SHARES)
    if cell >= DOT:
        axes.imshow(np.ma.masked_where(right | (matrix == 0), shares), _WRONG, norm=_SHARES)
        return
    rows, columns = np.nonzero(np.where(right, 0, matrix))
    order = np.argsort(shares[rows, columns], kind="stable")  # the largest on top
    rows, columns = rows[order], columns[order]
    look: dict[str, Any] = {
        "s": DOT**2,
        "marker": "s",
        "linewidths": 0,
        "cmap": _WRONG,
        "norm": _SHARES,
        "rasterized": True,
    }
    axes.scatter(columns, rows, c=shares[rows, columns], **look)


def _explain(picture: Picture, axes: Axes) -> None:
    """Scales of both colours."""
    for colours, label in ((_RIGHT, "right"), (_WRONG, "wrong")):
        colour = ScalarMappable(_SHARES, colours)
        bar = picture.colorbar(colour, ax=axes, shrink=0.6, aspect=30, pad=0.02, format="{x:.0%}")
        bar.set_label(f"share of the true class, {label}", size=8)
        bar.outline.set_visible(False)


def _write(axes: Axes, matrix: NDArray[np.int_], cell: float) -> None:
    """The counts that are not zero, as large as fits a cell of so many inches; shares if they would be too small."""
    shares = _shares_of(matrix)
    texts = {place: f"{count:,}" for place, count in np.ndenumerate(matrix) if count}
    if _size(texts.values(), cell) < SMALLEST:
        texts = {place: f"{shares[place]:.1%}" for place in texts}
    for (row, column), text in texts.items():
        colour = "white" if shares[row, column] > 0.4 else INK
        axes.text(column, row, text, ha="center", va="center", size=_size(texts.values(), cell), color=colour)


def _size(texts: Collection[str], cell: float) -> float:
    """The size of letters with which the longest text fits a cell."""
    return min(8, cell * 72 * 0.85 / (0.56 * max(map(len, texts), default=1)))
