"""The YAML of a model file -> :class:`ModelFile`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from cnndsl.diagnostics import Diagnostic, SpecError, did_you_mean, shorten
from cnndsl.importing.ultralytics.model_file import (
    Faults,
    ModelFile,
    Row,
    Scale,
    are_counts,
    is_count,
    is_positive,
)  # fmt: skip
from cnndsl.importing.ultralytics.row_reader import SHAPE, read_row
from cnndsl.source import Source, Span
from cnndsl.spec.files import read_text
from cnndsl.spec.names import unusable_variable
from cnndsl.spec.notation import Unwritable, python, written
from cnndsl.spec.tree import Listing, Mapping, Scalar, Tree, Unreadable, plain, read

#: The keys that decide on the network, and others that model files have.
_KEYS = (
    "nc", "scales", "scale", "depth_multiple", "width_multiple", "activation", "kpt_shape", "reg_max", "end2end",
    "anchors", "ch", "channels", "backbone", "head",
)  # fmt: skip
_OTHERS = ("names", "task", "path", "yaml_file", "text_model", "stride")
_EXAMPLE = "a model file has `nc`, `backbone` and `head`"
#: The letter of the scale in the name of a file.
_LETTER = re.compile(r"(yolo(?:e-)?v?\d+)([nslmx])(?![a-z])")
#: The parameters of the spec, which no scale may be called.
_TAKEN = re.compile(r"nc|scale|size|depth|width|max_channels|large|activation|reg_max|[cn]\d+")


def read_model_file(path: Path, scale: str | None, name: str) -> tuple[ModelFile, Faults]:
    """Raises :class:`SpecError` if there is no file, or no mapping in it."""
    letter = _LETTER.search(path.stem)
    whole = path.with_name(path.name.replace(letter[0], letter[1], 1)) if letter else path
    try:
        source = read_text(whole if whole.exists() and not path.exists() else path)
        if not re.search(r"^\s*[^\s#]", source.text, re.MULTILINE):
            faults = Faults()
            faults.add("the file is empty", Span(source, 0, 0), _EXAMPLE)
            raise Unreadable(*faults.found)
        tree, unread = read(source)
    except Unreadable as unreadable:
        raise SpecError(unreadable.diagnostics) from None
    reader = _Reader(source, tree, unread)
    model = reader.model(scale, letter[2] if letter else "")
    called = path.stem if letter or not model.scale else _with_letter(path.stem, model.scale)
    return replace(model, name=name or called), reader.faults


class _Reader:
    """Reads key by key."""

    def __init__(self, source: Source, tree: Tree, unread: list[Diagnostic]) -> None:
        self.source = source
        self.faults = Faults()
        self.faults.found += unread
        if not isinstance(tree, Mapping):
            self.faults.misfit("a model file", "keys", tree, _EXAMPLE)
            raise SpecError(self.faults.found)
        if {"input", "network"} <= tree.keys.keys():
            help = "model files of Ultralytics have `backbone` and `head`"
            self.faults.add("the file is a spec already", tree.keys["network"].span, help)
            raise SpecError(self.faults.found)
        self.tree = tree
        self.start = tree.span.part(0, 0)

    def model(self, asked: str | None, letter: str) -> ModelFile:
        self._check_keys()
        scales = self._scales()
        scale = self._scale(scales, asked, letter)
        skeleton = self._value("kpt_shape", lambda value: are_counts(value, 2), "two positive integers")
        rows = tuple(row for index, tree in enumerate(self._rows()) if (row := read_row(index, tree, self.faults)))
        self._check_classes(rows)
        return ModelFile(
            source=self.source,
            rows=rows,
            scales=scales,
            scale=scale,
            depth=self._value("depth_multiple", is_positive, "a positive number") or 1.0,
            width=self._value("width_multiple", is_positive, "a positive number") or 1.0,
            activation=self._activation(),
            channels=self._count("channels") or self._count("ch") or 3,
            bins=self._count("reg_max") or 16,
            classes=self._count("nc"),
            anchors=self._anchors(),
            points=skeleton and skeleton[0] * skeleton[1],
            end_to_end=bool(self._value("end2end", lambda value: isinstance(value, bool), "`true` or `false`")),
        )

    def _check_keys(self) -> None:
        """Other keys may be anything, but not a misspelt one that decides on the network."""
        for name, key in self.tree.keys.items():
            if name not in (*_KEYS, *_OTHERS) and (help := did_you_mean(name, _KEYS)):
                self.faults.add(f"unknown key `{shorten(name)}`", key.span, help)

    def _check_classes(self, rows: tuple[Row, ...]) -> None:
        """Rows name the number of classes, which the file then has."""
        taken = [item.span for row in rows for item in row.arguments if isinstance(item, Scalar) and item.value == "nc"]
        if taken and "nc" not in self.tree.keys:
            self.faults.add("the model file has no `nc`", taken[0], "write the number of classes: `nc: 80`")

    def _value(self, key: str, fits: Callable[[Any], bool], expected: str) -> Any:
        """The value of a key, None if it is absent or does not fit."""
        tree = self.tree.get(key)
        if tree is None or (value := plain(tree)) is None or fits(value):
            return None if tree is None else value
        self.faults.misfit(f"`{key}`", expected, tree)
        return None

    def _count(self, key: str) -> Any:
        return self._value(key, is_count, "a positive integer")

    def _anchors(self) -> int | None:
        """A number, or lists of widths and heights, one list for each map."""
        lists = self._value("anchors", lambda value: is_count(value) or _are_alike(value), "a number, or alike lists")
        return max(len(lists[0]) // 2, 1) if isinstance(lists, list) else lists

    def _activation(self) -> str:
        """The layer in our notation. Its Python is parsed, and not executed."""
        called = self._value("activation", lambda value: _layer(value) != "", "a layer of torch, such as `nn.ReLU()`")
        return _layer(called) if called else "SiLU"

    # --- scales ----------------------------------------------------------------------------------

    def _scales(self) -> dict[str, Scale]:
        tree = self.tree.get("scales")
        if isinstance(tree, Mapping) and tree.entries:
            return {str(key.value): scale for key, value in tree.entries if (scale := self._one_scale(key, value))}
        if tree is not None:
            self.faults.misfit("`scales`", "a mapping", tree, "`scales: {n: [0.33, 0.25, 1024]}`")
        return {}

    def _one_scale(self, key: Scalar, tree: Tree) -> Scale | None:
        name = shorten(str(key.value))
        if unusable_variable(name) or _TAKEN.fullmatch(name):
            self.faults.add(f"a scale of a spec cannot be called `{name}`", key.span, "call it by a letter: `n`")
        match plain(tree):
            case [depth, width, most] if is_positive(depth) and is_positive(width) and is_count(most):
                return Scale(float(depth), float(width), most)
        self.faults.misfit(f"the scale `{name}`", "depth, width and the most channels", tree, "`[0.33, 0.25, 1024]`")
        return None

    def _scale(self, scales: dict[str, Scale], asked: str | None, letter: str) -> str:
        """What was asked for, or the letter of the file's name, or the file's own, or the first."""
        known = self.tree.keys.get("scales")
        if not scales and (known or asked is None):
            return "" if known else letter
        own = self._value("scale", lambda value: isinstance(value, str), "the name of a scale")
        wanted = next((one for one in (asked, letter, own) if one), None) or next(iter(scales), "")
        if wanted not in scales:
            help = f"it has {', '.join(f'`{name}`' for name in scales)}" if scales else "it has no `scales`"
            self.faults.add(f"the file has no scale `{shorten(wanted)}`", known.span if known else self.start, help)
        return wanted

    # --- rows ------------------------------------------------------------------------------------

    def _rows(self) -> list[Tree]:
        found: list[Tree] = []
        for key in ("backbone", "head"):
            tree = self.tree.get(key)
            if tree is None:
                self.faults.add(f"the model file has no `{key}`", self.start, _EXAMPLE)
            elif isinstance(tree, Listing):
                found += tree.items
            elif not (isinstance(tree, Scalar) and tree.value is None):
                self.faults.misfit(f"`{key}`", "a list of rows", tree, SHAPE)
        if not found and {"backbone", "head"} <= self.tree.keys.keys():
            self.faults.add("the model file has no rows", self.start, SHAPE)
        return found


def _with_letter(stem: str, scale: str) -> str:
    """``yolov8-seg`` with ``s`` is ``yolov8s-seg``."""
    return re.sub(r"^(yolo(?:e-)?v?\d+)(?![A-Za-z0-9])", rf"\g<1>{scale}", stem)


def _are_alike(value: object) -> bool:
    """Whether it is a list of equally long lists."""
    lists = value if isinstance(value, list) else []
    return bool(lists) and all(isinstance(one, list) and one and len(one) == len(lists[0]) for one in lists)


def _layer(value: object) -> str:
    """A call of a layer in Python as a spec writes it, "" for anything else."""
    node = python(value) if isinstance(value, str) and value.endswith(")") else None
    try:
        return written(node) if node else ""
    except Unwritable:
        return ""
