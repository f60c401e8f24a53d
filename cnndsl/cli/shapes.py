"""``cnndsl shapes``: prints the table of a network."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from cnndsl.cli.common import exit_code, format_option, limits_option, read_spec, spec_argument, spec_options, tell
from cnndsl.cli.completion import one_of, several_of
from cnndsl.emit.table import COLUMNS, FORMATS, Choice, Table, UnknownName, as_text
from cnndsl.limits import Limits
from cnndsl.measure.memory import DTYPES
from cnndsl.terminal import medium, paint, show, show_exactly, show_painted


class _Shapes(click.Command):
    """Its help ends with the columns."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Columns"):
            formatter.write_dl([(column.name, column.meaning) for column in COLUMNS.values()])


@click.command(cls=_Shapes)
@spec_argument
@click.option("--depth", type=click.IntRange(1), help="Levels of modules to show; 1 is the network's own children.")
@click.option("--batch", type=click.IntRange(1), default=1, show_default=True, help="Samples in the batch.")
@click.option(
    "--columns",
    metavar="NAME,...",
    shell_complete=several_of(lambda: COLUMNS),
    help="Columns to show, such as path,params,%,field; % is the share of the one before.",
)
@click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="GLOB",
    help="Rows whose path or layer matches, as 'layer3.*'; repeatable.",
)
@click.option(
    "--sort",
    metavar="COLUMN",
    shell_complete=one_of(lambda: COLUMNS),
    help="Sort the innermost rows by a column: numbers from the largest, texts from A; -COLUMN reverses that.",
)
@click.option("--top", type=click.IntRange(1), help="Show the first N rows of --sort, which is params by default.")
@click.option(
    "--dtype",
    type=click.Choice([*DTYPES]),
    default="float32",
    show_default=True,
    help="The type of values, for their bytes.",
)
@format_option(
    "table",
    *FORMATS,
    help="table for terminals, plain for diffs, html and latex for documents, the others for programs.",
)
@spec_options
@limits_option
def shapes(
    spec: Path,
    depth: int | None,
    batch: int,
    columns: str | None,
    filters: Sequence[str],
    sort: str | None,
    top: int | None,
    dtype: str,
    form: str,
    params: Sequence[str],
    settings: Sequence[str],
    limits: Limits,
) -> None:
    """Show the layers of SPEC with output shapes, parameters and MACs.

    MACs are the multiply-accumulates of convolutions and linear layers in one forward pass. If the spec has an
    error, the rows before it are shown.
    """
    try:
        choice = Choice.of(columns, filter=filters, sort=sort, top=top, depth=depth, dtype=dtype)
        compilation = read_spec(spec, params, settings, limits, batch)
        if network := compilation.graph or compilation.partial:
            _show(choice.table(network), form)
    except UnknownName as unknown:
        raise click.UsageError(f"{unknown}: {unknown.help}") from None
    tell(compilation.diagnostics)
    if compilation.graph is None:
        sys.exit(exit_code(compilation.diagnostics))


def _show(table: Table, form: str) -> None:
    if form == "table":
        show_painted(as_text(table, medium(), paint()))
    elif form in ("html", "latex"):
        show_exactly(table.to(form))  # a page is a file as it is
    else:
        show(table.to(form))
