"""``cnndsl layers``: the layer table, and a layer's page."""

from __future__ import annotations

import sys

import click

from cnndsl.cli.common import USAGE, plugin_option
from cnndsl.diagnostics import did_you_mean
from cnndsl.layers import LAYERS
from cnndsl.terminal import console, say, show


@click.command()
@click.argument("name", required=False)
@plugin_option
def layers(name: str | None) -> None:
    """List the layers, or show the page of the layer NAME: arguments, defaults and shapes."""
    if name is None:
        console(160).print(_table())
        return
    if name not in LAYERS:
        say(f"there is no layer `{name}`; {did_you_mean(name, LAYERS) or 'see `cnndsl layers`'}", err=True)
        sys.exit(USAGE)
    from cnndsl.emit.reference import layer_page

    page = layer_page(name)
    if (terminal := console()).is_terminal:
        from rich.markdown import Markdown

        terminal.print(Markdown(page))
    else:
        show(page)


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
