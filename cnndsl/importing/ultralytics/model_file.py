"""What a model file says: its rows and scales, with their places. Frozen."""

from __future__ import annotations

from typing import Any, NamedTuple

from cnndsl.diagnostics import Code, Diagnostic, SpecError, got
from cnndsl.record import Record
from cnndsl.source import Source, Span
from cnndsl.spec.tree import UNKNOWN, Listing, Mapping, Scalar, Tree, plain


class Row(Record, frozen=True, eq=False):
    """One module. ``sources`` are the numbers of the rows whose tensors it takes, -1 for the input; ``several`` tells
    whether they were written as a list. ``place`` is that of the module's name."""

    index: int
    sources: tuple[int, ...]
    several: bool
    number: int
    module: str
    arguments: tuple[Tree, ...]
    comment: str
    place: Span
    span: Span


class Scale(NamedTuple):
    depth: float
    width: float
    max_channels: int


class ModelFile(Record, frozen=True, eq=False):
    """``scale`` is one of the ``scales``, or the letter of the file's name if there are none, "" if it has none.
    ``depth`` and ``width`` are the multiples of a file without scales. ``anchors`` counts those of each place, and
    ``points`` the numbers that describe a skeleton."""

    source: Source
    rows: tuple[Row, ...]
    scales: dict[str, Scale]
    scale: str
    depth: float
    width: float
    activation: str
    channels: int
    bins: int
    classes: int | None
    anchors: int | None
    points: int | None
    end_to_end: bool
    name: str = ""


class Faults:
    """What is wrong with a model file, all of it."""

    def __init__(self) -> None:
        self.found: list[Diagnostic] = []

    def add(self, message: str, span: Span, help: str = "", code: Code = Code.MODEL_FILE) -> None:
        self.found.append(Diagnostic(code, message, span.first_line, help))

    def misfit(self, what: str, expected: str, tree: Tree, help: str = "", code: Code = Code.MODEL_FILE) -> None:
        """Another value than what is expected, unless that is a fault already."""
        if _is_known(tree):
            self.add(f"{what} expects {expected}, got {shown(tree)}", tree.span, help, code)

    def check(self) -> None:
        """Raises :class:`SpecError` if there are any."""
        if self.found:
            raise SpecError(self.found)


def _is_known(tree: Tree) -> bool:
    match tree:
        case Scalar(value=value):
            return value is not UNKNOWN
        case Listing(items=items):
            return all(map(_is_known, items))
        case Mapping(entries=entries):
            return all(_is_known(value) for _, value in entries)


def shown(tree: Tree) -> str:
    """A value in messages."""
    return "nothing" if isinstance(tree, Scalar) and tree.value is None else got(plain(tree))


def value_of(tree: Tree) -> Any:
    """The value of an argument. Ultralytics writes Python's ``None``, which is a text in YAML."""
    value = plain(tree)
    if isinstance(value, list):
        return [None if item == "None" else item for item in value]
    return None if value == "None" else value


def is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def is_positive(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0


def are_counts(value: object, length: int = 0) -> bool:
    """Whether it is a list of positive integers, of this length if one is given."""
    return (
        isinstance(value, list)
        and len(value) in ((length,) if length else range(1, 1024))
        and all(map(is_count, value))
    )
