"""The arguments of a row, in our notation: each is what its name in the block says it may be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from cnndsl.diagnostics import Code
from cnndsl.importing.ultralytics.library import Definition
from cnndsl.importing.ultralytics.model_file import (
    Faults,
    ModelFile,
    Row,
    are_counts,
    is_count,
    is_positive,
    value_of,
)  # fmt: skip
from cnndsl.spec.tree import Tree

#: The arguments of rows that are not the parameters of the block, in order. Ultralytics ignores those with `_`.
_OTHERS = {
    "C2fCIB": ("channels", "shortcut", "lk", "_groups", "expansion"),
    "C3Ghost": ("channels", "_shortcut", "_groups", "expansion"),
    "C3k2": ("channels", "c3k", "expansion", "_attention", "groups", "shortcut"),
    "RepConv": ("_in_channels", "out_channels", "kernel_size", "stride", "padding", "groups", "_dilation", "act", "bn"),
    "ResNetLayer": ("_in_channels", "width", "stride", "first", "repeats", "expansion"),
    "Detect": ("classes",),
    "DetectEndToEnd": ("classes",),
    "Segment": ("classes", "masks", "protos"),
    "Pose": ("classes", "points"),
    "OBB": ("classes", "angles"),
    "SPPF": ("channels", "kernel_size", "pools", "shortcut"),
}
#: The value of an argument that is left out, because it is the default.
OMITTED: Any = object()


class Values:
    """Numbers in our notation. It keeps in mind which channels and which numbers of modules are scaled."""

    def __init__(self, model: ModelFile) -> None:
        self.model = model
        self.widths: set[int] = set()
        self.depths: set[int] = set()

    def channels(self, count: int) -> int | str:
        """``make_divisible(min(count, max_channels) * width, 8)``, as a parameter if it depends on the scale."""
        if not (self.model.scales or self.model.width != 1):
            return -(-count // 8) * 8
        self.widths.add(count)
        return f"$c{count}"

    def number(self, count: int) -> int | str:
        """``max(round(count * depth), 1)``, likewise."""
        if count == 1 or not (self.model.scales or self.model.depth != 1):
            return count
        self.depths.add(count)
        return f"$n{count}"


class _Unfit(Exception):
    """Holds what is expected, and the code of the fault."""

    def __init__(self, expected: str, code: Code = Code.MODEL_FILE) -> None:
        self.expected, self.code = expected, code


_Kind: TypeAlias = Callable[[Values, Any], Any]


def _where(fits: Callable[[Any], bool], expected: str) -> _Kind:
    """A value that is written as it is."""

    def kind(values: Values, value: Any) -> Any:
        if fits(value):
            return value
        raise _Unfit(expected)

    return kind


def _is_size(value: object) -> bool:
    return is_count(value) or are_counts(value, 2)


def _is_padding(value: object) -> bool:
    sides = value if isinstance(value, list) and len(value) == 2 else [value]
    return value is None or all(is_count(side) or (side == 0 and side is not False) for side in sides)


_count = _where(is_count, "a positive integer")
_flag = _where(lambda value: isinstance(value, bool), "`True` or `False`")


def _channels(values: Values, value: Any) -> Any:
    return values.channels(_count(values, values.model.classes if value == "nc" else value))


def _classes(values: Values, value: Any) -> Any:
    if value == "nc":  # of a file without it, that is told
        return "$nc"
    if is_count(value):
        return value
    raise _Unfit("`nc` or a positive integer")


def _points(values: Values, value: Any) -> Any:
    if value == "kpt_shape" and values.model.points:
        return values.model.points
    if are_counts(value, 2):
        return value[0] * value[1]
    raise _Unfit("`kpt_shape`, which is two positive integers")


def _activation(values: Values, value: Any) -> Any:
    return OMITTED if _flag(values, value) else None


def _no_attention(values: Values, value: Any) -> Any:
    if value is False:
        return OMITTED
    raise _Unfit("`False`, since the language has no attention", Code.SEQUENCE)


def _ignored(values: Values, value: Any) -> Any:
    return OMITTED


_COUNTS = ("groups", "dilation", "pools", "inner", "hidden", "repeats", "width", "out_channels", "masks", "angles")
_KINDS: dict[str, _Kind] = {
    **dict.fromkeys(_COUNTS, _count),
    **dict.fromkeys(("channels", "protos"), _channels),
    **dict.fromkeys(("kernel_size", "stride"), _where(_is_size, "a positive integer or two")),
    **dict.fromkeys(("outputs", "kernel_sizes"), _where(are_counts, "a list of positive integers")),
    **dict.fromkeys(("shortcut", "c3k", "lk", "bn", "first"), _flag),
    "classes": _classes,
    "points": _points,
    "padding": _where(_is_padding, "an integer, two, or `None`"),
    "expansion": _where(is_positive, "a positive number"),
    "act": _activation,
    "_attention": _no_attention,
}


def arguments_of(row: Row, block: Definition, values: Values, faults: Faults) -> dict[str, Any]:
    """The arguments by name, without those that are the default; faults are added to ``faults``."""
    names = _OTHERS.get(block.name) or tuple(name for name in block.parameters if name != "depth")
    check_count(row, [name.strip("_") for name in names], faults)
    missing = [f"`{name}`" for name in names[len(row.arguments) :] if name in block.required]
    if missing:
        faults.add(f"`{row.module}` needs {' and '.join(missing)}", row.place)
    found = {name: _value(name, tree, values, faults) for name, tree in zip(names, row.arguments)}
    return {name: value for name, value in found.items() if value is not OMITTED}


def check_count(row: Row, names: Sequence[str], faults: Faults) -> None:
    for tree in row.arguments[len(names) :]:
        most = f"at most {len(names)} arguments" if len(names) > 1 else "one argument"
        faults.add(f"`{row.module}` takes {most}", tree.span, f"these are {', '.join(f'`{name}`' for name in names)}")


def _value(name: str, tree: Tree, values: Values, faults: Faults) -> Any:
    try:
        return _KINDS.get(name, _ignored)(values, value_of(tree))
    except _Unfit as unfit:
        faults.misfit(f"`{name.strip('_')}`", unfit.expected, tree, code=unfit.code)
        return OMITTED


def written(block: Definition, arguments: dict[str, Any]) -> dict[str, Any]:
    """The call of a block: by position if the arguments are its first ones, and else by name."""
    if (*arguments,) != block.parameters[: len(arguments)]:
        return {block.name: arguments}
    positional = [*arguments.values()]
    alone = len(positional) == 1 and not isinstance(positional[0], list)
    return {block.name: positional[0] if alone else positional or ()}
