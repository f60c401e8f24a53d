"""``cnndsl schema``: the JSON Schema of specs."""

from __future__ import annotations

import json

import click

from cnndsl.cli.common import plugin_option


@click.command()
@plugin_option
def schema() -> None:
    """Print the JSON Schema of specs, for editors."""
    from cnndsl.spec.editor import editor_schema

    click.echo(json.dumps(editor_schema(), indent=2))
