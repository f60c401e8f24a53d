"""The curves of a training: training loss, training accuracy and test accuracy over the epochs."""

from __future__ import annotations

import io
from collections.abc import Sequence

from cnndsl.training.progress import Epoch

_LINES = (
    ("train loss", "loss", "#c1440e", "-"),
    ("train acc", "train_acc", "#1f6f8b", "--"),
    ("test acc", "test_acc", "#2e7d32", "-."),
)


def curves(name: str, epochs: Sequence[Epoch]) -> dict[str, bytes]:
    """``curves.svg`` and ``curves.png`` of the epochs so far."""
    # Not pyplot, which would look for a screen, and keep every figure.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(5.6, 3.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    left = figure.add_subplot()
    right = left.twinx()
    x = [epoch.epoch for epoch in epochs]
    for label, key, colour, style in _LINES:
        axes = left if key == "loss" else right
        y = [getattr(epoch, key) for epoch in epochs]
        axes.plot(x, y, style, color=colour, label=label, marker="o" if len(x) == 1 else "", linewidth=1.8)
    left.set(xlabel="epoch", ylabel="loss", title=name)
    left.set_ylim(bottom=0)
    right.set(ylabel="accuracy", ylim=(0, 1))
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.grid(alpha=0.25)
    handles = [*left.get_lines(), *right.get_lines()]
    left.legend(handles, [str(line.get_label()) for line in handles], loc="center right", framealpha=0.9)
    made = {}
    for ending in ("svg", "png"):
        buffer = io.BytesIO()
        # Without the date, the same epochs give the same bytes.
        figure.savefig(buffer, format=ending, metadata={"Date": None} if ending == "svg" else None)
        made[f"curves.{ending}"] = buffer.getvalue()
    return made
