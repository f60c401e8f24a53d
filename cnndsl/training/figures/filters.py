"""The filters of a convolution as small images, all normalized alike: grey is 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.palette import MUTED
from cnndsl.picture import Picture, drawn
from cnndsl.training.figures.tiles import Sheet, Tile, columns_for, sizes

if TYPE_CHECKING:
    from cnndsl.training.insight import Filters

#: The most images of filters, and the most rows and columns if each channel has one.
MOST, ROWS = 256, 24
WIDTH = 0.5


@drawn
def filters(found: Filters) -> Picture:
    """One image for each filter of one channel, or of three, as RGB; otherwise a column for each filter, with a row for
    each channel. Filters of one pixel are one image, a pixel for each channel and filter. Signals are drawn with their
    channels as rows, volumes in slices."""
    weight = found.weight.numpy()
    largest = float(np.abs(weight[np.isfinite(weight)]).max(initial=0)) or 1.0
    title = f"{found.network}, layer {found.layer}"
    colours = f"grey is 0, black {-largest:.3g}, white {largest:.3g}".replace("-", "\N{MINUS SIGN}")
    caption = f"{len(weight)} filters of {sizes(weight.shape[2:])}; {colours}"
    images = _images(weight)
    look: dict[str, Any] = {"cmap": "gray", "vmin": -largest, "vmax": largest}
    if images.shape[-2:] == (1, 1):
        return _matrix(images[:, :, 0, 0], title, caption, look)
    count, channels = images.shape[:2]
    if channels == 3 and weight.ndim == 4:
        shown = np.moveaxis(np.nan_to_num(images[:MOST]) / (2 * largest) + 0.5, 1, -1).clip(0, 1)
        return _list(shown, count, title, caption, look)
    if channels == 1:
        return _list(images[:MOST, 0], count, title, caption, look)
    across, down = range(min(count, ROWS)), range(min(channels, ROWS))
    if count > ROWS or channels > ROWS:
        caption = f"{len(across)} of {count} filters and {len(down)} of {channels} channels; {caption}"
    tiles = [Tile(images[column, row]) for row in down for column in across]
    rows, columns = (["channel 0", *map(str, down[1:])], ["filter 0", *map(str, across[1:])])
    return Sheet(tiles, len(across), 0.3, look, rows, columns, caption=caption).draw(title)[0]


def _images(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """``(filters, channels, H, W)``."""
    if weight.ndim == 3:
        return weight[:, None]
    return weight.reshape(len(weight), -1, *weight.shape[-2:])


def _list(images: NDArray[np.float32], count: int, title: str, caption: str, look: dict[str, Any]) -> Picture:
    tiles = [Tile(image, str(number)) for number, image in enumerate(images)]
    if count > len(images):
        caption = f"the first {len(images)} of {caption}"
    sheet = Sheet(tiles, columns_for(len(tiles)), WIDTH, look, caption=caption, above_colour=MUTED)
    return sheet.draw(title)[0]


def _matrix(matrix: NDArray[np.float32], title: str, caption: str, look: dict[str, Any]) -> Picture:
    picture = Picture(4.5, 4, title)
    axes = picture.subplots()
    axes.imshow(matrix, aspect="auto", **look)
    axes.set_title(caption, color=MUTED, size=8)
    axes.set(xlabel="channel", ylabel="filter")
    axes.grid(False)
    return picture
