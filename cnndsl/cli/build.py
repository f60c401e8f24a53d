"""``cnndsl build``: source, diagram and shapes of a network, in a folder."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from cnndsl.cli.common import ERRORS, fail, limits_option, read_spec, spec_argument, spec_options, tell
from cnndsl.cli.output import NotOurs, write_folder
from cnndsl.graph.graph import Graph
from cnndsl.limits import Limits


@click.command()
@spec_argument
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder to write. Default: build/NAME.")
@click.option("--force", is_flag=True, help="Write over files that are not ours, or were changed since.")
@click.option(
    "--stop-after",
    type=click.Choice(["steps", "graph", "source"]),
    help="Print what this stage of the compiler made, and write nothing.",
)
@spec_options
@limits_option
def build(
    spec: str,
    output: Path | None,
    force: bool,
    stop_after: str | None,
    params: Sequence[str],
    settings: Sequence[str],
    limits: Limits,
) -> None:
    """Compile SPEC: write its PyTorch source, its diagram and its shapes as CSV."""
    compilation = read_spec(spec, params, settings, limits)
    tell(compilation.diagnostics)
    if compilation.graph is None:
        sys.exit(ERRORS)
    graph = compilation.graph
    if stop_after is not None:
        from cnndsl.cli.stages import show

        click.echo(show(graph, stop_after), nl=False)
        return
    name = graph.document.name
    folder = output or Path("build") / name
    try:
        write_folder(folder, _files(graph), force)
    except NotOurs as error:
        fail(f"{error} was not written by cnndsl, or was changed since", "move it away, or write over it with --force")
    except OSError as error:
        fail(f"{error.filename or folder} cannot be written: {error.strerror}")
    _report(graph, folder)


def _files(graph: Graph) -> dict[str, bytes]:
    from cnndsl.emit.diagram import diagram
    from cnndsl.emit.python import source
    from cnndsl.emit.table import Table, as_csv

    name = graph.document.name
    return {
        f"{name}.py": source(graph).encode(),
        f"{name}.svg": diagram(graph).pipe("svg"),
        f"{name}.csv": as_csv(Table.of(graph)).encode(),
    }


def _report(graph: Graph, folder: Path) -> None:
    from cnndsl.emit.table import Table, human

    table = Table.of(graph)
    name = graph.document.name
    click.secho(f"{name}: {human(table.total.params)} parameters, {human(table.total.macs)} MACs", bold=True)
    made = {".py": "the network in PyTorch", ".svg": "its diagram", ".csv": f"its shapes, {len(table.rows)} rows"}
    for ending, what in made.items():
        click.echo(f"  {folder / (name + ending)}  {what}")
