"""The table of a network: one row for each module, layer and merge, in every output format."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, TypeAlias

from cnndsl.graph.cost import Cost
from cnndsl.graph.graph import Apply, Failed, Graph, Merge, Module, Operation, Split, Tensor
from cnndsl.grid import FILE, GONE, Cell, Grid, Medium, Paint, unpainted
from cnndsl.layers import LAYERS, Shape
from cnndsl.printable import markdown, one_line
from cnndsl.record import Record

#: One shape, or those of several tensors: by name those of a module, in order those of a merge, split or layer.
Shapes: TypeAlias = Shape | tuple[Shape, ...] | Mapping[str, Shape]

CSV_HEADER = ("path", "layer", "depth", "input", "output", "params", "macs")


class Row(Record, frozen=True):
    """One operation. ``depth`` 1 is a child of the root; a module's row counts everything inside it.

    ``arguments`` are those of a layer, without inferred ones and torch's defaults, or those that a block is called
    with. A shape that is unknown because of an error has no sizes; ``failed`` marks the row of the operation with the
    error.
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

    @property
    def call(self) -> str:
        """The layer with its arguments, as Python would write them: ``Conv2d(64, 7, stride=2)``."""
        known = LAYERS[self.layer].arguments if self.layer in LAYERS else {}
        shown = ", ".join(
            _literal(value) if name in known and known[name].required else f"{name}={_literal(value)}"
            for name, value in self.arguments.items()
        )
        return f"{self.layer}({shown})" if shown else self.layer


class Table(Record, frozen=True):
    """The rows of a network down to some depth, and its total cost. With errors it is not ``complete``."""

    name: str
    inputs: Mapping[str, Shape]
    rows: tuple[Row, ...]
    total: Cost
    complete: bool = True

    @classmethod
    def of(cls, graph: Graph, depth: int | None = None) -> Table:
        inputs = {name: tensor.shape for name, tensor in graph.inputs.items()}
        return cls(graph.root.name, inputs, rows(graph.root, depth), graph.root.cost)

    @classmethod
    def partial(cls, root: Module, depth: int | None = None) -> Table:
        """The table of a network with an error, up to that error."""
        return cls(root.name, {"x": root.input.shape}, rows(root, depth), root.cost, complete=False)

    def __repr__(self) -> str:
        return as_plain(self)

    def _repr_html_(self) -> str:
        return as_html(self)


def rows(root: Module, depth: int | None = None) -> tuple[Row, ...]:
    """Every operation inside ``root`` in execution order, a module before its contents; none deeper than
    ``depth``."""
    return tuple(_inside(root, 1, depth))


def _inside(module: Module, depth: int, deepest: int | None) -> Iterator[Row]:
    """The rows of a module's body, none deeper than ``deepest``."""
    if deepest is not None and depth > deepest:
        return
    for operation in module.operations:
        yield _row(operation, depth)
        if isinstance(operation, Module):
            yield from _inside(operation, depth + 1, deepest)
    yield from (_failed(each, depth) for each in module.failed)


def _failed(operation: Failed, depth: int) -> Row:
    first, *others = (tensor.shape for tensor in operation.inputs)
    takes = (first, *others) if others else first
    return Row(operation.path, operation.kind, depth, {}, takes, Shape(), 0, 0, 0, failed=True)


def _row(operation: Operation, depth: int) -> Row:
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


def human(number: int) -> str:
    """A number of three to five digits: ``7.61 G``, ``11.69 M``, ``640``."""
    for unit, size in (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= size:
            return f"{number / size:.2f} {unit}"
    return str(number)


# --- for programs --------------------------------------------------------------------------------


def as_dict(table: Table) -> dict[str, Any]:
    """The table as plain data. A shape is a list of sizes. Several are a mapping by the names of inputs and outputs, or
    a list if they have no names."""
    inputs = {name: list(shape) for name, shape in table.inputs.items()}
    return {
        "name": table.name,
        "input": inputs if len(inputs) > 1 else next(iter(inputs.values()), []),
        "rows": [
            {
                "path": row.path,
                "layer": row.layer,
                "depth": row.depth,
                "arguments": dict(row.arguments),
                "input": _sizes(row.input),
                "output": _sizes(row.output),
                "params": row.params,
                "buffers": row.buffers,
                "macs": row.macs,
                **({"failed": True} if row.failed else {}),
            }
            for row in table.rows
        ],
        "total": {"params": table.total.params, "buffers": table.total.buffers, "macs": table.total.macs},
        "complete": table.complete,
    }


def as_json(table: Table) -> str:
    """A JSON object, with each row on its own line."""
    data = as_dict(table)
    lines = ",\n".join(f"    {_json(row)}" for row in data["rows"])
    texts = {key: _json(value) for key, value in data.items()} | {"rows": f"[\n{lines}\n  ]" if lines else "[]"}
    return "{\n" + ",\n".join(f'  "{key}": {text}' for key, text in texts.items()) + "\n}\n"


def as_csv(table: Table) -> str:
    """The rows with shapes in brackets. No totals: the rows of one depth add up to them."""
    import csv

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    for row in table.rows:
        takes, gives = ", ".join(_lines(row.input)), ", ".join(_outputs(row))
        writer.writerow((row.path, row.layer, row.depth, takes, gives, row.params, row.macs))
    return text.getvalue()


# --- for people ----------------------------------------------------------------------------------


def as_markdown(table: Table) -> str:
    """A table as GitHub shows it."""
    lines = [
        f"**{markdown(table.name)}**, input {markdown(_input(table))}",
        "",
        "| path | layer | output | params | MACs |",
        "| --- | --- | --- | ---: | ---: |",
        *(f"| {' | '.join('<br>'.join(map(markdown, lines)) for lines in cells)} |" for cells in _cells(table.rows)),
        f"| **{_total(table)}** | | | **{table.total.params:,}** | **{table.total.macs:,}** |",
        "",
        _summary(table),
    ]
    return "\n".join(lines) + "\n"


#: The background of a notebook in Jupyter and VS Code, also in dark themes.
_PAPER = "var(--jp-layout-color0,var(--vscode-editor-background,Canvas))"


def as_html(table: Table) -> str:
    """A table as notebooks show it."""
    from html import escape

    def line(tag: str, cells: Sequence[Sequence[str]], indent: int = 0) -> str:
        first = f"text-align:left;padding-left:{indent + 0.5}em"
        styles = (first, "text-align:left;white-space:normal", "text-align:left", *["text-align:right"] * 2)
        inner = ("<br/>".join(map(escape, lines)) for lines in cells)
        styled = (f'<{tag} style="{style}">{cell}</{tag}>' for style, cell in zip(styles, inner))
        return f"<tr>{''.join(styled)}</tr>"

    head = line("th", [[name] for name in ("path", "layer", "output", "params", "MACs")])
    body = "\n".join(line("td", cells, row.depth - 1) for row, cells in zip(table.rows, _cells(table.rows)))
    foot = line("th", [[cell] for cell in _totals(table)])
    title = escape(f"{_title(table)}: {_summary(table)}")
    caption = f'<caption style="text-align:left;padding:0.3em 0.5em">{title}</caption>'
    parts = (
        f'<table cellpadding="3" style="white-space:nowrap">\n{caption}',
        f'<thead style="position:sticky;top:0;background:{_PAPER}">{head}</thead>',
        f"<tbody>\n{body}\n</tbody>\n<tfoot>{foot}</tfoot>\n</table>\n",
    )
    return "\n".join(parts)


def as_plain(table: Table) -> str:
    """Aligned text without lines or colours: the same on every terminal, and easy to compare."""
    rows: list[tuple[str, ...]] = []
    for row, cells in zip(table.rows, _cells(table.rows)):
        first, *others = zip_longest(*cells, fillvalue="")
        rows += [("  " * (row.depth - 1) + first[0], *first[1:]), *others]
    grid = Grid(("path", *_COLUMNS), [*rows, _totals(table)])
    return f"{_title(table)}\n\n{grid.plain()}\n\n{_summary(table)}\n"


#: The columns after the names, and the order in which they shrink: arguments, then costs; names and shapes never.
_COLUMNS = ("layer", "output", ">params", ">MACs")
_GIVES = (("layer", 12), (">MACs", GONE), ("layer", 6), (">params", GONE), ("layer", GONE))


def as_grid(table: Table, number: Callable[[int], str] = "{:,}".format) -> Grid:
    """A table for terminals: names as a tree, modules in bold, totals below; numbers formatted by ``number``."""
    inner = [below.depth > row.depth for row, below in zip(table.rows, table.rows[1:])]
    rows: list[tuple[Cell, ...]] = []
    around: dict[int, str] = {0: ""}
    for row, bars, has_rows in zip(table.rows, _tree(table.rows), (*inner, False)):
        path, layer = one_line(row.path), one_line(row.layer)
        around[row.depth] = f"{path}."
        name, arguments = path.removeprefix(around[row.depth - 1]), one_line(row.call).removeprefix(layer)
        style = "failed" if row.failed else "bold" if has_rows else ""
        costs = (number(cost) if cost else "" for cost in (row.params, row.macs))
        output, *others = _outputs(row)
        styled = (((cell, style),) for cell in (output, *costs))
        rows.append((((bars, "dim"), (name, style)), ((layer, style), (arguments, "dim")), *styled))
        past = bars.translate(_PAST) + "│" * has_rows
        rows += [(((past, "dim"),), "", ((output, style),), "", "") for output in others]
    total = (_total(table), "", "", number(table.total.params), number(table.total.macs))
    return Grid(("name", *_COLUMNS), rows, _GIVES, [total])


def as_text(table: Table, medium: Medium = FILE, paint: Paint = unpainted) -> str:
    """:func:`as_grid` with a title above and a summary below. Numbers are rounded before their column is hidden."""
    grid = as_grid(table).on(medium)
    if grid.hidden:
        grid = as_grid(table, human).on(medium)
    title = paint(medium.shown(table.name), "bold") + f"  input {medium.shown(_input(table))}"
    return f"{title}\n\n{grid.text(paint)}\n\n{_summary(table)}\n"


#: The tree lines beside the further lines of a row.
_PAST = str.maketrans("├└", "│ ")


def _tree(rows: Sequence[Row]) -> list[str]:
    """The tree lines before each name; none before children of the root."""
    drawn: list[str] = []
    below: set[int] = set()  # depths at which a row of the same module follows
    for row in reversed(rows):
        bars = "".join("│ " if depth in below else "  " for depth in range(2, row.depth))
        end = "├ " if row.depth in below else "└ "
        drawn.append(bars + end if row.depth > 1 else "")
        below = {depth for depth in below if depth < row.depth} | {row.depth}
    return drawn[::-1]


def _cells(rows: Sequence[Row]) -> Iterator[tuple[list[str], ...]]:
    """Path, layer, output, parameters and MACs, each as its lines; a zero is left out."""
    for row in rows:
        params, macs = (f"{number:,}" if number else "" for number in (row.params, row.macs))
        yield [one_line(row.path)], [one_line(row.call)], _outputs(row), [params], [macs]


def _title(table: Table) -> str:
    return f"{one_line(table.name)}, input {one_line(_input(table))}"


def _total(table: Table) -> str:
    return "total" if table.complete else "total so far"


def _totals(table: Table) -> tuple[str, ...]:
    return _total(table), "", "", f"{table.total.params:,}", f"{table.total.macs:,}"


def _input(table: Table) -> str:
    if len(table.inputs) == 1:
        return str(*table.inputs.values())
    return ", ".join(f"{name} {shape}" for name, shape in table.inputs.items())


def _summary(table: Table) -> str:
    so_far = "" if table.complete else ", so far"
    return f"{human(table.total.params)} parameters, {human(table.total.macs)} MACs{so_far}"


def _outputs(row: Row) -> list[str]:
    return ["fails"] if row.failed else _lines(row.output)


def _lines(shapes: Shapes) -> list[str]:
    """A line for each shape that has a name, or one for all of them."""
    if isinstance(shapes, Mapping):
        return [f"{name} {_shown(shape)}" for name, shape in shapes.items()]
    return [_shown(shapes)] if isinstance(shapes, Shape) else [", ".join(map(_shown, shapes))]


def _shown(shape: Shape) -> str:
    return str(shape) if shape else "?"


def _sizes(shapes: Shapes) -> Any:
    """Shapes as plain data, None for one that is unknown."""
    if isinstance(shapes, Shape):
        return list(shapes) or None
    if isinstance(shapes, Mapping):
        return {name: _sizes(shape) for name, shape in shapes.items()}
    return [_sizes(shape) for shape in shapes]


def _literal(value: object) -> str:
    """A value as Python would write it, with lists for tuples."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_literal, value))}]"
    return repr(value) if isinstance(value, (str, int, float, type(None))) else str(value)


def _json(value: object) -> str:
    import json

    return json.dumps(value, default=str)
