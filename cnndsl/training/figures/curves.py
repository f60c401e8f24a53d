"""The curves of a training: loss and accuracy over the epochs, in training and on the test set."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, isfinite
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullFormatter

from cnndsl.palette import BLUE, MUTED, VERMILION
from cnndsl.picture import Picture, drawn, legend
from cnndsl.training.progress import Epoch, best_of

#: The panels, with the figure of the training and that of the test.
PANELS = {"loss": ("loss", "test_loss"), "accuracy": ("train_acc", "test_acc")}
#: The place of a text or a legend above the right end of a panel.
ABOVE = (1, 1.01)
#: Losses that differ by more than this factor are drawn on a logarithmic scale.
SPREAD = 50
#: Fewer epochs than this have a dot each.
FEW = 10


@drawn
def curves(name: str, epochs: Sequence[Epoch]) -> Picture:
    """The epochs so far, at least one. The best epoch, whose checkpoint is kept, is marked."""
    picture = Picture(6.4, 2.6, name)
    best = best_of(epochs)
    loss, accuracy = picture.subplots(1, 2)
    for axes, (title, keys) in zip((loss, accuracy), PANELS.items()):
        for key, colour in zip(keys, (BLUE, VERMILION)):
            line(axes, epochs, key, color=colour)
        axes.axvline(best.epoch, color=VERMILION, linewidth=0.8, linestyle=":")
        axes.plot([best.epoch], [getattr(best, keys[1])], "o", color=VERMILION, markersize=5, markerfacecolor="white")
        scale(axes, title, [getattr(epoch, key) for epoch in epochs for key in keys])
    above = {"loc": "lower right", "bbox_to_anchor": ABOVE, "borderaxespad": 0, "ncols": 2}
    legend(loss, loss.get_lines()[:2], ("training", "test"), **above)
    text = f"best {best.test_acc:.3f}, epoch {best.epoch}"
    accuracy.text(*ABOVE, text, transform=accuracy.transAxes, ha="right", va="bottom", size=8, color=VERMILION)
    return picture


def line(axes: Axes, epochs: Sequence[Epoch], key: str, **look: Any) -> Line2D:
    """A figure of the epochs as a line."""
    x, y = [epoch.epoch for epoch in epochs], [getattr(epoch, key) for epoch in epochs]
    return axes.plot(x, y, marker="." * (len(x) < FEW), **look)[0]


def scale(axes: Axes, title: str, values: Sequence[float]) -> None:
    """Title and scales of the panel ``loss`` or ``accuracy`` that shows these values."""
    axes.set_title(title, color=MUTED)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    finite = [value for value in values if isfinite(value)] or [0]
    least, most = min(finite), max(finite)
    if title == "accuracy":
        axes.set_ylim(floor(least * 10) / 10, 1)
    elif least > 0 and most > SPREAD * least:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")  # matplotlib's own are formulas
        axes.yaxis.set_minor_formatter(NullFormatter())
    elif least >= 0:
        axes.set_ylim(0, most * 1.05 or 1)
