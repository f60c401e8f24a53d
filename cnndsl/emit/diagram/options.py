"""What one may ask of a figure, in every style."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

from cnndsl.diagnostics import did_you_mean
from cnndsl.emit.diagram.page import Page
from cnndsl.emit.diagram.themes import THEMES, Mark, Theme
from cnndsl.graph.graph import Graph
from cnndsl.record import Record

Style: TypeAlias = Literal["compact", "layers", "volumes"]
Direction: TypeAlias = Literal["TB", "LR", "BT", "RL"]
Colouring: TypeAlias = Literal["family", "params", "macs", "memory"]
ThemeName: TypeAlias = Literal["light", "dark", "print"]


class Options(Record, frozen=True):
    """The arguments of :func:`cnndsl.emit.diagram.diagram`. Raises ValueError for a value that there is not."""

    style: Style = "compact"
    depth: int | None = None
    rankdir: Direction = "TB"
    show_shapes: bool = True
    dpi: int | None = None
    fold: bool = True
    color: Colouring = "family"
    theme: ThemeName = "light"
    expand: tuple[str, ...] = ()
    names: bool = False
    verbose: bool = False
    marks: Mapping[str, Mark] = {}
    fit: str | None = None

    def __post_init__(self) -> None:
        for name, kind in CHOICES.items():
            if getattr(self, name) not in get_args(kind):
                *others, last = get_args(kind)
                raise ValueError(f"{name} must be {', '.join(others)} or {last}, not {getattr(self, name)!r}")
        if self.depth is not None and self.depth < 1:
            raise ValueError(f"depth must be 1 or more, not {self.depth}")
        for name in NOT_FOR.get(self.style, ()):
            if getattr(self, name) != getattr(Options(), name):
                raise ValueError(f"{name} has no meaning for the style {self.style}")
        if self.page and self.rankdir != "TB":
            raise ValueError(f"fit needs the direction TB, not {self.rankdir}")

    @property
    def page(self) -> Page | None:
        """The page to fit. Raises ValueError."""
        return Page.of(self.fit) if self.fit else None

    def check(self, graph: Graph) -> None:
        """Raises :class:`UnknownModule` for a path to expand that is not one of a module."""
        if self.expand:
            known = dict.fromkeys(module.path for module in graph.root.modules)
            for path in self.expand:
                if path not in known:
                    raise UnknownModule(path, did_you_mean(path, known))

    @property
    def colours(self) -> Theme:
        return THEMES[self.theme]


class UnknownModule(ValueError):
    """A path to expand that there is not. ``help`` says what was meant."""

    def __init__(self, path: str, help: str) -> None:
        super().__init__(f"there is no module {path!r} to expand" + (f": {help}" if help else ""))
        self.path, self.help = path, help


#: Options that a style does not have.
NOT_FOR: Mapping[str, tuple[str, ...]] = {
    "layers": ("fit", "color", "expand", "names", "verbose", "marks"),
    "volumes": ("rankdir", "fold", "color", "expand", "names", "verbose", "marks"),
}
CHOICES = {"style": Style, "rankdir": Direction, "color": Colouring, "theme": ThemeName}
