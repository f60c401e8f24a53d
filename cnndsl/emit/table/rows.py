"""The rows of a table: one for each module, layer and merge, with what was asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, TypeAlias

from cnndsl.graph.cost import Cost
from cnndsl.graph.graph import Apply, Failed, Graph, Merge, Module, Operation, Split, Tensor
from cnndsl.layers import LAYERS, Shape
from cnndsl.measure.memory import Memory, memory, output_bytes
from cnndsl.record import Record

if TYPE_CHECKING:
    import os

    from cnndsl.measure.receptive import Field

#: One shape, or those of several tensors: by name those of a module, in order those of a merge, split or layer.
Shapes: TypeAlias = Shape | tuple[Shape, ...] | Mapping[str, Shape]


class Row(Record, frozen=True):
    """One operation. ``depth`` 1 is a child of the root; a module's row counts everything inside it.

    ``arguments`` are those of a layer, without inferred ones and torch's defaults, or those that a block is called
    with. A shape that is unknown because of an error has no sizes; ``failed`` marks the row of the operation with the
    error. The fields after that are empty unless a column needs them: the ``kernel`` along each axis, the ``place`` in
    the spec, the bytes of the output, and the receptive field of each output.
    """

    path: str
    layer: str
    depth: int
    arguments: Mapping[str, Any]
    input: Shapes
    output: Shapes
    params: int
    buffers: int
    macs: int
    failed: bool = False
    kernel: tuple[int, ...] = ()
    groups: int | None = None
    place: str = ""
    memory: int = 0
    fields: tuple[Field | None, ...] = ()

    @property
    def call(self) -> str:
        """The layer with its arguments, as Python would write them: ``Conv2d(64, 7, stride=2)``."""
        return f"{self.layer}({self.given})" if self.arguments else self.layer

    @property
    def given(self) -> str:
        """The arguments as Python would write them."""
        known = LAYERS[self.layer].arguments if self.layer in LAYERS else {}
        return ", ".join(
            literal(value) if name in known and known[name].required else f"{name}={literal(value)}"
            for name, value in self.arguments.items()
        )


class Table(Record, frozen=True, dict=True):
    """The rows of a network down to some depth, and its total cost. With errors it is not ``complete``, and the memory
    is not known.

    ``columns`` are the names of those that were asked for, by default those of each format. The rows of a ``tree``
    come in the order in which they run, each module before its contents; else they are a choice of them, and ``shown``
    is their sum, the row of a module and those in it counted once.
    """

    name: str
    inputs: Mapping[str, Shape]
    rows: tuple[Row, ...]
    total: Cost
    complete: bool = True
    memory: Memory | None = None
    columns: tuple[str, ...] = ()
    dtype: str = "float32"
    made: int = 0
    tree: bool = True
    shown: Row | None = None

    @classmethod
    def of(
        cls, graph: Graph, depth: int | None = None, *, dtype: str = "float32", needs: Collection[str] = ()
    ) -> Table:
        """``needs`` are the fields of rows that are worked out, besides those that every row has."""
        inputs = {name: tensor.shape for name, tensor in graph.inputs.items()}
        return cls._made(inputs, graph.root, depth, dtype, needs)

    @classmethod
    def partial(
        cls, root: Module, depth: int | None = None, *, dtype: str = "float32", needs: Collection[str] = ()
    ) -> Table:
        """The table of a network with an error, up to that error."""
        return cls._made({"x": root.input.shape}, root, depth, dtype, needs, complete=False)

    @classmethod
    def _made(
        cls,
        inputs: Mapping[str, Shape],
        root: Module,
        depth: int | None,
        dtype: str,
        needs: Collection[str],
        complete: bool = True,
    ) -> Table:
        found = rows(root, depth, Details(root, dtype, needs) if needs else None)
        known = memory(root, dtype) if complete else None
        made = sum(row.memory for row in found if row.depth == 1)
        return cls(root.name, inputs, found, root.cost, complete, known, dtype=dtype, made=made)

    @cached_property
    def whole(self) -> Row:
        """The sum of all rows."""
        cost = self.total
        empty = Shape()
        return Row("", "", 0, {}, empty, empty, cost.params, cost.buffers, cost.macs, memory=self.made)

    def to(self, format: str) -> str:
        """The text of the table as ``plain``, ``markdown``, ``html``, ``latex``, ``csv`` or ``json``. Raises ValueError
        for other formats."""
        from cnndsl.emit.table.formats import written

        return written(self, format)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes the format that the file's extension tells: ``.txt``, ``.md``, ``.html``, ``.tex``, ``.csv`` or
        ``.json``. The file is written completely or not at all. Raises ValueError for other extensions, and OSError."""
        from cnndsl.emit.table.formats import format_of
        from cnndsl.writing import given_path, write_file

        file = given_path(path)
        write_file(file, self.to(format_of(file.suffix)).encode())
        return file

    def __repr__(self) -> str:
        from cnndsl.emit.table.text import as_plain

        return as_plain(self)

    def _repr_html_(self) -> str:
        from cnndsl.emit.table.page import as_html

        return as_html(self)


class Details:
    """What rows hold if a column needs it."""

    def __init__(self, root: Module, dtype: str, needs: Collection[str]) -> None:
        self.needs = needs
        self.memory: Mapping[Operation, int] = output_bytes(root, dtype=dtype) if "memory" in needs else {}
        self.fields: Mapping[Tensor, Field] = {}
        if "fields" in needs:
            from cnndsl.measure.receptive import receptive_fields

            self.fields = receptive_fields(root)

    def of(self, operation: Operation) -> dict[str, Any]:
        """The fields of a row, by name."""
        found: dict[str, Any] = {}
        if "memory" in self.needs:
            found["memory"] = self.memory[operation]
        if "fields" in self.needs:
            outputs = operation.outputs if isinstance(operation, Module) else operation.outputs[:1]
            found["fields"] = tuple(map(self.fields.get, outputs))
        if "place" in self.needs and operation.step is not None:
            span = operation.step.span
            found["place"] = f"{PurePath(span.source.name).name}:{span.line}"
        if "kernel" in self.needs and isinstance(operation, Apply):
            layer = operation.layer
            found["kernel"] = layer.axes(layer.values["kernel_size"]) if "kernel_size" in layer.values else ()
            found["groups"] = layer.values.get("groups")
        return found


def rows(root: Module, depth: int | None = None, details: Details | None = None) -> tuple[Row, ...]:
    """Every operation inside ``root`` in execution order, a module before its contents; none deeper than
    ``depth``."""
    return tuple(_inside(root, 1, depth, details))


def _inside(module: Module, depth: int, deepest: int | None, details: Details | None) -> Iterator[Row]:
    """The rows of a module's body, none deeper than ``deepest``."""
    if deepest is not None and depth > deepest:
        return
    for operation in module.operations:
        yield _row(operation, depth, details)
        if isinstance(operation, Module):
            yield from _inside(operation, depth + 1, deepest, details)
    yield from (_failed(each, depth) for each in module.failed)


def _failed(operation: Failed, depth: int) -> Row:
    first, *others = (tensor.shape for tensor in operation.inputs)
    takes = (first, *others) if others else first
    return Row(operation.path, operation.kind, depth, {}, takes, Shape(), 0, 0, 0, failed=True)


def _row(operation: Operation, depth: int, details: Details | None = None) -> Row:
    if isinstance(operation, Module):
        takes, gives = _by_name(operation.given), _by_name(operation.made)
    else:
        takes = _in_order(operation.inputs, isinstance(operation, Merge))
        gives = _in_order(operation.outputs, isinstance(operation, Split))
    cost = operation.cost
    return Row(
        operation.path,
        operation.kind,
        depth,
        arguments(operation),
        takes,
        gives,
        cost.params,
        cost.buffers,
        cost.macs,
        **(details.of(operation) if details else {}),
    )


def _by_name(tensors: Mapping[str, Tensor]) -> Shapes:
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    return shapes if len(shapes) > 1 else next(iter(shapes.values()))


def _in_order(tensors: Sequence[Tensor], several: bool) -> Shapes:
    shapes = tuple(tensor.shape for tensor in tensors)
    return shapes if several or len(shapes) > 1 else shapes[0]


def call(operation: Operation) -> str:
    """:attr:`Row.call` of an operation."""
    return _row(operation, 1).call


def arguments(operation: Operation) -> dict[str, Any]:
    """What distinguishes an operation from others of its kind: a layer's arguments that are neither inferred
    nor torch's defaults, and its parametrization; those that a block is called with; the axis of a ``concat`` if it is
    not 1."""
    if isinstance(operation, Apply):
        known, by = operation.layer.arguments, operation.layer.parametrization
        given = {
            name: value
            for name, value in operation.layer.values.items()
            if known[name].infer is None and (known[name].required or value != known[name].default)
        }
        return given | ({"parametrization": str(by)} if by else {})
    if isinstance(operation, Module):
        return {name: value for name, value in operation.params.items() if name in operation.written}
    if isinstance(operation, Split):
        return {"sizes": operation.sizes}
    return {"dim": operation.dim} if operation.kind == "concat" and operation.dim != 1 else {}


def literal(value: object) -> str:
    """A value as Python would write it, with lists for tuples."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(literal, value))}]"
    return repr(value) if isinstance(value, (str, int, float, type(None))) else str(value)
