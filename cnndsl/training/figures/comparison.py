"""Several runs in one picture: the curves of each in its colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from cnndsl.palette import BLUE, GREEN, INK, ORANGE, PURPLE, SKY, VERMILION
from cnndsl.picture import Picture, drawn, legend
from cnndsl.training.figures.curves import PANELS, line, scale
from cnndsl.training.progress import Epoch, best_of

_COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, INK)
#: The style and the colour of each run. The curves of trainings are drawn too if there are colours for all.
LOOKS = [*product(("-", "--", ":"), _COLOURS)]
_TRAINING = {"linestyle": "--", "linewidth": 0.8, "markerfacecolor": "white"}
#: The characters in a row of the legend, those that a line and its margins take, and the inches of its height.
_ROW, _SAMPLE, _HEIGHT = 92, 8, 0.17


@dataclass(frozen=True)
class Curve:
    """A run of a comparison, with at least one epoch."""

    label: str
    epochs: Sequence[Epoch]

    @property
    def text(self) -> str:
        best = f"best {best_of(self.epochs).test_acc:.3f}"
        return f"{self.label}: {best}" if self.label else best


@drawn
def comparison(runs: Sequence[Curve], title: str = "") -> Picture:
    """Loss and accuracy of at most ``len(LOOKS)`` runs."""
    few = len(runs) <= len(_COLOURS)
    dots = all(len(run.epochs) == 1 for run in runs)
    texts = [run.text for run in runs] + ["open dots: training" if dots else "dashed: training"] * few
    columns = max(1, min(len(texts), _ROW // (max(map(len, texts)) + _SAMPLE)))
    picture = Picture(6.8, 2.7 + _HEIGHT * -(-len(texts) // columns), title)
    for axes, (name, keys) in zip(picture.subplots(1, 2), PANELS.items()):
        handles = []
        for run, (style, colour) in zip(runs, LOOKS):
            handles.append(line(axes, run.epochs, keys[1], color=colour, linestyle=style))
            if few:
                line(axes, run.epochs, keys[0], color=colour, **_TRAINING)
        shown = keys if few else keys[1:]
        scale(axes, name, [getattr(epoch, key) for run in runs for epoch in run.epochs for key in shown])
    if few:
        handles += axes.plot([], [], color=INK, **_TRAINING | ({"marker": ".", "linestyle": ""} if dots else {}))
    legend(picture, handles, texts, loc="outside lower left", ncols=columns)
    return picture
