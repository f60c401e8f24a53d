"""The YAML of a model file -> its rows and scales, with their places."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from cnndsl.diagnostics import Code, Diagnostic, SpecError, did_you_mean, got, shorten
from cnndsl.record import Record
from cnndsl.source import Source, Span
from cnndsl.spec.files import read_text
from cnndsl.spec.notation import Unwritable, python, written
from cnndsl.spec.tree import UNKNOWN, Listing, Mapping, Scalar, Tree, Unreadable, plain, read

#: The keys of model files that decide on the network, and those that do not.
_KEYS = (
    "nc", "scale", "scales", "depth_multiple", "width_multiple", "activation", "kpt_shape", "reg_max", "end2end",
    "anchors", "ch", "channels", "backbone", "head",
)  # fmt: skip
_OTHERS = ("names", "task", "path", "yaml_file", "text_model", "stride")
_SHAPE = "a row is `[from, number, module, args]`, such as `[-1, 1, Conv, [64, 3, 2]]`"
#: The letter of the scale in the name of a file.
_LETTER = re.compile(r"(yolo(?:e-)?v?\d+)([nslmx])(?![a-z])")
_ANCHORS = 3


class Row(Record, frozen=True, eq=False):
    """One module. ``sources`` are the numbers of the rows whose tensors it takes, -1 for the input; ``several`` tells
    whether they were written as a list."""

    index: int
    sources: tuple[int, ...]
    several: bool
    number: int
    module: str
    arguments: tuple[Tree, ...]
    place: Span
    span: Span


class ModelFile(Record, frozen=True, eq=False):
    """``scales`` maps letters to depth, width and the most channels; None if nothing limits these. ``classes``,
    ``anchors`` (for each place) and ``points`` (three numbers each) may be unknown: None."""

    name: str
    source: Source
    rows: tuple[Row, ...]
    scales: dict[str, tuple[float, float, int | None]]
    scale: str
    depth: float | None
    width: float | None
    activation: str
    channels: int
    bins: int
    classes: int | None
    anchors: int | None
    points: int | None
    end_to_end: bool


class Faults:
    """What is wrong with a model file, all of it."""

    def __init__(self) -> None:
        self.found: list[Diagnostic] = []

    def add(self, message: str, span: Span, help: str = "", code: Code = Code.MODEL_FILE) -> None:
        self.found.append(Diagnostic(code, message, span.first_line, help))

    def check(self) -> None:
        """Raises :class:`SpecError` if there are any."""
        if self.found:
            raise SpecError(self.found)


def read_model_file(path: Path, scale: str | None) -> ModelFile:
    """Raises :class:`SpecError`."""
    letter = _LETTER.search(path.stem)
    whole = path.with_name(path.name.replace(letter[0], letter[1], 1)) if letter else path
    try:
        source = read_text(whole if letter and not path.exists() and whole.exists() else path)
        if not re.search(r"^\s*[^\s#]", source.text, re.M):
            raise Unreadable(Diagnostic(Code.MODEL_FILE, "the file is empty", Span(source, 0, 0), _EXAMPLE))
        tree, unread = read(source)
    except Unreadable as unreadable:
        raise SpecError(unreadable.diagnostics) from None
    reader = _Reader(source, tree, unread)
    model = reader.model(path.stem, scale, letter[2] if letter else None)
    reader.faults.check()
    return model


_EXAMPLE = "a model file has `nc`, `backbone` and `head`"


class _Reader:
    def __init__(self, source: Source, tree: Tree, unread: list[Diagnostic]) -> None:
        self.source = source
        self.faults = Faults()
        self.faults.found += unread
        if not isinstance(tree, Mapping):
            self.faults.add(f"a model file is a mapping, got {shown(tree)}", tree.span, _EXAMPLE)
            self.faults.check()
            raise AssertionError
        self.tree = tree

    def model(self, stem: str, asked: str | None, letter: str | None) -> ModelFile:
        self._check_keys()
        scales = self._scales()
        scale = self._scale(scales, asked, letter)
        points = self._points()
        return ModelFile(
            name=stem if letter or not scale else _with_letter(stem, scale),
            source=self.source,
            rows=self._rows(),
            scales=scales,
            scale=scale,
            depth=None if scales else self._multiple("depth_multiple"),
            width=None if scales else self._multiple("width_multiple"),
            activation=self._activation(),
            channels=self._count("channels") or self._count("ch") or 3,
            bins=self._count("reg_max") or 16,
            classes=self._count("nc"),
            anchors=self._anchors(),
            points=points,
            end_to_end=self._flag("end2end"),
        )

    def _check_keys(self) -> None:
        for name, key in self.tree.keys.items():
            if name not in (*_KEYS, *_OTHERS) and (help := did_you_mean(name, _KEYS)):
                self.faults.add(f"unknown key `{shorten(name)}`", key.span, help)

    # --- values ----------------------------------------------------------------------------------

    def _wrong(self, key: str, expected: str) -> None:
        tree = self.tree.by_key[key]
        if not (isinstance(tree, Scalar) and tree.value is UNKNOWN):
            self.faults.add(f"`{key}` expects {expected}, got {shown(tree)}", tree.span)

    def _value(self, key: str) -> Any:
        tree = self.tree.get(key)
        return None if tree is None else plain(tree)

    def _count(self, key: str) -> int | None:
        value = self._value(key)
        if value is None or is_count(value):
            return value
        self._wrong(key, "a positive integer")
        return None

    def _multiple(self, key: str) -> float | None:
        value = self._value(key)
        if value is None or is_positive(value):
            return value
        self._wrong(key, "a positive number")
        return None

    def _flag(self, key: str) -> bool:
        value = self._value(key)
        if value is not None and not isinstance(value, bool):
            self._wrong(key, "`true` or `false`")
        return value is True

    def _anchors(self) -> int | None:
        """The anchors for each place: a number, or lists of pairs of sizes, one list for each map."""
        value = self._value("anchors")
        if isinstance(value, list) and value and all(isinstance(one, list) and len(one) == len(value[0]) for one in value):
            return max(len(value[0]) // 2, 1)
        if value is None or is_count(value):
            return value
        self._wrong("anchors", "a number, or equally long lists")
        return None

    def _points(self) -> int | None:
        value = self._value("kpt_shape")
        if value is None:
            return None
        if isinstance(value, list) and len(value) == 2 and all(map(is_count, value)):
            return int(value[0] * value[1])
        self._wrong("kpt_shape", "two positive integers")
        return None

    def _activation(self) -> str:
        """The layer in our notation. Its Python is parsed, and not executed."""
        value = self._value("activation")
        if value is None:
            return "SiLU"
        node = python(value) if isinstance(value, str) and value.rstrip().endswith(")") else None
        try:
            if node is not None:
                return written(node)
        except Unwritable:
            pass
        self._wrong("activation", "a layer of torch, such as `nn.ReLU()`")
        return "SiLU"

    # --- scales ----------------------------------------------------------------------------------

    def _scales(self) -> dict[str, tuple[float, float, int | None]]:
        tree = self.tree.get("scales")
        if tree is None:
            return {}
        if not isinstance(tree, Mapping) or not tree.entries:
            self._wrong("scales", "a mapping such as `{n: [0.33, 0.25, 1024]}`")
            return {}
        return {str(key.value): found for key, value in tree.entries if (found := self._one_scale(key, value))}

    def _one_scale(self, key: Scalar, tree: Tree) -> tuple[float, float, int | None] | None:
        match plain(tree):
            case [depth, width, most] if is_positive(depth) and is_positive(width) and is_count(most):
                return float(depth), float(width), most
        if not re.fullmatch(r"\w{1,16}", str(key.value)):
            self.faults.add(f"`{shorten(str(key.value))}` cannot be the name of a scale", key.span, "write a letter")
        self.faults.add(
            f"the scale `{shorten(str(key.value))}` expects depth, width and the most channels, got {shown(tree)}", tree.span,
            "such as `[0.33, 0.25, 1024]`",
        )  # fmt: skip
        return None

    def _scale(self, scales: dict[str, Any], asked: str | None, letter: str | None) -> str:
        """The scale that was asked for, or that of the file's name, or of its key, or the first."""
        wanted = asked or letter or self._value("scale")
        if asked is None and not scales:
            return letter or ""
        if wanted is None or wanted in scales:
            return wanted or next(iter(scales))
        help = f"it has {', '.join(f'`{name}`' for name in scales)}" if scales else "it has no `scales`"
        place = self.tree.keys["scales"].span if "scales" in self.tree.keys else self.tree.span.part(0, 0)
        if not (place.source is self.source and self.tree.get("scales") and not scales):
            self.faults.add(f"the file has no scale `{shorten(str(wanted))}`", place, help)
        return ""

    # --- rows ------------------------------------------------------------------------------------

    def _rows(self) -> tuple[Row, ...]:
        trees: list[Tree] = []
        for key in ("backbone", "head"):
            part = self.tree.get(key)
            if part is None:
                help = did_you_mean(key, self.tree.keys) and f"`{key}` is a list of rows; {_SHAPE}"
                self.faults.add(f"the model file has no `{key}`", self.tree.span.part(0, 0), help or _EXAMPLE)
            elif isinstance(part, Listing):
                trees += part.items
            elif not (isinstance(part, Scalar) and part.value is UNKNOWN):
                self.faults.add(f"`{key}` expects a list of rows, got {shown(part)}", part.span, _SHAPE)
        rows = [self._row(index, tree) for index, tree in enumerate(trees)]
        if not trees and not self.faults.found:
            self.faults.add("the model file has no rows", self.tree.span.part(0, 0), _SHAPE)
        return tuple(row for row in rows if row)

    def _row(self, index: int, tree: Tree) -> Row | None:
        if not isinstance(tree, Listing) or len(tree.items) != 4:
            if not (isinstance(tree, Scalar) and tree.value is UNKNOWN):
                self.faults.add(f"row {index} expects four items, got {shown(tree)}", tree.span, _SHAPE)
            return None
        origin, number, module, arguments = tree.items
        sources = self._sources(index, origin)
        if not (isinstance(number, Scalar) and is_count(number.value)):
            self.faults.add(f"the number of row {index} expects a positive integer, got {shown(number)}", number.span)
            sources = None
        if not (isinstance(module, Scalar) and isinstance(module.value, str)):
            self.faults.add(f"the module of row {index} expects a name, got {shown(module)}", module.span)
            sources = None
        if not isinstance(arguments, Listing):
            self.faults.add(f"the arguments of row {index} expect a list, got {shown(arguments)}", arguments.span)
            sources = None
        if sources is None:
            return None
        assert isinstance(number, Scalar) and isinstance(module, Scalar) and isinstance(arguments, Listing)
        several = isinstance(origin, Listing)
        repeats, name = int(number.value or 1), str(module.value)
        return Row(index, sources, several, repeats, name, arguments.items, module.span, tree.span)

    def _sources(self, index: int, tree: Tree) -> tuple[int, ...] | None:
        listed = isinstance(tree, Listing)
        items = tree.items if isinstance(tree, Listing) else (tree,)
        found = [self._one_source(index, item, listed) for item in items]
        if not items:
            self.faults.add(f"row {index} takes no tensor", tree.span, "`-1` is the row before")
        return None if None in found or not found else tuple(source for source in found if source is not None)

    def _one_source(self, index: int, tree: Tree, listed: bool) -> int | None:
        value = tree.value if isinstance(tree, Scalar) else None
        if not isinstance(value, int) or isinstance(value, bool):
            self.faults.add(f"`from` of row {index} expects the number of a row, got {shown(tree)}", tree.span, "`-1` is the row before")
            return None
        source = value if value >= 0 else index + value
        if source == -1 == value:
            return source
        if not 0 <= source < index:
            reach = f"the rows before are 0 to {index - 1}" if index else "the first row takes the input, `-1`"
            self.faults.add(f"row {index} takes the tensor of row {value}, which is not before it", tree.span, f"{reach}; `-1` is the last of them" if index else reach)
            return None
        return source


def _with_letter(stem: str, scale: str) -> str:
    """``yolov8-seg`` with ``s`` is ``yolov8s-seg``."""
    return re.sub(r"^(yolo(?:e-)?v?\d+)(?=$|\W)", rf"\g<1>{scale}", stem)


def value_of(tree: Tree) -> Any:
    """The value of an argument. Ultralytics writes Python's ``None``, which is a text in YAML."""
    value = plain(tree)
    if isinstance(value, list):
        return [None if item == "None" else item for item in value]
    return None if value == "None" else value


def shown(tree: Tree) -> str:
    return "nothing" if isinstance(tree, Scalar) and tree.value is None else got(plain(tree))


def is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def is_positive(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
