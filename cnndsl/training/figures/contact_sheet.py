"""A contact sheet: the worst mistakes with their pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cnndsl.picture import Picture, drawn
from cnndsl.training.figures.tiles import Sheet, Tile, rgb

if TYPE_CHECKING:
    from cnndsl.training.mistakes import Mistake

#: Pictures in a row, of few and of many, and their inches.
FEW, MANY, WIDTH = 6, 12, 1.05


@drawn
def contact_sheet(title: str, mistakes: Sequence[Mistake]) -> Picture:
    """Each picture, at least one, has its true class above, and below it the predicted one with its probability."""
    tiles = [
        Tile(rgb(mistake.picture), mistake.true, (mistake.predicted, f"{mistake.probability:.1%}"))
        for mistake in mistakes
    ]
    caption = "true classes in blue, the most certain mistakes in orange"
    columns = min(len(tiles), FEW if len(tiles) <= FEW**2 else MANY)
    return Sheet(tiles, columns, WIDTH, caption=caption).draw(title)[0]
