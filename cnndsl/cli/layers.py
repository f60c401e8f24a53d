"""``cnndsl layers``: the layer table, and a layer's page."""

from __future__ import annotations

import sys

import click

from cnndsl.cli.common import USAGE, plugin_option
from cnndsl.diagnostics import did_you_mean
from cnndsl.layers import LAYERS


@click.command()
@click.argument("name", required=False)
@plugin_option
def layers(name: str | None) -> None:
    """List the layers, or show the page of the layer NAME: arguments, defaults and shapes."""
    from rich.console import Console

    console = Console()
    if name is None:
        width = None if console.is_terminal else 160
        Console(width=width).print(_table())
        return
    if name not in LAYERS:
        click.echo(f"there is no layer `{name}`; {did_you_mean(name, LAYERS) or 'see `cnndsl layers`'}", err=True)
        sys.exit(USAGE)
    from cnndsl.emit.reference import layer_page

    page = layer_page(name)
    if console.is_terminal:
        from rich.markdown import Markdown

        console.print(Markdown(page))
    else:
        click.echo(page)


def _table() -> object:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD)
    for column in ("family", "layer", "arguments"):
        table.add_column(column, overflow="fold")
    family = ""
    for layer in sorted(LAYERS.values(), key=lambda layer: layer.family):
        table.add_row(layer.family if layer.family != family else "", layer.__name__, Text(layer.signature()))
        family = layer.family
    return table
