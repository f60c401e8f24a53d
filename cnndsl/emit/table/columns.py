"""The columns of a table, each in one place: what to type, its heading, its value and its text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from cnndsl.diagnostics import did_you_mean, shorten
from cnndsl.layers import Shape
from cnndsl.measure.memory import DTYPES
from cnndsl.record import Record

if TYPE_CHECKING:
    from cnndsl.emit.table.rows import Row, Shapes, Table
    from cnndsl.measure.receptive import Axis

#: Formats a number for people: with all of its digits, or rounded.
Number: TypeAlias = Callable[[int], str]


def exact(number: int) -> str:
    return f"{number:,}"


def human(number: int) -> str:
    """A number of three to five digits: ``7.61 G``, ``11.69 M``, ``640``."""
    for unit, size in (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= size:
            return f"{number / size:.2f} {unit}"
    return str(number)


def as_bytes(number: int) -> str:
    """A number of bytes with a decimal unit: ``4.19 MB``, ``640 B``."""
    return f"{human(number)}B" if number >= 1000 else f"{number} B"


class Column(Record, frozen=True):
    """A column: its ``name`` is what people type, as are its ``aliases``.

    ``value`` is what programs get, plain data; ``lines`` is its text, a line for each of several tensors. A ``summed``
    one has a total; a ``share`` is a percentage. ``needs`` is the field of the rows that must be worked out. On a
    narrow terminal, one that is ``fixed`` never gives way, and one that is ``long`` is cut first.
    """

    name: str
    heading: str
    meaning: str
    value: Callable[[Row, Table], Any]
    lines: Callable[[Row, Table, Number], Sequence[str]]
    aliases: tuple[str, ...] = ()
    right: bool = False
    summed: bool = False
    share: bool = False
    needs: str = ""
    fixed: bool = False
    long: bool = False

    def total(self, row: Row, table: Table, number: Number = exact) -> str:
        """The text of a sum of rows."""
        if not self.summed:
            return ""
        (text,) = self.lines(row, table, number)
        return text or ("" if self.share else number(0))


class UnknownName(ValueError):
    """A column, a type or a row that there is not. ``help`` tells which was meant."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(message)
        self.help = help


# --- texts ---------------------------------------------------------------------------------------


def shape_lines(shapes: Shapes) -> list[str]:
    """A line for each shape that has a name, or one for all of them."""
    if isinstance(shapes, Mapping):
        return [f"{name} {_shown(shape)}" for name, shape in shapes.items()]
    return [_shown(shapes)] if isinstance(shapes, Shape) else [", ".join(map(_shown, shapes))]


def _shown(shape: Shape) -> str:
    return str(shape) if shape else "?"


def sizes(shapes: Shapes) -> Any:
    """Shapes as plain data, None for one that is unknown."""
    if isinstance(shapes, Shape):
        return list(shapes) or None
    if isinstance(shapes, Mapping):
        return {name: sizes(shape) for name, shape in shapes.items()}
    return [sizes(shape) for shape in shapes]


def _per_axis(values: Iterable[object]) -> str:
    """Numbers of each axis, ``3×3``, or the word that holds for all axes."""  # noqa: RUF002
    texts = [*map(str, values)]
    return texts[0] if texts and not texts[0][0].isdigit() and len({*texts}) == 1 else "×".join(texts)  # noqa: RUF001


# --- kinds of columns ----------------------------------------------------------------------------


def _of_text(name: str, heading: str, meaning: str, of: Callable[[Row], str], **more: Any) -> Column:
    return Column(name, heading, meaning, lambda row, table: of(row), lambda row, table, number: [of(row)], **more)


def _of_shapes(name: str, heading: str, meaning: str, of: Callable[[Row], Shapes], **more: Any) -> Column:
    def lines(row: Row, table: Table, number: Number) -> Sequence[str]:
        return ["fails"] if row.failed and name == "output" else shape_lines(of(row))

    return Column(name, heading, meaning, lambda row, table: sizes(of(row)), lines, fixed=True, **more)


def _of_numbers(
    name: str, heading: str, meaning: str, of: Callable[[Row, Table], int], unit: Number | None = None, **more: Any
) -> Column:
    """A count or, with a ``unit``, a size; a zero is left out."""

    def lines(row: Row, table: Table, number: Number) -> Sequence[str]:
        return [(unit or number)(value) if (value := of(row, table)) else ""]

    return Column(name, heading, meaning, of, lines, right=True, **more)


def _share_of(base: Column, *aliases: str) -> Column:
    """What percentage of the network's total a row of ``base`` is."""

    def value(row: Row, table: Table) -> float:
        whole = base.value(table.whole, table)
        return round(100 * base.value(row, table) / whole, 4) if whole else 0.0

    def lines(row: Row, table: Table, number: Number) -> Sequence[str]:
        share = value(row, table)
        return [f"{share:.1f}%" if share else ""]

    meaning = f"{base.heading} in percent of the network's"
    return Column(
        f"{base.name}%",
        f"{base.heading} %",
        meaning,
        value,
        lines,
        aliases,
        right=True,
        summed=True,
        share=True,
        needs=base.needs,
    )


def _of_fields(
    name: str, heading: str, meaning: str, of: Callable[[Axis], Any], text: Callable[[Axis], str], *aliases: str
) -> Column:
    """Something of each axis of the receptive fields; for several outputs or inputs by their names."""

    def each(row: Row, of: Callable[[Axis], Any]) -> Any:
        """By outputs, then by inputs."""
        found = [field and {key: [*map(of, axes)] for key, axes in field.inputs.items()} for field in row.fields]
        return dict(zip(row.output, found)) if isinstance(row.output, Mapping) else next(iter(found), None)

    def value(row: Row, table: Table) -> Any:
        found = each(row, of)
        if isinstance(row.output, Mapping):
            return {key: _alone(inputs, table) for key, inputs in found.items()}
        return _alone(found, table)

    def lines(row: Row, table: Table, number: Number) -> Sequence[str]:
        found = each(row, text)
        if isinstance(row.output, Mapping):
            return [f"{key} {_by_input(inputs, table)}".rstrip() for key, inputs in found.items()]
        return [_by_input(found, table)]

    return Column(name, heading, meaning, value, lines, aliases, needs="fields")


def _alone(inputs: Mapping[str, Any] | None, table: Table) -> Any:
    """What belongs to the only input, without its name."""
    return next(iter(inputs.values()), None) if inputs and len(table.inputs) == 1 else inputs or None


def _by_input(inputs: Mapping[str, Sequence[str]] | None, table: Table) -> str:
    if not inputs:
        return ""
    texts = {key: _per_axis(axes) for key, axes in inputs.items()}
    if len(table.inputs) == 1:
        return next(iter(texts.values()))
    return ", ".join(f"{key} {text}" for key, text in texts.items() if text)


def _size(axis: Axis) -> int | str | None:
    """The size of a receptive field; "all" is the whole input."""
    return "all" if axis.whole else axis.size


def _size_text(axis: Axis) -> str:
    return str(_size(axis)) if axis.known else "?"


def _stride(axis: Axis) -> int | str | None:
    """An effective stride, as text if it is a fraction."""
    jump = axis.jump
    return jump if jump is None else jump.numerator if jump.denominator == 1 else str(jump)


def _stride_text(axis: Axis) -> str:
    return ("-" if axis.known else "?") if axis.jump is None else str(axis.jump)


def _trains(row: Row) -> bool | None:
    """Whether a row has parameters, which train; None if it has no tensors."""
    return row.params > 0 if row.params or row.buffers else None


def _buffers(row: Row, table: Table) -> int:
    return row.buffers


def _place(row: Row) -> str:
    return row.place


# --- the columns ---------------------------------------------------------------------------------

_PARAMS = _of_numbers(
    "params",
    "params",
    "learned values",
    lambda row, table: row.params,
    aliases=("num_params", "parameters"),
    summed=True,
)
_MACS = _of_numbers(
    "macs",
    "MACs",
    "multiply-accumulates of convolutions and linear layers in one forward pass",
    lambda row, table: row.macs,
    aliases=("mult_adds",),
    summed=True,
)
_MEMORY = _of_numbers(
    "memory",
    "memory",
    "bytes of new tensors in inference: none for views and layers that work in place",
    lambda row, table: row.memory,
    as_bytes,
    aliases=("activation_memory", "activations"),
    summed=True,
    needs="memory",
)
_FIELD, _STRIDE = ("receptive_field", "rf"), ("effective_stride", "jump")

#: Every column by its name, in the order in which they are listed.
COLUMNS: Mapping[str, Column] = {
    column.name: column
    for column in (
        _of_text("path", "path", "the path of the module", lambda row: row.path, aliases=("var_name",), fixed=True),
        Column(
            "layer",
            "layer",
            "the layer or block, with its arguments unless they are a column",
            lambda row, table: row.layer,
            lambda row, table, number: [row.layer if "arguments" in table.columns else row.call],
            ("type",),
            long=True,
        ),
        Column(
            "arguments",
            "arguments",
            "arguments that are neither inferred nor torch's defaults",
            lambda row, table: dict(row.arguments),
            lambda row, table, number: [row.given],
            ("args",),
            long=True,
        ),
        Column(
            "kernel",
            "kernel",
            "the kernel along each axis",
            lambda row, table: list(row.kernel) or None,
            lambda row, table, number: [_per_axis(row.kernel)],
            ("kernel_size",),
            needs="kernel",
        ),
        Column(
            "groups",
            "groups",
            "groups of channels",
            lambda row, table: row.groups,
            lambda row, table, number: ["" if row.groups is None else str(row.groups)],
            right=True,
            needs="kernel",
        ),
        _of_shapes("input", "input", "the shape of the input", lambda row: row.input, aliases=("input_size",)),
        _of_shapes("output", "output", "the shape of the output", lambda row: row.output, aliases=("output_size",)),
        _PARAMS,
        _share_of(_PARAMS, "params_percent"),
        Column(
            "trainable",
            "trainable",
            "whether it has parameters, or only buffers",
            lambda row, table: _trains(row),
            lambda row, table, number: [{True: "yes", False: "no", None: ""}[_trains(row)]],
        ),
        _of_numbers("buffers", "buffers", "values that are saved, not learned", _buffers, summed=True),
        _of_numbers(
            "bytes",
            "bytes",
            "bytes of the parameters",
            lambda row, table: row.params * DTYPES[table.dtype],
            as_bytes,
            aliases=("size", "param_bytes"),
            summed=True,
        ),
        _MACS,
        _share_of(_MACS, "macs_percent"),
        _MEMORY,
        _share_of(_MEMORY, "memory_percent"),
        _of_fields("field", "field", "the receptive field, in positions of the input", _size, _size_text, *_FIELD),
        _of_fields(
            "stride",
            "stride",
            "the effective stride, in positions of the input",
            _stride,
            _stride_text,
            *_STRIDE,
        ),
        Column(
            "dtype",
            "dtype",
            "the type of the values",
            lambda row, table: table.dtype,
            lambda row, table, number: [table.dtype],
        ),
        _of_text("line", "line", "file and line of the spec", _place, aliases=("source",), needs="place"),
        Column(
            "depth",
            "depth",
            "1 for the network's own children, 2 for theirs",
            lambda row, table: row.depth,
            lambda row, table, number: [str(row.depth)],
            ("depth_idx",),
            right=True,
        ),
    )
}  # fmt: skip
_NAMES = {name: column.name for column in COLUMNS.values() for name in (column.name, *column.aliases)}
DEFAULT = ("path", "layer", "output", "params", "macs")


def chosen(names: Sequence[str]) -> tuple[str, ...]:
    """The names of columns as people type them: in any case, aliases too, with ``%`` for the share of the one before.

    Raises :class:`UnknownName`.
    """
    found: list[str] = []
    for name in names:
        column = _named(name, found[-1] if found else "")
        if column in found:
            raise UnknownName(f"the column `{column}` appears twice", "remove one")
        found.append(column)
    return tuple(found)


def _named(name: str, before: str) -> str:
    """The name of a column as it is typed after another."""
    typed = name.strip().lower().replace("-", "_").replace(" ", "")
    if not typed:
        raise UnknownName("the name of a column is empty", f"the columns are {', '.join(COLUMNS)}")
    if typed == "%":
        shared = [each for each in COLUMNS if f"{each}%" in COLUMNS]
        if before not in shared:
            raise UnknownName("`%` is the share of the column before it", f"it follows {', '.join(shared)}")
        return f"{before}%"
    if typed not in _NAMES:
        known = did_you_mean(typed, _NAMES) or f"the columns are {', '.join(COLUMNS)}"
        raise UnknownName(f"there is no column `{shorten(name.strip())}`", known)
    return _NAMES[typed]


def columns_of(table: Table) -> tuple[Column, ...]:
    """The columns of a table for people."""
    return tuple(COLUMNS[name] for name in table.columns or DEFAULT)


def needs_of(names: Iterable[str]) -> set[str]:
    """The fields of rows that columns need."""
    return {COLUMNS[name].needs for name in names} - {""}
