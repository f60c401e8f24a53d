"""What a compact figure writes into a box: the layer with the arguments that a reader needs.

``Conv2d 64, 3x3 /2 · BN · ReLU``: what follows from the rest, or changes no shape, is left out unless ``verbose``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cnndsl.emit.diagram.compact.fuse import is_main_layer
from cnndsl.emit.diagram.compact.items import Cell, Group, Times
from cnndsl.emit.diagram.labels import SIGNS, TIMES, plain, required
from cnndsl.emit.diagram.picture import Line, Piece
from cnndsl.emit.diagram.themes import Mark
from cnndsl.emit.table import arguments
from cnndsl.graph.graph import Apply, Module, Operation
from cnndsl.layers import Layer
from cnndsl.layers.kinds import PerAxis
from cnndsl.printable import one_line
from cnndsl.spec.signature import Parameter
from cnndsl.spec.values import Expression, Literal, Value

#: How papers shorten the names of layers.
SHORT = {
    **dict.fromkeys(("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "FrozenBatchNorm2d"), "BN"),
    **dict.fromkeys(("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"), "IN"),
    **dict.fromkeys(("LayerNorm", "LayerNorm2d"), "LN"),
    "GroupNorm": "GN",
    "LocalResponseNorm": "LRN",
}
#: Arguments that a reader of a figure does not look for.
NOISE = (
    "inplace", "eps", "momentum", "affine", "elementwise_affine", "track_running_stats", "ceil_mode", "align_corners",
    "count_include_pad", "antialias", "recompute_scale_factor", "normalized_shape", "approximate",
    "start_dim", "end_dim", "init",
)  # fmt: skip
#: Optional arguments that need no name.
UNNAMED = ("p", "mode", "dim")
#: Layers that only reorder values. Beside others they are left out.
QUIET = ("Identity", "Permute")
#: Sizes of text in points: of names, of what is below them, and of shapes.
SIZE, SMALL = 10, 8
#: Lines of a box are broken to be no longer, if they can be.
LONGEST = 210.0


def lines(cell: Cell, verbose: bool, names: bool, inside: str, marks: Mapping[str, Mark]) -> list[Line]:
    """The text of a cell. ``inside`` is the path of the canvas, which names leave out. ``marks`` of operations, by
    their paths, are written where they are not those of all in the cell."""
    if cell.kind in ("end", "rest"):
        return [line([Piece(clean(cell.title))], SIZE)] if cell.title else []
    if cell.kind == "merge":
        return _merge(cell.first)
    if cell.kind == "module":
        return _module(cell, inside)
    found = _layers(cell, verbose, marks)
    if names and (named := _names(cell, inside)):
        found += _wrapped([Piece(named, "muted")], SMALL)
    return found


def repeated(times: Times) -> str:
    """``x3``, or the fewest and the most if uses of a block differ."""
    if times == (1,):
        return ""
    return f"{TIMES}{times[0]}" if len(times) == 1 else f"{TIMES}{times[0]}\u00a0…\u00a0{times[-1]}"


# Merges and modules


def _merge(operation: Operation) -> list[Line]:
    sign = SIGNS.get(operation.kind, operation.kind)
    told = "".join(f", {name} {plain(value)}" for name, value in arguments(operation).items() if name == "dim")
    single = len(sign) == 1
    return [line([Piece(clean(sign + told), "bold" if single else "plain")], 12 if single else SMALL)]


def _module(cell: Cell, inside: str) -> list[Line]:
    """Its block with arguments, then its name, parameters and MACs."""
    first = cell.first
    assert isinstance(first, Module)
    what = f"{first.kind}{letter(cell.group)}" if first.block else _contents(first)
    pieces = [Piece(clean(what), "bold")]
    if told := _call(cell):
        pieces.append(Piece(f" {told}"))
    found = _wrapped([*pieces, *_marks(cell)], SIZE)
    return [*found, *_wrapped([Piece("\u00a0· ".join(_costs(cell, inside)), "muted")], SMALL)]


def letter(group: Group | None) -> str:
    """Tells drawings of one block apart."""
    return f" ({group.letter})" if group and group.letter else ""


def _contents(module: Module) -> str:
    """What a ``sequential`` has in it, if that is one kind of thing: ``3 x BasicBlock``."""
    kinds = [operation.kind for operation in module.operations]
    return f"{len(kinds)} {TIMES} {kinds[0]}" if len(set(kinds)) == 1 and len(kinds) > 1 else "Sequential"


def _call(cell: Cell) -> str:
    """The arguments of a block, the first without its name. If those of a run differ, its channels from the first to
    the last; if they are many, those in which the uses of the block differ, or only its channels."""
    modules = [module for module in cell.drawn[0] if isinstance(module, Module)]
    first, last = modules[0], modules[cell.times[-1] - 1]
    if _channels(first) != _channels(last):
        return f"{_channels(first)}\u00a0…\u00a0{_channels(last)}"
    shown = [parameter for parameter in first.definition.parameters if _is_told(parameter, modules)]
    if "stride" in first.params and (_change(cell) or all(module.params["stride"] == 1 for module in modules)):
        shown = [parameter for parameter in shown if parameter.name != "stride"]
    uses = cell.group.modules if cell.group else modules
    differing = [each for each in shown if len({repr(module.params[each.name]) for module in uses}) > 1]
    for parameters in (shown, differing):
        text = clean(", ".join(_argument(each, modules, each is parameters[0]) for each in parameters))
        if len(text) <= 36:
            return text
    return str(_channels(first)) if len(set(map(_channels, modules))) == 1 else ""


def _argument(parameter: Parameter, modules: Sequence[Module], first: bool) -> str:
    text = _value([module.params[parameter.name] for module in modules], modules[0].written.get(parameter.name))
    return text if first and parameter.default is None else f"{parameter.name}\u00a0{text}"


def _is_told(parameter: Parameter, modules: Sequence[Module]) -> bool:
    values = [module.params[parameter.name] for module in modules]
    return all(map(_is_plain, values)) and not _is_default(parameter, values)


def _is_default(parameter: Parameter, values: Sequence[object]) -> bool:
    default = parameter.default
    return isinstance(default, Literal) and all(value == default.value for value in values)


def _is_plain(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return isinstance(value, int) and not isinstance(value, bool)


def _channels(module: Module) -> int:
    return int(module.output.shape.sample[0])


def _costs(cell: Cell, inside: str) -> list[str]:
    """The name, the parameters and the MACs of a module, all rounds together."""
    modules = [module for module in cell.drawn[0] if isinstance(module, Module)]
    first, last = modules[0], modules[cell.times[-1] - 1]
    name = _named(first, last, inside)
    if name.casefold() == first.kind.casefold():
        name = ""
    told = [clean(name)] if name else []
    if first.reuse:
        return [*told, "the same weights again"]
    # Uses of the canvas differ in cost if their channels do.
    runs = [modules[start : start + cell.times[-1]] for start in range(0, len(modules), cell.times[-1])]
    costs = {(sum(m.cost.params for m in run), sum(m.cost.macs for m in run)) for run in runs}
    if len(cell.times) == len(costs) == 1:
        ((params, macs),) = costs
        told += [f"{brief(params)} params".replace(" ", "\u00a0")]
        told += [f"{brief(macs)} MACs".replace(" ", "\u00a0")] * bool(macs)
    return told


def brief(number: int) -> str:
    """A number of three digits: ``7.61 G``, ``11.7 M``, ``640``."""
    for unit, size in (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= size:
            scaled = number / size
            return f"{scaled:.{2 if scaled < 9.995 else 1 if scaled < 99.95 else 0}f} {unit}"
    return str(number)


def _named(first: Module, last: Module, inside: str) -> str:
    """The name of a module, or its path if the name is a number; nothing if it says nothing."""
    if first.called:
        return first.called
    text = _local(first.path, inside) if first.name.isdecimal() else first.name
    if text.isdecimal():
        return ""
    if first is last:
        return text
    return f"{text}–{last.name}" if first.name.isdecimal() else f"{text}\u00a0…\u00a0{last.name}"  # noqa: RUF001


def _local(path: str, inside: str) -> str:
    return path.removeprefix(f"{inside}.") if inside else path


# Layers


def _layers(cell: Cell, verbose: bool, marks: Mapping[str, Mark]) -> list[Line]:
    shown = [members for members in cell.drawn if verbose or members[0].kind not in QUIET] or [cell.drawn[0]]
    main = next((members for members in shown if is_main_layer(members[0])), shown[0])
    differ = len({marks.get(members[0].path) for members in cell.drawn}) > 1
    pieces: list[Piece] = []
    for place, members in enumerate(shown):
        pieces += [Piece("\u00a0· ")] * bool(place)
        mark = marks.get(members[0].path) if differ else None
        pieces += [Piece(piece.text, mark or piece.look) for piece in _layer(members, members is main, verbose)]
    return _wrapped([*pieces, *_times(cell)], SIZE)


def _layer(members: Sequence[Operation], main: bool, verbose: bool) -> Iterator[Piece]:
    """One layer with its arguments. ``members`` are the layers that it stands for."""
    applied = [member for member in members if isinstance(member, Apply)]
    first = applied[0]
    name = first.kind if verbose else SHORT.get(first.kind, first.kind)
    yield Piece(clean(name), "bold" if main else "plain")
    if first.reuse and first.layer.parameters():
        yield Piece(clean(f", weights of {first.path if first.name.isdecimal() else first.name}"))
        return
    texts = [*_told(applied, verbose)]
    if texts:
        yield Piece(f" {clean(', '.join(texts))}")
    if (mark := _scale(applied)) and not verbose:
        yield Piece(f"\u00a0{mark}", "accent")


def _told(applied: Sequence[Apply], verbose: bool) -> Iterator[str]:
    """The arguments to write, required ones without their names."""
    first = applied[0]
    layer = first.layer
    for name in arguments(first):
        if name not in layer.arguments:  # the parametrization
            yield str(layer.parametrization)
            continue
        if not verbose and _goes_without_saying(applied, name):
            continue
        values = [each.layer.values[name] for each in applied]
        if name == "groups" and not verbose and all(_is_depthwise(each) for each in applied):
            yield "depthwise"
        elif layer.arguments[name].required:
            texts = list(dict.fromkeys(_required(layer, name, value) for value in values))
            window = isinstance(layer.arguments[name].kind, PerAxis)
            yield _value(values, None if window else first.written.get(name), texts)
        elif name in UNNAMED and not verbose:
            yield _value(values)
        else:
            written = first.written.get(name)
            same = isinstance(written, Expression) and written.text == name  # `groups groups` says nothing
            yield f"{name}\u00a0{_value(values, None if same else written)}"


def _required(layer: Layer, name: str, value: object) -> str:
    return _number(value) if isinstance(value, float) else required(layer, name, value)


def _is_depthwise(apply: Apply) -> bool:
    return bool(apply.layer.values["groups"] == apply.input.shape[1] and apply.layer.values["groups"] > 1)


def _goes_without_saying(applied: Sequence[Apply], name: str) -> bool:
    if name == "mode" and applied[0].layer.family == "dropout":
        return True
    if name in NOISE or (name == "bias" and applied[0].layer.family == "convolution"):
        return True
    if name == "padding":
        return all(_keeps_size(each) for each in applied)
    if name in ("scale_factor", "size", "upscale_factor"):
        return bool(_scale(applied))
    if name == "stride":
        return bool(_scale(applied)) or all(set(each.layer.axes(each.layer.values[name])) == {1} for each in applied)
    return False


def _keeps_size(apply: Apply) -> bool:
    """Whether a padding is half of the window, as usual."""
    layer = apply.layer
    values = layer.values
    if values["padding"] == "same":
        return True
    axes = (layer.axes(values[name]) if name in values else (1,) * (layer.dims or 0) for name in
            ("padding", "kernel_size", "dilation"))  # fmt: skip
    return all(padding == dilation * (kernel - 1) // 2 for padding, kernel, dilation in zip(*axes))


def _scale(applied: Sequence[Apply]) -> str:
    """``/2`` if all layers halve the picture by the same stride along all axes, ``↑2`` if they enlarge it."""
    if applied[0].layer.family == "upsampling":
        scales = {change(each.input.shape.sample[1:], each.output.shape.sample[1:]) for each in applied}
        return scales.pop() if len(scales) == 1 else ""
    strides = {each.layer.axes(_stride(each)) for each in applied}
    if len(strides) != 1:
        return ""
    (axes,) = strides
    up = applied[0].kind.startswith("ConvTranspose")
    return f"{'↑' if up else '/'}{axes[0]}" if len(set(axes)) == 1 and axes[0] > 1 else ""


def _stride(apply: Apply) -> Any:
    values = apply.layer.values
    if "stride" not in values or apply.layer.dims is None:
        return 1
    return values["kernel_size"] if values["stride"] is None else values["stride"]


def _value(values: Sequence[object], written: Value | None = None, texts: Sequence[str] = ()) -> str:
    """A value. If uses of a block differ in it, what the spec has ``written``; else one or the other, or from the least
    to the most."""
    few = list(dict.fromkeys(texts or [_number(value) for value in values]))
    if len(few) == 1:
        return few[0]
    numbers = [value for value in values if isinstance(value, (int, float))]
    counts = all(isinstance(value, int) for value in values) and (len(few) > 3 or max(numbers, default=0) > 16)
    if isinstance(written, Expression) and len(written.text) <= 24 and counts:
        text = written.text.removeprefix("(").removesuffix(")") if written.text.startswith("(") else written.text
        return text.replace(" ", "\u00a0")
    if len(few) <= 3:
        return "\u00a0or ".join(few)
    return f"{_number(min(numbers))}\u00a0…\u00a0{_number(max(numbers))}" if len(numbers) == len(values) else "…"


def _number(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else plain(value)


# Both


def _times(cell: Cell) -> list[Piece]:
    text = repeated(cell.times)
    return [Piece(f"  {text}", "accent")] if text else []


def _marks(cell: Cell) -> list[Piece]:
    """Where a module makes a picture smaller or larger, and how often it is repeated."""
    scale = _change(cell)
    return [*([Piece(f"\u00a0{scale}", "accent")] if scale else []), *_times(cell)]


def _change(cell: Cell) -> str:
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


def _names(cell: Cell, inside: str) -> str:
    """The names of layers with tensors, as in the ``state_dict``."""
    paths = [_local(each.path, inside) for each in cell.layers if each.bound.tensors and not each.reuse]
    return clean(", ".join(paths))


def shape(sizes: Sequence[int]) -> str:
    return TIMES.join(map(str, sizes))


def clean(text: str) -> str:
    """A text on one line, without control characters; no-break spaces stay."""
    return "\u00a0".join(map(one_line, text.split("\u00a0")))


def _wrapped(pieces: Sequence[Piece], size: float) -> list[Line]:
    """Pieces as lines, broken at spaces so that they are not too long, without a separator at the end of one."""
    words = [Piece(word, piece.look) for piece in pieces for word in _words(piece.text)]
    found: list[list[Piece]] = [[]]
    for word in words:
        breaks = word.text.strip() and not word.text.startswith("\u00a0")
        if found[-1] and breaks and line([*found[-1], word], size).width > LONGEST:
            while not found[-1][-1].text.strip(" \u00a0·"):
                found[-1].pop()
            last = found[-1][-1]
            found[-1][-1] = Piece(last.text.removesuffix("\u00a0·"), last.look)
            found.append([])
        found[-1].append(word)
    return [line(pieces, size) for pieces in found if any(piece.text.strip() for piece in pieces)]


def _words(text: str) -> Iterator[str]:
    """Words with the space before them."""
    word = ""
    for character in text:
        if character == " " and word.strip():
            yield word
            word = ""
        word += character
    if word:
        yield word


def line(pieces: Sequence[Piece], size: float) -> Line:
    """A line of text: neighbours with the same look as one piece, without space at the ends."""
    found: list[Piece] = []
    for piece in pieces:
        if found and found[-1].look == piece.look:
            found[-1] = Piece(found[-1].text + piece.text, piece.look)
        else:
            found.append(piece)
    found[0] = Piece(found[0].text.lstrip(" "), found[0].look)
    found[-1] = Piece(found[-1].text.rstrip(" "), found[-1].look)
    return Line(tuple(Piece(piece.text.replace("\u00a0", " "), piece.look) for piece in found if piece.text), size)


def several(count: int) -> Line:
    """What is written beside a line for several tensors."""
    return line([Piece(f"{count} tensors", "muted")], SMALL)
