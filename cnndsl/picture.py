"""Pictures by matplotlib: one look, the same bytes each time, and no state outside of them."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, wraps
from os import PathLike
from typing import Any, ParamSpec, TypeVar

# Not pyplot, which would look for a screen, and keep every figure.
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names

from cnndsl.palette import ENDINGS, FONTS, INK, LINE, MUTED
from cnndsl.printable import one_line
from cnndsl.writing import given_path, write_file

P = ParamSpec("P")
R = TypeVar("R")

#: No date and no version in a file.
_METADATA = {
    ".png": ("Software",),
    ".svg": ("Date", "Creator"),
    ".pdf": ("CreationDate", "Creator", "Producer"),
}
#: Fonts for the scripts that the others lack, as names of classes may need.
_SCRIPTS = ("Noto Sans CJK SC", "WenQuanYi Zen Hei", "PingFang SC", "Microsoft YaHei", "Arial Unicode MS", "Noto Sans")
#: Inches of a letter of a title.
BOLD = 0.075
_LOOK = {
    "axes.axisbelow": True,
    "axes.edgecolor": LINE,
    "axes.grid": True,
    "axes.labelcolor": MUTED,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9,
    "figure.titlesize": 10,
    "figure.titleweight": "bold",
    "font.size": 9,
    "grid.color": "#E5E9EE",
    "legend.fontsize": 8,
    "legend.frameon": False,
    "image.interpolation": "none",
    "lines.linewidth": 1.6,
    "pdf.fonttype": 42,  # TrueType, which publishers take
    "svg.hashsalt": "cnndsl",
    "text.color": INK,
    "text.parse_math": False,  # a `$` in a name is a `$`
    "xtick.color": MUTED,
    "xtick.labelsize": 8,
    "ytick.color": MUTED,
    "ytick.labelsize": 8,
}


class Picture(Figure):
    """A matplotlib figure that a notebook shows. It looks the same whatever ``rcParams`` say."""

    def __init__(self, width: float, height: float, title: str = "", dpi: float = 150) -> None:
        """``width`` and ``height`` in inches."""
        with _look():
            super().__init__(figsize=(width, height), dpi=dpi, layout="constrained")
            if title:
                self.suptitle(cut(title, int(width / BOLD)), x=0.01, ha="left")

    def draw(self, renderer: Any) -> None:
        """As in matplotlib, which calls it for each format."""
        with _look(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")  # no font has every character
            super().draw(renderer)

    def data(self, ending: str) -> bytes:
        """The picture as ``.png``, ``.svg`` or ``.pdf``. The same picture gives the same bytes."""
        buffer = io.BytesIO()
        with _look():
            self.savefig(buffer, format=ending.removeprefix("."), metadata=dict.fromkeys(_METADATA[ending]))
        return buffer.getvalue()

    def save(self, path: str | PathLike[str]) -> None:
        """Writes a file whose ending, ``.png``, ``.svg`` or ``.pdf``, gives the format, replacing an existing one.
        Raises ValueError for another ending, OSError if it cannot be written."""
        file = given_path(path)
        if file.suffix not in ENDINGS:
            raise ValueError(f"{file} must end in one of {', '.join(ENDINGS)}")
        write_file(file, self.data(file.suffix))

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """For notebooks: the picture, and its width in pixels of a usual screen. Finer ones show all that it has."""
        return self.data(".png"), {"width": round(self.get_figwidth() * 100)}


def drawn(function: Callable[P, R]) -> Callable[P, R]:
    """A function that draws in our look."""

    @wraps(function)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        with _look():
            return function(*args, **kwargs)

    return inside


def legend(place: Axes | Figure, handles: Sequence[Any], labels: Sequence[str], **options: Any) -> None:
    """A legend of axes or of a figure, with any texts: matplotlib itself leaves out those that begin with ``_``."""
    made = place.legend(handles, [str(number) for number in range(len(handles))], **options)
    for text, label in zip(made.get_texts(), labels):
        text.set_text(one_line(label))


def cut(text: str, most: int) -> str:
    """``text`` on one line of at most ``most`` characters."""
    line = one_line(text)
    return line if len(line) <= most else f"{line[: most - 1]}…"


@contextmanager
def _look() -> Iterator[None]:
    with style.context({**_LOOK, "font.family": _fonts()}, after_reset=True):
        yield


@cache
def _fonts() -> list[str]:
    """The fonts that this machine has: matplotlib warns of others. It brings one of them itself."""
    present = {*get_font_names()}
    return [name for name in (*FONTS, *_SCRIPTS) if name in present]
