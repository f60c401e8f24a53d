"""The picture of a sweep: parameters against MACs, a point for each combination."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter
from matplotlib.transforms import Bbox

from cnndsl.palette import BLUE, GREEN, INK, MUTED, ORANGE, PURPLE, SKY, VERMILION
from cnndsl.picture import Picture, cut, drawn, legend

if TYPE_CHECKING:
    from cnndsl.questions.sweep_table import Row, Sweep

#: A ratio from which an axis is logarithmic.
_WIDE = 12
#: The most characters of a value.
_LONGEST = 40
#: The most points that are labelled.
_LABELLED = 80
#: The places of a label around its point, in points, the best first.
_OFFSETS = ((-4, 4), (4, -4), (4, 4), (-4, -4), (0, 6), (0, -6), (6, 0), (-6, 0))
_COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, INK)


class Nothing(ValueError):
    """No combination has costs."""


@drawn
def picture(sweep: Sweep) -> Picture:
    """A point for each combination. Raises :class:`Nothing` if all have errors."""
    rows = [row for row in sweep.rows if row.error is None]
    if not rows:
        raise Nothing("every combination has errors, so there is nothing to draw")
    figure = Picture(6.4, 4.4, sweep.name)
    axes = figure.add_subplot()
    labels = _plot(axes, sweep, rows)
    _scales(axes, rows)
    figure.draw_without_rendering()
    if len(rows) <= _LABELLED:
        _label(axes, rows, labels)
    return figure


def _plot(axes: Axes, sweep: Sweep, rows: Sequence[Row]) -> list[str]:
    """Draws a line for each value of the first parameter that varies, if others do too; returns the points' labels."""
    varying = [index for index, values in enumerate(zip(*(row.values for row in rows))) if len({*values}) > 1]
    grouped = varying[0] if len(varying) > 1 else None
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault("" if grouped is None else row.values[grouped], []).append(row)
    colours = _COLOURS if len(groups) <= len(_COLOURS) else [*_spread(len(groups))]
    lines = [
        axes.plot([row.params or 0 for row in group], [row.macs or 0 for row in group], "o-", color=colour)[0]
        for group, colour in zip(groups.values(), colours)
    ]
    for line in lines:
        line.set(linewidth=1.0, markersize=5, alpha=0.85)
    others = [index for index in varying if index != grouped]
    if grouped is not None:
        names = [f"{sweep.names[grouped]} = {cut(value, _LONGEST)}" for value in groups]
        legend(axes, lines, names, loc="best", frameon=True, framealpha=0.9)
    if others:
        told = ", ".join(sweep.names[index] for index in others)
        axes.annotate(f"labels: {told}", (0.99, 0.01), xycoords="axes fraction", ha="right", color=MUTED)
    return [", ".join(cut(row.values[index], _LONGEST) for index in others) for row in rows]


def _spread(count: int) -> Iterator[Any]:
    colours = colormaps["viridis"]
    return (colours(0.92 * index / (count - 1)) for index in range(count))


def _scales(axes: Axes, rows: Sequence[Row]) -> None:
    """Counts with their units; logarithmic if they are far apart."""
    for axis, name, counts in (
        ("x", "parameters", [row.params or 0 for row in rows]),
        ("y", "MACs", [row.macs or 0 for row in rows]),
    ):
        low, high = min(counts), max(counts)
        scale = axes.xaxis if axis == "x" else axes.yaxis
        if low > 0 and high > _WIDE * low:
            axes.set(**{f"{axis}scale": "log"})
            scale.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1000 * low else (1,)))
            scale.set_minor_formatter(NullFormatter())
        scale.set_label_text(name)
        scale.set_major_formatter(EngFormatter())
    axes.margins(0.08)


def _label(axes: Axes, rows: Sequence[Row], labels: Sequence[str]) -> None:
    """Writes each label beside its point, at the first place where it covers neither another label nor a point. One
    that has no such place is left out: the table has it."""
    points = axes.transData.transform([(row.params or 0, row.macs or 0) for row in rows])
    taken: list[Bbox] = [Bbox.from_bounds(x - 3, y - 3, 6, 6) for x, y in points]
    inside = axes.get_window_extent()
    beside = axes.get_legend()
    if beside is not None:
        taken.append(beside.get_window_extent())
    for row, label in zip(rows, labels):
        for x, y in _OFFSETS:
            text = axes.annotate(
                label,
                (row.params or 0, row.macs or 0),
                xytext=(x, y),
                textcoords="offset points",
                ha={1: "left", 0: "center", -1: "right"}[(x > 0) - (x < 0)],
                va={1: "bottom", 0: "center", -1: "top"}[(y > 0) - (y < 0)],
                fontsize=7.5,
            )
            box = text.get_window_extent()
            if inside.contains(box.x0, box.y0) and inside.contains(box.x1, box.y1) and not box.count_overlaps(taken):
                taken.append(box)
                break
            text.remove()
