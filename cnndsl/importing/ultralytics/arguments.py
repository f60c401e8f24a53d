"""The arguments of a row, in our notation: each is what its name in the block says it may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cnndsl.importing.ultralytics.library import Definition
from cnndsl.importing.ultralytics.model_file import Faults, ModelFile, Row, is_count, is_positive, shown, value_of
from cnndsl.spec.tree import UNKNOWN, Scalar, Tree

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
        if not self.model.scales and self.model.width in (None, 1):
            return -(-count // 8) * 8
        self.widths.add(count)
        return f"$c{count}"

    def number(self, count: int) -> int | str:
        """``max(round(count * depth), 1)``, likewise."""
        if count == 1 or (not self.model.scales and self.model.depth in (None, 1)):
            return count
        self.depths.add(count)
        return f"$n{count}"


class _Unfit(Exception):
    """Holds what is expected."""


def _channels(values: Values, value: Any) -> Any:
    if value == "nc":
        value = values.model.classes
    if is_count(value):
        return values.channels(value)
    raise _Unfit("a positive integer")


def _count(values: Values, value: Any) -> Any:
    if is_count(value):
        return value
    raise _Unfit("a positive integer")


def _classes(values: Values, value: Any) -> Any:
    if value == "nc":
        if values.model.classes is None:
            raise _Unfit("a number, or `nc`, which the file does not set")
        return "$nc"
    return _count(values, value)


def _points(values: Values, value: Any) -> Any:
    if value == "kpt_shape" and values.model.points:
        return values.model.points
    if isinstance(value, list) and len(value) == 2 and all(map(is_count, value)):
        return value[0] * value[1]
    raise _Unfit("`kpt_shape`, which is two positive integers")


def _counts(values: Values, value: Any) -> Any:
    if isinstance(value, list) and value and all(map(is_count, value)):
        return value
    raise _Unfit("a list of positive integers")


def _size(values: Values, value: Any) -> Any:
    if is_count(value) or (isinstance(value, list) and len(value) == 2 and all(map(is_count, value))):
        return value
    raise _Unfit("a positive integer or two")


def _padding(values: Values, value: Any) -> Any:
    for one in value if isinstance(value, list) and len(value) == 2 else [value]:
        if not (one == 0 or is_count(one) or one is value is None) or isinstance(one, bool):
            raise _Unfit("an integer, two, or `None`")
    return value


def _ratio(values: Values, value: Any) -> Any:
    if is_positive(value):
        return value
    raise _Unfit("a positive number")


def _flag(values: Values, value: Any) -> Any:
    if isinstance(value, bool):
        return value
    raise _Unfit("`True` or `False`")


def _activation(values: Values, value: Any) -> Any:
    return OMITTED if _flag(values, value) else None


def _no_attention(values: Values, value: Any) -> Any:
    if value is False:
        return OMITTED
    raise _Unfit("`False`: the language has no attention")


def _ignored(values: Values, value: Any) -> Any:
    return OMITTED


_COUNTS = ("groups", "dilation", "pools", "inner", "hidden", "repeats", "width", "out_channels", "masks", "angles")
_KINDS: dict[str, Callable[[Values, Any], Any]] = {
    **dict.fromkeys(_COUNTS, _count),
    **dict.fromkeys(("channels", "protos"), _channels),
    **dict.fromkeys(("kernel_size", "stride"), _size),
    **dict.fromkeys(("outputs", "kernel_sizes"), _counts),
    **dict.fromkeys(("shortcut", "c3k", "lk", "bn", "first"), _flag),
    "classes": _classes,
    "points": _points,
    "padding": _padding,
    "expansion": _ratio,
    "act": _activation,
    "_attention": _no_attention,
}


def arguments_of(row: Row, block: Definition, values: Values, faults: Faults) -> dict[str, Any]:
    """The arguments by name, without those that are the default; faults are added to ``faults``."""
    names = _OTHERS.get(block.name) or tuple(name for name in block.parameters if name != "depth")
    for tree in row.arguments[len(names) :]:
        most = f"at most {len(names)} arguments" if len(names) > 1 else "one argument"
        faults.add(f"`{row.module}` takes {most}", tree.span, ", ".join(f"`{name.strip('_')}`" for name in names))
    missing = [f"`{name}`" for name in names[len(row.arguments) :] if name in block.required]
    if missing:
        faults.add(f"`{row.module}` needs {' and '.join(missing)}", row.place)
    found = {
        name: _value(name, tree, _KINDS.get(name, _ignored), values, faults) for name, tree in zip(names, row.arguments)
    }
    return {name: value for name, value in found.items() if value is not OMITTED}


def _value(name: str, tree: Tree, kind: Callable[[Values, Any], Any], values: Values, faults: Faults) -> Any:
    if isinstance(tree, Scalar) and tree.value is UNKNOWN:
        return OMITTED
    try:
        return kind(values, value_of(tree))
    except _Unfit as unfit:
        faults.add(f"`{name.strip('_')}` expects {unfit}, got {shown(tree)}", tree.span)
        return OMITTED


def written(name: str, block: Definition, arguments: dict[str, Any]) -> dict[str, Any]:
    """The call of a block: by position if the arguments are its first ones, and else by name."""
    if not arguments:
        return {name: ()}
    if (*arguments,) == block.parameters[: len(arguments)]:
        positional = [*arguments.values()]
        return {name: positional if len(positional) > 1 or isinstance(positional[0], list) else positional[0]}
    return {name: arguments}
