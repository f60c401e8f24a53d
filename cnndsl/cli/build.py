"""``cnndsl build``: writes the source, diagram and shapes of a network."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnndsl.cli.common import (
    PATH,
    check_partial,
    ending,
    exit_code,
    fail,
    limits_option,
    read_spec,
    spec_argument,
    spec_options,
    tell,
    weights_options,
)
from cnndsl.cli.output import NotOurs, write_folder
from cnndsl.limits import Limits
from cnndsl.terminal import say, show

if TYPE_CHECKING:
    from cnndsl.emit.table import Table
    from cnndsl.graph.graph import Graph
    from cnndsl.network import Network


@click.command()
@spec_argument
@click.option("-o", "--output", type=PATH, help="Folder to write. Default: build/NAME.")
@click.option("--force", is_flag=True, help="Overwrite files that cnndsl did not write, or that were changed since.")
@click.option(
    "--stop-after",
    type=click.Choice(["steps", "graph", "source"]),
    help="Print the result of this compiler stage, and write nothing.",
)
@weights_options
@spec_options
@limits_option
def build(
    spec: Path,
    output: Path | None,
    force: bool,
    stop_after: str | None,
    weights: str | None,
    partial: bool,
    params: Sequence[str],
    settings: Sequence[str],
    limits: Limits,
) -> None:
    """Write the PyTorch source, the diagram and the shapes of SPEC.

    With --weights, also write a safetensors file with the weights, under the names of the source's module. They
    must fit the network, unless --partial is given.
    """
    check_partial(weights, partial)
    compilation = read_spec(spec, params, settings, limits)
    tell(compilation.diagnostics)
    if compilation.graph is None:
        sys.exit(exit_code(compilation.diagnostics))
    graph = compilation.graph
    if stop_after is not None:
        from cnndsl.cli.stages import stage

        show(stage(graph, stop_after))
        return
    from cnndsl.network import Network

    folder = output or Path("build") / graph.document.label
    network = Network(graph)
    shapes = network.shapes()
    files = _files(network, shapes)
    if weights is not None:
        files[_named(graph, ".safetensors")] = _weights(network, weights, partial)
    try:
        write_folder(folder, files, force)
    except NotOurs as error:
        fail(f"{error} was not written by cnndsl, or was changed since", "move it away, or overwrite it with --force")
    except OSError as error:
        fail(f"{error.filename or folder} cannot be written: {error.strerror}")
    _report(graph, shapes, folder, weights)


def _weights(network: Network, weights: str, partial: bool) -> bytes:
    """A file with the weights that fit. The others are listed, or end the program."""
    from safetensors.torch import save

    with ending():
        module = network.module()
        fit = network.load_weights(module, weights, partial=partial)
        if fit.notes or fit.table:
            say(f"{fit.origin}: {fit.summary}", err=True)
        for line in fit.table:
            say(f"  {line}", err=True)
        tell([fit.warning] if fit.warning else [])
        return save({name: tensor.contiguous() for name, tensor in module.state_dict().items()})


def _files(network: Network, shapes: Table) -> dict[str, bytes]:
    from cnndsl.emit.table.programs import as_csv

    graph = network.graph
    return {
        _named(graph, ".py"): network.source().encode(),
        _named(graph, ".svg"): network.diagram().pipe("svg"),
        _named(graph, ".csv"): as_csv(shapes).encode(),
    }


def _named(graph: Graph, suffix: str) -> str:
    """A file's name. That of a Python module must be an identifier."""
    return (graph.document.name if suffix == ".py" else graph.document.label) + suffix


def _report(graph: Graph, shapes: Table, folder: Path, weights: str | None) -> None:
    from cnndsl.emit.table import human

    name = graph.document.name
    say(f"{name}: {human(shapes.total.params)} parameters, {human(shapes.total.macs)} MACs", bold=True)
    made = {".py": "the network in PyTorch", ".svg": "its diagram", ".csv": f"its shapes, {len(shapes.rows)} rows"}
    if weights is not None:
        made[".safetensors"] = f"weights of {weights}"
    for suffix, what in made.items():
        say(f"  {folder / _named(graph, suffix)}  {what}")
