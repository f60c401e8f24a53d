"""``cnndsl draw``: the diagram of a network."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from cnndsl.cli.common import PATH, exit_code, fail, limits_option, read_spec, spec_argument, spec_options, tell
from cnndsl.cli.pictures import check_files, force_option, write
from cnndsl.limits import Limits
from cnndsl.record import Record
from cnndsl.terminal import say, show

if TYPE_CHECKING:
    from cnndsl.graph.graph import Graph

#: The options of every drawing.
USUAL = {"spec", "output", "format", "depth", "force", "params", "settings", "limits", "plugin"}


class Kind(Record, frozen=True):
    """A kind of drawing: what it is called, the endings of its files, and its options besides the usual ones."""

    name: str
    endings: tuple[str, ...]
    options: Set[str]


PICTURE = Kind(
    "a figure",
    (".svg", ".png", ".pdf", ".dot", ".gv"),
    {"style", "rankdir", "show_shapes", "dpi", "fold", "color", "theme", "expand", "names", "verbose", "fit"},
)
VOLUMES = Kind("volumes", (".svg", ".png", ".pdf", ".tex"), {"style", "show_shapes", "dpi", "theme", "fit"})
#: A flowchart for a README, alone or as a block of Markdown.
CHART = Kind(
    "a flowchart",
    (".mmd", ".md"),
    {"rankdir", "show_shapes", "fold", "color", "theme", "expand", "names", "verbose"},
)
PAGE = Kind("an HTML page", (".html",), set())


@click.command()
@spec_argument
@click.option(
    "-o",
    "--output",
    type=PATH,
    help="File to write; its ending gives the format: .svg, .png, .pdf, .dot or .html, .mmd or .md for Mermaid, .tex "
    "for volumes. Default: NAME.svg.",
)
@click.option(
    "--style",
    type=click.Choice(["compact", "layers", "volumes"]),
    default="compact",
    show_default=True,
    help="compact: as in a paper; layers: each layer a box; volumes: feature maps to scale.",
)
@click.option("--format", type=click.Choice(["mermaid"]), help="Print a Mermaid flowchart, for a README.")
@click.option(
    "--fit",
    metavar="PAGE",
    callback=lambda context, option, value: _page_size(value),
    help="Fit a page: a4, letter, slide, or a size such as 84x60mm. Letters have 6 points at least.",
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
@force_option
@spec_options
@limits_option
@click.pass_context
def draw(
    context: click.Context,
    /,
    spec: Path,
    output: Path | None,
    format: str | None,
    force: bool,
    params: Sequence[str],
    settings: Sequence[str],
    limits: Limits,
    **options: Any,
) -> None:
    """Draw SPEC as a figure, a flowchart, or a page to explore.

    Layers that belong together are one box, and each block is drawn once, beside the network. Graphviz need not be
    installed. The page needs no network: modules unfold at a click, and each layer shows its arguments, costs and line.
    """
    compilation = read_spec(spec, params, settings, limits)
    tell(compilation.diagnostics)
    if compilation.graph is None:
        sys.exit(exit_code(compilation.diagnostics))
    if format and output is None:
        _check_usage(context, CHART)
        show(_chart(compilation.graph, options).decode())
        return
    path = output or Path(f"{compilation.graph.document.label}.svg")
    kind = _kind(path, format, options["style"])
    _check_usage(context, kind)
    if options["dpi"] and path.suffix != ".png":
        raise click.UsageError(f"--dpi has no meaning for {path.suffix}: only a PNG has dots")
    check_files(path, force=force)
    write(path, _drawn(kind, compilation.graph, path, options))


def _kind(path: Path, format: str | None, style: str) -> Kind:
    """What is drawn into a file. Raises :class:`click.BadParameter`."""
    usual = VOLUMES if style == "volumes" else PICTURE
    kinds = (CHART,) if format else (usual, CHART, PAGE)
    for kind in kinds:
        if path.suffix in kind.endings:
            return kind
    known = ", ".join(ending for kind in kinds for ending in kind.endings)
    help = "; .tex is for --style volumes" * (path.suffix == ".tex")
    raise click.BadParameter(f"{path} must end in one of {known}{help}", param_hint="--output")


def _check_usage(context: click.Context, kind: Kind) -> None:
    """Raises :class:`click.UsageError` for an option that a drawing would ignore."""
    for option in context.command.params:
        name = option.name or ""
        given = context.get_parameter_source(name) is not ParameterSource.DEFAULT
        if given and name not in USUAL | kind.options:
            raise click.UsageError(f"{option.opts[0]} has no meaning for {kind.name}: leave it out")


def _drawn(kind: Kind, graph: Graph, path: Path, options: Mapping[str, Any]) -> bytes:
    """What a file holds."""
    if kind is PAGE:
        return _page(graph, options["depth"])
    if kind is CHART:
        chart = _chart(graph, options)
        return b"```mermaid\n" + chart + b"```\n" if path.suffix == ".md" else chart
    return _picture(graph, path, options)


def _picture(graph: Graph, path: Path, options: Mapping[str, Any]) -> bytes:
    from cnndsl.emit.diagram import NoFonts, TooLarge, TooSmall, UnknownPath, diagram

    try:
        drawing = diagram(graph, **options)
        with _telling_warnings(path):
            data: bytes = drawing.pipe(path.suffix.removeprefix("."))
    except (UnknownPath, TooSmall) as error:
        fail(error.problem, error.help)
    except (NoFonts, TooLarge) as error:
        fail(str(error))
    except ValueError as error:  # it begins with the name of an option
        raise click.UsageError(f"--{error}") from None
    if drawing.told:
        say(drawing.told, err=True)
    return data


def _chart(graph: Graph, options: Mapping[str, Any]) -> bytes:
    from cnndsl.emit.diagram.mermaid import mermaid

    taken = {name: value for name, value in options.items() if name in CHART.options | {"depth"}}
    return mermaid(graph, **taken).encode()


def _page(graph: Graph, depth: int | None) -> bytes:
    from cnndsl.explorer import single

    return single(graph, depth).html.encode()


def _page_size(text: str | None) -> str | None:
    """The page to fit. Raises :class:`click.BadParameter`."""
    if text is None:
        return None
    from cnndsl.emit.diagram.page import Page

    try:
        return Page.of(text).name
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@contextmanager
def _telling_warnings(path: Path) -> Iterator[None]:
    """Prints a line if a picture became smaller than asked for."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        say(f"{path}: {warning.message}", err=True)
