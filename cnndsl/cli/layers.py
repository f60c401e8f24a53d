"""``cnndsl layers``: lists the layers, or prints a layer's page."""

from __future__ import annotations

import sys

import click

from cnndsl.cli.common import USAGE, plugin_option
from cnndsl.cli.completion import one_of
from cnndsl.diagnostics import did_you_mean
from cnndsl.grid import GONE, Grid
from cnndsl.layers import LAYERS
from cnndsl.terminal import console, say, show, show_grid


@click.command()
@click.argument("name", required=False, shell_complete=one_of(lambda: LAYERS))
@plugin_option
def layers(name: str | None) -> None:
    """List the layers, or show the page of layer NAME."""
    if name is None:
        show_grid(_grid())
        return
    if name not in LAYERS:
        say(f"there is no layer `{name}`; {did_you_mean(name, LAYERS) or 'see `cnndsl layers`'}", err=True)
        sys.exit(USAGE)
    from cnndsl.emit.reference import layer_page

    page = layer_page(name)
    if sys.stdout.isatty():
        from rich.markdown import Markdown

        console().print(Markdown(page))
    else:
        show(page)


def _grid() -> Grid:
    rows: list[tuple[str, ...]] = []
    family = ""
    for layer in sorted(LAYERS.values(), key=lambda layer: layer.family):
        rows.append((layer.family if layer.family != family else "", layer.__name__, layer.signature()))
        family = layer.family
    gives = (("arguments", 20), ("family", GONE), ("arguments", 6), ("arguments", GONE))
    return Grid(("family", "layer", "arguments"), rows, gives)
