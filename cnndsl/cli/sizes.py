"""``cnndsl sizes``: the sizes of inputs that a network takes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from cnndsl.cli.common import exit_code, limits_option, read_spec, spec_argument, spec_options, table_option, tell
from cnndsl.limits import Limits
from cnndsl.questions.sizes import sizes_of
from cnndsl.questions.sizes_table import as_json, as_plain, as_text
from cnndsl.terminal import medium, paint, show, show_painted


@click.command()
@spec_argument
@table_option
@spec_options
@limits_option
def sizes(spec: Path, form: str, params: Sequence[str], settings: Sequence[str], limits: Limits) -> None:
    """Show which input sizes SPEC takes, and which of them lose no pixels.

    The weights stay as they are. Each axis is searched alone. A size loses no pixels if the last window of each layer
    ends where its input ends.
    """
    compilation = read_spec(spec, params, settings, limits)
    tell(compilation.diagnostics)
    if compilation.graph is None:
        sys.exit(exit_code(compilation.diagnostics))
    found = sizes_of(compilation.graph)
    if form == "table":
        show_painted(as_text(found, medium(), paint()))
    else:
        show({"plain": as_plain, "json": as_json}[form](found))
