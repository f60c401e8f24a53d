"""A network with every combination of some values of its parameters: what each costs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

from cnndsl.diagnostics import Code, Diagnostic, SpecError, got
from cnndsl.limits import LIMITS, Limits
from cnndsl.measure.memory import peak
from cnndsl.network import Compilation, compile_spec
from cnndsl.questions.sweep_table import Row, Sweep
from cnndsl.spec.document import read_document
from cnndsl.spec.merge import read_setting, written
from cnndsl.spec.tree import Unreadable, plain
from cnndsl.spec.values import ListValue

if TYPE_CHECKING:
    from cnndsl.spec.document import Spec

#: The most combinations.
MOST = 1000

#: A number in a range, of bounded length.
_NUMBER = re.compile(r"-?\d{1,9}(\.\d{1,9})?([eE][+-]?\d{1,2})?")

#: Compiles a spec with these values.
Compile: TypeAlias = Callable[[Mapping[str, Any]], Compilation]


def sweep(spec: Spec, values: Mapping[str, Iterable[Any]], /, *, limits: Limits = LIMITS) -> Sweep:
    """The costs of a spec with all combinations of ``values`` for its parameters, ``{"width": [32, 64]}``.

    A combination with errors has them in its row. Raises :class:`SpecError` for a parameter that the spec does not
    have, or a spec that cannot be read, and ValueError for more than :data:`MOST` combinations.
    """
    listed = {name: tuple(several) for name, several in values.items()}
    return swept(lambda chosen: compile_spec(spec, chosen, limits=limits), listed, _text, _plain)


def _text(value: object) -> str:
    """A value from Python as a spec writes it, but a text without quotes."""
    try:
        return value if isinstance(value, str) else written("value", value)
    except Unreadable:  # which its row reports
        return got(value)


def _plain(value: object) -> Any:
    """A value from Python as plain data, without types of NumPy."""
    return value if isinstance(value, str) else parsed(_text(value))


def parsed(text: str) -> Any:
    """A value on a command line as plain data: a number, a text, a list, ..."""
    try:
        return plain(read_setting(f"value={text}", "-p")[1])
    except Unreadable:  # which its row reports
        return text


def swept(
    compiled: Compile,
    values: Mapping[str, Sequence[Any]],
    text: Callable[[Any], str] = str,
    data: Callable[[Any], Any] = parsed,
) -> Sweep:
    """:func:`sweep` by a function that compiles the spec; ``text`` writes a value, and ``data`` makes it plain data."""
    count = prod(map(len, values.values()))
    if not 0 < count <= MOST:
        told = "a parameter has no values" if not count else f"there are {count} combinations, the limit is {MOST}"
        raise ValueError(told)
    rows: list[Row] = []
    name = ""
    for chosen in product(*values.values()):
        compilation = compiled(dict(zip(values, chosen)))
        if not rows and (unknown := [*filter(_is_unknown, compilation.diagnostics)]):
            raise SpecError(unknown)
        root = compilation.graph.root if compilation.graph else compilation.partial
        name = name or (root.name if root else "")
        rows.append(_row(tuple(map(text, chosen)), tuple(map(data, chosen)), compilation))
    errors = [row.error for row in rows]
    if errors[0] is not None and all(error == errors[0] for error in errors):  # the values have nothing to do with it
        raise SpecError([errors[0]])
    return Sweep(name, tuple(values), tuple(rows))


def _is_unknown(fault: Diagnostic) -> bool:
    """Whether a fault is a parameter that the spec does not have."""
    return fault.code is Code.PARAM and fault.span is not None and fault.span.source.is_option


def _row(values: tuple[str, ...], data: tuple[Any, ...], compilation: Compilation) -> Row:
    graph = compilation.graph
    if graph is None:
        error = next(fault for fault in compilation.diagnostics if fault.is_error)
        return Row(values, None, None, None, {}, error, data)
    outputs = {name: tensor.shape for name, tensor in graph.outputs.items()}
    return Row(values, graph.root.cost.params, graph.root.cost.macs, peak(graph), outputs, None, data)


# --- values as they are written on a command line ------------------------------------------------


def listed(text: str, lists: bool = False) -> list[str]:
    """The values of ``32,64,128``, of ``[32, 64, 128]``, and of the range ``1..4`` or ``0.1..0.5..0.2``, whose end is a
    value too. A parameter that holds ``lists`` has one value in ``[2, 2, 2, 2]``, two in ``[1, 2], [3, 4]``. Raises
    ValueError for a range of too many, or one that is wrong."""
    parts = _parts(text)
    if len(parts) == 1 and not lists and text.startswith("[") and text.endswith("]"):
        parts = _parts(text[1:-1])
    return [value for part in parts for value in _range(part)]


def _range(text: str) -> Sequence[str]:
    """The numbers of a range, or the text itself if it is none."""
    parts = text.split("..")
    numbers = [part for part in parts if _NUMBER.fullmatch(part)]
    if not numbers or len(parts) < 2:
        return [text]
    if len(numbers) < len(parts) or len(parts) > 3:
        raise ValueError(f"the range {text} is not of the form 1..4 or 16..64..16")
    if len(parts) == 2 and not all(part.lstrip("-").isdigit() for part in parts):
        raise ValueError(f"the range {text} needs a step, such as {text}..0.1")
    from decimal import Decimal  # here, because few sweeps have ranges; with floats, 0.1..0.3..0.1 would lose its end

    first, last, step = map(Decimal, (*parts, "1")[:3])
    if step == 0:
        raise ValueError(f"the step of the range {text} must not be 0")
    if (last - first) * step < 0:
        raise ValueError(f"the range {text} is empty")
    if (last - first) / step >= MOST:
        raise ValueError(f"the range {text} has too many values, the limit is {MOST}")
    return [f"{first + number * step:f}" for number in range(int((last - first) / step) + 1)]


def _parts(text: str) -> list[str]:
    """``text`` split at the commas that are outside of brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "[{(":
            depth += 1
        elif character in "]})":
            depth -= 1
        if character == "," and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def holding_lists(spec: Spec) -> set[str]:
    """The parameters of a spec whose default is a list."""
    document = read_document(spec).document
    parameters = document.params if document else ()
    return {known.name for known in parameters if isinstance(known.default, ListValue)}
