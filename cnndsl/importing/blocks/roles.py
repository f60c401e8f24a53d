"""What values are for, and which of them may follow from which: a stride is computed from no number of channels, even
if it is so in every use of a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cnndsl.importing.alike import Hole

WIDTH: Final = "width"
STRIDE: Final = "stride"
#: Small numbers of which nothing is known.
FACTOR: Final = "factor"
#: Numbers of channels are not smaller than this if their name does not say what they are.
WIDE: Final = 12
#: The roles of arguments, by what their names contain.
_NAMES: Mapping[str, str] = {
    "kernel": "kernel", "stride": STRIDE, "dilation": "dilation", "padding": "padding", "size": "size",
    "depth": "count", "layers": "count", "times": "count", "number": "count", "repeats": "count", "shape": "size",
    "channels": WIDTH, "features": WIDTH, "planes": WIDTH, "groups": WIDTH, "width": WIDTH, "height": "size",
}  # fmt: skip
#: What a role follows from by formulas, and by being equal.
_FORMULAS: Mapping[str, tuple[str, ...]] = {
    WIDTH: (WIDTH, FACTOR), FACTOR: (FACTOR,), "padding": ("padding", "kernel", "dilation"), "count": ("count", FACTOR),
}  # fmt: skip
_EQUAL: Mapping[str, tuple[str, ...]] = {
    WIDTH: (), FACTOR: ("count",), "padding": ("size", FACTOR), "count": (), "kernel": ("kernel", "size", FACTOR),
    STRIDE: (STRIDE, "size", FACTOR), "dilation": ("dilation", FACTOR),
}  # fmt: skip


def role_of(name: str, values: Sequence[Any]) -> str:
    """What an argument or a size is for, "" if that is not a number."""
    found = next((role for part, role in _NAMES.items() if part in name), "")
    numbers = [value for value in values if type(value) is int]
    if found or not numbers:
        return found
    return WIDTH if max(numbers) >= WIDE else FACTOR


def role_of_hole(hole: Hole) -> str:
    return role_of(hole.argument or hole.role, hole.values)


def follows(role: str, other: str) -> str:
    """How a value may follow from another: by a "formula", if "equal", or not at all (""). Other values than numbers,
    and sizes of pictures, may follow from everything."""
    if role in ("", "size") or other in _FORMULAS.get(role, ()):
        return "formula"
    return "equal" if not other or other in _EQUAL[role] else ""
