"""``cnndsl draw``: the diagram of a network."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import click

from cnndsl.cli.common import ERRORS, fail, limits_option, read_spec, spec_argument, spec_options, tell
from cnndsl.cli.output import is_signed, sign
from cnndsl.limits import Limits
from cnndsl.writing import write_file

Direction: TypeAlias = Literal["TB", "LR", "BT", "RL"]


@click.command()
@spec_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="File to write; its ending, .svg, .png, .pdf or .dot, is the format. Default: NAME.svg.",
)
@click.option("--depth", type=click.IntRange(1), help="Levels of modules to open; deeper ones are boxes.")
@click.option(
    "--rankdir", type=click.Choice(["TB", "LR", "BT", "RL"]), default="TB", show_default=True, help="Direction of flow."
)
@click.option("--show-shapes/--no-show-shapes", default=True, help="Write the shapes on the edges.")
@click.option("--dpi", type=click.IntRange(20, 600), help="Resolution of a PNG, dots per inch.")
@click.option("--fold/--no-fold", default=True, help="Draw repeated parts once, with their number.")
@click.option("--force", is_flag=True, help="Write over a file that is no picture of ours.")
@spec_options
@limits_option
def draw(
    spec: str,
    output: Path | None,
    depth: int | None,
    rankdir: Direction,
    show_shapes: bool,
    dpi: int | None,
    fold: bool,
    force: bool,
    params: Sequence[str],
    settings: Sequence[str],
    limits: Limits,
) -> None:
    """Draw SPEC as a graph: modules as clusters, layers with their arguments, shapes on the edges.

    Graphviz needn't be installed.
    """
    from cnndsl.emit.diagram import diagram
    from cnndsl.emit.diagram.render import FORMATS, NoFonts

    compilation = read_spec(spec, params, settings, limits)
    tell(compilation.diagnostics)
    if compilation.graph is None:
        sys.exit(ERRORS)
    path = output or Path(f"{compilation.graph.document.label}.svg")
    if path.suffix not in FORMATS:
        raise click.BadParameter(f"{path} should end in {', '.join(FORMATS)}", param_hint="--output")
    drawing = diagram(compilation.graph, depth=depth, rankdir=rankdir, show_shapes=show_shapes, dpi=dpi, fold=fold)
    try:
        if os.path.lexists(path) and not force and not is_signed(path):
            fail(f"{path} exists and is no diagram of ours", "give another name with -o, or --force")
        write_file(path, sign(drawing.pipe(FORMATS[path.suffix]), path.suffix))
    except NoFonts as error:
        fail(str(error))
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}")
    click.echo(path)
