"""The sizes of volumes on the page, in points, and where they are.

All sides grow with the square root of what they show: 224 pixels are not 32 times as long as 7, but 6 times.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from msgspec import Struct

from cnndsl.emit.diagram.labels import TIMES
from cnndsl.emit.diagram.volumes.plan import Volume
from cnndsl.record import Record

#: The longest sides: along the picture's height, and along the flow.
HIGHEST, THICKEST = 110.0, 44.0
#: By how much sides are divided for each lane beside the first.
LOWER = 0.25
#: The most points for one channel, and the thinnest volume.
PER_CHANNEL, THINNEST = 1.5, 1.5
#: How thick a pooling is, how deep a vector, and the radius of a ball with a sign, and with a word.
POOLING, VECTOR, BALL, LARGE_BALL = 2.5, 5.0, 6.0, 9.0
#: How far a depth of 1 leans to the right and up: half of its length, at 45 degrees.
LEAN = sqrt(0.5) / 2
#: The sizes of labels, and the mean width of a character in them, which no label exceeds by much.
CHANNELS, SPATIAL, CHARACTER = 8.0, 7.0, 0.58


#: What is below a volume whose weights are those of an earlier one.
REUSED = "reused"


class Solid(Struct, eq=False):
    """A volume at its place. ``x`` is its left side, halfway into the page, and ``y`` its axis, downwards.

    The front is ``lean`` further to the left and down, and the back to the right and up.
    """

    volume: Volume
    width: float
    height: float
    depth: float
    x: float = 0.0
    y: float = 0.0

    @property
    def ball(self) -> bool:
        return bool(self.volume.sign)

    @property
    def lean(self) -> float:
        return self.depth * LEAN / 2

    @property
    def up(self) -> float:
        """How far it reaches above the axis."""
        return self.height / 2 + self.lean

    @property
    def middle(self) -> float:
        return self.x + self.width / 2

    @property
    def west(self) -> tuple[float, float]:
        """Where arrows end: the left edge of the front."""
        return self.x - self.lean, self.y

    @property
    def east(self) -> tuple[float, float]:
        """Where arrows begin: the middle of the right side."""
        return self.x + self.width, self.y

    @property
    def bottom(self) -> float:
        return self.y + self.up

    @property
    def label(self) -> str:
        """The number of channels or features."""
        volume = self.volume
        return (
            ""
            if self.ball or (volume.family == "pooling" and len(volume.spatial) > 0 and self.width == POOLING)
            else str(volume.channels)
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What is said of it, below its label and its number, or beside a ball: names, and that its weights are used
        again."""
        return (*self.volume.names, *([REUSED] if self.volume.reused else []))

    @property
    def lines(self) -> int:
        """The number of lines of text below it, and of those beside a ball, whose size is above them."""
        return bool(self.label) + (self.volume.times > 1) + len(self.notes) + bool(self.ball and self.notes)

    @property
    def label_width(self) -> float:
        times = f"{TIMES}{self.volume.times}" if self.volume.times > 1 else ""
        below = () if self.ball else self.notes
        return text_width(max(self.label, times, *below, key=len), CHANNELS)


def text_width(text: str, size: float) -> float:
    return len(text) * size * CHARACTER


class Scale(Record, frozen=True):
    """Points for each square root: of a pixel, of a channel, and of a feature of a vector."""

    pixel: float
    channel: float
    feature: float

    @classmethod
    def of(cls, volumes: Sequence[Volume], lanes: int) -> Scale:
        """The scale of a picture with some lanes beside each other at most."""
        longest = max((max(volume.spatial) for volume in volumes if volume.spatial), default=1)
        deep = [volume for volume in volumes if not _vector(volume)]
        thickest = max((volume.channels for volume in deep), default=1)
        features = max((volume.channels for volume in volumes if _vector(volume)), default=1)
        per_channel = min(PER_CHANNEL, THICKEST / sqrt(thickest))
        highest = HIGHEST / (1 + LOWER * (lanes - 1))
        return cls(highest / sqrt(longest), per_channel, highest / sqrt(max(features, 1000)))

    def solid(self, volume: Volume) -> Solid:
        """A volume in its size: its two last axes upwards and into the page, its channels along the flow.

        A vector is a thin bar, as high as it has features; a sequence is flat.
        """
        if volume.sign:
            side = 2 * (BALL if len(volume.sign) == 1 else LARGE_BALL)
            return Solid(volume, side, side, 0)
        if _vector(volume):
            return Solid(volume, VECTOR, max(VECTOR, self.feature * sqrt(volume.channels)), VECTOR)
        width = max(THINNEST, self.channel * sqrt(volume.channels))
        high, deep = (volume.spatial[-2], volume.spatial[-1]) if len(volume.spatial) > 1 else (volume.spatial[-1], 1)
        depth = self.pixel * sqrt(deep) if len(volume.spatial) > 1 else VECTOR
        return Solid(volume, POOLING if volume.family == "pooling" else width, self.pixel * sqrt(high), depth)


def _vector(volume: Volume) -> bool:
    """Whether a tensor has one value in each channel."""
    return all(size == 1 for size in volume.spatial)
