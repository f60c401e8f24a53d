"""The picture of a sweep: parameters against MACs, a point for each combination."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cnndsl.printable import one_line
from cnndsl.questions.sweep_table import Row, Sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: The formats of pictures, each with what keeps the date out of it: the same sweep gives the same bytes.
FORMATS: Mapping[str, Mapping[str, Any] | None] = {
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
    ".png": None,
}
#: The colours of Okabe and Ito (2008), which people who are colour-blind can tell apart.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
#: A ratio from which an axis is logarithmic.
_WIDE = 12
#: The most points that are labelled.
_LABELLED = 80
#: The places of a label around its point, in points, the best first.
_OFFSETS = ((-4, 4), (4, -4), (4, 4), (-4, -4), (0, 6), (0, -6), (6, 0), (-6, 0))
_SETTINGS: Any = {"svg.hashsalt": "cnndsl", "pdf.fonttype": 42, "font.size": 9.0}


class Nothing(Exception):
    """No combination has costs."""


def picture(sweep: Sweep, ending: str) -> bytes:
    """The picture in the format of a file's ``ending``. Raises :class:`Nothing` if every combination has errors."""
    import matplotlib

    # Not pyplot, which would look for a screen, and keep every figure.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [row for row in sweep.rows if row.error is None]
    if not rows:
        raise Nothing("every combination has errors, so there is nothing to draw")
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(6.4, 4.4), dpi=100, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        labels = _plot(axes, sweep, rows)
        _scales(axes, rows)
        axes.set_title(one_line(sweep.name), parse_math=False)
        figure.draw_without_rendering()
        if len(rows) <= _LABELLED:
            _label(axes, rows, labels)
        buffer = io.BytesIO()
        figure.savefig(buffer, format=ending[1:], dpi=200, metadata=FORMATS[ending])
    return buffer.getvalue()


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
        names = [f"{sweep.names[grouped]} = {one_line(value)}" for value in groups]
        for text in axes.legend(lines, names, loc="best", framealpha=0.9).get_texts():
            text.set_parse_math(False)
    if others:
        told = ", ".join(sweep.names[index] for index in others)
        axes.annotate(f"labels: {told}", (0.99, 0.01), xycoords="axes fraction", ha="right", color="#555555")
    return [", ".join(one_line(row.values[index]) for index in others) for row in rows]


def _spread(count: int) -> Iterator[Any]:
    from matplotlib import colormaps

    colours = colormaps["viridis"]
    return (colours(0.92 * index / (count - 1)) for index in range(count))


def _scales(axes: Axes, rows: Sequence[Row]) -> None:
    """Counts with their units; logarithmic if they are far apart."""
    from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

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
    axes.grid(alpha=0.25)


def _label(axes: Axes, rows: Sequence[Row], labels: Sequence[str]) -> None:
    """Writes each label beside its point, at the first place where it covers neither another label nor a point. One
    that has no such place is left out: the table has it."""
    from matplotlib.transforms import Bbox

    points = axes.transData.transform([(row.params or 0, row.macs or 0) for row in rows])
    taken: list[Bbox] = [Bbox.from_bounds(x - 3, y - 3, 6, 6) for x, y in points]
    inside = axes.get_window_extent()
    legend = axes.get_legend()
    if legend is not None:
        taken.append(legend.get_window_extent())
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
                parse_math=False,
            )
            box = text.get_window_extent()
            if inside.contains(box.x0, box.y0) and inside.contains(box.x1, box.y1) and not box.count_overlaps(taken):
                taken.append(box)
                break
            text.remove()
