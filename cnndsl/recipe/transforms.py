"""Transforms of ``torchvision.transforms.v2``: they are applied to samples before the network gets them.

Interpolation modes, and options that would change an image's size, are not arguments here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cnndsl.layers.function import by_name
from cnndsl.layers.kinds import (
    ABOVE_ZERO,
    NATURAL,
    NOT_NEGATIVE,
    NULL,
    NUMBER,
    POSITIVE,
    PROBABILITY,
    Choice,
    Kind,
    Listing,
    Number,
)
from cnndsl.layers.shape import Refused
from cnndsl.layers.table import Argument, argument
from cnndsl.recipe.table import Each, Interval, OneOf, Rule, Ruled

#: The shape of a sample, ``(C, H, W)``, or of whatever a network takes.
Shape = tuple[int, ...]


class Transform(Ruled):
    """A transform. ``random`` ones apply to training samples only, the others to all samples.

    ``output`` gives the shape of its result for the values of its arguments and the shape of a sample; without it the
    shape stays the same.
    """

    def __init__(
        self,
        name: str,
        documentation: str,
        arguments: Mapping[str, Argument[Any]] = {},
        *,
        random: bool = True,
        rule: Rule | None = None,
        output: Callable[[Mapping[str, Any], Shape], Shape] | None = None,
    ) -> None:
        super().__init__(name, documentation, arguments, path=f"torchvision.transforms.v2.{name}", rule=rule)
        self.random = random
        self.crops = output is _cropped
        self._output = output

    def output(self, given: Mapping[str, Any], shape: Shape) -> Shape:
        """The shape of the result for a sample of ``shape``."""
        return self._output(self.bind(given), shape) if self._output else shape


def both(size: int | tuple[int, ...]) -> tuple[int, int]:
    """Height and width, from one number for both, alone or in a list, or from two."""
    values = (size,) if isinstance(size, int) else size
    return values[0], values[-1]


def sides(padding: int | tuple[int, ...]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom, as torchvision reads one, two or four numbers."""
    values = (padding,) if isinstance(padding, int) else padding
    left, top, right, bottom = values if len(values) == 4 else (values[0], values[-1]) * 2
    return left, top, right, bottom


def _cropped(values: Mapping[str, Any], shape: Shape) -> Shape:
    return (shape[0], *both(values["size"]))


def _padded(values: Mapping[str, Any], shape: Shape) -> Shape:
    left, top, right, bottom = sides(values["padding"])
    return (shape[0], shape[1] + top + bottom, shape[2] + left + right)


def _in_grey(values: Mapping[str, Any], shape: Shape) -> Shape:
    return (values["num_output_channels"], *shape[1:])


def _as_many(values: Mapping[str, Any]) -> None:
    mean, std = len(values["mean"]), len(values["std"])
    if mean != std:
        raise Refused(f"`mean` has {mean} numbers, `std` has {std}: both need one for each channel", "std")


def _probability(default: float) -> dict[str, Argument[Any]]:
    return {"p": argument(PROBABILITY, default)}


def _size() -> dict[str, Argument[Any]]:
    """One number for a square, or height and width."""
    return {"size": argument(POSITIVE | Listing(POSITIVE, 1, 2))}


def _around(*, keyword: bool) -> dict[str, Argument[Any]]:
    """The values outside the image."""
    return {
        "fill": argument(NUMBER, 0, keyword=keyword),
        "padding_mode": argument(Choice("constant", "edge", "reflect"), "constant", keyword=keyword),
    }


def _jitter(kind: Kind[Any]) -> Argument[Any]:
    return argument(kind | NULL, None)


#: One for all sides; left and right, top and bottom; or left, top, right, bottom.
_PADDING = NATURAL | Listing(NATURAL, 1, 2, 4)
_FACTOR = NOT_NEGATIVE | Interval(NOT_NEGATIVE)
_DEGREES = Number(0, 360) | Interval(Number(-360, 360))

TRANSFORMS = by_name(
    (
        Transform("RandomHorizontalFlip", "Flips left and right, with probability ``p``.", _probability(0.5)),
        Transform("RandomVerticalFlip", "Flips top and bottom, with probability ``p``.", _probability(0.5)),
        Transform(
            "RandomCrop",
            "Crops to ``size`` at a random place, after adding ``padding``.",
            {**_size(), "padding": argument(_PADDING | NULL, None), **_around(keyword=True)},
            output=_cropped,
        ),
        Transform(
            "RandomResizedCrop",
            "Crops a random part, with its fraction of the area within ``scale`` and its width divided by its height "
            "within ``ratio``, and resizes it to ``size``.",
            {
                **_size(),
                "scale": argument(Interval(ABOVE_ZERO), (0.08, 1.0)),
                "ratio": argument(Interval(ABOVE_ZERO), (3 / 4, 4 / 3)),
            },
            output=_cropped,
        ),
        Transform(
            "RandomRotation",
            "Rotates by an angle within ``degrees``, or from minus to plus ``degrees``.",
            {"degrees": argument(_DEGREES), "fill": argument(NUMBER, 0, keyword=True)},
        ),
        Transform(
            "RandomAffine",
            "Rotates within ``degrees``, shifts by up to the fractions ``translate`` of width and height, scales "
            "within ``scale``, and shears within ``shear``, in degrees along x, or along x and y.",
            {
                "degrees": argument(_DEGREES),
                "translate": argument(Each(PROBABILITY, 2) | NULL, None),
                "scale": argument(Interval(ABOVE_ZERO) | NULL, None),
                "shear": argument(Number(0, 360) | Interval(Number(-360, 360), 2, 4) | NULL, None),
                "fill": argument(NUMBER, 0, keyword=True),
            },
        ),
        Transform(
            "ColorJitter",
            "Multiplies brightness, contrast and saturation by a factor from ``1 - x`` to ``1 + x``, or within two "
            "given numbers, and shifts the hue by a fraction of the circle from ``-x`` to ``x``, in random order.",
            {
                "brightness": _jitter(_FACTOR),
                "contrast": _jitter(_FACTOR),
                "saturation": _jitter(_FACTOR),
                "hue": _jitter(Number(0, 0.5) | Interval(Number(-0.5, 0.5))),
            },
        ),
        Transform("RandomGrayscale", "Removes the colours, with probability ``p``.", _probability(0.1)),
        Transform("RandomInvert", "Inverts the values, with probability ``p``.", _probability(0.5)),
        Transform(
            "RandomErasing",
            "Fills a random rectangle with ``value``, with probability ``p``. ``scale`` and ``ratio`` as in "
            "``RandomResizedCrop``, but height divided by width. Zhong et al., 2017.",
            {
                **_probability(0.5),
                "scale": argument(Interval(PROBABILITY), (0.02, 0.33)),
                "ratio": argument(Interval(ABOVE_ZERO), (0.3, 3.3)),
                "value": argument(NUMBER, 0.0),
            },
        ),
        Transform(
            "GaussianNoise",
            "Adds normal noise, and clamps to the range from 0 to 1.",
            {"mean": argument(NUMBER, 0.0), "sigma": argument(NOT_NEGATIVE, 0.1)},
        ),
        Transform(
            "Normalize",
            "Subtracts ``mean`` and divides by ``std``, channel by channel.",
            {"mean": argument(Listing(NUMBER)), "std": argument(Each(ABOVE_ZERO))},
            random=False,
            rule=_as_many,
        ),
        Transform(
            "Grayscale",
            "Removes the colours; the result has ``num_output_channels`` equal channels.",
            {"num_output_channels": argument(OneOf(1, 3), 1)},
            random=False,
            output=_in_grey,
        ),
        Transform("CenterCrop", "Crops the centre to ``size``.", _size(), random=False, output=_cropped),
        Transform(
            "Pad",
            "Adds ``padding`` on all sides.",
            {"padding": argument(_PADDING), **_around(keyword=False)},
            random=False,
            output=_padded,
        ),
    )
)
