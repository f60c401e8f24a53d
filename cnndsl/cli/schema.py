"""``cnndsl schema``: prints the JSON Schema of specs."""

from __future__ import annotations

import json

import click

from cnndsl.cli.common import plugin_option
from cnndsl.terminal import show


@click.command()
@plugin_option
def schema() -> None:
    """Print the JSON Schema of specs, for editors."""
    from cnndsl.spec.editor import editor_schema

    show(json.dumps(editor_schema(), indent=2))
