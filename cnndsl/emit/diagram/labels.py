"""What the figures of every style write of an operation."""

from __future__ import annotations

from collections.abc import Sequence

from cnndsl.emit.table import arguments
from cnndsl.graph.graph import Apply, Operation
from cnndsl.layers import Layer
from cnndsl.layers.kinds import PerAxis
from cnndsl.printable import as_written, one_line

#: Between the sizes of a shape or a kernel, and before a number of repetitions.
TIMES = "\N{MULTIPLICATION SIGN}"
#: A line carries no more names.
NAMES = 6
#: What a circle shows for a merge. Others are written out.
SIGNS = {
    "add": "+",
    "subtract": "\N{MINUS SIGN}",
    "multiply": TIMES,
    "divide": "\N{DIVISION SIGN}",
    "maximum": "max",
    "minimum": "min",
}


def detail(apply: Apply, members: Sequence[Operation]) -> str:
    """A layer's arguments, required ones without their names: ``64, 7x7, stride 2``. If the members differ, the
    range from the first to the last."""
    if apply.reuse and apply.layer.parameters():
        return f"the weights of {apply.name}"
    layer, texts = apply.layer, []
    for name, value in arguments(apply).items():
        if name not in layer.arguments:  # the parametrization
            texts.append(str(value))
            continue
        ends = [member.layer.values[name] for member in (*members[:1], *members[-1:]) if isinstance(member, Apply)]
        if len(set(map(repr, ends))) > 1:
            texts.append(f"{name} {ends[0]:.3g} \u2026 {ends[1]:.3g}")
        elif not layer.arguments[name].required:
            texts.append(f"{name} {plain(value)}")
        else:
            texts.append(required(layer, name, value))
    return ", ".join(text.replace(" ", "\u00a0") for text in texts)


def required(layer: Layer, name: str, value: object) -> str:
    """An argument that needs no name: ``64``, or ``3x3`` for a window."""
    kind = layer.arguments[name].kind
    if isinstance(kind, PerAxis) and not kind.per_side:
        return TIMES.join(map(plain, layer.axes(value)))  # type: ignore[arg-type]
    return plain(value)


def plain(value: object) -> str:
    return value if isinstance(value, str) else as_written(value)


def listed(names: Sequence[str]) -> str:
    """Names after each other; of many the first and the last."""
    return ", ".join(names) if len(names) <= NAMES else f"{', '.join(names[: NAMES - 2])} … {names[-1]}"


def clean(text: str) -> str:
    """A text on one line, without control characters; no-break spaces stay."""
    return "\u00a0".join(map(one_line, text.split("\u00a0")))
