"""``cnndsl draw``: the diagram of a network."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from cnndsl.cli.common import PATH, exit_code, fail, limits_option, read_spec, spec_argument, spec_options, tell
from cnndsl.cli.output import is_signed, sign
from cnndsl.limits import Limits
from cnndsl.terminal import say
from cnndsl.writing import check_folder, write_file

if TYPE_CHECKING:
    from cnndsl.graph.graph import Graph

#: The ending of a page to look around in, and the options that it takes.
PAGE = ".html"
OF_PAGES = {"spec", "output", "depth", "force", "params", "settings", "limits", "plugin"}


@click.command()
@spec_argument
@click.option(
    "-o",
    "--output",
    type=PATH,
    help="File to write; .svg, .png, .pdf, .dot or .html gives the format. Default: NAME.svg.",
)
@click.option(
    "--style",
    type=click.Choice(["compact", "layers"]),
    default="compact",
    show_default=True,
    help="compact: as in a paper; layers: each layer a box.",
)
@click.option("--depth", type=click.IntRange(1), help="Levels of modules to open; deeper modules are boxes.")
@click.option("--expand", metavar="PATH", multiple=True, help="A module to draw opened in place.")
@click.option(
    "--rankdir",
    type=click.Choice(["TB", "LR", "BT", "RL"]),
    default="TB",
    show_default=True,
    help="Direction of the flow.",
)
@click.option("--show-shapes/--no-show-shapes", default=True, help="Show the shapes on the edges.")
@click.option("--dpi", type=click.IntRange(10, 600), help="Resolution of a PNG, in dots per inch.")
@click.option("--fold/--no-fold", default=True, help="Draw repeated parts once, with their count.")
@click.option(
    "--color",
    type=click.Choice(["family", "params", "macs", "memory"]),
    default="family",
    show_default=True,
    help="What the colours of boxes show.",
)
@click.option(
    "--theme", type=click.Choice(["light", "dark", "print"]), default="light", show_default=True, help="The colours."
)
@click.option("--names", is_flag=True, help="Show the names of layers as in the state_dict.")
@click.option("--verbose", is_flag=True, help="Show all arguments, also those that say little.")
@click.option("--force", is_flag=True, help="Overwrite a file that cnndsl did not write.")
@spec_options
@limits_option
@click.pass_context
def draw(
    context: click.Context,
    /,
    spec: Path,
    output: Path | None,
    force: bool,
    params: Sequence[str],
    settings: Sequence[str],
    limits: Limits,
    **options: Any,
) -> None:
    """Draw SPEC as SVG, PNG, PDF or DOT, or as an HTML page to look around in.

    Layers that belong together are one box, and each block is drawn once, beside the network. Graphviz need not be
    installed. The page needs no network: modules unfold at a click, and each layer shows its arguments, costs and line.
    """
    from cnndsl.emit.diagram import diagram
    from cnndsl.emit.diagram.options import UnknownModule
    from cnndsl.emit.diagram.render import FORMATS, NoFonts, TooLarge

    compilation = read_spec(spec, params, settings, limits)
    tell(compilation.diagnostics)
    if compilation.graph is None:
        sys.exit(exit_code(compilation.diagnostics))
    path = output or Path(f"{compilation.graph.document.label}.svg")
    if path.suffix not in (*FORMATS, PAGE):
        raise click.BadParameter(f"{path} must end in one of {', '.join((*FORMATS, PAGE))}", param_hint="--output")
    if path.suffix == PAGE:
        _check_usage(context, path)
    try:
        if os.path.lexists(path) and not force and not is_signed(path):
            fail(f"{path} exists and was not written by cnndsl", "choose another name with -o, or use --force")
        check_folder(path)
        if path.suffix == PAGE:
            write_file(path, _page(compilation.graph, options["depth"]))
        else:
            drawing = diagram(compilation.graph, **options)
            with _telling_warnings(path):
                picture = drawing.pipe(FORMATS[path.suffix])
            write_file(path, sign(picture, path.suffix))
    except UnknownModule as error:
        fail(f"there is no module `{error.path}` to expand", error.help)
    except (NoFonts, TooLarge) as error:
        fail(str(error))
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}")
    say(path)


def _page(graph: Graph, depth: int | None) -> bytes:
    from cnndsl.explorer import single

    return single(graph, depth).html.encode()


def _check_usage(context: click.Context, path: Path) -> None:
    """Raises :class:`click.UsageError` for an option that a page would ignore."""
    for option in context.command.params:
        name = option.name or ""
        given = context.get_parameter_source(name) is not ParameterSource.DEFAULT
        if given and name not in OF_PAGES:
            raise click.UsageError(f"{option.opts[0]} is for pictures, but {path} is a page: leave it out")


@contextmanager
def _telling_warnings(path: Path) -> Iterator[None]:
    """Prints a line if a picture became smaller than asked for."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        say(f"{path}: {warning.message}", err=True)
