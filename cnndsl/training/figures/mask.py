"""The classes of a picture's pixels, in colours over the picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch
from numpy.typing import NDArray
from torch import Tensor

from cnndsl.palette import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION
from cnndsl.picture import Picture, cut, drawn, legend
from cnndsl.training.figures.tiles import Sheet, Tile, rgb

#: The most classes in the legend, the longest name, and the inches of a picture and of the legend.
MOST, LONGEST, WIDTH, ROOM = 20, 20, 2.4, 1.9
#: How much of the mask's colour is in a pixel.
COVER = 0.55
_FEW = (SKY, VERMILION, GREEN, ORANGE, PURPLE, BLUE)


@drawn
def mask(title: str, seen: Tensor, labels: Tensor, classes: Sequence[tuple[str, int, float]]) -> Picture:
    """A picture, uint8 ``(C, H, W)``, beside it the labels of its pixels, ``(H, W)``, over it. ``classes`` are name,
    label and share of each class, the largest first."""
    picture, over = rgb(seen), labels.numpy()
    colours = _colours(max(label for _, label, _ in classes) + 1)
    height, width = picture.shape[:2]
    rows, columns = (np.arange(size) * kept // size for size, kept in zip((height, width), over.shape))
    mixed = (1 - COVER) * picture.mean(2, keepdims=True) / 255 + COVER * colours[over[np.ix_(rows, columns)]]
    drawing, image = Sheet([Tile(picture), Tile(mixed)], 2, WIDTH, room=ROOM).draw(title)
    present = [each for each in classes if each[2] > 0]
    handles = [Patch(color=colours[label]) for _, label, _ in present[:MOST]]
    names = [f"{cut(name, LONGEST)}: {share:.1%}" for name, _, share in present[:MOST]]
    if len(present) > MOST:
        handles, names = [*handles, Patch(alpha=0)], [*names, f"and {len(present) - MOST} more"]
    right = image.get_extent()[1] / drawing.get_size_inches()[0]
    legend(drawing, handles, names, loc="upper left", bbox_to_anchor=(right, 0.9))
    return drawing


def _colours(count: int) -> NDArray[np.float64]:
    """``(count, 3)``: colours that are easy to tell apart, if they are few."""
    if count <= len(_FEW):
        return np.array([to_rgb(colour) for colour in _FEW[:count]])
    return np.asarray(colormaps["turbo"](np.linspace(0, 1, count)))[:, :3]
