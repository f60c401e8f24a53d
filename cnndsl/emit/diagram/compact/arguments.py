"""Which arguments a compact figure writes, and how: those that a reader needs, and all in which uses of a block differ.

A box in the drawing of a block stands for a layer in every use of it, so an argument may have several values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any

from cnndsl.emit.diagram.compact.items import Cell
from cnndsl.emit.diagram.labels import clean, plain, required
from cnndsl.emit.table import arguments
from cnndsl.graph.graph import Apply, Module
from cnndsl.layers import Layer
from cnndsl.layers.kinds import PerAxis
from cnndsl.spec.signature import Parameter
from cnndsl.spec.values import CallValue, Expression, Literal, Value

#: Arguments that a reader of a figure does not look for.
NOISE = (
    "inplace", "eps", "momentum", "affine", "elementwise_affine", "track_running_stats", "ceil_mode", "align_corners",
    "count_include_pad", "antialias", "recompute_scale_factor", "approximate", "start_dim", "end_dim", "init",
)  # fmt: skip
#: Those that follow from the shape of the input.
FOLLOWS = ("normalized_shape",)
#: Optional arguments that need no name.
UNNAMED = ("p", "mode", "dim")
#: The arguments of a block have no more characters, if there are fewer to choose.
ROOM = 36


# Of layers


def layer_arguments(applied: Sequence[Apply], verbose: bool) -> Iterator[str]:
    """The arguments to write, required ones without their names."""
    layer = applied[0].layer
    given = {name for each in applied for name in arguments(each)}
    for name in layer.arguments:
        if name not in given or (not verbose and _goes_without_saying(applied, name)):
            continue
        values = [each.layer.values[name] for each in applied]
        written = next((each.written[name] for each in applied if name in each.written), None)
        if name == "groups" and not verbose and all(map(_is_depthwise, applied)):
            yield "depthwise"
        elif layer.arguments[name].required:
            texts = [_required(layer, name, value) for value in values]
            window = isinstance(layer.arguments[name].kind, PerAxis)
            yield written_value(values, None if window else written, texts)
        elif name in UNNAMED and not verbose:
            yield written_value(values)
        else:
            same = isinstance(written, Expression) and written.text == name  # `groups groups` says nothing
            yield f"{name}\u00a0{written_value(values, None if same else written)}"
    if "parametrization" in given:
        by = written_value([str(each.layer.parametrization or "none") for each in applied])
        yield f"parametrization\u00a0{by}" if "\u00a0or\u00a0" in by else by


def _required(layer: Layer, name: str, value: object) -> str:
    return _number(value) if isinstance(value, float) else required(layer, name, value)


def _is_depthwise(apply: Apply) -> bool:
    return bool(apply.layer.values["groups"] == apply.input.shape[1] and apply.layer.values["groups"] > 1)


def _goes_without_saying(applied: Sequence[Apply], name: str) -> bool:
    """Whether an argument says little, or follows from the rest. One in which uses differ says much."""
    if name in ("scale_factor", "size", "upscale_factor", "stride"):
        return bool(scale(applied))
    if name == "padding":
        return all(map(_keeps_size, applied))
    if name in FOLLOWS:
        return True
    little = name in NOISE or (name, applied[0].layer.family) in (("bias", "convolution"), ("mode", "dropout"))
    return little and len({repr(each.layer.values[name]) for each in applied}) == 1


def _keeps_size(apply: Apply) -> bool:
    """Whether a padding is half of the window, as usual."""
    layer = apply.layer
    values = layer.values
    if values["padding"] == "same":
        return True
    axes = (layer.axes(values[name]) if name in values else (1,) * (layer.dims or 0) for name in
            ("padding", "kernel_size", "dilation"))  # fmt: skip
    return all(padding == dilation * (kernel - 1) // 2 for padding, kernel, dilation in zip(*axes))


def scale(applied: Sequence[Apply]) -> str:
    """``/2`` if a layer halves the picture by the same stride along all axes, ``↑2`` if it enlarges it; ``/1 or /2`` if
    uses differ in it. Nothing if there is more to say."""
    if applied[0].layer.family == "upsampling":
        scales = {change(each.input.shape.sample[1:], each.output.shape.sample[1:]) for each in applied}
        return scales.pop() if len(scales) == 1 else ""
    strides = {each.layer.axes(_stride(each)) for each in applied}
    if any(len(set(axes)) != 1 for axes in strides):
        return ""
    factors = sorted(axes[0] for axes in strides)
    if factors == [1] or len(factors) > 3:
        return ""
    sign = "↑" if applied[0].kind.startswith("ConvTranspose") else "/"
    return "\u00a0or\u00a0".join(f"{sign}{factor}" for factor in factors)


def _stride(apply: Apply) -> Any:
    values = apply.layer.values
    if "stride" not in values or apply.layer.dims is None:
        return 1
    return values["kernel_size"] if values["stride"] is None else values["stride"]


# Of blocks


def call(cell: Cell) -> str:
    """The arguments of a block, the first without its name. If those of a run differ, its channels from the first to
    the last; if they are many, also those that tell the boxes of a drawing apart, as many as there is room for."""
    modules = [module for module in cell.drawn[0] if isinstance(module, Module)]
    first, last = modules[0], modules[cell.times[-1] - 1]
    if channels(first) != channels(last):
        return f"{channels(first)}\u00a0…\u00a0{channels(last)}"
    uses = cell.group.modules if cell.group else modules
    shown = [parameter for parameter in first.definition.parameters if _is_told(parameter, modules, uses)]
    if "stride" in first.params and (change_of(cell) or all(module.params["stride"] == 1 for module in modules)):
        shown = [parameter for parameter in shown if parameter.name != "stride"]
    differing = [parameter for parameter in shown if _differs(parameter, modules, uses)]
    if differing and shown[0] is first.definition.parameters[0]:
        differing = [*dict.fromkeys((shown[0], *differing))]
    several = len(modules) > cell.times[-1]
    fewer = (each[:count] for each in (differing, shown) for count in range(len(each), 0, -1))
    for parameters in (shown, *fewer):
        text = clean(", ".join(_argument(parameter, modules, several) for parameter in parameters))
        if len(text) <= ROOM:
            return text
    return ""


def _argument(parameter: Parameter, modules: Sequence[Module], several: bool) -> str:
    """An argument. Only ``several`` uses of a drawing have no values of their own."""
    first = modules[0]
    values = [module.params[parameter.name] for module in modules]
    text = written_value(values, first.written.get(parameter.name) if several else None)
    unnamed = parameter is first.definition.parameters[0] and parameter.default is None
    return text if unnamed and not isinstance(values[0], bool) else f"{parameter.name}\u00a0{text}"


def _differs(parameter: Parameter, modules: Sequence[Module], uses: Sequence[Module]) -> bool:
    """Whether an argument tells some modules from other uses of their block."""
    here, all_ = ({_number(module.params[parameter.name]) for module in each} for each in (modules, uses))
    return here != all_


def _is_told(parameter: Parameter, modules: Sequence[Module], uses: Sequence[Module]) -> bool:
    """Whether a reader looks for an argument: for numbers, and for any that comes first or tells boxes apart."""
    values = [module.params[parameter.name] for module in modules]
    looked = parameter is modules[0].definition.parameters[0] or _differs(parameter, modules, uses)
    return (looked or all(map(_is_count, values))) and not _is_default(parameter, values)


def _is_default(parameter: Parameter, values: Sequence[object]) -> bool:
    default = parameter.default
    return isinstance(default, Literal) and all(value == default.value for value in values)


def _is_count(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_count, value))
    return isinstance(value, int) and not isinstance(value, bool)


def channels(module: Module) -> int:
    return int(module.output.shape.sample[0])


def change_of(cell: Cell) -> str:
    modules = [module for module in cell.drawn[0] if isinstance(module, Module)]
    if len(modules[0].given) > 1:
        return ""
    scales = {change(module.input.shape.sample[1:], module.output.shape.sample[1:]) for module in modules}
    return scales.pop() if len(scales) == 1 else ""


def change(before: Sequence[int], after: Sequence[int]) -> str:
    """``/2`` for a picture that gets half as large along each axis, ``↑2`` for one that gets twice as large."""
    if len(before) != len(after) or not before:
        return ""
    for one, two, sign in ((before, after, "/"), (after, before, "↑")):
        ratios = {round(a / b) for a, b in zip(one, two)}
        if len(ratios) == 1 and 1 < min(ratios) <= 64 and all(a > b for a, b in zip(one, two)):
            return f"{sign}{ratios.pop()}"
    return ""


# Values


def written_value(values: Sequence[object], written: Value | None = None, texts: Sequence[str] = ()) -> str:
    """A value. If uses of a block differ in it, what the spec has ``written``; else one or the other, or from the least
    to the most. It has no space at which a line may break."""
    return _joined(values, written, texts).replace(" ", "\u00a0")


def _joined(values: Sequence[Any], written: Value | None, texts: Sequence[str]) -> str:
    pairs = [*zip(values, texts or [_number(value) for value in values])]
    numbers = [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
    pairs.sort(key=itemgetter(0 if len(numbers) == len(values) else 1))
    few = list(dict.fromkeys(text for _, text in pairs))
    if len(few) == 1:
        return few[0]
    counts = all(isinstance(value, int) for value in values) and (len(few) > 3 or max(numbers, default=0) > 16)
    if isinstance(written, Expression) and len(written.text) <= 24 and counts:
        return written.text.removeprefix("(").removesuffix(")") if written.text.startswith("(") else written.text
    if len(few) > 3 or (len(few) > 2 and isinstance(pairs[0][0], float)):
        return f"{few[0]} … {few[-1]}" if len(numbers) == len(values) else "…"
    return " or ".join(few)


def _number(value: object) -> str:
    if isinstance(value, CallValue):
        given = [*value.arguments.positional, *(keyword.value for keyword in value.arguments.keywords)]
        return " ".join([value.name, *(_number(each.value) if isinstance(each, Literal) else "…" for each in given)])
    return f"{value:.3g}" if isinstance(value, float) else plain(value)
