"""The colours of volumes in each theme."""

from __future__ import annotations

from collections.abc import Iterable

from cnndsl.emit.diagram.themes import PRINT, Fill, Theme
from cnndsl.emit.diagram.volumes.plan import MODULE, Volume
from cnndsl.emit.diagram.written import mixed

#: The borders of kinds of closed modules, in the order of their appearance. Those after them are like others.
MODULES = ("#86AE6D", "#9A82C2", "#5FA9A6", "#B08D64", "#CF8585", "#8E98A8")
#: How much of a border is in the front and in the right side, and how much light is on the top.
FRONT, SIDE, TOP, TOP_IN_THE_DARK = 0.4, 0.4, 0.45, 0.12
#: The names of colours in themes, for formats that need numbers.
NUMBERS = {"white": "#FFFFFF", "black": "#000000"}


class Palette:
    """The colours of a picture with some volumes. ``names`` are those of its legend."""

    def __init__(self, theme: Theme, volumes: Iterable[Volume]) -> None:
        self.theme = theme
        self.paper, self.ink, self.muted, self.line, self.bypass = map(
            number, (theme.paper, theme.ink, theme.muted, theme.line, theme.bypass)
        )
        families = dict.fromkeys((volume.family, volume.kind) for volume in volumes if not volume.sign)
        kinds = [kind for family, kind in families if family == MODULE]
        self.modules = {kind: self._module(border) for kind, border in zip(kinds, MODULES)}
        self.names = {self._name(*pair): self.of(*pair) for pair in families if pair[0] not in ("input", "merge")}

    def of(self, family: str, kind: str) -> Fill:
        """The front and the border of a volume."""
        if family in ("input", "merge"):
            return self.paper, mixed(self.paper, self.line, 0.6)
        found = self.modules.get(kind) if family == MODULE else self.theme.families.get(family)
        fill, border = found or self.theme.other
        return number(fill), number(border)

    def faces(self, colors: Fill) -> tuple[str, str, str]:
        """The front, the top, which is in the light, and the right side."""
        fill, border = colors
        dark = self.paper < "#8"
        return fill, mixed(fill, "#FFFFFF", TOP_IN_THE_DARK if dark else TOP), mixed(fill, border, SIDE)

    def _module(self, border: str) -> Fill:
        if self.theme is PRINT:
            border = _grey(border)
        return mixed(self.paper, border, FRONT), border

    def _name(self, family: str, kind: str) -> str:
        if family == MODULE:
            return kind if kind in self.modules else "other blocks"
        return family if family in self.theme.families else "other layers"


def number(color: str) -> str:
    """A colour as ``#RRGGBB``."""
    return NUMBERS.get(color, color)


def _grey(color: str) -> str:
    level = round(sum(int(color[at : at + 2], 16) for at in (1, 3, 5)) / 3)
    return f"#{level:02X}{level:02X}{level:02X}"
