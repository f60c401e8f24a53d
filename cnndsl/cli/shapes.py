"""``cnndsl shapes``: prints the table of a network."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from cnndsl.cli.common import exit_code, format_option, limits_option, read_spec, spec_argument, spec_options, tell
from cnndsl.emit.table import Table, as_csv, as_json, as_markdown, as_plain, as_text
from cnndsl.limits import Limits
from cnndsl.terminal import medium, paint, show, show_painted


@click.command()
@spec_argument
@click.option("--depth", type=click.IntRange(1), help="Levels of modules to show; 1 is the network's own children.")
@click.option("--batch", type=click.IntRange(1), default=1, show_default=True, help="Samples in the batch.")
@format_option(
    "table", "plain", "json", "csv", "markdown", help="table for terminals, plain for diffs, the others for programs."
)
@spec_options
@limits_option
def shapes(
    spec: Path, depth: int | None, batch: int, form: str, params: Sequence[str], settings: Sequence[str], limits: Limits
) -> None:
    """Show the layers of SPEC with output shapes, parameters and MACs.

    MACs are the multiply-accumulates of convolutions and linear layers in one forward pass. If the spec has an
    error, the rows before it are shown.
    """
    compilation = read_spec(spec, params, settings, limits, batch)
    if compilation.graph is not None:
        _show(Table.of(compilation.graph, depth), form)
    elif compilation.partial is not None:
        _show(Table.partial(compilation.partial, depth), form)
    tell(compilation.diagnostics)
    if compilation.graph is None:
        sys.exit(exit_code(compilation.diagnostics))


def _show(table: Table, form: str) -> None:
    if form == "table":
        show_painted(as_text(table, medium(), paint()))
        return
    write = {"plain": as_plain, "json": as_json, "csv": as_csv, "markdown": as_markdown}[form]
    show(write(table))
