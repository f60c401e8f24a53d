"""Draws icon.png: feature maps that shrink while their channels grow. ``python icon.py``"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageColor, ImageDraw

from cnndsl.palette import BLUE, ORANGE, SKY

SIDE, SCALE, GROUND = 256, 4, "#F6F8FA"
#: Left edge, width of the front (the channels), and height of each map, in pixels of the icon.
MAPS = [(30, 14, 150, SKY), (86, 30, 98, BLUE), (164, 50, 50, ORANGE)]
#: How far a side goes right and up for each pixel of height.
RIGHT, UP = 0.26, 0.2


def lighter(color: str, by: float) -> tuple[int, ...]:
    return tuple(round(value + (255 - value) * by) for value in ImageColor.getrgb(color)[:3])


def darker(color: str, by: float) -> tuple[int, ...]:
    return tuple(round(value * (1 - by)) for value in ImageColor.getrgb(color)[:3])


def cuboid(draw: ImageDraw.ImageDraw, left: float, width: float, height: float, color: str) -> None:
    dx, dy = RIGHT * height, UP * height
    top = (SIDE - height + dy) / 2
    right, bottom = left + width, top + height
    faces = [
        (color, [(left, top), (right, top), (right, bottom), (left, bottom)]),
        (lighter(color, 0.35), [(left, top), (right, top), (right + dx, top - dy), (left + dx, top - dy)]),
        (darker(color, 0.25), [(right, top), (right + dx, top - dy), (right + dx, bottom - dy), (right, bottom)]),
    ]
    for fill, corners in faces:
        draw.polygon([(x * SCALE, y * SCALE) for x, y in corners], fill=fill)


def main() -> None:
    image = Image.new("RGBA", (SIDE * SCALE, SIDE * SCALE))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((0, 0, SIDE * SCALE - 1, SIDE * SCALE - 1), 44 * SCALE, fill=GROUND)
    for one in MAPS:
        cuboid(draw, *one)
    image.resize((SIDE, SIDE), Image.Resampling.LANCZOS).save(Path(__file__).with_name("icon.png"), optimize=True)


if __name__ == "__main__":
    main()
