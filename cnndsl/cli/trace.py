"""``cnndsl trace``: where a shape comes from."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from cnndsl.cli.common import exit_code, fail, limits_option, read_spec, spec_argument, spec_options, table_option, tell
from cnndsl.cli.completion import complete_path
from cnndsl.limits import Limits
from cnndsl.questions.lookup import NoSuchPath
from cnndsl.questions.trace import trace_in
from cnndsl.questions.trace_table import Trace, as_json, as_plain, as_text
from cnndsl.terminal import medium, paint, show, show_painted


@click.command()
@spec_argument
@click.argument("path", required=False, shell_complete=complete_path)
@table_option
@spec_options
@limits_option
def trace(
    spec: Path, path: str | None, form: str, params: Sequence[str], settings: Sequence[str], limits: Limits
) -> None:
    """Show where the shape of PATH in SPEC comes from, step by step.

    PATH is a path from `cnndsl shapes`, such as layer1.0.conv1, or a place in a file, such as net.yaml:16. Without it,
    the steps lead to the network's output, or to the layer that fails.
    """
    compilation = read_spec(spec, params, settings, limits)
    root = compilation.graph.root if compilation.graph else compilation.partial
    if root is not None:
        try:
            _show(trace_in(root, path), form)
        except NoSuchPath as error:
            tell(compilation.diagnostics)
            fail(error.message, error.help)
    tell(compilation.diagnostics)
    if compilation.graph is None:
        sys.exit(exit_code(compilation.diagnostics))


def _show(trace: Trace, form: str) -> None:
    if form == "table":
        show_painted(as_text(trace, medium(), paint()))
    else:
        show({"plain": as_plain, "json": as_json}[form](trace))
