"""Many small images of one size in one picture, at equal distances, with texts around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from numpy.typing import NDArray
from torch import Tensor

from cnndsl.palette import BLUE, MUTED, VERMILION
from cnndsl.picture import BOLD, Picture, cut

#: Inches around everything, between tiles, of the title, of a line of text, of the names of rows, and of the narrowest
#: picture, which needs room for its title.
MARGIN, GAP, TITLE, LINE, NAMES, LEAST = 0.12, 0.08, 0.24, 0.13, 0.5, 3.8
#: The least and the largest height of an image, in times of its width.
FLATTEST, TALLEST = 1 / 8, 4
#: Points of letters, and their inches.
SIZE, LETTER = 6.5, 0.048


@dataclass(frozen=True)
class Tile:
    """An image, ``(H, W)`` or ``(H, W, 3)``, with a text above it, and lines below it."""

    image: NDArray[Any]
    above: str = ""
    below: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sheet:
    """Tiles row by row in ``columns``, each ``width`` inches wide. ``look`` are arguments of ``imshow`` for tiles that
    are not RGB, ``room`` inches that stay free at the right."""

    tiles: Sequence[Tile]
    columns: int
    width: float
    look: Mapping[str, Any] = field(default_factory=dict)
    row_names: Sequence[str] = ()
    column_names: Sequence[str] = ()
    room: float = 0
    caption: str = ""
    above_colour: str = BLUE

    @property
    def tall(self) -> float:
        """Inches of an image."""
        return self.width * form(self.tiles[0].image)

    @property
    def above(self) -> float:
        """Inches of the texts above images."""
        return LINE * any(tile.above for tile in self.tiles)

    def x(self, column: int) -> float:
        """Inches from the left to an image."""
        return MARGIN + NAMES * bool(self.row_names) + column * (self.width + GAP)

    def y(self, row: int) -> float:
        """Inches from the top to an image."""
        below = LINE * max(len(tile.below) for tile in self.tiles)
        first = MARGIN + TITLE + LINE * bool(self.caption) + (self.above or LINE * bool(self.column_names))
        return first + row * (self.above + self.tall + below + GAP)

    def draw(self, title: str) -> tuple[Picture, AxesImage]:
        """The picture, and the last of its images, for a scale."""
        rows = -(-len(self.tiles) // self.columns)
        size = max(self.x(self.columns) - GAP + MARGIN + self.room, LEAST), self.y(rows) - self.above + MARGIN - GAP
        picture = Picture(*size)
        picture.set_layout_engine("none")  # everything has its place
        axes = picture.add_axes((0, 0, 1, 1), xlim=(0, size[0]), ylim=(size[1], 0), autoscale_on=False)
        axes.set_axis_off()
        axes.text(MARGIN, MARGIN, cut(title, int(size[0] / BOLD)), va="top", weight="bold", size=9)
        axes.text(MARGIN, MARGIN + TITLE * 0.8, cut(self.caption, int(size[0] / LETTER)), va="top", **_muted())
        for number, tile in enumerate(self.tiles):
            row, column = divmod(number, self.columns)
            image = self._draw(axes, tile, self.x(column), self.y(row))
        for row, name in enumerate(self.row_names):
            axes.text(self.x(0) - 0.05, self.y(row) + self.tall / 2, name, ha="right", va="center", **_muted())
        for column, name in enumerate(self.column_names):
            axes.text(self.x(column) + self.width / 2, self.y(0) - 0.03, name, ha="center", **_muted())
        return picture, image

    def _draw(self, axes: Axes, tile: Tile, x: float, y: float) -> AxesImage:
        """An image whose left upper corner is at ``x`` and ``y``, with its texts."""
        bottom, most = y + self.tall, int((self.width + GAP) / LETTER)
        lines = [(y - 0.03, self.above_colour, tile.above)]
        lines += [(bottom + LINE * line, VERMILION, text) for line, text in enumerate(tile.below, start=1)]
        for place, colour, text in lines:
            if text:
                axes.text(x + self.width / 2, place, cut(text, most), ha="center", size=SIZE, color=colour)
        return axes.imshow(tile.image, extent=(x, x + self.width, bottom, y), aspect="auto", **self.look)


def _muted() -> dict[str, Any]:
    return {"size": SIZE, "color": MUTED}


def form(image: NDArray[Any]) -> float:
    """The height of a drawn image in times of its width. Very flat and very tall ones are stretched."""
    height, width = image.shape[:2]
    return min(max(float(height / width), FLATTEST), TALLEST)


def sizes(shape: Sequence[int]) -> str:
    """Sizes with a multiplication sign between them."""
    return "\N{MULTIPLICATION SIGN}".join(map(str, shape))


def columns_for(tiles: int) -> int:
    """A number of columns that gives a picture of a page's shape."""
    return min(tiles, 8 if tiles <= 40 else 16)


def rgb(picture: Tensor) -> NDArray[np.uint8]:
    """A picture of one or three channels, uint8 ``(C, H, W)``, as ``imshow`` takes it."""
    return picture.expand(3, -1, -1).permute(1, 2, 0).numpy()
