"""What one may ask of a figure, in every style."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias, get_args

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
        self._check_types()
        for name, kind in CHOICES.items():
            if getattr(self, name) not in get_args(kind):
                raise ValueError(f"{name} must be {_one_of(kind)}, not {getattr(self, name)!r}")
        for path, mark in self.marks.items():
            if mark not in get_args(Mark):
                raise ValueError(f"the mark of {path} must be {_one_of(Mark)}, not {mark!r}")
        if self.depth is not None and self.depth < 1:
            raise ValueError(f"depth must be 1 or more, not {self.depth}")
        if self.dpi is not None and not FEWEST <= self.dpi <= MOST:
            raise ValueError(f"dpi must be between {FEWEST} and {MOST}, not {self.dpi}")
        for name in NOT_FOR.get(self.style, ()):
            if getattr(self, name) != getattr(Options(), name):
                raise ValueError(f"{name} has no meaning for the style {self.style}")
        if self.page and self.rankdir != "TB":
            raise ValueError(f"fit needs the direction TB, not {self.rankdir}")

    def _check_types(self) -> None:
        """Raises TypeError, with the name of the argument and what it must be."""
        for name, (kind, what) in TYPES.items():
            value = getattr(self, name)
            # True is an int for Python, and not for people.
            if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
                raise TypeError(f"{name} must be {what}, not {type(value).__name__}")
        for path in (*self.expand, *self.marks):
            if not isinstance(path, str):
                raise TypeError(f"a path must be a str, not {type(path).__name__}")

    @property
    def page(self) -> Page | None:
        """The page to fit. Raises ValueError."""
        return Page.of(self.fit) if self.fit else None

    def check(self, graph: Graph) -> None:
        """Raises :class:`UnknownPath` for a path to expand that is not one of a module, and for one to mark that is not
        one of an operation."""
        if self.expand:
            _known(self.expand, "module", "expand", (module.path for module in graph.root.modules))
        if self.marks:
            _known(self.marks, "operation", "mark", (operation.path for operation in graph.root.everything))

    @property
    def colours(self) -> Theme:
        return THEMES[self.theme]


class UnknownPath(ValueError):
    """A path of which there is none. ``problem`` says so, and ``help`` what was meant."""

    def __init__(self, problem: str, help: str) -> None:
        super().__init__(problem + (f": {help}" if help else ""))
        self.problem, self.help = problem, help


def _known(paths: Iterable[str], what: str, purpose: str, known: Iterable[str]) -> None:
    there = dict.fromkeys(known)
    for path in paths:
        if path not in there:
            raise UnknownPath(f"there is no {what} `{path}` to {purpose}", did_you_mean(path, there))


def paths(expand: object) -> tuple[str, ...]:
    """The paths to expand as a tuple. Raises TypeError for one alone, whose letters are not paths."""
    if isinstance(expand, str) or not isinstance(expand, Iterable):
        help = f": write [{expand!r}]" if isinstance(expand, str) else ""
        raise TypeError(f"expand must be a list of paths, not {type(expand).__name__}{help}")
    return tuple(expand)


def _one_of(kind: object) -> str:
    *others, last = get_args(kind)
    return f"{', '.join(others)} or {last}"


#: The fewest and the most dots per inch.
FEWEST, MOST = 10, 600
#: Options that a style does not have.
NOT_FOR: Mapping[str, tuple[str, ...]] = {
    "layers": ("fit", "color", "expand", "names", "verbose", "marks"),
    "volumes": ("rankdir", "fold", "color", "expand", "names", "verbose", "marks"),
}
CHOICES = {"style": Style, "rankdir": Direction, "color": Colouring, "theme": ThemeName}
#: The types of the other arguments, and what they are called.
TYPES: Mapping[str, tuple[Any, str]] = {
    "depth": (int | None, "an int"),
    "dpi": (int | float | None, "a number"),
    "fit": (str | None, "a page such as 'a4'"),
    "marks": (Mapping, "a dict of paths"),
    **dict.fromkeys(("show_shapes", "fold", "names", "verbose"), (bool, "True or False")),
}
