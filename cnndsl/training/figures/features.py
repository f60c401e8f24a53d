"""Feature maps: the output of a layer for a picture, channel by channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d

from cnndsl.diagnostics import Code, RunError
from cnndsl.palette import BLUE, MUTED
from cnndsl.picture import Picture, cut, drawn
from cnndsl.training.figures.tiles import Sheet, Tile, columns_for, form, rgb, sizes

if TYPE_CHECKING:
    from cnndsl.training.insight import Features

#: The most channels, and the most pixels of one in each direction.
MOST, PIXELS = 127, 112
WIDTH, SCALE = 0.6, 0.55
#: The longest vector whose bars have gaps.
APART = 64


@drawn
def features(found: Features) -> Picture:
    """The picture and a map for each channel, with one scale for all. A vector is drawn as bars. Raises
    :class:`RunError` for more than three dimensions."""
    maps = found.maps
    title, picture = f"{found.network}, layer {found.layer}", found.picture.name
    if found.uses > 1:
        title += f", first of {found.uses} uses"
    if maps.dim() < 2:
        return _bars(maps.flatten().numpy(), title, f"{maps.numel()} values for {picture}")
    if maps.dim() > 3:
        message = f"`{found.layer}` gives {list(maps.shape)}: maps are (channels, H, W)"
        raise RunError(Code.LAYER, message, "name another layer")
    return _maps(found, maps if maps.dim() == 3 else maps[None], title, f"{sizes(maps.shape)} for {picture}")


def _maps(found: Features, maps: Tensor, title: str, caption: str) -> Picture:
    shown = maps[:MOST]
    step = -(-max(shown.shape[1:]) // PIXELS)
    height, width = (min(step, size) for size in shown.shape[1:])
    images = avg_pool2d(shown, (height, width), ceil_mode=True).numpy()
    finite = maps[maps.isfinite()]
    look = {"cmap": "viridis", "vmin": float(finite.min()), "vmax": float(finite.max())} if len(finite) else {}
    tiles = [Tile(_framed(rgb(found.seen), form(images[0])), "picture")]
    tiles += [Tile(image, str(channel)) for channel, image in enumerate(images)]
    if len(maps) > len(shown):
        caption = f"the first {len(shown)} of {len(maps)} channels, {caption}"
    sheet = Sheet(tiles, columns_for(len(tiles)), WIDTH, look, room=SCALE, caption=caption, above_colour=MUTED)
    picture, last = sheet.draw(title)
    _scale(picture, last, sheet)
    return picture


def _scale(picture: Picture, image: AxesImage, sheet: Sheet) -> None:
    """The scale of the maps, at the right of the first rows."""
    width, height = picture.get_size_inches()
    left, top = sheet.x(sheet.columns), sheet.y(0)
    tall = min(sheet.tall * 3, height - top - 0.1)
    axes = picture.add_axes((left / width, 1 - (top + tall) / height, 0.1 / width, tall / height))
    picture.colorbar(image, cax=axes).outline.set_visible(False)
    axes.tick_params(labelsize=6.5, length=2)


def _framed(image: NDArray[np.uint8], form: float) -> NDArray[np.uint8]:
    """An image with white beside it, so that its height is ``form`` times its width."""
    height, width = image.shape[:2]
    wide, high = max(width, round(height / form)), max(height, round(width * form))
    framed = np.full((high, wide, 3), 255, np.uint8)
    top, left = (high - height) // 2, (wide - width) // 2
    framed[top : top + height, left : left + width] = image
    return framed


def _bars(values: NDArray[np.float32], title: str, caption: str) -> Picture:
    picture = Picture(6.4, 2.4, title)
    axes = picture.subplots()
    if len(values) <= APART:
        axes.bar(np.arange(len(values)), values, color=BLUE)
    else:
        axes.stairs(values, np.arange(len(values) + 1) - 0.5, fill=True, color=BLUE)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_title(cut(caption, 100), color=MUTED, size=8)
    axes.set(xlabel="feature", ylabel="value")
    axes.margins(x=0.01)
    return picture
